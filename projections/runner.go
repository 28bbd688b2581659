package projections

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// A runner keeps one projection up to date, while it is this node's share.
type runner struct {
	engine  *Engine
	p       Any
	d       declaration
	schema  string
	kicked  chan struct{} // holds at most one
	waiting atomic.Int32  // queries that wait for a position

	mu       sync.Mutex
	role     role
	row      row   // as the database had it
	held     int64 // the epoch under which this node writes
	taking   bool  // it is about to have another
	stuck    int64 // the event at which it had to stop
	resumed  int64 // as it was then
	state    State
	problem  error
	position int64
	seen     time.Time // when the last event seen was recorded
	moved    chan struct{}
	progress *Progress
	last     *Report

	retired *runner // keeps the tables that were replaced; nil for such a runner
}

func newRunner(e *Engine, p Any, d declaration) *runner {
	one := func(schema string) *runner {
		return &runner{engine: e, p: p, d: d, schema: schema, kicked: make(chan struct{}, 1),
			state: Starting, position: -1, moved: make(chan struct{})}
	}
	r := one(d.live())
	r.retired = one(d.live() + "_old")
	return r
}

// told gives the runner its role, and kicks it if there is something to do: the
// role is another, or somebody else had the tables in the meantime.
func (r *runner) told(mine bool, rows map[string]row) {
	row, there := rows[r.schema]
	r.mu.Lock()
	if r.stuck > 0 && (row.position >= r.stuck || row.resumed != r.resumed) {
		r.stuck = 0
	}
	role := role{there, mine, row.paused}
	others := row.epoch != r.held && !r.taking // somebody else has had the tables
	kick := role.mine != r.role.mine || role.paused != r.role.paused || others && (mine && there || there != r.role.there)
	r.role, r.row = role, row
	r.mu.Unlock()
	if there && (!mine || row.paused) {
		r.moveTo(row.position)
	}
	if kick {
		r.kick()
	}
}

func (r *runner) hasRole() role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.role
}

// able says that the runner is not stuck at an event: another node, of a later
// version perhaps, may know it.
func (r *runner) able() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stuck == 0
}

// run works until ctx is done.
func (r *runner) run(ctx context.Context) {
	select {
	case <-r.engine.crew.known:
	case <-ctx.Done():
		return
	}
	logger := r.engine.options.Logger.With("projection", r.d.name, "version", r.d.version)
	r.engine.patiently(ctx, r.at, func() error {
		err := r.work(ctx)
		var found *poison
		switch {
		case errors.Is(err, errFenced): // by whom, and is there a role left?
			r.engine.crew.lookAgain(ctx)
			return nil
		case errors.As(err, &found):
			logger.Error("projection stopped", "position", found.position, "type", found.kind, "error", err)
			return r.stop(ctx, found)
		}
		return err
	}, func(err error) {
		r.set(Retrying, err)
		logger.Warn("projection retries", "error", err)
	})
}

// work does what the role says, until it is another. It returns with an error,
// or nil if the runner was kicked.
func (r *runner) work(ctx context.Context) error {
	select {
	case <-r.kicked: // what for is seen now
	default:
	}
	if r.retired != nil {
		if err := r.prepare(ctx); err != nil {
			return err
		}
	}
	switch role := r.hasRole(); {
	case role.paused:
		return r.rest(ctx, Paused)
	case !role.mine && !r.able():
		return r.rest(ctx, Stopped)
	case !role.mine:
		return r.rest(ctx, Following)
	}
	l, err := r.take(ctx)
	if errors.Is(err, pgx.ErrNoRows) { // paused or gone since the last look
		r.engine.crew.lookAgain(ctx)
		return nil
	}
	if l == nil || err != nil {
		return err
	}
	r.set(Running, nil)
	r.moveTo(l.position)
	saved := time.Now()
	for {
		events, upto, err := r.next(ctx, l)
		switch {
		case err != nil:
			return err
		case upto == l.position: // kicked
			return nil
		case len(events) > 0:
			err = l.applyAll(ctx, events, upto)
			saved = time.Now()
		case upto-l.saved >= 10_000 || time.Since(saved) > r.soon(beat/4):
			err = l.applyAll(ctx, nil, upto)
			saved = time.Now()
		default:
			l.position = upto
		}
		r.sees(events)
		r.moveTo(l.position)
		if err != nil {
			return err
		}
	}
}

// rest waits for another role.
func (r *runner) rest(ctx context.Context, s State) error {
	r.mu.Lock()
	r.state = s
	if s != Stopped {
		r.problem = nil
	}
	r.mu.Unlock()
	select {
	case <-r.kicked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop notes at which event the runner cannot go on. Another node may.
func (r *runner) stop(ctx context.Context, found *poison) error {
	r.mu.Lock()
	r.state, r.problem = Stopped, found
	r.stuck, r.resumed = found.position, r.row.resumed
	r.mu.Unlock()
	r.engine.crew.look()
	_, err := r.engine.pool.Exec(ctx, "UPDATE projection.checkpoint SET problem = $1 WHERE schema = $2 AND epoch = $3", found.Error(), r.schema, r.heldEpoch())
	if err != nil {
		return err
	}
	return r.rest(ctx, Stopped)
}

func (r *runner) heldEpoch() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// take takes the tables over.
func (r *runner) take(ctx context.Context) (*live, error) {
	if r.retired == nil {
		return r.retire(ctx)
	}
	return r.keep(ctx)
}

// keep takes the tables over to keep them.
func (r *runner) keep(ctx context.Context) (*live, error) {
	r.mu.Lock()
	r.taking = true
	r.mu.Unlock()
	l, err := r.takeOver(ctx, r.engine.pool, r.schema, false)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taking = false
	if err == nil {
		r.held = l.epoch
	}
	return l, err
}

// next waits for the log to move on and returns a page of events that concern
// the projection, and up to where it goes.
func (r *runner) next(ctx context.Context, l *live) ([]Event, int64, error) {
	feed := r.engine.feed
	for {
		if len(r.kicked) > 0 {
			return nil, l.position, nil
		}
		events, upto, ok, moved := feed.next(l.position, r.engine.options.Page)
		if !ok { // far behind
			upto = min(upto, l.position+5*int64(r.engine.options.Page))
			events, err := r.engine.log.Read(ctx, l.position, upto, r.d.types)
			if len(events) > r.engine.options.Page {
				events = events[:r.engine.options.Page]
				upto = events[len(events)-1].Position
			}
			return events, upto, err
		}
		if upto > l.position {
			return concerning(events, r.d.types), upto, nil
		}
		if err := r.idle(ctx, l, moved); err != nil {
			return nil, 0, err
		}
	}
}

// soon is when others should see that the tables are up to date: other nodes,
// and who reads a replica, after some time, operators within a second.
func (r *runner) soon(nodes time.Duration) time.Duration {
	if r.engine.replica != nil || r.engine.crew.others() {
		return nodes
	}
	return time.Second
}

// idle waits for moved. If nothing concerned the projection for a while, the
// checkpoint is moved, so that other nodes see that it is up to date.
func (r *runner) idle(ctx context.Context, l *live, moved <-chan struct{}) error {
	pause := time.Hour
	if l.position > l.saved {
		pause = r.soon(watching)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-moved:
	case <-t.C:
		if l.position > l.saved {
			return l.apply(ctx, nil, l.position)
		}
		if r.retired == nil {
			r.kick() // they may be too old to be kept
		}
	case <-r.kicked:
		r.kick() // for next to see
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// prepare builds the tables if there are none.
func (r *runner) prepare(ctx context.Context) error {
	for {
		var there bool
		err := r.engine.pool.QueryRow(ctx, "SELECT true FROM projection.checkpoint WHERE schema = $1", r.schema).Scan(&there)
		if err == nil {
			return r.engine.refreshViews(ctx, r.d.name)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		r.set(Building, nil)
		switch err := r.engine.build(ctx, r); {
		case errors.Is(err, ErrBusy): // another node is building
			sleep(ctx, 100*time.Millisecond)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		case err != nil:
			return err
		}
	}
}

// kick makes the runner look at its role again.
func (r *runner) kick() {
	select {
	case r.kicked <- struct{}{}:
	default:
	}
}

func (r *runner) set(s State, problem error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.problem = s, problem
}

// sees notes how old what was last seen is.
func (r *runner) sees(events []Event) {
	if len(events) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = events[len(events)-1].RecordedAt
}

// moveTo tells those who wait that the tables have seen a position. It never
// goes back: a checkpoint that is behind what was seen is so only by events
// that do not concern the projection.
func (r *runner) moveTo(position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if position > r.position {
		r.position = position
		close(r.moved)
		r.moved = make(chan struct{})
	}
}

func (r *runner) at() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

func (r *runner) waitFor(ctx context.Context, position int64) error {
	for asked := false; ; {
		r.mu.Lock()
		at, moved, mine := r.position, r.moved, r.role.mine
		r.mu.Unlock()
		if at >= max(position, 0) {
			return nil
		}
		if !asked {
			asked = true
			r.waiting.Add(1)
			defer r.waiting.Add(-1)
			if !mine {
				r.engine.crew.look()
			}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
