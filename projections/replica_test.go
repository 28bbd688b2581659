package projections_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// replicated runs an engine whose queries a replica answers.
func replicated(t *testing.T, j *journal, pool, replica *pgxpool.Pool, change func(*projections.Options)) *projections.Engine {
	t.Helper()
	o := options
	o.Replica = replica
	if change != nil {
		change(&o)
	}
	e, err := projections.Open(pool, j.log(), o, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	caughtUp(t, e, 0)
	return e
}

// answered waits until the replica is left out for a reason, or is not.
func answered(t *testing.T, e *projections.Engine, problem string) {
	t.Helper()
	until(t, "the replica is as expected: "+problem, func() bool {
		s, ok := e.Replica()
		return ok && (s.Problem == "" && problem == "" || problem != "" && strings.Contains(s.Problem, problem))
	})
}

// whoAnswers returns how many people there are, and whether a replica says so.
func whoAnswers(ctx context.Context, e *projections.Engine) (n int, replica bool, err error) {
	n, err = projections.Query(ctx, e.DB(), reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (n int, err error) {
		return n, q.QueryRow(ctx, "SELECT count(*), pg_is_in_recovery() FROM {staff}.staff").Scan(&n, &replica)
	})
	return n, replica, err
}

func somebody(n int) hired {
	return hired{Account: domain.AccountID{UUID: uuid.UUID{1, byte(n)}}, Name: "Anna"}
}

// Who has written something reads it, on a replica that follows a moment later.
// When the replica follows no more, who wants to see the latest is told to try
// again, and others see what was.
func TestAReplicaShowsWhatTheAskerHasWritten(t *testing.T) {
	t.Parallel()
	db, standby := pgtest.NewReplicated(t)
	j := newJournal(t, db)
	replica := standby.Pool(embedpg.App, 8)
	e := replicated(t, j, db.App, replica, func(o *projections.Options) { o.Patience = time.Second })
	answered(t, e, "")
	for i := range 40 {
		at := j.add(t, somebody(i))
		n, there, err := whoAnswers(projections.WithMinPosition(t.Context(), at), e)
		if n != i+1 || !there || err != nil {
			t.Fatalf("after %d: %d, from the replica %t, %v", i+1, n, there, err)
		}
	}
	at := j.add(t, noted{}) // which concerns nobody
	if n, there, err := whoAnswers(projections.WithMinPosition(t.Context(), at), e); n != 40 || !there || err != nil {
		t.Errorf("after what concerns nobody: %d, from the replica %t, %v", n, there, err)
	}

	standby.Pause()
	at = j.add(t, somebody(40))
	caughtUp(t, e, at) // on the primary
	if _, _, err := whoAnswers(projections.WithMinPosition(t.Context(), at), e); !errors.Is(err, projections.ErrBehind) {
		t.Errorf("paused: %v", err)
	}
	if n, there, err := whoAnswers(t.Context(), e); n != 40 || !there || err != nil {
		t.Errorf("paused, whoever does not mind: %d, from the replica %t, %v", n, there, err)
	}
	if n, there, err := whoAnswers(projections.OnPrimary(t.Context()), e); n != 41 || there || err != nil {
		t.Errorf("on the primary: %d, from the replica %t, %v", n, there, err)
	}
	if s, ok := e.Replica(); !ok || s.Lag != 1 || s.Head != at-1 || s.Problem != "" || s.Answered != 42 || s.Instead != 1 || s.Refused != 1 {
		t.Errorf("the replica is %+v", s)
	}
	// Another server has less patience with a replica that stands still.
	strict := replicated(t, j, db.Pool(t, embedpg.App, 8), replica, func(o *projections.Options) { o.Still = time.Millisecond })
	answered(t, strict, "has not moved")
	if n, there, err := whoAnswers(projections.WithMinPosition(t.Context(), at), strict); n != 41 || there || err != nil {
		t.Errorf("without the replica: %d, from the replica %t, %v", n, there, err)
	}
	asked := make(chan error, 1)
	go func() {
		n, there, err := whoAnswers(projections.WithMinPosition(t.Context(), at), e)
		if n != 41 || !there {
			t.Errorf("resumed: %d, from the replica %t", n, there)
		}
		asked <- err
	}()
	standby.Resume()
	if err := <-asked; err != nil {
		t.Error(err)
	}
	answered(t, strict, "")
}

// The tables are built anew and swapped, again and again, while people write and
// read on the replica: no query sees half of a swap, or less than it was
// promised, and none fails: what the replica breaks off, the primary answers.
func TestAReplicaSeesASwapAsOne(t *testing.T) {
	t.Parallel()
	db, standby := pgtest.NewReplicated(t)
	j := newJournal(t, db)
	e := replicated(t, j, db.App, standby.Pool(embedpg.App, 8), nil)
	caughtUp(t, e, j.add(t, story(300)...))
	answered(t, e, "")
	crowd := busy(t, e, j, 2)
	for range 6 {
		for _, name := range []string{"marks", "staff"} {
			if report, err := e.Rebuild(t.Context(), name); err != nil || len(report.Different) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
		}
		crowd.read()
	}
	crowd.stop()
	if s, _ := e.Replica(); s.Problem != "" {
		t.Errorf("in the end it is left out: %s", s.Problem)
	}
}

// A query on the replica is in the way of a swap that the replica follows: the
// replica breaks it off, and it is asked once more, of the primary.
func TestAQueryThatTheReplicaBreaksOffIsAskedOfThePrimary(t *testing.T) {
	t.Parallel()
	db, standby := pgtest.NewReplicated(t)
	j := newJournal(t, db)
	e := replicated(t, j, db.App, standby.Pool(embedpg.App, 8), nil)
	at := j.add(t, somebody(0))
	answered(t, e, "")
	var asked []bool // whether of the replica
	n, err := projections.Query(projections.WithMinPosition(t.Context(), at), e.DB(), reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (n int, err error) {
		var replica bool
		if err := q.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&replica); err != nil {
			return 0, err
		}
		if asked = append(asked, replica); len(asked) == 1 {
			if _, err := e.Rebuild(ctx, "staff"); err != nil {
				t.Error(err)
			}
			standby.Broken()
		}
		return n, q.QueryRow(ctx, "SELECT count(*) FROM {staff}.staff").Scan(&n)
	})
	if n != 1 || err != nil || len(asked) != 2 || !asked[0] || asked[1] {
		t.Errorf("%d, %v; asked of the replica: %v", n, err, asked)
	}
	answered(t, e, "")

	// What is wrong with a query is wrong everywhere: it is asked once.
	times := 0
	_, err = projections.Query(t.Context(), e.DB(), reader, need, []string{"staff"}, func(ctx context.Context, q *projections.Querier) (n int, err error) {
		times++
		return n, q.QueryRow(ctx, "SELECT 1/0").Scan(&n)
	})
	if err == nil || times != 1 {
		t.Errorf("asked %d times: %v", times, err)
	}
}

// The replica goes away, comes back, and is made a server of its own: queries
// are answered all the time.
func TestAReplicaThatIsGoneIsLeftOut(t *testing.T) {
	t.Parallel()
	db, standby := pgtest.NewReplicated(t)
	j := newJournal(t, db)
	e := replicated(t, j, db.App, standby.Pool(embedpg.App, 8), nil)
	answered(t, e, "")
	ask := func(n int, replica bool) {
		t.Helper()
		at := j.add(t, somebody(n))
		if got, there, err := whoAnswers(projections.WithMinPosition(t.Context(), at), e); got != n || there != replica || err != nil {
			t.Errorf("%d people, from the replica %t, %v", got, there, err)
		}
	}
	ask(1, true)
	standby.Stop()
	ask(2, false) // whether it is noted already or not
	answered(t, e, "connect")
	ask(3, false)
	standby.Start()
	answered(t, e, "")
	ask(4, true)
	standby.Promote()
	answered(t, e, "follows nobody")
	ask(5, false)

	other := pgtest.New(t) // is no replica of it
	wrong := replicated(t, j, db.Pool(t, embedpg.App, 8), other.App, nil)
	answered(t, wrong, "no copy")
	if n, there, err := whoAnswers(projections.WithMinPosition(t.Context(), 5), wrong); n != 5 || there || err != nil {
		t.Errorf("%d people, from the replica %t, %v", n, there, err)
	}
	none, _ := start(t, db.Pool(t, embedpg.App, 8), j.log())
	if s, ok := none.Replica(); ok {
		t.Errorf("without a replica there is one: %+v", s)
	}
}
