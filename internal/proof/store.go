package proof

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"zurnals/eventstore"
)

// rowHashes is how many hashes one row of proof.hash holds at most.
const rowHashes = 60

// A querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// kept reads the hashes of the tree from the database, for tlog.
type kept struct {
	ctx context.Context
	db  querier
}

// ReadHashes implements tlog.HashReader: one statement, one look-up a hash.
func (k kept) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	rows, err := k.db.Query(k.ctx, `SELECT coalesce((SELECT substr(h.hashes, ((w.index - h.first) * 32 + 1)::int, 32)
			FROM proof.hash h WHERE h.first <= w.index AND h.first > w.index - $2 ORDER BY h.first DESC LIMIT 1), '')
		FROM unnest($1::bigint[]) WITH ORDINALITY w(index, n) ORDER BY w.n`, indexes, rowHashes)
	if err != nil {
		return nil, err
	}
	hashes := make([]tlog.Hash, 0, len(indexes))
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&hash}, func() error {
		if len(hash) != tlog.HashSize {
			return fmt.Errorf("%w: a hash of the tree is missing, number %d", ErrRewritten, indexes[len(hashes)])
		}
		hashes = append(hashes, tlog.Hash(hash))
		return nil
	})
	return hashes, err
}

// treeSize returns how many events are in the tree that is kept.
func treeSize(ctx context.Context, db querier) (int64, error) {
	var count int64
	err := db.QueryRow(ctx, `SELECT h.first + length(h.hashes) / 32 FROM proof.hash h ORDER BY h.first DESC LIMIT 1`).Scan(&count)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// The last hash is that of the largest subtree which the last event completed.
	level, n := tlog.SplitStoredHashIndex(count - 1)
	size := (n + 1) << level
	if tlog.StoredHashCount(size) != count {
		return 0, fmt.Errorf("%w: the hashes of the tree end within those of position %d", ErrRewritten, size)
	}
	return size, nil
}

// span returns n hashes of the tree, from number first on.
func span(ctx context.Context, db querier, first, n int64) ([]tlog.Hash, error) {
	rows, err := db.Query(ctx, `SELECT h.first, h.hashes FROM proof.hash h WHERE h.first > $1 AND h.first < $2 ORDER BY h.first`, first-rowHashes, first+n)
	if err != nil {
		return nil, err
	}
	all := make([]tlog.Hash, 0, n)
	var row int64
	var hashes []byte
	_, err = pgx.ForEachRow(rows, []any{&row, &hashes}, func() error {
		for at := first + int64(len(all)) - row; at >= 0 && (at+1)*tlog.HashSize <= int64(len(hashes)) && int64(len(all)) < n; at++ {
			all = append(all, tlog.Hash(hashes[at*tlog.HashSize:][:tlog.HashSize]))
		}
		return nil
	})
	if err == nil && int64(len(all)) != n {
		err = fmt.Errorf("%w: a hash of the tree is missing, number %d", ErrRewritten, first+int64(len(all)))
	}
	return all, err
}

// leaves returns the sealed hashes of the events with after < position <= upto.
func leaves(ctx context.Context, db querier, after, upto int64) ([]tlog.Hash, error) {
	first := tlog.StoredHashIndex(0, after)
	hashes, err := span(ctx, db, first, tlog.StoredHashIndex(0, upto-1)-first+1)
	if err != nil {
		return nil, err
	}
	all := make([]tlog.Hash, 0, upto-after)
	for p := after; p < upto; p++ {
		all = append(all, hashes[tlog.StoredHashIndex(0, p)-first])
	}
	return all, nil
}

// keep adds hashes to the tree, the first of them with the number first.
func keep(ctx context.Context, tx pgx.Tx, first int64, hashes []tlog.Hash) error {
	var numbers []int64
	var rows [][]byte
	for len(hashes) > 0 {
		n := min(len(hashes), rowHashes)
		row := make([]byte, 0, n*tlog.HashSize)
		for _, h := range hashes[:n] {
			row = append(row, h[:]...)
		}
		numbers, rows = append(numbers, first), append(rows, row)
		hashes, first = hashes[n:], first+int64(n)
	}
	_, err := tx.Exec(ctx, `INSERT INTO proof.hash (first, hashes) SELECT * FROM unnest($1::bigint[], $2::bytea[])`, numbers, rows)
	return err
}

// events calls f with the events with after < position <= upto, as they stand
// in the table: what a log holds in memory is not what is to be proven. The
// event is f's until it returns. Positions that are missing are left out.
func events(ctx context.Context, db querier, after, upto int64, f func(*eventstore.Event) error) error {
	// A time without end cannot be read; nobody but a forger writes one.
	rows, err := db.Query(ctx, `SELECT e.position, CASE WHEN isfinite(e.recorded_at) THEN e.recorded_at ELSE 'epoch' END, e.id, e.version, e.schema, e.stream, e.type, e.meta, e.data
		FROM es.event e WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position`, after, upto)
	if err != nil {
		return err
	}
	var e eventstore.Event
	_, err = pgx.ForEachRow(rows, []any{&e.Position, &e.RecordedAt, (*[16]byte)(&e.ID), &e.Version, &e.Schema, &e.Stream, &e.Type, &e.Meta, &e.Data},
		func() error { return f(&e) })
	return err
}

// checkpointNote returns the note of the newest checkpoint, or of the one of a
// size; "" when there is none.
func checkpointNote(ctx context.Context, db querier, size int64) (text string, err error) {
	if size > 0 {
		err = db.QueryRow(ctx, `SELECT note FROM proof.checkpoint WHERE size = $1`, size).Scan(&text)
	} else {
		err = db.QueryRow(ctx, `SELECT note FROM proof.checkpoint ORDER BY size DESC LIMIT 1`).Scan(&text)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return text, err
}
