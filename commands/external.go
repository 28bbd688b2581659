package commands

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// An ExternalIdentity is somebody as a service has proved them: what it says
// was checked before it comes here.
type ExternalIdentity struct {
	Provider     string
	Issuer       string
	Subject      string
	PersonalCode string // empty if the service does not tell it
}

// An ExternalLogin is a service that the own account is, or may be, connected
// with.
type ExternalLogin struct {
	Provider  string
	Connected bool
}

func (x ExternalIdentity) parse() (identity.External, error) {
	provider, err := identity.ParseProvider(x.Provider)
	if err != nil {
		return identity.External{}, err
	}
	parsed := identity.External{Provider: provider, Issuer: x.Issuer, Subject: x.Subject}
	if x.PersonalCode != "" {
		if parsed.PersonalCode, err = domain.ParsePersonalCode(x.PersonalCode); err != nil {
			return parsed, identity.ErrExternalIdentity // it is the service that says so, not a field of ours
		}
	}
	return parsed, nil
}

// CheckProvider returns nil if there is a service of a name.
func CheckProvider(name string) error {
	_, err := identity.ParseProvider(name)
	return err
}

// ExternalLogins returns all services, with whether the own account is
// connected with each (EMU-040).
func (c *Commands) ExternalLogins(ctx context.Context, by access.Actor) ([]ExternalLogin, error) {
	account := by.Account()
	state, err := look(ctx, c, by, access.Own(access.OwnAccount, account.UUID), identity.Accounts, account)
	if err != nil {
		return nil, err
	}
	all := make([]ExternalLogin, 0, len(identity.Providers))
	for _, p := range identity.Providers {
		_, is := state.Connected(p)
		all = append(all, ExternalLogin{Provider: string(p), Connected: is})
	}
	return all, nil
}

// CheckConnect returns nil if who asks may connect a service now, so that
// nobody is sent there in vain. It is a risky step: whoever finds a computer
// unattended must not make a way in for themselves.
func (c *Commands) CheckConnect(ctx context.Context, by access.Actor, name string, signedIn time.Time) error {
	account := by.Account()
	state, err := look(ctx, c, by, access.Own(access.OwnAccount, account.UUID), identity.Accounts, account)
	if err != nil {
		return err
	}
	provider, err := identity.ParseProvider(name)
	if err != nil {
		return err
	}
	if err := state.CheckConnect(provider); err != nil {
		return err
	}
	return identity.CheckFresh(signedIn, c.Now())
}

// ConnectExternal lets who asks sign in by an external identity too.
func (c *Commands) ConnectExternal(ctx context.Context, by access.Actor, x ExternalIdentity) error {
	account := by.Account()
	parsed, err := x.parse()
	if err != nil {
		return err
	}
	err = c.do(ctx, by, access.Own(access.OwnAccount, account.UUID), func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.ConnectExternal{Account: account, Identity: parsed}))
		return err
	})
	if taken(err, identity.ExternalClaim(parsed).Kind) {
		return identity.ErrExternalTaken
	}
	return err
}

// DisconnectExternal ends that. Signing in by e-mail cannot be ended (EMU-038).
func (c *Commands) DisconnectExternal(ctx context.Context, by access.Actor, name string) error {
	account := by.Account()
	provider, err := identity.ParseProvider(name)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.Own(access.OwnAccount, account.UUID), func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.DisconnectExternal{Account: account, Provider: provider}))
		return err
	})
}

// SignInExternally begins a session for who has proved an external identity
// that an account is connected with. Nothing is ever connected by it, whatever
// the service says of the person (EMU-042).
func (c *Commands) SignInExternally(ctx context.Context, by access.Actor, x ExternalIdentity, open OpenSession) (SignedIn, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return SignedIn{}, err
	}
	parsed, err := x.parse()
	if err != nil {
		return SignedIn{}, err
	}
	id, err := c.holder(ctx, identity.ExternalClaim(parsed))
	if err == nil && id.IsZero() && parsed.PersonalCode != "" {
		// Whose code it is learns why the service does not work yet; others
		// cannot ask, because the service has proved the code.
		id, err = c.holder(ctx, identity.PersonalCodeClaim(parsed.PersonalCode))
	}
	switch {
	case err != nil:
		return SignedIn{}, err
	case id.IsZero():
		return SignedIn{}, identity.ErrExternalUnknown
	}
	by.ID = id.UUID
	signedIn := SignedIn{Account: id}
	err = c.do(ctx, by, access.At(access.SignIn, access.Scope{}), func(u *unit) error {
		now, err := load(u, identity.Accounts, id)
		if err != nil {
			return err
		}
		happened, err := decide(u, identity.Accounts, id, identity.AccountCommand(identity.SignInExternally{
			Account: id, Identity: parsed, Session: domain.NewID[domain.SessionID](),
		}))
		if err != nil {
			return err
		}
		return signedIn.follow(ctx, c, now.Generation(), happened, open)
	})
	if err != nil {
		return SignedIn{}, err
	}
	return signedIn, nil
}
