package proof

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

// A mark as the register writes it, with what is stored beside every event.
const (
	benchData = `{"lesson_id":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a11","student_id":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a12","status":"present","register_id":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a15"}`
	benchMeta = `{"actor":"account","actor_id":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a13","role":"instructor","assignment_id":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a14"}`
)

func benchEvent(position int) eventstore.Event {
	return eventstore.Event{
		Position: int64(position), ID: benchID("event", position), Stream: "attendance_session-" + benchID("session", position/30).String(), Version: position%30 + 1,
		Type: "attendance.mark_made", Schema: 1, RecordedAt: monday.Add(time.Duration(position) * time.Millisecond),
		Meta: []byte(benchMeta), Data: []byte(benchData),
	}
}

func benchID(what string, n int) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %d", what, n))
}

// BenchmarkVerify verifies an export of a million events in memory.
func BenchmarkVerify(b *testing.B) {
	const n = 1_000_000
	h := newHouse(b, 0)
	var grown tree
	for i := range n {
		e := benchEvent(i + 1)
		h.sealed = append(h.sealed, summaryOf(appendRecord(nil, &e)))
		grown.add(h.sealed[i].leaf(), nil)
	}
	c, err := sign(h.signer, n, grown.root(), monday)
	if err != nil {
		b.Fatal(err)
	}
	var file bytes.Buffer
	x := newExporter(&file, c.Note)
	for i := range n {
		e := benchEvent(i + 1)
		s := summaryOf(appendRecord(nil, &e))
		x.event(&s, &e)
	}
	if err := x.w.Flush(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	before := cpu(b)
	for b.Loop() {
		if report, err := Verify(bytes.NewReader(file.Bytes()), h.key, nil); err != nil || len(report.Defects) > 0 {
			b.Fatal(err, told(report))
		}
	}
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "CPU-s/op")
	b.ReportMetric(float64(file.Len())/n, "bytes/event")
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}

// cpu returns how much the process has used.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkLog seals, proves and exports a log of 200,000 events in a database.
func BenchmarkLog(b *testing.B) {
	const n = 200_000
	db := pgtest.New(b)
	if _, err := db.Owner.Exec(b.Context(), `
		INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
		SELECT p, '2025-09-01'::timestamptz + p * interval '1 millisecond', gen_random_uuid(), p % 30 + 1, 1, 'attendance_session-' || p / 30, 'attendance.mark_made', convert_to($1, 'UTF8'), convert_to($2, 'UTF8')
		FROM generate_series(1, $3::bigint) p`, benchMeta, benchData, n); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Owner.Exec(b.Context(), `INSERT INTO es.mark VALUES ($1, '2025-09-02')`, n); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Pool(b, embedpg.Superuser, 1).Exec(b.Context(), `VACUUM ANALYZE es.event`); err != nil {
		b.Fatal(err)
	}
	w := newWorld(b, db)
	started := time.Now()
	if _, err := w.sealer.Seal(context.Background()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(started)
	var size int64
	if err := db.Owner.QueryRow(b.Context(), `SELECT pg_total_relation_size('proof.hash') + pg_total_relation_size('proof.summary')`).Scan(&size); err != nil {
		b.Fatal(err)
	}
	b.Run("first seal", func(b *testing.B) { // measured once, above
		for b.Loop() {
		}
		b.ReportMetric(n/took.Seconds(), "events/s")
		b.ReportMetric(float64(size)/n, "bytes/event")
	})
	b.Run("seal of nothing new", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.sealer.Seal(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("inclusion", func(b *testing.B) {
		position := int64(0)
		for b.Loop() {
			position = (position*31+7)%n + 1
			if _, err := w.sealer.Include(context.Background(), position); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("consistency", func(b *testing.B) {
		from := int64(0)
		for b.Loop() {
			from = (from*31+7)%n + 1
			if _, err := w.sealer.Continue(context.Background(), from, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.sealer.Export(context.Background(), io.Discard); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
	})
}
