package projections_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

func countStaff(ctx context.Context, db *projections.DB, by access.Actor) (int, error) {
	return projections.Query(ctx, db, by, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (n int, err error) {
		return n, q.QueryRow(ctx, "SELECT count(*) FROM {staff}.staff").Scan(&n)
	})
}

func TestQueryNeedsTheRight(t *testing.T) {
	t.Parallel()
	db := projectiontest.Given(t, projectiontest.Events(hired{Name: "Anna", Account: domain.AccountID{UUID: uuid.UUID{1}}}), staff)
	if n, err := countStaff(t.Context(), db, reader); n != 1 || err != nil {
		t.Errorf("the operator sees %d, %v", n, err)
	}
	teacher := access.Actor{Kind: domain.ActorAccount, ID: uuid.UUID{1}, Active: access.Assignment{Role: access.ClassTeacher}}
	if _, err := countStaff(t.Context(), db, teacher); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a teacher: %v", err)
	}
	if _, err := countStaff(t.Context(), db, access.Actor{Kind: domain.ActorAnonymous}); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
}

// Who has changed something sees the change, or is told to try again.
func TestQueryWaitsForWhatTheAskerHasDone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, j := db.App, newJournal(t, db)
	e, _ := start(t, pool, j.log())
	for i := range 50 {
		at := j.add(t, hired{Account: domain.AccountID{UUID: uuid.UUID{1, byte(i)}}, Name: "Anna"})
		if n, err := countStaff(projections.WithMinPosition(t.Context(), at), e.DB(), reader); n != i+1 || err != nil {
			t.Fatalf("after %d: %d, %v", i+1, n, err)
		}
	}
	asked := make(chan error, 1)
	go func() {
		_, err := countStaff(projections.WithMinPosition(t.Context(), 51), e.DB(), reader)
		asked <- err
	}()
	j.add(t, noted{}) // which nobody handles, and everybody has seen
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if _, err := countStaff(projections.WithMinPosition(t.Context(), 52), e.DB(), reader); !errors.Is(err, projections.ErrBehind) {
		t.Errorf("of the future: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := countStaff(projections.WithMinPosition(ctx, 52), e.DB(), reader); !errors.Is(err, context.Canceled) {
		t.Errorf("gone away: %v", err)
	}
}

// A query cannot write, and sees no tables that it has not named.
func TestQueryCanOnlyRead(t *testing.T) {
	t.Parallel()
	db := projectiontest.Given(t, projectiontest.Events(noted{}), staff)
	for _, sql := range []string{"DELETE FROM {staff}.staff", "SELECT * FROM {marks}.mark", "DROP SCHEMA {staff} CASCADE"} {
		_, err := projections.Query(t.Context(), db, reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (int, error) {
			rows, err := q.Query(ctx, sql)
			if err != nil {
				return 0, err
			}
			rows.Close()
			return 0, rows.Err()
		})
		if err == nil {
			t.Errorf("%s is allowed", sql)
		}
	}
	_, err := projections.Query(t.Context(), db, reader, need, []string{"marks"}, func(context.Context, *projections.Querier) (int, error) { return 0, nil })
	if err == nil {
		t.Error("a projection that there is not can be named")
	}
}

// Analysts see the views and nothing else. The views survive swaps of all the
// projections they read, and of the old tables nothing hangs on.
func TestViewsForAnalysts(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	j := newJournal(t, db)
	e, _ := start(t, db.App, j.log())
	j.add(t, story(300)...)
	count := func() (n int) {
		t.Helper()
		if err := db.Analyst.QueryRow(t.Context(), "SELECT coalesce(sum(marks), 0) FROM analytics.marks_by_role").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	caughtUp(t, e, j.add(t, hired{domain.AccountID{UUID: uuid.UUID{2, 1}}, "Anna", "teacher", "2025-09-01"}))
	before := count()
	if before == 0 {
		t.Error("the view is empty")
	}
	for _, name := range []string{"marks", "staff", "marks", "staff"} {
		if _, err := e.Rebuild(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != before {
			t.Errorf("after the rebuild of %s: %d, not %d", name, n, before)
		}
	}
	anew := domain.StudentID{UUID: uuid.UUID{2, 1}}
	caughtUp(t, e, j.add(t, marked{domain.LessonID{UUID: uuid.UUID{0xff}}, anew, domain.RegisterID{UUID: uuid.UUID{1}}, "P", 1}))
	if n := count(); n != before+1 {
		t.Errorf("the view does not read the new tables: %d, not %d", n, before+1)
	}
	for _, sql := range []string{
		"SELECT * FROM rm_marks_v1.mark", "SELECT * FROM projection.checkpoint", "DELETE FROM analytics.marks_by_role",
		"CREATE TABLE analytics.x (n int)", "DROP VIEW analytics.marks_by_role",
	} {
		if _, err := db.Analyst.Exec(t.Context(), sql); err == nil {
			t.Errorf("an analyst may: %s", sql)
		}
	}
}
