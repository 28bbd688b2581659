// Package reactions turns events into jobs (Latvian: reakcijas): a letter that
// follows an invitation. Each event gets its jobs exactly once, however often
// a server is killed or runs twice.
//
// The log is the topic; nothing of it is copied. Watermill's SQL subscriber
// delivers windows: "for this reaction the positions (from, to] are next, and
// so many of their events are of a type that it handles". Positions are dense
// and commit in order, so what es.head shows in a snapshot, es.event shows too.
//
// Watermill only schedules. The handler opens a transaction of its own, moves
// the offset under a fence (position and epoch must still be those of the
// window), inserts the jobs, commits, and then acknowledges. A nack, an expired
// AckDeadline, a lost acknowledgement or a kill -9 can only repeat a window,
// and a repeated window fails at the fence and changes nothing.
//
// Which server works is decided by an advisory lock inside the statement that
// selects the window. It lives as long as watermill's transaction: no lease to
// renew, and a dead server is replaced at the next poll, a hung one after
// idle_in_transaction_session_timeout. The lock only saves double work; the
// fence alone makes it right.
//
// River keeps the jobs: retries, backoff, schedule. Replaying the log, or
// rebuilding a read model, passes nothing here and so repeats no effect.
package reactions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"

	"zurnals/eventstore"
)

// A Reaction says which jobs follow from an event.
type Reaction struct {
	Name  string   // kept in the database for good
	Types []string // of the events it handles

	// React is a pure function, and may be called several times for one event.
	// Personal data is still sealed: a job opens it when it runs. ScheduledAt
	// of a job is by the one clock. An error means that it can never be done
	// for this event, which is then parked.
	React func(eventstore.Event) ([]river.InsertManyParams, error)
}

// Config is what reactions need. Zero values other than of the first group have
// the defaults told.
type Config struct {
	Pool      *pgxpool.Pool    // of zurnals_app; Run opens another one like it
	Log       eventstore.Log   // tells when there is something new
	Now       func() time.Time // the one clock
	Reactions []Reaction
	Workers   *river.Workers // who do the jobs
	Logger    *slog.Logger

	// Dev is for a development server, which is alone with its database: jobs
	// that it was killed in are taken up as soon as it is back. Others wait a
	// moment, for another server that does them may just be looking for its seat.
	Dev bool

	Batch      int                         // handled events that a window may hold (100)
	Scan       int                         // positions that a window may span, handled or not (100,000)
	Poll       time.Duration               // how often to look without having been woken: the longest pause when another server dies (100 ms)
	Timeout    time.Duration               // of one window; the AckDeadline is three times as long (10 s)
	Grace      time.Duration               // for jobs under way when Run ends (3 s)
	Middleware []message.HandlerMiddleware // around each window
}

func (c Config) withDefaults() Config {
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Batch, c.Scan = cmp.Or(c.Batch, 100), cmp.Or(c.Scan, 100_000)
	c.Poll, c.Timeout, c.Grace = cmp.Or(c.Poll, 100*time.Millisecond), cmp.Or(c.Timeout, 10*time.Second), cmp.Or(c.Grace, 3*time.Second)
	return c
}

// An Engine runs reactions and the jobs that follow from them.
type Engine struct {
	c    Config
	jobs *river.Client[pgx.Tx] // inserts and looks after jobs, does none
}

// Open prepares the reactions. Each gets its place in the log; a new one starts
// at the head, so that a deploy never mails the past.
func Open(ctx context.Context, c Config) (*Engine, error) {
	e := &Engine{c: c.withDefaults()}
	jobs, err := newRiver(e.c, e.c.Pool, newSeat(), nil)
	if err != nil {
		return nil, fmt.Errorf("reactions: %w", err)
	}
	e.jobs = jobs
	for _, r := range e.c.Reactions {
		if _, err := e.c.Pool.Exec(ctx, `
			INSERT INTO reaction.offset (name, position, moved_at) SELECT $1, position, $2 FROM es.head ON CONFLICT DO NOTHING`,
			r.Name, e.c.Now()); err != nil {
			return nil, fmt.Errorf("reactions: register %s: %w", r.Name, err)
		}
	}
	return e, nil
}

// Run works until ctx ends and then drains: no window and no job is begun, the
// windows in hand are committed, and jobs under way have Grace to end before
// they are cancelled (and tried again later).
func (e *Engine) Run(ctx context.Context) error {
	pool, err := e.ownPool(ctx)
	if err != nil {
		return fmt.Errorf("reactions: %w", err)
	}
	defer pool.Close()
	seat := newSeat()
	jobs, err := newRiver(e.c, pool, seat, e.c.Workers)
	if err != nil {
		return fmt.Errorf("reactions: %w", err)
	}
	sitting, err := seat.take(ctx, pool) // before any job is taken
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("reactions: %w", err)
	}
	stand, up := context.WithCancel(context.WithoutCancel(ctx))
	seated := make(chan struct{})
	go func() {
		defer close(seated)
		seat.keep(stand, pool, sitting, e)
	}()
	defer func() { // after the last job has ended
		up()
		<-seated
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := jobs.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("reactions: start jobs: %w", err)
	}
	defer func() {
		cancel()
		<-jobs.Stopped()
	}()
	router, closeDB, err := e.router(ctx, pool, jobs)
	if err != nil {
		return fmt.Errorf("reactions: %w", err)
	}
	defer closeDB()
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("reactions: %w", err)
	}
	return nil
}

// ownPool returns a pool whose sessions the database ends when they hang within
// a transaction: that is how a hung server loses the lock of a reaction. The
// limit is above the timeout of a window.
func (e *Engine) ownPool(ctx context.Context) (*pgxpool.Pool, error) {
	c := e.c.Pool.Config()
	c.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt((2 * e.c.Timeout).Milliseconds(), 10)
	c.MinConns, c.MinIdleConns = 0, 0
	c.MaxConns = int32(5 + 2*len(e.c.Reactions)) // a reaction: watermill's transaction and the handler's; one is the seat, the rest is for jobs
	return pgxpool.NewWithConfig(ctx, c)
}

// router wires the reactions to the windows of the log.
func (e *Engine) router(ctx context.Context, pool *pgxpool.Pool, jobs *river.Client[pgx.Tx]) (*message.Router, func() error, error) {
	logger := watermill.NewSlogLogger(e.c.Logger)
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: e.c.Timeout + time.Second}, logger)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range e.c.Middleware {
		router.AddMiddleware(m)
	}
	router.AddMiddleware(middleware.Recoverer)
	db := stdlib.OpenDBFromPool(pool) // the same connections under database/sql, which watermill-sql wants
	deadline := 3 * e.c.Timeout
	for _, r := range e.c.Reactions {
		sub, err := wsql.NewSubscriber(db, wsql.SubscriberConfig{
			ConsumerGroup:  r.Name,
			SchemaAdapter:  windows{types: r.Types, batch: e.c.Batch, scan: e.c.Scan},
			OffsetsAdapter: handlerMoves{},
			BackoffManager: &waker{done: ctx.Done(), log: e.c.Log, poll: e.c.Poll},
			AckDeadline:    &deadline,
			ResendInterval: 100 * time.Millisecond, // after a nack; the default second is far too long
		}, logger)
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		router.AddConsumerHandler(r.Name, "es.event", sub, handler{e: e, r: r, pool: pool, jobs: jobs}.window)
	}
	return router, db.Close, nil
}
