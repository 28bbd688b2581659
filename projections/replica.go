package projections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

// A replica is a streaming standby of the database that answers queries of read
// models. Everything else, rights above all, is read where it is written.
//
// It is left out, and queries go to the primary, while it does not answer, is
// no standby of this database, or stands still while the log moves on. One that
// is only behind is waited for.
type replica struct {
	engine *Engine
	pool   *pgxpool.Pool
	now    chan struct{} // look at once; holds at most one
	waits  atomic.Int32  // queries that wait for it

	answered, instead, refused atomic.Int64 // as in ReplicaStatus

	mu        sync.Mutex
	looked    chan struct{}    // closed and replaced after each look
	out       error            // why it is left out
	positions map[string]int64 // of schemas, as it shows them
	head      int64            // of the log, as it shows it
	moved     time.Time        // when head was last seen to move on, or was not behind
	last      string           // what was last said of it in the log
}

var errNotLooked = errors.New("nobody has looked at it yet")

func newReplica(e *Engine, pool *pgxpool.Pool) *replica {
	return &replica{engine: e, pool: pool, now: make(chan struct{}, 1), looked: make(chan struct{}), out: errNotLooked}
}

// A ReplicaStatus is how the replica is.
type ReplicaStatus struct {
	Problem string // why it is left out; empty: it answers queries
	Head    int64  // of the log, as it shows it
	Lag     int64  // positions of the log that it does not show yet

	// Queries of read models since the start: those it answered, those the
	// primary did, and those that were refused with ErrBehind.
	Answered, Instead, Refused int64
}

// Replica returns how the replica is; ok is false if there is none.
func (e *Engine) Replica() (s ReplicaStatus, ok bool) {
	r := e.replica
	if r == nil {
		return s, false
	}
	head, _ := e.log.Changes()
	s.Answered, s.Instead, s.Refused = r.answered.Load(), r.instead.Load(), r.refused.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Head, s.Lag = r.head, max(head-r.head, 0)
	if r.out != nil {
		s.Problem = r.out.Error()
	}
	return s, true
}

// run looks at the replica until ctx is done: now and then, and often while a
// query waits for it.
func (r *replica) run(ctx context.Context) {
	for ctx.Err() == nil {
		r.seen(ctx, r.look(ctx))
		pause := beat
		if r.waits.Load() > 0 {
			pause = watching
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-r.now:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
		}
	}
	r.seen(ctx, errNotLooked)
}

// look asks the replica how far it is.
func (r *replica) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var standby bool
	var ours, theirs, head int64
	positions := make(map[string]int64)
	err = send(ctx, conn.Conn().PgConn(), []statement{
		{sql: "SELECT pg_is_in_recovery(), system_identifier FROM pg_control_system()", take: func(v [][]byte) { standby, theirs = v[0][0] == 1, integer(v[1]) }},
		{sql: "SELECT position FROM es.head", take: func(v [][]byte) { head = integer(v[0]) }},
		{sql: "SELECT schema, position FROM projection.checkpoint", take: func(v [][]byte) { positions[string(v[0])] = integer(v[1]) }},
	})
	if err != nil {
		return err
	}
	if r.left() != nil { // is it still, or again, what it should be
		if err := r.engine.pool.QueryRow(ctx, "SELECT system_identifier FROM pg_control_system()").Scan(&ours); err != nil {
			return err
		}
		if ours != theirs {
			return errors.New("it is no copy of this database")
		}
	}
	if !standby {
		return errors.New("it follows nobody: it is no standby any more")
	}
	known, _ := r.engine.log.Changes()
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if head > r.head || head >= known || r.moved.IsZero() {
		r.moved = now
	}
	r.head, r.positions = head, positions
	if still := now.Sub(r.moved); still > r.engine.options.Still {
		return fmt.Errorf("it shows the log up to %d only, and has not moved for %v", head, still.Round(time.Second))
	}
	return nil
}

// seen tells those who wait what a look has found.
func (r *replica) seen(ctx context.Context, out error) {
	r.mu.Lock()
	r.out = out
	close(r.looked)
	r.looked = make(chan struct{})
	said := ""
	if out != nil {
		said = out.Error()
	}
	news := said != r.last
	r.last = said
	r.mu.Unlock()
	switch logger := r.engine.options.Logger; {
	case !news || ctx.Err() != nil:
	case out != nil:
		logger.Warn("the replica is left out", "error", out)
	default:
		logger.Info("the replica answers queries")
	}
}

// left returns why the replica is left out.
func (r *replica) left() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out
}

// wait waits until the replica shows all of some schemas at a position or
// after. It returns why it is left out, if it is.
func (r *replica) wait(ctx context.Context, position int64, schemas []string) error {
	for waits := false; ; {
		r.mu.Lock()
		out, looked := r.out, r.looked
		there := out == nil && !slices.ContainsFunc(schemas, func(s string) bool {
			at, ok := r.positions[s]
			return !ok || at < position
		})
		r.mu.Unlock()
		if there || out != nil {
			return out
		}
		if !waits {
			waits = true
			r.waits.Add(1)
			defer r.waits.Add(-1)
			r.hurry()
		}
		select {
		case <-looked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hurry makes run look at once.
func (r *replica) hurry() {
	select {
	case r.now <- struct{}{}:
	default:
	}
}

// lookAgain returns after a look.
func (r *replica) lookAgain(ctx context.Context) {
	r.mu.Lock()
	looked := r.looked
	r.mu.Unlock()
	r.hurry()
	select {
	case <-looked:
	case <-ctx.Done():
	}
}

// begin begins a query on the replica. What it reads, the position of the
// tables among it, is of one snapshot: the schema of a checkpoint is always the
// one that the position is of, also while a swap comes by.
func (r *replica) begin(ctx context.Context, names []string) (*Querier, error) {
	q, begin, schemas := r.engine.querier(names)
	q.replica = true
	position, _ := ctx.Value(minPosition{}).(int64)
	for {
		if err := r.wait(ctx, position, schemas); err != nil {
			return nil, err
		}
		var err error
		if q.tx, err = r.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin}); err != nil {
			return nil, err
		}
		var there int
		err = q.tx.QueryRow(ctx, "SELECT count(*), coalesce(min(position), -1) FROM projection.checkpoint WHERE schema = ANY ($1)", schemas).Scan(&there, &q.position)
		if err == nil && there == len(schemas) && q.position >= position {
			return q, nil
		}
		if e := q.end(ctx); err == nil {
			err = e
		}
		if err != nil {
			return nil, err
		}
		r.lookAgain(ctx) // tables were dropped or exchanged between the look and the query
	}
}

// count notes who answers a query, or that it was not begun. There may be no
// replica.
func (r *replica) count(q *Querier, err error) {
	switch {
	case r == nil:
	case errors.Is(err, ErrBehind):
		r.refused.Add(1)
	case err != nil:
	case q.replica:
		r.answered.Add(1)
	default:
		r.instead.Add(1)
	}
}

// fault notes that the replica has failed a query, and looks after it at once.
func (r *replica) fault(err error) {
	r.engine.options.Logger.Info("the primary answers for the replica", "error", err)
	r.hurry()
}

// faulty says that an answer failed because of the replica, and that the primary
// may have one: it is gone, is going, or had to cancel the query to follow on.
func faulty(err error) bool {
	var refused *domain.Error
	if err == nil || errors.As(err, &refused) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] { // connection, rollback, resources, operator, system
		case "08", "40", "53", "57", "58":
			return true
		}
		return strings.HasPrefix(pg.Code, "3F") || pg.Code == "42P01" // not there yet
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}
