package projections_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
)

// many is n marks, each of a row of its own.
func many(n int) []projections.Event {
	register := domain.RegisterID{UUID: uuid.UUID{0xe}}
	var all []projections.Event
	for i := range n {
		lesson := domain.LessonID{UUID: uuid.UUID{1, byte(i >> 16), byte(i >> 8), byte(i)}}
		student := domain.StudentID{UUID: uuid.UUID{2, byte(i >> 8), byte(i)}}
		all = append(all, projections.Event{Event: marked{lesson, student, register, "P", 1},
			Meta: projections.Meta{Position: int64(i + 1), RecordedAt: projectiontest.Start}})
	}
	return all
}

// BenchmarkRebuild builds tables of 100,000 events anew, from decoded events,
// beside one COPY of the same rows into the same tables with the same indexes.
func BenchmarkRebuild(b *testing.B) {
	const n = 100_000
	pool := pgtest.New(b).App
	options := options
	options.Partial = true
	e, err := projections.Open(pool, projectiontest.NewLog(many(n)...), options, marks)
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	var built, copied, blocked time.Duration
	for b.Loop() {
		report, err := e.Rebuild(b.Context(), "marks")
		if err != nil {
			b.Fatal(err)
		}
		built += report.Reading + report.Copying
		blocked += report.Blocked

		b.StopTimer()
		conn, err := pool.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		pg := conn.Conn().PgConn()
		run := func(sql string) {
			if _, err := pg.Exec(b.Context(), sql).ReadAll(); err != nil {
				b.Fatal(err)
			}
		}
		tables := []string{"mark", "total"}
		data := make([]bytes.Buffer, len(tables))
		for i, name := range tables {
			if _, err := pg.CopyTo(b.Context(), &data[i], "COPY rm_marks_v1."+name+" TO STDOUT (FORMAT binary)"); err != nil {
				b.Fatal(err)
			}
		}
		began := time.Now()
		run("BEGIN; CREATE SCHEMA floor; SET LOCAL search_path TO floor; " + marks.Schema)
		for i, name := range tables {
			if _, err := pg.CopyFrom(b.Context(), &data[i], "COPY "+name+" FROM STDIN (FORMAT binary, FREEZE)"); err != nil {
				b.Fatal(err)
			}
		}
		run(marks.Indexes + "COMMIT")
		copied += time.Since(began)
		run("DROP SCHEMA floor CASCADE")
		conn.Release()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*n/built.Seconds(), "events/s")
	b.ReportMetric(copied.Seconds()/built.Seconds(), "of-COPY")
	b.ReportMetric(float64(blocked.Microseconds())/float64(b.N), "µs-blocked")
}

// BenchmarkLive applies 100,000 events in pages of 2,000.
func BenchmarkLive(b *testing.B) {
	const n = 100_000
	events := many(n)
	options := options
	options.Partial, options.Page = true, 2000
	for b.Loop() {
		b.StopTimer()
		log := projectiontest.NewLog()
		e, err := projections.Open(pgtest.New(b).App, log, options, marks)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Prepare(b.Context()); err != nil {
			b.Fatal(err)
		}
		log.Append(events...)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan struct{})
		b.StartTimer()
		go func() { defer close(done); e.Run(ctx) }()
		if err := e.WaitFor(ctx, n); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cancel()
		<-done
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkVisible takes the time from an append until a query sees it.
func BenchmarkVisible(b *testing.B) {
	db := pgtest.New(b)
	pool, j := db.App, newJournal(b, db)
	e, _ := start(b, pool, j.log())
	caughtUp(b, e, 0)
	i := 0
	for b.Loop() {
		at := j.add(b, hired{Account: domain.AccountID{UUID: uuid.UUID{1, byte(i >> 16), byte(i >> 8), byte(i)}}})
		if i++; i%100 == 0 {
			if _, err := countStaff(projections.WithMinPosition(b.Context(), at), e.DB(), reader); err != nil {
				b.Fatal(err)
			}
			continue
		}
		if err := e.WaitFor(b.Context(), at, "staff"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadYourWrite appends an event and reads it back, on the primary and
// on a streaming replica on the same machine.
func BenchmarkReadYourWrite(b *testing.B) {
	db, standby := pgtest.NewReplicated(b)
	j := newJournal(b, db)
	for name, replica := range map[string]*pgxpool.Pool{"primary": nil, "replica": standby.Pool(embedpg.App, 8)} {
		b.Run(name, func(b *testing.B) {
			o := options
			o.Replica = replica
			e, err := projections.Open(db.App, j.log(), o, marks, staff)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); e.Run(ctx) }()
			defer func() { cancel(); <-done }()
			caughtUp(b, e, 0)
			if replica != nil {
				until(b, "the replica answers", func() bool { s, _ := e.Replica(); return s.Problem == "" })
			}
			for n := 0; b.Loop(); n++ {
				at := j.add(b, somebody(n))
				if _, there, err := whoAnswers(projections.WithMinPosition(ctx, at), e); err != nil || there != (replica != nil) {
					b.Fatalf("from the replica %t, %v", there, err)
				}
			}
		})
	}
}
