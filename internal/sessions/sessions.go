// Package sessions keeps who is signed in where (Latvian: pieslēgšanās sesija).
//
// A session is known by a random token of which only the hash is kept. It ends
// by itself when it has not been used for a while, and after a longer while in
// any case. All times are those of the one clock.
package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

// A Realm is one of the worlds that people sign in to, each with sessions and
// a cookie of its own (C-10).
type Realm string

const (
	Staff   Realm = "staff"   // accounts of a school or municipality
	Learner Realm = "learner" // pupils who record themselves
	Citizen Realm = "citizen" // the registry's e-service
)

// A Life is how long sessions of a realm last.
type Life struct {
	Idle     time.Duration // without a request
	Absolute time.Duration // in any case
}

// lives are short for pupils, who share computers.
var lives = map[Realm]Life{
	Staff:   {Idle: 8 * time.Hour, Absolute: 7 * 24 * time.Hour},
	Learner: {Idle: 2 * time.Hour, Absolute: 24 * time.Hour},
	Citizen: {Idle: time.Hour, Absolute: 12 * time.Hour},
}

// A Session is one sign-in.
type Session struct {
	ID         domain.SessionID
	Realm      Realm
	Subject    uuid.UUID // account, learner or citizen
	Generation int       // of the subject's sessions: an older one has been ended
	CreatedAt  time.Time
	ExpiresAt  time.Time // at the latest
	LastSeen   time.Time
	UserAgent  string
	Address    []byte // keyed hash of the network address
}

// ErrNone says that there is no session with this token, or no longer.
var ErrNone = errors.New("no such session")

// A Store keeps sessions in PostgreSQL.
type Store struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
}

// longest is how much of what a browser says of itself is kept.
const longest = 200

// seen is how exactly the time of the last request is kept: not every request
// needs to write.
const seen = time.Minute

// Create starts a session and returns the token that proves it, which is kept
// nowhere. The id may be chosen beforehand, to be named by an event.
func (s *Store) Create(ctx context.Context, n Session) (token string, _ Session, err error) {
	life, ok := lives[n.Realm]
	if !ok {
		return "", Session{}, errors.New("sessions: unknown realm " + string(n.Realm))
	}
	if n.ID.IsZero() {
		n.ID = domain.NewID[domain.SessionID]()
	}
	n.CreatedAt = s.Now().UTC().Truncate(time.Microsecond)
	n.LastSeen, n.ExpiresAt = n.CreatedAt, n.CreatedAt.Add(life.Absolute)
	if runes := []rune(n.UserAgent); len(runes) > longest {
		n.UserAgent = string(runes[:longest])
	}
	token = rand.Text() + rand.Text() // 52 characters, 260 bits
	_, err = s.Pool.Exec(ctx, `INSERT INTO web.session
		(id, token_hash, realm, subject, generation, created_at, expires_at, last_seen, user_agent, address)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		n.ID.UUID, hash(token), n.Realm, n.Subject, n.Generation, n.CreatedAt, n.ExpiresAt, n.LastSeen, n.UserAgent, n.Address)
	if err != nil {
		return "", Session{}, err
	}
	return token, n, nil
}

// Find returns the session that a token proves, and notes that it is in use.
func (s *Store) Find(ctx context.Context, realm Realm, token string) (Session, error) {
	if token == "" || len(token) > longest {
		return Session{}, ErrNone
	}
	now := s.Now().UTC()
	found, err := s.query(ctx, `WHERE token_hash = $1 AND realm = $2 AND expires_at > $3 AND last_seen > $4`,
		hash(token), realm, now, now.Add(-lives[realm].Idle))
	if err != nil {
		return Session{}, err
	}
	if len(found) == 0 {
		return Session{}, ErrNone
	}
	if now.Sub(found[0].LastSeen) >= seen {
		_, err = s.Pool.Exec(ctx, `UPDATE web.session SET last_seen = $2 WHERE id = $1`, found[0].ID.UUID, now)
	}
	return found[0], err
}

// List returns the sessions that somebody has, the last used first.
func (s *Store) List(ctx context.Context, realm Realm, subject uuid.UUID) ([]Session, error) {
	now := s.Now().UTC()
	return s.query(ctx, `WHERE realm = $1 AND subject = $2 AND expires_at > $3 AND last_seen > $4
		ORDER BY last_seen DESC, id DESC LIMIT 200`, realm, subject, now, now.Add(-lives[realm].Idle))
}

// End ends one session of somebody. It says whether there was one.
func (s *Store) End(ctx context.Context, realm Realm, subject uuid.UUID, id domain.SessionID) (bool, error) {
	tag, err := s.Pool.Exec(ctx, `DELETE FROM web.session WHERE id = $1 AND realm = $2 AND subject = $3`, id.UUID, realm, subject)
	return tag.RowsAffected() > 0, err
}

// EndAll ends all sessions of somebody, but for one if it is named.
//
// It tidies up: what really ends sessions is an event that raises the
// generation of the subject.
func (s *Store) EndAll(ctx context.Context, realm Realm, subject uuid.UUID, but domain.SessionID) error {
	_, err := s.Pool.Exec(ctx, `DELETE FROM web.session WHERE realm = $1 AND subject = $2 AND id <> $3`, realm, subject, but.UUID)
	return err
}

// Sweep removes sessions that have ended by themselves.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.Now().UTC()
	for realm, life := range lives {
		if _, err := s.Pool.Exec(ctx, `DELETE FROM web.session WHERE realm = $1 AND (expires_at <= $2 OR last_seen <= $3)`,
			realm, now, now.Add(-life.Idle)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) query(ctx context.Context, where string, args ...any) ([]Session, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, realm, subject, generation, created_at, expires_at, last_seen, user_agent, address
		FROM web.session `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (n Session, err error) {
		err = row.Scan(&n.ID.UUID, &n.Realm, &n.Subject, &n.Generation, &n.CreatedAt, &n.ExpiresAt, &n.LastSeen, &n.UserAgent, &n.Address)
		n.CreatedAt, n.ExpiresAt, n.LastSeen = n.CreatedAt.UTC(), n.ExpiresAt.UTC(), n.LastSeen.UTC()
		return n, err
	})
}

// hash is what is kept of a token. A token is random and long, so one round is
// enough.
func hash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}
