package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
)

var (
	// ErrNotParked refuses to replay what is not parked.
	ErrNotParked = domain.Refuse(domain.NotFound, "projection.not_parked", "this stream is not parked")

	// ErrStillPoison refuses a replay that came to an event that cannot be
	// handled. Its text says which and why.
	ErrStillPoison = domain.Refuse(domain.Conflict, "projection.still_poison", "the stream still has an event that cannot be handled")

	// ErrMoreParked refuses to put tables in the place of better ones.
	ErrMoreParked = domain.Refuse(domain.Conflict, "projection.more_parked", "streams would be parked that are not parked in the tables in use")
)

// Parked is a stream that a projection has put aside at an event that it cannot
// handle. What comes later in the stream waits with it; all else goes on.
type Parked struct {
	Stream   string
	Position int64 // of the event
	Version  int   // of the stream, with the event
	Type     string
	Problem  string
	At       time.Time
	Waiting  int // events of the stream up to now that the projection has not seen
}

// Parked returns what a projection has parked, in the order of the log.
func (e *Engine) Parked(ctx context.Context, name string) ([]Parked, error) {
	r := e.runners[name]
	if r == nil {
		return nil, ErrUnknown
	}
	rows, err := e.pool.Query(ctx, `SELECT p.stream, p.position, p.version, p.type, p.problem, p.parked_at, coalesce(s.version - p.version + 1, 1)
		FROM projection.parked p LEFT JOIN es.stream s USING (stream) WHERE p.schema = $1 ORDER BY p.position`, r.schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Parked])
}

// park puts the stream of an event aside and moves the checkpoint over the
// event, in one transaction.
func (l *live) park(ctx context.Context, e Event, found *poison) error {
	problem := found.Error()
	err := l.transact(ctx, nil, e.Position, statement{
		sql: `INSERT INTO projection.parked VALUES ($1, $2, $3::bigint, $4::bigint::int, $5, $6, $7::text::timestamptz) ON CONFLICT DO NOTHING`,
		args: [][]byte{[]byte(l.schema), []byte(e.Stream), bigint(e.Position), bigint(int64(e.Version)),
			[]byte(e.Event.EventType()), []byte(problem), []byte(l.now().UTC().Format(time.RFC3339Nano))},
	})
	if err != nil {
		return err
	}
	l.parked[e.Stream] = true
	l.logger.Error("projection parked a stream", "schema", l.schema, "stream", e.Stream, "position", e.Position, "error", problem)
	return nil
}

// going returns the events whose streams are not parked.
func (l *live) going(events []Event) []Event {
	if len(l.parked) == 0 {
		return events
	}
	var some []Event
	for _, e := range events {
		if !l.parked[e.Stream] || e.alien {
			some = append(some, e)
		}
	}
	return some
}

// Replay lets a projection handle a stream that it had parked, all its events
// up to now at once, and go on with it. It is for handlers that were mended
// without a new version. What the handlers make of events depends on no other
// stream, or else a rebuild is the better way: it handles all in their order.
func (e *Engine) Replay(ctx context.Context, name, stream string) error {
	r := e.runners[name]
	if r == nil {
		return ErrUnknown
	}
	var from int64
	err := e.pool.QueryRow(ctx, "SELECT position FROM projection.parked WHERE schema = $1 AND stream = $2", r.schema, stream).Scan(&from)
	if err == pgx.ErrNoRows {
		return ErrNotParked
	}
	if err != nil {
		return err
	}
	var events []Event
	read := func(after, upto int64) error {
		for ; after < upto; after += 10_000 {
			page, err := e.log.Read(ctx, after, min(after+10_000, upto), r.d.types)
			if err != nil {
				return err
			}
			for _, e := range page {
				if e.Stream == stream {
					events = append(events, e)
				}
			}
		}
		return nil
	}
	head, err := e.log.Head(ctx) // most is read before anybody has to wait
	if err != nil {
		return err
	}
	if err := read(from-1, head); err != nil {
		return err
	}
	return e.transact(ctx, func(tx pgx.Tx) error {
		l, err := r.takeOver(ctx, tx, r.schema, true) // the runner waits, and then takes over again
		if errors.Is(err, pgx.ErrNoRows) {            // the tables were exchanged while it waited
			return ErrBusy
		}
		if err != nil {
			return err
		}
		if !l.parked[stream] {
			return ErrNotParked // any more
		}
		if err := read(head, l.position); err != nil {
			return err
		}
		upto := len(events)
		for upto > 0 && events[upto-1].Position > l.position {
			upto--
		}
		if err := l.applyOn(ctx, tx.Conn().PgConn(), events[:upto], l.position, nil, nil); err != nil {
			var found *poison
			switch {
			case errors.As(err, &found):
				return fmt.Errorf("%w: %w", ErrStillPoison, found)
			case ofData(err):
				return fmt.Errorf("%w: %s", ErrStillPoison, told(err))
			}
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM projection.parked WHERE schema = $1 AND stream = $2", r.schema, stream)
		return err
	})
}

// moreParked returns a stream that is parked in one schema but not in another.
func (e *Engine) moreParked(ctx context.Context, fresh, used string) error {
	var stream, problem string
	err := e.pool.QueryRow(ctx, `SELECT stream, problem FROM projection.parked n WHERE schema = $1
		AND NOT EXISTS (SELECT FROM projection.parked o WHERE o.schema = $2 AND o.stream = n.stream) ORDER BY position LIMIT 1`, fresh, used).Scan(&stream, &problem)
	switch {
	case err == pgx.ErrNoRows:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %s: %s", ErrMoreParked, stream, problem)
}
