package reactions

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
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
func (e *Engine) Status(ctx context.Context, by access.Actor) ([]Status, error) {
	if err := by.Allow(operate); err != nil {
		return nil, err
	}
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

// A Settled is an event that was parked and is not any more: somebody had it
// handled after all, or decided that it never will be.
type Settled struct {
	Position  int64
	How       string // Replayed or Skipped
	Reason    string // why it was skipped
	Fault     string // why it had been parked
	ParkedAt  time.Time
	ActorKind domain.ActorKind
	Actor     *uuid.UUID // the account that decided; nil on the command line
	At        time.Time
}

// How a parked event is settled.
const (
	Replayed = "replayed"
	Skipped  = "skipped"
)

// maxParked is how many parked or settled events are shown at once.
const maxParked = 200

// maxReason is how long the reason of a skip may be, in characters.
const maxReason = 500

// operate is what it takes to look after reactions.
var operate = access.At(access.OperateViews, access.Scope{})

// Parked returns the events that a reaction has put aside, the oldest first.
func (e *Engine) Parked(ctx context.Context, by access.Actor, name string) ([]Parked, error) {
	if err := e.allow(by, name); err != nil {
		return nil, err
	}
	rows, err := e.c.Pool.Query(ctx, `SELECT position, reason, at FROM reaction.parked WHERE name = $1 ORDER BY position LIMIT $2`, name, maxParked)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Parked])
}

// Settled returns what became of parked events, the last decision first.
func (e *Engine) Settled(ctx context.Context, by access.Actor, name string) ([]Settled, error) {
	if err := e.allow(by, name); err != nil {
		return nil, err
	}
	rows, err := e.c.Pool.Query(ctx, `
		SELECT position, how, reason, fault, parked_at, actor_kind, actor, at FROM reaction.settled
		WHERE name = $1 ORDER BY at DESC, id DESC LIMIT $2`, name, maxParked)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Settled])
}

// Replay handles one parked event after all. Nothing else is handled again: the
// offset of a reaction never goes back.
func (e *Engine) Replay(ctx context.Context, by access.Actor, name string, position int64) error {
	return e.settle(ctx, by, name, position, Replayed, "", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectEvents+` WHERE position = $1`, position)
		if err != nil {
			return err
		}
		event, err := pgx.CollectExactlyOneRow(rows, scanEvent)
		if errors.Is(err, pgx.ErrNoRows) { // parked by hand: there is no such event
			return ErrStillParked
		}
		if err != nil {
			return err
		}
		r, _ := e.reaction(name)
		todo, never := r.React(event)
		if never != nil { // rolls back: it stays parked
			return ErrStillParked
		}
		return e.insert(ctx, tx, e.jobs, todo)
	})
}

// Skip gives a parked event up, for a reason that is kept with who gave it.
func (e *Engine) Skip(ctx context.Context, by access.Actor, name string, position int64, reason string) error {
	reason, err := domain.Line(reason, maxReason)
	if err != nil {
		var c domain.Check
		c.Field("reason", err)
		return c.Err()
	}
	return e.settle(ctx, by, name, position, Skipped, reason, func(pgx.Tx) error { return nil })
}

// settle takes an event from those parked and records how, with what else do
// does in the same transaction.
func (e *Engine) settle(ctx context.Context, by access.Actor, name string, position int64, how, reason string, do func(pgx.Tx) error) error {
	if err := e.allow(by, name); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, e.c.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			WITH gone AS (DELETE FROM reaction.parked WHERE name = $1 AND position = $2 RETURNING *)
			INSERT INTO reaction.settled (name, position, how, reason, fault, parked_at, actor_kind, actor, at)
			SELECT name, position, $3, $4, gone.reason, gone.at, $5, nullif($6::uuid, $7::uuid), $8::timestamptz FROM gone`,
			name, position, how, reason, by.Kind, by.ID, uuid.Nil, e.c.Now())
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0:
			return ErrNotParked
		}
		return do(tx)
	})
}

// allow says whether somebody may look after a reaction.
func (e *Engine) allow(by access.Actor, name string) error {
	if err := by.Allow(operate); err != nil {
		return err
	}
	if _, ok := e.reaction(name); !ok {
		return ErrUnknown
	}
	return nil
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
