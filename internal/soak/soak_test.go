package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
	"zurnals/migrations"
)

// lengthEnv makes the test last longer than in an ordinary run, such as 3m.
const lengthEnv = "ZURNALS_SOAK"

// ledger is what the writer processes listed.
type ledger struct {
	mu       sync.Mutex
	at       map[string]int64 // acknowledged
	refused  map[string]bool
	perhaps  map[string]bool
	lastLine time.Time
}

func (l *ledger) read(t *testing.T, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := strings.Fields(line)
	switch {
	case len(words) > 2 && words[0] == "ack":
		first, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			t.Errorf("line %q", line)
		}
		for i, id := range words[2:] {
			l.at[id] = first + int64(i)
		}
		l.lastLine = time.Now()
	case len(words) > 1 && words[0] == "no":
		for _, id := range words[1:] {
			l.refused[id] = true
		}
	case len(words) > 1 && words[0] == "perhaps":
		for _, id := range words[1:] {
			l.perhaps[id] = true
		}
	default:
		t.Errorf("line %q", line)
	}
}

// acknowledged is when something was acknowledged for the last time.
func (l *ledger) acknowledged() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastLine
}

// A world is a server, a migrated database and writers.
type world struct {
	t      *testing.T
	dir    string // data directory
	server *embedpg.Server
	master string
	ledger ledger
	lines  sync.WaitGroup
	slow   atomic.Int64 // transactions that were held and rolled back
}

func newWorld(t *testing.T) *world { return newWorldIn(t, pgtest.DataDir(t)) }

func newWorldIn(t *testing.T, dir string) *world {
	w := &world{
		t: t, dir: dir, master: newMaster(),
		ledger: ledger{at: map[string]int64{}, refused: map[string]bool{}, perhaps: map[string]bool{}},
	}
	w.start()
	t.Cleanup(w.stop)
	if err := migrations.Up(t.Context(), w.server.DSN(embedpg.Owner, embedpg.Database)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	server, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: w.dir})
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = server
}

func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.server.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

// writer starts a writer process and waits until it works.
func (w *world) writer(streams []string) *processtest.Process {
	w.t.Helper()
	p := processtest.Start(w.t, dsnEnv+"="+w.server.DSN(embedpg.App, embedpg.Database), masterEnv+"="+w.master, streamsEnv+"="+strings.Join(streams, ","))
	first, ok := p.Line()
	if !ok {
		w.t.Fatal("a writer does not begin")
	}
	w.ledger.read(w.t, first)
	w.lines.Go(func() {
		for line, ok := p.Line(); ok; line, ok = p.Line() {
			w.ledger.read(w.t, line)
		}
	})
	return p
}

// patience is how long everything may stand still after a fault.
const patience = processtest.Patience

// workAgain waits until appends are acknowledged. What is listed in the first
// moment may have been committed before the fault, and does not count.
func (w *world) workAgain(after string) {
	w.t.Helper()
	const moment = 200 * time.Millisecond
	start := time.Now()
	for time.Since(start) < patience {
		if last := w.ledger.acknowledged(); last.After(start.Add(moment)) {
			w.t.Logf("%s: appends are acknowledged within %v", after, last.Sub(start).Round(time.Millisecond))
			return
		}
		wait(w.t.Context(), 2*time.Millisecond)
	}
	w.t.Fatalf("%s: nothing is acknowledged for %v", after, patience)
}

// finish ends a writer by SIGTERM: what is under way is finished.
func (w *world) finish(p *processtest.Process) {
	w.t.Helper()
	p.Signal(syscall.SIGTERM)
	if err := p.End(); err != nil {
		w.t.Errorf("a writer that was asked to end: %v", err)
	}
}

// elsewhere holds a transaction with a snapshot and an id in another database.
func (w *world) elsewhere() (end func()) {
	ctx := context.Background()
	if err := w.server.CreateDatabase(ctx, "elsewhere"); err != nil {
		w.t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.server.DSN(embedpg.Owner, "elsewhere"))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE t (); SELECT txid_current()`); err != nil {
		w.t.Fatal(err)
	}
	return func() { _ = conn.Close(ctx) } // the server may have gone
}

// appendOne appends an event by hand: command, stream, event, meta.
const appendOne = `SELECT es.append_one(clock_timestamp(), $1, '', $2, -1, $3, 'soak.written', 1, $4, '{}', '{}', '{}', '{}')`

// disturb appends in transactions of its own until ctx ends. They are slow: for
// up to a tenth of a second nobody else gets to the head of the log. Most of
// them are rolled back.
func (w *world) disturb(ctx context.Context, dsn string, streams []string) {
	for ctx.Err() == nil {
		if err := w.disturbOnce(ctx, dsn, streams[rand.IntN(len(streams))]); err != nil {
			wait(ctx, 20*time.Millisecond) // the server has gone
		}
	}
}

func (w *world) disturbOnce(ctx context.Context, dsn, stream string) error {
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	conn, err := pgx.Connect(working, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(working)
	for ctx.Err() == nil {
		id := uuid.New()
		tx, err := conn.Begin(working)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(working, appendOne, uuid.New(), stream, id, fmt.Sprintf(`{"r":"%s","n":1}`, uuid.New())); err != nil {
			return err // such as: the partition is not there yet
		}
		wait(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
		if rand.IntN(4) > 0 {
			w.ledger.read(w.t, "no "+id.String())
			w.slow.Add(1)
			if err := tx.Rollback(working); err != nil {
				return err
			}
		} else if err := tx.Commit(working); err != nil {
			return err
		}
		wait(ctx, 50*time.Millisecond)
	}
	return nil
}

func TestNothingAcknowledgedIsEverLost(t *testing.T) {
	t.Parallel()
	length := 20 * time.Second
	if text := os.Getenv(lengthEnv); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	gone := 2 * time.Second
	if length > time.Minute {
		gone = 10 * time.Second
	}
	w := newWorld(t)
	streams := make([]string, 40)
	for i := range streams {
		streams[i] = "soak-" + uuid.NewString()
	}
	disturbing, enough := context.WithCancel(t.Context())
	defer enough()
	dsn := w.server.DSN(embedpg.App, embedpg.Database)
	w.lines.Go(func() { w.disturb(disturbing, dsn, streams) })
	for end := time.Now().Add(length); time.Now().Before(end); {
		one, other := w.writer(streams), w.writer(streams)
		w.workAgain("two processes append")
		endElsewhere := w.elsewhere()
		w.workAgain("a long transaction in another database")

		// A process that stands still, as in a paused machine, and comes back.
		for range 3 {
			one.Signal(syscall.SIGSTOP)
			w.workAgain("one process stands still")
			wait(t.Context(), 200*time.Millisecond)
			one.Signal(syscall.SIGCONT)
			w.workAgain("it goes on")
		}
		one.Kill()
		w.workAgain("one process is killed")
		one = w.writer(streams)

		w.stop()
		w.start()
		w.workAgain("PostgreSQL was restarted")
		killPostmaster(t, w.dir)
		w.workAgain("PostgreSQL was killed")
		w.stop()
		wait(t.Context(), gone)
		w.start()
		w.workAgain(fmt.Sprint("PostgreSQL was gone for ", gone))

		endElsewhere()
		w.finish(one)
		w.finish(other)
		w.drop("elsewhere")
	}
	enough()
	w.lines.Wait()
	w.check()
	if n := w.slow.Load(); n < 10 {
		t.Errorf("%d slow transactions were rolled back", n)
	}
}

func (w *world) drop(database string) {
	w.t.Helper()
	conn, err := pgx.Connect(context.Background(), w.server.DSN(embedpg.Superuser, "postgres"))
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = conn.Exec(context.Background(), "DROP DATABASE "+database+" WITH (FORCE)")
	if err = errors.Join(err, conn.Close(context.Background())); err != nil {
		w.t.Fatal(err)
	}
}

// killPostmaster kills the server process as if it had crashed.
func killPostmaster(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(dir + "/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check compares the log with what the writers listed.
func (w *world) check() {
	t, ctx := w.t, w.t.Context()
	pool, err := pgxpool.New(ctx, w.server.DSN(embedpg.App, embedpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	master, err := eventstore.LoadMaster(w.master, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := eventstore.OpenKeys(ctx, pool, time.Now, master)
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(ctx, pool, time.Now, keys)
	if err != nil {
		t.Fatal(err)
	}
	at, versions, appends := map[string]int64{}, map[string]int{}, map[string]int{}
	last := int64(0)
	var recorded time.Time
	for e, err := range log.ReadAll(ctx, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if last++; e.Position != last {
			t.Fatalf("position %d after %d", e.Position, last-1)
		}
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			t.Fatalf("position %d: %s has version %d, not %d", e.Position, e.Stream, e.Version, versions[e.Stream])
		}
		if e.RecordedAt.Before(recorded) {
			t.Fatalf("position %d was recorded before the one ahead of it", e.Position)
		}
		id := e.ID.String()
		if at[id] != 0 {
			t.Fatalf("event %s is there twice, at %d and %d", id, at[id], e.Position)
		}
		at[id], recorded = e.Position, e.RecordedAt
		appends[string(e.Meta)]++
	}
	for id, position := range w.ledger.at {
		if at[id] != position {
			t.Errorf("event %s was acknowledged at %d but is at %d", id, position, at[id])
		}
	}
	for id := range w.ledger.refused {
		if at[id] != 0 {
			t.Errorf("event %s was refused but is at %d", id, at[id])
		}
	}
	for meta, n := range appends {
		_, text, _ := strings.Cut(meta, `"n":`)
		if want := strings.TrimSuffix(text, "}"); want != strconv.Itoa(n) {
			t.Errorf("append %s left %d events", meta, n)
		}
	}
	t.Logf("%d events, %d acknowledged, %d refused, %d unknown to their writers", len(at), len(w.ledger.at), len(w.ledger.refused), len(w.ledger.perhaps))
	if len(w.ledger.at) == 0 || len(w.ledger.refused) == 0 {
		t.Error("the test shows nothing")
	}
}
