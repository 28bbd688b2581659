package identity

import (
	"slices"
	"time"

	"zurnals/domain"
)

// Bounds of passkeys.
const (
	PasskeysMax    = 10
	PasskeyNameMax = 60
)

// Refusals of passkeys.
var (
	ErrPasskey   = domain.Refuse(domain.Unauthenticated, "identity.passkey", "the passkey is not valid here")
	ErrPasskeys  = domain.Refuse(domain.Conflict, "identity.too_many_passkeys", "the account has ten passkeys: remove one first")
	ErrNoPasskey = domain.Refuse(domain.NotFound, "identity.no_passkey", "the account has no such passkey")
)

// A Passkey (piekļuves atslēga) is a key that an authenticator keeps for the
// account. It is an addition: signing in by e-mail stays (EMU-038). The public
// key is kept outside the log, as Credential.
type Passkey struct {
	Credential domain.CredentialID
	Name       string // that the person gave it
	AddedAt    time.Time
}

type (
	// AddPasskey lets the person sign in by a key that was proved. Only after
	// the first sign-in by e-mail.
	AddPasskey struct {
		Account    domain.AccountID
		Credential domain.CredentialID
		Name       string
		At         time.Time
	}

	// RemovePasskey ends that.
	RemovePasskey struct {
		Account    domain.AccountID
		Credential domain.CredentialID
	}

	// SignInByPasskey begins a session for who has proved a key.
	SignInByPasskey struct {
		Account    domain.AccountID
		Credential domain.CredentialID
		Session    domain.SessionID
	}
)

func (AddPasskey) accountCommand()      {}
func (RemovePasskey) accountCommand()   {}
func (SignInByPasskey) accountCommand() {}

// Passkeys returns those of the account, the oldest first.
func (a Account) Passkeys() []Passkey { return slices.Clone(a.passkeys) }

// Credentials returns all that the account may be signed in to by: of what is
// kept outside the log only these count.
func (a Account) Credentials() []domain.CredentialID {
	all := []domain.CredentialID{a.credential}
	for _, p := range a.passkeys {
		all = append(all, p.Credential)
	}
	return all
}

// CheckPasskey returns nil if a passkey may be added now.
func (a Account) CheckPasskey() error {
	switch {
	case !a.Active():
		return ErrNoAccount
	case !a.signedIn:
		return ErrFirstByEmail
	case len(a.passkeys) >= PasskeysMax:
		return ErrPasskeys
	}
	return nil
}

func (a Account) hasPasskey(id domain.CredentialID) bool {
	return slices.ContainsFunc(a.passkeys, func(p Passkey) bool { return p.Credential == id })
}

func (a Account) addPasskey(cmd AddPasskey) ([]AccountEvent, error) {
	if a.Active() && a.hasPasskey(cmd.Credential) {
		return nil, nil
	}
	if err := a.CheckPasskey(); err != nil {
		return nil, err
	}
	var check domain.Check
	name, err := domain.Line(cmd.Name, PasskeyNameMax)
	check.Field("name", err)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return []AccountEvent{PasskeyAdded{Account: cmd.Account, Credential: cmd.Credential, Name: name, Email: a.email, AddedAt: cmd.At}}, nil
}

func (a Account) removePasskey(cmd RemovePasskey) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case !a.hasPasskey(cmd.Credential):
		return nil, ErrNoPasskey
	}
	return []AccountEvent{PasskeyRemoved{Account: cmd.Account, Credential: cmd.Credential}}, nil
}

func (a Account) signInByPasskey(cmd SignInByPasskey) ([]AccountEvent, error) {
	if !a.Active() || !a.hasPasskey(cmd.Credential) {
		return nil, ErrPasskey
	}
	return []AccountEvent{SignedIn{Account: cmd.Account, Session: cmd.Session, Method: ByPasskey}}, nil
}

// evolvePasskeys is evolve for the events of passkeys.
func (a Account) evolvePasskeys(e AccountEvent) Account {
	switch e := e.(type) {
	case PasskeyAdded:
		a.passkeys = append(slices.Clip(a.passkeys), Passkey{Credential: e.Credential, Name: e.Name, AddedAt: e.AddedAt})
	case PasskeyRemoved:
		a.passkeys = slices.DeleteFunc(slices.Clone(a.passkeys), func(p Passkey) bool { return p.Credential == e.Credential })
	}
	return a
}
