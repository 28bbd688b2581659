package eventstore

import (
	"bytes"
	"context"
	"crypto/cipher"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PostgresKeys keeps the keys in the database, wrapped by the master key.
//
// Unwrapped keys stay in memory for KeyMemory. An erasure drops them at once in
// its own process; in other processes an erased text can be opened for
// KeyMemory longer.
type PostgresKeys struct {
	pool   *pgxpool.Pool
	clock  func() time.Time
	master *Master

	mu      sync.Mutex
	cache   map[uuid.UUID]cachedKey
	erased  uint64 // counts erasures: what was read before one is not kept after it
	secrets map[string][]byte
}

type cachedKey struct {
	key   cipher.AEAD // nil: destroyed
	until time.Time
}

const (
	// KeyMemory is how long a key stays in memory.
	KeyMemory = 10 * time.Second
	// cachedKeys bounds the memory: about 1 KB each.
	cachedKeys = 10_000
)

var _ Keys = (*PostgresKeys)(nil)

// EnsureKeys implements Keys.
func (k *PostgresKeys) EnsureKeys(ctx context.Context, subjects ...uuid.UUID) (Sealer, error) {
	subjects = slices.Clone(subjects)
	slices.SortFunc(subjects, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	subjects = slices.Compact(subjects)
	keys, missing, before := k.cached(subjects)
	if len(missing) > 0 {
		ids, wrapped := make([][16]byte, len(missing)), make([][]byte, len(missing))
		for i, s := range missing {
			ids[i], wrapped[i] = s, k.master.wrap(subjectLabel(s), newKey())
		}
		rows, err := k.pool.Query(ctx, `SELECT subject, wrapped FROM es.ensure_keys($1, $2, $3, $4)`, k.master.id, k.clock(), ids, wrapped)
		if err != nil {
			return Sealer{}, fmt.Errorf("ensure keys: %w", unavailable(err))
		}
		if err := k.collect(rows, keys, before); err != nil {
			return Sealer{}, fmt.Errorf("ensure keys: %w", err)
		}
	}
	for _, s := range subjects {
		if keys[s] == nil {
			return Sealer{}, &ErasedError{Subject: s}
		}
	}
	return Sealer{keys: keys}, nil
}

// Open implements Keys.
func (k *PostgresKeys) Open(ctx context.Context, events []Event) error {
	return openEvents(ctx, k, events)
}

func (k *PostgresKeys) load(ctx context.Context, subjects []uuid.UUID) (map[uuid.UUID]cipher.AEAD, error) {
	keys, missing, before := k.cached(subjects)
	if len(missing) == 0 {
		return keys, nil
	}
	ids := make([][16]byte, len(missing))
	for i, s := range missing {
		ids[i] = s
	}
	rows, err := k.pool.Query(ctx, `SELECT subject, wrapped FROM es.subject_key WHERE subject = ANY ($1)`, ids)
	if err != nil {
		return nil, unavailable(err)
	}
	return keys, k.collect(rows, keys, before)
}

// cached returns the keys in memory, those that are not, and the count of
// erasures at this moment.
func (k *PostgresKeys) cached(subjects []uuid.UUID) (keys map[uuid.UUID]cipher.AEAD, missing []uuid.UUID, erased uint64) {
	now := time.Now() // of the machine: memory does not wait for the clock of the program
	keys = make(map[uuid.UUID]cipher.AEAD, len(subjects))
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range subjects {
		if c, ok := k.cache[s]; ok && now.Before(c.until) {
			keys[s] = c.key
		} else {
			missing = append(missing, s)
		}
	}
	return keys, missing, k.erased
}

// collect unwraps keys read from the database.
func (k *PostgresKeys) collect(rows pgx.Rows, keys map[uuid.UUID]cipher.AEAD, before uint64) error {
	until := time.Now().Add(KeyMemory)
	var id [16]byte
	var wrapped []byte
	read := make(map[uuid.UUID]cipher.AEAD)
	if _, err := pgx.ForEachRow(rows, []any{&id, &wrapped}, func() error {
		if wrapped == nil {
			read[id] = nil
			return nil
		}
		plain, err := k.master.unwrap(subjectLabel(id), wrapped)
		if err != nil {
			return err
		}
		read[id], err = gcm(plain)
		return err
	}); err != nil {
		return unavailable(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for s, key := range read {
		keys[s] = key
		if k.erased != before && key != nil {
			continue // read before an erasure, perhaps of this one
		}
		for other := range k.cache { // any: a full memory is rare, and refills
			if len(k.cache) < cachedKeys {
				break
			}
			delete(k.cache, other)
		}
		k.cache[s] = cachedKey{key, until}
	}
	return nil
}

func (k *PostgresKeys) forget(subjects []uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.erased++
	for _, s := range subjects {
		delete(k.cache, s)
	}
}

// Derive implements Keys.
func (k *PostgresKeys) Derive(ctx context.Context, purpose string) ([]byte, error) {
	if err := checkName("purpose", purpose); err != nil {
		return nil, err
	}
	k.mu.Lock()
	secret := k.secrets[purpose]
	k.mu.Unlock()
	if secret != nil {
		return secret, nil
	}
	var wrapped []byte
	fresh := k.master.wrap(secretLabel(purpose), newKey())
	if err := k.pool.QueryRow(ctx, `SELECT es.ensure_secret($1, $2, $3)`, k.master.id, purpose, fresh).Scan(&wrapped); err != nil {
		return nil, fmt.Errorf("secret for %s: %w", purpose, unavailable(err))
	}
	secret, err := k.master.unwrap(secretLabel(purpose), wrapped)
	if err != nil {
		return nil, fmt.Errorf("secret for %s: %w", purpose, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secrets[purpose] = secret
	return secret, nil
}

func subjectLabel(id uuid.UUID) string  { return "subject " + id.String() }
func secretLabel(purpose string) string { return "secret " + purpose }
