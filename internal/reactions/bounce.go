package reactions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/mail"
)

// ErrNoLetter refuses a report of a letter that was never sent from here. The
// letters to those who look after a municipality belong to nobody's account, and
// are not known by what came back.
var ErrNoLetter = domain.Refuse(domain.NotFound, "reaction.no_letter", "no such letter was sent to an account")

// Returned notes that a letter came back after the mail server had taken it, as
// if it had refused it, and returns whom it was for. Told twice it is noted once;
// if a later letter has gone to the same person since, not at all.
func (e *Engine) Returned(ctx context.Context, by access.Actor, b mail.Bounce) (stream string, err error) {
	if err := by.Allow(operate); err != nil {
		return "", err
	}
	events, err := eventstore.Collect(e.c.Log.ReadAll(ctx, b.Position-1, b.Position))
	if err != nil {
		return "", err
	}
	if len(events) != 1 || !hasLetter(events[0], b.Letter) {
		return "", ErrNoLetter
	}
	event := events[0]
	return event.Stream, giveUp(ctx, e.c.Pool, lostLetter{event.ID, event.Position, event.Stream, b.Reason, e.c.Now()})
}

// hasLetter says whether a letter is one of those that follow from an event.
func hasLetter(e eventstore.Event, letter uuid.UUID) bool {
	if !slices.Contains(Mail.Types, e.Type) {
		return false
	}
	to, err := addressees(e)
	return err == nil && slices.ContainsFunc(to, func(to string) bool { return letterID(e.ID, to) == letter })
}

// A lostLetter is one that was given up, and why: "refused by the mail server:
// 550 5.1.1". No reason holds an address.
type lostLetter struct {
	event    uuid.UUID
	position int64
	stream   string
	reason   string
	at       time.Time
}

func giveUp(ctx context.Context, pool *pgxpool.Pool, l lostLetter) error {
	_, err := pool.Exec(ctx, `
		INSERT INTO reaction.undelivered (event, position, stream, reason, at)
		SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM reaction.sent WHERE stream = $3 AND position > $2)
		ON CONFLICT DO NOTHING`, l.event, l.position, l.stream, l.reason, l.at)
	return err
}
