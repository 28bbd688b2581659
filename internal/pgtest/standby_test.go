package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/internal/embedpg"
)

// A standby follows its server, stands still when told so, and goes on after it
// was stopped.
func TestAStandbyFollows(t *testing.T) {
	db, standby := NewReplicated(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := db.Owner.Exec(ctx, "CREATE TABLE public.followed (n int)"); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		conn, err := pgx.Connect(ctx, standby.DSN(embedpg.Owner))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM public.followed").Scan(&n); err != nil {
			return -1 // not yet there
		}
		return n
	}
	add := func() {
		t.Helper()
		if _, err := db.Owner.Exec(ctx, "INSERT INTO public.followed VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	}
	await := func(n int) {
		t.Helper()
		for count() != n {
			if ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
		}
	}
	add()
	await(1)
	standby.Pause()
	add()
	if n := count(); n != 1 {
		t.Errorf("paused, it shows %d rows", n)
	}
	standby.Resume()
	await(2)
	standby.Stop()
	add()
	standby.Start()
	await(3)
	conn, err := pgx.Connect(ctx, standby.DSN(embedpg.Owner))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "INSERT INTO public.followed VALUES (1)"); err == nil {
		t.Error("one can write to a standby")
	}
}
