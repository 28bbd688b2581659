package commands

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// What can be asked about passkeys. SignedIn is when the session began: to add
// or to remove one is a risky step.
type (
	AddPasskey struct {
		Name     string
		SignedIn time.Time
	}

	RemovePasskey struct {
		Passkey  domain.CredentialID
		SignedIn time.Time
	}

	// ProvedPasskey is a key that somebody has just proved to have.
	ProvedPasskey struct {
		Account domain.AccountID
		Passkey domain.CredentialID
	}
)

// KeepPasskey keeps a public key outside the log, before the event that makes it
// count. It may be called again with the same id and owner.
type KeepPasskey func(ctx context.Context, id domain.CredentialID, owner string) error

// Passkeys returns those of who asks.
func (c *Commands) Passkeys(ctx context.Context, by access.Actor) ([]identity.Passkey, error) {
	account := by.Account()
	state, err := look(ctx, c, by, access.Own(access.OwnAccount, account.UUID), identity.Accounts, account)
	return state.Passkeys(), err
}

// CheckPasskey returns nil if who asks may add a passkey now, so that nobody is
// asked for one in vain, and who that is, for the authenticator to show.
func (c *Commands) CheckPasskey(ctx context.Context, by access.Actor, signedIn time.Time) (identity.Person, error) {
	account := by.Account()
	state, err := look(ctx, c, by, access.Own(access.OwnAccount, account.UUID), identity.Accounts, account)
	if err == nil {
		err = state.CheckPasskey()
	}
	if err == nil {
		err = identity.CheckFresh(signedIn, c.Now())
	}
	return state.Person(), err
}

// AddPasskey lets who asks sign in by a passkey too.
func (c *Commands) AddPasskey(ctx context.Context, by access.Actor, cmd AddPasskey, keep KeepPasskey) (domain.CredentialID, error) {
	account, id := by.Account(), domain.NewID[domain.CredentialID]()
	return id, c.do(ctx, by, access.Own(access.OwnAccount, account.UUID), func(u *unit) error {
		if err := identity.CheckFresh(cmd.SignedIn, u.at); err != nil {
			return err
		}
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.AddPasskey{
			Account: account, Credential: id, Name: cmd.Name, At: u.at,
		}))
		if err != nil {
			return err
		}
		// It means nothing until the event names it: if we stop here, it is
		// swept away one day.
		return keep(ctx, id, identity.Accounts.Stream(account))
	})
}

// RemovePasskey ends that. Signing in by e-mail stays.
func (c *Commands) RemovePasskey(ctx context.Context, by access.Actor, cmd RemovePasskey) error {
	account := by.Account()
	err := c.do(ctx, by, access.Own(access.OwnAccount, account.UUID), func(u *unit) error {
		if err := identity.CheckFresh(cmd.SignedIn, u.at); err != nil {
			return err
		}
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.RemovePasskey{Account: account, Credential: cmd.Passkey}))
		return err
	})
	if err == nil {
		c.discard(ctx, cmd.Passkey)
	}
	return err
}

// SignInByPasskey begins a session for who has proved a passkey, if the events
// of the account name it: a key that is only kept opens nothing.
func (c *Commands) SignInByPasskey(ctx context.Context, by access.Actor, proved ProvedPasskey, open OpenSession) (SignedIn, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return SignedIn{}, err
	}
	id := proved.Account
	by.ID = id.UUID
	signedIn := SignedIn{Account: id}
	err := c.do(ctx, by, access.At(access.SignIn, access.Scope{}), func(u *unit) error {
		now, err := load(u, identity.Accounts, id)
		if err != nil {
			return err
		}
		happened, err := decide(u, identity.Accounts, id, identity.AccountCommand(identity.SignInByPasskey{
			Account: id, Credential: proved.Passkey, Session: domain.NewID[domain.SessionID](),
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
