// Package peers makes the tables of two event stores from npm, which ours is
// measured beside (Latvian: salīdzināmās krātuves). Only their SQL is used;
// internal/bench/peers.sh gets it.
package peers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrMissing is the error of a store that is not installed.
var ErrMissing = errors.New("is not installed, see internal/bench/peers.sh")

// A Store is another event store for PostgreSQL.
type Store struct {
	name, schema string
	folder       string // of its package
	scripts      func(folder string) ([]string, error)
}

func (s Store) String() string { return s.name }

// MessageDB is @eventide/message-db.
var MessageDB = Store{
	name: "message-db", schema: "message_store, public", folder: "@eventide/message-db",
	scripts: func(folder string) (scripts []string, err error) {
		for file := range strings.FieldsSeq(`schema/message-store extensions/pgcrypto tables/messages types/message functions/hash-64
			functions/acquire-lock functions/category functions/is-category functions/id functions/cardinal-id functions/stream-version
			functions/write-message functions/get-category-messages indexes/messages-id indexes/messages-stream indexes/messages-category`) {
			script, err := os.ReadFile(filepath.Join(folder, "database", file+".sql"))
			if err != nil {
				return nil, err
			}
			scripts = append(scripts, strings.ReplaceAll(string(script), " CONCURRENTLY", "")) // the table is empty
		}
		return scripts, nil
	},
}

// Emmett is @event-driven-io/emmett-postgresql, with one partition.
var Emmett = Store{
	name: "emmett", schema: "public", folder: "@event-driven-io/emmett-postgresql",
	scripts: func(folder string) ([]string, error) {
		code, err := os.ReadFile(filepath.Join(folder, "dist/index.cjs"))
		if err != nil {
			return nil, err
		}
		_, rest, found := strings.Cut(string(code), "var schema_0_42_0 = _dumbo.SQL`")
		script, _, ended := strings.Cut(rest, "`;")
		if !found || !ended || strings.ContainsAny(script, "`\\") {
			return nil, errors.New("the schema was not found where version 0.42.0 has it")
		}
		return []string{script, `SELECT emt_add_partition('emt:default')`}, nil
	},
}

// Open makes the tables in an empty database, and returns a pool on it. Folder is
// where peers.sh has put the stores.
func (s Store) Open(ctx context.Context, folder string, config *pgxpool.Config) (*pgxpool.Pool, error) {
	folder = filepath.Join(folder, "node_modules", s.folder)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	scripts, err := s.scripts(folder)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["search_path"] = s.schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	for _, script := range scripts {
		if _, err := pool.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
			pool.Close()
			return nil, fmt.Errorf("%w in\n%.200s", err, script)
		}
	}
	return pool, nil
}
