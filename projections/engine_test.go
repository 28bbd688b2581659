package projections_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

func TestProjectionsOfTheTestAreSound(t *testing.T) {
	t.Run("marks", func(t *testing.T) {
		t.Parallel()
		projectiontest.Rebuild(t, marks, projectiontest.Events(story(120)...)...)
	})
	t.Run("staff", func(t *testing.T) {
		t.Parallel()
		projectiontest.Rebuild(t, staff, projectiontest.Events(story(120)...)...)
	})
}

// The marks of a lesson that was removed do not count.
func TestFold(t *testing.T) {
	anna, register := domain.StudentID{UUID: uuid.UUID{0xa}}, domain.RegisterID{UUID: uuid.UUID{0xe}}
	first, second := domain.LessonID{UUID: uuid.UUID{1}}, domain.LessonID{UUID: uuid.UUID{2}}
	tables, err := marks.Fold(projectiontest.Events(
		marked{first, anna, register, "L", 100}, marked{second, anna, register, "P", 200}, removed{second})...)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := tables.Totals.Get(totalKey{anna, register}); got != (total{1, 100}) {
		t.Errorf("got %v", got)
	}
	n := 0
	for k := range tables.Marks.All() {
		if n++; k.Student != anna {
			t.Errorf("a mark of %v", k)
		}
	}
	if n != 2 {
		t.Errorf("%d marks", n)
	}
}

// A third of the commits fails, at COMMIT itself: nothing is lost, nothing doubled.
func TestEachEventCountsOnceWhateverFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, stop := start(t, pool, j.log())
	caughtUp(t, e, 0)
	stop()
	_, err := pool.Exec(t.Context(), `
CREATE FUNCTION rm_marks_v1.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF hashint8(txid_current()) % 3 = 0 THEN RAISE EXCEPTION 'pulled the plug' USING ERRCODE = '57P01'; END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON rm_marks_v1.total DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rm_marks_v1.fail();`)
	if err != nil {
		t.Fatal(err)
	}
	last := j.add(t, story(1000)...)
	e, _ = start(t, pool, j.log())
	caughtUp(t, e, last)
	same(t, pool, j)
}

// Connections are cut off all the time, in the middle of whatever they do.
func TestEachEventCountsOnceWhenConnectionsBreak(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := memoryJournal()
	e, _ := start(t, db.App, j.log())
	caughtUp(t, e, 0)
	var last int64
	for _, e := range story(1500) {
		if last = j.add(t, e); last%100 == 0 {
			// The role may end its own sessions.
			db.App.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()")
		}
	}
	caughtUp(t, e, last)
	db.App.Reset() // some of its connections are broken
	same(t, db.App, j)
	if s := status(e, "marks"); s.State != projections.Running || s.Error != "" || s.Lag != 0 {
		t.Errorf("it did not recover: %+v", s)
	}
}

// Two nodes share the work: each keeps one of the two projections, and sees how
// far the other is, also over events that concern nobody. When one goes, the
// other has all.
func TestTwoNodesShareTheWork(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	first, _ := start(t, pool, j.log())
	caughtUp(t, first, j.add(t, story(100)...))
	second, stop := start(t, pool, j.log())
	shared := func(name string) bool {
		a, b := status(first, name).State, status(second, name).State
		return a == projections.Running && b == projections.Following || a == projections.Following && b == projections.Running
	}
	until(t, "the work is shared", func() bool {
		return shared("marks") && shared("staff") && status(first, "marks").State != status(first, "staff").State
	})
	last := j.add(t, story(300)...)
	caughtUp(t, first, last)
	caughtUp(t, second, last)
	last = j.add(t, noted{}, noted{})
	caughtUp(t, first, last)
	caughtUp(t, second, last)
	for _, name := range []string{"marks", "staff"} { // whoever keeps it
		if report, err := second.Rebuild(t.Context(), name); err != nil || !report.Compared || len(report.Different) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
	}
	caughtUp(t, first, j.add(t, story(100)...))
	stop()
	until(t, "the first has all", func() bool {
		return status(first, "marks").State == projections.Running && status(first, "staff").State == projections.Running
	})
	caughtUp(t, first, j.add(t, story(100)...))
	same(t, pool, j)
}

// A node hangs in the middle of a page and holds the checkpoint. The database
// ends its transaction, so that others can take the tables over; when it wakes
// up, it begins the page anew.
func TestAHungNodeHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	hangs, wake := make(chan struct{}), make(chan struct{})
	var passes atomic.Int64
	hanging := marks
	hanging.On = append([]projections.Handler[markTables]{projections.On(func(t *markTables, e marked, m projections.Meta) {
		// The first pass of a page is a rehearsal, the second has the checkpoint.
		if e.Points == cursed && passes.Add(1) == 2 {
			close(hangs)
			<-wake
		}
		t.put(markKey{e.Lesson, e.Student}, mark{e.Register, e.Status, e.Points, false, m.RecordedAt})
	})}, hanging.On[1:]...)
	o := options
	o.Hung = 100 * time.Millisecond
	e := open(t, db, j, o, hanging, staff)
	caughtUp(t, e, j.add(t, story(50)...))
	last := j.addTo(t, "test-a", one(1, cursed))
	<-hangs
	// Waits as long as the other is believed to be about to go on.
	if _, err := db.Owner.Exec(t.Context(), "SET lock_timeout = '15s'; UPDATE projection.checkpoint SET epoch = nextval('projection.epoch') WHERE schema = 'rm_marks_v1'"); err != nil {
		t.Errorf("it holds others up: %v", err)
	}
	close(wake)
	caughtUp(t, e, last)
	if got := lessons(t, e); got != "1" {
		t.Errorf("lessons: %s", got)
	}
	if report, err := e.Rebuild(t.Context(), "marks"); err != nil || !report.Compared || len(report.Different) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A rebuild after an erasure, when the name can no longer be read, makes the
// same tables as were kept up to date while it could.
func TestErasedPeopleAreInNoTable(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	anna, juris := domain.AccountID{UUID: uuid.UUID{7}}, domain.AccountID{UUID: uuid.UUID{8}}
	caughtUp(t, e, j.add(t, hired{anna, "Anna", "teacher", "2025-09-01"}, hired{juris, "Juris", "teacher", ""}))
	r, err := j.Append(t.Context(), eventstore.Request{Erase: []uuid.UUID{anna.UUID}, Writes: []eventstore.Write{{
		Stream: "test-erasure", Events: []eventstore.NewEvent{{ID: uuid.New(), Type: "test.left", Schema: 1,
			Meta: []byte(`{}`), Data: fmt.Appendf(nil, `{"Account":%q}`, anna)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, e, r.Last)
	same(t, pool, j)
	if report, err := e.Rebuild(t.Context(), "staff"); err != nil || !report.Compared || len(report.Different) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	names, err := projections.Query(t.Context(), e.DB(), reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (s string, err error) {
		return s, q.QueryRow(ctx, "SELECT string_agg(name, ',') FROM {staff}.staff").Scan(&s)
	})
	if names != "Juris" || err != nil {
		t.Errorf("got %q, %v", names, err)
	}
}

func TestOpenRefusesMistakes(t *testing.T) {
	bad := func(change func(*projections.Projection[staffTables])) projections.Any {
		p := staff
		change(&p)
		return p
	}
	for name, c := range map[string][]projections.Any{
		"twice":           {staff, staff},
		"name":            {bad(func(p *projections.Projection[staffTables]) { p.Name = "Staff; DROP" })},
		"no version":      {bad(func(p *projections.Projection[staffTables]) { p.Version = 0 })},
		"view of nothing": {marks},
		"name of a view":  {bad(func(p *projections.Projection[staffTables]) { p.Views = []projections.View{{Name: "a b"}} })},
	} {
		if _, err := projections.Open(nil, nil, options, c...); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// What a later version of the program has written stops this one, and is no
// fault of the event: another node may know it.
func TestEventsOfLaterVersionsStopTheProjection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event eventstore.NewEvent
		says  string
	}{
		"version": {eventstore.NewEvent{Type: "test.marked", Schema: 2}, "version 2"},
		"type":    {eventstore.NewEvent{Type: "test.unheard", Schema: 1}, "not in the catalogue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			pool, j := db.App, newJournal(t, db)
			e, _ := start(t, pool, j.log())
			caughtUp(t, e, 0)
			j.add(t, story(75)...)
			c.event.ID, c.event.Meta, c.event.Data = uuid.New(), []byte(`{}`), []byte(`{}`)
			at := j.addRaw(t, c.event)
			last := j.add(t, story(75)...)
			stopped := func() bool { return status(e, "marks").State == projections.Stopped }
			until(t, "it stops", stopped)
			s := status(e, "marks")
			if s.Position != at-1 || !strings.Contains(s.Error, c.says) || !strings.Contains(s.Error, fmt.Sprintf("event %d (test.", at)) || s.Lag != last-at+1 || s.Parked != 0 {
				t.Errorf("event %d of %d, but %+v", at, last, s)
			}
			if name == "version" { // of a type that the other does not handle
				if err := e.WaitFor(t.Context(), last, "staff"); err != nil {
					t.Error(err)
				}
			}
			if _, err := e.Rebuild(t.Context(), "marks"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a rebuild does not find it: %v", err)
			}
			until(t, "others are told", func() bool {
				seen, err := e.Look(t.Context())
				return err == nil && seen[0].State == projections.Stopped && strings.Contains(seen[0].Error, c.says)
			})
			if err := e.Resume(t.Context(), "marks"); err != nil {
				t.Fatal(err)
			}
			until(t, "it stops again", stopped)
		})
	}
}
