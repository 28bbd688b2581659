package relay_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"zurnals/eventstore"
	"zurnals/internal/relay"
)

// memory is a log that costs nothing to read.
type memory []eventstore.Event

func (m memory) Head(context.Context) (int64, error) { return int64(len(m)), nil }
func (m memory) Changes() (int64, <-chan struct{})   { return int64(len(m)), nil }
func (m memory) ReadAll(_ context.Context, after, upto int64) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		for _, e := range m[after:upto] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// BenchmarkRelay measures how many events a second go into a stream of one node
// and of three, and how many come out.
func BenchmarkRelay(b *testing.B) {
	const size = 20_000
	log := make(memory, size)
	for i := range log {
		log[i] = eventstore.Event{
			Position: int64(i + 1), ID: uuid.Must(uuid.NewV7()), Stream: "lesson-" + uuid.NewString(), Version: 1, Type: "attendance.marks_recorded",
			Schema: 1, RecordedAt: now(), Meta: []byte(`{"actor":"account","role":"instructor"}`), Data: make([]byte, 400),
		}
		for j := range log[i].Data {
			log[i].Data[j] = "0123456789abcdef"[(i*7+j*j)%16]
		}
	}
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			_, url := cluster(b, nodes)
			n := 0
			run := func(name string) (stop func(), r *relay.Relay) {
				r, err := relay.Open(relay.Config{URL: url, Name: name, Logger: slog.New(slog.DiscardHandler)}, log)
				if err != nil {
					b.Fatal(err)
				}
				return background(b, r.Run), r
			}
			stop, first := run("warm") // until the cluster has elected its leaders
			until(b, "it works", func() bool { at, _ := first.Position(); return at == size })
			stop()
			first.Close()
			name := ""
			b.Run("publish", func(b *testing.B) {
				published := 0
				for b.Loop() {
					n++
					name = fmt.Sprintf("stream%d", n)
					stop, r := run(name)
					until(b, "all is there", func() bool { at, _ := r.Position(); return at == size })
					stop()
					r.Close()
					published += size
				}
				b.ReportMetric(float64(published)/b.Elapsed().Seconds(), "events/s")
			})
			b.Run("read", func(b *testing.B) {
				s, err := relay.Follow(b.Context(), relay.Config{URL: url, Name: name})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				n := 0
				for b.Loop() {
					for _, err := range s.ReadAll(b.Context(), 0, 0) {
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			})
		})
	}
}
