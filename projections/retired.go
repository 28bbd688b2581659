package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// retirement is how long tables that were replaced are kept.
const retirement = 24 * time.Hour

// retire waits until there are retired tables, or new ones that wait for a swap,
// and takes them over as long as they may be needed: they follow the log, so that
// putting them in use loses nothing and nobody who was erased stays in them. It drops what is too old.
// It returns nil if there is nothing to keep and somebody said to look again.
func (r *runner) retire(ctx context.Context) (*live, error) {
	old := r.engine.options.Now().Add(-retirement)
	if err := r.engine.sweep(ctx, r); err != nil {
		return nil, err
	}
	if err := r.engine.retireUnkept(ctx, r); err != nil {
		return nil, err
	}
	rows, err := r.engine.pool.Query(ctx, `SELECT schema FROM projection.checkpoint WHERE retired_at < $1 AND schema ~ $2`,
		old, fmt.Sprintf("^rm_%s_v[0-9]+(_old)?$", r.d.name))
	if err != nil {
		return nil, err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, schema := range schemas {
		dropped, err := r.engine.dropRetired(ctx, schema, old)
		if err != nil {
			return nil, err
		}
		if dropped {
			r.engine.options.Logger.Info("retired tables dropped", "schema", schema)
		}
	}
	l, err := r.keep(ctx)
	if !errors.Is(err, pgx.ErrNoRows) {
		return l, err
	}
	select {
	case <-r.kicked:
	case <-time.After(time.Hour):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return nil, nil
}

// retireOthers notes that the tables of other versions are not needed for long.
func (e *Engine) retireOthers(ctx context.Context, r *runner) error {
	_, err := e.pool.Exec(ctx, `UPDATE projection.checkpoint SET retired_at = $1 WHERE retired_at IS NULL AND schema <> $2 AND schema ~ $3`,
		e.options.Now(), r.schema, fmt.Sprintf("^rm_%s_v[0-9]+$", r.d.name))
	return err
}

// retireUnkept notes the same of those that no running program keeps: one of
// their version ran for a while beside this one, and has ended.
func (e *Engine) retireUnkept(ctx context.Context, r *runner) error {
	_, err := e.pool.Exec(ctx, `UPDATE projection.checkpoint c SET retired_at = $1 WHERE retired_at IS NULL AND schema <> $2 AND schema ~ $3
		AND NOT EXISTS (SELECT FROM projection.node n WHERE c.schema = ANY (n.schemas) AND n.seen > clock_timestamp() - interval '1 minute')`,
		e.options.Now(), r.d.live(), fmt.Sprintf("^rm_%s_v[0-9]+$", r.d.name))
	return err
}

// sweep drops what a builder that died has left: tables that nobody will put to
// use and that would not forget the erased.
func (e *Engine) sweep(ctx context.Context, r *runner) error {
	fresh := r.d.live() + "_new"
	var there bool
	err := e.pool.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL OR EXISTS (SELECT FROM projection.build WHERE name = $2 AND seen < clock_timestamp() - interval '5 seconds')`, fresh, r.d.name).Scan(&there)
	if err != nil || !there {
		return err
	}
	b, err := e.begin(ctx, r)
	if errors.Is(err, ErrBusy) { // it is being built
		return nil
	}
	if err != nil {
		return err
	}
	defer b.end()
	return b.drop(ctx, fresh)
}
