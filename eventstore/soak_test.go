package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

// 64 writers in two processes' worth of logs write to few streams, so that many
// are refused, while other transactions append and roll back, and connections
// are killed. Afterwards every acknowledged event is there once, nothing is
// there that nobody sent, and neither the log nor a stream has a gap.
func TestSixtyFourWritersLoseNothing(t *testing.T) {
	t.Parallel()
	const writers, streams, lasting = 64, 40, 20 * time.Second
	db, master := pgtest.New(t), eventstore.NewMaster()
	smallPartitions(t, db, 3_000)
	logs := make([]*eventstore.Postgres, 2)
	for i := range logs {
		logs[i], _ = open(t, db, time.Now, master)
	}
	names := make([]string, streams)
	for i := range names {
		names[i] = eventstoretest.Stream("soak")
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var all sync.WaitGroup
	acknowledged, refused := make([]map[uuid.UUID]int64, writers), make([]map[uuid.UUID]bool, writers)
	for i := range writers {
		all.Go(func() { acknowledged[i], refused[i] = soakWriter(t, ctx, logs[i%2], names) })
	}
	all.Go(func() { rollBack(t, ctx, db, names) })
	all.Go(func() { killLanes(t, ctx, db) })
	all.Wait()

	events, err := eventstore.Collect(logs[0].ReadAll(t.Context(), 0, 0)) // a gap is an error
	if err != nil {
		t.Fatal(err)
	}
	at, versions, requests := map[uuid.UUID]int64{}, map[string]int{}, map[string]int{}
	for _, e := range events {
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			t.Fatalf("position %d: %s is at version %d, not %d", e.Position, e.Stream, e.Version, versions[e.Stream])
		}
		if at[e.ID] != 0 {
			t.Fatalf("event %s is there twice, at %d and %d", e.ID, at[e.ID], e.Position)
		}
		at[e.ID] = e.Position
		requests[string(e.Meta)]++
	}
	sent := 0
	for i := range acknowledged {
		for id, position := range acknowledged[i] {
			if at[id] != position {
				t.Errorf("event %s was acknowledged at %d but is at %d", id, position, at[id])
			}
		}
		for id := range refused[i] {
			if at[id] != 0 {
				t.Errorf("event %s was refused but is at %d", id, at[id])
			}
		}
		sent += len(acknowledged[i])
	}
	if len(at) != sent {
		t.Errorf("%d events in the log, %d acknowledged", len(at), sent)
	}
	// The events of one append say how many they are.
	for meta, n := range requests {
		var request uint64
		var want int
		if _, err := fmt.Sscanf(meta, `{"r":%d,"n":%d`, &request, &want); err != nil || n != want {
			t.Fatalf("append %s left %d events, %v", meta, n, err)
		}
	}
	t.Logf("%d events", len(events))
}

// soakWriter appends to one or two streams at a time until ctx ends, and
// returns where its events are and which were refused.
func soakWriter(t *testing.T, ctx context.Context, log *eventstore.Postgres, names []string) (acknowledged map[uuid.UUID]int64, refused map[uuid.UUID]bool) {
	acknowledged, refused = make(map[uuid.UUID]int64), make(map[uuid.UUID]bool)
	for ctx.Err() == nil {
		first := rand.IntN(len(names))
		order := []string{names[first]}
		if rand.IntN(3) == 0 {
			order = append(order, names[(first+1)%len(names)])
		}
		versions, err := log.Versions(t.Context(), order...)
		if err != nil {
			t.Error(err)
			return
		}
		var r eventstore.Request
		var ids []uuid.UUID
		total := 0
		for i, name := range order {
			w := eventstoretest.Write(name, versions[i], 1+rand.IntN(3))
			if rand.IntN(2) == 0 {
				w.Expected = eventstore.Any
			}
			total += len(w.Events)
			r.Writes = append(r.Writes, w)
		}
		if rand.IntN(3) == 0 {
			r.Guards = []eventstore.Guard{{Stream: names[(first+2)%len(names)], Version: rand.IntN(50)}}
		}
		meta := fmt.Appendf(nil, `{"r":%d,"n":%d}`, rand.Uint64()>>1, total)
		for _, w := range r.Writes {
			for i := range w.Events {
				w.Events[i].Meta = meta
				ids = append(ids, w.Events[i].ID)
			}
		}
		result, err := log.Append(t.Context(), r)
		var conflict *eventstore.ConflictError
		switch {
		case err == nil:
			for i, id := range ids {
				acknowledged[id] = result.First + int64(i)
			}
		case errors.As(err, &conflict):
			for _, id := range ids {
				refused[id] = true
			}
		default:
			t.Error(err)
			return
		}
	}
	return acknowledged, refused
}

// rollBack appends in transactions that are rolled back.
func rollBack(t *testing.T, ctx context.Context, db *pgtest.DB, names []string) {
	for ctx.Err() == nil {
		tx, err := db.App.Begin(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		_, err = tx.Exec(t.Context(), appendOne, uuid.New(), names[rand.IntN(len(names))], uuid.New())
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "23514" {
			err = nil // the next partition is not there yet; a lane would make it
		}
		if err := errors.Join(err, tx.Rollback(t.Context())); err != nil {
			t.Error(err)
			return
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// appendOne appends an event by hand: command, stream, event.
const appendOne = `SELECT es.append_one(now(), $1, '', $2, -1, $3, 'test.lost', 1, '{}', '{}', '{}', '{}', '{}')`

// killLanes breaks the connections that append, whatever they are doing.
func killLanes(t *testing.T, ctx context.Context, db *pgtest.DB) {
	for pause(ctx, 500*time.Millisecond); ctx.Err() == nil; pause(ctx, 500*time.Millisecond) {
		if err := killAppenders(db); err != nil {
			t.Error(err)
			return
		}
	}
}

func killAppenders(db *pgtest.DB) error {
	_, err := db.App.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'zurnals append'`)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// smallPartitions cuts an empty log anew.
func smallPartitions(t testing.TB, db *pgtest.DB, size int) {
	t.Helper()
	if _, err := db.Owner.Exec(context.Background(), `DO $$
		DECLARE name regclass;
		BEGIN
			FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'es.event'::regclass LOOP
				EXECUTE format('DROP TABLE %s', name);
			END LOOP;
		END $$`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Owner.Exec(context.Background(), `UPDATE es.layout SET partition_size = $1, next_position = 1`, size); err != nil {
		t.Fatal(err)
	}
}
