package projections

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

var (
	// ErrUnknown refuses the name of a projection that there is not.
	ErrUnknown = domain.Refuse(domain.NotFound, "projection.unknown", "there is no such projection")

	// ErrBusy refuses to rebuild what is being built.
	ErrBusy = domain.Refuse(domain.Conflict, "projection.busy", "the projection is being built")

	// ErrBehind refuses a query of read models that have not seen what it
	// wants to see.
	ErrBehind = domain.Refuse(domain.Unavailable, "projection.behind", "the read model is behind: try again")

	// ErrInUse says that queries of the old tables never ended for a swap.
	ErrInUse = domain.Refuse(domain.Unavailable, "projection.in_use", "queries hold the tables: try again")

	// ErrNoSwap refuses to put tables in use where none were built for it.
	ErrNoSwap = domain.Refuse(domain.Conflict, "projection.no_swap", "no new tables wait to be put in use")

	// ErrNoRollback refuses to go back where there is nothing to go back to.
	ErrNoRollback = domain.Refuse(domain.Conflict, "projection.no_rollback", "there is no former version of the tables")
)

// Options are the settings of an Engine. Zero values are good.
type Options struct {
	Page    int              // events in a transaction of a live runner: 2,000
	Rows    int              // held in memory by a rebuild: 2,000,000; what comes after is applied by pages
	Readers int              // of the log in a rebuild: one per processor
	Parked  int              // streams that a projection parks before it stops: 100
	Now     func() time.Time // the clock, for durations and for how long retired tables are kept; none: the log's
	Logger  *slog.Logger
	Hung    time.Duration // how long a process may hang within a transaction that others wait for: 5 s
	Partial bool          // views that read projections that are not there are left out: for tests of one

	// Replica is a streaming standby of the database, which answers queries. None: the pool does.
	Replica  *pgxpool.Pool
	Patience time.Duration // of a query with read models that are behind: 2 s
	Still    time.Duration // how long a replica may stand still while the log moves on: 10 s
}

// An Engine keeps all projections of the program up to date. All its methods
// may be called from several goroutines.
type Engine struct {
	pool    *pgxpool.Pool
	log     Log
	feed    *feed
	crew    *crew
	replica *replica // nil: there is none
	options Options
	runners map[string]*runner
	names   []string // sorted
	jobs    sync.WaitGroup
	seats   chan struct{} // of those that build tables for the first time

	mu      sync.Mutex
	running context.Context // of Run
}

// Open returns an engine for some projections over a log. The pool is of the
// role that owns the schemas, zurnals_app; the engine uses a connection a page
// and two for a rebuild. It does nothing until Run.
func Open(pool *pgxpool.Pool, log Log, options Options, projections ...Any) (*Engine, error) {
	options.Page = cmp.Or(options.Page, 2_000)
	options.Rows = cmp.Or(options.Rows, 2_000_000)
	options.Readers = cmp.Or(options.Readers, runtime.GOMAXPROCS(0))
	options.Parked = cmp.Or(options.Parked, 100)
	options.Hung = cmp.Or(options.Hung, 5*time.Second)
	options.Patience = cmp.Or(options.Patience, 2*time.Second)
	options.Still = cmp.Or(options.Still, 10*time.Second)
	options.Logger = cmp.Or(options.Logger, slog.Default())
	if options.Now == nil {
		return nil, fmt.Errorf("projections: no clock")
	}
	e := &Engine{pool: pool, log: log, options: options, runners: make(map[string]*runner)}
	e.crew = newCrew(e)
	if options.Replica != nil {
		e.replica = newReplica(e, options.Replica)
	}
	e.feed = &feed{log: log, want: make(map[string]bool), keep: 10_000, moved: make(chan struct{})}
	views := make(map[string]bool)
	for _, p := range projections {
		d := p.declared()
		switch {
		case !names.MatchString(d.name) || d.version < 1:
			return nil, fmt.Errorf("projection %q version %d: not a name or version", d.name, d.version)
		case e.runners[d.name] != nil:
			return nil, fmt.Errorf("projection %s is there twice", d.name)
		}
		for _, v := range d.views {
			if !names.MatchString(v.Name) || views[v.Name] {
				return nil, fmt.Errorf("view %q: not a name, or there twice", v.Name)
			}
			views[v.Name] = true
		}
		for t := range d.types {
			e.feed.want[t] = true
		}
		e.runners[d.name] = newRunner(e, p, d)
		e.names = append(e.names, d.name)
	}
	slices.Sort(e.names)
	if missing := e.unknownInViews(); missing != "" && !options.Partial {
		return nil, fmt.Errorf("projections: %s", missing)
	}
	// Each holds a connection while it waits for another: all together would
	// wait for good in a pool that is smaller than twice their number.
	e.seats = make(chan struct{}, max(1, int(pool.Config().MaxConns)/4))
	return e, nil
}

// Prepare builds the read models that are missing, so that a new version of the
// program can serve. It returns the first error, after trying all.
func (e *Engine) Prepare(ctx context.Context) (first error) {
	for _, name := range e.names {
		if err := e.runners[name].prepare(ctx); err != nil && first == nil {
			first = fmt.Errorf("projection %s: %w", name, err)
		}
	}
	return first
}

// Run builds what is missing and keeps all up to date until ctx is done. What
// goes wrong is in Status; nothing ends Run but ctx.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	e.running = ctx
	e.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() {
		e.patiently(ctx, e.feed.at, func() error { return e.feed.run(ctx) }, func(err error) {
			e.options.Logger.Warn("projections cannot read the log", "error", err)
		})
	})
	all.Go(func() {
		never := func() int64 { return 0 }
		e.patiently(ctx, never, func() error { return e.crew.run(ctx) }, func(err error) {
			e.options.Logger.Warn("projections cannot see the other nodes", "error", err)
		})
		e.crew.leave()
	})
	if e.replica != nil {
		all.Go(func() { e.replica.run(ctx) })
	}
	for _, r := range e.runners {
		all.Go(func() { r.run(ctx) })
		all.Go(func() { r.retired.run(ctx) })
	}
	<-ctx.Done()
	cancel()
	all.Wait()
	e.jobs.Wait()
	return nil
}

// patiently repeats work until ctx is done; while it fails and gets nowhere,
// less and less often.
func (e *Engine) patiently(ctx context.Context, at func() int64, work func() error, failed func(error)) {
	const least, most = 50 * time.Millisecond, 5 * time.Second
	for pause := least; ctx.Err() == nil; {
		before := at()
		err := work()
		if ctx.Err() != nil {
			return
		}
		if err == nil || at() != before {
			pause = least
		}
		if err != nil {
			failed(err)
			sleep(ctx, pause)
			pause = min(2*pause, most)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// transact runs f in a transaction that others may have to wait for.
func (e *Engine) transact(ctx context.Context, f func(pgx.Tx) error) error {
	return transact(ctx, e.pool, e.options.Hung, f)
}

func transact(ctx context.Context, db interface {
	BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
}, hung time.Duration, f func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db, pgx.TxOptions{BeginQuery: "BEGIN; " + patienceWith(hung).sql}, f)
}

// WaitFor returns when the named projections, or all, have seen the position.
// Negative: nothing is waited for but that the tables are there.
func (e *Engine) WaitFor(ctx context.Context, position int64, names ...string) error {
	if len(names) == 0 {
		names = e.names
	}
	for _, name := range names {
		r := e.runners[name]
		if r == nil {
			return ErrUnknown
		}
		if err := r.waitFor(ctx, position); err != nil {
			return err
		}
	}
	return nil
}

// Position returns up to where all of the named projections have seen the log.
func (e *Engine) Position(names ...string) (least int64) {
	if len(names) == 0 {
		names = e.names
	}
	least = -1
	for i, name := range names {
		if r := e.runners[name]; r != nil {
			if p := r.at(); i == 0 || p < least {
				least = p
			}
		}
	}
	return least
}
