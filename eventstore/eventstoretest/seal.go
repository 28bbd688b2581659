package eventstoretest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/eventstore"
)

// SealedEvent makes an event with one sealed name for each subject.
func SealedEvent(t *testing.T, keys eventstore.Keys, subjects []uuid.UUID, names ...string) eventstore.NewEvent {
	t.Helper()
	sealer, err := keys.EnsureKeys(t.Context(), subjects...)
	if err != nil {
		t.Fatal(err)
	}
	e := eventstore.NewEvent{ID: uuid.New(), Type: "test.named", Schema: 1, Meta: []byte(`{}`)}
	var fields []string
	for i, s := range subjects {
		envelope, err := sealer.Seal(e.ID, s, "name", names[i])
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, fmt.Sprintf(`{"id":"%s","name":"%s"}`, s, envelope))
	}
	e.Data = []byte(`{"people":[` + strings.Join(fields, ",") + `]}`)
	return e
}

func named(stream string, e eventstore.NewEvent, subjects ...uuid.UUID) eventstore.Request {
	return eventstore.Request{
		Writes:   []eventstore.Write{{Stream: stream, Expected: eventstore.Any, Events: []eventstore.NewEvent{e}}},
		Subjects: subjects,
	}
}

func people(names map[uuid.UUID]string, order ...uuid.UUID) string {
	var fields []string
	for _, id := range order {
		fields = append(fields, fmt.Sprintf(`{"id":"%s","name":%s}`, id, names[id]))
	}
	return `{"people":[` + strings.Join(fields, ",") + `]}`
}

func opened(t *testing.T, f Fixture) []eventstore.Event {
	t.Helper()
	events := all(t, f)
	if err := f.Keys.Open(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	return events
}

func sealed(t *testing.T, f Fixture) {
	anna, janis := uuid.New(), uuid.New()
	stream := Stream("a")
	must(t, f, named(stream, SealedEvent(t, f.Keys, []uuid.UUID{anna, janis}, "Anna \"Ņina\" \\ <b>\n", ""), anna, janis))
	must(t, f, one(Write(stream, 1, 1)))
	stored := string(all(t, f)[0].Data)
	if strings.Contains(stored, "Anna") || strings.Count(stored, eventstore.SealPrefix) != 2 {
		t.Errorf("the log holds %s", stored)
	}
	events := opened(t, f)
	want := people(map[uuid.UUID]string{anna: `"Anna \"Ņina\" \\ \u003cb\u003e\n"`, janis: `""`}, anna, janis)
	if got := string(events[0].Data); got != want || events[0].Erased || events[1].Erased {
		t.Errorf("opened %s, want %s", got, want)
	}
	// Opening does not write into the log or what others read.
	if got := string(all(t, f)[0].Data); got != stored {
		t.Errorf("the log holds %s now", got)
	}
	// Sealing again gives another string: equal names do not look equal.
	twice := SealedEvent(t, f.Keys, []uuid.UUID{anna, anna}, "Anna", "Anna")
	if parts := strings.Split(string(twice.Data), eventstore.SealPrefix); parts[1] == parts[2] {
		t.Error("equal texts are sealed equally")
	}
	// A string in the middle of which the prefix stands is no seal.
	e := Event("test.text", "")
	e.Data = []byte(`{"text":"\"` + eventstore.SealPrefix + `abc"}`)
	must(t, f, one(eventstore.Write{Stream: stream, Expected: 2, Events: []eventstore.NewEvent{e}}))
	if got := string(opened(t, f)[2].Data); got != string(e.Data) {
		t.Errorf("opened %s", got)
	}
}

func sealRefused(t *testing.T, f Fixture) {
	anna, janis := uuid.New(), uuid.New()
	stream := Stream("a")
	good := func() eventstore.NewEvent { return SealedEvent(t, f.Keys, []uuid.UUID{anna}, "Anna") }
	good()
	if _, err := f.Keys.EnsureKeys(t.Context(), janis); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]struct {
		event func(e *eventstore.NewEvent)
		want  error
	}{
		"moved to another event": {func(e *eventstore.NewEvent) { e.ID = uuid.New() }, eventstore.ErrSeal},
		"typed by a user":        {func(e *eventstore.NewEvent) { e.Data = []byte(`{"n":"` + eventstore.SealPrefix + `hello"}`) }, eventstore.ErrSeal},
		"only a prefix":          {func(e *eventstore.NewEvent) { e.Data = []byte(`"` + eventstore.SealPrefix + `"`) }, eventstore.ErrSeal},
		"another character": {func(e *eventstore.NewEvent) {
			e.Data = []byte(strings.Replace(string(e.Data), `"}]}`, `A"}]}`, 1))
		}, eventstore.ErrSeal},
		"a subject that is not named": {func(e *eventstore.NewEvent) {
			*e = SealedEvent(t, f.Keys, []uuid.UUID{janis}, "Jānis")
		}, eventstore.ErrInvalid},
	} {
		e := good()
		spoil.event(&e)
		if _, err := f.Log.Append(t.Context(), named(stream, e, anna)); !errors.Is(err, spoil.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sealer, err := f.Keys.EnsureKeys(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another subject": second(sealer.Seal(uuid.New(), janis, "name", "x")),
		"no tag":          second(sealer.Seal(uuid.New(), anna, "", "x")),
		"not UTF-8":       second(sealer.Seal(uuid.New(), anna, "name", "\xff")),
	} {
		if !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("seal with %s: %v", name, err)
		}
	}
	// A key that never was is not an erased one.
	events := []eventstore.Event{{Data: good().Data}}
	var erased *eventstore.ErasedError
	other := eventstore.NewMemoryKeys()
	if err := other.Open(t.Context(), events); !errors.As(err, &erased) {
		t.Errorf("opened without its key: %v", err)
	}
}

func second(_ string, err error) error { return err }

func erasure(t *testing.T, f Fixture) {
	anna, janis := uuid.New(), uuid.New()
	stream := Stream("a")
	r := named(stream, SealedEvent(t, f.Keys, []uuid.UUID{anna, janis}, "Anna", "Jānis"), anna, janis)
	r.Take = []eventstore.Claim{{Kind: "email", Value: "anna@skola.lv", Stream: stream}}
	must(t, f, r)
	before := string(all(t, f)[0].Data)
	late := SealedEvent(t, f.Keys, []uuid.UUID{anna}, "Anna again") // sealed before the erasure, appended after

	erase := one(Write(stream, 1, 1))
	erase.Erase, erase.Release = []uuid.UUID{anna}, r.Take
	erase.Writes[0].Expected = 7
	refused(t, f, erase, &eventstore.ConflictError{Stream: stream, Actual: 1})
	if got := opened(t, f)[0]; got.Erased {
		t.Error("a refused erasure erased")
	}
	erase.Writes[0].Expected = 1
	must(t, f, erase)

	events := opened(t, f)
	want := people(map[uuid.UUID]string{anna: `""`, janis: `"Jānis"`}, anna, janis)
	if got := string(events[0].Data); got != want || !events[0].Erased || events[1].Erased {
		t.Errorf("opened %s, want %s", got, want)
	}
	if got := string(all(t, f)[0].Data); got != before {
		t.Error("the erasure changed an event")
	}
	holder(t, f, "anna@skola.lv", "")
	gone := &eventstore.ErasedError{Subject: anna}
	refused(t, f, named(stream, late, anna), gone)
	if _, err := f.Keys.EnsureKeys(t.Context(), janis, anna); err == nil || err.Error() != gone.Error() {
		t.Errorf("a key for the erased subject: %v", err)
	}
	must(t, f, named(stream, SealedEvent(t, f.Keys, []uuid.UUID{janis}, "Jānis"), janis))
	// Erasing again, or somebody without a key, is nothing special; but no key is made afterwards.
	stranger := uuid.New()
	again := one(Write(stream, eventstore.Any, 1))
	again.Erase = []uuid.UUID{anna, stranger}
	must(t, f, again)
	if _, err := f.Keys.EnsureKeys(t.Context(), stranger); err == nil {
		t.Error("a key was made for an erased stranger")
	}
}
