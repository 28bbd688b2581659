package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

// Secrets are those of one sign-in at a service. State travels in addresses,
// Browser only in a cookie.
type Secrets struct{ State, Browser string }

// nonce and verifier follow from both, so that neither need be kept.
func (s Secrets) nonce() string    { return s.derive("nonce") }
func (s Secrets) verifier() string { return s.derive("verifier") }

func (s Secrets) derive(purpose string) string {
	h := hmac.New(sha256.New, []byte(s.Browser))
	h.Write([]byte(purpose + "/" + s.State))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// A Flow is a sign-in at a service that has been begun: by somebody signed in,
// to connect the service, or by nobody, to sign in.
type Flow struct {
	Provider string
	Account  uuid.UUID        // zero: to sign in
	Session  domain.SessionID // of the account
	Expires  time.Time
}

// FlowLifetime is how long somebody may take at the service.
const FlowLifetime = 10 * time.Minute

// ErrState refuses an answer to nothing that this browser has begun, or that
// came already.
var ErrState = domain.Refuse(domain.Gone, "identity.external_state", "this sign-in is over, or was begun in another browser")

// Flows keeps what has been begun, in PostgreSQL: only hashes of the secrets.
type Flows struct {
	Pool *pgxpool.Pool
	Now  func() time.Time // the one clock
}

// Begin begins a sign-in.
func (f *Flows) Begin(ctx context.Context, flow Flow) (Secrets, Flow, error) {
	secrets := Secrets{State: rand.Text() + rand.Text(), Browser: rand.Text() + rand.Text()}
	flow.Expires = f.Now().UTC().Truncate(time.Microsecond).Add(FlowLifetime)
	_, err := f.Pool.Exec(ctx, `INSERT INTO web.external_flow (state_hash, browser_hash, provider, account, session, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		hash(secrets.State), hash(secrets.Browser), flow.Provider, flow.Account, flow.Session.UUID, flow.Expires)
	return secrets, flow, err
}

// Take returns what was begun with these secrets at a service, and ends it:
// whatever comes of the answer, no other one is taken.
func (f *Flows) Take(ctx context.Context, provider string, secrets Secrets) (flow Flow, err error) {
	var browser []byte
	err = f.Pool.QueryRow(ctx, `DELETE FROM web.external_flow WHERE state_hash = $1
		RETURNING browser_hash, provider, account, session, expires_at`, hash(secrets.State)).
		Scan(&browser, &flow.Provider, &flow.Account, &flow.Session.UUID, &flow.Expires)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Flow{}, ErrState
	case err != nil:
		return Flow{}, err
	case !hmac.Equal(browser, hash(secrets.Browser)) || flow.Provider != provider || !f.Now().Before(flow.Expires):
		return Flow{}, ErrState
	}
	return flow, nil
}

// Sweep forgets what was begun and never came to anything.
func (f *Flows) Sweep(ctx context.Context) error {
	_, err := f.Pool.Exec(ctx, `DELETE FROM web.external_flow WHERE expires_at <= $1`, f.Now().UTC())
	return err
}

// hash is what is kept of a secret: it is random and long, so one round will do.
func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
