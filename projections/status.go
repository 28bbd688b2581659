package projections

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// A State says what the runner of a projection does.
type State string

const (
	Starting  State = "starting"
	Building  State = "building"  // its tables for the first time
	Running   State = "running"   // keeping them up to date
	Following State = "following" // another node keeps them up to date
	Paused    State = "paused"    // an operator wants it so
	Retrying  State = "retrying"  // the database could not be reached
	Stopped   State = "stopped"   // at an event that it cannot handle
	Idle      State = "idle"      // no server is running: in Look only
)

// A Status is how a projection is.
type Status struct {
	Name     string
	Version  int
	Schema   string
	State    State
	Position int64 // of the last event seen; -1: no tables yet
	Head     int64 // of the log
	Lag      int64 // events not seen yet
	Parked   int64 // streams put aside at an event that could not be handled
	Error    string
	Rebuild  *Progress // while one is under way, on whatever node
	Last     *Report   // of the last rebuild in this process

	// The way of an event has two stages: read is from the log into the memory
	// of this process, applied is from there into the tables.
	Read, Applied Stage
}

// A Stage is how far behind a stage is.
type Stage struct {
	Events int64
	For    time.Duration // since the first of them was recorded
}

// Progress is how far a rebuild is.
type Progress struct {
	Phase       string // reading, copying, catching up, comparing, swapping
	Done, Total int64  // positions of the log
	Started     time.Time
	ETA         time.Duration // from now; 0: not known
}

func (p Progress) with(now time.Time) *Progress {
	if passed := now.Sub(p.Started); p.Done > 0 && passed > 0 {
		p.ETA = time.Duration(float64(passed) * float64(p.Total-p.Done) / float64(p.Done))
	}
	return &p
}

// Status returns how all projections are, by name, as this process knows it.
func (e *Engine) Status() []Status {
	head, _ := e.log.Changes()
	var all []Status
	for _, name := range e.names {
		all = append(all, e.runners[name].status(head))
	}
	return all
}

func (r *runner) status(head int64) Status {
	now := r.engine.options.Now()
	read := r.engine.feed.at()
	building, ok := r.engine.crew.building(r.d.name)

	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Name: r.d.name, Version: r.d.version, Schema: r.schema, State: r.state,
		Position: r.position, Head: max(head, r.position), Last: r.last, Parked: r.row.parked}
	s.Lag = s.Head - max(s.Position, 0)
	s.Applied = Stage{Events: max(read-max(s.Position, 0), 0), For: r.engine.feed.age(s.Position, r.seen, now)}
	s.Read = Stage{Events: max(s.Head-max(read, s.Position), 0)}
	if s.Read.Events > 0 {
		s.Read.For = r.engine.feed.stale(now)
	}
	if r.problem != nil {
		s.Error = r.problem.Error()
	}
	switch {
	case r.progress != nil:
		s.Rebuild = r.progress.with(now)
	case ok:
		s.Rebuild = building.with(now)
	}
	return s
}

// Look returns how all projections are, by name, from the database alone: for
// a process that does not Run.
func (e *Engine) Look(ctx context.Context) ([]Status, error) {
	head, err := e.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	now := e.options.Now()
	var all []Status
	for _, name := range e.names {
		d := e.runners[name].d
		s := Status{Name: name, Version: d.version, Schema: d.live(), State: Idle, Position: -1, Head: head}
		var held, paused bool
		var problem, phase *string
		var done, total *int64
		var started *time.Time
		err := e.pool.QueryRow(ctx, `SELECT c.position, c.paused_at IS NOT NULL, c.problem,
			EXISTS (SELECT FROM projection.node n WHERE c.schema = ANY (n.schemas) AND n.seen > clock_timestamp() - interval '2 seconds'),
			(SELECT count(*) FROM projection.parked p WHERE p.schema = c.schema), b.phase, b.done, b.total, b.started
			FROM projection.checkpoint c LEFT JOIN projection.build b ON b.name = $2 AND b.phase <> '' AND b.seen > clock_timestamp() - interval '5 seconds'
			WHERE c.schema = $1`, d.live(), name).Scan(&s.Position, &paused, &problem, &held, &s.Parked, &phase, &done, &total, &started)
		if err != nil && err != pgx.ErrNoRows {
			return nil, err
		}
		s.Lag = s.Head - max(s.Position, 0)
		switch {
		case problem != nil:
			s.State, s.Error = Stopped, *problem
		case paused:
			s.State = Paused
		case held:
			s.State = Running
		}
		if phase != nil {
			s.Rebuild = Progress{Phase: *phase, Done: *done, Total: *total, Started: *started}.with(now)
		}
		all = append(all, s)
	}
	return all, nil
}

// Pause makes a projection stand still, on all nodes, until Resume. Queries
// read what is there; those that want to see more are told ErrBehind.
func (e *Engine) Pause(ctx context.Context, name string) error {
	// The new epoch fences the runner: once this is done, no row changes.
	return e.command(ctx, name, "UPDATE projection.checkpoint SET paused_at = coalesce(paused_at, $2), epoch = nextval('projection.epoch') WHERE schema = $1", e.options.Now())
}

// Resume lets a projection that was paused go on, and one that stopped try
// again.
func (e *Engine) Resume(ctx context.Context, name string) error {
	return e.command(ctx, name, "UPDATE projection.checkpoint SET paused_at = NULL, resumed = resumed + 1, problem = NULL, epoch = nextval('projection.epoch') WHERE schema = $1")
}

// command changes what all nodes are to do about the tables of a projection.
// They see it within the time of a beat; this one at once.
func (e *Engine) command(ctx context.Context, name, sql string, more ...any) error {
	r := e.runners[name]
	if r == nil {
		return ErrUnknown
	}
	tag, err := e.pool.Exec(ctx, sql, append([]any{r.schema}, more...)...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrBusy // there are no tables yet
	}
	e.crew.look()
	return nil
}
