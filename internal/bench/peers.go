package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/embedpg"
	"zurnals/internal/peers"
)

// The peers are asked through their SQL functions alone, in one round trip with
// a prepared statement, which is kinder to them than their own clients are.

// peer makes a database for a peer, and a pool on it.
func (b *bench) peer(ctx context.Context, c comparison, store peers.Store) (*pgxpool.Pool, func(), error) {
	name, drop, err := b.database(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	config, err := pgxpool.ParseConfig(b.server.DSN(embedpg.Owner, name))
	if err != nil {
		drop()
		return nil, nil, err
	}
	config.MaxConns = int32(min(c.writers, 64))
	pool, err := store.Open(ctx, b.peers, config)
	if err != nil {
		drop()
		return nil, nil, err
	}
	return pool, func() { pool.Close(); drop() }, nil
}

// openMessageDB is @eventide/message-db with a category per writer: its lock is
// one per category, so this is its best case.
func openMessageDB(ctx context.Context, b *bench, c comparison) (contender, error) {
	pool, closeAll, err := b.peer(ctx, c, peers.MessageDB)
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
	pool, closeAll, err := b.peer(ctx, c, peers.Emmett)
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
