// Package passkeys lets people prove a key that their authenticator keeps, by
// WebAuthn (Latvian: piekļuves atslēgas).
//
// Public keys are kept outside the log like passwords: a row is written before
// the event that names it and means nothing without. What is to be signed is
// made here, works once and for five minutes by the one clock. Nobody is asked
// for a name first (discoverable credentials), so there is nothing to guess at.
package passkeys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
)

// ChallengeLifetime is how long somebody may take to find the authenticator.
const ChallengeLifetime = 5 * time.Minute

// Refusals of what an authenticator answers. Why a key does not work is told to
// nobody, but for one that was copied.
var (
	ErrNone      = domain.Refuse(domain.NotFound, "identity.passkeys_not_available", "passkeys need a server with a name of its own")
	ErrChallenge = domain.Refuse(domain.Gone, "identity.passkey_challenge", "this took too long, or was answered already: begin again")
	ErrAnswer    = domain.Refuse(domain.Invalid, "identity.passkey_answer", "that is not what a passkey answers")
	ErrKnown     = domain.Refuse(domain.Conflict, "identity.passkey_known", "this passkey is known already")
	ErrWrong     = domain.Refuse(domain.Unauthenticated, "identity.passkey", "the passkey is not valid here")
	ErrCloned    = domain.Refuse(domain.Unauthenticated, "identity.passkey_cloned", "there is a copy of this passkey: sign in by e-mail and remove it")
)

// A Store keeps public keys and challenges in PostgreSQL.
type Store struct {
	pool *pgxpool.Pool
	now  func() time.Time
	web  *webauthn.WebAuthn // nil: there can be no passkeys here
}

// New returns a store for the server at an address. Browsers tie passkeys to the
// name of the server, so that at a bare network address there are none.
func New(pool *pgxpool.Pool, now func() time.Time, publicURL string) (*Store, error) {
	s := &Store{pool: pool, now: now}
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	if net.ParseIP(u.Hostname()) != nil {
		return s, nil
	}
	yes := true
	s.web, err = webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Žurnāls", RPOrigins: []string{u.Scheme + "://" + u.Host},
		// The key alone signs in: the authenticator must know the person.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: &yes, UserVerification: protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation, // whose make it is, is nobody's business
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return s, nil
}

// A Person is whom a passkey is for, as the authenticator shows it.
type Person struct {
	Account     domain.AccountID
	Name        string // e-mail address
	DisplayName string
}

// A Begun ceremony is what the browser hands to the authenticator.
type Begun struct {
	Challenge string          // name under which the answer comes
	Options   json.RawMessage // of navigator.credentials.create or get
	Expires   time.Time
}

// A Proof is a key that was proved, and whose it is by what is kept.
type Proof struct {
	Account domain.AccountID
	ID      domain.CredentialID
}

// A Fresh passkey has been proved and is not kept yet.
type Fresh struct {
	account    domain.AccountID
	credential *webauthn.Credential
}

// holder is a person as the library wants one.
type holder struct {
	person Person
	keys   []webauthn.Credential
}

func (h *holder) WebAuthnID() []byte                         { return h.person.Account.UUID[:] }
func (h *holder) WebAuthnName() string                       { return h.person.Name }
func (h *holder) WebAuthnDisplayName() string                { return h.person.DisplayName }
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// Add begins to add a passkey, in one session of a person.
func (s *Store) Add(ctx context.Context, person Person, session domain.SessionID) (Begun, error) {
	if s.web == nil {
		return Begun{}, ErrNone
	}
	keys, err := s.keys(ctx, `account = $1`, person.Account.UUID)
	if err != nil {
		return Begun{}, err
	}
	h := &holder{person: person}
	for _, k := range keys {
		h.keys = append(h.keys, k.credential)
	}
	options, data, err := s.web.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return Begun{}, fmt.Errorf("passkeys: %w", err)
	}
	return s.begin(ctx, options, data, person.Account, session)
}

// SignIn begins to sign in by a passkey, whosever it is.
func (s *Store) SignIn(ctx context.Context) (Begun, error) {
	if s.web == nil {
		return Begun{}, ErrNone
	}
	options, data, err := s.web.BeginDiscoverableLogin()
	if err != nil {
		return Begun{}, fmt.Errorf("passkeys: %w", err)
	}
	return s.begin(ctx, options, data, domain.AccountID{}, domain.SessionID{})
}

func (s *Store) begin(ctx context.Context, options any, data *webauthn.SessionData, account domain.AccountID, session domain.SessionID) (begun Begun, err error) {
	if begun.Options, err = json.Marshal(options); err != nil {
		return begun, err
	}
	kept, err := json.Marshal(data)
	if err != nil {
		return begun, err
	}
	begun.Challenge, begun.Expires = rand.Text()+rand.Text(), s.now().UTC().Truncate(time.Microsecond).Add(ChallengeLifetime)
	_, err = s.pool.Exec(ctx, `INSERT INTO web.passkey_challenge (hash, account, session, data, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		hash(begun.Challenge), account.UUID, session.UUID, kept, begun.Expires)
	return begun, err
}

// take returns what was begun, and ends it: whatever comes of the answer, no
// other one is taken.
func (s *Store) take(ctx context.Context, challenge string, account domain.AccountID, session domain.SessionID) (data webauthn.SessionData, err error) {
	var of, in uuid.UUID
	var kept []byte
	var expires time.Time
	err = s.pool.QueryRow(ctx, `DELETE FROM web.passkey_challenge WHERE hash = $1 RETURNING account, session, data, expires_at`, hash(challenge)).
		Scan(&of, &in, &kept, &expires)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return data, ErrChallenge
	case err != nil:
		return data, err
	case of != account.UUID || in != session.UUID || !s.now().Before(expires):
		return data, ErrChallenge
	}
	return data, json.Unmarshal(kept, &data)
}

// Added checks the answer of an authenticator that has made a key.
func (s *Store) Added(ctx context.Context, account domain.AccountID, session domain.SessionID, challenge string, answer []byte) (Fresh, error) {
	if s.web == nil {
		return Fresh{}, ErrNone
	}
	data, err := s.take(ctx, challenge, account, session)
	if err != nil {
		return Fresh{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Fresh{}, because(ErrAnswer, err)
	}
	credential, err := s.web.CreateCredential(&holder{person: Person{Account: account}}, data, parsed)
	if err != nil {
		return Fresh{}, because(ErrAnswer, err)
	}
	return Fresh{account, credential}, nil
}

// Keep keeps a new passkey under an id that no event names yet. Owner is the
// stream whose events may.
func (s *Store) Keep(ctx context.Context, id domain.CredentialID, owner string, f Fresh) error {
	transports := make([]string, 0, len(f.credential.Transport))
	for _, t := range f.credential.Transport {
		transports = append(transports, string(t))
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO web.credential (id, owner, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, id.UUID, owner, s.now().UTC())
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO web.passkey (id, key_id, account, public_key, sign_count, backup_eligible, transports)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
			id.UUID, f.credential.ID, f.account.UUID, f.credential.PublicKey, int64(f.credential.Authenticator.SignCount),
			f.credential.Flags.BackupEligible, transports)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "23505" { // unique_violation: of key_id
		return ErrKnown
	}
	return err
}

// Proved checks the answer of an authenticator that signs in. Whether the key
// counts, the events of the account tell.
func (s *Store) Proved(ctx context.Context, challenge string, answer []byte) (proof Proof, err error) {
	if s.web == nil {
		return proof, ErrNone
	}
	data, err := s.take(ctx, challenge, domain.AccountID{}, domain.SessionID{})
	if err != nil {
		return proof, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return proof, because(ErrAnswer, err)
	}
	found, err := s.keys(ctx, `key_id = $1`, parsed.RawID)
	switch {
	case err != nil:
		return proof, err
	case len(found) == 0:
		return proof, ErrWrong
	}
	key := found[0]
	credential, err := s.web.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) {
		return &holder{person: Person{Account: key.account}, keys: []webauthn.Credential{key.credential}}, nil
	}, data, parsed)
	if err != nil {
		return proof, because(ErrWrong, err)
	}
	proof = Proof{key.account, key.id}
	return proof, s.count(ctx, proof, int64(credential.Authenticator.SignCount), credential.Authenticator.CloneWarning)
}

// count moves the counter of a key on. One that does not move is of a copy, and
// which of the two is the copy nobody can tell: neither works any more. Keys
// that are kept in step between devices do not count, they stay at zero.
func (s *Store) count(ctx context.Context, proof Proof, to int64, back bool) error {
	now := s.now().UTC()
	if !back {
		moved, err := s.pool.Exec(ctx, `UPDATE web.passkey SET sign_count = $2, used_at = $3
			WHERE id = $1 AND suspended_at IS NULL AND (sign_count < $2 OR sign_count = 0 AND $2 = 0)`, proof.ID.UUID, to, now)
		if err != nil || moved.RowsAffected() > 0 {
			return err
		}
	}
	_, err := s.pool.Exec(ctx, `UPDATE web.passkey SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1`, proof.ID.UUID, now)
	if err != nil {
		return err
	}
	return ErrCloned
}

// A Use is what is known of a kept passkey beside what the events tell.
type Use struct {
	At        *time.Time // when it was used last
	Suspended bool       // there is a copy
}

// Uses returns those of the passkeys of an account.
func (s *Store) Uses(ctx context.Context, account domain.AccountID) (map[domain.CredentialID]Use, error) {
	found, err := s.keys(ctx, `account = $1`, account.UUID)
	if err != nil {
		return nil, err
	}
	uses := make(map[domain.CredentialID]Use, len(found))
	for _, k := range found {
		uses[k.id] = k.use
	}
	return uses, nil
}

// Sweep forgets what was begun and never came to anything. Keys that no event
// names are swept with the passwords.
func (s *Store) Sweep(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM web.passkey_challenge WHERE expires_at <= $1`, s.now().UTC())
	return err
}

// kept is one row.
type kept struct {
	id         domain.CredentialID
	account    domain.AccountID
	credential webauthn.Credential
	use        Use
}

func (s *Store) keys(ctx context.Context, where string, arg any) ([]kept, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, key_id, account, public_key, sign_count, backup_eligible, transports, used_at, suspended_at IS NOT NULL
		FROM web.passkey WHERE `+where+` ORDER BY id`, arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k kept, err error) {
		var count int64
		var transports []string
		c := &k.credential
		err = row.Scan(&k.id.UUID, &c.ID, &k.account.UUID, &c.PublicKey, &count, &c.Flags.BackupEligible, &transports, &k.use.At, &k.use.Suspended)
		c.Authenticator.SignCount = uint32(count)
		for _, t := range transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		if k.use.At != nil {
			*k.use.At = k.use.At.UTC()
		}
		return k, err
	})
}

// because keeps for the log of the server why an answer was not taken.
func because(refusal *domain.Error, err error) error {
	var why *protocol.Error
	if errors.As(err, &why) && why.DevInfo != "" {
		return fmt.Errorf("%w: %s: %s", refusal, why.Details, why.DevInfo)
	}
	return fmt.Errorf("%w: %w", refusal, err)
}

// hash is what is kept of a name: it is random and long, so one round will do.
func hash(name string) []byte {
	h := sha256.Sum256([]byte(name))
	return h[:]
}
