package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// compare compares the tables in use with those of l, both as they stand at one
// position. If those in use are behind, there is no such position.
func (b *builder) compare(ctx context.Context, l *live) error {
	if err := b.abreast(ctx, l.position); err != nil {
		return err
	}
	tx, err := b.engine.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var position int64
	if err := tx.QueryRow(ctx, "SELECT position FROM projection.checkpoint WHERE schema = $1", b.schema).Scan(&position); err != nil {
		return err
	}
	if position < l.position {
		missed, err := b.engine.log.Read(ctx, position, l.position, b.d.types)
		if len(missed) > 0 || err != nil {
			return err
		}
	}
	over := b.phase("comparing", l.position, position, &b.report.Comparing)
	tables := l.tables.set().tables
	used, err := hashes(ctx, tx, b.schema, tables)
	if err != nil {
		return err
	}
	over()
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if err := b.catchUp(ctx, l, position); err != nil {
		return err
	}
	defer b.phase("comparing", position, position, &b.report.Comparing)()
	fresh, err := hashes(ctx, b.engine.pool, l.schema, tables)
	if err != nil {
		return err
	}
	for i, t := range tables {
		if used[i] != fresh[i] {
			b.report.Different = append(b.report.Different, t.title())
		}
	}
	b.report.Compared = true
	return nil
}

// abreast waits for the tables in use to reach a position, on whatever node
// they are kept; but not for long, if nobody moves them.
func (b *builder) abreast(ctx context.Context, position int64) error {
	for before, quiet := int64(-1), 0; quiet < 25; quiet++ {
		var at int64
		var still bool
		err := b.engine.pool.QueryRow(ctx, "SELECT position, paused_at IS NOT NULL OR holder IS NULL FROM projection.checkpoint WHERE schema = $1", b.schema).Scan(&at, &still)
		if err != nil || still || at >= position {
			return err
		}
		if at > before {
			missed, err := b.engine.log.Read(ctx, at, position, b.d.types)
			if len(missed) == 0 || err != nil {
				return err
			}
			before, quiet = at, 0
		}
		sleep(ctx, 20*time.Millisecond)
	}
	return ctx.Err()
}

// hashes returns the number of rows of each table and the sum of their hashes,
// in which the order of rows does not matter.
func hashes(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, schema string, tables []table) ([]string, error) {
	all := make([]string, len(tables))
	for i, t := range tables {
		err := db.QueryRow(ctx, fmt.Sprintf("SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM %s.%s AS t", schema, t.title())).Scan(&all[i])
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
