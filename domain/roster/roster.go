package roster

import (
	"fmt"
	"slices"
	"time"

	"zurnals/domain"
)

// Lease is how long a run may be silent before another one may take its place:
// the server it was on has died.
const Lease = 5 * time.Minute

var (
	// ErrRunning refuses a second run while one works; its detail names the run.
	ErrRunning = domain.Refuse(domain.Conflict, "roster.running", "another synchronisation of this school is running")

	// ErrTakenOver refuses a run whose place another one has taken.
	ErrTakenOver = domain.Refuse(domain.Conflict, "roster.taken_over", "another synchronisation has taken the place of this one")
)

// A RosterCommand asks the roster of a school for something.
//
//sumtype:decl
type RosterCommand interface{ rosterCommand() }

type (
	// BeginRun lets a run work on the roster, as the only one.
	BeginRun struct {
		School domain.SchoolID
		Run    domain.RosterSyncID
		At     time.Time
	}

	// ApplyChunk notes what a run has just changed.
	ApplyChunk struct {
		School domain.SchoolID
		Run    domain.RosterSyncID
		Added  []domain.StudentID
		Changes
		At time.Time
	}

	// EndRun lets other runs work.
	EndRun struct {
		School    domain.SchoolID
		Run       domain.RosterSyncID
		Completed bool // it has done all there was to do
	}
)

func (BeginRun) rosterCommand()   {}
func (ApplyChunk) rosterCommand() {}
func (EndRun) rosterCommand()     {}

// Changes counts pupils by what a run did to their records, each once; and
// grades and absences that are new, otherwise or gone.
type Changes struct {
	Added        int `json:"added,omitempty"`
	ClassChanged int `json:"class_changed,omitempty"`
	Updated      int `json:"updated,omitempty"`
	Grades       int `json:"grades,omitempty"`
	Absences     int `json:"absences,omitempty"`
}

// Plus returns the sum.
func (c Changes) Plus(d Changes) Changes {
	return Changes{c.Added + d.Added, c.ClassChanged + d.ClassChanged, c.Updated + d.Updated, c.Grades + d.Grades, c.Absences + d.Absences}
}

// A Roster is who is in the records of a school, and which run works on them.
type Roster struct {
	run   domain.RosterSyncID // zero: none
	until time.Time           // by then it has shown that it lives
	done  Changes             // by run
	full  bool                // some run has brought all that its file had
	added [][]domain.StudentID
}

// Rosters decides for the rosters of schools. Every append of a run is also
// one to the stream of the roster, so that a run whose place was taken can
// change nothing any more.
var Rosters = domain.Decider[Roster, RosterCommand, RosterEvent]{
	Category: "roster",
	Decide:   Roster.decide,
	Evolve:   Roster.evolve,
}

// Students returns all pupils of the school.
func (r Roster) Students() []domain.StudentID { return slices.Concat(r.added...) }

// First says whether no run has brought a whole file yet.
func (r Roster) First() bool { return !r.full }

// Done returns what a run has changed so far.
func (r Roster) Done(run domain.RosterSyncID) Changes {
	if r.run != run {
		return Changes{}
	}
	return r.done
}

// Holder returns the run that works on the roster, or worked on it until it
// fell silent.
func (r Roster) Holder() domain.RosterSyncID { return r.run }

// Free returns nil if a run may work on the roster at a time.
func (r Roster) Free(run domain.RosterSyncID, at time.Time) error {
	if r.run.IsZero() || r.run == run || !at.Before(r.until) {
		return nil
	}
	return ErrRunning.With(domain.Detail{Field: "run", What: r.run.String(), Code: ErrRunning.Code, Text: "run " + r.run.String()})
}

func (r Roster) decide(cmd RosterCommand) ([]RosterEvent, error) {
	switch cmd := cmd.(type) {
	case BeginRun:
		if err := r.Free(cmd.Run, cmd.At); err != nil || r.run == cmd.Run {
			return nil, err
		}
		return []RosterEvent{RunBegan{School: cmd.School, Run: cmd.Run, Until: cmd.At.Add(Lease)}}, nil
	case ApplyChunk:
		if r.run != cmd.Run {
			return nil, ErrTakenOver
		}
		return []RosterEvent{ChunkApplied{
			School: cmd.School, Run: cmd.Run, Students: cmd.Added, Changes: cmd.Changes, Until: cmd.At.Add(Lease),
		}}, nil
	case EndRun:
		if r.run != cmd.Run {
			return nil, ErrTakenOver
		}
		return []RosterEvent{RunEnded(cmd)}, nil
	}
	return nil, fmt.Errorf("roster: no decision on %T", cmd)
}

func (r Roster) evolve(e RosterEvent) Roster {
	switch e := e.(type) {
	case RunBegan:
		r.run, r.until, r.done = e.Run, e.Until, Changes{}
	case ChunkApplied:
		r.until, r.done = e.Until, r.done.Plus(e.Changes)
		if len(e.Students) > 0 {
			r.added = append(slices.Clip(r.added), e.Students)
		}
	case RunEnded:
		r.run, r.until, r.done = domain.RosterSyncID{}, time.Time{}, Changes{}
		r.full = r.full || e.Completed
	}
	return r
}

// A RosterEvent is something that has happened to the roster of a school.
//
//sumtype:decl
type RosterEvent interface {
	domain.Event
	roster()
}

type (
	// RunBegan says that a run may work on the roster until a time, or later if
	// it shows that it lives. A run that was there before has lost its place.
	RunBegan struct {
		School domain.SchoolID     `json:"school_id"`
		Run    domain.RosterSyncID `json:"run_id"`
		Until  time.Time           `json:"until"`
	}

	// ChunkApplied says that a run has changed records of pupils, with whom the
	// school has now.
	ChunkApplied struct {
		School   domain.SchoolID     `json:"school_id"`
		Run      domain.RosterSyncID `json:"run_id"`
		Students []domain.StudentID  `json:"student_ids,omitempty"` // added
		Changes
		Until time.Time `json:"until"`
	}

	// RunEnded says that other runs may work.
	RunEnded struct {
		School    domain.SchoolID     `json:"school_id"`
		Run       domain.RosterSyncID `json:"run_id"`
		Completed bool                `json:"completed"`
	}
)

func (RunBegan) EventType() string     { return "roster.run_began" }
func (ChunkApplied) EventType() string { return "roster.chunk_applied" }
func (RunEnded) EventType() string     { return "roster.run_ended" }

func (RunBegan) roster()     {}
func (ChunkApplied) roster() {}
func (RunEnded) roster()     {}
