package main

import "testing"

func TestTheCommandHasAServerAndItsExitCodeIsOurs(t *testing.T) {
	for script, want := range map[string]int{
		`test -S "$ZURNALS_TEST_PG_SOCKET/.s.PGSQL.5432"`: 0,
		"exit 3": 3,
	} {
		code, err := run([]string{"sh", "-c", script})
		if err != nil || code != want {
			t.Errorf("%s: %d, %v; want %d", script, code, err, want)
		}
	}
}

func TestNoCommandIsAMistake(t *testing.T) {
	for _, args := range [][]string{nil, {"-durable"}, {"/no/such/command"}} {
		if code, err := run(args); err == nil || code == 0 {
			t.Errorf("%v: %d, %v", args, code, err)
		}
	}
}
