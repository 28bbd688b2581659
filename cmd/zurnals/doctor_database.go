package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/clock"
	"zurnals/migrations"
	"zurnals/projections"
)

// database looks at the database, starting the embedded one if it does not run.
func (d *doctor) database(ctx context.Context) {
	if d.cfg.DatabaseURL == "" && d.dataMajor() == 0 {
		d.ok("database", "there is none yet: the first start makes it")
		return
	}
	a := &app{cfg: d.cfg, logger: quiet, stopLog: func() {}}
	defer a.close()
	if err := a.findDatabase(ctx); err != nil {
		d.fail("database", "%v", err)
		return
	}
	owner, err := pgx.Connect(ctx, a.owner)
	if err != nil {
		d.fail("database", "as the owner: %v", err)
		return
	}
	defer owner.Close(context.WithoutCancel(ctx))
	if a.pool, err = pgxpool.New(ctx, a.dsn); err == nil {
		err = a.pool.Ping(ctx)
	}
	if err != nil {
		d.fail("database", "as the program: %v", err)
		return
	}
	d.version(ctx, a.pool)
	if !d.migrated(ctx, owner) {
		return // what follows asks tables that may not be there
	}
	d.roles(ctx, a.pool)
	d.log(ctx, a.pool)
	warning, err := a.checkPartitions(ctx)
	d.judge("partitions", "are ready ahead of the log", warning, err)
	d.put(ctx, a.pool)
	d.replica(ctx, a.pool)
	if a.clock, err = clock.Open(ctx, a.pool); err != nil {
		d.fail("clock", "%v", err)
		return
	}
	warning, err = a.checkClock(ctx)
	d.judge("clock", "no event is from the future", warning, err)
	d.keys(ctx, a)
}

// version looks at the server, and at whether it keeps what it has promised.
func (d *doctor) version(ctx context.Context, pool *pgxpool.Pool) {
	var number, fsync, pages, commits string
	err := pool.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit')`).Scan(&number, &fsync, &pages, &commits)
	switch {
	case err != nil:
		d.fail("database", "%v", err)
	case fsync != "on" || pages != "on" || commits == "off":
		d.fail("database", "PostgreSQL %s with fsync %s, full_page_writes %s, synchronous_commit %s: a power cut loses what was acknowledged", number, fsync, pages, commits)
	default:
		d.ok("database", "PostgreSQL %s; commits are on disk before they are acknowledged", number)
	}
}

func (d *doctor) migrated(ctx context.Context, owner *pgx.Conn) bool {
	have, want, err := migrations.Versions(ctx, owner)
	switch {
	case err != nil:
		d.fail("migrations", "%v", err)
		return false
	case have < want:
		d.fail("migrations", "the database is at %d, this program needs %d: run `zurnals migrate`", have, want)
		return false
	case have > want:
		d.warn("migrations", "the database is at %d, this program knows %d: it is an old one", have, want)
	default:
		d.ok("migrations", "at %d", have)
	}
	return true
}

// roles looks for rights that nobody should have.
func (d *doctor) roles(ctx context.Context, pool *pgxpool.Pool) {
	var wrong []string
	row := pool.QueryRow(ctx, `
		SELECT array_remove(ARRAY[
			CASE WHEN r.rolsuper THEN 'the program is a superuser' END,
			CASE WHEN pg_has_role(current_user, c.relowner, 'USAGE') THEN 'the program owns the log' END,
			CASE WHEN has_table_privilege(current_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') THEN 'the program may write the log without es.append' END,
			CASE WHEN NOT has_table_privilege(current_user, c.oid, 'SELECT') THEN 'the program may not read the log' END,
			CASE WHEN NOT has_database_privilege(current_user, current_database(), 'CREATE') THEN 'the program may not make schemas of read models' END,
			CASE WHEN has_schema_privilege('zurnals_analyst', 'es', 'USAGE') OR has_schema_privilege('zurnals_analyst', 'web', 'USAGE') THEN 'the analyst reaches more than the analytics' END,
			CASE WHEN has_schema_privilege('public', 'es', 'USAGE') THEN 'everybody reaches the log' END], NULL)
		FROM pg_class c, pg_roles r WHERE c.oid = 'es.event'::regclass AND r.rolname = current_user`)
	switch err := row.Scan(&wrong); {
	case err != nil:
		d.fail("roles", "%v", err)
	case len(wrong) > 0:
		d.fail("roles", "%s", strings.Join(wrong, "; "))
	default:
		d.ok("roles", "the program appends and reads, and can change nothing that is there")
	}
}

// Samples of the log: so many windows of so many positions.
const (
	windows = 64
	window  = 1_000
)

// log looks whether positions and versions have gaps, and streams say what
// their events say: everywhere, or in samples.
func (d *doctor) log(ctx context.Context, pool *pgxpool.Pool) {
	var head, events, last int64
	if err := pool.QueryRow(ctx, `SELECT (SELECT position FROM es.head), (SELECT coalesce(max(position), 0) FROM es.event)`).Scan(&head, &last); err != nil {
		d.fail("log", "%v", err)
		return
	}
	if last != head {
		d.fail("log", "its head is %d, but its last event is %d: events were taken out, or put in", head, last)
		return
	}
	whole := d.full || head <= windows*window
	starts := []int64{1, max(1, head-window+1)}
	if whole {
		starts = nil
		for at := int64(1); at <= head; at += window {
			starts = append(starts, at)
		}
	} else {
		for range windows - len(starts) {
			starts = append(starts, 1+rand.Int64N(head))
		}
	}
	slices.Sort(starts)
	for _, from := range starts {
		upto := min(head, from+window-1)
		var n int64
		var ordered bool
		err := pool.QueryRow(ctx, `SELECT count(*), coalesce(bool_and(recorded_at >= before), true) FROM (
			SELECT recorded_at, coalesce(lag(recorded_at) OVER (ORDER BY position), recorded_at) AS before
			FROM es.event WHERE position BETWEEN $1 AND $2) e`, from, upto).Scan(&n, &ordered)
		switch {
		case err != nil:
			d.fail("log", "%v", err)
			return
		case n != upto-from+1:
			d.fail("log", "of the positions %d to %d, %d are missing: somebody tampered with the log", from, upto, upto-from+1-n)
			return
		case !ordered:
			d.fail("log", "between the positions %d and %d times go back: somebody tampered with the log", from, upto)
			return
		}
		events += n
	}
	d.ok("log", "%d of %d events read: no position is missing", min(events, head), head)
	d.streams(ctx, pool, head, whole)
}

// streams compares what is known of streams with their events.
func (d *doctor) streams(ctx context.Context, pool *pgxpool.Pool, head int64, whole bool) {
	picked, args := `SELECT s.stream FROM es.stream s UNION SELECT e.stream FROM es.event e`, []any(nil)
	if !whole {
		var positions []int64
		for range windows * 4 {
			positions = append(positions, 1+rand.Int64N(head))
		}
		picked, args = `SELECT DISTINCT e.stream FROM es.event e WHERE e.position = ANY($1)`, []any{positions}
	}
	var seen int64
	var wrong []string
	err := pool.QueryRow(ctx, `
		SELECT count(*), coalesce((array_agg(p.stream ORDER BY p.stream) FILTER (WHERE
			s.version IS DISTINCT FROM e.n OR e.lowest <> 1 OR e.highest <> e.n OR s.first_position <> e.first OR s.last_position <> e.last))[1:3], '{}')
		FROM (`+picked+`) p LEFT JOIN es.stream s USING (stream), LATERAL (
			SELECT count(*) AS n, min(version) AS lowest, max(version) AS highest, min(position) AS first, max(position) AS last
			FROM es.event WHERE stream = p.stream) e`, args...).Scan(&seen, &wrong)
	switch {
	case err != nil:
		d.fail("streams", "%v", err)
	case len(wrong) > 0:
		d.fail("streams", "do not say what their events say: %s", strings.Join(wrong, ", "))
	default:
		d.ok("streams", "%d looked at: no version is missing", seen)
	}
}

// put looks at what was put aside for the operator, and at the proof.
func (d *doctor) put(ctx context.Context, pool *pgxpool.Pool) {
	var parked, given, letters, size, head int64
	err := pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM reaction.parked),
		(SELECT count(*) FROM jobs.river_job WHERE state = 'discarded'), (SELECT count(*) FROM reaction.undelivered),
		(SELECT coalesce(max(size), 0) FROM proof.checkpoint), (SELECT position FROM es.head)`).Scan(&parked, &given, &letters, &size, &head)
	if err != nil {
		d.fail("put aside", "%v", err)
		return
	}
	switch {
	case parked+given > 0:
		d.fail("put aside", "%s of reactions, %s given up: see `zurnals reactions parked`", count(int(parked), "event"), count(int(given), "job"))
	case letters > 0:
		d.warn("put aside", "%s could not be delivered: the list of users shows whose", count(int(letters), "letter"))
	default:
		d.ok("put aside", "nothing")
	}
	switch {
	case size > head:
		d.fail("proof", "%d positions were signed, but the log has %d: events were taken out", size, head)
	default:
		d.ok("proof", "signed up to %d of %d", size, head)
	}
}

// keys looks whether the master key is the one of this database, and then at
// the read models, whose events it opens. It makes neither key nor table.
func (d *doctor) keys(ctx context.Context, a *app) {
	var masters int
	if err := a.pool.QueryRow(ctx, `SELECT count(*) FROM es.master`).Scan(&masters); err != nil {
		d.fail("master key", "%v", err)
		return
	}
	if masters == 0 {
		d.ok("master key", "the database knows none yet: the first start tells it")
		return
	}
	master, err := eventstore.LoadMaster(os.Getenv("ZURNALS_MASTER_KEY"), d.cfg.MasterKeyFile)
	if err == nil {
		a.keys, err = eventstore.OpenKeys(ctx, a.pool, a.clock.Now, master)
	}
	if err != nil {
		d.fail("master key", "%v", err)
		return
	}
	d.ok("master key", "%s is the one of this database", master.ID())
	if a.log, err = eventstore.Open(ctx, a.pool, a.clock.Now, a.keys); err != nil {
		d.fail("read models", "%v", err)
		return
	}
	engine, err := projections.Open(a.pool, projections.Decoded(a.log, a.keys, catalogue.All),
		projections.Options{Now: a.clock.Now, Logger: quiet}, readModels...)
	if err != nil {
		d.fail("read models", "%v", err)
		return
	}
	if err := d.readModels(ctx, a.pool, engine.Status()); err != nil {
		d.fail("read models", "%v", err)
	}
}

// A kept is what the database says of the tables of a read model.
type kept struct {
	Schema   string
	Position int64
	Paused   bool
	Problem  string // why it stopped
	Parked   int64  // streams put aside
}

// readModels looks whether the tables are there that this program reads, and
// how they are.
func (d *doctor) readModels(ctx context.Context, pool *pgxpool.Pool, wanted []projections.Status) error {
	rows, err := pool.Query(ctx, `SELECT c.schema, c.position, c.paused_at IS NOT NULL, coalesce(c.problem, ''),
		(SELECT count(*) FROM projection.parked p WHERE p.schema = c.schema) FROM projection.checkpoint c`)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
	if err != nil {
		return err
	}
	var head int64
	if err := pool.QueryRow(ctx, `SELECT position FROM es.head`).Scan(&head); err != nil {
		return err
	}
	built := make(map[string]kept)
	for _, k := range all {
		built[k.Schema] = k
	}
	var wrong, odd []string
	for _, s := range wanted {
		k, ok := built[s.Schema]
		switch {
		case !ok:
			odd = append(odd, fmt.Sprintf("%s version %d has no tables yet, `zurnals migrate` builds them", s.Name, s.Version))
			continue
		case k.Position > head:
			wrong = append(wrong, fmt.Sprintf("%s has seen position %d, but the log ends at %d: events were taken out", s.Name, k.Position, head))
		case head-k.Position > farBehind:
			odd = append(odd, fmt.Sprintf("%s is %d events behind", s.Name, head-k.Position))
		}
		if k.Problem != "" {
			wrong = append(wrong, s.Name+" has stopped: "+k.Problem)
		}
		if k.Parked > 0 {
			wrong = append(wrong, fmt.Sprintf("%s has put %s aside", s.Name, count(int(k.Parked), "stream")))
		}
		if k.Paused {
			odd = append(odd, s.Name+" is paused")
		}
	}
	for _, w := range wrong {
		d.fail("read models", "%s", w)
	}
	for _, o := range odd {
		d.warn("read models", "%s", o)
	}
	if len(wrong)+len(odd) == 0 {
		d.ok("read models", "all %d have their tables", len(wanted))
	}
	return nil
}

// farBehind is how many events a read model may be behind without a word. It
// needs seconds for them, when there is a server.
const farBehind = 100_000
