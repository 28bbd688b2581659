package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain/access"
)

// patience is how long a query waits for its read models to catch up.
const patience = 2 * time.Second

type minPosition struct{}

// WithMinPosition makes queries under ctx wait until their read models have
// seen a position: who has changed something sees the change.
func WithMinPosition(ctx context.Context, position int64) context.Context {
	return context.WithValue(ctx, minPosition{}, position)
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
// change while f reads, nor are they swapped, so f should not dawdle.
func Query[R any](ctx context.Context, db *DB, by access.Actor, need access.Need, names []string, f func(context.Context, *Querier) (R, error)) (result R, err error) {
	if err := by.Allow(need); err != nil {
		return result, err
	}
	q, err := db.begin(ctx, names)
	if err != nil {
		return result, err
	}
	defer func() {
		// Read only: there is nothing to lose, and the connection goes back.
		if e := q.tx.Rollback(context.WithoutCancel(ctx)); err == nil && e != nil && !errors.Is(e, pgx.ErrTxClosed) {
			err = e
		}
	}()
	return f(ctx, q)
}

func (db *DB) begin(ctx context.Context, names []string) (*Querier, error) {
	e := db.engine
	for _, name := range names {
		if e.runners[name] == nil {
			return nil, fmt.Errorf("query of projection %s: there is none", name)
		}
	}
	if err := e.patient(ctx, names); err != nil {
		return nil, err
	}
	// A swap locks the gate of a schema alone. Having it, the query reads either
	// all old tables or all new. LOCK takes no snapshot: the one of the
	// transaction is younger than the swap it may have waited for.
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	var pairs []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		schema := e.runners[name].schema
		begin += "; LOCK TABLE " + schema + ".gate IN ACCESS SHARE MODE"
		pairs = append(pairs, "{"+name+"}", schema)
	}
	q := &Querier{names: strings.NewReplacer(pairs...), position: e.Position(names...)}
	var err error
	q.tx, err = e.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	return q, err
}

// patient waits for read models, but not for ever.
func (e *Engine) patient(ctx context.Context, names []string) error {
	position, _ := ctx.Value(minPosition{}).(int64)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := e.WaitFor(waiting, position, names...)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return ErrBehind
	}
	return err
}
