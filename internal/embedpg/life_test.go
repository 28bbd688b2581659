package embedpg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
)

// holdEnv turns this test binary into a process that holds a server until it
// is killed; the variable names the data directory.
const holdEnv = "EMBEDPG_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		s, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: dir})
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("ready")
		<-s.Done()
		return
	}
	os.Exit(m.Run())
}

// A server of each installed major version lives the same life.
func TestLifeOfAServer(t *testing.T) {
	found, err := embedpg.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, installed := range found {
		t.Run(fmt.Sprintf("PostgreSQL %d", installed.Major), func(t *testing.T) {
			cfg := embedpg.Config{DataDir: pgtest.DataDir(t), BinDir: installed.BinDir, Fast: true}

			cold := time.Now()
			s := start(t, cfg)
			t.Logf("cold start %v", time.Since(cold))
			if s.Major != installed.Major {
				t.Errorf("major %d, want %d", s.Major, installed.Major)
			}
			run(t, s, embedpg.Owner, "CREATE TABLE keep (x int)")
			run(t, s, embedpg.Owner, "INSERT INTO keep VALUES (7)")
			if err := s.CreateDatabase(t.Context(), "other"); err != nil {
				t.Errorf("another database: %v", err)
			}
			stop(t, s)
			assertNoServer(t, cfg.DataDir)

			warm := time.Now()
			s = start(t, cfg)
			t.Logf("warm start %v", time.Since(warm))
			if got := query(t, s, embedpg.Owner, "SELECT x::text FROM keep"); !slices.Equal(got, []string{"7"}) {
				t.Errorf("after a restart the table holds %v", got)
			}
			stop(t, s)
		})
	}
}

func TestEachRoleComesInAndIsNoSuperuser(t *testing.T) {
	s := start(t, embedpg.Config{DataDir: pgtest.DataDir(t), Fast: true})
	for _, role := range []string{embedpg.Owner, embedpg.App, embedpg.Analyst} {
		got := query(t, s, role, "SELECT rolname || ' ' || rolsuper || rolcreaterole || rolcreatedb FROM pg_roles WHERE rolname = current_user")
		if want := role + " falsefalsefalse"; !slices.Equal(got, []string{want}) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	if _, err := pgx.Connect(t.Context(), s.DSN("postgres", "postgres")); err == nil {
		t.Error("a role that is not ours came in")
	}
	owner := query(t, s, embedpg.App, "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()")
	if !slices.Equal(owner, []string{embedpg.Owner}) {
		t.Errorf("the database belongs to %v", owner)
	}
}

// Names are sorted by the server, so it must know the Latvian alphabet.
func TestServerSortsLatvian(t *testing.T) {
	found, err := embedpg.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, installed := range found {
		s := start(t, embedpg.Config{DataDir: pgtest.DataDir(t), BinDir: installed.BinDir, Fast: true})
		got := query(t, s, embedpg.App, `SELECT n FROM (VALUES ('Zvaigzne'),('Čakste'),('Cālis'),('Šmits'),('Sams'),('Ģirts'),('Gatis'),
			('Ābols'),('Abava'),('Ķirsis'),('Kalns'),('Žagata'),('Lūsis'),('Ļaudis'),('Ņina'),('Nora')) v(n) ORDER BY n COLLATE "lv-x-icu"`)
		want := []string{"Abava", "Ābols", "Cālis", "Čakste", "Gatis", "Ģirts", "Kalns", "Ķirsis", "Lūsis", "Ļaudis", "Nora", "Ņina", "Sams", "Šmits", "Zvaigzne", "Žagata"}
		if !slices.Equal(got, want) {
			t.Errorf("PostgreSQL %d sorts %v", installed.Major, got)
		}
		if got := query(t, s, embedpg.App, "SELECT lower('ĀČĒĢĪĶĻŅŠŪŽ')"); !slices.Equal(got, []string{"āčēģīķļņšūž"}) {
			t.Errorf("PostgreSQL %d: lower case is %v", installed.Major, got)
		}
	}
}

func TestASecondServerOnTheSameDirectoryIsRefused(t *testing.T) {
	cfg := embedpg.Config{DataDir: pgtest.DataDir(t), Fast: true}
	if _, running := embedpg.Running(cfg.DataDir); running {
		t.Error("a server that was never started is said to run")
	}
	s := start(t, cfg)
	if _, err := embedpg.Start(t.Context(), cfg); !errors.Is(err, embedpg.ErrInUse) {
		t.Errorf("the second start gave %v", err)
	}
	address, running := embedpg.Running(cfg.DataDir)
	if !running || address != s.Address {
		t.Errorf("Running gives %v, %v; want %v", address, running, s.Address)
	}
	if got := query(t, s, embedpg.App, "SELECT 'alive'"); !slices.Equal(got, []string{"alive"}) {
		t.Errorf("the first server answers %v", got)
	}
	stop(t, s)
	if _, running := embedpg.Running(cfg.DataDir); running {
		t.Error("a stopped server is said to run")
	}
}

func TestACrashedServerIsStartedAgain(t *testing.T) {
	var log lines
	cfg := embedpg.Config{DataDir: pgtest.DataDir(t), Logger: slog.New(slog.NewTextHandler(&log, nil))}
	s := start(t, cfg)
	run(t, s, embedpg.Owner, "CREATE TABLE keep (x int)")
	for range 2 {
		former := postmaster(t, cfg.DataDir)
		if err := syscall.Kill(former, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server is back", func() bool {
			conn, err := pgx.Connect(t.Context(), s.DSN(embedpg.App, embedpg.Database))
			if err != nil {
				return false
			}
			_ = conn.Close(t.Context())
			return postmaster(t, cfg.DataDir) != former
		})
	}
	if got := query(t, s, embedpg.Owner, "SELECT count(*)::text FROM keep"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("after the crashes the table holds %v", got)
	}
	if n := strings.Count(log.String(), "started again"); n != 2 {
		t.Errorf("two crashes were logged %d times:\n%s", n, log.String())
	}
	if s.Err() != nil {
		t.Errorf("Err of a running server: %v", s.Err())
	}
	stop(t, s)
	assertNoServer(t, cfg.DataDir)
}

func TestAServerThatCannotStartAnyMoreEndsForGood(t *testing.T) {
	cfg := embedpg.Config{DataDir: pgtest.DataDir(t), Fast: true, Params: map[string]string{"shared_buffers": "no number"}}
	_, err := embedpg.Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("the start gave %v; want the server's own words", err)
	}
	cfg.Params = nil
	stop(t, start(t, cfg)) // and the lock is free
}

// Nothing is left of a process that was killed, and what it had committed is there.
func TestTheServerEndsWithItsKilledParent(t *testing.T) {
	cfg := embedpg.Config{DataDir: pgtest.DataDir(t)}
	holder := processtest.Start(t, holdEnv+"="+cfg.DataDir)
	holder.Says("ready")
	address, running := embedpg.Running(cfg.DataDir)
	if !running {
		t.Fatal("nobody holds the directory")
	}
	conn, err := pgx.Connect(t.Context(), address.DSN(embedpg.Owner, embedpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE keep (x int); INSERT INTO keep VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	pid := postmaster(t, cfg.DataDir)
	holder.Kill()

	// Not waiting for the old server is the point: Start does.
	s := start(t, cfg)
	if got := query(t, s, embedpg.Owner, "SELECT x::text FROM keep"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("the table holds %v", got)
	}
	if alive(pid) {
		t.Errorf("the former server (process %d) still runs", pid)
	}
	stop(t, s)
	assertNoServer(t, cfg.DataDir)
}

// A stop that must not take longer is an immediate one; the next start recovers.
func TestAHastyStopLosesNothing(t *testing.T) {
	cfg := embedpg.Config{DataDir: pgtest.DataDir(t)}
	s := start(t, cfg)
	run(t, s, embedpg.Owner, "CREATE TABLE keep AS SELECT 7 AS x")
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(now); err != nil {
		t.Fatal(err)
	}
	assertNoServer(t, cfg.DataDir)
	s = start(t, cfg)
	if got := query(t, s, embedpg.Owner, "SELECT x::text FROM keep"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("the table holds %v", got)
	}
}

// What an interrupted initdb left behind is no obstacle.
func TestHalfMadeClustersAreMadeAnew(t *testing.T) {
	dir := pgtest.DataDir(t)
	if err := os.MkdirAll(filepath.Join(dir+".init", "base"), 0o755); err != nil {
		t.Fatal(err)
	}
	start(t, embedpg.Config{DataDir: dir, Fast: true})
	if _, err := os.Stat(dir + ".init"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-made cluster is still there: %v", err)
	}
}

func start(t *testing.T, cfg embedpg.Config) *embedpg.Server {
	t.Helper()
	s, err := embedpg.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *embedpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("stopped, but not done")
	}
}

func run(t *testing.T, s *embedpg.Server, role, sql string) {
	t.Helper()
	query(t, s, role, sql)
}

func query(t *testing.T, s *embedpg.Server, role, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN(role, embedpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// postmaster is the number of the server's main process, 0 while there is none.
func postmaster(t *testing.T, dataDir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return pid
}

func alive(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(status), ") Z ")
}

// assertNoServer looks for any process that works in the data directory.
func assertNoServer(t *testing.T, dataDir string) {
	t.Helper()
	eventually(t, "no process uses "+dataDir, func() bool {
		commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range commands {
			if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), dataDir+"\x00") {
				return false
			}
		}
		return true
	})
}

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !true() {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
