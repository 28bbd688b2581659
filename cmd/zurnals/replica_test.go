package main

import (
	"io"
	"strings"
	"testing"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

// A server with a replica tells how far that is, and serves without it.
func TestAServerTellsHowItsReplicaIs(t *testing.T) {
	db, standby := pgtest.NewReplicated(t)
	i := newInstallation(t, db)
	i.flags = append(i.flags, "-replica-url", standby.DSN(embedpg.App))
	_, server := i.serves()
	says := func(path, part string) {
		t.Helper()
		eventually(t, path+" says "+part, func() bool {
			answer, err := patient.Get(server.Private + path)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(string(text), part)
		})
	}
	says("/metrics", "zurnals_replica_up 1")
	says("/metrics", "zurnals_replica_lag_positions 0")
	says("/readyz", `"ready": true`)
	diagnosis := func(part string) {
		t.Helper()
		out, _ := i.beside().run("doctor") // which may find other things
		if !strings.Contains(out, part) {
			t.Errorf("the doctor does not say %q:\n%s", part, out)
		}
	}
	diagnosis("a standby of this database, 0 positions behind")
	standby.Pause()
	i.beside().does("municipality", "add", "-name", "Parauga novads")
	says("/metrics", "zurnals_replica_lag_positions 1")
	standby.Resume()
	says("/metrics", "zurnals_replica_lag_positions 0")
	standby.Stop()
	says("/metrics", "zurnals_replica_up 0")
	diagnosis("replica       the primary answers for it: ")
	says("/readyz", `"replica": "the primary answers for it`)
	says("/readyz", `"ready": true`)
	standby.Start()
	says("/metrics", "zurnals_replica_up 1")

	standby.Promote()
	says("/readyz", "it follows nobody")
	diagnosis("it follows nobody")

	i.flags = []string{"-data-dir", i.dir, "-replica-url", standby.DSN(embedpg.App)}
	if out, err := i.run("doctor"); err == nil || !strings.Contains(out+err.Error(), "needs -database-url") {
		t.Errorf("a replica of the embedded PostgreSQL: %s, %v", out, err)
	}
}
