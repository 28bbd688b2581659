package eventstore_test

import (
	"context"
	"testing"
	"time"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

// open opens a log on a database and runs it until the test ends.
func open(t testing.TB, db *pgtest.DB, clock func() time.Time, master *eventstore.Master) (*eventstore.Postgres, *eventstore.PostgresKeys) {
	t.Helper()
	keys, err := eventstore.OpenKeys(context.Background(), db.App, clock, master)
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(context.Background(), db.App, clock, keys)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- log.Run(context.Background()) }()
	t.Cleanup(func() {
		log.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return log, keys
}

func TestPostgres(t *testing.T) {
	eventstoretest.Suite(t, func(t *testing.T) eventstoretest.Fixture {
		clock := eventstoretest.NewClock()
		log, keys := open(t, pgtest.New(t), clock.Now, eventstore.NewMaster())
		return eventstoretest.Fixture{Log: log, Keys: keys, Clock: clock}
	})
}
