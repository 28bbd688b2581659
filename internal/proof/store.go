package proof

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"zurnals/eventstore"
)

// rowHashes is how many hashes one row of proof.hash holds at most, and
// rowSummaries how many summaries one of proof.summary.
const (
	rowHashes    = 60
	rowSummaries = 28
)

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
	err = gather(rows, first, n, tlog.HashSize, func(hash []byte) { all = append(all, tlog.Hash(hash)) })
	if err == nil && int64(len(all)) != n {
		err = fmt.Errorf("%w: a hash of the tree is missing, number %d", ErrRewritten, first+int64(len(all)))
	}
	return all, err
}

// summaries returns what was sealed of the events with after < position <= upto.
func summaries(ctx context.Context, db querier, after, upto int64) ([]summary, error) {
	n := upto - after
	rows, err := db.Query(ctx, `SELECT s.first, s.summaries FROM proof.summary s WHERE s.first > $1 AND s.first <= $2 ORDER BY s.first`, after+1-rowSummaries, upto)
	if err != nil {
		return nil, err
	}
	all := make([]summary, 0, n)
	err = gather(rows, after+1, n, summarySize, func(s []byte) { all = append(all, summary(s)) })
	if err == nil && int64(len(all)) != n {
		err = fmt.Errorf("%w: what was sealed of position %d is missing", ErrRewritten, after+1+int64(len(all)))
	}
	return all, err
}

// gather calls f with n pieces of rows, which each hold some from a number on,
// beginning with number first. It stops where one is missing.
func gather(rows pgx.Rows, first, n int64, size int, f func([]byte)) error {
	next := first
	var row int64
	var pieces []byte
	_, err := pgx.ForEachRow(rows, []any{&row, &pieces}, func() error {
		for at := next - row; at >= 0 && (at+1)*int64(size) <= int64(len(pieces)) && next < first+n; at++ {
			f(pieces[at*int64(size):][:size])
			next++
		}
		return nil
	})
	return err
}

// keep adds hashes to the tree, the first of them with the number first, and
// the summaries of the events from a position on.
func keep(ctx context.Context, tx pgx.Tx, first int64, hashes []tlog.Hash, position int64, sealed []summary) error {
	numbers, rows := pack(first, hashes, rowHashes, func(b []byte, h *tlog.Hash) []byte { return append(b, h[:]...) })
	if _, err := tx.Exec(ctx, `INSERT INTO proof.hash (first, hashes) SELECT * FROM unnest($1::bigint[], $2::bytea[])`, numbers, rows); err != nil {
		return err
	}
	numbers, rows = pack(position, sealed, rowSummaries, func(b []byte, s *summary) []byte { return append(b, s[:]...) })
	_, err := tx.Exec(ctx, `INSERT INTO proof.summary (first, summaries) SELECT * FROM unnest($1::bigint[], $2::bytea[])`, numbers, rows)
	return err
}

// pack puts pieces into rows of some each, with the number of the first.
func pack[T any](first int64, all []T, each int, add func([]byte, *T) []byte) (numbers []int64, rows [][]byte) {
	for some := range slices.Chunk(all, each) {
		var row []byte
		for i := range some {
			row = add(row, &some[i])
		}
		numbers, rows = append(numbers, first), append(rows, row)
		first += int64(len(some))
	}
	return numbers, rows
}

// events calls f with the events with after < position <= upto, as they stand
// in the table: what a log holds in memory is not what is to be proven. The
// event is f's until it returns. Positions that are missing are left out.
func events(ctx context.Context, db querier, after, upto int64, f func(*eventstore.Event) error) error {
	return eventsWhere(ctx, db, f, `e.position > $1 AND e.position <= $2`, after, upto)
}

// mostStrays is how many strays are looked at.
const mostStrays = 1_000

// strays calls f with events that stand behind the head, where none can be.
func strays(ctx context.Context, db querier, f func(*eventstore.Event) error) error {
	left := mostStrays
	return eventsWhere(ctx, db, func(e *eventstore.Event) error {
		if left--; left < 0 {
			return nil
		}
		return f(e)
	}, `e.position > (SELECT h.position FROM es.head h)`)
}

func eventsWhere(ctx context.Context, db querier, f func(*eventstore.Event) error, condition string, args ...any) error {
	// A time without end cannot be read; nobody but a forger writes one.
	rows, err := db.Query(ctx, `SELECT e.position, CASE WHEN isfinite(e.recorded_at) THEN e.recorded_at ELSE 'epoch' END, e.id, e.version, e.schema, e.stream, e.type, e.meta, e.data
		FROM es.event e WHERE `+condition+` ORDER BY e.position`, args...)
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
