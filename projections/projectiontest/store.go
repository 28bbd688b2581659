package projectiontest

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// stored says whether events are all of the program's, and not of a test's.
func stored(events []projections.Event) bool {
	known := make(map[string]bool)
	for _, d := range catalogue.All.Definitions() {
		known[d.Type] = true
	}
	for _, e := range events {
		if !known[e.Event.EventType()] {
			return false
		}
	}
	return true
}

// store puts events into a log of the program's own kind, sealed, each as it is:
// time, stream, id and who it was.
func store(t testing.TB, events []projections.Event) (*pgxpool.Pool, projections.Log) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pool := pgtest.New(t).App
	var at atomic.Pointer[time.Time]
	at.Store(&Start)
	now := func() time.Time { return *at.Load() }
	keys, err := eventstore.OpenKeys(t.Context(), pool, now, eventstore.NewMaster())
	must(err)
	log, err := eventstore.Open(t.Context(), pool, now, keys)
	must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		log.Run(context.Background())
	}()
	t.Cleanup(func() { log.Close(); <-done })
	for _, e := range events {
		var subjects []uuid.UUID
		for _, s := range catalogue.All.Subjects(e.Event) {
			subjects = append(subjects, uuid.UUID(s))
		}
		sealer, err := keys.EnsureKeys(t.Context(), subjects...)
		must(err)
		schema, data, err := catalogue.All.Encode(e.Event, e.EventID, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
			must(err)
			return sealed
		})
		must(err)
		meta, err := json.Marshal(e.Meta.Meta)
		must(err)
		at.Store(&e.RecordedAt)
		_, err = log.Append(t.Context(), eventstore.Request{Subjects: subjects, Writes: []eventstore.Write{{Stream: e.Stream, Expected: eventstore.Any,
			Events: []eventstore.NewEvent{{ID: e.EventID, Type: e.Event.EventType(), Schema: schema, Meta: meta, Data: data}}}}})
		must(err)
	}
	return pool, projections.Decoded(log, keys, catalogue.All)
}
