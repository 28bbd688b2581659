package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"zurnals/eventstore"
)

func must(t *testing.T, f Fixture, r eventstore.Request) eventstore.Result {
	t.Helper()
	result, err := f.Log.Append(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func one(w ...eventstore.Write) eventstore.Request { return eventstore.Request{Writes: w} }

func refused(t *testing.T, f Fixture, r eventstore.Request, want error) {
	t.Helper()
	before, err := f.Log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Log.Append(t.Context(), r)
	if err == nil {
		t.Errorf("accepted as %+v, want %v", result, want)
	} else if got := strings.TrimPrefix(err.Error(), "append: "); !errors.Is(err, want) && got != want.Error() {
		t.Errorf("refused with %q, want %q", got, want)
	}
	if after, _ := f.Log.Head(t.Context()); after != before {
		t.Errorf("a refused append moved the head from %d to %d", before, after)
	}
}

func all(t *testing.T, f Fixture) []eventstore.Event {
	t.Helper()
	events, err := eventstore.Collect(f.Log.ReadAll(t.Context(), 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func appendAndRead(t *testing.T, f Fixture) {
	stream := Stream("account")
	first := eventstore.NewEvent{ID: uuid.New(), Type: "test.invited", Schema: 2, Meta: []byte(`{"by": "Anna"}`), Data: []byte(`{ "name" : "Jānis Bērziņš" }`)}
	second := Event("test.confirmed", `with "quotes" and ž`)
	got := must(t, f, one(eventstore.Write{Stream: stream, Expected: eventstore.NoStream, Events: []eventstore.NewEvent{first, second}}))
	if want := (eventstore.Result{First: 1, Last: 2, Versions: []int{2}}); !cmp.Equal(got, want) {
		t.Errorf("result: %s", cmp.Diff(want, got))
	}
	want := []eventstore.Event{
		{Position: 1, ID: first.ID, Stream: stream, Version: 1, Type: first.Type, Schema: 2, RecordedAt: Start, Meta: first.Meta, Data: first.Data},
		{Position: 2, ID: second.ID, Stream: stream, Version: 2, Type: second.Type, Schema: 1, RecordedAt: Start, Meta: second.Meta, Data: second.Data},
	}
	if diff := cmp.Diff(want, all(t, f)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	for from, want := range map[int][]eventstore.Event{-1: want, 0: want, 1: want, 2: want[1:], 3: nil} {
		got, err := eventstore.Collect(f.Log.ReadStream(t.Context(), stream, from))
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("stream from %d: %v %s", from, err, cmp.Diff(want, got))
		}
	}
	other := Stream("account")
	must(t, f, one(Write(other, 0, 1)))
	streams, err := f.Log.ReadStreams(t.Context(), stream, Stream("missing"), other)
	if err != nil || len(streams) != 2 || !cmp.Equal(streams[stream], want) || len(streams[other]) != 1 {
		t.Errorf("streams: %v %v", streams, err)
	}
	versions, err := f.Log.Versions(t.Context(), other, Stream("missing"), stream)
	if err != nil || !slices.Equal(versions, []int{1, 0, 2}) {
		t.Errorf("versions %v, %v", versions, err)
	}
}

func expectedVersions(t *testing.T, f Fixture) {
	stream := Stream("register")
	refused(t, f, one(Write(stream, 1, 1)), &eventstore.ConflictError{Stream: stream, Actual: 0})
	must(t, f, one(Write(stream, eventstore.NoStream, 3)))
	for _, wrong := range []int{0, 2, 4, 1 << 40} {
		refused(t, f, one(Write(stream, wrong, 1)), &eventstore.ConflictError{Stream: stream, Actual: 3})
	}
	must(t, f, one(Write(stream, 3, 1)))
	if got := must(t, f, one(Write(stream, eventstore.Any, 2))); got.Versions[0] != 6 {
		t.Errorf("version %d after appending to any", got.Versions[0])
	}
	if got := must(t, f, one(Write(Stream("register"), eventstore.Any, 1))); got.Versions[0] != 1 {
		t.Errorf("version %d of a new stream", got.Versions[0])
	}
}

func severalStreams(t *testing.T, f Fixture) {
	a, b, c := Stream("a"), Stream("b"), Stream("c")
	must(t, f, one(Write(b, 0, 2)))
	got := must(t, f, one(Write(a, 0, 1), Write(b, 2, 3), Write(c, eventstore.Any, 1)))
	if want := (eventstore.Result{First: 3, Last: 7, Versions: []int{1, 5, 1}}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	var order []string
	for _, e := range all(t, f)[2:] {
		order = append(order, e.Stream)
	}
	if !slices.Equal(order, []string{a, b, b, b, c}) {
		t.Errorf("events are not in the order of the request: %v", order)
	}
	refused(t, f, one(Write(a, 1, 1), Write(b, 4, 1)), &eventstore.ConflictError{Stream: b, Actual: 5})
	if versions, _ := f.Log.Versions(t.Context(), a, b); !slices.Equal(versions, []int{1, 5}) {
		t.Errorf("half of a refused append was written: %v", versions)
	}
}

func guards(t *testing.T, f Fixture) {
	guarded, stream := Stream("access"), Stream("account")
	with := func(version int) eventstore.Request {
		return eventstore.Request{Writes: []eventstore.Write{Write(stream, eventstore.Any, 1)}, Guards: []eventstore.Guard{{Stream: guarded, Version: version}}}
	}
	must(t, f, with(0))
	refused(t, f, with(1), &eventstore.ConflictError{Stream: guarded, Actual: 0, Guard: true})
	must(t, f, one(Write(guarded, 0, 2)))
	refused(t, f, with(1), &eventstore.ConflictError{Stream: guarded, Actual: 2, Guard: true})
	refused(t, f, with(3), &eventstore.ConflictError{Stream: guarded, Actual: 2, Guard: true})
	must(t, f, with(2))
	must(t, f, with(2)) // a guard is not written
	// A stream may be guarded and written by the same request.
	both := with(2)
	both.Writes = append(both.Writes, Write(guarded, 2, 1))
	must(t, f, both)
}

func holder(t *testing.T, f Fixture, value, want string) {
	t.Helper()
	got, found, err := f.Log.Holder(t.Context(), "email", value)
	if err != nil || got != want || found != (want != "") {
		t.Errorf("holder of %s: %q %t %v, want %q", value, got, found, err, want)
	}
}

func claims(t *testing.T, f Fixture) {
	a, b := Stream("account"), Stream("account")
	claim := func(value, stream string) []eventstore.Claim {
		return []eventstore.Claim{{Kind: "email", Value: value, Stream: stream}}
	}
	change := func(stream string, release, take []eventstore.Claim) eventstore.Request {
		return eventstore.Request{Writes: []eventstore.Write{Write(stream, eventstore.Any, 1)}, Release: release, Take: take}
	}
	taken := &eventstore.ClaimedError{Kind: "email", Holder: a}

	must(t, f, change(a, nil, claim("anna@skola.lv", a)))
	holder(t, f, "anna@skola.lv", a)
	holder(t, f, "Anna@skola.lv", "") // spelling is the caller's business
	refused(t, f, change(b, nil, claim("anna@skola.lv", b)), taken)
	must(t, f, change(a, nil, claim("anna@skola.lv", a))) // the holder takes it again
	// The same name of another kind is another claim.
	must(t, f, eventstore.Request{Writes: []eventstore.Write{Write(b, eventstore.Any, 1)}, Take: []eventstore.Claim{{Kind: "login", Value: "anna@skola.lv", Stream: b}}})

	must(t, f, change(b, claim("anna@skola.lv", b), nil)) // not its own: stays where it is
	holder(t, f, "anna@skola.lv", a)
	must(t, f, change(a, claim("anna@skola.lv", a), claim("anna@skola.lv", a))) // kept
	holder(t, f, "anna@skola.lv", a)
	refused(t, f, change(b, claim("anna@skola.lv", b), claim("anna@skola.lv", b)), taken)
	must(t, f, change(b, claim("anna@skola.lv", a), claim("anna@skola.lv", b))) // moved
	holder(t, f, "anna@skola.lv", b)
	must(t, f, change(b, claim("anna@skola.lv", b), claim("anna.b@skola.lv", b))) // changed
	holder(t, f, "anna@skola.lv", "")
	holder(t, f, "anna.b@skola.lv", b)
	must(t, f, change(a, nil, claim("anna@skola.lv", a))) // free again

	holders, err := f.Log.Holders(t.Context(), "email", []string{"anna@skola.lv", "nobody@skola.lv", "anna.b@skola.lv"})
	if want := map[string]string{"anna@skola.lv": a, "anna.b@skola.lv": b}; err != nil || !cmp.Equal(holders, want) {
		t.Errorf("holders: %v %v", holders, err)
	}
	refused(t, f, change(a, nil, append(claim("x@skola.lv", a), claim("x@skola.lv", b)...)), taken)
	holder(t, f, "x@skola.lv", "")
	// A refused append takes nothing.
	r := change(a, claim("anna@skola.lv", a), claim("new@skola.lv", a))
	r.Writes[0].Expected = 0
	if _, err := f.Log.Append(t.Context(), r); err == nil {
		t.Error("accepted at the wrong version")
	}
	holder(t, f, "anna@skola.lv", a)
	holder(t, f, "new@skola.lv", "")
}

func commandAgain(t *testing.T, f Fixture) {
	a, b := Stream("a"), Stream("b")
	r := one(Write(a, 0, 2), Write(b, 0, 1))
	r.Command, r.Fingerprint = uuid.New(), []byte("body")
	first := must(t, f, r)
	must(t, f, one(Write(a, 2, 1)))
	want := first
	want.Duplicate = true
	for range 2 { // its expected version is not the one any more: no matter
		if got := must(t, f, r); !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
	}
	if n := len(all(t, f)); n != 4 {
		t.Errorf("%d events", n)
	}
	got, fingerprint, found, err := f.Log.Command(t.Context(), r.Command)
	if err != nil || !found || !bytes.Equal(fingerprint, r.Fingerprint) || !cmp.Equal(got, first) {
		t.Errorf("command: %+v %q %t %v", got, fingerprint, found, err)
	}
	if _, _, found, err := f.Log.Command(t.Context(), uuid.New()); found || err != nil {
		t.Errorf("an unknown command: %t %v", found, err)
	}
	// A refused command was not done, and may be tried again.
	again := one(Write(b, 7, 1))
	again.Command = uuid.New()
	refused(t, f, again, &eventstore.ConflictError{Stream: b, Actual: 1})
	again.Writes[0].Expected = 1
	if got := must(t, f, again); got.Duplicate {
		t.Error("a refused command counts as done")
	}
}

func commandReused(t *testing.T, f Fixture) {
	r := one(Write(Stream("a"), 0, 1))
	r.Command, r.Fingerprint = uuid.New(), []byte("body")
	must(t, f, r)
	for _, other := range [][]byte{[]byte("other"), nil} {
		r.Fingerprint = other
		refused(t, f, r, eventstore.ErrCommandReused)
	}
}

func commandWithoutEvents(t *testing.T, f Fixture) {
	stream := Stream("a")
	must(t, f, one(Write(stream, 0, 1)))
	r := eventstore.Request{Command: uuid.New(), Guards: []eventstore.Guard{{Stream: stream, Version: 1}}}
	if got := must(t, f, r); got.First != 0 || got.Last != 0 || got.Duplicate {
		t.Errorf("%+v", got)
	}
	if got := must(t, f, r); !got.Duplicate || got.Last != 0 {
		t.Errorf("%+v", got)
	}
	refused(t, f, eventstore.Request{}, errors.New("invalid request: no events and no command"))
}

func commandForgotten(t *testing.T, f Fixture) {
	stream := Stream("a")
	r := one(Write(stream, eventstore.Any, 1))
	r.Command = uuid.New()
	must(t, f, r)
	f.Clock.Advance(eventstore.CommandsKept - time.Microsecond)
	if got := must(t, f, r); !got.Duplicate {
		t.Error("forgotten before seven days")
	}
	f.Clock.Advance(time.Microsecond)
	if _, _, found, err := f.Log.Command(t.Context(), r.Command); found || err != nil {
		t.Errorf("after seven days: %t %v", found, err)
	}
	if got := must(t, f, r); got.Duplicate || got.Versions[0] != 2 {
		t.Errorf("not forgotten after seven days: %+v", got)
	}
	if got := must(t, f, r); !got.Duplicate || got.First != 2 {
		t.Errorf("the new answer: %+v", got)
	}
}

func bounds(t *testing.T, f Fixture) {
	stream := Stream("import")
	must(t, f, one(Write(stream, 0, eventstore.MaxEvents)))
	tooMany := one(Write(stream, eventstore.Any, eventstore.MaxEvents), Write(Stream("b"), 0, 1))
	if _, err := f.Log.Append(t.Context(), tooMany); !errors.Is(err, eventstore.ErrTooLarge) {
		t.Errorf("1,001 events: %v", err)
	}
	big := Write(Stream("big"), 0, 1)
	big.Events[0].Data = []byte(`"` + strings.Repeat("x", eventstore.MaxBytes-4) + `"`) // and two for meta
	must(t, f, one(big))
	big.Stream, big.Events[0].Meta = Stream("big"), []byte(`{ }`)
	if _, err := f.Log.Append(t.Context(), one(big)); !errors.Is(err, eventstore.ErrTooLarge) {
		t.Errorf("1 MiB and one byte: %v", err)
	}
}

func malformed(t *testing.T, f Fixture) {
	for name, spoil := range map[string]func(r *eventstore.Request){
		"no stream":        func(r *eventstore.Request) { r.Writes[0].Stream = "" },
		"a zero byte":      func(r *eventstore.Request) { r.Writes[0].Stream = "a\x00" },
		"a long name":      func(r *eventstore.Request) { r.Writes[0].Stream = strings.Repeat("a", 201) },
		"not UTF-8":        func(r *eventstore.Request) { r.Writes[0].Events[0].Type = "\xff" },
		"no event":         func(r *eventstore.Request) { r.Writes[0].Events = nil },
		"no event id":      func(r *eventstore.Request) { r.Writes[0].Events[0].ID = uuid.Nil },
		"schema zero":      func(r *eventstore.Request) { r.Writes[0].Events[0].Schema = 0 },
		"no data":          func(r *eventstore.Request) { r.Writes[0].Events[0].Data = nil },
		"data not JSON":    func(r *eventstore.Request) { r.Writes[0].Events[0].Data = []byte(`{"a":}`) },
		"meta not JSON":    func(r *eventstore.Request) { r.Writes[0].Events[0].Meta = []byte(`{} {}`) },
		"twice a stream":   func(r *eventstore.Request) { r.Writes = append(r.Writes, r.Writes[0]) },
		"expected -2":      func(r *eventstore.Request) { r.Writes[0].Expected = -2 },
		"guard at -1":      func(r *eventstore.Request) { r.Guards = []eventstore.Guard{{Stream: "a", Version: -1}} },
		"guard of nothing": func(r *eventstore.Request) { r.Guards = []eventstore.Guard{{}} },
		"claim of nobody":  func(r *eventstore.Request) { r.Take = []eventstore.Claim{{Kind: "email", Value: "x"}} },
		"claim of no kind": func(r *eventstore.Request) { r.Release = []eventstore.Claim{{Value: "x", Stream: "a"}} },
	} {
		r := one(Write(Stream("a"), 0, 1))
		spoil(&r)
		if _, err := f.Log.Append(t.Context(), r); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(all(t, f)); n != 0 {
		t.Errorf("%d events", n)
	}
}

func firstReason(t *testing.T, f Fixture) {
	a, b, person := Stream("a"), Stream("b"), uuid.New()
	r := one(Write(a, 0, 1))
	r.Take = []eventstore.Claim{{Kind: "email", Value: "x", Stream: a}}
	must(t, f, r)
	bad := eventstore.Request{
		Writes:   []eventstore.Write{Write(b, 1, 1), Write(a, 2, 1)},
		Guards:   []eventstore.Guard{{Stream: a, Version: 3}},
		Subjects: []uuid.UUID{person},
		Take:     []eventstore.Claim{{Kind: "email", Value: "x", Stream: b}},
	}
	refused(t, f, bad, &eventstore.ConflictError{Stream: b, Actual: 0})
	bad.Writes[0].Expected = 0
	refused(t, f, bad, &eventstore.ConflictError{Stream: a, Actual: 1})
	bad.Writes[1].Expected = 1
	refused(t, f, bad, &eventstore.ConflictError{Stream: a, Actual: 1, Guard: true})
	bad.Guards[0].Version = 1
	refused(t, f, bad, &eventstore.ErasedError{Subject: person})
	if _, err := f.Keys.EnsureKeys(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	refused(t, f, bad, &eventstore.ClaimedError{Kind: "email", Holder: a})
	bad.Take = nil
	must(t, f, bad)
}

func contextEnds(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Log.Append(ctx, one(Write(Stream("a"), 0, 1))); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if err := f.Log.Wait(ctx, 1<<40); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
}
