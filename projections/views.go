package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// placeholder is the schema of a projection in SQL.
var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// reads returns the names of the projections that a view reads.
func (v View) reads() (names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(v.Query, -1) {
		names = append(names, m[1])
	}
	return names
}

// unknownInViews tells of a view that reads a projection that there is not.
func (e *Engine) unknownInViews() string {
	for _, owner := range e.names {
		for _, v := range e.runners[owner].d.views {
			for _, name := range v.reads() {
				if e.runners[name] == nil {
					return fmt.Sprintf("view %s reads {%s}, which there is not", v.Name, name)
				}
			}
		}
	}
	return ""
}

// refreshViews makes views whose text has changed since they were made.
func (e *Engine) refreshViews(ctx context.Context, name string) error {
	return e.transact(ctx, func(tx pgx.Tx) error {
		return e.makeViews(ctx, tx.Conn(), name, false)
	})
}

// makeViews makes the views that read a projection, in the transaction that
// conn is in. A view is made when all
// projections that it reads have tables. Unless anew, one that is there and
// has the same text is left.
func (e *Engine) makeViews(ctx context.Context, conn *pgx.Conn, name string, anew bool) error {
	// Two projections that one view reads may be built at the same time: who
	// comes second sees both.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('zurnals views'))"); err != nil {
		return err
	}
	var pairs []string
	for _, n := range e.names {
		pairs = append(pairs, "{"+n+"}", e.runners[n].schema)
	}
	schemas := strings.NewReplacer(pairs...)
	for _, owner := range e.names {
		for _, v := range e.runners[owner].d.views {
			if owner != name && !slices.Contains(v.reads(), name) {
				continue
			}
			if err := e.makeView(ctx, conn, v, schemas.Replace(v.Query), anew); err != nil {
				return fmt.Errorf("view analytics.%s: %w", v.Name, err)
			}
		}
	}
	return nil
}

func (e *Engine) makeView(ctx context.Context, conn *pgx.Conn, v View, query string, anew bool) error {
	for _, n := range v.reads() {
		if e.runners[n] == nil {
			return nil // see Options.Partial
		}
		var there bool
		err := conn.QueryRow(ctx, "SELECT true FROM projection.checkpoint WHERE schema = $1", e.runners[n].schema).Scan(&there)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // made with the last of them
		}
		if err != nil {
			return err
		}
	}
	mark := fmt.Sprintf("%x", sha256.Sum256([]byte(query)))
	if !anew {
		var same bool
		err := conn.QueryRow(ctx, "SELECT coalesce(obj_description(to_regclass($1), 'pg_class') = $2, false)", "analytics."+v.Name, mark).Scan(&same)
		if err != nil || same {
			return err
		}
	}
	// A security barrier: the functions of who asks do not see the rows that
	// the view leaves out.
	_, err := conn.Exec(ctx, fmt.Sprintf(`DROP VIEW IF EXISTS analytics.%s;
CREATE VIEW analytics.%[1]s WITH (security_barrier) AS %s;
COMMENT ON VIEW analytics.%[1]s IS '%[3]s';
GRANT SELECT ON analytics.%[1]s TO zurnals_analyst`, v.Name, query, mark))
	return err
}
