package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

// An installation is a database and a data directory, and the program on them.
type installation struct {
	t     *testing.T
	db    *pgtest.DB
	dir   string
	flags []string
}

func newInstallation(t *testing.T, db *pgtest.DB) *installation {
	t.Helper()
	i := &installation{t: t, db: db, dir: t.TempDir()}
	i.flags = []string{"-data-dir", i.dir, "-smtp", "smtp://localhost:25?tls=off",
		"-database-url", db.DSN(embedpg.App), "-migrate-url", db.DSN(embedpg.Owner)}
	i.newKey()
	return i
}

// newKey puts another master key into the data directory.
func (i *installation) newKey() {
	i.t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	if err := os.WriteFile(filepath.Join(i.dir, "master.key"), []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// run carries out a command line and returns what it says.
func (i *installation) run(words ...string) (string, error) {
	var out bytes.Buffer
	err := run(context.Background(), append(words, i.flags...), &out)
	return out.String(), err
}

// does carries out a command that must succeed.
func (i *installation) does(words ...string) string {
	i.t.Helper()
	out, err := i.run(words...)
	if err != nil {
		i.t.Fatalf("zurnals %s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return out
}

// unwell has the doctor find just that.
func (i *installation) unwell(want string) {
	i.t.Helper()
	out, err := i.run("doctor")
	if !errors.Is(err, errUnwell) || !strings.Contains(out, want) {
		i.t.Errorf("%v\n%s\nwant: %s", err, out, want)
	}
}

// secretly changes the database behind the program's back.
func (i *installation) secretly(sql string) {
	i.t.Helper()
	super := i.db.Pool(i.t, embedpg.Superuser, 1)
	if _, err := super.Exec(context.Background(), sql); err != nil {
		i.t.Fatal(err)
	}
}

func TestTheDoctorFindsNothingWrong(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.does("migrate")
	for _, name := range []string{"Aizputes novads", "Ādažu novads", "Ķekavas novads"} {
		i.does("municipality", "add", "-name", name)
	}
	for _, flag := range []string{"-full", "-full=false"} {
		out, _ := i.run("doctor", flag)
		// Test servers write nothing to the disk: that is all that may be amiss.
		for line := range strings.Lines(out) {
			if (strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "warn")) && !strings.Contains(line, "with fsync off") {
				t.Errorf("%s%s", flag, line)
			}
		}
		for _, want := range []string{"ok    log", "3 of 3 events read", "ok    streams", "ok    master key", "ok    read models", "ok    roles", "ok    partitions", "ok    migrations"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s\nwant: %s", out, want)
			}
		}
	}
}

func TestTheDoctorNamesWhatIsWrong(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.does("migrate")
	for _, name := range []string{"Aizputes novads", "Ādažu novads", "Ķekavas novads"} {
		i.does("municipality", "add", "-name", name)
	}
	key := filepath.Join(i.dir, "master.key")
	kept, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	i.unwell("others can read it; chmod go= " + key)
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	i.newKey()
	i.unwell("this is not the master key of this database")
	if err := os.WriteFile(key, kept, 0o600); err != nil {
		t.Fatal(err)
	}

	i.secretly(`INSERT INTO reaction.offset (name, position) VALUES ('mail', 0); INSERT INTO reaction.parked VALUES ('mail', 2, 'cannot', now())`)
	i.unwell("1 event of reactions")
	i.secretly(`DELETE FROM reaction.parked`)
	i.secretly(`INSERT INTO projection.parked SELECT schema, 'thing-1', 2, 1, 'thing.happened', 'cannot', now() FROM projection.checkpoint WHERE schema LIKE 'rm_staff%'`)
	i.unwell("staff has put 1 stream aside")
	i.secretly(`DELETE FROM projection.parked; UPDATE projection.checkpoint SET position = 4 WHERE schema LIKE 'rm_staff%'`)
	i.unwell("staff has seen position 4, but the log ends at 3")
	i.secretly(`UPDATE projection.checkpoint SET position = 3`)
	i.secretly(`GRANT UPDATE ON es.event TO zurnals_app`)
	i.unwell("the program may write the log without es.append")
	i.secretly(`REVOKE UPDATE ON es.event FROM zurnals_app`)
	i.secretly(`UPDATE es.stream SET version = 7 WHERE first_position = 2`)
	i.unwell("do not say what their events say: municipality-")
	i.secretly(`DELETE FROM es.event WHERE position = 2`)
	i.unwell("of the positions 1 to 3, 1 are missing")
	i.secretly(`DELETE FROM es.event WHERE position = 3`)
	i.unwell("its head is 3, but its last event is 1")

	i.flags = append(i.flags, "-database-url", i.db.DSN(embedpg.Owner))
	i.unwell("the program owns the log")
	i.flags = append(i.flags, "-public-url", "http://zurnals.example.lv")
	i.unwell("nobody can sign in")
}

// Each thing that can be wrong with a database is told in one line, and no more
// when it is put right.
func TestTheDoctorNamesEachFaultOfADatabase(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.does("migrate")
	for _, name := range []string{"Aizputes novads", "Ādažu novads", "Ķekavas novads"} {
		i.does("municipality", "add", "-name", name)
	}
	staff := ` WHERE schema LIKE 'rm_staff%'`
	for _, c := range []struct{ do, undo, want string }{
		{`UPDATE es.layout SET next_position = 1000`, `UPDATE es.layout SET next_position = (SELECT max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint) FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid WHERE p.inhparent = 'es.event'::regclass)`, "warn  partitions    the log has partitions for 996 more events only"},
		{`UPDATE es.event SET recorded_at = recorded_at - interval '1 day' WHERE position = 2`, `UPDATE es.event SET recorded_at = recorded_at + interval '1 day' WHERE position = 2`, "FAIL  log           between the positions 1 and 3 times go back: somebody tampered"},
		{`UPDATE es.mark SET recorded_at = recorded_at + interval '1 day'`, `UPDATE es.mark SET recorded_at = recorded_at - interval '1 day'`, "warn  clock         the last event was recorded 2"},
		{`INSERT INTO web.dev_clock (ahead_us) VALUES (3600000000)`, `DELETE FROM web.dev_clock`, "it was moved by 1h0m0s with --dev or by a demo"},
		{`INSERT INTO proof.checkpoint (size, at, note) VALUES (100, now(), '')`, `DELETE FROM proof.checkpoint`, "FAIL  proof         100 positions were signed, but the log has 3: events were taken out"},
		{`INSERT INTO jobs.river_job (kind, args, max_attempts, state, finalized_at) VALUES ('mail', '{}', 1, 'discarded', now())`, `DELETE FROM jobs.river_job`, "FAIL  put aside     0 events of reactions, 1 job given up: see `zurnals reactions parked`"},
		{`UPDATE projection.checkpoint SET paused_at = now()` + staff, `UPDATE projection.checkpoint SET paused_at = NULL`, "warn  read models   staff is paused"},
		{`UPDATE projection.checkpoint SET problem = 'thing.happened is not known'` + staff, `UPDATE projection.checkpoint SET problem = NULL`, "FAIL  read models   staff has stopped: thing.happened is not known"},
		{`UPDATE projection.checkpoint SET schema = 'x_' || schema` + staff, `UPDATE projection.checkpoint SET schema = substr(schema, 3) WHERE schema LIKE 'x_%'`, "has no tables yet, `zurnals migrate` builds them"},
		{`GRANT USAGE ON SCHEMA es TO PUBLIC`, `REVOKE USAGE ON SCHEMA es FROM PUBLIC`, "FAIL  roles         "},
		{`GRANT USAGE ON SCHEMA web TO zurnals_analyst`, `REVOKE USAGE ON SCHEMA web FROM zurnals_analyst`, "FAIL  roles         the analyst reaches more than the analytics"},
		{`REVOKE SELECT ON es.event FROM zurnals_app`, `GRANT SELECT ON es.event TO zurnals_app`, "FAIL  roles         the program may not read the log"},
		{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`, `DELETE FROM goose_db_version WHERE version_id = 99999`, "warn  migrations    the database is at 99999, this program knows "},
	} {
		i.secretly(c.do)
		out, err := i.run("doctor")
		if !strings.Contains(out, c.want) || strings.HasPrefix(c.want, "FAIL") && !errors.Is(err, errUnwell) {
			t.Errorf("%s: %v\n%s\nwant: %s", c.do, err, out, c.want)
		}
		i.secretly(c.undo)
		if out, _ := i.run("doctor"); strings.Contains(out, c.want) {
			t.Errorf("%s: it is told still\n%s", c.undo, out)
		}
	}
	i.flags = append(i.flags, "-migrate-url", "postgres://nobody@127.0.0.1:1/nothing")
	i.unwell("FAIL  database      as the owner: ")
}

// What is told of the machine, and of the server that runs on it.
func TestTheDoctorNamesEachFaultOfAMachine(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.does("migrate")
	tells := func(want string) {
		t.Helper()
		if out, _ := i.run("doctor"); !strings.Contains(out, want) {
			t.Errorf("%s\nwant: %s", out, want)
		}
	}
	write := func(name string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(i.dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	answer := `{"ready":false,"not_ready":{"database":"the log cannot be reached"}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer server.Close()
	tells("ok    server        none is running on this data directory")
	run := runFile{PID: os.Getpid(), URL: "http://127.0.0.1:8080", Private: server.URL, Started: time.Now()}
	write("run.json", run)
	i.unwell("FAIL  server        is not ready: database: the log cannot be reached")
	answer = `{"ready":true}`
	tells("ok    server        process ")
	answer = `{"ready":true,"warnings":{"proof":"the log is not the one that was sealed: position 17 was changed, column data","replica":"is 5 s behind","disk":"is full"}}`
	i.unwell("FAIL  proof         the server signs nothing any more: the log is not the one that was sealed: position 17 was changed, column data")
	tells("warn  replica       is 5 s behind")
	answer = `<html>`
	i.unwell("FAIL  server        " + server.URL + "/readyz: ")
	run.Private = "http://127.0.0.1:1"
	write("run.json", run)
	i.unwell("does not answer at http://127.0.0.1:1")
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	run.PID = gone.Process.Pid
	write("run.json", run)
	tells("warn  server        run.json names process ")
	write("run.json", "no object")
	i.unwell("FAIL  server        run.json: ")

	i.flags = append(i.flags, "-private-addr", "0.0.0.0:8081")
	tells("warn  settings      -private-addr is 0.0.0.0:8081: whoever reaches it sees health, metrics and profiles")
	i.flags = append(i.flags, "-smtp", "")
	tells("warn  settings      -smtp is not set")

	// The embedded database, made by a PostgreSQL that is not there.
	i.flags = []string{"-data-dir", i.dir, "-dev"}
	if err := os.Mkdir(filepath.Join(i.dir, "postgres"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.dir, "postgres", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.unwell("FAIL  binaries      the data directory was made by PostgreSQL 9, but there is only PostgreSQL ")
	i.unwell("FAIL  data files    " + filepath.Join(i.dir, "postgres") + " has mode 0755: others can read it")

	for free, want := range map[uint64]string{diskGone - 1: "gone", diskGone: "low", diskLow - 1: "low", diskLow: ""} {
		warning, err := judgeDisk("/data", free, 10*diskLow)
		if (err != nil) != (want == "gone") || (warning != "") != (want == "low") {
			t.Errorf("%d bytes are free: %q, %v; want %q", free, warning, err, want)
		}
	}
}

func TestTheDoctorChangesNothing(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	// A database that was never migrated stays so.
	i := newInstallation(t, pgtest.Empty(t))
	i.unwell("the database is at 0, this program needs")
	var tables int
	if err := i.db.Owner.QueryRow(context.Background(), `SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables, %v", tables, err)
	}

	// Where nothing was started yet, nothing is made.
	dir := filepath.Join(t.TempDir(), "data")
	i.flags = []string{"-data-dir", dir, "-dev", "-private-addr", "127.0.0.1:1"}
	out := i.does("doctor")
	if !strings.Contains(out, "the first start makes it") || !strings.Contains(out, "0 problems") {
		t.Error(out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory: %v", err)
	}
}
