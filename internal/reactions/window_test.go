package reactions_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/reactions"
)

func TestEachEventGetsItsJob(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes()))
	w.start(e)
	w.happen("example.noted", 250) // more than two windows
	w.drain(e)
	w.wantOnce(1, 250)
}

func TestEventsThatNobodyHandlesMoveTheOffset(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes()))
	w.start(e)
	w.happen("example.other", 1_000)
	w.drain(e)
	if s := w.status(e); s.Position != 1_000 || s.Head != 1_000 || !s.MovedAt.Equal(w.Now()) {
		t.Errorf("got %+v", s)
	}
	w.wantOnce(1, 0)
}

func TestANewReactionStartsAtTheHead(t *testing.T) {
	w := newWorld(t)
	w.happen("example.noted", 10)
	e := w.open(w.config(notes()))
	w.start(e)
	w.happen("example.noted", 2)
	w.drain(e)
	w.wantOnce(11, 12)
	w.open(w.config(notes())) // one that is not new stays where it is
	if s := w.status(e); s.Position != 12 {
		t.Errorf("got %+v", s)
	}
}

// A server that ends between the commit of a window and its acknowledgement,
// again and again, leaves one job per event.
func TestAServerThatDiesBetweenCommitAndAckLeavesOneJobPerEvent(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Batch = 5
	died := make(chan struct{}, 1)
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			_, err := h(m)
			select {
			case died <- struct{}{}:
			default:
			}
			return nil, errors.Join(err, errors.New("died"))
		}
	}}
	w.open(c)
	w.happen("example.noted", 23)
	for range 3 {
		stop := w.start(w.open(c))
		<-died
		stop()
	}
	e := w.open(w.config(notes()))
	w.start(e)
	w.drain(e)
	w.wantOnce(1, 23)
}

func TestTwoServersShareTheWork(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Batch = 3
	one, two := w.open(c), w.open(c)
	stop := w.start(one)
	w.start(two)
	for range 20 {
		w.happen("example.noted", 4)
	}
	stop() // the other one goes on
	w.happen("example.noted", 20)
	w.drain(two)
	w.wantOnce(1, 100)
}

func TestLosingTheDatabaseLosesNothing(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes()))
	w.start(e)
	for range 3 {
		w.happen("example.noted", 5)
		w.drain(e)
		// All sessions but those of the log, which has tests of its own.
		if _, err := w.pool.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND query LIKE '%reaction.offset%'`); err != nil {
			t.Fatal(err)
		}
	}
	w.happen("example.noted", 5)
	w.drain(e)
	w.wantOnce(1, 20)
}

func TestAResetLeavesOutWhatIsWaitingAndFencesTheWindowInHand(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	inHand, release := make(chan struct{}, 1), make(chan struct{})
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			select {
			case inHand <- struct{}{}:
				<-release
			default:
			}
			return h(m)
		}
	}}
	e := w.open(c)
	w.happen("example.noted", 10)
	w.start(e)
	<-inHand
	if err := e.Reset(t.Context(), "notes"); err != nil {
		t.Fatal(err)
	}
	close(release)
	w.happen("example.noted", 1)
	w.drain(e)
	w.wantOnce(11, 11)
	if err := e.Reset(t.Context(), "nothing"); !errors.Is(err, reactions.ErrUnknown) {
		t.Errorf("reset of a reaction that is not there: %v", err)
	}
}

// What a reaction cannot handle is put aside with its reason; the rest goes on,
// and the operator has it handled once the program can.
func TestAnEventThatCannotBeHandledIsParked(t *testing.T) {
	w := newWorld(t)
	clever := notes()
	simple := clever
	simple.React = func(e eventstore.Event) ([]river.InsertManyParams, error) {
		if e.Position == 2 {
			return nil, errors.New("too difficult")
		}
		return clever.React(e)
	}
	e := w.open(w.config(simple))
	stop := w.start(e)
	w.happen("example.noted", 3)
	w.drain(e)
	parked, err := e.Parked(t.Context(), operator, "notes")
	if err != nil || len(parked) != 1 || parked[0].Position != 2 || parked[0].Reason != "too difficult" || !parked[0].At.Equal(w.Now()) {
		t.Fatalf("got %+v, %v", parked, err)
	}
	if got := w.noted(); len(got) != 2 || got[1] != 1 || got[3] != 1 {
		t.Errorf("jobs: %v", got)
	}
	if s := w.status(e); s.Parked != 1 || s.Position != 3 {
		t.Errorf("status: %+v", s)
	}
	if err := e.Replay(t.Context(), operator, "notes", 2); !errors.Is(err, reactions.ErrStillParked) {
		t.Errorf("replay by the same program: %v", err)
	}
	stop()

	e = w.open(w.config(clever))
	if err := e.Replay(t.Context(), operator, "notes", 2); err != nil {
		t.Fatal(err)
	}
	w.wantOnce(1, 3)
	for name, want := range map[string]*domain.Error{"notes": reactions.ErrNotParked, "nothing": reactions.ErrUnknown} {
		if err := e.Replay(t.Context(), operator, name, 2); !errors.Is(err, want) {
			t.Errorf("replay again of %s: %v", name, err)
		}
	}
	if _, err := e.Parked(t.Context(), operator, "nothing"); !errors.Is(err, reactions.ErrUnknown) {
		t.Errorf("parked of a reaction that is not there: %v", err)
	}
	if parked, err := e.Parked(t.Context(), operator, "notes"); err != nil || len(parked) != 0 {
		t.Errorf("still parked: %v, %v", parked, err)
	}
}

// What never can be handled is given up by the operator, with a reason. Who
// decided what, of skips and replays, is kept, and the application cannot
// change it.
func TestAParkedEventIsSkippedForAReasonThatIsKept(t *testing.T) {
	w := newWorld(t)
	difficult := true
	r := notes()
	sound := r.React
	r.React = func(e eventstore.Event) ([]river.InsertManyParams, error) {
		if difficult {
			return nil, errors.New("too difficult")
		}
		return sound(e)
	}
	e := w.open(w.config(r))
	stop := w.start(e)
	w.happen("example.noted", 2)
	w.drain(e)
	stop()
	admin := access.Actor{Kind: domain.ActorAccount, ID: uuid.New(), Active: access.Assignment{Role: access.PlatformAdmin}}
	teacher := access.Actor{Kind: domain.ActorAccount, ID: uuid.New(), Active: access.Assignment{Role: access.ClassTeacher}}
	for _, refused := range []struct {
		name     string
		by       access.Actor
		position int64
		reason   string
		want     *domain.Error
	}{
		{"no reason", admin, 1, " ", domain.ErrTextMissing},
		{"a reason of several lines", admin, 1, "line\nline", domain.ErrTextCharacters},
		{"a reason that is a book", admin, 1, strings.Repeat("ā", 501), domain.ErrTextLong},
		{"somebody who may not", teacher, 1, "because", access.ErrForbidden},
		{"an event that is not parked", admin, 3, "because", reactions.ErrNotParked},
	} {
		if err := e.Skip(t.Context(), refused.by, "notes", refused.position, refused.reason); !errors.Is(err, refused.want) {
			t.Errorf("%s: %v", refused.name, err)
		}
	}
	if err := e.Skip(t.Context(), admin, "nothing", 1, "because"); !errors.Is(err, reactions.ErrUnknown) {
		t.Errorf("a reaction that is not there: %v", err)
	}
	if err := e.Skip(t.Context(), admin, "notes", 1, " the pupil left  years ago "); err != nil {
		t.Fatal(err)
	}
	if err := e.Skip(t.Context(), admin, "notes", 1, "again"); !errors.Is(err, reactions.ErrNotParked) {
		t.Errorf("skipped twice: %v", err)
	}
	difficult = false
	if err := e.Replay(t.Context(), operator, "notes", 1); !errors.Is(err, reactions.ErrNotParked) {
		t.Errorf("what was skipped is replayed: %v", err)
	}
	if err := e.Replay(t.Context(), operator, "notes", 2); err != nil {
		t.Fatal(err)
	}
	w.wantOnce(2, 2)
	settled, err := e.Settled(t.Context(), operator, "notes")
	if err != nil || len(settled) != 2 {
		t.Fatalf("got %+v, %v", settled, err)
	}
	if s := settled[1]; s.Position != 1 || s.How != reactions.Skipped || s.Reason != "the pupil left years ago" || s.Fault != "too difficult" || *s.Actor != admin.ID || !s.At.Equal(w.Now()) {
		t.Errorf("the skip: %+v", s)
	}
	if s := settled[0]; s.Position != 2 || s.How != reactions.Replayed || s.Reason != "" || s.Actor != nil || s.ActorKind != domain.ActorSystem {
		t.Errorf("the replay: %+v", s)
	}
	for _, forbidden := range []string{`UPDATE reaction.settled SET reason = 'x'`, `DELETE FROM reaction.settled`, `TRUNCATE reaction.settled`} {
		if _, err := w.pool.Exec(t.Context(), forbidden); err == nil {
			t.Errorf("the application may %s", forbidden)
		}
	}
}

// Somebody puts events aside again by hand, with SQL, that were settled before,
// and one that there is not: each time is settled for itself.
func TestAnEventIsSettledAsOftenAsItIsParked(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes()))
	stop := w.start(e)
	w.happen("example.noted", 2)
	w.drain(e)
	stop()
	park := func(position int64) {
		t.Helper()
		if _, err := w.db.Owner.Exec(t.Context(), `INSERT INTO reaction.parked (name, position, reason, at) VALUES ('notes', $1, 'by hand', $2)`, position, w.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		park(1)
		if err := e.Skip(t.Context(), operator, "notes", 1, "not needed"); err != nil {
			t.Error(err)
		}
		park(1)
		if err := e.Replay(t.Context(), operator, "notes", 1); err != nil {
			t.Error(err)
		}
	}
	if got := w.noted(); got[1] != 3 || got[2] != 1 {
		t.Errorf("jobs: %v", got)
	}
	settled, err := e.Settled(t.Context(), operator, "notes")
	if err != nil || len(settled) != 4 || settled[0].How != reactions.Replayed || settled[3].How != reactions.Skipped {
		t.Errorf("settled: %+v, %v", settled, err)
	}
	park(99)
	if err := e.Replay(t.Context(), operator, "notes", 99); !errors.Is(err, reactions.ErrStillParked) {
		t.Errorf("an event that there is not: %v", err)
	}
	if err := e.Skip(t.Context(), operator, "notes", 99, "there is none"); err != nil {
		t.Error(err)
	}
}

func TestAPanicOfAReactionIsNotTheEndOfTheServer(t *testing.T) {
	w := newWorld(t)
	r := notes()
	sound := r.React
	var panicked atomic.Bool
	r.React = func(e eventstore.Event) ([]river.InsertManyParams, error) {
		if !panicked.Swap(true) {
			panic("once")
		}
		return sound(e)
	}
	e := w.open(w.config(r))
	w.start(e)
	w.happen("example.noted", 2)
	w.drain(e)
	w.wantOnce(1, 2)
}

// A job for later is done when the one clock says so, however that is moved,
// and not when the machine's clock gets there, for which all of this is past.
func TestAJobForLaterFollowsTheOneClock(t *testing.T) {
	w := newWorld(t)
	r := notes()
	opts := &river.InsertOpts{ScheduledAt: w.Now().Add(5 * 24 * time.Hour)}
	r.React = func(e eventstore.Event) ([]river.InsertManyParams, error) {
		return []river.InsertManyParams{{Args: note{e.Position}, InsertOpts: opts}}, nil
	}
	e := w.open(w.config(r))
	w.start(e)
	w.happen("example.noted", 2)
	if n := w.runDue(e); n != 0 {
		t.Errorf("%d jobs were done at once", n)
	}
	w.later(5*24*time.Hour - time.Microsecond)
	if n := w.runDue(e); n != 0 {
		t.Errorf("%d jobs were done too early", n)
	}
	w.later(time.Microsecond)
	if n := w.runDue(e); n != 2 {
		t.Errorf("%d jobs were done in time, want 2", n)
	}
	w.wantOnce(1, 2)
	if !opts.ScheduledAt.Equal(w.Now()) {
		t.Error("the reaction's own options were changed")
	}
}

// Without Dev nobody asks for the jobs to be done: they are done all the same.
func TestJobsAreDoneInProduction(t *testing.T) {
	w := newWorld(t)
	worked := make(chan int64, 3)
	c := w.config(notes())
	c.Dev, c.Workers = false, river.NewWorkers()
	river.AddWorker(c.Workers, river.WorkFunc(func(_ context.Context, job *river.Job[note]) error {
		worked <- job.Args.Position
		return nil
	}))
	w.start(w.open(c))
	w.happen("example.noted", 3)
	seen := make(map[int64]bool)
	for range 3 {
		select {
		case p := <-worked:
			seen[p] = true
		case <-w.patiently().Done():
			t.Fatalf("only %v", seen)
		}
	}
	if len(seen) != 3 {
		t.Errorf("worked: %v", seen)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes())) // nobody runs it
	w.happen("example.noted", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
