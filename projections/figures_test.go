package projections_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// entries has a row for each event, and two indexes.
var entries = projections.Projection[entryTables]{
	Name: "entries", Version: 1,
	Schema:  `CREATE TABLE entry (lesson uuid NOT NULL, student uuid NOT NULL, register uuid NOT NULL, status text NOT NULL, points integer NOT NULL, taken_at timestamptz NOT NULL);`,
	Indexes: `ALTER TABLE entry ADD PRIMARY KEY (lesson, student); CREATE INDEX ON entry (student);`,
	Tables: func(s *projections.Set) *entryTables {
		return &entryTables{projections.NewTable(s, "entry",
			func(k *markKey) []projections.Column {
				return []projections.Column{projections.ColID("lesson", &k.Lesson), projections.ColID("student", &k.Student)}
			},
			func(r *entry) []projections.Column {
				return []projections.Column{projections.ColID("register", &r.Register), projections.ColText("status", &r.Status),
					projections.ColInt("points", &r.Points), projections.ColTime("taken_at", &r.TakenAt)}
			})}
	},
	On: []projections.Handler[entryTables]{
		projections.On(func(t *entryTables, e marked, m projections.Meta) {
			t.Entries.Put(markKey{e.Lesson, e.Student}, entry{e.Register, e.Status, e.Points, m.RecordedAt})
		}),
	},
}

type (
	entryTables struct {
		Entries *projections.Table[markKey, entry]
	}
	entry struct {
		Register domain.RegisterID
		Status   string
		Points   int32
		TakenAt  time.Time
	}
)

// fill appends n marks to the log, a thousand at a time.
func (j *journal) fill(b testing.TB, n int) {
	b.Helper()
	var ids uuid.UUID
	for i := 0; i < n; i += 1000 {
		binary.BigEndian.PutUint64(ids[:], uint64(i)+1)
		w := eventstore.Write{Stream: "bench-" + ids.String(), Expected: eventstore.Any}
		for k := range min(1000, n-i) {
			w.Events = append(w.Events, j.encode(b, markOf(i+k)))
		}
		if _, err := j.Append(b.Context(), eventstore.Request{Writes: []eventstore.Write{w}}); err != nil {
			b.Fatal(err)
		}
	}
}

func markOf(i int) marked {
	m := marked{Register: domain.RegisterID{UUID: uuid.UUID{0xe}}, Status: "P", Points: 1}
	m.Lesson.UUID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)) // as random as keys are
	binary.BigEndian.PutUint32(m.Student.UUID[:], uint32(i%1000)+1)
	return m
}

func (j *journal) encode(b testing.TB, e domain.Event) eventstore.NewEvent {
	id := uuid.New()
	schema, data, err := catalogue.Encode(e, id, nil)
	if err != nil {
		b.Fatal(err)
	}
	return eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: schema, Meta: []byte(`{"actor":"system"}`), Data: data}
}

// BenchmarkRebuildOfTheLog builds a table of a row for each event with two
// indexes from a million stored events, beside one COPY of the same rows into a
// fresh table and then the indexes, and beside an upsert for each event in
// pages of a thousand. What reading and decoding the log takes is told apart.
func BenchmarkRebuildOfTheLog(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	db := pgtest.New(b)
	j := newJournal(b, db)
	j.fill(b, n)
	options := options
	options.Partial = true
	e, err := projections.Open(db.App, j.log(), options, entries)
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	var all, tables, copies, blocked, cpu []float64
	for b.Loop() {
		copies = append(copies, copyOf(b, db.App).Seconds())
		began, used := time.Now(), processorTime(b)
		report, err := e.Rebuild(b.Context(), "entries")
		if err != nil {
			b.Fatal(err)
		}
		if report.Rows != int64(n) || len(report.Different) > 0 {
			b.Fatalf("%+v", report)
		}
		took := time.Since(began) - report.Comparing
		cpu = append(cpu, float64((processorTime(b)-used).Microseconds())/float64(n))
		all = append(all, took.Seconds())
		tables = append(tables, report.Copying.Seconds())
		blocked = append(blocked, float64(report.Blocked.Microseconds()))
	}
	upserts := upsertsOf(b, db.App, 100_000).Seconds() * float64(n) / 100_000
	b.ReportMetric(float64(n)/median(all), "events/s")
	b.ReportMetric(median(copies)/median(all), "of-COPY")
	b.ReportMetric(median(copies)/median(tables), "of-COPY-when-read")
	b.ReportMetric(upserts/median(all), "x-upserts")
	b.ReportMetric(median(blocked), "µs-blocked")
	b.ReportMetric(median(cpu), "µs-CPU-own/event")
}

// processorTime is what this process has used, PostgreSQL not included.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// copyOf copies the table of entries into a fresh one and then indexes it.
func copyOf(b *testing.B, pool *pgxpool.Pool) time.Duration {
	conn, err := pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	var data bytes.Buffer
	if _, err := pg.CopyTo(b.Context(), &data, "COPY rm_entries_v1.entry TO STDOUT (FORMAT binary)"); err != nil {
		b.Fatal(err)
	}
	run := func(sql string) {
		if _, err := pg.Exec(b.Context(), sql).ReadAll(); err != nil {
			b.Fatal(err)
		}
	}
	run("CREATE SCHEMA floor")
	defer run("DROP SCHEMA floor CASCADE")
	began := time.Now()
	run("BEGIN; SET LOCAL search_path TO floor; " + entries.Schema)
	if _, err := pg.CopyFrom(b.Context(), &data, "COPY entry FROM STDIN (FORMAT binary, FREEZE)"); err != nil {
		b.Fatal(err)
	}
	run(entries.Indexes + "; ANALYZE entry; COMMIT")
	return time.Since(began)
}

const upsertEntry = `INSERT INTO usual.entry VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (lesson, student) DO UPDATE SET register = $3, status = $4, points = $5, taken_at = $6`

// upsertsOf writes n rows with an upsert each, a thousand in a transaction, as
// is usual.
func upsertsOf(b *testing.B, pool *pgxpool.Pool, n int) time.Duration {
	ctx := b.Context()
	if _, err := pool.Exec(ctx, "CREATE SCHEMA usual; "+
		strings.ReplaceAll(entries.Schema+entries.Indexes, " entry ", " usual.entry ")); err != nil {
		b.Fatal(err)
	}
	defer pool.Exec(ctx, "DROP SCHEMA usual CASCADE")
	began := time.Now()
	for i := 0; i < n; i += 1000 {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			for k := range 1000 {
				m := markOf(i + k)
				_, err := tx.Exec(ctx, upsertEntry,
					m.Lesson.UUID, m.Student.UUID, m.Register.UUID, m.Status, m.Points, began)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// BenchmarkVisibleUnderLoad appends 2,000 events a second, one at a time, and
// takes the time from the answer to an append, and from its start, until the
// read model has the event.
func BenchmarkVisibleUnderLoad(b *testing.B) {
	const rate = 2000
	db := pgtest.New(b)
	j := newJournal(b, db)
	options := options
	options.Page, options.Partial = 2000, true
	e, err := projections.Open(db.App, j.log(), options, entries)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	defer func() { cancel(); <-done }()
	caughtUp(b, e, 0)

	var mu sync.Mutex
	var answered, visible []float64 // milliseconds
	var writers sync.WaitGroup
	began, i := time.Now(), 0
	one := func() {
		started := time.Now()
		w := j.encode(b, markOf(i))
		i++
		writers.Go(func() {
			r, err := j.Append(ctx, eventstore.Request{Writes: []eventstore.Write{{Stream: "bench-" + w.ID.String(), Events: []eventstore.NewEvent{w}}}})
			if err != nil {
				b.Error(err)
				return
			}
			appended := time.Now()
			if err := e.WaitFor(ctx, r.Last); err != nil {
				b.Error(err)
				return
			}
			seen := time.Now()
			mu.Lock()
			defer mu.Unlock()
			answered = append(answered, seen.Sub(appended).Seconds()*1000)
			visible = append(visible, seen.Sub(started).Seconds()*1000)
		})
	}
	for b.Loop() {
		due := began.Add(time.Duration(i) * time.Second / rate)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		one()
	}
	writers.Wait()
	b.ReportMetric(float64(i)/time.Since(began).Seconds(), "events/s")
	for _, c := range []struct {
		name string
		all  []float64
	}{{"answered-to-visible", answered}, {"start-to-visible", visible}} {
		slices.Sort(c.all)
		b.ReportMetric(c.all[len(c.all)/2], "ms-p50-"+c.name)
		b.ReportMetric(c.all[len(c.all)*99/100], "ms-p99-"+c.name)
	}
}
