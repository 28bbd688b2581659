// Package projectiontest checks projections on a real PostgreSQL: that they are
// the same whether built at once or event by event, and that their queries
// answer what a story of events makes true.
package projectiontest

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// Start is when the first event of a test is recorded, a Monday, 8:00 in Riga;
// each later one comes a minute after.
var Start = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

// Events returns events as a log has them, from position 1, each in a stream of
// its own.
func Events(events ...domain.Event) []projections.Event {
	var all []projections.Event
	for i, e := range events {
		id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "event", i))
		all = append(all, projections.Event{Event: e, Meta: projections.Meta{
			Position: int64(i + 1), RecordedAt: Start.Add(time.Duration(i) * time.Minute), EventID: id,
			Stream: "test-" + id.String(), Version: 1,
		}})
	}
	return all
}

// A Log is a log of decoded events, in memory.
type Log struct {
	mu     sync.Mutex
	events []projections.Event
	moved  chan struct{}
}

// NewLog returns a log. Positions of events are 1, 2, 3 …
func NewLog(events ...projections.Event) *Log {
	return &Log{events: events, moved: make(chan struct{})}
}

// Append adds events.
func (l *Log) Append(events ...projections.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	close(l.moved)
	l.moved = make(chan struct{})
}

// Head implements projections.Log.
func (l *Log) Head(context.Context) (int64, error) {
	head, _ := l.Changes()
	return head, nil
}

// Changes implements projections.Log.
func (l *Log) Changes() (int64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), l.moved
}

// Read implements projections.Log.
func (l *Log) Read(_ context.Context, after, upto int64, want map[string]bool) ([]projections.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []projections.Event
	for _, e := range l.events[after:max(after, upto)] {
		if want[e.Event.EventType()] {
			some = append(some, e)
		}
	}
	return some, nil
}

// Given returns read models that have seen events, for tests of queries.
func Given(t testing.TB, events []projections.Event, all ...projections.Any) *projections.DB {
	t.Helper()
	e := run(t, pgtest.New(t).App, NewLog(events...), 0, all...)
	wait(t, e, int64(len(events)))
	return e.DB()
}

// Rebuild checks a projection with a story of events, which should have each
// type that it handles: its tables must be the same whether the events come one
// by one, in pages, all at once, after a first part was copied, in a rebuild, or,
// if the program knows all of them, sealed and stored from the log in PostgreSQL.
// It checks too that every field has a column that keeps it.
func Rebuild[T any](t *testing.T, p projections.Projection[T], events ...projections.Event) {
	t.Helper()
	Fields(t, p)
	handled := make(map[string]bool)
	for _, e := range events {
		handled[e.Event.EventType()] = true
	}
	for _, h := range p.On {
		if !handled[h.Type] {
			t.Errorf("%s: the events of the test have no %s", p.Name, h.Type)
		}
	}
	schema := fmt.Sprintf("rm_%s_v%d", p.Name, p.Version)
	var want map[string][]string
	for _, c := range []struct {
		name  string
		page  int
		first int // events in the log when the tables are built
	}{
		{"rebuilt", 1, len(events)},
		{"one by one", 1, 0},
		{"by sevens", 7, 0},
		{"at once", len(events) + 1, 0},
		{"after a first half", 7, len(events) / 2},
	} {
		pool := pgtest.New(t).App
		log := NewLog(events[:c.first:c.first]...)
		e := open(t, pool, log, c.page, p)
		if err := e.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		log.Append(events[c.first:]...)
		start(t, e)
		wait(t, e, int64(len(events)))
		got := Dump(t, pool, schema)
		if want == nil {
			want = got
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: rebuilt (-) and %s (+) differ:\n%s", p.Name, c.name, diff)
		}
		report, err := e.Rebuild(t.Context(), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !report.Compared || len(report.Different) > 0 {
			t.Errorf("%s: after %s, a rebuild reports different tables: %v (compared: %t)", p.Name, c.name, report.Different, report.Compared)
		}
		if diff := cmp.Diff(want, Dump(t, pool, schema)); diff != "" {
			t.Errorf("%s: rebuilt twice, they differ:\n%s", p.Name, diff)
		}
	}
	if stored(events) {
		pool, log := store(t, events)
		e := open(t, pool, log, 7, p)
		start(t, e)
		wait(t, e, int64(len(events)))
		if diff := cmp.Diff(want, Dump(t, pool, schema)); diff != "" {
			t.Errorf("%s: rebuilt (-) and from the stored log (+) differ:\n%s", p.Name, diff)
		}
	}
}

// Fields checks that every field of keys and rows has a column that keeps it.
func Fields[T any](t testing.TB, p projections.Projection[T]) {
	t.Helper()
	tables, err := p.Fold()
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(tables).Elem()
	for i := range v.NumField() {
		kept := v.Field(i).MethodByName("Kept")
		if !kept.IsValid() {
			continue // a group
		}
		table := v.Type().Field(i).Name
		in := []reflect.Value{reflect.New(kept.Type().In(0)).Elem(), reflect.New(kept.Type().In(1)).Elem()}
		for _, s := range in {
			for f := range s.NumField() {
				if !fill(s.Field(f), byte(f+1)) {
					t.Fatalf("%s, table %s: field %s has a type that no column keeps", p.Name, table, s.Type().Field(f).Name)
				}
			}
		}
		for j, out := range kept.Call(in) {
			for f := range out.NumField() {
				if !same(in[j].Field(f), out.Field(f)) {
					t.Errorf("%s, table %s: field %s has no column that keeps it", p.Name, table, out.Type().Field(f).Name)
				}
			}
		}
	}
}

// fill sets a field to something that is not zero.
func fill(v reflect.Value, n byte) bool {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2025, 9, int(n%28)+1, 0, 0, 0, 0, time.UTC)
		return true
	case *uuid.UUID:
		*x = uuid.UUID{n}
		return true
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("2025-09-%02d", n%28+1)) // a day too, should it be one
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(int64(n))
	case reflect.Struct:
		return v.NumField() == 1 && fill(v.Field(0), n) // an id
	default:
		return false
	}
	return true
}

func same(a, b reflect.Value) bool {
	if x, ok := a.Interface().(time.Time); ok {
		return x.Equal(b.Interface().(time.Time))
	}
	return a.Interface() == b.Interface()
}

// Dump returns all rows of all tables in a schema, sorted.
func Dump(t testing.TB, pool *pgxpool.Pool, schema string) map[string][]string {
	t.Helper()
	collect := func(sql string, args ...any) []string {
		rows, err := pool.Query(context.Background(), sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	dump := make(map[string][]string)
	for _, name := range collect("SELECT tablename::text FROM pg_tables WHERE schemaname = $1", schema) {
		dump[name] = collect(fmt.Sprintf("SELECT t::text FROM %s.%s AS t ORDER BY 1", schema, name))
	}
	if len(dump) == 0 {
		t.Fatalf("there are no tables in %s", schema)
	}
	return dump
}

func open(t testing.TB, pool *pgxpool.Pool, log projections.Log, page int, all ...projections.Any) *projections.Engine {
	t.Helper()
	e, err := projections.Open(pool, log, projections.Options{
		Page: page, Now: func() time.Time { return Start }, Logger: slog.New(slog.DiscardHandler), Partial: true,
	}, all...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// start runs an engine until the test ends.
func start(t testing.TB, e *projections.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func run(t testing.TB, pool *pgxpool.Pool, log projections.Log, page int, all ...projections.Any) *projections.Engine {
	t.Helper()
	e := open(t, pool, log, page, all...)
	start(t, e)
	return e
}

// wait waits until all projections have seen a position. If one stops, the test
// fails with its reason.
func wait(t testing.TB, e *projections.Engine, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		err := e.WaitFor(short, position)
		stop()
		if err == nil {
			return
		}
		var wrong []string
		for _, s := range e.Status() {
			if s.State == projections.Stopped || ctx.Err() != nil {
				wrong = append(wrong, fmt.Sprintf("%s is %s at %d of %d: %s", s.Name, s.State, s.Position, position, s.Error))
			}
		}
		if len(wrong) > 0 {
			t.Fatal(strings.Join(wrong, "\n"))
		}
	}
}
