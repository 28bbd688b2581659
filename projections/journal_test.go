package projections_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// A journal is a log with what is needed to add to it.
type journal struct {
	eventstore.Log
	keys eventstore.Keys
}

// newJournal returns the log of the database, as the program has it.
func newJournal(t testing.TB, db *pgtest.DB) *journal {
	t.Helper()
	now := func() time.Time { return projectiontest.Start }
	pool := db.Pool(t, embedpg.App, 8) // of its own: tests break the connections of the engine
	keys, err := eventstore.OpenKeys(t.Context(), pool, now, eventstore.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(t.Context(), pool, now, keys)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		log.Run(context.Background())
	}()
	t.Cleanup(func() { log.Close(); <-done })
	return &journal{log, keys}
}

// memoryJournal returns a log in memory.
func memoryJournal() *journal {
	keys := eventstore.NewMemoryKeys()
	return &journal{eventstore.NewMemory(func() time.Time { return projectiontest.Start }, keys), keys}
}

func (j *journal) log() projections.Log { return projections.Decoded(j, j.keys, catalogue) }

// add appends events one by one and returns the position of the last.
func (j *journal) add(t testing.TB, events ...domain.Event) (last int64) {
	t.Helper()
	for _, e := range events {
		id := uuid.New()
		var subjects []uuid.UUID
		for _, s := range catalogue.Subjects(e) {
			subjects = append(subjects, uuid.UUID(s))
		}
		sealer, err := j.keys.EnsureKeys(t.Context(), subjects...)
		if err != nil {
			t.Fatal(err)
		}
		schema, data, err := catalogue.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		})
		if err != nil {
			t.Fatal(err)
		}
		last = j.addRaw(t, eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: schema, Meta: []byte(`{"actor":"system"}`), Data: data}, subjects...)
	}
	return last
}

func (j *journal) addRaw(t testing.TB, e eventstore.NewEvent, subjects ...uuid.UUID) int64 {
	t.Helper()
	r, err := j.Append(t.Context(), eventstore.Request{Subjects: subjects,
		Writes: []eventstore.Write{{Stream: "test-" + e.ID.String(), Events: []eventstore.NewEvent{e}}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Last
}

var options = projections.Options{
	Page: 50, Now: time.Now, // durations only
	Logger: slog.New(slog.DiscardHandler),
}

// start runs an engine until stop is called or the test ends.
func start(t testing.TB, pool *pgxpool.Pool, log projections.Log) (e *projections.Engine, stop func()) {
	t.Helper()
	e, err := projections.Open(pool, log, options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return e, stop
}

// until waits for something to become true.
func until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it never happened: %s", what)
		}
	}
}

func caughtUp(t testing.TB, e *projections.Engine, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.WaitFor(ctx, position); err != nil {
		t.Fatalf("%v: %+v", err, e.Status())
	}
}

func status(e *projections.Engine, name string) projections.Status {
	for _, s := range e.Status() {
		if s.Name == name {
			return s
		}
	}
	return projections.Status{}
}

// same checks that the tables are what the whole log makes of them.
func same(t *testing.T, pool *pgxpool.Pool, j *journal) {
	t.Helper()
	other := pgtest.New(t).App
	e, err := projections.Open(other, j.log(), options, marks, staff)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"rm_marks_v1", "rm_staff_v3"} {
		if diff := cmp.Diff(projectiontest.Dump(t, other, schema), projectiontest.Dump(t, pool, schema)); diff != "" {
			t.Errorf("%s: rebuilt from the log (-) and kept up to date (+) differ:\n%s", schema, diff)
		}
	}
}
