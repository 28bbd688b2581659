package main

import (
	"context"
	"testing"

	"zurnals/internal/pgtest"
)

// The server is killed while it makes the demo, again and again. Each start goes
// on where the one before was, and in the end the demo is there, once.
func TestADemoThatWasBrokenOffIsCompleted(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.flags = append(i.flags, "-dev", "-smtp", "")
	count := func(sql string) (n int) {
		t.Helper()
		if err := i.db.App.QueryRow(context.Background(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	head := func() int { return count(`SELECT position FROM es.head`) }
	var at []int
	for _, more := range []int{1, 1, 1, 100, 1, 2, 3, 1, 4, 5, 1, 2, 6, 3} {
		before := head()
		p := i.starts("serve", "-addr", "127.0.0.1:0", "-private-addr", "127.0.0.1:0")
		eventually(t, "the demo goes on", func() bool {
			return head() >= before+more || count(`SELECT count(*) FROM es.event WHERE type = 'identity.signed_in'`) == len(demoPeople)
		})
		p.kill()
		at = append(at, head())
	}
	p, _ := i.serves()
	whole := head()
	t.Logf("killed at %v, whole at %d", at, whole)
	for sql, want := range map[string]int{
		`SELECT count(*) FROM es.event WHERE type = 'organisation.municipality_registered'`: 1,
		`SELECT count(*) FROM es.event WHERE type = 'organisation.school_registered'`:       1,
		`SELECT count(*) FROM es.event WHERE type = 'roster.sync_completed'`:                1,
		`SELECT count(*) FROM es.event WHERE type = 'roster.student_registered'`:            120,
		`SELECT count(*) FROM es.event WHERE type = 'identity.user_invited'`:                len(demoPeople),
		`SELECT count(*) FROM es.event WHERE type = 'identity.registration_confirmed'`:      len(demoPeople),
		`SELECT count(*) FROM es.event WHERE type = 'identity.signed_in'`:                   len(demoPeople),
		`SELECT count(*) FROM es.event WHERE type = 'access.role_given'`:                    len(demoPeople),
	} {
		if n := count(sql); n != want {
			t.Errorf("%d, not %d: %s", n, want, sql)
		}
	}
	// A whole one is left as it is.
	p.kill()
	i.serves()
	if n := head(); n != whole {
		t.Errorf("the demo was made again: %d events after %d", n, whole)
	}
}
