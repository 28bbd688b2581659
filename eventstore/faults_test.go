package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

func request(writes ...eventstore.Write) eventstore.Request {
	return eventstore.Request{Writes: writes}
}

func appended(t testing.TB, log eventstore.Log, r eventstore.Request) eventstore.Result {
	t.Helper()
	result, err := log.Append(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// until polls until something holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); pause(context.Background(), 2*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func code(err error) string {
	var refused *pgconn.PgError
	errors.As(err, &refused)
	if refused == nil {
		return fmt.Sprint(err)
	}
	return refused.Code
}

// The application may read the log and append to it. Nothing else.
func TestTheApplicationCannotChangeTheLog(t *testing.T) {
	db := pgtest.New(t)
	log, _ := open(t, db, time.Now, eventstore.NewMaster())
	stream := eventstoretest.Stream("account")
	appended(t, log, request(eventstoretest.Write(stream, 0, 3)))
	const denied = "42501"
	for _, statement := range []string{
		`UPDATE es.event SET data = '{}'`,
		`UPDATE es.event_1 SET data = '{}'`,
		`DELETE FROM es.event WHERE position = 2`,
		`DELETE FROM es.event_1`,
		`TRUNCATE es.event`,
		`TRUNCATE es.event_1`,
		`INSERT INTO es.event SELECT 4, recorded_at, id, 4, schema, stream, type, meta, data FROM es.event WHERE position = 1`,
		`ALTER TABLE es.event DETACH PARTITION es.event_1`,
		`DROP TABLE es.event_1`,
		`INSERT INTO es.mark VALUES (7, now())`,
		`DELETE FROM es.mark`,
		`SELECT FROM es.gate FOR UPDATE`,
		`UPDATE es.stream SET version = 0`,
		`DELETE FROM es.stream`,
		`DELETE FROM es.command`,
		`DELETE FROM es.claim`,
		`UPDATE es.subject_key SET wrapped = 'x'`,
		`INSERT INTO es.claim VALUES ('email', 'x', 'y')`,
		`DELETE FROM es.system_key`,
		`DELETE FROM es.master`,
		`UPDATE es.layout SET next_position = 1`,
		`CREATE TABLE es.mine ()`,
		`CREATE OR REPLACE FUNCTION es.position_at(timestamptz) RETURNS bigint LANGUAGE sql AS 'SELECT 1'`,
	} {
		if _, err := db.App.Exec(t.Context(), statement); code(err) != denied {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{`SELECT FROM es.event`, `SELECT FROM es.subject_key`, `SELECT es.prepare_partitions(1)`} {
		if _, err := db.Analyst.Exec(t.Context(), statement); code(err) != denied {
			t.Errorf("the analyst: %s: %v", statement, err)
		}
	}
	if events, err := eventstore.Collect(log.ReadStream(t.Context(), stream, 1)); err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// What an administrator of the database takes out is noticed by every reader.
func TestAMissingEventIsNoticed(t *testing.T) {
	for statement, reads := range map[string]struct{ all, stream bool }{
		`DELETE FROM es.event WHERE position = 700`:  {true, true},
		`DELETE FROM es.event WHERE position = 1`:    {true, true},
		`DELETE FROM es.event WHERE position = 1000`: {true, false},
	} {
		db, master := pgtest.New(t), eventstore.NewMaster()
		log, _ := open(t, db, time.Now, master)
		stream := eventstoretest.Stream("a")
		appended(t, log, request(eventstoretest.Write(stream, 0, 1000)))
		if _, err := db.Owner.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		other, _ := open(t, db, time.Now, master) // has nothing in memory
		if _, err := eventstore.Collect(other.ReadAll(t.Context(), 0, 0)); errors.Is(err, eventstore.ErrGap) != reads.all {
			t.Errorf("%s: log: %v", statement, err)
		}
		if _, err := eventstore.Collect(other.ReadStream(t.Context(), stream, 1)); errors.Is(err, eventstore.ErrGap) != reads.stream {
			t.Errorf("%s: stream: %v", statement, err)
		}
	}
}

func TestPartitionsAreCrossed(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	smallPartitions(t, db, 100)
	log, _ := open(t, db, time.Now, master)
	long, short := eventstoretest.Stream("long"), eventstoretest.Stream("short")
	appended(t, log, request(eventstoretest.Write(short, 0, 1)))
	for i := range 20 { // an append in two partitions, then one in four
		appended(t, log, request(eventstoretest.Write(long, i*37, 37)))
	}
	appended(t, log, request(eventstoretest.Write(long, 740, 350)))
	appended(t, log, request(eventstoretest.Write(short, 1, 1)))
	other, _ := open(t, db, time.Now, master)
	if events, err := eventstore.Collect(other.ReadAll(t.Context(), 0, 0)); err != nil || len(events) != 1092 {
		t.Errorf("%d events, %v", len(events), err)
	}
	for stream, want := range map[string]int{long: 1090, short: 2} {
		if events, err := eventstore.Collect(other.ReadStream(t.Context(), stream, 1)); err != nil || len(events) != want {
			t.Errorf("%s: %d events, %v", stream, len(events), err)
		}
	}
	// Partitions are ready ahead of the head, cut where they should be.
	until(t, "a whole partition ahead", func() bool {
		var ready bool
		if err := db.App.QueryRow(t.Context(), `SELECT next_position > position + partition_size FROM es.layout, es.head`).Scan(&ready); err != nil {
			t.Fatal(err)
		}
		return ready
	})
	var constraints int
	if err := db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_constraint WHERE conname = 'cut'`).Scan(&constraints); err != nil || constraints != 0 {
		t.Errorf("%d checks were left behind, %v", constraints, err)
	}
}

func TestOnlyReadCommittedMayAppend(t *testing.T) {
	db := pgtest.New(t)
	for isolation, want := range map[pgx.TxIsoLevel]string{pgx.ReadCommitted: "", pgx.RepeatableRead: "ES001", pgx.Serializable: "ES001"} {
		tx, err := db.App.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: isolation})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(t.Context(), appendOne, uuid.New(), "a-1", uuid.New())
		if want == "" && err != nil || want != "" && code(err) != want {
			t.Errorf("%s: %v", isolation, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The connection is killed while an append is on its way to commit: its answer
// is right all the same, whether it was committed or not.
func TestAnUnknownOutcomeIsFoundOut(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	log, _ := open(t, db, time.Now, master)
	appended(t, log, request(eventstoretest.Write("warm-up", 0, 1)))
	blocked := func() (release func()) { // the head is held by somebody else
		tx, err := db.Owner.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT FROM es.gate FOR UPDATE`); err != nil {
			t.Fatal(err)
		}
		return func() { _ = tx.Rollback(context.Background()) }
	}
	waiting := func() bool {
		var n int
		if err := db.App.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'zurnals append' AND wait_event_type = 'Lock'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	for i := range 5 {
		release := blocked()
		stream := eventstoretest.Stream("account")
		w := eventstoretest.Write(stream, 0, 2)
		done := make(chan error, 1)
		go func() {
			result, err := log.Append(context.Background(), request(w))
			if err == nil && (result.Versions[0] != 2 || result.Duplicate) {
				err = fmt.Errorf("%+v", result)
			}
			done <- err
		}()
		until(t, "the append waits for the head", waiting)
		if err := killAppenders(db); err != nil {
			t.Fatal(err)
		}
		until(t, "the append is sent again", waiting)
		release()
		if err := <-done; err != nil {
			t.Errorf("try %d: %v", i, err)
		}
		if events, err := eventstore.Collect(log.ReadStream(t.Context(), stream, 1)); err != nil || len(events) != 2 {
			t.Errorf("try %d: %d events, %v", i, len(events), err)
		}
	}
}

// The commit arrived, its answer did not: the same command sent again is told
// what the first became, and writes nothing.
func TestACommittedAppendWhoseAnswerIsLost(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	wire := new(wire)
	log, _ := open(t, wire.through(t, db), time.Now, master)
	stream := eventstoretest.Stream("account")
	appended(t, log, request(eventstoretest.Write(stream, 0, 1)))
	for i := range 10 {
		command := uuid.Nil
		if i%2 == 1 {
			command = uuid.New()
		}
		r := request(eventstoretest.Write(stream, i+1, 1))
		r.Command = command
		wire.loseNextAnswer()
		result, err := log.Append(t.Context(), r)
		if err != nil || result.Versions[0] != i+2 || result.First != int64(i+2) {
			t.Fatalf("append %d: %+v %v", i, result, err)
		}
	}
	if n := wire.lost.Load(); n != 10 {
		t.Errorf("%d answers were lost", n)
	}
	if events, err := eventstore.Collect(log.ReadStream(t.Context(), stream, 1)); err != nil || len(events) != 11 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// Without a database appends and reads fail at once and say so. When it is
// back, everything goes on by itself.
func TestADatabaseThatIsGone(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	wire := new(wire)
	log, _ := open(t, wire.through(t, db), time.Now, master)
	elsewhere, _ := open(t, db, time.Now, master)
	appended(t, log, request(eventstoretest.Write("a-1", 0, 1)))
	wire.set(true)
	if _, err := log.Append(t.Context(), request(eventstoretest.Write("a-1", 1, 1))); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: %v", err)
	}
	for what, err := range map[string]error{
		"head":    last(log.Head(t.Context())),
		"stream":  last(eventstore.Collect(log.ReadStream(t.Context(), "a-1", 1))),
		"version": last(log.Versions(t.Context(), "a-1")),
	} {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	appended(t, elsewhere, request(eventstoretest.Write("a-1", 1, 1)))
	wire.set(false)
	if err := log.Wait(t.Context(), 2); err != nil { // it listens again
		t.Error(err)
	}
	if got := appended(t, log, request(eventstoretest.Write("a-1", 2, 1))); got.First != 3 {
		t.Errorf("%+v", got)
	}
}

func last[T any](_ T, err error) error { return err }

// What one process appends wakes those who wait in another.
func TestOtherProcessesHearOfIt(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	one, _ := open(t, db, time.Now, master)
	other, _ := open(t, db, time.Now, master)
	for i := range 20 {
		appended(t, one, request(eventstoretest.Write("a-1", i, 1)))
		if err := other.Wait(t.Context(), int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	// In turn: the newest events in memory are never those of one process only.
	for i := range 20 {
		log := []eventstore.Log{one, other}[i%2]
		appended(t, log, request(eventstoretest.Write("b-1", i, 1)))
		for _, log := range []eventstore.Log{one, other} {
			if events, err := eventstore.Collect(log.ReadAll(t.Context(), 15, 0)); err != nil || len(events) != 6+i {
				t.Fatalf("%d events, %v", len(events), err)
			}
		}
	}
}

// Close finishes what was begun and refuses the rest.
func TestClose(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	keys, err := eventstore.OpenKeys(t.Context(), db.App, time.Now, master)
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(t.Context(), db.App, time.Now, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	done := make(chan error, 50)
	for range cap(done) { // they wait: Run has not started
		go func() {
			_, err := log.Append(context.Background(), request(eventstoretest.Write("a-1", eventstore.Any, 1)))
			done <- err
		}()
	}
	ended := make(chan error, 1)
	go func() { ended <- log.Run(context.Background()) }()
	if err := log.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	log.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	accepted := int64(0)
	for range cap(done) {
		switch err := <-done; {
		case err == nil:
			accepted++
		case !errors.Is(err, eventstore.ErrUnavailable):
			t.Error(err)
		}
	}
	if head, err := log.Head(t.Context()); err != nil || head != accepted {
		t.Errorf("%d accepted, head %d, %v", accepted, head, err)
	}
	if _, err := log.Append(t.Context(), request(eventstoretest.Write("a-1", eventstore.Any, 1))); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// Old commands are forgotten, those of the last seven days never.
func TestSweep(t *testing.T) {
	db, clock := pgtest.New(t), eventstoretest.NewClock()
	log, _ := open(t, db, clock.Now, eventstore.NewMaster())
	for range 3 {
		appended(t, log, request(eventstoretest.Write("a-1", eventstore.Any, 1)))
		clock.Advance(4 * 24 * time.Hour)
	}
	for _, before := range []time.Time{clock.Now(), eventstoretest.Start.Add(-time.Hour)} { // 0, 4 and 8 days old at the last append
		var n int
		if err := db.App.QueryRow(t.Context(), `SELECT es.sweep($1, 10)`, before).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1, false: 0}[before.Equal(clock.Now())]; n != want {
			t.Errorf("swept %d before %s", n, before)
		}
	}
	var left int
	if err := db.App.QueryRow(t.Context(), `SELECT count(*) FROM es.command`).Scan(&left); err != nil || left != 2 {
		t.Errorf("%d commands are left, %v", left, err)
	}
}
