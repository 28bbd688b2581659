package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// replace brings the tables of l to the head of the log and swaps them in.
//
// Queries that read the old tables are waited for, and new ones wait behind the
// swap: not for long, but longer each time.
func (b *builder) replace(ctx context.Context, l *live) error {
	for patience, tries := 25*time.Millisecond, 1; ; patience, tries = min(2*patience, time.Second), tries+1 {
		err := b.toHead(ctx, l)
		if err == nil {
			err = b.swap(ctx, l, patience)
		}
		if err == nil {
			break
		}
		if errors.Is(err, errFenced) && tries < 60 { // by the runner of retired tables
			schema := l.schema
			if l, err = b.takeOver(ctx, b.engine.pool, schema, true); err != nil {
				return fmt.Errorf("swap: %w", err)
			}
			continue
		}
		var pg *pgconn.PgError
		var found *poison
		if (errors.As(err, &found) || ofData(err)) && tries < 60 {
			continue // the pages before the swap park it
		}
		if !errors.As(err, &pg) || pg.Code != "55P03" && pg.Code != "40P01" { // lock timeout, deadlock
			return fmt.Errorf("swap: %w", err)
		}
		if tries == 60 {
			return ErrInUse
		}
		sleep(ctx, 100*time.Millisecond)
	}
	b.kick()
	b.retired.kick()
	b.report.Total = b.engine.options.Now().Sub(b.began)
	return nil
}

// toHead applies events until so few are left that a swap may apply them.
func (b *builder) toHead(ctx context.Context, l *live) error {
	for {
		head, err := b.engine.log.Head(ctx)
		if err != nil {
			return err
		}
		left := head - l.position
		if err := b.catchUp(ctx, l, head); err != nil || left < 1000 {
			return err
		}
	}
}

// swap puts the tables of l in the place of those in use, in one transaction.
// Events that the old have and the new have not are applied under the lock.
func (b *builder) swap(ctx context.Context, l *live, patience time.Duration) (err error) {
	defer func() {
		if err != nil && !b.pg.IsClosed() && b.pg.TxStatus() != 'I' {
			script(context.WithoutCancel(ctx), b.pg, "ROLLBACK")
		}
	}()
	b.show("swapping", l.position, l.position)
	var upto int64
	err = send(ctx, b.pg, []statement{{sql: "BEGIN"}, patienceWith(b.engine.options.Hung), {sql: fmt.Sprintf("SET LOCAL lock_timeout = %d", patience.Milliseconds())}, {
		sql:  "SELECT position FROM projection.checkpoint WHERE schema = $1 FOR UPDATE", // the old runner waits here
		args: [][]byte{[]byte(b.schema)},
		take: func(v [][]byte) { upto = integer(v[0]) },
	}})
	if err != nil {
		return err
	}
	// Nobody else has the new tables until the end of the transaction.
	if l, err = b.takeOver(ctx, b.conn, l.schema, true); err != nil {
		return err
	}
	events, err := b.engine.log.Read(ctx, l.position, upto, b.d.types)
	if err != nil {
		return err
	}
	if err = l.applyOn(ctx, b.pg, l.going(events), max(upto, l.position), nil, nil); err != nil {
		return err
	}
	started := b.engine.options.Now()
	if err = script(ctx, b.pg, "LOCK TABLE "+b.schema+".gate IN ACCESS EXCLUSIVE MODE"); err != nil {
		return err
	}
	rename := func(from, to, retired string) string {
		return fmt.Sprintf("ALTER SCHEMA %s RENAME TO %s; UPDATE projection.checkpoint SET schema = '%[2]s', epoch = nextval('projection.epoch'), unused = false, retired_at = %s WHERE schema = '%[1]s'; UPDATE projection.parked SET schema = '%[2]s' WHERE schema = '%[1]s';", from, to, retired)
	}
	now := "'" + started.UTC().Format(time.RFC3339Nano) + "'"
	if err = script(ctx, b.pg, rename(b.schema, b.schema+"_out", now)+rename(l.schema, b.schema, "NULL")+rename(b.schema+"_out", b.schema+"_old", now)); err != nil {
		return err
	}
	carry := fmt.Sprintf("UPDATE projection.checkpoint n SET paused_at = o.paused_at FROM projection.checkpoint o WHERE n.schema = '%s' AND o.schema = '%[1]s_old'; UPDATE projection.checkpoint SET paused_at = NULL WHERE schema = '%[1]s_old'", b.schema)
	if err = script(ctx, b.pg, carry); err != nil {
		return err
	}
	if err = b.engine.makeViews(ctx, b.conn.Conn(), b.d.name, true); err != nil {
		return err
	}
	if err = script(ctx, b.pg, "COMMIT"); err != nil {
		return err
	}
	b.report.Blocked = b.engine.options.Now().Sub(started)
	return nil
}

// Swap puts the tables in use that StartBuild or Build has made. They have been
// kept up to date. Those that were in use are kept for Rollback.
func (e *Engine) Swap(ctx context.Context, name string) error {
	return e.exchange(ctx, name, true, ErrNoSwap)
}

// Rollback puts back the tables that were last replaced. They have been kept up
// to date. Those in use become the ones to go back to.
func (e *Engine) Rollback(ctx context.Context, name string) error {
	return e.exchange(ctx, name, false, ErrNoRollback)
}

// exchange puts the tables that are kept beside those in use in their place, if
// they were never in use, or were.
func (e *Engine) exchange(ctx context.Context, name string, unused bool, none error) error {
	r := e.runners[name]
	if r == nil {
		return ErrUnknown
	}
	b, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	defer b.end()
	beside := r.schema + "_old"
	var are bool
	err = e.pool.QueryRow(ctx, "SELECT unused FROM projection.checkpoint WHERE schema = $1", beside).Scan(&are)
	if err == nil && are != unused {
		return none
	}
	var l *live
	if err == nil {
		l, err = r.takeOver(ctx, e.pool, beside, true)
	}
	if err == nil && unused {
		err = e.moreParked(ctx, beside, r.schema)
	}
	if err == nil {
		err = b.replace(ctx, l)
	}
	if errors.Is(err, pgx.ErrNoRows) { // there are none, or they became too old in this moment
		return none
	}
	return err
}

// putAside keeps new tables beside those in use, until Swap. They follow the log
// like those that were replaced, and are dropped as those are.
func (b *builder) putAside(ctx context.Context, l *live) error {
	beside, now := b.schema+"_old", b.engine.options.Now()
	err := script(ctx, b.pg, fmt.Sprintf(`BEGIN; ALTER SCHEMA %s RENAME TO %s;
UPDATE projection.checkpoint SET schema = '%[2]s', epoch = nextval('projection.epoch'), unused = true, retired_at = '%[3]s' WHERE schema = '%[1]s';
UPDATE projection.parked SET schema = '%[2]s' WHERE schema = '%[1]s'; COMMIT`, l.schema, beside, now.UTC().Format(time.RFC3339Nano)))
	if err != nil {
		if !b.pg.IsClosed() && b.pg.TxStatus() != 'I' {
			script(context.WithoutCancel(ctx), b.pg, "ROLLBACK")
		}
		return err
	}
	b.retired.kick()
	b.report.Total = b.engine.options.Now().Sub(b.began)
	return nil
}

// dropRetired is drop, if the tables are still as old as they were found to be:
// in the meantime they may have been put back, or others put in their place.
func (e *Engine) dropRetired(ctx context.Context, schema string, before time.Time) (dropped bool, err error) {
	err = e.transact(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM projection.checkpoint WHERE schema = $1 AND retired_at < $2", schema, before)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		dropped = true
		return dropTables(ctx, tx, schema)
	})
	return dropped && err == nil, err
}

func dropTables(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM projection.parked WHERE schema = $1", schema); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
	return err
}
