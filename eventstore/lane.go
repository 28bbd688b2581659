package eventstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A pending append waits in the queue of the lane.
type pending struct {
	ctx    context.Context
	req    *Request
	events int
	bytes  int
	done   chan verdict // room for one
}

// verdict is the lane's answer to one pending append.
type verdict struct {
	result Result
	err    error
	known  bool // the command was done before: ask the log for the answer
}

func (p *Postgres) newPending(ctx context.Context, r *Request) *pending {
	a := &pending{ctx: ctx, req: r, done: make(chan verdict, 1)}
	for _, w := range r.Writes {
		a.events += len(w.Events)
		for _, e := range w.Events {
			a.bytes += len(e.Meta) + len(e.Data)
		}
	}
	return a
}

// lane sends the appends of this process to the database, one group at a time.
// There is no timer: while one group commits, the next one gathers.
//
// It keeps nothing of the log from one call to the next: versions, claims, keys
// and the head are read and checked in the database, after the lock. So lanes
// of several processes need not know of each other, and one that stood still
// (a paused machine, a lost network) can come back at any time without doing
// harm: there is nothing stale in it that an epoch would have to fence.
type lane struct {
	log  *Postgres
	conn *pgx.Conn
	call call // reused

	company  int           // how many were served or waited in the round before
	answered time.Time     // when that round ended
	took     time.Duration // and how long it was
}

const (
	// patience is how long the lane keeps asking what became of a group when
	// the connection broke while it was under way.
	patience = 10 * time.Second
	// goodbye is how long appends that wait at the end are still served.
	goodbye = 3 * time.Second
	// longest is how long the lane waits at most for those it has answered.
	longest = time.Millisecond
)

func (l *lane) run(ctx context.Context) {
	defer func() {
		if l.conn != nil {
			l.conn.Close(context.WithoutCancel(ctx))
		}
	}()
	// Groups are finished, not broken off, when the program ends.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var waiting []*pending
	for {
		if len(waiting) == 0 {
			select {
			case a := <-l.log.queue:
				waiting = append(waiting, a)
			case <-ctx.Done():
				time.AfterFunc(goodbye, cancel)
				l.drain(&waiting)
				for len(waiting) > 0 {
					waiting = l.step(work, waiting)
				}
				return
			}
		}
		l.gather(&waiting)
		waiting = l.step(work, waiting)
	}
}

// gather takes all who wait. Those who were just answered get a chance to ask
// again: otherwise they and those who waited would take turns, in two groups of
// half the size that each pay for a commit. They have a quarter of what the last
// round took, and no timer: its shortest time is too long.
func (l *lane) gather(waiting *[]*pending) {
	runtime.Gosched()
	l.drain(waiting)
	for until := l.answered.Add(min(l.took/4, longest)); len(*waiting) < l.company && time.Now().Before(until); {
		runtime.Gosched()
		l.drain(waiting)
	}
}

func (l *lane) drain(waiting *[]*pending) {
	for len(*waiting) < queued {
		select {
		case a := <-l.log.queue:
			*waiting = append(*waiting, a)
		default:
			return
		}
	}
}

// step serves a group and returns those who wait on.
func (l *lane) step(ctx context.Context, waiting []*pending) []*pending {
	group, rest := choose(waiting)
	if len(group) > 0 {
		began := time.Now()
		l.serve(ctx, group)
		l.answered = time.Now()
		l.took, l.company = l.answered.Sub(began), len(waiting)+len(l.log.queue)
	}
	return rest
}

// serve answers every append of the group.
func (l *lane) serve(ctx context.Context, group []*pending) {
	verdicts, err := l.commit(ctx, group)
	switch {
	case err == nil:
		for i, a := range group {
			a.done <- verdicts[i]
		}
	case len(group) > 1 && l.conn != nil:
		// The group failed as a whole: one of them is to blame.
		for _, a := range group {
			l.serve(ctx, []*pending{a})
		}
	default:
		for _, a := range group {
			a.done <- verdict{err: fmt.Errorf("append: %w", err)}
		}
	}
}

// commit sends the group. When the connection breaks on the way nobody knows
// whether it was committed, so it is sent again: command ids make that the
// question "was it?", and the lock of the head makes the answer final even
// when the first attempt is still running somewhere.
func (l *lane) commit(ctx context.Context, group []*pending) ([]verdict, error) {
	var lost error
	var deadline time.Time
	unsent := 0
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		verdicts, err := l.send(ctx, group)
		if err == nil {
			return verdicts, nil
		}
		switch connected := l.conn != nil; {
		case connected && l.conn.IsClosed():
			l.conn = nil
			if unsent++; pgconn.SafeToRetry(err) && unsent < 3 {
				continue // it was broken before: nothing has left us
			}
			if lost == nil {
				lost, deadline = err, time.Now().Add(patience)
			}
		case lost == nil:
			return nil, unavailable(err) // never sent, or refused and rolled back
		case connected && !errors.Is(unavailable(err), ErrUnavailable):
			return nil, err // refused at the second attempt, so the first was not committed
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, fmt.Errorf("%w: the connection broke during the append, ask by command id what became of it: %w", ErrUnavailable, lost)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (l *lane) send(ctx context.Context, group []*pending) ([]verdict, error) {
	// Above every timeout of the server, so that normally it speaks first.
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if l.conn == nil {
		conn, err := connect(ctx, l.log.pool.Config().ConnConfig, laneSettings)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		l.conn = conn
	}
	verdicts, err := l.call.send(ctx, l.conn, l.log, group)
	if noPartition(err) { // the log grew faster than partitions were made ahead
		if _, err = l.conn.Exec(ctx, `SELECT es.prepare_partitions($1)`, MaxEvents); err != nil {
			return nil, err
		}
		return l.call.send(ctx, l.conn, l.log, group)
	}
	return verdicts, err
}

// laneSettings keep the plan of the append function, and let nothing of this
// connection hold the head of the log for long.
var laneSettings = map[string]string{
	"plan_cache_mode":               "force_generic_plan",
	"jit":                           "off",
	"enable_seqscan":                "off", // a plan made when a table was small must not stay
	"statement_timeout":             "10s",
	"lock_timeout":                  "5s",
	"default_transaction_isolation": "read committed",
	"application_name":              "zurnals append",
}

// connect opens a connection of its own, beside the pool.
func connect(ctx context.Context, like *pgx.ConnConfig, settings map[string]string) (*pgx.Conn, error) {
	config := like.Copy()
	for name, value := range settings {
		config.RuntimeParams[name] = value
	}
	return pgx.ConnectConfig(ctx, config)
}

// choose takes from the front those who may share a group, and returns the
// others in their order. What those others touch is reserved: nobody overtakes
// them. An append whose caller has gone is dropped.
func choose(waiting []*pending) (group, rest []*pending) {
	if len(waiting) == 1 {
		if waiting[0].ctx.Err() != nil {
			return nil, nil
		}
		return waiting, nil
	}
	touched := make(map[touch]bool, 4*len(waiting)) // true: for itself alone
	events, bytes, full := 0, 0, false
	for _, a := range waiting {
		if a.ctx.Err() != nil {
			continue
		}
		full = full || len(group) > 0 && (events+a.events > MaxEvents || bytes+a.bytes > MaxBytes)
		alone := false
		a.touches(func(t touch, exclusive bool) {
			other, met := touched[t]
			alone = alone || met && (exclusive || other)
		})
		a.touches(func(t touch, exclusive bool) { touched[t] = touched[t] || exclusive })
		if full || alone {
			rest = append(rest, a)
			continue
		}
		group = append(group, a)
		events, bytes = events+a.events, bytes+a.bytes
	}
	return group, rest
}

// touch names something two appends may both need.
type touch struct {
	kind, name string
	id         uuid.UUID
}

func (a *pending) touches(see func(t touch, exclusive bool)) {
	r := a.req
	see(touch{kind: "command", id: r.Command}, true)
	for _, w := range r.Writes {
		see(touch{kind: "stream", name: w.Stream}, true)
	}
	for _, g := range r.Guards {
		see(touch{kind: "stream", name: g.Stream}, false)
	}
	for _, claims := range [][]Claim{r.Take, r.Release} {
		for _, c := range claims {
			see(touch{kind: "claim " + c.Kind, name: c.Value}, true)
		}
	}
	for _, s := range r.Subjects {
		see(touch{kind: "subject", id: s}, false)
	}
	for _, s := range r.Erase {
		see(touch{kind: "subject", id: s}, true)
	}
}
