package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// A journal is a log in memory with what is needed to add to it.
type journal struct {
	*eventstore.Memory
	keys *eventstore.MemoryKeys
}

func newJournal() *journal {
	keys := eventstore.NewMemoryKeys()
	return &journal{eventstore.NewMemory(func() time.Time { return projectiontest.Start }, keys), keys}
}

func (j *journal) log() projections.Log { return projections.Decoded(j, j.keys, catalogue) }

// add appends events one by one and returns the position of the last.
func (j *journal) add(t testing.TB, events ...domain.Event) (last int64) {
	t.Helper()
	for _, e := range events {
		id := uuid.New()
		var subjects []uuid.UUID
		for _, s := range catalogue.Subjects(e) {
			subjects = append(subjects, uuid.UUID(s))
		}
		sealer, err := j.keys.EnsureKeys(t.Context(), subjects...)
		if err != nil {
			t.Fatal(err)
		}
		schema, data, err := catalogue.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		})
		if err != nil {
			t.Fatal(err)
		}
		last = j.addRaw(t, eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: schema, Meta: []byte(`{"actor":"system"}`), Data: data}, subjects...)
	}
	return last
}

func (j *journal) addRaw(t testing.TB, e eventstore.NewEvent, subjects ...uuid.UUID) int64 {
	t.Helper()
	r, err := j.Append(t.Context(), eventstore.Request{Subjects: subjects,
		Writes: []eventstore.Write{{Stream: "test-" + e.ID.String(), Events: []eventstore.NewEvent{e}}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Last
}

var options = projections.Options{
	Page: 50, Now: time.Now, // durations only
	Logger: slog.New(slog.DiscardHandler),
}

// start runs an engine until stop is called or the test ends.
func start(t testing.TB, pool *pgxpool.Pool, log projections.Log) (e *projections.Engine, stop func()) {
	t.Helper()
	e, err := projections.Open(pool, log, options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return e, stop
}

// until waits for something to become true.
func until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it never happened: %s", what)
		}
	}
}

func caughtUp(t testing.TB, e *projections.Engine, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.WaitFor(ctx, position); err != nil {
		t.Fatalf("%v: %+v", err, e.Status())
	}
}

func status(e *projections.Engine, name string) projections.Status {
	for _, s := range e.Status() {
		if s.Name == name {
			return s
		}
	}
	return projections.Status{}
}

// same checks that the tables are what the whole log makes of them.
func same(t *testing.T, pool *pgxpool.Pool, j *journal) {
	t.Helper()
	other := pgtest.New(t).App
	e, err := projections.Open(other, j.log(), options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"rm_marks_v1", "rm_staff_v3"} {
		if diff := cmp.Diff(projectiontest.Dump(t, other, schema), projectiontest.Dump(t, pool, schema)); diff != "" {
			t.Errorf("%s: rebuilt from the log (-) and kept up to date (+) differ:\n%s", schema, diff)
		}
	}
}

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
	pool, j := pgtest.New(t).App, newJournal()
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
	db, j := pgtest.New(t), newJournal()
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
	same(t, db.App, j)
	if s := status(e, "marks"); s.State != projections.Running || s.Error != "" || s.Lag != 0 {
		t.Errorf("it did not recover: %+v", s)
	}
}

// Two nodes never keep the same tables; one follows the other and sees how far
// it is, also over events that concern nobody.
func TestSecondNodeFencesTheFirst(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	first, _ := start(t, pool, j.log())
	caughtUp(t, first, j.add(t, story(100)...))
	second, _ := start(t, pool, j.log())
	caughtUp(t, second, 100)
	caughtUp(t, first, j.add(t, story(300)...))
	caughtUp(t, second, 400)
	until(t, "the first follows", func() bool { return status(first, "marks").State == projections.Following })
	if s := status(second, "marks").State; s != projections.Running {
		t.Errorf("the second is %s", s)
	}
	caughtUp(t, first, j.add(t, noted{}, noted{}))

	if err := first.Resume("marks"); err != nil { // takes over again
		t.Fatal(err)
	}
	until(t, "the first has it again", func() bool { return status(first, "marks").State == projections.Running })
	caughtUp(t, second, j.add(t, story(200)...))
	until(t, "the second follows", func() bool { return status(second, "marks").State == projections.Following })
	same(t, pool, j)
}

// While people write and read, the tables are built anew again and again. No
// query fails or sees half of a swap, and none sees less than it was promised.
func TestRebuildWhilePeopleWriteAndRead(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(500)...))

	done, stopped := make(chan struct{}), make(chan error, 2)
	var answered, written atomic.Int64
	go func() { // writes
		events := story(5000)
		for i := 0; ; i++ {
			select {
			case <-done:
				stopped <- nil
				return
			default:
			}
			written.Store(j.add(t, events[i%len(events)]))
			if i%20 == 0 {
				e.WaitFor(t.Context(), written.Load())
			}
		}
	}()
	go func() { // reads
		for {
			select {
			case <-done:
				stopped <- nil
				return
			default:
			}
			if err := consistent(e, written.Load()); err != nil {
				stopped <- err
				return
			}
			answered.Add(1)
		}
	}()
	for range 8 {
		report, err := e.Rebuild(t.Context(), "marks")
		if err != nil {
			t.Error(err)
		}
		if !report.Compared || len(report.Different) > 0 {
			t.Errorf("tables differ: %+v", report)
		}
		before := answered.Load()
		until(t, "people read", func() bool { return answered.Load() > before+20 || len(stopped) > 0 })
	}
	close(done)
	for range 2 {
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
	last, _ := j.Head(t.Context())
	caughtUp(t, e, last)
	same(t, pool, j)
	t.Logf("%d queries, %d events", answered.Load(), last)
}

var reader = access.System("test")
var need = access.At(access.OperateViews, access.Scope{})

// consistent reads two tables with several statements and checks that they
// agree, and that what was seen before is seen.
func consistent(e *projections.Engine, position int64) error {
	ctx := projections.WithMinPosition(context.Background(), position)
	_, err := projections.Query(ctx, e.DB(), reader, need, []string{"marks", "staff"}, func(ctx context.Context, q *projections.Querier) (int, error) {
		var marks, totals, again, staff int
		if err := q.QueryRow(ctx, "SELECT count(*) FROM {marks}.mark WHERE NOT removed").Scan(&marks); err != nil {
			return 0, err
		}
		if err := q.QueryRow(ctx, "SELECT count(*) FROM {staff}.staff").Scan(&staff); err != nil {
			return 0, err
		}
		if err := q.QueryRow(ctx, "SELECT coalesce(sum(taken), 0) FROM {marks}.total").Scan(&totals); err != nil {
			return 0, err
		}
		if err := q.QueryRow(ctx, "SELECT count(*) FROM {marks}.mark WHERE NOT removed").Scan(&again); err != nil {
			return 0, err
		}
		if marks != totals || marks != again {
			return 0, fmt.Errorf("torn: %d marks, %d in totals, %d marks", marks, totals, again)
		}
		if q.Position() < position {
			return 0, fmt.Errorf("at %d, %d was promised", q.Position(), position)
		}
		return marks, nil
	})
	return err
}

func TestRebuildRefusals(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(100)...))
	if _, err := e.Rebuild(t.Context(), "nothing"); !errors.Is(err, projections.ErrUnknown) {
		t.Errorf("unknown name: %v", err)
	}
	if err := e.Rollback(t.Context(), "marks"); !errors.Is(err, projections.ErrNoRollback) {
		t.Errorf("rollback of nothing: %v", err)
	}

	// A query that takes its time holds the first rebuild up at the swap.
	reading, let := make(chan struct{}), make(chan struct{})
	read := make(chan error, 1)
	go func() {
		_, err := projections.Query(context.Background(), e.DB(), reader, need, []string{"marks"}, func(ctx context.Context, q *projections.Querier) (int, error) {
			close(reading)
			<-let
			var n int
			return n, q.QueryRow(ctx, "SELECT count(*) FROM {marks}.mark").Scan(&n)
		})
		read <- err
	}()
	<-reading
	if err := e.StartRebuild(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	until(t, "the rebuild waits to swap", func() bool {
		p := status(e, "marks").Rebuild
		return p != nil && p.Phase == "swapping"
	})
	if _, err := e.Rebuild(t.Context(), "marks"); !errors.Is(err, projections.ErrBusy) {
		t.Errorf("two rebuilds: %v", err)
	}
	if err := consistent(e, 100); err != nil {
		t.Errorf("others cannot read: %v", err)
	}
	close(let)
	if err := <-read; err != nil {
		t.Error(err)
	}
	until(t, "the rebuild ends", func() bool { s := status(e, "marks"); return s.Rebuild == nil && s.Last != nil })
	if last := status(e, "marks").Last; last.Events == 0 || last.Rows == 0 || last.Position != 100 {
		t.Errorf("the report says %+v", last)
	}
}

// Somebody has tampered with a read model: a rebuild tells, and mends it.
// Rollback brings the former tables back; in the meantime they followed the log.
func TestRebuildTellsAndMends(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(200)...))
	if _, err := pool.Exec(t.Context(), "UPDATE rm_marks_v1.mark SET status = 'X'"); err != nil {
		t.Fatal(err)
	}
	report, err := e.Rebuild(t.Context(), "marks")
	if err != nil || len(report.Different) != 1 || report.Different[0] != "mark" {
		t.Errorf("got %+v, %v", report, err)
	}
	same(t, pool, j)

	lesson := domain.LessonID{UUID: uuid.UUID{0xff}}
	caughtUp(t, e, j.add(t, marked{Lesson: lesson, Student: domain.StudentID{UUID: uuid.UUID{9}}, Register: domain.RegisterID{UUID: uuid.UUID{8}}, Status: "P"}))
	if err := e.Rollback(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, e, j.add(t, story(10)...))
	var tampered, added int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE status = 'X'), count(*) FILTER (WHERE lesson = $1) FROM rm_marks_v1.mark", lesson.UUID).Scan(&tampered, &added); err != nil {
		t.Fatal(err)
	}
	if tampered == 0 || added != 1 {
		t.Errorf("after rollback: %d old rows, %d added since", tampered, added)
	}
	if err := e.Rollback(t.Context(), "marks"); err != nil {
		t.Fatal(err)
	}
	same(t, pool, j)
}

// A rebuild after an erasure, when the name can no longer be read, makes the
// same tables as were kept up to date while it could.
func TestErasedPeopleAreInNoTable(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
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

// A new version is built beside the old, which is kept for a day in case the
// old program comes back.
func TestNewVersionIsBuiltBesideTheOld(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	e, stop := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(50)...))
	newer := staff
	newer.Version++
	next, err := projections.Open(pool, j.log(), options, marks, newer)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Prepare(t.Context()); err != nil { // while the old program serves
		t.Fatal(err)
	}
	caughtUp(t, e, j.add(t, story(50)...))
	retired := func() (schemas string) {
		if err := pool.QueryRow(t.Context(), "SELECT coalesce(string_agg(schema, ' '), '') FROM projection.checkpoint WHERE retired_at IS NOT NULL").Scan(&schemas); err != nil {
			t.Fatal(err)
		}
		return schemas
	}
	if s := retired(); s != "rm_staff_v3" {
		t.Errorf("retired: %q", s)
	}
	stop()
	e, _ = start(t, pool, j.log())
	caughtUp(t, e, 100)
	if s := retired(); s != "" {
		t.Errorf("the old program is back, but retired: %q", s)
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

// What is kept for going back does not outlive an erasure by more than the
// engine needs to see it, and is dropped after a day.
func TestRetiredTablesFollowAndAreDropped(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	e, stop := start(t, pool, j.log())
	anna := domain.AccountID{UUID: uuid.UUID{7}}
	caughtUp(t, e, j.add(t, hired{anna, "Anna", "teacher", "2025-09-01"}))
	if _, err := e.Rebuild(t.Context(), "staff"); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM rm_staff_v3_old.staff").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 {
		t.Fatalf("%d rows in the old tables", n)
	}
	j.add(t, left{anna})
	until(t, "the old tables follow", func() bool { return count() == 0 })
	stop()

	later := options
	later.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	tomorrow, err := projections.Open(pool, j.log(), later, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); tomorrow.Run(ctx) }()
	until(t, "the old tables are dropped", func() bool {
		var there bool
		if err := pool.QueryRow(t.Context(), "SELECT to_regnamespace('rm_staff_v3_old') IS NOT NULL").Scan(&there); err != nil {
			t.Fatal(err)
		}
		return !there
	})
	cancel()
	<-done
}

// With little memory a rebuild copies what it has and goes on by pages.
func TestRebuildWithLittleMemory(t *testing.T) {
	t.Parallel()
	pool, j := pgtest.New(t).App, newJournal()
	little := options
	little.Rows = 10
	e, err := projections.Open(pool, j.log(), little, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	j.add(t, story(100)...)
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, name := range []string{"marks", "staff"} {
			if _, err := e.Rebuild(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		j.add(t, story(100)...)
	}
	e, _ = start(t, pool, j.log())
	caughtUp(t, e, 300)
	same(t, pool, j)
}

func TestPoisonStopsOneProjectionAtTheEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		poison func(*testing.T, *journal) int64
		says   string
		others bool // are not concerned
	}{
		"handler panics": {func(t *testing.T, j *journal) int64 { return j.add(t, marked{Points: cursed}) }, "cursed", true},
		"database refuses": {func(t *testing.T, j *journal) int64 {
			return j.add(t, marked{Status: "a\x00b", Lesson: domain.LessonID{UUID: uuid.UUID{1}}, Student: domain.StudentID{UUID: uuid.UUID{1}}, Register: domain.RegisterID{UUID: uuid.UUID{1}}})
		}, "0x00", true},
		"cannot be decoded": {func(t *testing.T, j *journal) int64 {
			return j.addRaw(t, eventstore.NewEvent{ID: uuid.New(), Type: "test.marked", Schema: 1, Meta: []byte(`{}`), Data: []byte(`{"Points":"many"}`)})
		}, "decode test.marked", true},
		"of a later version": {func(t *testing.T, j *journal) int64 {
			return j.addRaw(t, eventstore.NewEvent{ID: uuid.New(), Type: "test.marked", Schema: 2, Meta: []byte(`{}`), Data: []byte(`{}`)})
		}, "version 2", true},
		"of no known type": {func(t *testing.T, j *journal) int64 {
			return j.addRaw(t, eventstore.NewEvent{ID: uuid.New(), Type: "test.unheard", Schema: 1, Meta: []byte(`{}`), Data: []byte(`{}`)})
		}, "not in the catalogue", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, j := pgtest.New(t).App, newJournal()
			e, _ := start(t, pool, j.log())
			caughtUp(t, e, 0)
			j.add(t, story(75)...)
			at := c.poison(t, j)
			last := j.add(t, story(75)...)
			until(t, "it stops", func() bool { return status(e, "marks").State == projections.Stopped })
			s := status(e, "marks")
			if s.Position != at-1 || !strings.Contains(s.Error, c.says) || !strings.Contains(s.Error, fmt.Sprintf("event %d (test.", at)) || s.Lag != last-at+1 {
				t.Errorf("poison at %d of %d, but %+v", at, last, s)
			}
			if c.others {
				if err := e.WaitFor(t.Context(), last, "staff"); err != nil {
					t.Error(err)
				}
			}
			if _, err := e.Rebuild(t.Context(), "marks"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a rebuild does not find it: %v", err)
			}
			if err := e.Resume("marks"); err != nil {
				t.Fatal(err)
			}
			until(t, "it stops again", func() bool { return status(e, "marks").State == projections.Stopped })
		})
	}
}
