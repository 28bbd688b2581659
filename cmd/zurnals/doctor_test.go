package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
