package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
	"zurnals/internal/peers"
	"zurnals/internal/pgtest"
	"zurnals/projections"
)

// A peer is another event store, and how its own consumers read a page of a
// thousand events after a position.
type peer struct {
	peers.Store
	fill string // statement with stream, version, id, data
	page string // statement with a position; position and data come
}

var others = []peer{
	{
		Store: peers.MessageDB,
		fill:  `INSERT INTO messages (stream_name, position, id, type, data, metadata) VALUES ('register-' || $1, $2, $3::uuid, 'marked', $4::jsonb, '{"actor": "system"}')`,
		page:  `SELECT global_position, data::text FROM get_category_messages('register', $1 + 1, 1000)`,
	},
	{
		Store: peers.Emmett,
		fill: `INSERT INTO emt_messages (stream_id, stream_position, message_id, message_data, message_metadata, message_schema_version, message_type, partition, transaction_id)
			VALUES ('register-' || $1, $2, $3, $4, '{"actor": "system"}', '1', 'marked', 'emt:default', pg_current_xact_id())`,
		page: `SELECT global_position, message_data::text FROM emt_messages
			WHERE partition = 'emt:default' AND is_archived = FALSE AND transaction_id < pg_snapshot_xmin(pg_current_snapshot()) AND global_position >= $1 + 1
			ORDER BY transaction_id, global_position LIMIT 1000`,
	},
}

// BenchmarkRebuildBesidePeers builds a table of a row for each of 100,000 stored
// events with two indexes, and the same from the tables of two event stores
// from npm, by turns. Those are read as their consumers read them, but by Go and
// in pages of a thousand, and written as is usual: an upsert for each event, in
// one transaction a page. That is kinder than their own clients are.
func BenchmarkRebuildBesidePeers(b *testing.B) {
	const n = 100_000
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
	pools := make([]*pgxpool.Pool, len(others))
	for i, p := range others {
		if pools[i] = p.open(b); pools[i] != nil {
			p.store(b, pools[i], n)
		}
	}
	var own []float64
	theirs := make([][]float64, len(others))
	for b.Loop() {
		began := time.Now()
		report, err := e.Rebuild(b.Context(), "entries")
		if err != nil {
			b.Fatal(err)
		}
		own = append(own, (time.Since(began) - report.Comparing).Seconds())
		for i, p := range others {
			if pools[i] != nil {
				theirs[i] = append(theirs[i], p.rebuild(b, pools[i], n).Seconds())
			}
		}
	}
	b.ReportMetric(n/median(own), "events/s")
	for i, p := range others {
		if len(theirs[i]) > 0 {
			b.ReportMetric(n/median(theirs[i]), p.String()+"-events/s")
			b.ReportMetric(median(theirs[i])/median(own), "x-"+p.String())
		}
	}
}

// open makes a database with the tables of a peer, nil if it is not installed.
func (p peer) open(b *testing.B) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(pgtest.Empty(b).DSN(embedpg.Owner))
	if err != nil {
		b.Fatal(err)
	}
	pool, err := p.Open(b.Context(), "../.peers", config)
	if errors.Is(err, peers.ErrMissing) {
		b.Logf("%s %v", p, err)
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	usual := "CREATE SCHEMA usual; " + strings.ReplaceAll(entries.Schema+entries.Indexes, " entry ", " usual.entry ")
	if _, err := pool.Exec(b.Context(), usual, pgx.QueryExecModeSimpleProtocol); err != nil {
		b.Fatal(err)
	}
	return pool
}

// store writes n marks where the peer has its events.
func (p peer) store(b *testing.B, pool *pgxpool.Pool, n int) {
	for i := 0; i < n; i += 1000 {
		var batch pgx.Batch
		stream := uuid.NewString()
		for k := range 1000 {
			data, err := json.Marshal(markOf(i + k))
			if err != nil {
				b.Fatal(err)
			}
			batch.Queue(p.fill, stream, k, uuid.NewString(), string(data))
		}
		if err := pool.SendBatch(b.Context(), &batch).Close(); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := pool.Exec(b.Context(), `ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

// rebuild empties the table and fills it from the events of the peer.
func (p peer) rebuild(b *testing.B, pool *pgxpool.Pool, n int) time.Duration {
	ctx := b.Context()
	began := time.Now()
	if _, err := pool.Exec(ctx, `TRUNCATE usual.entry`); err != nil {
		b.Fatal(err)
	}
	done := 0
	for after := int64(0); ; {
		rows := 0
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
			after, rows, err = p.handlePage(ctx, tx, after)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if rows == 0 {
			break
		}
		done += rows
	}
	if done != n {
		b.Fatalf("%s has %d events of %d", p, done, n)
	}
	return time.Since(began)
}

func (p peer) handlePage(ctx context.Context, tx pgx.Tx, after int64) (last int64, n int, err error) {
	rows, err := tx.Query(ctx, p.page, after)
	if err != nil {
		return after, 0, err
	}
	var all []marked
	var data string
	if _, err := pgx.ForEachRow(rows, []any{&after, &data}, func() error {
		var m marked
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return fmt.Errorf("%s at %d: %w", p, after, err)
		}
		all = append(all, m)
		return nil
	}); err != nil {
		return after, 0, err
	}
	at := time.Now()
	for _, m := range all {
		if _, err := tx.Exec(ctx, upsertEntry, m.Lesson.UUID, m.Student.UUID, m.Register.UUID, m.Status, m.Points, at); err != nil {
			return after, 0, err
		}
	}
	return after, len(all), nil
}
