// Package pgtest gives every test a PostgreSQL database of its own (Latvian:
// testa datubāze).
//
// `make test` starts one server for the whole run. A bare `go test` starts one
// for its process on first use. Databases are cloned from a template that was
// migrated once, which takes a few hundredths of a second.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
	"zurnals/migrations"
)

// SocketEnv names the environment variable with the socket folder of the
// server that serves all test processes of a run.
const SocketEnv = "ZURNALS_TEST_PG_SOCKET"

// DB is a database that belongs to one test and is dropped at its end.
type DB struct {
	Name string
	// Small pools, one for each role of the program.
	Owner, App, Analyst *pgxpool.Pool

	server embedpg.Address
}

// New gives a migrated database.
func New(t testing.TB) *DB {
	t.Helper()
	return open(t, true)
}

// Empty gives a database without any migration, owned by the owner role.
func Empty(t testing.TB) *DB {
	t.Helper()
	return open(t, false)
}

// DSN names the database for a role: embedpg.Owner, App, Analyst or Superuser.
func (db *DB) DSN(role string) string { return db.server.DSN(role, db.Name) }

// Pool opens another pool, closed at the end of the test.
func (db *DB) Pool(t testing.TB, role string, maxConns int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(db.DSN(role))
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = maxConns
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Tool finds a program of PostgreSQL that a test needs besides the server, such
// as pg_dump: among the server's own binaries, else on the machine. Without it
// the test fails in CI, where everything must be shown; elsewhere it is named in
// the log, and the test returns.
func Tool(t testing.TB, name string) (path string, ok bool) {
	t.Helper()
	least := 0
	if found, err := embedpg.Find(); err == nil {
		path := filepath.Join(found[0].BinDir, name)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
		least = found[0].Major // an older program refuses the server
	}
	if path, err := exec.LookPath(name); err == nil && majorOf(path) >= least {
		return path, true
	}
	complain := t.Logf
	if os.Getenv("CI") != "" {
		complain = t.Fatalf
	}
	complain("this test needs the program %s, of the server's major version, which is not installed (Debian: apt-get install postgresql-client)", name)
	return "", false
}

// majorOf asks a program of PostgreSQL for its version, such as
// "pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
func majorOf(path string) int {
	said, err := exec.Command(path, "--version").Output()
	if err != nil {
		return 0
	}
	_, version, _ := strings.Cut(string(said), "(PostgreSQL) ")
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return major
}

func open(t testing.TB, migrated bool) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	address, err := server()
	if err != nil {
		t.Fatalf("no PostgreSQL for the tests: %v\nrun `make setup`", err)
	}
	db := &DB{Name: "test_" + strings.ToLower(rand.Text()), server: address}
	super, err := pgx.Connect(ctx, address.DSN(embedpg.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(context.WithoutCancel(ctx))
	template := "template0"
	if migrated {
		if template, err = makeTemplate(ctx, super, address); err != nil {
			t.Fatalf("the template of the test databases: %v", err)
		}
	}
	if err := clone(ctx, super, template, db.Name); err != nil {
		t.Fatal(err)
	}
	// Registered before the pools: cleanups run backwards, so these close first.
	t.Cleanup(func() { db.drop(t) })
	if migrated {
		if err := grant(ctx, db.DSN(embedpg.Superuser)); err != nil {
			t.Fatal(err)
		}
	}
	const conns = 8
	db.Owner = db.Pool(t, embedpg.Owner, conns)
	db.App = db.Pool(t, embedpg.App, conns)
	db.Analyst = db.Pool(t, embedpg.Analyst, conns)
	return db
}

// clone copies a database file by file: without fsync that takes a fifth of the
// time of the usual way through the write-ahead log.
func clone(ctx context.Context, super *pgx.Conn, template, name string) error {
	_, err := super.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE %s STRATEGY file_copy", name, embedpg.Owner, template))
	return err
}

// grant gives the rights on the database itself, which a clone does not inherit.
func grant(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return migrations.Grant(ctx, conn)
}

func (db *DB) drop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	super, err := pgx.Connect(ctx, db.server.DSN(embedpg.Superuser, "postgres"))
	if err != nil {
		t.Logf("drop the test database: %v", err)
		return
	}
	defer super.Close(ctx)
	// A test that was killed or forgot a connection must not keep the next from running.
	if _, err := super.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", pgx.Identifier{db.Name}.Sanitize())); err != nil {
		t.Logf("drop the test database: %v", err)
	}
}
