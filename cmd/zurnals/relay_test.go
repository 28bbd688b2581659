package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats-server/v2/server"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
)

// broker is a NATS server with one node.
func broker(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(processtest.Patience) {
		t.Fatal("the broker is not ready")
	}
	return s.ClientURL()
}

// tables returns the read models that a database has.
func tables(t *testing.T, db *pgtest.DB) (names []string) {
	t.Helper()
	found, err := db.App.Query(t.Context(), `SELECT schema FROM projection.checkpoint ORDER BY schema`)
	if err == nil {
		names, err = pgx.CollectRows(found, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The log goes to NATS and from there into databases elsewhere: all read models
// where the keys can be read, those without personal data where they cannot.
func TestReadModelsElsewhere(t *testing.T) {
	url := broker(t)
	home := newInstallation(t, pgtest.New(t))
	home.does("municipality", "add", "-name", "Parauga novads")
	home.starts("relay", "-nats", url)

	informed, blind := newInstallation(t, pgtest.New(t)), newInstallation(t, pgtest.New(t))
	key, err := os.ReadFile(filepath.Join(home.dir, "master.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(informed.dir, "master.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	informed.starts("project", "-from", url, "-keys", home.db.DSN(embedpg.App))
	blind.starts("project", "-from", url)

	home.does("municipality", "add", "-name", "Citurienes novads")
	for _, i := range []*installation{informed, blind} {
		eventually(t, "both municipalities are there", func() bool {
			var n int
			schemas := tables(t, i.db)
			at := slices.IndexFunc(schemas, func(s string) bool { return strings.HasPrefix(s, "rm_organisation_v") })
			return at >= 0 && i.db.App.QueryRow(t.Context(), fmt.Sprintf(`SELECT count(*) FROM %s.municipality`, schemas[at])).Scan(&n) == nil && n == 2
		})
	}
	eventually(t, "all read models are there", func() bool { return len(tables(t, informed.db)) == len(readModels) })
	eventually(t, "without keys there are those without personal data", func() bool { return len(tables(t, blind.db)) == len(impersonal) })
	if got := tables(t, blind.db); slices.ContainsFunc(got, func(s string) bool {
		return !strings.HasPrefix(s, "rm_organisation_v") && !strings.HasPrefix(s, "rm_attendance_week_v")
	}) {
		t.Errorf("without keys there are %v", got)
	}
}

func TestReadModelsElsewhereAreNotMixedWithALog(t *testing.T) {
	url := broker(t)
	home := newInstallation(t, pgtest.New(t))
	home.does("municipality", "add", "-name", "Parauga novads")
	if _, err := home.run("project", "-from", url); err == nil || !strings.Contains(err.Error(), "has a log of its own") {
		t.Errorf("a database with a log: %v", err)
	}
	for _, words := range [][]string{{"project"}, {"relay"}, {"relay", "-nats", url, "again"}, {"project", "-from", url, "-keys", "post gres"}} {
		if _, err := newInstallation(t, pgtest.New(t)).run(words...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", words, err)
		}
	}
}
