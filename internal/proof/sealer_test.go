package proof

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
)

// A world is a database with a log in it, and a sealer.
type world struct {
	t      testing.TB
	db     *pgtest.DB
	clock  *eventstoretest.Clock
	log    *eventstore.Postgres
	keys   *eventstore.PostgresKeys
	sealer *Sealer
	file   string
	out    *bytes.Buffer // what the sealer has logged
}

func newWorld(t testing.TB, db *pgtest.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: eventstoretest.NewClock(), file: filepath.Join(t.TempDir(), "checkpoints"), out: new(bytes.Buffer)}
	var err error
	w.keys, err = eventstore.OpenKeys(t.Context(), db.App, w.clock.Now, eventstore.NewMaster())
	w.must(err)
	w.log, err = eventstore.Open(t.Context(), db.App, w.clock.Now, w.keys)
	w.must(err)
	ended := make(chan error, 1)
	go func() { ended <- w.log.Run(context.Background()) }()
	t.Cleanup(func() {
		w.log.Close()
		w.must(<-ended)
	})
	w.sealer = w.open()
	return w
}

// open opens another sealer, as another start of the program would.
func (w *world) open() *Sealer {
	w.t.Helper()
	s, err := Open(w.t.Context(), Config{
		Pool: w.db.App, Log: w.log, Keys: w.keys, Now: w.clock.Now, File: w.file,
		Logger: slog.New(slog.NewTextHandler(w.out, nil)),
	})
	w.must(err)
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// append appends n events and turns the clock on by a minute.
func (w *world) append(n int) {
	w.t.Helper()
	for n > 0 {
		some := min(n, 1000)
		_, err := w.log.Append(w.t.Context(), eventstore.Request{Writes: []eventstore.Write{eventstoretest.Write(eventstoretest.Stream("student"), 0, some)}})
		w.must(err)
		n -= some
	}
	w.clock.Advance(time.Minute)
}

func (w *world) seal() Checkpoint {
	w.t.Helper()
	c, err := w.sealer.Seal(w.t.Context())
	w.must(err)
	return c
}

// tamper changes the database as only its owner can.
func (w *world) tamper(sql string, args ...any) {
	w.t.Helper()
	_, err := w.db.Owner.Exec(w.t.Context(), sql, args...)
	w.must(err)
}

// verify exports and verifies.
func (w *world) verify(older ...Checkpoint) string {
	w.t.Helper()
	var file bytes.Buffer
	_, err := w.sealer.Export(w.t.Context(), &file)
	w.must(err)
	report, err := Verify(&file, w.sealer.Key(), older)
	w.must(err)
	return told(report)
}

func (w *world) refusesToSeal(why string) {
	w.t.Helper()
	if _, err := w.sealer.Seal(w.t.Context()); !errors.Is(err, ErrRewritten) || !strings.Contains(err.Error(), why) {
		w.t.Errorf("seal: %v; want %q", err, why)
	}
}

func TestTheLogIsSealedAndProven(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	if _, err := w.sealer.Seal(t.Context()); !errors.Is(err, ErrNotSealed) {
		t.Errorf("an empty log: %v", err)
	}
	if _, err := w.sealer.Include(t.Context(), 1); !errors.Is(err, ErrNotSealed) {
		t.Error(err)
	}
	var all []Checkpoint
	for _, n := range []int{1, 1, 5, 60, 61, 1, 300} {
		w.append(n)
		all = append(all, w.seal())
	}
	last := all[len(all)-1]
	if last.Size != 429 || w.seal() != last {
		t.Errorf("sealed are %d, %d", last.Size, w.seal().Size)
	}
	begins(t, w.verify(all...))
	for _, p := range []int64{1, 2, 3, 64, 65, 128, 428, 429} {
		proof, err := w.sealer.Include(t.Context(), p)
		w.must(err)
		if _, err := VerifyProof(text(t, proof), w.sealer.Key(), all); err != nil {
			t.Errorf("position %d: %v", p, err)
		}
	}
	for _, c := range all {
		proof, err := w.sealer.Continue(t.Context(), c.Size, 0)
		w.must(err)
		if said, err := VerifyProof(text(t, proof), w.sealer.Key(), []Checkpoint{c}); err != nil || !strings.Contains(said, "continues the one of") {
			t.Errorf("from %d: %v", c.Size, err)
		}
	}
	proof, err := w.sealer.Continue(t.Context(), 3, all[3].Size) // nobody signed 3
	w.must(err)
	if _, err := VerifyProof(text(t, proof), w.sealer.Key(), nil); err == nil || proof.Earlier != "" {
		t.Error("a proof without the checkpoint that is continued")
	}
	for p, want := range map[int64]error{0: ErrNoEvent, -1: ErrNoEvent, 430: ErrNoEvent} {
		if _, err := w.sealer.Include(t.Context(), p); !errors.Is(err, want) {
			t.Errorf("position %d: %v", p, err)
		}
	}
	w.append(1)
	if _, err := w.sealer.Include(t.Context(), 430); !errors.Is(err, ErrNotSealed) {
		t.Errorf("not sealed yet: %v", err)
	}
	for sizes, want := range map[[2]int64]error{{0, 0}: ErrSizes, {-3, 0}: ErrSizes, {430, 0}: ErrSizes, {1, 3}: ErrNoCheckpoint, {429, 68}: ErrNoCheckpoint, {68, 67}: ErrSizes} {
		if _, err := w.sealer.Continue(t.Context(), sizes[0], sizes[1]); !errors.Is(err, want) {
			t.Errorf("%v: %v", sizes, err)
		}
	}

	// The file has every checkpoint, as the table has.
	written, err := os.ReadFile(w.file)
	w.must(err)
	kept, defects := OpenCheckpoints(w.sealer.Key(), string(written))
	if !slices.Equal(kept, all) || len(defects) > 0 {
		t.Errorf("the file has\n%s", written)
	}
}

// A server that is killed at any moment goes on where the tree ends.
func TestASealerGoesOnWhereTheOneBeforeEnded(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	w.append(batch + 10)
	ctx, kill := context.WithCancel(t.Context())
	tx, err := w.db.App.Begin(ctx)
	w.must(err)
	if _, _, more, err := w.sealer.extend(ctx, tx, true); err != nil || !more {
		t.Fatalf("one batch: %v, more %v", err, more)
	}
	w.must(tx.Commit(ctx))
	if tx, err = w.db.App.Begin(ctx); err == nil { // the second is not committed
		_, _, _, err = w.sealer.extend(ctx, tx, false)
	}
	w.must(err)
	kill()
	_ = tx.Rollback(context.WithoutCancel(ctx))
	size, err := treeSize(t.Context(), w.db.App)
	w.must(err)
	if size != batch {
		t.Fatalf("%d are in the tree", size)
	}
	// The file has the checkpoint that the table has not, and is half written.
	written, err := os.ReadFile(w.file)
	w.must(err)
	if len(FindCheckpoints(string(written))) != 1 {
		t.Fatalf("%s", written)
	}
	w.must(os.WriteFile(w.file, append(written, written[:len(written)/2]...), 0o644))
	w.sealer = w.open()
	if c := w.seal(); c.Size != batch+10 {
		t.Errorf("sealed are %d", c.Size)
	}
	begins(t, w.verify())
	w.append(1)
	c := w.seal()
	written, err = os.ReadFile(w.file)
	w.must(err)
	if kept, _ := OpenCheckpoints(w.sealer.Key(), string(written)); kept[len(kept)-1] != c {
		t.Errorf("the file has\n%s", written)
	}
}

func TestSeveralSealersAtOnce(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	var all sync.WaitGroup
	for range 4 {
		s := w.open()
		all.Go(func() {
			for range 10 {
				if _, err := s.Seal(context.Background()); err != nil && !errors.Is(err, ErrNotSealed) {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		w.append(7)
	}
	all.Wait()
	if c := w.seal(); c.Size != 210 {
		t.Errorf("sealed are %d", c.Size)
	}
	written, err := os.ReadFile(w.file)
	w.must(err)
	kept, defects := OpenCheckpoints(w.sealer.Key(), string(written))
	if len(defects) > 0 || !slices.IsSortedFunc(kept, func(a, b Checkpoint) int { return int(a.Size - b.Size) }) {
		t.Errorf("the file: %v", defects)
	}
	begins(t, w.verify(kept...))
}

// Run seals every minute by the one clock, tells whoever wants to know, and
// survives that they cannot be told.
func TestRunSealsByTheOneClock(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	w.append(3)
	published := make(chan Checkpoint, 10)
	w.sealer.cfg.Publish = func(_ context.Context, c Checkpoint) error {
		published <- c
		return errors.New("the mail server is away")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.sealer.Run(ctx) }()
	if c := <-published; c.Size != 3 || !c.At.Equal(w.clock.Now()) {
		t.Errorf("%+v", c)
	}
	w.append(4) // a minute
	if c := <-published; c.Size != 7 {
		t.Errorf("%+v", c)
	}
	w.tamper(`DELETE FROM es.event WHERE position = 5`)
	w.clock.Advance(time.Minute)
	for deadline := time.Now().Add(processtest.Patience); w.sealer.Err() == nil && time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		<-ctx.Done()
		cancel()
	}
	if !errors.Is(w.sealer.Err(), ErrRewritten) {
		t.Errorf("it does not tell: %v", w.sealer.Err())
	}
	stop()
	w.must(<-ended)
	if got := w.out.String(); !strings.Contains(got, "THE LOG WAS TAMPERED WITH") || !strings.Contains(got, "the mail server is away") || len(published) > 0 {
		t.Errorf("logged is %s", got)
	}
}

// The program itself can only add.
func TestTheApplicationCannotChangeTheProof(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	w.append(2)
	w.seal()
	for _, sql := range []string{
		`UPDATE proof.summary SET first = 7`, `DELETE FROM proof.summary`, `TRUNCATE proof.summary`, `UPDATE proof.hash SET first = 7`, `DELETE FROM proof.hash`, `TRUNCATE proof.hash`,
		`UPDATE proof.checkpoint SET size = 7`, `DELETE FROM proof.checkpoint`, `TRUNCATE proof.checkpoint`, `DROP TABLE proof.hash`,
	} {
		_, err := w.db.App.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
		if _, err := w.db.Analyst.Exec(t.Context(), `SELECT FROM proof.checkpoint`); err == nil {
			t.Error("the analyst reads checkpoints")
		}
	}
}

// A server that was updated has a file of checkpoints over leaves of the former
// form: they say nothing of this tree, and it goes on below them.
func TestTheFileBeginsWithFormerCheckpoints(t *testing.T) {
	for _, former := range []int{1, 100} { // more than is looked at of a file
		w := newWorld(t, pgtest.New(t))
		old := "\nzurnals log\n3\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n2025-08-01T05:01:00Z\n\n— zurnals 2c5d2a1fCw==\n"
		w.must(os.WriteFile(w.file, []byte(strings.Repeat(old, former)), 0o644))
		w.append(3)
		w.sealer = w.open()
		c := w.seal()
		w.sealer = w.open()
		if again, err := w.sealer.lastInFile(); err != nil || again != c || c.Size != 3 {
			t.Errorf("%d before it: %+v, %v", former, again, err)
		}
		begins(t, w.verify())
	}
}
