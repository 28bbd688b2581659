package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// What only the owner of the database can do to it, in each column.
func TestTamperingIsRefusedByTheServerAndNamedByTheExport(t *testing.T) {
	for column, to := range map[string]string{
		"position": "1000", "stream": "stream || 'x'", "version": "version + 100", "id": "gen_random_uuid()", "type": "'test.other'", "schema": "2",
		"recorded_at": "recorded_at + interval '1 microsecond'", "meta": `'{"a":1}'`, "data": "set_byte(data, 3, 66)",
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pgtest.New(t))
			w.append(50)
			before := w.seal()
			w.append(10)
			w.tamper(`UPDATE es.event SET ` + column + ` = ` + to + ` WHERE position = 17`)
			if column == "position" {
				w.refusesToSeal("position 17 is missing")
				begins(t, w.verify(before), "deleted at position 17: ")
			} else {
				w.refusesToSeal("position 17 was changed")
				begins(t, w.verify(before), "changed at position 17: ")
			}
			if _, err := w.sealer.Include(t.Context(), 17); !errors.Is(err, ErrRewritten) {
				t.Errorf("a proof of what was changed: %v", err)
			}
			if _, err := w.sealer.Include(t.Context(), 18); err != nil {
				t.Errorf("a proof of what was not: %v", err)
			}
			if c, err := w.sealer.Checkpoint(t.Context(), 0); err != nil || c != before {
				t.Errorf("it was signed all the same: %v", err)
			}
		})
	}
}

func TestOtherTampering(t *testing.T) {
	renumber := func(of string, to string) string {
		return `UPDATE es.event SET position = ` + to + ` WHERE position ` + of
	}
	for name, c := range map[string]struct {
		sql    []string
		server string
		export []string
	}{
		"order": {[]string{renumber(`= 17`, `9999`), renumber(`= 18`, `17`), renumber(`= 9999`, `18`)}, "position 17 was changed",
			[]string{"moved at position 17: the event here was sealed at position 18", "moved at position 18: the event here was sealed at position 17"}},
		"deleted": {[]string{`DELETE FROM es.event WHERE position = 17`}, "position 17 is missing", []string{"deleted at position 17: "}},
		"deleted, and the gap closed": {[]string{`DELETE FROM es.event WHERE position = 17`,
			renumber(`> 17`, `position + 9999`), renumber(`> 9999`, `position - 10000`)}, "position 17 was changed",
			[]string{"deleted at position 17: ", "moved at positions 17 to 49: the events here were sealed at positions 18 to 50", "inserted at position 50: "}},
		"cut off": {[]string{`DELETE FROM es.event WHERE position > 48`, `DELETE FROM es.mark`, `INSERT INTO es.mark VALUES (48, now())`},
			"it ends at 48, 50 were sealed", []string{"deleted at position 49: ", "deleted at position 50: "}},
		"the tree": {[]string{`UPDATE proof.hash SET hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0)) WHERE first = 0`}, "the hashes that are kept of positions 1 to 50 were changed",
			[]string{"unsealed: the events are as they were signed, but hashes in the export are not"}},
		"the tree deleted":                                   {[]string{`DELETE FROM proof.hash`}, "50 were sealed", nil},
		"the newest hashes deleted":                          {[]string{`DELETE FROM proof.hash WHERE first > 0`}, "", nil},
		"an older checkpoint put in the place of the newest": {[]string{`UPDATE proof.checkpoint SET note = replace(note, '50', '49')`}, "is not signed with this key", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pgtest.New(t))
			w.append(50)
			before := w.seal()
			if strings.HasPrefix(name, "deleted, ") {
				w.append(1) // what moves into the place of the last one
			}
			for _, sql := range c.sql {
				w.tamper(sql)
			}
			w.refusesToSeal(c.server)
			if c.export != nil {
				begins(t, w.verify(before), c.export...)
			}
		})
	}
}

// Somebody who holds everything, the key too, rewrites history and has all of
// it sealed anew. The file beside the server, and the auditors' copies, tell.
func TestHistoryRewrittenAndSealedAgain(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	var kept []Checkpoint
	for range 5 {
		w.append(10)
		kept = append(kept, w.seal())
	}
	w.tamper(`UPDATE es.event SET type = 'test.other' WHERE position = 17`)
	w.tamper(`TRUNCATE proof.hash, proof.checkpoint`)
	w.refusesToSeal("up to 50 it is not the one of the checkpoint in " + w.file)
	w.must(os.Remove(w.file))
	w.seal()
	begins(t, w.verify())
	begins(t, w.verify(kept...), "rewritten at positions 11 to 20: ")
	proof, err := w.sealer.Continue(t.Context(), 40, 0)
	w.must(err)
	if _, err := VerifyProof(text(t, proof), w.sealer.Key(), kept); err == nil || !strings.Contains(err.Error(), "history was rewritten") {
		t.Errorf("it is said to continue the old one: %v", err)
	}
	// Its end was cut off.
	w.tamper(`TRUNCATE proof.hash, proof.checkpoint`)
	w.tamper(`DELETE FROM es.event WHERE position > 40`)
	w.tamper(`DELETE FROM es.mark`)
	w.tamper(`INSERT INTO es.mark VALUES (40, now())`)
	w.refusesToSeal("it ends at 40, " + w.file + " has a checkpoint of 50")
}

// The older events are gone through in turn, not only the last page.
func TestTheServerComesToOldEventsInTurn(t *testing.T) {
	w := newWorld(t, pgtest.New(t))
	w.append(patrolled + again + 5)
	w.seal()
	w.tamper(`UPDATE es.event SET type = 'test.other' WHERE position = $1`, patrolled+1)
	w.seal() // the first part, and the last page
	w.refusesToSeal(fmt.Sprintf("position %d was changed", patrolled+1))
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
	for deadline := time.Now().Add(10 * time.Second); w.sealer.Err() == nil && time.Now().Before(deadline); {
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
		`UPDATE proof.hash SET first = 7`, `DELETE FROM proof.hash`, `TRUNCATE proof.hash`,
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
