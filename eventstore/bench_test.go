package eventstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

const benchData = `{"register":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a11","pupil":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a12","status":"present","minutes":45}`
const benchMeta = `{"actor":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a13","role":"class_teacher","request":"%s"}`

// BenchmarkAppend compares appends of one event to the floor: a transaction of
// one plain INSERT into the same table with no check at all. The test server
// runs without fsync; set ZURNALS_TEST_PG_SOCKET to one that has it on.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("floor/%d", writers), func(b *testing.B) {
			db := pgtest.New(b)
			pool := db.Pool(b, embedpg.Owner, int32(min(writers, 64)))
			var position atomic.Int64
			spread(b, writers, func(int) error {
				_, err := pool.Exec(context.Background(), `INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
					VALUES ($1, now(), $2, 1, 1, $3, 'attendance.marked', $4, $5)`,
					position.Add(1), [16]byte(uuid.New()), "register-"+uuid.NewString(), []byte(benchMeta), []byte(benchData))
				return err
			})
		})
		b.Run(fmt.Sprintf("append/%d", writers), func(b *testing.B) {
			db := pgtest.New(b)
			log, _ := open(b, db, time.Now, eventstore.NewMaster())
			streams, versions := make([]string, writers), make([]int, writers)
			spread(b, writers, func(w int) error {
				if versions[w]%10 == 0 {
					streams[w], versions[w] = "register-"+uuid.NewString(), 0
				}
				e := eventstore.NewEvent{ID: uuid.New(), Type: "attendance.marked", Schema: 1, Meta: []byte(benchMeta), Data: []byte(benchData)}
				_, err := log.Append(context.Background(), eventstore.Request{Writes: []eventstore.Write{{Stream: streams[w], Expected: versions[w], Events: []eventstore.NewEvent{e}}}})
				versions[w]++
				return err
			})
			var group float64
			if err := db.App.QueryRow(context.Background(), `SELECT count(*)::float8 / count(DISTINCT xmin::text) FROM es.event`).Scan(&group); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(group, "events/commit")
		})
	}
}

// spread runs b.N calls on some goroutines.
func spread(b *testing.B, writers int, f func(writer int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(w); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRead reads the log through the API and by one COPY of it, by turns:
// what else the machine does then slows both.
func BenchmarkRead(b *testing.B) {
	db, master := pgtest.New(b), eventstore.NewMaster()
	log, _ := open(b, db, time.Now, master)
	const n = 100_000
	for range n / 1000 {
		var r eventstore.Request
		for range 100 {
			w := eventstore.Write{Stream: "register-" + uuid.NewString()}
			for range 10 {
				meta := fmt.Appendf(nil, benchMeta, uuid.New())
				w.Events = append(w.Events, eventstore.NewEvent{ID: uuid.New(), Type: "attendance.marked", Schema: 1, Meta: meta, Data: []byte(benchData)})
			}
			r.Writes = append(r.Writes, w)
		}
		appended(b, log, r)
	}
	other, _ := open(b, db, time.Now, master) // it remembers no events
	var reading, copying time.Duration
	var ratios []float64
	for b.Loop() {
		began := time.Now()
		count := 0
		for _, err := range other.ReadAll(context.Background(), 0, 0) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != n {
			b.Fatal(count)
		}
		read := time.Since(began)
		began = time.Now()
		if err := copyOut(db.App); err != nil {
			b.Fatal(err)
		}
		copied := time.Since(began)
		reading, copying = reading+read, copying+copied
		ratios = append(ratios, copied.Seconds()/read.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(b.N)*n/reading.Seconds(), "events/s")
	b.ReportMetric(float64(b.N)*n/copying.Seconds(), "copied/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

func copyOut(pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(context.Background())
	if err != nil {
		return err
	}
	defer conn.Release()
	var counted counter
	_, err = conn.Conn().PgConn().CopyTo(context.Background(), &counted, `COPY (SELECT * FROM es.event ORDER BY position) TO STDOUT (FORMAT binary)`)
	return err
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
