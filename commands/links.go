package commands

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// Links derives the secrets that are mailed or handed out: they are in no event and in no
// table, and follow from the ids in an event and one key. How long a link
// works, and whether a newer one has replaced it, the event tells.
type Links struct{ key []byte }

// OpenLinks returns the links of an installation.
func OpenLinks(ctx context.Context, keys eventstore.Keys) (*Links, error) {
	key, err := keys.Derive(ctx, "links")
	if err != nil {
		return nil, fmt.Errorf("key for links: %w", err)
	}
	return &Links{key: key}, nil
}

// Registration returns the token of the link to follow an invitation by. It is
// safe in a URL.
func (l *Links) Registration(account domain.AccountID, invitation domain.InvitationID) string {
	return l.token("registration", account.UUID, invitation.UUID)
}

// Challenge returns the name under which who has given a right password gives
// the code too.
func (l *Links) Challenge(account domain.AccountID, id identity.ChallengeID) string {
	return l.token("challenge", account.UUID, id.UUID)
}

// EmailChange returns the token of the link to the present address, by which
// the new one is given.
func (l *Links) EmailChange(account domain.AccountID, id identity.EmailChangeID) string {
	return l.token("email-change", account.UUID, id.UUID)
}

// EmailConfirmation returns the token of the link to a new address.
func (l *Links) EmailConfirmation(account domain.AccountID, id identity.ConfirmationID) string {
	return l.token("email-confirmation", account.UUID, id.UUID)
}

// StopEmailChange returns the token of the link by which who reads the present
// address stops a change that somebody else has begun.
func (l *Links) StopEmailChange(account domain.AccountID, id identity.EmailChangeID) string {
	return l.token("email-change-stop", account.UUID, id.UUID)
}

// PasswordReset returns the token of the link to choose another password by.
func (l *Links) PasswordReset(account domain.AccountID, id identity.PasswordResetID) string {
	return l.token("password-reset", account.UUID, id.UUID)
}

// Survey returns the token of the link by which one pupil answers one survey.
func (l *Links) Survey(survey domain.SurveyID, id domain.SurveyTokenID) string {
	return l.token("survey", survey.UUID, id.UUID)
}

// LoginCode returns the code, six digits, that is mailed for a challenge.
func (l *Links) LoginCode(id identity.ChallengeID) string {
	mac := l.mac("code", id.UUID, uuid.Nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(mac)%1_000_000)
}

func (l *Links) registration(token string) (domain.AccountID, domain.InvitationID, bool) {
	account, id, ok := l.open("registration", token)
	return domain.AccountID{UUID: account}, domain.InvitationID{UUID: id}, ok
}

func (l *Links) challenge(token string) (domain.AccountID, identity.ChallengeID, bool) {
	account, id, ok := l.open("challenge", token)
	return domain.AccountID{UUID: account}, identity.ChallengeID{UUID: id}, ok
}

func (l *Links) survey(token string) (domain.SurveyID, domain.SurveyTokenID, bool) {
	survey, id, ok := l.open("survey", token)
	return domain.SurveyID{UUID: survey}, domain.SurveyTokenID{UUID: id}, ok
}

// ownLink returns what a link is for that only the signed in account it was
// mailed to may follow (C10).
func (c *Commands) ownLink(by access.Actor, purpose, token string) (id uuid.UUID, err error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return id, err
	}
	account, id, ok := c.Links.open(purpose, token)
	switch {
	case !ok:
		return id, ErrLink
	case account != by.Account().UUID:
		return id, ErrOthersLink
	}
	return id, nil
}

// A token is two ids and a MAC of them, so that whoever makes one up reaches
// no account.
func (l *Links) token(purpose string, a, b uuid.UUID) string {
	t := append(append(a[:], b[:]...), l.mac(purpose, a, b)...)
	return base64.RawURLEncoding.EncodeToString(t)
}

func (l *Links) open(purpose, token string) (a, b uuid.UUID, ok bool) {
	const size = 16 + 16 + macSize
	if len(token) != base64.RawURLEncoding.EncodedLen(size) {
		return a, b, false
	}
	t, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(t) != size {
		return a, b, false
	}
	copy(a[:], t)
	copy(b[:], t[16:])
	return a, b, subtle.ConstantTimeCompare(t[32:], l.mac(purpose, a, b)) == 1
}

const macSize = 16

func (l *Links) mac(purpose string, a, b uuid.UUID) []byte {
	h := hmac.New(sha256.New, l.key)
	h.Write([]byte(purpose))
	h.Write([]byte{0}) // no purpose is the beginning of another
	h.Write(a[:])
	h.Write(b[:])
	return h.Sum(nil)[:macSize]
}
