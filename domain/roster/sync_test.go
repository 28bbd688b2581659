package roster_test

import (
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
)

var (
	run     = domain.NewID[domain.RosterSyncID]()
	another = domain.NewID[domain.RosterSyncID]()
	morning = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
)

func TestOneRunAtATime(t *testing.T) {
	trace.Covers(t, "R22")
	given := domaintest.Given(roster.Rosters)
	began := roster.RunBegan{School: school, Run: run, Until: morning.Add(roster.Lease)}
	begin := func(run domain.RosterSyncID, at time.Time) roster.BeginRun {
		return roster.BeginRun{School: school, Run: run, At: at}
	}
	given().When(begin(run, morning)).Then(t, began)
	given(began).When(begin(run, morning)).Then(t) // it goes on
	given(began).When(begin(another, began.Until.Add(-1))).ThenRefused(t, roster.ErrRunning, "run")
	taken := roster.RunBegan{School: school, Run: another, Until: began.Until.Add(roster.Lease)}
	given(began).When(begin(another, began.Until)).Then(t, taken)

	chunk := roster.ApplyChunk{School: school, Run: run, Added: []domain.StudentID{anna}, At: morning.Add(time.Minute)}
	applied := roster.ChunkApplied{School: school, Run: run, Students: []domain.StudentID{anna}, Until: morning.Add(time.Minute + roster.Lease)}
	given(began).When(chunk).Then(t, applied)
	given(began, applied).When(begin(another, began.Until)).ThenRefused(t, roster.ErrRunning) // it lives
	given(began, taken).When(chunk).ThenRefused(t, roster.ErrTakenOver)
	given().When(chunk).ThenRefused(t, roster.ErrTakenOver)

	ended := roster.RunEnded{School: school, Run: run, Completed: true}
	given(began, applied).When(roster.EndRun{School: school, Run: run, Completed: true}).Then(t, ended)
	given(began, taken).When(roster.EndRun{School: school, Run: run}).ThenRefused(t, roster.ErrTakenOver)
	given(began, applied, ended).When(begin(another, morning)).
		Then(t, roster.RunBegan{School: school, Run: another, Until: morning.Add(roster.Lease)})
}

func TestWhatARunHasDone(t *testing.T) {
	events := []roster.RosterEvent{
		roster.RunBegan{Run: run},
		roster.ChunkApplied{Run: run, Students: []domain.StudentID{anna}, Changes: roster.Changes{Added: 1, Updated: 2}},
		roster.ChunkApplied{Run: run, Changes: roster.Changes{ClassChanged: 3}},
	}
	state := roster.Rosters.Fold(events)
	if got := state.Done(run); got != (roster.Changes{Added: 1, Updated: 2, ClassChanged: 3}) || state.Done(another) != (roster.Changes{}) {
		t.Error(got)
	}
	if len(state.Students()) != 1 || !state.First() {
		t.Error("one pupil, and the first file is not whole")
	}
	if failed := roster.Rosters.Fold(append(events, roster.RunEnded{Run: run})); !failed.First() {
		t.Error("a run that failed has not brought the whole file")
	}
	if whole := roster.Rosters.Fold(append(events, roster.RunEnded{Run: run, Completed: true})); whole.First() || whole.Done(run) != (roster.Changes{}) {
		t.Error("the first file is whole")
	}
}

func TestARunFromStartToEnd(t *testing.T) {
	given := domaintest.Given(roster.Syncs)
	start := roster.StartSync{Run: run, School: school, File: "f"}
	started := roster.SyncStarted(start)
	complete := roster.CompleteSync{Run: run, School: school, File: "f", Report: roster.Report{Active: 1}}
	completed := roster.SyncCompleted(complete)
	fail := roster.FailSync{Run: run, School: school, Cause: "internal"}
	failed := roster.SyncFailed(fail)

	given().When(start).Then(t, started)
	given(started).When(start).Then(t)
	changed := start
	changed.File = "g"
	given(started).When(changed).ThenRefused(t, roster.ErrSyncOver)
	given(completed).When(start).ThenRefused(t, roster.ErrSyncOver)
	given(started, failed).When(start).ThenRefused(t, roster.ErrSyncOver)

	given().When(complete).Then(t, completed) // it had nothing to change
	given(started).When(complete).Then(t, completed)
	given(started, completed).When(complete).Then(t)
	given(started, failed).When(complete).ThenRefused(t, roster.ErrSyncOver)

	given(started).When(fail).Then(t, failed)
	given(started, failed).When(fail).Then(t)
	given(completed).When(fail).Then(t)
	given().When(fail).ThenRefused(t, roster.ErrNoSync)

	elsewhere := []roster.SyncCommand{
		roster.StartSync{Run: run, School: other, File: "f"},
		roster.CompleteSync{Run: run, School: other},
		roster.FailSync{Run: run, School: other},
	}
	for _, cmd := range elsewhere {
		given(started).When(cmd).ThenRefused(t, roster.ErrNoSync)
	}
}

func TestACourse(t *testing.T) {
	given := domaintest.Given(roster.Courses)
	follow := roster.FollowCourse{Course: maths, School: school, SourceID: "m", Title: "Matemātika"}
	registered := roster.CourseRegistered(follow)
	renamed := follow
	renamed.Title = "Matemātika I"
	given().When(follow).Then(t, registered)
	given(registered).When(follow).Then(t)
	given(registered).When(renamed).Then(t, roster.CourseRenamed{Course: maths, School: school, Title: "Matemātika I"})
	renamed.School = other
	given(registered).When(renamed).ThenRefused(t, roster.ErrNoCourse)
}
