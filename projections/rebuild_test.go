package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// While people write and read, the tables are built anew again and again. No
// query fails or sees half of a swap, and none sees less than it was promised.
func TestRebuildWhilePeopleWriteAndRead(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(500)...))

	crowd := busy(t, e, j, 1)
	for range 8 {
		report, err := e.Rebuild(t.Context(), "marks")
		if err != nil {
			t.Error(err)
		}
		if !report.Compared || len(report.Different) > 0 {
			t.Errorf("tables differ: %+v", report)
		}
		crowd.read()
	}
	crowd.stop()
	last, _ := j.Head(t.Context())
	caughtUp(t, e, last)
	same(t, pool, j)
	t.Logf("%d queries, %d events", crowd.answered.Load(), last)
}

// A crowd writes and reads while something is done to the tables.
type crowd struct {
	t        *testing.T
	all      sync.WaitGroup
	done     chan struct{}
	written  atomic.Int64 // position of the last event
	answered atomic.Int64 // queries
	failed   atomic.Bool
	stop     func()
}

// busy has one write, and so many read, until they are stopped or the test ends.
func busy(t *testing.T, e *projections.Engine, j *journal, readers int) *crowd {
	c := &crowd{t: t, done: make(chan struct{})}
	c.stop = sync.OnceFunc(func() { close(c.done); c.all.Wait() })
	t.Cleanup(c.stop)
	c.again(func() func() {
		events, i := story(5000), 0
		return func() {
			c.written.Store(j.add(t, events[i%len(events)]))
			if i++; i%20 == 0 {
				e.WaitFor(t.Context(), c.written.Load())
			}
		}
	}())
	for range readers {
		c.again(func() {
			if err := consistent(e, c.written.Load()); err != nil && !c.failed.Swap(true) {
				t.Error(err)
			}
			c.answered.Add(1)
		})
	}
	return c
}

// again has somebody do something until they are stopped.
func (c *crowd) again(f func()) {
	c.all.Go(func() {
		for {
			select {
			case <-c.done:
				return
			default:
				f()
			}
		}
	})
}

// read waits until they have read some more.
func (c *crowd) read() {
	c.t.Helper()
	before := c.answered.Load()
	until(c.t, "people read", func() bool { return c.answered.Load() > before+20 || c.failed.Load() })
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
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
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
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
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

// New tables are built now and put in use later. Until then they follow the log,
// those in use serve, and there is nothing to go back to; then there is.
func TestBuildNowSwapLater(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	anna := domain.AccountID{UUID: uuid.UUID{7}}
	caughtUp(t, e, j.add(t, hired{anna, "Anna", "teacher", "2025-09-01"}))
	if err := e.Swap(t.Context(), "staff"); !errors.Is(err, projections.ErrNoSwap) {
		t.Errorf("swap of nothing: %v", err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE rm_staff_v3.staff SET role = 'X'"); err != nil {
		t.Fatal(err)
	}
	report, err := e.Build(t.Context(), "staff")
	if err != nil || !report.Compared || len(report.Different) != 1 || report.Blocked != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	roles := func(schema string) (s string) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), "SELECT coalesce(string_agg(role, ' ' ORDER BY role), '') FROM "+schema+".staff").Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if inUse, beside := roles("rm_staff_v3"), roles("rm_staff_v3_old"); inUse != "X" || beside != "teacher" {
		t.Errorf("in use %q, beside %q", inUse, beside)
	}
	if err := e.Rollback(t.Context(), "staff"); !errors.Is(err, projections.ErrNoRollback) {
		t.Errorf("rollback to what was never in use: %v", err)
	}
	caughtUp(t, e, j.add(t, hired{domain.AccountID{UUID: uuid.UUID{8}}, "Juris", "leader", "2025-09-01"}))
	until(t, "the new tables follow", func() bool { return roles("rm_staff_v3_old") == "leader teacher" })
	j.add(t, left{anna})
	until(t, "who has gone is in neither", func() bool { return roles("rm_staff_v3") == "leader" && roles("rm_staff_v3_old") == "leader" })
	if err := e.Swap(t.Context(), "staff"); err != nil {
		t.Fatal(err)
	}
	same(t, pool, j)
	if err := e.Swap(t.Context(), "staff"); !errors.Is(err, projections.ErrNoSwap) {
		t.Errorf("swap again: %v", err)
	}
	if err := e.Rollback(t.Context(), "staff"); err != nil {
		t.Error(err)
	}
	caughtUp(t, e, j.add(t, story(30)...))
	if err := e.Rollback(t.Context(), "staff"); err != nil {
		t.Error(err)
	}
	same(t, pool, j)
}

// The former tables become too old, and are dropped, while a rollback waits to
// put them back: there is nothing to go back to any more.
func TestTablesAreDroppedWhileARollbackWaits(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(100)...))
	if _, err := e.Rebuild(t.Context(), "staff"); err != nil {
		t.Fatal(err)
	}
	undone := make(chan error, 1)
	_, err := projections.Query(t.Context(), e.DB(), reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (int, error) {
		go func() { undone <- e.Rollback(context.Background(), "staff") }() // waits for this query
		until(t, "the rollback waits", func() bool {
			p := status(e, "staff").Rebuild
			return p != nil && p.Phase == "swapping"
		})
		_, err := pool.Exec(ctx, "BEGIN; DELETE FROM projection.checkpoint WHERE schema = 'rm_staff_v3_old'; DROP SCHEMA rm_staff_v3_old CASCADE; COMMIT")
		return 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-undone; !errors.Is(err, projections.ErrNoRollback) {
		t.Errorf("the rollback: %v", err)
	}
	same(t, pool, j)
}

// Operators swap, roll back, rebuild, replay and pause all at once, on two
// nodes, while retired tables become too old: each is done or refused, and in
// the end the tables are right.
func TestWhatOperatorsDoAtOnceIsDoneOrRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	var later atomic.Int64 // hours
	moving := options
	moving.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Hour) }
	var mended atomic.Bool
	nodes := []*projections.Engine{open(t, db, j, moving, mending(&mended), staff), open(t, db, j, moving, mending(&mended), staff)}
	caughtUp(t, nodes[0], j.add(t, story(100)...))
	caughtUp(t, nodes[0], j.addTo(t, "test-poisoned", one(1, cursed)))
	mended.Store(true)
	ctx := context.Background()
	acts := []struct {
		name string
		do   func(*projections.Engine) error
	}{
		{"exchange", func(e *projections.Engine) error {
			if _, err := e.Rebuild(ctx, "marks"); err != nil {
				return err
			}
			if err := e.Rollback(ctx, "marks"); err != nil {
				return err
			}
			return e.Rollback(ctx, "marks")
		}},
		{"build and swap", func(e *projections.Engine) error {
			if _, err := e.Build(ctx, "marks"); err != nil {
				return err
			}
			return e.Swap(ctx, "marks")
		}},
		{"rebuild the other", func(e *projections.Engine) error { _, err := e.Rebuild(ctx, "staff"); return err }},
		{"replay", func(e *projections.Engine) error { return e.Replay(ctx, "marks", "test-poisoned") }},
		{"pause", func(e *projections.Engine) error {
			return errors.Join(e.Pause(ctx, "marks"), e.Resume(ctx, "marks"))
		}},
		{"a day passes", func(*projections.Engine) error { later.Add(25); return nil }},
	}
	var work sync.WaitGroup
	counts := make([]atomic.Int64, len(acts))
	for n := range acts {
		work.Go(func() {
			for i := range 25 {
				var refused *domain.Error
				switch err := acts[n].do(nodes[i%2]); {
				case err == nil:
					counts[n].Add(1)
				case !errors.As(err, &refused):
					t.Errorf("%s: %v", acts[n].name, err)
				}
				j.add(t, story(2)...)
			}
		})
	}
	work.Wait()
	for n, a := range acts {
		t.Logf("%s: %d done", a.name, counts[n].Load())
	}
	for _, e := range nodes[:1] {
		if err := e.Resume(t.Context(), "marks"); err != nil {
			t.Error(err)
		}
	}
	last, err := j.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range nodes {
		caughtUp(t, e, last)
	}
	for _, name := range []string{"marks", "staff"} {
		if report, err := nodes[1].Rebuild(t.Context(), name); err != nil || !report.Compared || len(report.Different) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
	}
}

// A new version is built beside the old, which is kept for a day in case the
// old program comes back.
func TestNewVersionIsBuiltBesideTheOld(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, stop := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(50)...))
	newer := staff
	newer.Version++
	opened := make(chan struct{})
	next, err := projections.Open(pool, gated{j.log(), 0, opened}, options, marks, newer)
	if err != nil {
		t.Fatal(err)
	}
	prepared := make(chan error, 1)
	go func() { prepared <- next.Prepare(context.Background()) }()
	until(t, "the new program builds", func() bool { return status(next, "staff").Rebuild != nil })
	last := j.add(t, story(50)...) // while the old one serves
	if err := consistent(e, last); err != nil {
		t.Error(err)
	}
	close(opened)
	if err := <-prepared; err != nil {
		t.Fatal(err)
	}
	if err := consistent(e, last); err != nil {
		t.Error(err)
	}
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
	// What it needs is kept again; of what nobody keeps, nobody stays that was erased.
	until(t, "the old program is back", func() bool { return retired() == "rm_staff_v4" })
}

// A forgetful log loses one event, the first time that it is read.
type forgetful struct {
	projections.Log
	position int64
	lost     atomic.Bool
}

func (f *forgetful) Read(ctx context.Context, after, upto int64, want map[string]bool) ([]projections.Event, error) {
	events, err := f.Log.Read(ctx, after, upto, want)
	return slices.DeleteFunc(events, func(e projections.Event) bool {
		return e.Position == f.position && f.lost.CompareAndSwap(false, true)
	}), err
}

// A new version cannot be compared with the tables of the old one. The log is
// folded once more instead: handlers that do not come to the same, and events
// that were lost on the way, are found before anybody reads the tables.
func TestANewVersionIsFoldedOnceMore(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	caughtUp(t, e, j.add(t, story(60)...))
	last := j.add(t, hired{domain.AccountID{UUID: uuid.UUID{7}}, "Anna", "teacher", "2025-09-01"})
	caughtUp(t, e, last)
	newer := staff
	newer.Version++
	prepare := func(log projections.Log, p projections.Projection[staffTables]) error {
		next, err := projections.Open(pool, log, options, marks, p)
		if err != nil {
			t.Fatal(err)
		}
		return next.Prepare(t.Context())
	}
	var times atomic.Int64
	moody := newer
	moody.On = append([]projections.Handler[staffTables]{projections.On(func(t *staffTables, e hired, m projections.Meta) {
		t.Staff.Put(staffKey{e.Account}, staffRow{Name: e.Name, Role: e.Role, Day: e.Day, Seen: times.Add(1)})
	})}, newer.On[1:]...)
	for name, err := range map[string]error{"moody": prepare(j.log(), moody), "forgetful": prepare(&forgetful{Log: j.log(), position: last}, newer)} {
		if err == nil || !strings.Contains(err.Error(), "table staff: of ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := prepare(j.log(), newer); err != nil {
		t.Error(err)
	}
	if err := e.Prepare(t.Context()); err != nil { // the old one is there and serves
		t.Error(err)
	}
	caughtUp(t, e, j.add(t, story(10)...))
}

// A builder hangs in the middle of a rebuild. What is silent for fifteen seconds
// by the clock of the database has lost its place: another rebuilds. When the
// first wakes up, it is refused, and harms nothing.
func TestAHungBuilderLosesItsPlace(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	other, _ := start(t, pool, j.log())
	last := j.add(t, story(50)...)
	caughtUp(t, other, last)
	wake := make(chan struct{})
	hung, err := projections.Open(pool, gated{j.log(), 0, wake}, options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := hung.Rebuild(context.Background(), "marks")
		refused <- err
	}()
	until(t, "it hangs", func() bool { return status(other, "marks").Rebuild != nil })
	if _, err := other.Rebuild(t.Context(), "marks"); !errors.Is(err, projections.ErrBusy) {
		t.Errorf("while it is heard of: %v", err)
	}
	until(t, "another takes its place", func() bool {
		silent(t, pool)
		report, err := other.Rebuild(t.Context(), "marks")
		if err == nil && (!report.Compared || len(report.Different) > 0) {
			t.Errorf("%+v", report)
		}
		return err == nil
	})
	close(wake)
	if err := <-refused; err == nil {
		t.Error("it has put its tables in the place of those of the other")
	}
	caughtUp(t, other, j.add(t, story(50)...))
	same(t, pool, j)
	if err := other.Rollback(t.Context(), "marks"); err != nil {
		t.Error(err)
	}
	same(t, pool, j)
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM projection.build").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d builds are left, %v", left, err)
	}
}

// The same when there are no tables yet: whoever starts need not wait for it.
func TestAHungBuilderDelaysNoStart(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	last := j.add(t, story(50)...)
	wake := make(chan struct{})
	hung, err := projections.Open(pool, gated{j.log(), 0, wake}, options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() { refused <- hung.Prepare(context.Background()) }()
	until(t, "it hangs", func() bool { return status(hung, "marks").Rebuild != nil })
	other, _ := start(t, pool, j.log())
	until(t, "another takes its place", func() bool {
		silent(t, pool)
		return other.Position("marks") >= last
	})
	close(wake)
	if err := <-refused; err == nil {
		t.Error("it has not seen that it lost its place")
	}
	if err := hung.Prepare(t.Context()); err != nil { // as it does by itself, while it runs
		t.Error(err)
	}
	caughtUp(t, other, j.add(t, story(50)...))
	same(t, pool, j)
}

// silent has the database believe that builders were heard of last long ago.
// Those that are not hung will tell that they are there in a moment.
func silent(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), "UPDATE projection.build SET seen = seen - interval '16 seconds'"); err != nil {
		t.Fatal(err)
	}
}

// What is kept for going back does not outlive an erasure by more than the
// engine needs to see it, and is dropped after a day.
func TestRetiredTablesFollowAndAreDropped(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
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
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
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

// More read models than there are connections are all built: those that have
// one do not wait for those that wait for one.
func TestMoreReadModelsThanConnections(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	last := j.add(t, story(50)...)
	var all []projections.Any
	for i := range 6 {
		p := marks
		p.Name, p.Views = fmt.Sprintf("marks%d", i), nil
		all = append(all, p)
	}
	db.App = db.Pool(t, embedpg.App, 4)
	caughtUp(t, open(t, db, j, options, all...), last)
}
