package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
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
			if l, err = b.takeOver(ctx, b.engine.pool, l.schema, true); err != nil {
				return err
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
	err = send(ctx, b.pg, []statement{{sql: "BEGIN"}, {sql: fmt.Sprintf("SET LOCAL lock_timeout = %d", patience.Milliseconds())}, {
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
		return fmt.Sprintf("ALTER SCHEMA %s RENAME TO %s; UPDATE projection.checkpoint SET schema = '%[2]s', epoch = nextval('projection.epoch'), retired_at = %s WHERE schema = '%[1]s'; UPDATE projection.parked SET schema = '%[2]s' WHERE schema = '%[1]s';", from, to, retired)
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

// Rollback puts back the tables that the last rebuild replaced. They have been
// kept up to date. Those in use become the ones to go back to.
func (e *Engine) Rollback(ctx context.Context, name string) error {
	r := e.runners[name]
	if r == nil {
		return ErrUnknown
	}
	b, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	defer b.end()
	l, err := r.takeOver(ctx, e.pool, r.schema+"_old", true)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNoRollback
	}
	if err != nil {
		return err
	}
	return b.replace(ctx, l)
}

// drop removes a schema and its checkpoint, if they are there.
func drop(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	_, err := pool.Exec(ctx, fmt.Sprintf("BEGIN; DELETE FROM projection.checkpoint WHERE schema = '%s'; DELETE FROM projection.parked WHERE schema = '%[1]s'; DROP SCHEMA IF EXISTS %[1]s CASCADE; COMMIT", schema))
	return err
}
