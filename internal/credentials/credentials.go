// Package credentials keeps passwords (Latvian: paroles), as argon2id hashes.
// A row is written before the event that names it and means nothing without;
// what no event names is swept. However a keyboard composes a letter such as ā,
// the password is the same.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"
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
	pool  *pgxpool.Pool
	now   func() time.Time
	turn  chan struct{} // to hash: memory is bounded
	dummy string        // what a password is compared with if there is none
}

// New returns a store that hashes at most atOnce passwords at a time.
func New(pool *pgxpool.Pool, now func() time.Time, atOnce int) (*Store, error) {
	dummy, err := argon2id.CreateHash("no password is this one", params)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return &Store{pool: pool, now: now, turn: make(chan struct{}, max(1, atOnce)), dummy: dummy}, nil
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

// Create keeps a password under a new id.
func (s *Store) Create(ctx context.Context, id domain.CredentialID, password string) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	hash, err := argon2id.CreateHash(norm.NFC.String(password), params)
	end()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	// A command that is sent again comes with the same id. What it kept the
	// first time stays: an event may name it already.
	_, err = s.pool.Exec(ctx, `INSERT INTO web.credential (id, hash, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`,
		id.UUID, hash, s.now().UTC())
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// Verify says whether a password is the one kept under an id. For an id under
// which there is none, such as the zero one, it takes as long and says no.
func (s *Store) Verify(ctx context.Context, id domain.CredentialID, password string) (bool, error) {
	hash := s.dummy
	err := s.pool.QueryRow(ctx, `SELECT hash FROM web.credential WHERE id = $1`, id.UUID).Scan(&hash)
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

// Sweep removes passwords made before a time that are not in use. The caller knows
// from the log which are.
func (s *Store) Sweep(ctx context.Context, before time.Time, used func(domain.CredentialID) bool) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM web.credential WHERE created_at < $1`, before)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id domain.CredentialID, err error) {
		return id, row.Scan(&id.UUID)
	})
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	for _, id := range ids {
		if !used(id) {
			if _, err := s.pool.Exec(ctx, `DELETE FROM web.credential WHERE id = $1`, id.UUID); err != nil {
				return fmt.Errorf("credentials: %w", err)
			}
		}
	}
	return nil
}
