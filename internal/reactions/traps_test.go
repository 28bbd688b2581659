package reactions_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5"

	"zurnals/internal/reactions"
)

// The traps of watermill-sql/v3, a test for each, called TestTrap… and what the
// trap is: what would happen to those who walk into it.

// Every window is nacked once before its work and once after it, as if the
// server had died there: the transaction must not depend on the acknowledgement.
func TestTrapANackDoesNotRollBack(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	var mu sync.Mutex
	tries := make(map[string]int)
	c.Batch = 7
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			mu.Lock()
			tries[m.UUID]++
			try := tries[m.UUID]
			mu.Unlock()
			if try == 1 {
				return nil, errors.New("died before")
			}
			out, err := h(m)
			if try == 2 {
				return nil, errors.New("died after")
			}
			return out, err
		}
	}}
	e := w.open(c)
	w.start(e)
	w.happen("example.noted", 40)
	w.drain(e)
	w.wantOnce(1, 40)
}

// A window that takes longer than the AckDeadline is given up by watermill,
// which then commits its own transaction and offers the window anew.
func TestTrapTheAckDeadlineCommitsHalfTheWork(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Timeout = 100 * time.Millisecond
	var slow atomic.Bool
	slow.Store(true)
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			if slow.Swap(false) {
				<-m.Context().Done() // the AckDeadline
			}
			return h(m)
		}
	}}
	e := w.open(c)
	w.start(e)
	w.happen("example.noted", 5)
	w.drain(e)
	w.happen("example.noted", 5)
	w.drain(e)
	w.wantOnce(1, 10)
}

// The router cancels the contexts of messages when it closes. A window in hand
// is committed nevertheless, and Run waits for it.
func TestTrapClosingTheRouterCancelsContextsAndDropsAcks(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	inHand := make(chan struct{}, 1)
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			inHand <- struct{}{}
			<-m.Context().Done()
			return h(m)
		}
	}}
	e := w.open(c)
	w.happen("example.noted", 3)
	stop := w.start(e)
	<-inHand
	stop()
	w.wantOnce(1, 3)

	// Its acknowledgement was dropped: it does not come again all the same.
	sound := w.open(w.config(notes()))
	w.start(sound)
	w.happen("example.noted", 2)
	w.drain(sound)
	w.wantOnce(1, 5)
}

// An append wakes the reactions: with an hour between two polls nothing else does.
func TestTrapPollingOnly(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Poll = time.Hour
	e := w.open(c)
	w.start(e)
	for n := range 20 {
		w.happen("example.noted", 1)
		w.drain(e)
		w.wantOnce(1, int64(n+1))
	}
}

// Watermill's own transaction is committed after a nack: whoever used it would
// do half the work, or do it twice.
func TestTrapWatermillsTransactionIsUsedNowhere(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(source), "TxFromContext") {
			t.Errorf("%s takes watermill's transaction", file)
		}
	}
}

// A server that hangs within a window holds the lock of the reaction. The
// database ends its transaction, and another server goes on; what the first
// does when it wakes up fails at the fence.
func TestTrapAHungServerHoldsTheLock(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Timeout = 300 * time.Millisecond
	hangs, wake := make(chan struct{}, 1), make(chan struct{})
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			select {
			case hangs <- struct{}{}:
			default:
			}
			<-wake
			return h(m)
		}
	}}
	stop := w.start(w.open(c))
	w.happen("example.noted", 3)
	<-hangs
	sound := w.open(w.config(notes()))
	w.start(sound)
	w.drain(sound)
	w.wantOnce(1, 3)
	close(wake)
	w.happen("example.noted", 2)
	w.drain(sound)
	stop()
	w.wantOnce(1, 5)
}

// A statement that fails within a window does not block until the AckDeadline,
// as it would in watermill's own transaction: the window comes again at once.
func TestTrapAFailedStatementBlocksUntilTheDeadline(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	var failures atomic.Int64
	c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			out, err := h(m)
			if err != nil && failures.Add(1) == 2 {
				if _, err := w.db.Owner.Exec(t.Context(), `GRANT INSERT ON jobs.river_job TO zurnals_app`); err != nil {
					t.Error(err)
				}
			}
			return out, err
		}
	}}
	if _, err := w.db.Owner.Exec(t.Context(), `REVOKE INSERT ON jobs.river_job FROM zurnals_app`); err != nil {
		t.Fatal(err)
	}
	e := w.open(c)
	w.start(e)
	w.happen("example.noted", 4)
	began := time.Now()
	w.drain(e)
	if took := time.Since(began); failures.Load() != 2 || took > 20*time.Second { // the AckDeadline is 30 s
		t.Errorf("%d failures, %v", failures.Load(), took)
	}
	w.wantOnce(1, 4)
}

// Watermill's own select compares (transaction, offset) with OR, and reads all
// that was done before for each message. Ours reads what it delivers, however
// long the backlog.
func TestTrapTheSelectIsQuadraticOnABacklog(t *testing.T) {
	w := newWorld(t)
	w.open(w.config(notes())) // registers it; nobody runs it
	const batch, backlog = 100, 20_000
	w.happen("example.noted", backlog)
	if _, err := w.db.Owner.Exec(t.Context(), `ANALYZE es.event`); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, backlog / 2, backlog - batch} {
		if _, err := w.pool.Exec(t.Context(), `UPDATE reaction.offset SET position = $1`, at); err != nil {
			t.Fatal(err)
		}
		var text []byte
		err := w.pool.QueryRow(t.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) `+reactions.SelectWindow, "notes", []string{"example.noted"}, 100_000, batch).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		var explained []struct{ Plan node }
		if err := json.Unmarshal(text, &explained); err != nil {
			t.Fatal(err)
		}
		if read := explained[0].Plan.read(); read < batch || read > 2*batch {
			t.Errorf("at %d of %d it reads %v events for %d:\n%s", at, backlog, read, batch, text)
		}
	}
}

// A node of a plan.
type node struct {
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []node
}

// read is how many events were read.
func (n node) read() (rows float64) {
	if strings.HasPrefix(n.Relation, "event") {
		rows = (n.Rows + n.Removed) * n.Loops
	}
	for _, p := range n.Plans {
		rows += p.read()
	}
	return rows
}

// A hundred thousand events that no reaction handles are one window, which takes
// a tenth of a second; three are what it may take.
func TestAHundredThousandUnhandledEventsAreNoBacklog(t *testing.T) {
	const wide = 100_000
	w := newWorld(t)
	e := w.open(w.config(notes()))
	w.happen("example.other", wide)
	var took []time.Duration
	for range 3 {
		if _, err := w.pool.Exec(t.Context(), `UPDATE reaction.offset SET position = 0, epoch = epoch + 1`); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		stop := w.start(e)
		w.drain(e)
		took = append(took, time.Since(began))
		stop()
	}
	if s := w.status(e); s.Position != wide {
		t.Errorf("got %+v", s)
	}
	// The quickest: the machine may do much else.
	if quickest := slices.Min(took); quickest > 3*time.Second {
		t.Errorf("it takes %v", took)
	}
	t.Logf("%v", took)
}

// Metadata of a message are strings. Numbers in JSON would lose positions above
// 2⁵³; written out in digits they come back as they were.
func TestTrapMetadataAreStrings(t *testing.T) {
	const far = int64(1)<<62 + 1
	row, err := reactions.UnmarshalWindow(scanned{far, far + 99, 7, 12})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"from": "4611686018427387905", "to": "4611686018427388004", "epoch": "7", "hits": "12"} {
		if got := row.Msg.Metadata.Get(key); got != want {
			t.Errorf("%s: %q, want %s", key, got, want)
		}
	}
}

// scanned is a row that was selected.
type scanned []int64

func (s scanned) Scan(into ...any) error {
	for i, n := range s {
		*into[i].(*int64) = n
	}
	return nil
}

// The middleware for timeouts hands on a context that ends while the handler
// works, and is ended when a message comes again. A window does not go by it.
func TestTrapTheTimeoutMiddlewareLeavesACancelledContext(t *testing.T) {
	w := newWorld(t)
	c := w.config(notes())
	c.Middleware = []message.HandlerMiddleware{middleware.Timeout(0), func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			if m.Context().Err() == nil {
				t.Error("the trap is gone: the context is alive")
			}
			return h(m)
		}
	}}
	e := w.open(c)
	w.start(e)
	w.happen("example.noted", 3)
	w.drain(e)
	w.wantOnce(1, 3)
}

// Names that watermill makes by itself are those of Go types, and change with
// them: what is in the database has names of its own.
func TestTrapDefaultNamesAreGoTypes(t *testing.T) {
	w := newWorld(t)
	e := w.open(w.config(notes()))
	w.start(e)
	w.happen("example.noted", 1)
	w.drain(e)
	rows, err := w.pool.Query(t.Context(), `SELECT name FROM reaction.offset UNION ALL SELECT kind FROM jobs.river_job ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !slices.Equal(names, []string{"note", "notes"}) {
		t.Errorf("names: %v, %v", names, err)
	}
}

// What must not be written in this package, and why.
func TestTrapsInTheSource(t *testing.T) {
	for _, trap := range []struct{ file, text, why string }{
		{"window.go", "FOR UPDATE", "the handler's transaction would wait for watermill's until the AckDeadline"},
		{"window.go", "pg_advisory_lock(", "a lock that waits holds a connection of every server; only try"},
		{"window.go", "pg_advisory_xact_lock(", "the same"},
		{"window.go", "sql.LevelRepeatableRead", "what a snapshot of before the lock shows is old"},
		{"reactions.go", "middleware.Timeout", "it leaves the handler a context that is cancelled"},
		{"reactions.go", "DefaultPostgreSQL", "the default select is quadratic on a backlog"},
	} {
		source, err := os.ReadFile(trap.file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			code, _, _ := strings.Cut(line, "// ")
			if strings.Contains(code, trap.text) {
				t.Errorf("%s has %s: %s", trap.file, trap.text, trap.why)
			}
		}
	}
}

// BenchmarkAWindowOfUnhandledEvents measures how long 100,000 events that no
// reaction handles keep one from going on.
func BenchmarkAWindowOfUnhandledEvents(b *testing.B) {
	const wide = 100_000
	w := newWorld(b)
	e := w.open(w.config(notes()))
	w.happen("example.other", wide)
	stop := w.start(e)
	w.drain(e)
	stop()
	for b.Loop() {
		b.StopTimer()
		if _, err := w.pool.Exec(b.Context(), `UPDATE reaction.offset SET position = 0, epoch = epoch + 1`); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		stop := w.start(e)
		w.drain(e)
		b.StopTimer()
		stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(wide), "events/window")
}
