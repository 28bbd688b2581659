// Package migrations brings a database to the form this program needs (Latvian:
// datubāzes migrācijas). The files are part of the binary and run in the order
// of their numbers; river's own tables follow, in the schema jobs.
//
// Read models are no business of this package: they are built from the log.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// lockKey is this program's advisory lock for migrations. It spans goose and
// river; goose's own lock spans goose only, and polls once a second.
const lockKey = 0x5a75726e616c73 // "Zurnals"

// RiverSchema holds the tables of the job queue.
const RiverSchema = "jobs"

// Files are the SQL files, for whoever wants to know whether they changed.
func Files() fs.FS { return files }

// Up brings the database to the newest form. It may be called by several
// processes at once and does nothing when there is nothing to do. The DSN names
// the owner of the database; on a server of somebody else the owner need not be
// called zurnals_owner.
func Up(ctx context.Context, ownerDSN string) error {
	cfg, err := pgxpool.ParseConfig(ownerDSN)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	cfg.MaxConns = 4 // the lock holds one
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	defer pool.Close()
	if err := pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		// The lock belongs to the connection: it is gone when we are.
		if _, err := c.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(lockKey)); err != nil {
			return err
		}
		defer c.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockKey))
		return up(ctx, pool, c.Conn())
	}); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

func up(ctx context.Context, pool *pgxpool.Pool, conn *pgx.Conn) error {
	if err := checkVersion(ctx, conn); err != nil {
		return err
	}
	if err := makeRoles(ctx, conn); err != nil {
		return err
	}
	if err := Grant(ctx, conn); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	return upRiver(ctx, pool)
}

// upRiver runs river's migrations. What zurnals_app may do with their tables is
// settled by the default privileges of the schema, see 00001.
func upRiver(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// checkVersion refuses a server that is too old before anything is changed.
func checkVersion(ctx context.Context, conn *pgx.Conn) error {
	const oldest = 150000
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version < oldest {
		return fmt.Errorf("the server is PostgreSQL %d, but 15 or later is needed", version/10000)
	}
	return nil
}

// makeRoles makes the two roles that the owner gives rights to. The embedded
// server has them; on a server of somebody else the owner may be allowed to
// make them. A role made here has no password, so nobody can use it before the
// operator sets one.
func makeRoles(ctx context.Context, conn *pgx.Conn) error {
	var missing []string
	for _, role := range []string{"zurnals_app", "zurnals_analyst"} {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			missing = append(missing, "CREATE ROLE "+role+" LOGIN;")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	statements := strings.Join(missing, "\n")
	if _, err := conn.Exec(ctx, statements); err != nil {
		if isDenied(err) {
			return fmt.Errorf("this user may not create the roles of the program; an administrator of the server must run:\n%s", statements)
		}
		return err
	}
	return nil
}

// Grant gives the roles what they need on the database itself. It is not part
// of a numbered migration because neither a cloned nor a restored database
// keeps such rights.
func Grant(ctx context.Context, conn *pgx.Conn) error {
	db, granted, err := readGrants(ctx, conn)
	if err != nil || granted {
		return err
	}
	name := pgx.Identifier{db}.Sanitize()
	// CREATE: zurnals_app makes and owns the schemas of its read models.
	if _, err := conn.Exec(ctx, "REVOKE CREATE, TEMPORARY ON DATABASE "+name+" FROM PUBLIC;"+
		"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE "+name+" TO zurnals_app;"+
		"GRANT CONNECT ON DATABASE "+name+" TO zurnals_analyst"); err != nil && !isDenied(err) {
		return err
	}
	// Whoever may not grant gets a warning only, so look again.
	if _, granted, err = readGrants(ctx, conn); err != nil || granted {
		return err
	}
	return fmt.Errorf("this user does not own the database %s; an administrator of the server must run:\nALTER DATABASE %s OWNER TO %s;",
		db, name, pgx.Identifier{conn.Config().User}.Sanitize())
}

func readGrants(ctx context.Context, conn *pgx.Conn) (db string, granted bool, err error) {
	err = conn.QueryRow(ctx, `
		SELECT current_database(),
		       has_database_privilege('zurnals_app', current_database(), 'CREATE')
		   AND has_database_privilege('zurnals_app', current_database(), 'CONNECT')
		   AND has_database_privilege('zurnals_app', current_database(), 'TEMPORARY')
		   AND has_database_privilege('zurnals_analyst', current_database(), 'CONNECT')
		   AND NOT has_database_privilege('zurnals_analyst', current_database(), 'TEMPORARY')`).Scan(&db, &granted)
	return db, granted, err
}

func isDenied(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "42501" // insufficient_privilege
}

// Versions returns up to which migration a database has all of this program's,
// 0 for none, and the last that the program has. A database that a newer program
// has migrated has more.
func Versions(ctx context.Context, owner *pgx.Conn) (have, want int64, err error) {
	names, err := fs.Glob(files, "*.sql") // in order
	if err != nil || len(names) == 0 {
		return 0, 0, fmt.Errorf("migrations: no files: %w", err)
	}
	applied, newest, err := readApplied(ctx, owner)
	if err != nil {
		return 0, 0, fmt.Errorf("migrations: %w", err)
	}
	complete := true
	for _, name := range names {
		if want, err = goose.NumericComponent(name); err != nil {
			return 0, 0, fmt.Errorf("migrations: %w", err)
		}
		if complete = complete && applied[want]; complete {
			have = want
		}
	}
	if complete {
		have = newest
	}
	return have, want, nil
}

// readApplied returns which migrations a database has, and the last of them.
func readApplied(ctx context.Context, owner *pgx.Conn) (applied map[int64]bool, newest int64, err error) {
	applied = make(map[int64]bool)
	rows, err := owner.Query(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	if err == nil {
		var version int64
		_, err = pgx.ForEachRow(rows, []any{&version}, func() error {
			applied[version], newest = true, max(newest, version)
			return nil
		})
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42P01" { // undefined_table: it was never migrated
		return applied, 0, nil
	}
	return applied, newest, err
}
