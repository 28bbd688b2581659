package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Report says what a rebuild did.
type Report struct {
	Name     string
	Version  int
	Position int64 // up to where it read; what came later was applied by pages
	Events   int64
	Rows     int64

	// Compared says that old and new tables were compared as they stood at one
	// position; Different are those that were not equal. The new are right,
	// being made from the log alone.
	Compared  bool
	Different []string

	Reading, Copying, CatchingUp, Comparing, Total time.Duration
	Blocked                                        time.Duration // of queries, by the swap
}

// Rebuild makes the tables of a projection anew from the log, beside those in
// use, and puts them in their place. People keep working. The old tables are
// kept for Rollback. It is ErrUnknown or ErrBusy.
func (e *Engine) Rebuild(ctx context.Context, name string) (Report, error) {
	return e.rebuild(ctx, name, swapped)
}

// Build is Rebuild without its last step: the new tables follow the log beside
// those in use, in the place of those kept for Rollback, for a day or until Swap.
func (e *Engine) Build(ctx context.Context, name string) (Report, error) {
	return e.rebuild(ctx, name, aside)
}

// An outcome is what becomes of new tables.
type outcome int

const (
	swapped outcome = iota
	aside
)

func (e *Engine) rebuild(ctx context.Context, name string, how outcome) (Report, error) {
	r := e.runners[name]
	if r == nil {
		return Report{}, ErrUnknown
	}
	b, err := e.begin(ctx, r)
	if err != nil {
		return Report{}, err
	}
	defer b.end()
	return b.rebuild(ctx, how)
}

// StartRebuild is a Rebuild that goes on when the request that asked for it is
// over, until Run ends. Status has its progress and its report.
func (e *Engine) StartRebuild(ctx context.Context, name string) error {
	return e.startRebuild(ctx, name, swapped)
}

// StartBuild is a Build that goes on like StartRebuild.
func (e *Engine) StartBuild(ctx context.Context, name string) error {
	return e.startRebuild(ctx, name, aside)
}

func (e *Engine) startRebuild(ctx context.Context, name string, how outcome) error {
	e.mu.Lock()
	running := e.running
	e.mu.Unlock()
	r := e.runners[name]
	switch {
	case r == nil:
		return ErrUnknown
	case running == nil || running.Err() != nil:
		return ErrBusy
	}
	b, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	b.show("reading", 0, 0) // is seen by whoever asks next
	e.jobs.Go(func() {
		defer b.end()
		if _, err := b.rebuild(running, how); err != nil {
			e.options.Logger.Error("rebuild failed", "projection", name, "error", err)
		}
	})
	return nil
}

// A builder makes new tables. It holds a lock, so that there is one for each
// projection, on whatever node.
type builder struct {
	*runner
	stop   context.CancelFunc // of telling
	told   sync.WaitGroup
	conn   *pgxpool.Conn
	pg     *pgconn.PgConn
	report Report
	began  time.Time

	refolds bool // what was folded is folded once more, and compared
}

const lockKey = "hashtext('zurnals projection'), hashtext($1)"

// builders finds the lock of a projection as PostgreSQL lists it.
const builders = `pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND classid = hashtext('zurnals projection')::oid AND objid = hashtext($1)::oid`

func (e *Engine) begin(ctx context.Context, r *runner) (*builder, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	b := &builder{runner: r, conn: conn, pg: conn.Conn().PgConn(), began: e.options.Now()}
	if err := b.lock(ctx); err != nil {
		if !errors.Is(err, ErrBusy) { // it may be held
			conn.Conn().Close(ctx)
		}
		conn.Release()
		return nil, err
	}
	b.report = Report{Name: r.d.name, Version: r.d.version}
	telling, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.told.Go(func() { b.tell(telling) })
	return b, nil
}

// lock takes the lock of the projection, for the session, and tells so in the
// same transaction: who is found silent is the one that has the lock, not one
// that has just begun.
//
// Who was silent for so long hangs: its session is ended, and with it the lock
// and whatever it was about. Should it wake, it can do no harm: what no epoch
// fences, it does in that session.
func (b *builder) lock(ctx context.Context) error {
	return b.transact(ctx, func(tx pgx.Tx) error {
		var silent, mine bool
		err := tx.QueryRow(ctx, `INSERT INTO projection.build VALUES ($1, '', 0, 0, $2, clock_timestamp())
			ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING seen < clock_timestamp() - interval '15 seconds'`, b.d.name, b.began).Scan(&silent)
		if err == nil && silent {
			_, err = tx.Exec(ctx, "SELECT pg_terminate_backend(pid, 1000) FROM "+builders, b.d.name)
		}
		if err == nil {
			err = tx.QueryRow(ctx, "SELECT pg_try_advisory_lock("+lockKey+")", b.d.name).Scan(&mine)
		}
		if err == nil && !mine {
			err = ErrBusy
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE projection.build SET phase = '', started = $2, seen = clock_timestamp() WHERE name = $1", b.d.name, b.began)
		return err
	})
}

// transact is that of the engine, in the session that has the lock.
func (b *builder) transact(ctx context.Context, f func(pgx.Tx) error) error {
	return transact(ctx, b.conn, b.engine.options.Hung, f)
}

// drop removes a schema and its checkpoint, if they are there.
func (b *builder) drop(ctx context.Context, schema string) error {
	return b.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM projection.checkpoint WHERE schema = $1", schema); err != nil {
			return err
		}
		return dropTables(ctx, tx, schema)
	})
}

// tell writes down how far it is, for those who ask from another process, and
// that it is there, as long as it has the lock.
func (b *builder) tell(ctx context.Context) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		var p Progress
		b.mu.Lock()
		if b.progress != nil {
			p = *b.progress
		}
		b.mu.Unlock()
		_, err := b.engine.pool.Exec(ctx, `UPDATE projection.build SET phase = $2, done = $3, total = $4, seen = clock_timestamp()
			WHERE name = $1 AND EXISTS (SELECT FROM `+builders+` AND pid = $5)`, b.d.name, p.Phase, p.Done, p.Total, int64(b.pg.PID()))
		if err != nil && ctx.Err() == nil {
			b.engine.options.Logger.Warn("the progress of a build cannot be told", "projection", b.d.name, "error", err)
		}
	}
}

// end gives the lock back; if that cannot be done, by closing the connection.
func (b *builder) end() {
	b.stop()
	b.told.Wait()
	b.mu.Lock()
	b.progress = nil
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if b.pg.TxStatus() == 'I' {
		// If this fails, whoever sweeps will see that nobody tells any more.
		_, _ = b.conn.Exec(ctx, "DELETE FROM projection.build WHERE name = $1", b.d.name)
		if _, err := b.conn.Exec(ctx, "SELECT pg_advisory_unlock("+lockKey+")", b.d.name); err == nil {
			b.conn.Release()
			return
		}
	}
	b.conn.Conn().Close(ctx)
	b.conn.Release()
}

// build makes the tables of r for the first time.
func (e *Engine) build(ctx context.Context, r *runner) error {
	select {
	case e.seats <- struct{}{}:
		defer func() { <-e.seats }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	defer b.end()
	var there bool
	if err := e.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM projection.checkpoint WHERE schema = $1)", r.schema).Scan(&there); there || err != nil {
		return err
	}
	// Tables without a checkpoint are what a restore of a backup left behind that
	// was broken off.
	if err := b.drop(ctx, r.schema); err != nil {
		return err
	}
	// A new version has no tables to be compared with.
	err = e.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM projection.checkpoint WHERE schema ~ $1)", fmt.Sprintf("^rm_%s_v[0-9]+$", r.d.name)).Scan(&b.refolds)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, r.schema); err != nil {
		return err
	}
	l, err := b.takeOver(ctx, e.pool, r.schema, true)
	if err != nil {
		return err
	}
	if err := b.toHead(ctx, l); err != nil && !errors.Is(err, errFenced) { // a node has them already
		return err
	}
	return e.retireOthers(ctx, r)
}

func (b *builder) rebuild(ctx context.Context, how outcome) (Report, error) {
	e, fresh := b.engine, b.schema+"_new"
	for _, left := range []string{fresh, b.schema + "_old"} {
		if err := b.drop(ctx, left); err != nil {
			return b.report, err
		}
	}
	if err := b.fill(ctx, fresh); err != nil {
		return b.report, err
	}
	l, err := b.takeOver(ctx, e.pool, fresh, true)
	if err != nil {
		return b.report, err
	}
	if err := b.toHead(ctx, l); err != nil {
		return b.report, err
	}
	if err := b.compare(ctx, l); err != nil {
		return b.report, err
	}
	if err := e.moreParked(ctx, fresh, b.schema); err != nil {
		return b.report, errors.Join(err, b.drop(ctx, fresh))
	}
	if how == aside {
		err = b.putAside(ctx, l)
	} else {
		err = b.replace(ctx, l)
	}
	if err != nil {
		return b.report, err
	}
	report := b.report
	b.mu.Lock()
	b.last = &report
	b.mu.Unlock()
	e.options.Logger.Info("projection rebuilt", "projection", b.d.name, "version", b.d.version, "events", report.Events,
		"rows", report.Rows, "took", report.Total, "blocked", report.Blocked, "different", report.Different)
	return report, nil
}

// phase says what is being done now, and returns a function that adds the time
// it took.
func (b *builder) phase(name string, done, total int64, took *time.Duration) (over func()) {
	b.show(name, done, total)
	now := b.engine.options.Now()
	return func() { *took += b.engine.options.Now().Sub(now) }
}

func (b *builder) show(phase string, done, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress = &Progress{Phase: phase, Done: done, Total: total, Started: b.began}
}

func (b *builder) done(position int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Done = position
}

// fill makes and fills a schema with all events there are. At an event that
// cannot be handled it fills up to before it: live pages, which can park, do
// the rest.
func (b *builder) fill(ctx context.Context, schema string) error {
	upto, err := b.engine.log.Head(ctx)
	if err != nil {
		return err
	}
	for {
		err := b.fillTo(ctx, schema, upto)
		var found *poison
		switch {
		case errors.As(err, &found) && !found.later:
			upto = found.position - 1
		case err != nil && ofData(err) && upto > 0: // who knows which
			upto = 0
		default:
			return err
		}
		b.report.Events, b.report.Rows = 0, 0
	}
}

// fillTo makes and fills a schema in one transaction: half a schema is never
// seen, and the rows need no later vacuum (FREEZE).
func (b *builder) fillTo(ctx context.Context, schema string, upto int64) (err error) {
	tables := b.p.folder(schema, true)
	over := b.phase("reading", 0, upto, &b.report.Reading)
	if upto, err = b.read(ctx, tables, upto); err != nil {
		return err
	}
	over()
	b.report.Position = upto
	defer b.phase("copying", upto, upto, &b.report.Copying)()
	defer func() {
		if err != nil && !b.pg.IsClosed() && b.pg.TxStatus() != 'I' {
			script(context.WithoutCancel(ctx), b.pg, "ROLLBACK")
		}
	}()
	err = script(ctx, b.pg, fmt.Sprintf("BEGIN; CREATE SCHEMA %s; SET LOCAL search_path TO %[1]s; CREATE TABLE gate (); %s", schema, b.d.schema))
	if err != nil {
		return err
	}
	for _, t := range tables.set().tables {
		rows, err := t.copy(ctx, b.pg)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.title(), err)
		}
		b.report.Rows += rows
	}
	if err := script(ctx, b.pg, b.d.indexes); err != nil {
		return err
	}
	for _, t := range tables.set().tables {
		if err := script(ctx, b.pg, "ANALYZE "+t.title()); err != nil {
			return err
		}
	}
	if b.refolds {
		tables.set().forget()
		if tables, err = b.refold(ctx, schema, upto); err != nil {
			return err
		}
	}
	for _, t := range tables.set().tables {
		read, check := t.sample(1000)
		if err := send(ctx, b.pg, []statement{read}); err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
	}
	err = script(ctx, b.pg, fmt.Sprintf("DELETE FROM projection.parked WHERE schema = '%[1]s'; INSERT INTO projection.checkpoint VALUES ('%[1]s', %[2]d, nextval('projection.epoch')); SET LOCAL search_path TO DEFAULT", schema, upto))
	if err != nil {
		return err
	}
	if schema == b.schema {
		if err := b.engine.makeViews(ctx, b.conn.Conn(), b.d.name, true); err != nil {
			return err
		}
	}
	return script(ctx, b.pg, "COMMIT")
}

// read folds the log up to a position, all rows in memory. Pages are read and
// decoded by several readers and folded in order. If there are more rows than
// may be in memory, it ends early and says where.
func (b *builder) read(ctx context.Context, tables folder, upto int64) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const size = 10_000
	type page struct {
		events []Event
		upto   int64
		err    error
	}
	pages := make(chan chan page, b.engine.options.Readers)
	go func() {
		defer close(pages)
		for after := int64(0); after < upto; after += size {
			c := make(chan page, 1)
			select {
			case pages <- c:
			case <-ctx.Done():
				return
			}
			go func() {
				to := min(after+size, upto)
				events, err := b.engine.log.Read(ctx, after, to, b.d.types)
				c <- page{events, to, err}
			}()
		}
	}()
	var at int64
	for c := range pages {
		var p page
		select {
		case p = <-c:
		case <-ctx.Done():
			return at, ctx.Err()
		}
		if p.err == nil {
			p.err = tables.fold(p.events).orNil()
		}
		if p.err != nil {
			return at, p.err
		}
		at = p.upto
		b.report.Events += int64(len(p.events))
		b.done(at)
		if tables.set().size() > b.engine.options.Rows {
			return at, nil
		}
	}
	return at, ctx.Err()
}

// refold folds the log once more, as simply as can be: one reader, other pages,
// nothing at the same time. Rows that come out differently were read or decoded
// wrongly, or their handlers depend on more than they should.
func (b *builder) refold(ctx context.Context, schema string, upto int64) (folder, error) {
	defer b.phase("comparing", 0, upto, &b.report.Comparing)()
	const size = 7_001
	again := b.p.folder(schema, true)
	for after := int64(0); after < upto; after += size {
		events, err := b.engine.log.Read(ctx, after, min(after+size, upto), b.d.types)
		if err == nil {
			err = again.fold(events).orNil()
		}
		if err != nil {
			return nil, err
		}
		b.done(min(after+size, upto))
	}
	return again, nil
}

// catchUp applies events by large pages.
func (b *builder) catchUp(ctx context.Context, l *live, upto int64) error {
	defer b.phase("catching up", l.position, upto, &b.report.CatchingUp)()
	for l.position < upto {
		to := min(upto, l.position+100_000)
		events, err := b.engine.log.Read(ctx, l.position, to, b.d.types)
		if err != nil {
			return err
		}
		if err := l.applyAll(ctx, events, to); err != nil {
			return err
		}
		b.report.Events += int64(len(events))
		b.done(to)
	}
	return nil
}
