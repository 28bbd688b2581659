package roster

import (
	"fmt"

	"zurnals/domain"
)

// ErrNoSync refuses what is asked of a run that the school does not have.
var ErrNoSync = domain.Refuse(domain.NotFound, "roster.no_sync", "there is no such synchronisation")

// ErrSyncOver refuses to go on with a run that has ended in another way.
var ErrSyncOver = domain.Refuse(domain.Conflict, "roster.sync_over", "the synchronisation is over")

// A SyncCommand asks a run for something.
//
//sumtype:decl
type SyncCommand interface{ syncCommand() }

type (
	// StartSync starts a run over a file, named by its SHA-256.
	StartSync struct {
		Run    domain.RosterSyncID
		School domain.SchoolID
		File   string
	}

	// CompleteSync ends a run that has done all there was to do. A run that
	// finds nothing to change is not started before: this is all there is of it.
	CompleteSync struct {
		Run    domain.RosterSyncID
		School domain.SchoolID
		File   string
		Report
	}

	// FailSync ends a run that cannot go on; Cause is the code of a refusal.
	FailSync struct {
		Run    domain.RosterSyncID
		School domain.SchoolID
		Cause  string
	}
)

func (StartSync) syncCommand()    {}
func (CompleteSync) syncCommand() {}
func (FailSync) syncCommand()     {}

// A Report is what came of a run. Pupils are counted once each.
type Report struct {
	Changes
	Unchanged int `json:"unchanged,omitempty"`
	Damaged   int `json:"damaged,omitempty"`     // left as they were, because of an error in their rows
	Active    int `json:"active,omitempty"`      // in the records of the school afterwards
	NotInFile int `json:"not_in_file,omitempty"` // in the records, not in the file; nothing is done about them

	Classes      int `json:"classes,omitempty"`       // in the file
	Courses      int `json:"courses,omitempty"`       // in the file
	OtherSchools int `json:"other_schools,omitempty"` // rows of other schools, ignored
	OtherRoles   int `json:"other_roles,omitempty"`   // rows of teachers and others, ignored

	Errors   int       `json:"errors,omitempty"`
	Warnings int       `json:"warnings,omitempty"`
	Problems []Problem `json:"problems,omitempty"` // the first of both

	Missing []domain.StudentID `json:"missing_ids,omitempty"` // the first of NotInFile
}

// Bounds of the lists in a Report, which is one event.
const (
	MaxProblems = 500
	MaxMissing  = 5000
)

// A Problem is what is wrong with one row of a file. It says where, never what
// stands there.
type Problem struct {
	File    string `json:"file"`
	Row     int    `json:"row"`
	Field   string `json:"field,omitempty"`
	Code    string `json:"code"`
	Warning bool   `json:"warning,omitempty"` // the row was taken
}

// A SyncState says how far a run is.
type SyncState string

const (
	StateRunning   SyncState = "running"
	StateCompleted SyncState = "completed"
	StateFailed    SyncState = "failed"
)

// A Sync is what decisions need to know of a run.
type Sync struct {
	School domain.SchoolID
	File   string
	State  SyncState
	Report Report // of one that is completed
	Cause  string // of one that failed
}

// Syncs decides for runs.
var Syncs = domain.Decider[Sync, SyncCommand, SyncEvent]{
	Category: "roster_sync",
	Decide:   Sync.decide,
	Evolve:   Sync.evolve,
}

func (s Sync) decide(cmd SyncCommand) ([]SyncEvent, error) {
	switch cmd := cmd.(type) {
	case StartSync:
		return s.start(cmd)
	case CompleteSync:
		switch {
		case s.State == "", s.State == StateRunning && s.School == cmd.School:
			return []SyncEvent{SyncCompleted(cmd)}, nil
		case s.School != cmd.School:
			return nil, ErrNoSync
		case s.State == StateCompleted:
			return nil, nil
		}
		return nil, ErrSyncOver
	case FailSync:
		switch {
		case s.State == "" || s.School != cmd.School:
			return nil, ErrNoSync
		case s.State == StateRunning:
			return []SyncEvent{SyncFailed(cmd)}, nil
		}
		return nil, nil
	}
	return nil, fmt.Errorf("roster: no decision on %T", cmd)
}

func (s Sync) start(cmd StartSync) ([]SyncEvent, error) {
	switch {
	case s.State == "":
		return []SyncEvent{SyncStarted(cmd)}, nil
	case s.School != cmd.School:
		return nil, ErrNoSync
	case s.State == StateRunning && s.File == cmd.File:
		return nil, nil // it goes on
	}
	return nil, ErrSyncOver
}

func (s Sync) evolve(e SyncEvent) Sync {
	switch e := e.(type) {
	case SyncStarted:
		s.School, s.File, s.State = e.School, e.File, StateRunning
	case SyncCompleted:
		s.School, s.File, s.State, s.Report = e.School, e.File, StateCompleted, e.Report
	case SyncFailed:
		s.State, s.Cause = StateFailed, e.Cause
	}
	return s
}

// A SyncEvent is something that has happened to a run.
//
//sumtype:decl
type SyncEvent interface {
	domain.Event
	sync()
}

type (
	// SyncStarted says that a run has something to change.
	SyncStarted struct {
		Run    domain.RosterSyncID `json:"run_id"`
		School domain.SchoolID     `json:"school_id"`
		File   string              `json:"file"` // SHA-256
	}

	// SyncCompleted says that the records of the school are as the file has them.
	SyncCompleted struct {
		Run    domain.RosterSyncID `json:"run_id"`
		School domain.SchoolID     `json:"school_id"`
		File   string              `json:"file"`
		Report
	}

	// SyncFailed says that a run has stopped. What it had changed stays.
	SyncFailed struct {
		Run    domain.RosterSyncID `json:"run_id"`
		School domain.SchoolID     `json:"school_id"`
		Cause  string              `json:"cause"`
	}
)

func (SyncStarted) EventType() string   { return "roster.sync_started" }
func (SyncCompleted) EventType() string { return "roster.sync_completed" }
func (SyncFailed) EventType() string    { return "roster.sync_failed" }

func (SyncStarted) sync()   {}
func (SyncCompleted) sync() {}
func (SyncFailed) sync()    {}
