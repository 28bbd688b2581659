package identity

import (
	"slices"
	"strings"

	"zurnals/domain"
)

// A Provider is a service that vouches for people (ārējais serviss). It is an
// addition: signing in by e-mail stays whatever is connected (EMU-038).
type Provider string

const (
	Eklase    Provider = "eklase"    // E-klase
	Eparaksts Provider = "eparaksts" // e-paraksts
)

// Providers are all there are, in the order in which they are shown.
var Providers = []Provider{Eklase, Eparaksts}

// Bounds of what a provider says of somebody. OpenID Connect has a subject of
// at most 255 characters.
const (
	IssuerMax  = 500
	SubjectMax = 255
)

// Refusals of external logins.
var (
	ErrProvider          = domain.Refuse(domain.NotFound, "identity.provider_unknown", "there is no such service")
	ErrEmailStays        = domain.Refuse(domain.Conflict, "identity.email_sign_in_stays", "signing in by e-mail cannot be removed")
	ErrFirstByEmail      = domain.Refuse(domain.Forbidden, "identity.first_sign_in_by_email", "sign in by e-mail first")
	ErrExternalConnected = domain.Refuse(domain.Conflict, "identity.external_connected", "another login of this service is connected: disconnect it first")
	ErrExternalTaken     = domain.Refuse(domain.Conflict, "identity.external_taken", "another account is connected with this login")
	ErrExternalUnknown   = domain.Refuse(domain.Unauthenticated, "identity.external_not_connected", "no account is connected with this login")
	ErrExternalIdentity  = domain.Refuse(domain.Invalid, "identity.external_identity", "the service has not said who signed in")
	ErrExternalNoCode    = domain.Refuse(domain.Forbidden, "identity.external_no_code", "the service has told no personal code, or the account has none")
	ErrExternalOther     = domain.Refuse(domain.Forbidden, "identity.external_other_person", "the personal code is not that of the account")
)

// ParseProvider reads the name of a service.
func ParseProvider(s string) (Provider, error) {
	switch p := Provider(s); {
	case slices.Contains(Providers, p):
		return p, nil
	case s == "email":
		return "", ErrEmailStays
	}
	return "", ErrProvider
}

// Method says how somebody has signed in who did so by p.
func (p Provider) Method() Method { return Method(p) }

// An External is somebody as a provider knows them. Subject means nothing
// without Issuer.
type External struct {
	Provider     Provider
	Issuer       string
	Subject      string
	PersonalCode domain.PersonalCode // as the provider tells it; empty if it does not
}

// check refuses an identity that could be mixed up with another.
func (x External) check() error {
	ok := func(s string, max int) bool {
		return s != "" && len(s) <= max && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	switch {
	case !slices.Contains(Providers, x.Provider):
		return ErrProvider
	case !ok(x.Issuer, IssuerMax) || !ok(x.Subject, SubjectMax):
		return ErrExternalIdentity
	}
	return nil
}

// ExternalClaim is the claim of an account to be the one of an external
// identity, which belongs to one account at most (S-14).
func ExternalClaim(x External) domain.Claim {
	// No part holds a space, so no two identities make the same value.
	return domain.Claim{Kind: "external", Value: string(x.Provider) + " " + x.Issuer + " " + x.Subject}
}

type (
	// ConnectExternal lets the person sign in by an external identity too, from
	// the next time on (EMU-037). Only the own wish connects (EMU-042).
	ConnectExternal struct {
		Account  domain.AccountID
		Identity External
	}

	// DisconnectExternal ends that.
	DisconnectExternal struct {
		Account  domain.AccountID
		Provider Provider
	}

	// SignInExternally begins a session for who has proved an external identity.
	SignInExternally struct {
		Account  domain.AccountID
		Identity External
		Session  domain.SessionID
	}
)

func (ConnectExternal) accountCommand()    {}
func (DisconnectExternal) accountCommand() {}
func (SignInExternally) accountCommand()   {}

// Connected returns the identity of a provider that the account is connected
// with.
func (a Account) Connected(p Provider) (External, bool) {
	i := slices.IndexFunc(a.external, func(x External) bool { return x.Provider == p })
	if i < 0 {
		return External{}, false
	}
	return a.external[i], true
}

// CheckConnect returns nil if some identity of a provider may be connected now.
func (a Account) CheckConnect(p Provider) error {
	switch _, is := a.Connected(p); {
	case !a.Active():
		return ErrNoAccount
	case !a.signedIn:
		return ErrFirstByEmail
	case is:
		return ErrExternalConnected
	}
	return nil
}

// SignedInOnce says whether the person has ever signed in.
func (a Account) SignedInOnce() bool { return a.signedIn }

func (a Account) connect(cmd ConnectExternal) ([]AccountEvent, error) {
	x := cmd.Identity
	err := x.check()
	connected, is := a.Connected(x.Provider)
	switch {
	case err != nil:
		return nil, err
	case !a.Active():
		return nil, ErrNoAccount
	case !a.signedIn:
		return nil, ErrFirstByEmail
	case x.PersonalCode == "" && x.Provider == Eparaksts, x.PersonalCode != "" && a.code == "":
		return nil, ErrExternalNoCode
	case x.PersonalCode != "" && x.PersonalCode != a.code:
		return nil, ErrExternalOther
	case is && connected.Issuer == x.Issuer && connected.Subject == x.Subject:
		return nil, nil
	case is:
		return nil, ErrExternalConnected
	}
	return []AccountEvent{ExternalLoginConnected{Account: cmd.Account, Provider: x.Provider, Issuer: x.Issuer, Subject: x.Subject}}, nil
}

func (a Account) disconnect(cmd DisconnectExternal) ([]AccountEvent, error) {
	x, is := a.Connected(cmd.Provider)
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case !is:
		return nil, nil
	}
	return []AccountEvent{ExternalLoginDisconnected{Account: cmd.Account, Provider: x.Provider, Issuer: x.Issuer, Subject: x.Subject}}, nil
}

func (a Account) signInExternally(cmd SignInExternally) ([]AccountEvent, error) {
	x := cmd.Identity
	connected, is := a.Connected(x.Provider)
	switch {
	case !a.Active():
		return nil, ErrExternalUnknown
	case !a.signedIn:
		return nil, ErrFirstByEmail
	case !is || connected.Issuer != x.Issuer || connected.Subject != x.Subject:
		return nil, ErrExternalUnknown
	case x.PersonalCode != "" && x.PersonalCode != a.code, x.PersonalCode == "" && x.Provider == Eparaksts:
		return nil, ErrExternalOther
	}
	return []AccountEvent{SignedIn{Account: cmd.Account, Session: cmd.Session, Method: x.Provider.Method()}}, nil
}
