package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/migrations"
)

const (
	data = `{"register":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a11","pupil":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a12","status":"present","minutes":45}`
	meta = `{"actor":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a13","role":"class_teacher","request":"0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a14"}`
	// perStream is how many events a stream gets before the next is begun.
	perStream = 10
)

func comparisons() []comparison {
	all := []comparison{}
	for _, writers := range []int{1, 32, 256} {
		all = append(all, comparison{
			name: fmt.Sprintf("One event in an append, %d writers", writers), writers: writers, events: 1,
			candidates: []candidate{{"floor: plain INSERT", openFloor}, {"Žurnāls", openLog(checks{})},
				{"message-db", openMessageDB}, {"emmett", openEmmett}},
		})
	}
	all = append(all, comparison{
		name: "Ten events in an append, 32 writers", writers: 32, events: 10,
		candidates: []candidate{{"COPY, one stream of rows", openCopy}, {"Žurnāls", openLog(checks{})}, {"message-db", openMessageDB}, {"emmett", openEmmett}},
	})
	all = append(all, comparison{
		name: "A log that has grown, 32 writers", writers: 32, events: 1,
		candidates: []candidate{{"new", openLog(checks{})}, {"grown, in twenty partitions", openGrown}},
	})
	for _, writers := range []int{1, 256} {
		all = append(all, comparison{
			name: fmt.Sprintf("What each check costs, %d writers", writers), writers: writers, events: 1,
			candidates: []candidate{
				{"versions and ledger", openLog(checks{})},
				{"… and a guard", openLog(checks{guard: true})},
				{"… and a claim taken", openLog(checks{claim: true})},
				{"… and a sealed field", openLog(checks{seal: true})},
				{"all of them", openLog(checks{true, true, true})},
			},
		})
	}
	return all
}

// slowDisk is what a write to a disk across a network takes longer, roughly.
const slowDisk = time.Millisecond

// onSlowDisk are the comparisons that say what a group commit is for.
func onSlowDisk() []comparison {
	all := []comparison{}
	for _, c := range comparisons()[:4] {
		c.name += fmt.Sprintf(", a disk that takes %s longer", slowDisk)
		all = append(all, c)
	}
	return all
}

// database makes a migrated database of its own.
func (b *bench) database(ctx context.Context, migrated bool) (name string, drop func(), err error) {
	name = "bench_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := b.server.CreateDatabase(ctx, name); err != nil {
		return "", nil, err
	}
	drop = func() {
		ctx := context.Background()
		if conn, err := pgx.Connect(ctx, b.server.DSN(embedpg.Superuser, "postgres")); err == nil {
			_, _ = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)") // the whole server goes soon
			_ = conn.Close(ctx)
		}
	}
	if migrated {
		err = migrations.Up(ctx, b.server.DSN(embedpg.Owner, name))
	}
	return name, drop, err
}

func (b *bench) pool(ctx context.Context, role, database string, conns int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(b.server.DSN(role, database))
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(conns)
	return pgxpool.NewWithConfig(ctx, config)
}

// openFloor is a pool that inserts rows one by one, each in a transaction, with
// as many connections as do it good.
func openFloor(ctx context.Context, b *bench, c comparison) (contender, error) {
	name, drop, err := b.database(ctx, true)
	if err != nil {
		return contender{}, err
	}
	pool, err := b.pool(ctx, embedpg.Owner, name, min(c.writers, 64))
	if err != nil {
		return contender{}, err
	}
	if _, err := pool.Exec(ctx, `SELECT es.prepare_partitions(4000000)`); err != nil {
		return contender{}, err
	}
	var position atomic.Int64
	return contender{
		appendOnce: func(ctx context.Context, _ int) error {
			_, err := pool.Exec(ctx, `INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
				VALUES ($1, now(), $2, 1, 1, $3, 'attendance.marked', $4, $5)`,
				position.Add(1), [16]byte(uuid.New()), "register-"+uuid.NewString(), []byte(meta), []byte(data))
			return err
		},
		close: func() { pool.Close(); drop() },
	}, nil
}

// openCopy is one connection that copies rows in transactions of 10,000. The
// writers only wait for it, so it is asked by the first alone.
func openCopy(ctx context.Context, b *bench, c comparison) (contender, error) {
	name, drop, err := b.database(ctx, true)
	if err != nil {
		return contender{}, err
	}
	pool, err := b.pool(ctx, embedpg.Owner, name, 1)
	if err != nil {
		return contender{}, err
	}
	if _, err := pool.Exec(ctx, `SELECT es.prepare_partitions(4000000)`); err != nil {
		return contender{}, err
	}
	const rows = 10_000
	var turn sync.Mutex
	position, left := int64(0), 0
	columns := []string{"position", "recorded_at", "id", "version", "schema", "stream", "type", "meta", "data"}
	return contender{
		appendOnce: func(ctx context.Context, _ int) error {
			turn.Lock()
			defer turn.Unlock()
			if left -= c.events; left >= 0 {
				return nil // copied already, by somebody else's turn
			}
			at, stream := time.Now(), ""
			_, err := pool.CopyFrom(ctx, pgx.Identifier{"es", "event"}, columns, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
				position++
				if i%perStream == 0 {
					stream = "register-" + uuid.NewString()
				}
				return []any{position, at, [16]byte(uuid.New()), i%perStream + 1, 1, stream, "attendance.marked", []byte(meta), []byte(data)}, nil
			}))
			left = rows - c.events
			return err
		},
		close: func() { pool.Close(); drop() },
	}, nil
}

// checks are what an append asks for beside versions and the ledger, which
// every append has.
type checks struct{ guard, claim, seal bool }

func openLog(ask checks) func(context.Context, *bench, comparison) (contender, error) {
	return func(ctx context.Context, b *bench, c comparison) (contender, error) {
		name, drop, err := b.database(ctx, true)
		if err != nil {
			return contender{}, err
		}
		return b.log(ctx, c, ask, name, drop)
	}
}

// openGrown is a log of twenty partitions, with a stream for each ten events.
func openGrown(ctx context.Context, b *bench, c comparison) (contender, error) {
	name, drop, err := b.database(ctx, true)
	if err != nil {
		return contender{}, err
	}
	conn, err := pgx.Connect(ctx, b.server.DSN(embedpg.Owner, name))
	if err != nil {
		return contender{}, err
	}
	defer conn.Close(ctx)
	size := b.grown / 20 / perStream * perStream
	statements := []string{
		`DO $$ DECLARE name regclass; BEGIN
			FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'es.event'::regclass LOOP
				EXECUTE format('DROP TABLE %s', name);
			END LOOP;
		END $$`,
		fmt.Sprintf(`UPDATE es.layout SET partition_size = %d, next_position = 1`, size),
	}
	for part := range 20 {
		first, last := part*size+1, (part+1)*size
		statements = append(statements,
			fmt.Sprintf(`SELECT es.prepare_partitions(%d)`, size),
			fmt.Sprintf(`INSERT INTO es.event (position, recorded_at, id, version, schema, stream, type, meta, data)
				SELECT p, now(), gen_random_uuid(), (p - 1) %% %d + 1, 1, 'register-' || md5(((p - 1) / %[1]d)::text)::uuid, 'attendance.marked', '%s', '%s'
				FROM generate_series(%d, %d) p`, perStream, meta, data, first, last),
			fmt.Sprintf(`INSERT INTO es.stream (stream, version, first_position, last_position)
				SELECT 'register-' || md5(s::text)::uuid, %d, s * %[1]d + 1, (s + 1) * %[1]d FROM generate_series(%d, %d) s`, perStream, (first-1)/perStream, last/perStream-1),
			fmt.Sprintf(`INSERT INTO es.mark (position, recorded_at) VALUES (%d, now())`, last))
	}
	statements = append(statements, `UPDATE es.layout SET partition_size = 1000000`, `SELECT es.prepare_partitions(1000000)`)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return contender{}, fmt.Errorf("%w in\n%.200s", err, statement)
		}
	}
	if _, err := conn.Exec(ctx, `VACUUM (ANALYZE) es.stream, es.event`); err != nil {
		return contender{}, err
	}
	return b.log(ctx, c, checks{}, name, drop)
}

func (b *bench) log(ctx context.Context, c comparison, ask checks, name string, drop func()) (contender, error) {
	pool, err := b.pool(ctx, embedpg.App, name, 8)
	if err != nil {
		return contender{}, err
	}
	keys, err := eventstore.OpenKeys(ctx, pool, time.Now, eventstore.NewMaster())
	if err != nil {
		return contender{}, err
	}
	log, err := eventstore.Open(ctx, pool, time.Now, keys)
	if err != nil {
		return contender{}, err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = log.Run(context.Background()) })
	w := &logWriters{log: log, keys: keys, checks: ask, events: c.events, streams: make([]string, c.writers), versions: make([]int, c.writers)}
	if err := w.prepare(ctx); err != nil {
		return contender{}, err
	}
	before, err := log.Head(ctx)
	if err != nil {
		return contender{}, err
	}
	return contender{
		appendOnce: w.append,
		group: func() (n float64) {
			_ = pool.QueryRow(ctx, `SELECT count(*)::float8 / count(DISTINCT xmin::text) FROM es.event WHERE position > $1`, before).Scan(&n) // 0 tells
			return n
		},
		close: func() { log.Close(); running.Wait(); pool.Close(); drop() },
	}, nil
}

type logWriters struct {
	log  *eventstore.Postgres
	keys *eventstore.PostgresKeys
	checks
	events   int
	streams  []string
	versions []int
	subjects []uuid.UUID
}

// prepare makes what the checks need to be there: streams to guard, persons.
func (l *logWriters) prepare(ctx context.Context) error {
	for w := range l.streams {
		if l.guard {
			_, err := l.log.Append(ctx, eventstore.Request{Writes: []eventstore.Write{{Stream: fmt.Sprint("access-", w), Events: l.news(1)}}})
			if err != nil {
				return err
			}
		}
		l.subjects = append(l.subjects, uuid.New())
	}
	_, err := l.keys.EnsureKeys(ctx, l.subjects...)
	return err
}

func (l *logWriters) news(n int) []eventstore.NewEvent {
	events := make([]eventstore.NewEvent, n)
	for i := range events {
		events[i] = eventstore.NewEvent{ID: uuid.Must(uuid.NewV7()), Type: "attendance.marked", Schema: 1, Meta: []byte(meta), Data: []byte(data)}
	}
	return events
}

func (l *logWriters) append(ctx context.Context, w int) error {
	if l.versions[w]%perStream == 0 {
		l.streams[w], l.versions[w] = "register-"+uuid.NewString(), 0
	}
	events := l.news(l.events)
	r := eventstore.Request{
		Command: uuid.New(), Fingerprint: []byte("0123456789abcdef"), // as a client's key gives it: random
		Writes: []eventstore.Write{{Stream: l.streams[w], Expected: l.versions[w], Events: events}},
	}
	if l.guard {
		r.Guards = []eventstore.Guard{{Stream: fmt.Sprint("access-", w), Version: 1}}
	}
	if l.claim {
		r.Take = []eventstore.Claim{{Kind: "email", Value: r.Command.String(), Stream: l.streams[w]}}
	}
	if l.seal {
		subject := l.subjects[w]
		sealer, err := l.keys.EnsureKeys(ctx, subject)
		if err != nil {
			return err
		}
		sealed, err := sealer.Seal(events[0].ID, subject, "reason", "slimības dēļ")
		if err != nil {
			return err
		}
		events[0].Data = []byte(strings.TrimSuffix(data, "}") + `,"reason":"` + sealed + `"}`)
		r.Subjects = []uuid.UUID{subject}
	}
	_, err := l.log.Append(ctx, r)
	l.versions[w] += l.events
	return err
}
