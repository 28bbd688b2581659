package reactions_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// A server that hangs within a window holds the lock of the reaction. The
// database ends its transaction, and another server goes on; what the first
// does when it wakes up fails at the fence.
func TestAHungServerIsReplaced(t *testing.T) {
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
func TestAFailedStatementDoesNotBlock(t *testing.T) {
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
	if took := time.Since(began); failures.Load() != 2 || took > 10*time.Second { // the AckDeadline is 30 s
		t.Errorf("%d failures, %v", failures.Load(), took)
	}
	w.wantOnce(1, 4)
}

// What must not be written in this package, and why.
func TestTrapsAreNotSteppedInto(t *testing.T) {
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
