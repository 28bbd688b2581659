package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/domain"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// one returns a mark of a lesson of its own, which no story has.
func one(lesson byte, points int32) marked {
	return marked{Lesson: domain.LessonID{UUID: uuid.UUID{0xa, lesson}}, Student: domain.StudentID{UUID: uuid.UUID{0xb}},
		Register: domain.RegisterID{UUID: uuid.UUID{0xc}}, Status: "P", Points: points}
}

// addTo appends an event to a stream.
func (j *journal) addTo(t testing.TB, stream string, e domain.Event) int64 {
	t.Helper()
	r, err := j.Append(t.Context(), eventstore.Request{Writes: []eventstore.Write{{Stream: stream, Expected: eventstore.Any, Events: []eventstore.NewEvent{j.encode(t, e)}}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Last
}

// An event cannot be handled: its stream is put aside, and only in the
// projection that it concerns. It is shown, and nothing of it is skipped.
func TestPoisonParksItsStream(t *testing.T) {
	t.Parallel()
	unreadable := eventstore.NewEvent{Type: "test.marked", Schema: 1, Meta: []byte(`{}`), Data: []byte(`{"Points":"many"}`)}
	for name, c := range map[string]struct {
		poison func(*testing.T, *journal) int64
		says   string
	}{
		"handler panics": {func(t *testing.T, j *journal) int64 { return j.addTo(t, "test-poisoned", one(1, cursed)) }, "panic (string) at projections/examples_test.go:"},
		"database refuses": {func(t *testing.T, j *journal) int64 {
			m := one(1, 1)
			m.Status = "a\x00b"
			return j.addTo(t, "test-poisoned", m)
		}, "PostgreSQL 22021"},
		"cannot be decoded": {func(t *testing.T, j *journal) int64 {
			unreadable.ID = uuid.New()
			r, err := j.Append(t.Context(), eventstore.Request{Writes: []eventstore.Write{{Stream: "test-poisoned", Expected: eventstore.Any, Events: []eventstore.NewEvent{unreadable}}}})
			if err != nil {
				t.Fatal(err)
			}
			return r.Last
		}, "JSON: Points is a string, not int32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			pool, j := db.App, newJournal(t, db)
			e, _ := start(t, pool, j.log())
			caughtUp(t, e, 0)
			j.add(t, story(75)...)
			j.addTo(t, "test-poisoned", one(2, 1)) // before it: is there
			at := c.poison(t, j)
			j.addTo(t, "test-poisoned", one(3, 1)) // after it: waits
			j.addTo(t, "test-well", one(4, 1))
			last := j.add(t, story(75)...)
			caughtUp(t, e, last)

			parked, err := e.Parked(t.Context(), "marks")
			if err != nil || len(parked) != 1 {
				t.Fatalf("parked: %+v, %v", parked, err)
			}
			if p := parked[0]; p.Stream != "test-poisoned" || p.Position != at || p.Version != 2 || p.Type != "test.marked" || p.Waiting != 2 || !strings.Contains(p.Problem, c.says) {
				t.Errorf("parked: %+v", p)
			}
			if parked, err := e.Parked(t.Context(), "staff"); len(parked) > 0 || err != nil {
				t.Errorf("others park too: %+v, %v", parked, err)
			}
			until(t, "it is shown", func() bool { return status(e, "marks").Parked == 1 })
			if s := status(e, "marks"); s.State != projections.Running || s.Lag != 0 {
				t.Errorf("it does not go on: %+v", s)
			}
			if got := lessons(t, e); got != "2 4" {
				t.Errorf("lessons: %s", got)
			}

			// A rebuild comes to the same: tables, and what is parked.
			report, err := e.Rebuild(t.Context(), "marks")
			if err != nil || !report.Compared || len(report.Different) > 0 {
				t.Errorf("rebuild: %+v, %v", report, err)
			}
			after, err := e.Parked(t.Context(), "marks")
			if err != nil || len(after) != 1 || after[0].Position != at {
				t.Errorf("parked after a rebuild: %+v, %v", after, err)
			}
			if got := lessons(t, e); got != "2 4" {
				t.Errorf("after a rebuild, lessons: %s", got)
			}

			if err := e.Replay(t.Context(), "marks", "test-poisoned"); !errors.Is(err, projections.ErrStillPoison) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("replay of what is not mended: %v", err)
			}
			if err := e.Replay(t.Context(), "marks", "test-well"); !errors.Is(err, projections.ErrNotParked) {
				t.Errorf("replay of what is not parked: %v", err)
			}
			caughtUp(t, e, j.addTo(t, "test-well", one(5, 1)))
		})
	}
}

// What is told of a fault, in tables, logs and answers, is its kind and place.
// What an error or a panic says may name somebody, and is told to nobody.
func TestWhatIsToldOfAFaultNamesNobody(t *testing.T) {
	var nobody *projections.Table[markKey, mark]
	for name, c := range map[string]struct {
		fault func()
		says  string
	}{
		"a text":         {func() { panic("Anna Bērziņa") }, "panic (string) at projections/parked_test.go:"},
		"an error":       {func() { panic(fmt.Errorf("of %w", errors.New("Anna Bērziņa"))) }, "*errors.errorString at projections/parked_test.go:"},
		"a date":         {func() { _, err := time.Parse(time.DateOnly, "Anna Bērziņa"); panic(err) }, "a time that is none at projections/parked_test.go:"},
		"the database":   {func() { panic(&pgconn.PgError{Code: "23505", TableName: "mark", Message: "Anna", Detail: "Bērziņa"}) }, "PostgreSQL 23505 mark at "},
		"a number":       {func() { panic(json.Unmarshal([]byte(`{"Points":320000.12345}`), new(marked))) }, "JSON: Points is a number, not int32 at "},
		"broken JSON":    {func() { panic(json.Unmarshal([]byte(`{"Anna`), new(marked))) }, "JSON: wrong at byte 6 at "},
		"an index":       {func() { all := []int{}; all[len(t.Name())]++ }, "runtime error: index out of range [33] with length 0 at projections/parked_test.go:"},
		"a nil pointer":  {func() { nobody.Put(markKey{}, mark{}) }, "runtime error: invalid memory address or nil pointer dereference at projections/table.go:"},
		"something else": {func() { panic(hired{Name: "Anna Bērziņa"}) }, "panic (projections_test.hired) at "},
	} {
		t.Run(name, func(t *testing.T) {
			p := marks
			p.On = []projections.Handler[markTables]{projections.On(func(*markTables, marked, projections.Meta) { c.fault() })}
			_, err := p.Fold(projectiontest.Events(marked{})...)
			if err == nil || !strings.HasPrefix(err.Error(), "event 1 (test.marked): "+c.says) {
				t.Errorf("it says %v", err)
			}
			for _, part := range []string{"Anna", "Bērziņa", "320000"} {
				if strings.Contains(fmt.Sprint(err), part) {
					t.Errorf("it names somebody: %v", err)
				}
			}
		})
	}
}

// lessons returns which of the lessons of one there are.
func lessons(t *testing.T, e *projections.Engine) string {
	t.Helper()
	s, err := projections.Query(t.Context(), e.DB(), reader, need, []string{"marks"}, func(ctx context.Context, q *projections.Querier) (s string, err error) {
		return s, q.QueryRow(ctx, "SELECT coalesce(string_agg(get_byte(uuid_send(lesson), 1)::text, ' ' ORDER BY lesson), '') FROM {marks}.mark WHERE get_byte(uuid_send(lesson), 0) = 10").Scan(&s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mending are marks whose handler can be mended.
func mending(mended *atomic.Bool) projections.Projection[markTables] {
	p := marks
	p.On = append([]projections.Handler[markTables]{projections.On(func(t *markTables, e marked, m projections.Meta) {
		if e.Points == cursed && !mended.Load() {
			t.put(markKey{e.Lesson, e.Student}, mark{}) // half done
			panic("cursed")
		}
		t.put(markKey{e.Lesson, e.Student}, mark{e.Register, e.Status, e.Points, false, m.RecordedAt})
	})}, p.On[1:]...)
	return p
}

func open(t *testing.T, db *pgtest.DB, j *journal, options projections.Options, all ...projections.Any) *projections.Engine {
	t.Helper()
	e, err := projections.Open(db.App, j.log(), options, all...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

// Once the handler is mended, the stream is replayed while others go on, and
// nothing is missing or doubled.
func TestParkedStreamsAreReplayed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	var mended atomic.Bool
	e := open(t, db, j, options, mending(&mended), staff)
	caughtUp(t, e, 0)
	j.addTo(t, "test-a", one(1, cursed))
	j.addTo(t, "test-b", one(2, cursed))
	for i := range byte(20) {
		j.addTo(t, "test-a", one(1, int32(i)))
		j.addTo(t, "test-c", one(3, int32(i)))
	}
	last := j.addTo(t, "test-b", one(4, cursed))
	caughtUp(t, e, last)
	if got := lessons(t, e); got != "3" {
		t.Errorf("lessons: %s", got)
	}
	mended.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			j.addTo(t, "test-"+string("abc"[i%3]), one(byte(i%3)+1, int32(i)))
		}
	}()
	for _, stream := range []string{"test-a", "test-b"} {
		if err := e.Replay(t.Context(), "marks", stream); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	last, err := j.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, e, last)
	if parked, err := e.Parked(t.Context(), "marks"); len(parked) > 0 || err != nil {
		t.Errorf("still parked: %+v, %v", parked, err)
	}
	other := pgtest.New(t)
	whole, err := projections.Open(other.App, j.log(), options, mending(&mended), staff)
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(projectiontest.Dump(t, other.App, "rm_marks_v1"), projectiontest.Dump(t, db.App, "rm_marks_v1")); diff != "" {
		t.Errorf("built from the log (-) and replayed (+) differ:\n%s", diff)
	}
}

// When more and more streams are parked, the handlers are wrong: it stops. Tables
// with fewer parked streams are not replaced by such with more.
func TestParkingHasItsLimits(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	var mended atomic.Bool
	mended.Store(true)
	few := options
	few.Parked = 3
	e := open(t, db, j, few, mending(&mended), staff)
	caughtUp(t, e, j.addTo(t, "test-a", one(1, cursed)))
	mended.Store(false)
	if _, err := e.Rebuild(t.Context(), "marks"); !errors.Is(err, projections.ErrMoreParked) || !strings.Contains(err.Error(), "test-a") {
		t.Errorf("a rebuild with worse handlers: %v", err)
	}
	if got := lessons(t, e); got != "1" {
		t.Errorf("lessons: %s", got)
	}
	for _, stream := range []string{"test-b", "test-c", "test-d"} {
		caughtUp(t, e, j.addTo(t, stream, one(2, cursed)))
	}
	last := j.addTo(t, "test-e", one(2, cursed))
	until(t, "it stops", func() bool { return status(e, "marks").State == projections.Stopped })
	until(t, "it is shown", func() bool { return status(e, "marks").Parked == 3 })
	if s := status(e, "marks"); s.Position != last-1 {
		t.Errorf("%+v", s)
	}
	mended.Store(true)
	if err := e.Resume(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, e, last)
}

// A projection that is paused stands still on all nodes, and is read as it is.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	first, _ := start(t, db.App, j.log())
	second, _ := start(t, db.App, j.log())
	caughtUp(t, first, j.add(t, story(50)...))
	tool, err := projections.Open(db.App, j.log(), options, marks, staff) // does not run
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Pause(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	last := j.add(t, story(50)...)
	for _, e := range []*projections.Engine{first, second} {
		if err := e.WaitFor(t.Context(), last, "staff"); err != nil {
			t.Fatal(err)
		}
		until(t, "it is paused", func() bool { return status(e, "marks").State == projections.Paused })
		if s := status(e, "marks"); s.Position != 50 || s.Lag != 50 {
			t.Errorf("%+v", s)
		}
	}
	if seen, err := tool.Look(t.Context()); err != nil || seen[0].State != projections.Paused || seen[0].Lag != 50 || seen[1].State != projections.Running || seen[1].Lag != 0 {
		t.Errorf("%+v, %v", seen, err)
	}
	if _, err := tool.Rebuild(t.Context(), "marks"); err != nil { // is at the head, and paused there
		t.Fatal(err)
	}
	j.add(t, story(10)...)
	if err := first.WaitFor(t.Context(), last+10, "staff"); err != nil {
		t.Fatal(err)
	}
	until(t, "it stands at the new place", func() bool { s := status(first, "marks"); return s.Position == last && s.State == projections.Paused })
	if err := tool.Resume(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, first, last+10)
	caughtUp(t, second, last+10)
	if err := tool.Pause(t.Context(), "nothing"); !errors.Is(err, projections.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	same(t, db.App, j)
}
