package eventstoretest

import (
	"slices"
	"testing"
	"time"

	"zurnals/eventstore"
)

func recordedAt(t *testing.T, f Fixture) {
	f.Clock.Advance(1_500 * time.Nanosecond)
	must(t, f, one(Write(Stream("a"), 0, 1)))
	f.Clock.Advance(-time.Hour)
	must(t, f, one(Write(Stream("a"), 0, 2)))
	f.Clock.Advance(2 * time.Hour)
	must(t, f, one(Write(Stream("a"), 0, 1)))
	first, last := Start.Add(time.Microsecond), Start.Add(time.Hour+time.Microsecond)
	var got []time.Time
	for _, e := range all(t, f) {
		got = append(got, e.RecordedAt)
	}
	if want := []time.Time{first, first, first, last}; !slices.Equal(got, want) {
		t.Errorf("recorded at %v, want %v", got, want)
	}
}

func positionAt(t *testing.T, f Fixture) {
	for range 7 { // a minute apart, three events each
		must(t, f, one(Write(Stream("a"), 0, 3)))
		f.Clock.Advance(time.Minute)
	}
	for after, want := range map[time.Duration]int64{
		-time.Microsecond: 0, 0: 3, time.Minute - time.Microsecond: 3, time.Minute: 6,
		3*time.Minute + time.Second: 12, 6 * time.Minute: 21, time.Hour: 21,
	} {
		got, err := f.Log.PositionAt(t.Context(), Start.Add(after))
		if err != nil || got != want {
			t.Errorf("%s after the start: position %d, want %d, %v", after, got, want, err)
		}
	}
}

func readers(t *testing.T, f Fixture) {
	stream := Stream("a")
	for i := range 12 { // more than one page of a reader
		must(t, f, one(Write(stream, i*100, 100)))
	}
	for _, c := range []struct{ after, upto, first, n int64 }{
		{0, 0, 1, 1200}, {0, 5000, 1, 1200}, {-3, 0, 1, 1200}, {100, 0, 101, 1100}, {100, 101, 101, 1},
		{1199, 0, 1200, 1}, {1200, 0, 0, 0}, {5000, 0, 0, 0}, {100, 100, 0, 0}, {300, 200, 0, 0},
	} {
		events, err := eventstore.Collect(f.Log.ReadAll(t.Context(), c.after, c.upto))
		if err != nil || int64(len(events)) != c.n || c.n > 0 && (events[0].Position != c.first || events[c.n-1].Position != c.first+c.n-1) {
			t.Errorf("after %d up to %d: %d events, %v", c.after, c.upto, len(events), err)
		}
	}
	if events, err := eventstore.Collect(f.Log.ReadStream(t.Context(), stream, 601)); err != nil || len(events) != 600 || events[599].Version != 1200 {
		t.Errorf("the second half of the stream: %d, %v", len(events), err)
	}
	seen := 0
	for e, err := range f.Log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; e.Position == 10 {
			break
		}
		// What is appended while one reads is left for the next time.
		must(t, f, one(Write(stream, eventstore.Any, 1)))
	}
	if seen != 10 {
		t.Errorf("read %d before stopping at 10", seen)
	}
	if events, err := eventstore.Collect(f.Log.ReadAll(t.Context(), 1195, 0)); err != nil || len(events) != 14 {
		t.Errorf("the rest: %d, %v", len(events), err)
	}
}

func waiting(t *testing.T, f Fixture) {
	head, moved := f.Log.Changes()
	if head != 0 {
		t.Fatalf("head %d of an empty log", head)
	}
	waited := make(chan error, 1)
	go func() { waited <- f.Log.Wait(t.Context(), 3) }()
	must(t, f, one(Write(Stream("a"), 0, 2)))
	<-moved
	if head, _ := f.Log.Changes(); head != 2 {
		t.Errorf("head %d after two events", head)
	}
	select {
	case err := <-waited:
		t.Errorf("position 3 was reached at 2: %v", err)
	default:
	}
	must(t, f, one(Write(Stream("a"), 0, 1)))
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if err := f.Log.Wait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	_, moved = f.Log.Changes()
	stream := Stream("a")
	refused(t, f, one(Write(stream, 5, 1)), &eventstore.ConflictError{Stream: stream})
	select {
	case <-moved:
		t.Error("the head moved without an event")
	default:
	}
}

func secrets(t *testing.T, f Fixture) {
	links, err := f.Keys.Derive(t.Context(), "links")
	if err != nil || len(links) != 32 {
		t.Fatalf("%d bytes, %v", len(links), err)
	}
	again, _ := f.Keys.Derive(t.Context(), "links")
	other, _ := f.Keys.Derive(t.Context(), "checkpoint")
	if !slices.Equal(links, again) || slices.Equal(links, other) {
		t.Error("a purpose does not have a secret of its own")
	}
}
