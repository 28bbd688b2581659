package reactions_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"go.uber.org/goleak"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/reactions"
)

// The database server of a bare `go test` lives as long as the process.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" { // started by a test, to be killed
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce"),
		goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce.func1"))
}

// operator looks after the reactions, on the command line.
var operator = access.System("test")

// monday is when these tests happen.
var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

// A world is a log on a database of its own, and a clock that stands still on
// Monday 1 September 2025, 8:00 in Riga, until it is moved.
type world struct {
	t    testing.TB
	db   *pgtest.DB
	pool *pgxpool.Pool
	keys *eventstore.PostgresKeys
	log  *eventstore.Postgres

	master string // as in the environment of another process

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := pgtest.New(t)
	w := &world{t: t, db: db, pool: db.Pool(t, embedpg.App, 16), now: monday}
	key := make([]byte, 32)
	rand.Read(key)
	w.master = base64.StdEncoding.EncodeToString(key)
	master, err := eventstore.LoadMaster(w.master, "")
	if err != nil {
		t.Fatal(err)
	}
	if w.keys, err = eventstore.OpenKeys(t.Context(), w.pool, w.Now, master); err != nil {
		t.Fatal(err)
	}
	if w.log, err = eventstore.Open(t.Context(), w.pool, w.Now, w.keys); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.log.Run(context.Background()); err != nil {
			t.Errorf("log: %v", err)
		}
	}()
	t.Cleanup(func() {
		w.log.Close()
		<-done
	})
	return w
}

// Now is the one clock.
func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(by)
}

// config returns a Config for the reactions, with a worker for notes.
func (w *world) config(rs ...reactions.Reaction) reactions.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, new(noter))
	return reactions.Config{
		Pool: w.pool, Log: w.log, Now: w.Now, Dev: true, Reactions: rs, Workers: workers,
		Logger: slog.New(slog.DiscardHandler), Grace: 100 * time.Millisecond,
	}
}

func (w *world) open(c reactions.Config) *reactions.Engine {
	w.t.Helper()
	e, err := reactions.Open(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// start runs a server's reactions until stop is called, or the test ends.
func (w *world) start(e *reactions.Engine) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("reactions: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// patiently gives a deadline to what should take no time.
func (w *world) patiently() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) drain(e *reactions.Engine) {
	w.t.Helper()
	if err := e.Drain(w.patiently()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) runDue(e *reactions.Engine) int {
	w.t.Helper()
	n, err := e.RunDue(w.patiently())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// append adds events as commands do: encoded, with personal data sealed.
func (w *world) append(stream string, events ...domain.Event) []eventstore.NewEvent {
	w.t.Helper()
	return w.request(stream, eventstore.Request{}, events...)
}

func (w *world) request(stream string, r eventstore.Request, events ...domain.Event) []eventstore.NewEvent {
	w.t.Helper()
	for _, e := range events {
		for _, s := range catalogue.All.Subjects(e) {
			r.Subjects = append(r.Subjects, uuid.UUID(s))
		}
	}
	sealer, err := w.keys.EnsureKeys(w.t.Context(), r.Subjects...)
	if err != nil {
		w.t.Fatal(err)
	}
	var stored []eventstore.NewEvent
	for _, e := range events {
		id := uuid.Must(uuid.NewV7())
		version, data, err := catalogue.All.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
			if err != nil {
				w.t.Error(err)
			}
			return sealed
		})
		if err != nil {
			w.t.Fatal(err)
		}
		stored = append(stored, eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: version, Meta: []byte("{}"), Data: data})
	}
	r.Writes = []eventstore.Write{{Stream: stream, Expected: eventstore.Any, Events: stored}}
	if _, err := w.log.Append(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// happen appends n events of a type that nobody but these tests knows.
func (w *world) happen(typ string, n int) {
	w.t.Helper()
	for n > 0 {
		some := min(n, eventstore.MaxEvents)
		n -= some
		events := make([]eventstore.NewEvent, some)
		for i := range events {
			events[i] = eventstore.NewEvent{ID: uuid.Must(uuid.NewV7()), Type: typ, Schema: 1, Meta: []byte("{}"), Data: []byte("{}")}
		}
		if _, err := w.log.Append(w.t.Context(), eventstore.Request{
			Writes: []eventstore.Write{{Stream: "example-" + uuid.NewString(), Expected: eventstore.NoStream, Events: events}},
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// note is the job that follows from an event of type "example.noted".
type note struct {
	Position int64 `json:"position"`
}

func (note) Kind() string { return "note" }

type noter struct{ river.WorkerDefaults[note] }

func (*noter) Work(context.Context, *river.Job[note]) error { return nil }

// notes is the reaction to "example.noted".
func notes() reactions.Reaction {
	return reactions.Reaction{
		Name: "notes", Types: []string{"example.noted"},
		React: func(e eventstore.Event) ([]river.InsertManyParams, error) {
			return []river.InsertManyParams{{Args: note{e.Position}}}, nil
		},
	}
}

// noted returns how many jobs there are for each position.
func (w *world) noted() map[int64]int {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT args FROM jobs.river_job WHERE kind = 'note'`)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil {
		w.t.Fatal(err)
	}
	counts := make(map[int64]int)
	for _, args := range all {
		var n note
		if err := json.Unmarshal(args, &n); err != nil {
			w.t.Fatal(err)
		}
		counts[n.Position]++
	}
	return counts
}

// wantOnce fails the test unless the events from one position to another have
// one job each, and there are no others.
func (w *world) wantOnce(from, to int64) {
	w.t.Helper()
	got := w.noted()
	wrong := ""
	for p := from; p <= to; p++ {
		if got[p] != 1 {
			wrong += fmt.Sprintf(" %d×%d", p, got[p])
		}
		delete(got, p)
	}
	if wrong != "" || len(got) != 0 {
		w.t.Errorf("jobs of positions:%s; beside them %v", wrong, got)
	}
}

func (w *world) status(e *reactions.Engine) reactions.Status {
	w.t.Helper()
	all, err := e.Status(w.t.Context(), operator)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("status: %v, %v", all, err)
	}
	return all[0]
}
