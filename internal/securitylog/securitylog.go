// Package securitylog keeps what was refused (Latvian: drošības žurnāls):
// failed sign-ins, dead links, requests of people who lack the right. It holds
// no personal data and is no part of the event log (S-51).
package securitylog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

// Kept is how long an entry stays.
const Kept = 365 * 24 * time.Hour

// An Entry is something that was refused, and how often within one minute.
type Entry struct {
	ID           int64
	Kind         string // code of the refusal
	Route        string // method and pattern, never the path: tokens are in it
	Actor        domain.ActorKind
	ActorID      uuid.UUID // zero: nobody known
	Role         string
	Municipality domain.MunicipalityID // of the role
	School       domain.SchoolID       // of the role
	Objects      []uuid.UUID           // what was asked for
	Address      []byte                // keyed hash of the network address
	Request      string                // id of the first such request
	At           time.Time             // of the first
	LastAt       time.Time
	Count        int
}

// A Store keeps entries in PostgreSQL.
type Store struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
}

// Record notes an entry. The same within the same minute is one row, counted.
func (s *Store) Record(ctx context.Context, e Entry) error {
	now := s.Now().UTC()
	_, err := s.Pool.Exec(ctx, `INSERT INTO web.security_log AS l
		(minute, digest, kind, route, actor_kind, actor_id, role, municipality, school, objects, address, request, at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
		ON CONFLICT (minute, digest) DO UPDATE SET count = l.count + 1, last_at = greatest(l.last_at, excluded.last_at)`,
		now.Truncate(time.Minute), e.digest(), e.Kind, e.Route, e.Actor, null(e.ActorID), e.Role,
		null(e.Municipality.UUID), null(e.School.UUID), e.Objects, e.Address, e.Request, now)
	return err
}

// digest tells entries apart that are not repeats of each other.
func (e *Entry) digest() []byte {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(e.Kind), []byte(e.Route), []byte(e.Actor), e.ActorID[:], []byte(e.Role),
		e.Municipality.UUID[:], e.School.UUID[:], e.Address,
	} {
		field(h, part)
	}
	for _, object := range e.Objects {
		field(h, object[:])
	}
	return h.Sum(nil)
}

func field(w io.Writer, b []byte) {
	w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	w.Write(b)
}

func null(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// A Question narrows down what is listed. Zero values leave it open.
type Question struct {
	Municipality domain.MunicipalityID // only those who acted in a role there
	School       domain.SchoolID
	Kind         string
	ActorID      uuid.UUID
	Before       int64 // id: go on below it
	Limit        int
}

const columns = `id, kind, route, actor_kind, actor_id, role, municipality, school, objects, address, request, at, last_at, count`

// List returns entries, the newest first.
func (s *Store) List(ctx context.Context, q Question) ([]Entry, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+columns+` FROM web.security_log
		WHERE ($1::uuid IS NULL OR municipality = $1) AND ($2::uuid IS NULL OR school = $2)
		  AND ($3 = '' OR kind = $3) AND ($4::uuid IS NULL OR actor_id = $4) AND ($5 = 0 OR id < $5)
		ORDER BY id DESC LIMIT $6`,
		null(q.Municipality.UUID), null(q.School.UUID), q.Kind, null(q.ActorID), q.Before, q.Limit)
	return collect(rows, err)
}

// A Mark is where a list in the order of time goes on: after this entry.
type Mark struct {
	At time.Time
	ID int64
}

// About returns what was refused to somebody, or when it was asked for what
// belongs to him: after a mark and before a moment, the oldest first.
func (s *Store) About(ctx context.Context, who uuid.UUID, after Mark, until time.Time, limit int) ([]Entry, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+columns+` FROM web.security_log
		WHERE (actor_id = $1 OR objects @> ARRAY[$1::uuid]) AND (at, id) > ($2, $3) AND at < $4
		ORDER BY at, id LIMIT $5`, who, after.At, after.ID, until, limit)
	return collect(rows, err)
}

func collect(rows pgx.Rows, err error) ([]Entry, error) {
	if err != nil {
		return nil, fmt.Errorf("security log: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
		var actor, municipality, school *uuid.UUID
		err = row.Scan(&e.ID, &e.Kind, &e.Route, &e.Actor, &actor, &e.Role, &municipality, &school,
			&e.Objects, &e.Address, &e.Request, &e.At, &e.LastAt, &e.Count)
		for _, id := range []struct {
			from *uuid.UUID
			to   *uuid.UUID
		}{{actor, &e.ActorID}, {municipality, &e.Municipality.UUID}, {school, &e.School.UUID}} {
			if id.from != nil {
				*id.to = *id.from
			}
		}
		e.At, e.LastAt = e.At.UTC(), e.LastAt.UTC()
		return e, err
	})
}

// Sweep removes what has been kept long enough.
func (s *Store) Sweep(ctx context.Context) error {
	_, err := s.Pool.Exec(ctx, `DELETE FROM web.security_log WHERE minute < $1`, s.Now().UTC().Add(-Kept))
	return err
}
