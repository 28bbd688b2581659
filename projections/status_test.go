package projections_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// A gated log lets nobody read what is after a position, until it is opened.
type gated struct {
	projections.Log
	after int64
	open  chan struct{}
}

func (g gated) Read(ctx context.Context, after, upto int64, want map[string]bool) ([]projections.Event, error) {
	if upto > g.after {
		select {
		case <-g.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Log.Read(ctx, after, upto, want)
}

// A handClock is moved by hand.
type handClock struct{ ahead atomic.Int64 }

func (c *handClock) Now() time.Time {
	return projectiontest.Start.Add(time.Duration(c.ahead.Load()))
}

// How far a rebuild is, and how long it will take, is shown where it is done, on
// another node, and to somebody who runs none.
func TestHowFarARebuildIsIsShownEverywhere(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var clock handClock
	o := options
	o.Now, o.Readers, o.Partial = clock.Now, 1, true
	whole := projectiontest.NewLog(many(30_000)...)
	open := func(log projections.Log) *projections.Engine {
		e, err := projections.Open(db.App, log, o, marks)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	runs := func(e *projections.Engine) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); e.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
	}
	opened := make(chan struct{})
	release := sync.OnceFunc(func() { close(opened) })
	t.Cleanup(release) // before those who wait are told to end
	builder, other, tool := open(gated{whole, 20_000, opened}), open(whole), open(whole)
	runs(other)
	caughtUp(t, other, 30_000)
	built := make(chan error, 1)
	go func() { _, err := builder.Rebuild(context.Background(), "marks"); built <- err }()
	until(t, "two thirds are read", func() bool { p := status(builder, "marks").Rebuild; return p != nil && p.Done == 20_000 })
	clock.ahead.Store(int64(10 * time.Second))
	right := func(p *projections.Progress) bool {
		return p != nil && p.Phase == "reading" && p.Done == 20_000 && p.Total == 30_000 && p.ETA.Round(time.Second) == 5*time.Second
	}
	if p := status(builder, "marks").Rebuild; !right(p) {
		t.Errorf("where it is done: %+v", p)
	}
	until(t, "another node shows it", func() bool { return right(status(other, "marks").Rebuild) })
	until(t, "who runs nothing sees it", func() bool {
		seen, err := tool.Look(t.Context())
		return err == nil && right(seen[0].Rebuild)
	})
	release()
	if err := <-built; err != nil {
		t.Error(err)
	}
	until(t, "it is over everywhere", func() bool {
		seen, err := tool.Look(t.Context())
		return err == nil && seen[0].Rebuild == nil && status(other, "marks").Rebuild == nil && status(builder, "marks").Rebuild == nil
	})
}

// Lag is told by stage, in events and in seconds: what was not read from the log
// yet, and what was read and is not in the tables.
func TestLagIsToldByStage(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	var clock handClock
	o := options
	o.Now = clock.Now
	opened := make(chan struct{})
	release := sync.OnceFunc(func() { close(opened) })
	e, err := projections.Open(db.App, gated{j.log(), 20, opened}, o, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { release(); cancel(); <-done })
	caughtUp(t, e, j.add(t, one(1, 1)))
	if err := e.Pause(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is paused", func() bool { return status(e, "marks").State == projections.Paused })
	for range 19 { // are read, and wait
		j.add(t, one(1, 1))
	}
	if err := e.WaitFor(t.Context(), 20, "staff"); err != nil {
		t.Fatal(err)
	}
	clock.ahead.Store(int64(time.Minute))
	stages := func(name string, read, applied projections.Stage) func() bool {
		return func() bool {
			s := status(e, name)
			return s.Read == read && s.Applied == applied && s.Lag == read.Events+applied.Events
		}
	}
	var none projections.Stage
	until(t, "what waits is told", stages("marks", none, projections.Stage{Events: 19, For: time.Minute}))
	until(t, "the other has all", stages("staff", none, none))
	for range 5 { // are not read
		j.add(t, one(1, 1))
	}
	until(t, "what is not read is told", stages("marks", projections.Stage{Events: 5, For: time.Minute}, projections.Stage{Events: 19, For: time.Minute}))
	until(t, "by the other too", stages("staff", projections.Stage{Events: 5, For: time.Minute}, none))
	release()
	if err := e.Resume(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, e, 25)
	until(t, "nothing is left", func() bool { return stages("marks", none, none)() && stages("staff", none, none)() })
}
