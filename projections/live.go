package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errFenced says that another runner has the tables now.
var errFenced = errors.New("projection has another runner")

// rounds is how often a page may be folded. A handler needs one more than the
// longest chain of rows in which the key of one is read from another.
const rounds = 8

// live brings events into the tables of one schema, page by page.
//
// It first rehearses a page with nothing in memory; what the fold asks for is
// loaded, with one statement a table, and the page is folded again, until it
// asks for nothing: then every answer it got was true. Rows are not kept for
// the next page: it was measured, and gains nothing.
type live struct {
	pool     *pgxpool.Pool
	schema   string
	position int64 // of the last event seen
	saved    int64 // the checkpoint; between the two, no event concerned the projection
	epoch    int64
	tables   folder
	parked   map[string]bool // streams that are put aside
	most     int             // of them
	hung     time.Duration   // see Options
	now      func() time.Time
	logger   *slog.Logger
}

// takeOver makes a live for the tables in a schema: whoever kept them before is
// fenced out. Those that are paused are taken only if evenPaused.
func (r *runner) takeOver(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, schema string, evenPaused bool) (*live, error) {
	e := r.engine
	l := &live{pool: e.pool, schema: schema, tables: r.p.folder(schema, false), parked: make(map[string]bool),
		most: e.options.Parked, hung: e.options.Hung, now: e.options.Now, logger: e.options.Logger}
	// What another version had retired is needed again if this one runs it.
	err := db.QueryRow(ctx, `
UPDATE projection.checkpoint SET epoch = nextval('projection.epoch'), holder = $3, problem = NULL, retired_at = CASE WHEN schema <> $2 THEN retired_at END
WHERE schema = $1 AND ($4 OR paused_at IS NULL) RETURNING position, epoch`, schema, r.d.live(), e.crew.id, evenPaused).
		Scan(&l.saved, &l.epoch)
	if err != nil {
		return l, err
	}
	l.position = l.saved
	// In a statement of its own: it sees what the former runner parked last.
	var parked []string
	err = db.QueryRow(ctx, "SELECT ARRAY(SELECT stream FROM projection.parked WHERE schema = $1)", schema).Scan(&parked)
	for _, stream := range parked {
		l.parked[stream] = true
	}
	return l, err
}

// apply brings a page of events into the tables and moves the checkpoint to
// upto, in one transaction. If it fails, nothing has happened.
func (l *live) apply(ctx context.Context, events []Event, upto int64) error {
	return l.transact(ctx, l.going(events), upto)
}

// transact is apply that does something more in the transaction.
func (l *live) transact(ctx context.Context, events []Event, upto int64, more ...statement) error {
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // which closes it if the transaction is still open
	pg := conn.Conn().PgConn()
	begin := []statement{{sql: "BEGIN"}, patienceWith(l.hung + time.Duration(len(events))*time.Millisecond)}
	err = l.applyOn(ctx, pg, events, upto, begin, append(more, statement{sql: "COMMIT"}))
	if err != nil && !pg.IsClosed() && pg.TxStatus() != 'I' {
		err = errors.Join(err, script(ctx, pg, "ROLLBACK"))
	}
	return err
}

// patienceWith has the database end a transaction of a process that hangs in the
// middle of it: others wait for the checkpoint.
func patienceWith(d time.Duration) statement {
	return statement{sql: fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d", d.Milliseconds())}
}

// applyOn is apply on a connection: first is sent before everything, last after.
// If it fails, the transaction is to be rolled back.
func (l *live) applyOn(ctx context.Context, pg *pgconn.PgConn, events []Event, upto int64, first, last []statement) (err error) {
	set := l.tables.set()
	defer func() {
		if r := recover(); r != nil { // a column cannot hold its value
			cause, ok := r.(error)
			if !ok {
				cause = errors.New(told(r))
			}
			err = &unkeepable{cause}
		}
		set.forget()
	}()
	held := false
	first = append(first, statement{
		sql:  "UPDATE projection.checkpoint SET position = $1 WHERE schema = $2 AND position = $3 AND epoch = $4 RETURNING position",
		args: [][]byte{bigint(upto), []byte(l.schema), bigint(l.saved), bigint(l.epoch)},
		take: func([][]byte) { held = true }, // the row is locked before any row is loaded
	})
	fault, loads := l.rehearse(events)
	for round := 1; round == 1 || len(loads) > 0; round++ {
		if round == rounds {
			return &unkeepable{fmt.Errorf("events after %d: rows are still asked for after folding %d times", l.position, rounds)}
		}
		if err := send(ctx, pg, append(first, loads...)); err != nil {
			return err
		}
		if !held {
			return errFenced
		}
		if first = nil; len(loads) > 0 {
			fault, loads = l.rehearse(events)
		}
	}
	if fault != nil {
		return fault // it saw nothing but true rows
	}
	var writes []statement
	for _, t := range set.tables {
		writes = append(writes, t.writes()...)
	}
	if err := send(ctx, pg, append(writes, last...)); err != nil {
		return err
	}
	l.position, l.saved = upto, upto
	return nil
}

// rehearse folds a page. If there are rows to load, it has to be folded again.
func (l *live) rehearse(events []Event) (fault *poison, loads []statement) {
	fault = l.tables.fold(events)
	tables := l.tables.set().tables
	for _, t := range tables {
		loads = append(loads, t.loads()...)
	}
	if len(loads) > 0 {
		for _, t := range tables {
			t.rewind()
		}
	}
	return fault, loads
}

// unkeepable is a fault of some event of a page that only the database or the
// columns found.
type unkeepable struct{ error }

func (u *unkeepable) Unwrap() error { return u.error }

// applyAll is apply that finds out which event is at fault and parks its
// stream. It returns a poison if that is not the way: the event is of a later
// version of the program, or so many streams are parked that the handlers must
// be wrong. What was before it is kept.
func (l *live) applyAll(ctx context.Context, events []Event, upto int64) error {
	events = l.going(events)
	if len(events) == 0 && upto <= l.saved {
		return nil
	}
	err := l.apply(ctx, events, upto)
	var found *poison
	switch {
	case errors.As(err, &found):
	case err == nil || !ofData(err) || len(events) == 0:
		return err
	case len(events) == 1:
		found = poisonOf(events[0], err)
	default:
		half := len(events) / 2
		if err := l.applyAll(ctx, events[:half], events[half-1].Position); err != nil {
			return err
		}
		return l.applyAll(ctx, events[half:], upto)
	}
	before := 0
	for before < len(events) && events[before].Position < found.position {
		before++
	}
	if err := l.applyAll(ctx, events[:before], found.position-1); err != nil {
		return err
	}
	if found.later || len(l.parked) >= l.most {
		return found
	}
	if err := l.park(ctx, events[before], found); err != nil {
		return err
	}
	return l.applyAll(ctx, events[before+1:], upto)
}

// ofData says that the same page will fail again.
func ofData(err error) bool {
	var u *unkeepable
	if errors.As(err, &u) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code[:2] { // data exception, integrity violation, syntax or access rule, program limit
	case "22", "23", "42", "54":
		return true
	}
	return false
}

// lost says that the database could not be reached or did not finish.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return !ofData(err)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}
