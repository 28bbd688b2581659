package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A runner keeps one projection up to date.
type runner struct {
	engine *Engine
	p      Any
	d      declaration
	schema string
	kicked chan struct{} // holds at most one

	mu       sync.Mutex
	state    State
	problem  error
	position int64
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

// run works until ctx is done.
func (r *runner) run(ctx context.Context) {
	logger := r.engine.options.Logger.With("projection", r.d.name, "version", r.d.version)
	r.engine.patiently(ctx, r.at, func() error {
		err := r.work(ctx)
		var found *poison
		switch {
		case errors.Is(err, errFenced):
			return r.follow(ctx)
		case errors.As(err, &found):
			r.set(Stopped, err)
			logger.Error("projection stopped", "position", found.position, "type", found.kind, "error", err)
			select { // until somebody has mended it
			case <-r.kicked:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return err
	}, func(err error) {
		r.set(Retrying, err)
		logger.Warn("projection retries", "error", err)
	})
}

// work builds the tables if there are none, takes them over and applies page
// after page. It returns with an error, or nil if it was kicked.
func (r *runner) work(ctx context.Context) error {
	select {
	case <-r.kicked: // what for is done by taking over
	default:
	}
	l, err := r.take(ctx)
	if l == nil || err != nil {
		return err
	}
	r.set(Running, nil)
	r.moveTo(l.position)
	for {
		events, upto, err := r.next(ctx, l)
		switch {
		case err != nil:
			return err
		case upto == l.position: // kicked
			return nil
		case len(events) > 0:
			err = l.applyAll(ctx, events, upto)
		case upto-l.saved >= 10_000:
			err = l.applyAll(ctx, nil, upto)
		default:
			l.position = upto
		}
		r.moveTo(l.position)
		if err != nil {
			return err
		}
	}
}

// take takes the tables over, having built them if there are none.
func (r *runner) take(ctx context.Context) (*live, error) {
	if r.retired == nil {
		return r.retire(ctx)
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	return takeOver(ctx, r.engine.pool, r.p, r.schema)
}

// next waits for the log to move on and returns a page of events that concern
// the projection, and up to where it goes.
func (r *runner) next(ctx context.Context, l *live) ([]Event, int64, error) {
	feed := r.engine.feed
	for {
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
		if len(r.kicked) > 0 {
			return nil, l.position, nil
		}
	}
}

// idle waits for moved. If nothing concerned the projection for a while, the
// checkpoint is moved, so that other nodes see that it is up to date.
func (r *runner) idle(ctx context.Context, l *live, moved <-chan struct{}) error {
	pause := time.Hour
	if l.position > l.saved {
		pause = time.Second
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
		r.kick() // for work to see
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// follow watches how far another node keeps the tables, and returns when it
// does not any more, or when this node is told to.
func (r *runner) follow(ctx context.Context) error {
	const often, patience = 100 * time.Millisecond, 50
	for idle := 0; idle < patience; idle++ {
		var position int64
		err := r.engine.pool.QueryRow(ctx, "SELECT position FROM projection.checkpoint WHERE schema = $1", r.schema).Scan(&position)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // the tables are gone
		}
		if err != nil {
			return err
		}
		if head, _ := r.engine.log.Changes(); position > r.at() || position >= head {
			idle = 0
		}
		r.set(Following, nil)
		r.moveTo(position)
		select {
		case <-r.kicked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(often):
		}
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

// kick makes the runner take its tables over again.
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

func (r *runner) moveTo(position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if position != r.position {
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
	for {
		r.mu.Lock()
		at, moved := r.position, r.moved
		r.mu.Unlock()
		if at >= max(position, 0) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *runner) status(head int64) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Name: r.d.name, Version: r.d.version, Schema: r.schema, State: r.state,
		Position: r.position, Head: max(head, r.position), Last: r.last}
	s.Lag = s.Head - max(s.Position, 0)
	if r.problem != nil {
		s.Error = r.problem.Error()
	}
	if r.progress != nil {
		p := *r.progress
		if passed := r.engine.options.Now().Sub(p.Started); p.Done > 0 && passed > 0 {
			p.ETA = time.Duration(float64(passed) * float64(p.Total-p.Done) / float64(p.Done))
		}
		s.Rebuild = &p
	}
	return s
}
