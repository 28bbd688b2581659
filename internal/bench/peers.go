package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
)

// The peers are asked through their SQL functions alone, in one round trip with
// a prepared statement, which is kinder to them than their own clients are.

// peer makes a database with the SQL of a peer, and a pool on it.
func (b *bench) peer(ctx context.Context, c comparison, schema string, scripts []string) (*pgxpool.Pool, func(), error) {
	name, drop, err := b.database(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	config, err := pgxpool.ParseConfig(b.server.DSN(embedpg.Owner, name))
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = int32(min(c.writers, 64))
	config.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	for _, script := range scripts {
		if _, err := pool.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, nil, fmt.Errorf("%w in\n%.200s", err, script)
		}
	}
	return pool, func() { pool.Close(); drop() }, nil
}

// openMessageDB is @eventide/message-db with a category per writer: its lock is
// one per category, so this is its best case.
func openMessageDB(ctx context.Context, b *bench, c comparison) (contender, error) {
	dir := filepath.Join(b.peers, "node_modules/@eventide/message-db/database")
	var scripts []string
	for _, file := range []string{
		"schema/message-store", "extensions/pgcrypto", "tables/messages", "types/message", "functions/hash-64", "functions/acquire-lock",
		"functions/category", "functions/is-category", "functions/id", "functions/cardinal-id", "functions/stream-version", "functions/write-message",
		"indexes/messages-id", "indexes/messages-stream", "indexes/messages-category",
	} {
		script, err := os.ReadFile(filepath.Join(dir, file+".sql"))
		if errors.Is(err, fs.ErrNotExist) && len(scripts) == 0 {
			return contender{}, errSkipped
		}
		if err != nil {
			return contender{}, err
		}
		scripts = append(scripts, strings.ReplaceAll(string(script), " CONCURRENTLY", "")) // the table is empty
	}
	pool, closeAll, err := b.peer(ctx, c, "message_store, public", scripts)
	if err != nil {
		return contender{}, err
	}
	const write = `SELECT write_message($1, $2, 'AttendanceMarked', $3, $4, $5)`
	streams, versions := make([]string, c.writers), make([]int, c.writers)
	return contender{
		appendOnce: func(ctx context.Context, w int) error {
			if versions[w]%perStream == 0 {
				streams[w], versions[w] = fmt.Sprintf("register%d-%s", w, uuid.NewString()), 0
			}
			if c.events == 1 {
				_, err := pool.Exec(ctx, write, uuid.NewString(), streams[w], data, meta, versions[w]-1)
				versions[w]++
				return err
			}
			var batch pgx.Batch // one transaction, one round trip
			for range c.events {
				batch.Queue(write, uuid.NewString(), streams[w], data, meta, versions[w]-1)
				versions[w]++
			}
			return pool.SendBatch(ctx, &batch).Close()
		},
		close: closeAll,
	}, nil
}

// openEmmett is the append function of @event-driven-io/emmett-postgresql.
func openEmmett(ctx context.Context, b *bench, c comparison) (contender, error) {
	code, err := os.ReadFile(filepath.Join(b.peers, "node_modules/@event-driven-io/emmett-postgresql/dist/index.cjs"))
	if errors.Is(err, fs.ErrNotExist) {
		return contender{}, errSkipped
	}
	if err != nil {
		return contender{}, err
	}
	_, rest, found := strings.Cut(string(code), "var schema_0_42_0 = _dumbo.SQL`")
	script, _, ended := strings.Cut(rest, "`;")
	if !found || !ended || strings.ContainsAny(script, "`\\") {
		return contender{}, errors.New("the schema was not found where version 0.42.0 has it")
	}
	pool, closeAll, err := b.peer(ctx, c, "public", []string{script, `SELECT emt_add_partition('emt:default')`})
	if err != nil {
		return contender{}, err
	}
	ones, types, kinds, datas, metas := make([]string, c.events), make([]string, c.events), make([]string, c.events), make([]string, c.events), make([]string, c.events)
	for i := range c.events {
		ones[i], types[i], kinds[i], datas[i], metas[i] = "1", "AttendanceMarked", "E", data, meta
	}
	streams, versions := make([]string, c.writers), make([]int, c.writers)
	return contender{
		appendOnce: func(ctx context.Context, w int) error {
			if versions[w]%perStream == 0 {
				streams[w], versions[w] = "register-"+uuid.NewString(), 0
			}
			ids := make([]string, c.events)
			for i := range ids {
				ids[i] = uuid.NewString()
			}
			var done bool
			err := pool.QueryRow(ctx, `SELECT success FROM emt_append_to_stream($1, $2, $3, $4, $5, $6, $7, 'register', $8, 'emt:default')`,
				ids, datas, metas, ones, types, kinds, streams[w], versions[w]).Scan(&done)
			if err == nil && !done {
				err = errors.New("refused")
			}
			versions[w] += c.events
			return err
		},
		close: closeAll,
	}, nil
}
