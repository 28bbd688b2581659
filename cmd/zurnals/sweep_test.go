package main

import (
	"log/slog"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/internal/pgtest"
)

// The server sweeps, beside sessions and refusals, the passwords that no event
// names.
func TestTheServerSweepsOrphanedPasswords(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	var cfg Config
	if _, err := parse(&cfg, cfg.flags("test"), append(i.flags, "-dev")); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	orphan := domain.NewID[domain.CredentialID]()
	owner := "account-" + domain.NewID[domain.AccountID]().String()
	if err := a.commands.Credentials.Create(t.Context(), orphan, owner, "pareizs zirgs baterija"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} { // now, and an hour later
		if err := a.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM web.credential WHERE id = $1`, orphan.UUID).Scan(&n); err != nil || n != want {
			t.Errorf("%d are left, want %d; %v", n, want, err)
		}
		if err := a.clock.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}
