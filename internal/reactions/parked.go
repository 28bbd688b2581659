package reactions

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
)

var (
	// ErrUnknown refuses a reaction that there is not.
	ErrUnknown = domain.Refuse(domain.NotFound, "reaction.unknown", "there is no such reaction")

	// ErrNotParked refuses to do an event again that was not put aside.
	ErrNotParked = domain.Refuse(domain.NotFound, "reaction.not_parked", "the reaction has not put this event aside")

	// ErrStillParked says that an event cannot be handled this time either.
	ErrStillParked = domain.Refuse(domain.Conflict, "reaction.still_parked", "the reaction still cannot handle this event")
)

// A Status is how far a reaction has come.
type Status struct {
	Name     string
	Position int64 // done up to here
	Head     int64 // of the log
	Parked   int64 // events put aside
	MovedAt  time.Time
}

// Status returns how far each reaction of this program has come.
func (e *Engine) Status(ctx context.Context) ([]Status, error) {
	var names []string
	for _, r := range e.c.Reactions {
		names = append(names, r.Name)
	}
	rows, err := e.c.Pool.Query(ctx, `
		SELECT o.name, o.position, head.position, (SELECT count(*) FROM reaction.parked p WHERE p.name = o.name), o.moved_at
		FROM reaction.offset o, es.head WHERE o.name = ANY($1) ORDER BY o.name`, names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Status])
}

// A Parked is an event that a reaction could not handle.
type Parked struct {
	Position int64
	Reason   string
	At       time.Time
}

// maxParked is how many parked events are shown at once.
const maxParked = 200

// Parked returns the events that a reaction has put aside, the oldest first.
func (e *Engine) Parked(ctx context.Context, name string) ([]Parked, error) {
	if _, ok := e.reaction(name); !ok {
		return nil, ErrUnknown
	}
	rows, err := e.c.Pool.Query(ctx, `SELECT position, reason, at FROM reaction.parked WHERE name = $1 ORDER BY position LIMIT $2`, name, maxParked)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Parked])
}

// Replay handles one parked event after all. Nothing else is handled again: the
// offset of a reaction never goes back.
func (e *Engine) Replay(ctx context.Context, name string, position int64) error {
	r, ok := e.reaction(name)
	if !ok {
		return ErrUnknown
	}
	return pgx.BeginFunc(ctx, e.c.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM reaction.parked WHERE name = $1 AND position = $2`, name, position)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotParked
		}
		rows, err := tx.Query(ctx, selectEvents+` WHERE position = $1`, position)
		if err != nil {
			return err
		}
		event, err := pgx.CollectExactlyOneRow(rows, scanEvent)
		if err != nil {
			return err
		}
		todo, never := r.React(event)
		if never != nil { // rolls back: it stays parked
			return ErrStillParked
		}
		return e.insert(ctx, tx, e.jobs, todo)
	})
}

// Reset lets a reaction go on at the head of the log, leaving out what it has
// not handled yet. A window that is in hand meanwhile is not committed.
func (e *Engine) Reset(ctx context.Context, name string) error {
	if _, ok := e.reaction(name); !ok {
		return ErrUnknown
	}
	tag, err := e.c.Pool.Exec(ctx, `
		UPDATE reaction.offset SET position = head.position, epoch = epoch + 1, moved_at = $2 FROM es.head WHERE name = $1`, name, e.c.Now())
	if err == nil && tag.RowsAffected() == 0 {
		return errors.New("reactions: " + name + " has no place in the log")
	}
	return err
}

func (e *Engine) reaction(name string) (Reaction, bool) {
	for _, r := range e.c.Reactions {
		if r.Name == name {
			return r, true
		}
	}
	return Reaction{}, false
}
