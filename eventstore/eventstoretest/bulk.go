package eventstoretest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"zurnals/eventstore"
)

// An import of many small appends, broken off and begun again: everything is
// there once, in order, and the row that is refused is told by its number.
func bulk(t *testing.T, f Fixture) {
	const rows, taken, stops = 2_500, 700, 1_200
	owner := Stream("account")
	must(t, f, eventstore.Request{Writes: []eventstore.Write{Write(owner, 0, 1)}, Take: []eventstore.Claim{{Kind: "code", Value: fmt.Sprint(taken), Stream: owner}}})
	run, streams := uuid.New(), make([]string, rows)
	for i := range streams {
		streams[i] = Stream("pupil")
		if i%10 == 9 { // two rows about the same pupil
			streams[i] = streams[i-1]
		}
	}
	requests := func(yield func(eventstore.Request) bool) {
		for i, stream := range streams {
			expected := 0
			if i%10 == 9 {
				expected = 1
			}
			if !yield(eventstore.Request{
				Writes: []eventstore.Write{Write(stream, expected, 1)},
				Take:   []eventstore.Claim{{Kind: "code", Value: fmt.Sprint(i), Stream: stream}},
			}) {
				return
			}
		}
	}
	stop := errors.New("the import is broken off")
	load := func(upto int) (done, repeated int, err error) {
		err = eventstore.AppendBulk(t.Context(), f.Log, run, requests, func(n int, r eventstore.Result, err error) error {
			var claimed *eventstore.ClaimedError
			switch {
			case n == taken && errors.As(err, &claimed) && claimed.Holder == owner:
			case err != nil:
				t.Errorf("row %d: %v", n, err)
			case r.Duplicate:
				repeated++
			default:
				done++
			}
			if n == upto {
				return stop
			}
			return nil
		})
		return done, repeated, err
	}
	if done, repeated, err := load(stops); !errors.Is(err, stop) || done != stops || repeated != 0 {
		t.Fatalf("broken off: %d done, %d repeated, %v", done, repeated, err)
	}
	if done, repeated, err := load(rows); err != nil || done+repeated != rows-1 || repeated < stops {
		t.Fatalf("again: %d done, %d repeated, %v", done, repeated, err)
	}
	events := all(t, f)
	if len(events) != rows { // one is of the owner, one row is refused
		t.Errorf("%d events", len(events))
	}
	at := make(map[string]int)
	for _, e := range events {
		if at[e.Stream]++; e.Version != at[e.Stream] {
			t.Errorf("%s has version %d at position %d", e.Stream, e.Version, e.Position)
		}
	}
}
