package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
	"zurnals/migrations"
)

// A Standby is a streaming replica of a test's own server.
type Standby struct {
	t      testing.TB
	dir    string
	params map[string]string
	server *embedpg.Server
	name   string // of the database
}

// NewReplicated gives a migrated database on a server of its own, and a standby
// that follows it. The standby is made as pg_basebackup makes one, but by hand:
// not every set of binaries has that program.
func NewReplicated(t testing.TB) (*DB, *Standby) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	data := DataDir(t)
	primary, err := embedpg.Start(ctx, embedpg.Config{DataDir: data, Fast: true, Params: map[string]string{
		"wal_keep_size": "256MB", "synchronous_commit": "on", // what is not flushed is not sent
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, primary) })
	db := &DB{Name: embedpg.Database, server: primary.Address}
	if err := migrations.Up(ctx, db.DSN(embedpg.Owner)); err != nil {
		t.Fatal(err)
	}
	const conns = 8
	db.Owner = db.Pool(t, embedpg.Owner, conns)
	db.App = db.Pool(t, embedpg.App, conns)
	db.Analyst = db.Pool(t, embedpg.Analyst, conns)

	s := &Standby{t: t, dir: DataDir(t), name: db.Name, params: map[string]string{
		"primary_conninfo": primary.DSN(embedpg.Superuser, "replication"),
		"fsync":            "off", "wal_retrieve_retry_interval": "100ms",
		// How long a query may hold up what the standby follows, before it is cancelled.
		"max_standby_streaming_delay": "200ms",
	}}
	if err := copyCluster(ctx, primary, data, s.dir); err != nil {
		t.Fatalf("the copy for the standby: %v", err)
	}
	t.Cleanup(s.Stop)
	s.Start()
	return db, s
}

// Start starts the standby, again after Stop.
func (s *Standby) Start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if s.server, err = embedpg.Start(ctx, embedpg.Config{DataDir: s.dir, Params: s.params}); err != nil {
		s.t.Fatalf("the standby: %v", err)
	}
}

// Stop ends the standby, if it runs: queries fail.
func (s *Standby) Stop() {
	if s.server != nil {
		halt(s.t, s.server)
		s.server = nil
	}
}

// DSN names the database on the standby for a role.
func (s *Standby) DSN(role string) string {
	return embedpg.Address{Socket: s.socket()}.DSN(role, s.name)
}

// Pool opens a pool on the standby, closed at the end of the test.
func (s *Standby) Pool(role string, maxConns int32) *pgxpool.Pool {
	s.t.Helper()
	return (&DB{Name: s.name, server: embedpg.Address{Socket: s.socket()}}).Pool(s.t, role, maxConns)
}

func (s *Standby) socket() string { return filepath.Join(filepath.Dir(s.dir), "socket") }

// Pause lets the standby receive what the server does and show none of it,
// until Resume.
func (s *Standby) Pause() {
	s.t.Helper()
	s.super("SELECT pg_wal_replay_pause()::text")
	for paused := false; !paused; { // it is asked for, and happens at the next record
		s.query("SELECT pg_get_wal_replay_pause_state() = 'paused'", &paused)
	}
}

// Resume ends Pause.
func (s *Standby) Resume() {
	s.t.Helper()
	s.super("SELECT pg_wal_replay_resume()::text")
}

// Broken returns once the standby has broken off a session that was in the way
// of what it follows.
func (s *Standby) Broken() {
	s.t.Helper()
	for broken := false; !broken; {
		s.query("SELECT confl_lock > 0 FROM pg_stat_database_conflicts WHERE datname = current_database()", &broken)
	}
}

// Promote makes the standby a server that follows nobody.
func (s *Standby) Promote() {
	s.t.Helper()
	s.super("SELECT pg_promote()::text")
}

func (s *Standby) super(sql string) {
	s.t.Helper()
	var ignored string
	s.query(sql, &ignored)
}

func (s *Standby) query(sql string, into any) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN(embedpg.Superuser))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(into); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func halt(t testing.TB, s *embedpg.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Logf("stop a test server: %v", err)
	}
}

// copyCluster makes a copy of a running server that starts as its standby.
func copyCluster(ctx context.Context, primary *embedpg.Server, from, to string) error {
	// Only the server's own user can enter the folder of its socket.
	hba := filepath.Join(from, "pg_hba.conf")
	if err := appendTo(hba, "local replication all trust\n"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, primary.DSN(embedpg.Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	// The backup is of the session: it starts and stops on one connection.
	if _, err := conn.Exec(ctx, "SELECT pg_backup_start('standby', true)"); err != nil {
		return err
	}
	if err := copyFiles(from, to); err != nil {
		return err
	}
	var label string
	if err := conn.QueryRow(ctx, "SELECT labelfile FROM pg_backup_stop(false)").Scan(&label); err != nil {
		return err
	}
	for name, text := range map[string]string{"backup_label": label, "standby.signal": ""} {
		path := filepath.Join(to, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), sameOwner(from, path)); err != nil {
			return err
		}
	}
	return nil
}

// unneeded are folders of which a copy gets none of the files: the standby makes
// its own, and gets the write-ahead log from the server.
const unneeded = "pg_wal pg_replslot pg_dynshmem pg_notify pg_serial pg_snapshots pg_stat_tmp pg_subtrans"

func copyFiles(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // the server removes files as it works
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		top, _, below := strings.Cut(name, string(filepath.Separator))
		switch {
		case d.IsDir():
			return errors.Join(os.Mkdir(target, 0o700), sameOwner(path, target))
		case strings.HasPrefix(name, "postmaster."), below && strings.Contains(" "+unneeded+" ", " "+top+" "), !d.Type().IsRegular():
			return nil
		}
		if err := copyFile(path, target); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		return sameOwner(from, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func sameOwner(as, path string) error {
	info, err := os.Stat(as)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, text)
	return errors.Join(err, f.Close())
}
