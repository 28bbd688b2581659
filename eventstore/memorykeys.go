package eventstore

import (
	"context"
	"crypto/cipher"
	"sync"

	"github.com/google/uuid"
)

// MemoryKeys are keys in memory, for tests.
type MemoryKeys struct {
	mu       sync.RWMutex
	subjects map[uuid.UUID]cipher.AEAD // nil when destroyed
	secrets  map[string][]byte
}

var _ Keys = (*MemoryKeys)(nil)

// NewMemoryKeys returns keys of nobody.
func NewMemoryKeys() *MemoryKeys {
	return &MemoryKeys{subjects: make(map[uuid.UUID]cipher.AEAD), secrets: make(map[string][]byte)}
}

// EnsureKeys implements Keys.
func (k *MemoryKeys) EnsureKeys(_ context.Context, subjects ...uuid.UUID) (Sealer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Sealer{keys: make(map[uuid.UUID]cipher.AEAD, len(subjects))}
	for _, id := range subjects {
		key, known := k.subjects[id]
		if known && key == nil {
			return Sealer{}, &ErasedError{Subject: id}
		}
		if !known {
			var err error
			if key, err = gcm(newKey()); err != nil {
				return Sealer{}, err
			}
			k.subjects[id] = key
		}
		s.keys[id] = key
	}
	return s, nil
}

// Open implements Keys.
func (k *MemoryKeys) Open(ctx context.Context, events []Event) error {
	return openEvents(ctx, k, events)
}

// Derive implements Keys.
func (k *MemoryKeys) Derive(_ context.Context, purpose string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secrets[purpose] == nil {
		k.secrets[purpose] = newKey()
	}
	return k.secrets[purpose], nil
}

func (k *MemoryKeys) load(_ context.Context, subjects []uuid.UUID) (map[uuid.UUID]cipher.AEAD, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	loaded := make(map[uuid.UUID]cipher.AEAD, len(subjects))
	for _, id := range subjects {
		if key, known := k.subjects[id]; known {
			loaded[id] = key
		}
	}
	return loaded, nil
}

func (k *MemoryKeys) alive(subject uuid.UUID) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.subjects[subject] != nil
}

func (k *MemoryKeys) destroy(subjects []uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range subjects {
		k.subjects[id] = nil
	}
}
