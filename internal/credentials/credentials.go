// Package credentials keeps passwords (Latvian: paroles), as argon2id hashes.
// A row is written before the event that names it and means nothing without;
// what no event names is swept. However a keyboard composes a letter such as ā,
// the password is the same.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/text/unicode/norm"

	"zurnals/domain"
)

// params are the least that OWASP recommends. A hash takes 19 MiB and about
// 20 ms.
var params = &argon2id.Params{Memory: 19456, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// A Store keeps passwords in PostgreSQL.
type Store struct {
	pool   *pgxpool.Pool
	now    func() time.Time
	params *argon2id.Params
	turn   chan struct{} // to hash: memory is bounded
	dummy  string        // what a password is compared with if there is none
}

// New returns a store that hashes at most atOnce passwords at a time.
func New(pool *pgxpool.Pool, now func() time.Time, atOnce int) (*Store, error) {
	return open(pool, now, atOnce, params)
}

// NewWeak returns a store whose hashes take no time, and protect nothing: for
// tests that are about something else, and most of which would be hashing.
func NewWeak(pool *pgxpool.Pool, now func() time.Time) (*Store, error) {
	weak := *params
	weak.Memory, weak.Iterations = 8, 1
	return open(pool, now, 2, &weak)
}

func open(pool *pgxpool.Pool, now func() time.Time, atOnce int, params *argon2id.Params) (*Store, error) {
	dummy, err := argon2id.CreateHash("no password is this one", params)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return &Store{pool: pool, now: now, params: params, turn: make(chan struct{}, max(1, atOnce)), dummy: dummy}, nil
}

// ErrBusy refuses work when too much of it waits already.
var ErrBusy = domain.Refuse(domain.Unavailable, "credentials.busy", "too many sign-ins at once: try again")

// patience is how long somebody waits for a turn.
const patience = 5 * time.Second

// begin waits for a turn to hash.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-waiting.Done():
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, ErrBusy
	}
}

// Create keeps a password under a new id. Owner is the stream whose events tell
// whether it counts.
func (s *Store) Create(ctx context.Context, id domain.CredentialID, owner, password string) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	hash, err := argon2id.CreateHash(norm.NFC.String(password), s.params)
	end()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	// A command that is sent again comes with the same id. What it kept the
	// first time stays: an event may name it already.
	_, err = s.pool.Exec(ctx, `INSERT INTO web.credential (id, owner, hash, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		id.UUID, owner, hash, s.now().UTC())
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// Verify says whether a password is the one kept under an id. For an id under
// which there is none, such as the zero one, it takes as long and says no.
func (s *Store) Verify(ctx context.Context, id domain.CredentialID, password string) (bool, error) {
	hash := s.dummy
	err := s.pool.QueryRow(ctx, `SELECT hash FROM web.credential WHERE id = $1 AND hash IS NOT NULL`, id.UUID).Scan(&hash)
	missing := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !missing {
		return false, fmt.Errorf("credentials: %w", err)
	}
	end, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	match, err := argon2id.ComparePasswordAndHash(norm.NFC.String(password), hash)
	if err != nil {
		return false, fmt.Errorf("credentials: %w", err)
	}
	return match && !missing, nil
}

// Delete removes a password that is not in use.
func (s *Store) Delete(ctx context.Context, id domain.CredentialID) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM web.credential WHERE id = $1`, id.UUID); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

const (
	settled  = time.Hour          // no command takes so long to name what it has kept
	lookOver = 7 * 24 * time.Hour // how often what counted is looked up again
	sweepMax = 100                // owners asked about at once, whose streams may be long
)

// Sweep removes what no event names: what was kept by a command that came to
// nothing, and what should have been deleted when the events named another.
// Named returns all that the events of some streams name now.
func (s *Store) Sweep(ctx context.Context, named func(ctx context.Context, owners []string) ([]domain.CredentialID, error)) error {
	for {
		if n, err := s.sweep(ctx, named); err != nil || n < sweepMax {
			return err
		}
	}
}

// sweep looks some credentials up and returns how many there were: each is
// removed, or not looked up again for a while.
func (s *Store) sweep(ctx context.Context, named func(ctx context.Context, owners []string) ([]domain.CredentialID, error)) (int, error) {
	now := s.now().UTC()
	rows, err := s.pool.Query(ctx, `SELECT id, owner FROM web.credential
		WHERE owner <> '' AND created_at <= $1 AND (looked_at IS NULL OR looked_at <= $2)
		ORDER BY looked_at NULLS FIRST, created_at LIMIT $3`, now.Add(-settled), now.Add(-lookOver), sweepMax)
	if err != nil {
		return 0, fmt.Errorf("credentials: %w", err)
	}
	var ids []uuid.UUID
	var owners []string
	var id uuid.UUID
	var owner string
	_, err = pgx.ForEachRow(rows, []any{&id, &owner}, func() error {
		ids, owners = append(ids, id), append(owners, owner)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, orNil(err)
	}
	slices.Sort(owners)
	count, err := named(ctx, slices.Compact(owners))
	if err != nil {
		return 0, err
	}
	counted := make([]uuid.UUID, len(count))
	for i, id := range count {
		counted[i] = id.UUID
	}
	_, err = s.pool.Exec(ctx, `WITH looked AS (UPDATE web.credential SET looked_at = $3 WHERE id = ANY($1) AND id = ANY($2))
		DELETE FROM web.credential WHERE id = ANY($1) AND id <> ALL($2)`, ids, counted, now)
	return len(ids), orNil(err)
}

func orNil(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("credentials: %w", err)
}
