package eventstore

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ReadKeys opens the keys of a database over connections that may only read
// (SELECT on es.master and es.subject_key, or a streaming replica): for a node
// that builds read models elsewhere. It can open what is sealed, and make
// nothing new. An erasure takes effect there within KeyMemory.
func ReadKeys(ctx context.Context, pool *pgxpool.Pool, clock func() time.Time, master *Master) (*PostgresKeys, error) {
	var id string
	var proof []byte
	err := pool.QueryRow(ctx, `SELECT id, proof FROM es.master`).Scan(&id, &proof)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("read keys: %w: the database has none yet", ErrNoMaster)
	case err != nil:
		return nil, fmt.Errorf("read keys: %w", unavailable(err))
	case id != master.id:
		return nil, fmt.Errorf("read keys: %w: it needs %s, this is %s", ErrWrongMaster, id, master.id)
	}
	if _, err := master.unwrap(proofLabel, proof); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return &PostgresKeys{
		pool: pool, clock: clock, master: master,
		cache: make(map[uuid.UUID]cachedKey), secrets: make(map[string][]byte),
	}, nil
}

// NoKeys opens nothing: whatever is sealed is "", as if everybody were erased.
// It is for read models without personal fields, where no keys should be.
type NoKeys struct{}

// Open blanks what is sealed.
func (NoKeys) Open(ctx context.Context, events []Event) error {
	return openEvents(ctx, NoKeys{}, events)
}

func (NoKeys) load(_ context.Context, subjects []uuid.UUID) (map[uuid.UUID]cipher.AEAD, error) {
	none := make(map[uuid.UUID]cipher.AEAD, len(subjects))
	for _, s := range subjects {
		none[s] = nil
	}
	return none, nil
}
