package eventstore

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Master is the master key. It wraps every other key and never stands in the
// database, which knows only its id. Without it all personal data are lost.
type Master struct {
	id   string
	aead cipher.AEAD
}

var (
	// ErrNoMaster says that there is no master key where it was looked for.
	ErrNoMaster = errors.New("no master key")
	// ErrWrongMaster says that the keys in the database are wrapped by another one.
	ErrWrongMaster = errors.New("this is not the master key of this database")
)

// LoadMaster reads the master key: 32 bytes in base64, given as value (from the
// environment), else as the content of file. It is ErrNoMaster when value is
// empty and the file does not exist.
func LoadMaster(value, file string) (*Master, error) {
	if value == "" && file == "" {
		return nil, ErrNoMaster
	}
	if value == "" {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w in %s", ErrNoMaster, file)
		}
		if err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		value = string(content)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || len(key) != 32 {
		return nil, errors.New("the master key must be 32 bytes in base64")
	}
	return newMaster(key)
}

// MakeMaster makes a master key in a new file, for the first start of the
// embedded database. It refuses when the database holds keys already: they
// belong to a master key that must be found, not replaced.
func MakeMaster(ctx context.Context, pool *pgxpool.Pool, file string) (*Master, error) {
	var id string
	var used bool
	if err := pool.QueryRow(ctx, `SELECT coalesce((SELECT id FROM es.master), 'unknown'),
		EXISTS (SELECT FROM es.master) OR EXISTS (SELECT FROM es.system_key) OR EXISTS (SELECT FROM es.subject_key)`).Scan(&id, &used); err != nil {
		return nil, fmt.Errorf("make master key: %w", unavailable(err))
	}
	if used {
		return nil, fmt.Errorf("%w: this database needs the one with id %s", ErrNoMaster, id)
	}
	key := newKey()
	// Whole or not at all: a crash must not leave half a key.
	temp, err := os.CreateTemp(filepath.Dir(file), ".master-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Link(temp.Name(), file) // fails when there is one
	}
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	return newMaster(key)
}

// NewMaster returns a random master key, for tests.
func NewMaster() *Master {
	m, err := newMaster(newKey())
	if err != nil {
		panic(err) // not with 32 bytes
	}
	return m
}

func newMaster(key []byte) (*Master, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("zurnals master key id\x00"), key...))
	return &Master{id: hex.EncodeToString(sum[:6]), aead: aead}, nil
}

// ID names the key without telling anything about it.
func (m *Master) ID() string { return m.id }

func (m *Master) wrap(label string, key []byte) []byte {
	nonce := make([]byte, nonceSize, nonceSize+len(key)+16)
	rand.Read(nonce)
	return m.aead.Seal(nonce, nonce, key, []byte(label))
}

func (m *Master) unwrap(label string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < nonceSize {
		return nil, fmt.Errorf("%w: %s is cut short", ErrWrongMaster, label)
	}
	key, err := m.aead.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], []byte(label))
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not open", ErrWrongMaster, label)
	}
	return key, nil
}

const proofLabel = "proof of the master key"

// OpenKeys opens the keys of a database. A database without keys takes this
// master key as its own; in every other case a wrong one is ErrWrongMaster.
func OpenKeys(ctx context.Context, pool *pgxpool.Pool, clock func() time.Time, master *Master) (*PostgresKeys, error) {
	var id string
	var proof []byte
	found := false
	rows, err := pool.Query(ctx, `SELECT id, proof FROM es.register_master($1, $2)`, master.id, master.wrap(proofLabel, newKey()))
	if err == nil {
		for rows.Next() {
			found = true
			if err = rows.Scan(&id, &proof); err != nil {
				break
			}
		}
		rows.Close()
		err = errors.Join(err, rows.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", unavailable(err))
	}
	if !found {
		return nil, fmt.Errorf("open keys: %w: the database holds keys but does not say whose", ErrWrongMaster)
	}
	if id != master.id {
		return nil, fmt.Errorf("open keys: %w: it needs %s, this is %s", ErrWrongMaster, id, master.id)
	}
	if _, err := master.unwrap(proofLabel, proof); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return &PostgresKeys{
		pool: pool, clock: clock, master: master,
		cache: make(map[uuid.UUID]cachedKey), secrets: make(map[string][]byte),
	}, nil
}

// Rotate wraps every key by another master key. Processes that still hold the
// old one can make no new keys and must be started again with the new one.
func (k *PostgresKeys) Rotate(ctx context.Context, to *Master) error {
	var subjects [][16]byte
	var purposes []string
	var keys, secrets [][]byte
	again := func(label string, wrapped []byte) ([]byte, error) {
		plain, err := k.master.unwrap(label, wrapped)
		if err != nil {
			return nil, err
		}
		return to.wrap(label, plain), nil
	}
	rows, err := k.pool.Query(ctx, `SELECT subject, '', wrapped FROM es.subject_key WHERE wrapped IS NOT NULL
		UNION ALL SELECT NULL, purpose, wrapped FROM es.system_key`)
	if err != nil {
		return fmt.Errorf("rotate master key: %w", unavailable(err))
	}
	var id *[16]byte
	var purpose string
	var wrapped []byte
	for rows.Next() && err == nil {
		if err = rows.Scan(&id, &purpose, &wrapped); err != nil {
			break
		}
		if id != nil {
			wrapped, err = again(subjectLabel(*id), wrapped)
			subjects, keys = append(subjects, *id), append(keys, wrapped)
		} else {
			wrapped, err = again(secretLabel(purpose), wrapped)
			purposes, secrets = append(purposes, purpose), append(secrets, wrapped)
		}
	}
	rows.Close()
	if err = errors.Join(err, rows.Err()); err != nil {
		return fmt.Errorf("rotate master key: %w", unavailable(err))
	}
	if _, err = k.pool.Exec(ctx, `SELECT es.rewrap($1, $2, $3, $4, $5, $6, $7)`, k.master.id, to.id, to.wrap(proofLabel, newKey()),
		nonNil(subjects), nonNil(keys), nonNil(purposes), nonNil(secrets)); err != nil {
		return fmt.Errorf("rotate master key: %w", unavailable(err))
	}
	return nil
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
