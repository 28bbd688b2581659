package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"zurnals/domain/access"
)

type (
	minPosition struct{}
	onPrimary   struct{}
)

// WithMinPosition makes queries under ctx wait until their read models have
// seen a position: who has changed something sees the change.
func WithMinPosition(ctx context.Context, position int64) context.Context {
	return context.WithValue(ctx, minPosition{}, position)
}

// OnPrimary keeps queries under ctx from a replica. It is for those that hand on
// what they read, bit by bit: an answer that a replica breaks off is begun anew.
func OnPrimary(ctx context.Context) context.Context {
	return context.WithValue(ctx, onPrimary{}, true)
}

// A DB is what a query needs of the engine. Only Query can read it.
type DB struct{ engine *Engine }

// DB returns the read models as queries see them.
func (e *Engine) DB() *DB { return &DB{e} }

// A Querier reads the tables of the projections that a query named, all as they
// are at one moment. In SQL, {staff} is the schema of the projection staff:
//
//	SELECT name FROM {staff}.person WHERE account = $1
type Querier struct {
	tx       pgx.Tx
	names    *strings.Replacer
	position int64
	replica  bool // it reads one
}

// Query returns the rows that sql selects.
func (q *Querier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return q.tx.Query(ctx, q.names.Replace(sql), args...)
}

// QueryRow returns the one row that sql selects.
func (q *Querier) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return q.tx.QueryRow(ctx, q.names.Replace(sql), args...)
}

// Position is one that all tables of the query have seen.
func (q *Querier) Position() int64 { return q.position }

// Query lets f read the tables of the named projections, if by has what it
// needs. There is no other way to read a projection.
//
// It waits until the projections have seen the position that WithMinPosition
// wants, and answers ErrBehind if they do not in two seconds. The tables do not
// change while f reads, nor are they swapped, so f should not dawdle. If there
// is a replica, f reads that, and is called once more, for the primary, if the
// replica breaks off.
func Query[R any](ctx context.Context, db *DB, by access.Actor, need access.Need, names []string, f func(context.Context, *Querier) (R, error)) (result R, err error) {
	if err := by.Allow(need); err != nil {
		return result, err
	}
	replica := db.engine.replica
	q, err := db.begin(ctx, names)
	if err != nil {
		replica.count(nil, err)
		return result, err
	}
	result, err = answer(ctx, q, f)
	if !q.replica || !faulty(err) || ctx.Err() != nil {
		replica.count(q, nil)
		return result, err
	}
	replica.fault(err)
	q, err = db.begin(OnPrimary(ctx), names)
	replica.count(q, err)
	if err != nil {
		return result, err
	}
	return answer(ctx, q, f)
}

func answer[R any](ctx context.Context, q *Querier, f func(context.Context, *Querier) (R, error)) (result R, err error) {
	defer func() {
		if e := q.end(ctx); err == nil {
			err = e
		}
	}()
	return f(ctx, q)
}

// end ends the transaction. It only read: there is nothing to lose, and the
// connection goes back.
func (q *Querier) end(ctx context.Context) error {
	err := q.tx.Rollback(context.WithoutCancel(ctx))
	if errors.Is(err, pgx.ErrTxClosed) {
		return nil
	}
	return err
}

func (db *DB) begin(ctx context.Context, names []string) (*Querier, error) {
	e := db.engine
	for _, name := range names {
		if e.runners[name] == nil {
			return nil, fmt.Errorf("query of projection %s: there is none", name)
		}
	}
	waiting, cancel := context.WithTimeout(ctx, e.options.Patience)
	defer cancel()
	if e.replica != nil && ctx.Value(onPrimary{}) == nil && e.replica.left() == nil {
		q, err := e.replica.begin(waiting, names)
		if err == nil || waiting.Err() != nil {
			return q, behind(ctx, err)
		}
		e.replica.fault(err)
	}
	position, _ := ctx.Value(minPosition{}).(int64)
	if err := e.WaitFor(waiting, position, names...); err != nil {
		return nil, behind(ctx, err)
	}
	q, begin, _ := e.querier(names)
	q.position = e.Position(names...)
	var err error
	q.tx, err = e.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	return q, err
}

// querier returns a Querier that has not begun, how to begin it, and the schemas
// that it reads.
//
// A swap locks the gate of a schema alone. Having it, the query reads either
// all old tables or all new. LOCK takes no snapshot: the one of the
// transaction is younger than the swap it may have waited for.
func (e *Engine) querier(names []string) (q *Querier, begin string, schemas []string) {
	begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	var pairs []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		schema := e.runners[name].schema
		begin += "; LOCK TABLE " + schema + ".gate IN ACCESS SHARE MODE"
		pairs = append(pairs, "{"+name+"}", schema)
		schemas = append(schemas, schema)
	}
	return &Querier{names: strings.NewReplacer(pairs...)}, begin, schemas
}

// behind tells who has waited in vain to try again; who went away is not told.
func behind(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return ErrBehind
	}
	return err
}
