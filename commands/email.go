package commands

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// What can be asked about the address of an account. Tokens are of mailed
// links; they work only for who is signed in to the account (EMU-031).
type (
	// CorrectEmail corrects the address of who has not registered yet.
	CorrectEmail struct {
		Place   access.Scope
		Account domain.AccountID
		Email   string
	}

	// RecoverEmail begins a change for who has lost the mailbox.
	RecoverEmail struct {
		Place   access.Scope
		Account domain.AccountID
		Email   string
		Reason  string
	}

	// StartEmailChange begins a change of the own address. SignedIn is when the
	// session began.
	StartEmailChange struct{ SignedIn time.Time }

	// GiveEmail gives the new address, by the link to the present one.
	GiveEmail struct{ Token, Email string }
)

// Refusals of changing an address.
var (
	ErrOthersLink     = domain.Refuse(domain.Forbidden, "identity.link_of_another", "the link is of another account: sign in to that one")
	ErrWorksElsewhere = domain.Refuse(domain.Forbidden, "identity.works_elsewhere", "the person works at other places too: ask who administers all of them")
)

// CorrectEmail gives somebody who has not registered yet the right address, and
// invites the person there. Earlier links no longer work.
func (c *Commands) CorrectEmail(ctx context.Context, by access.Actor, cmd CorrectEmail) error {
	return c.emailTaken(c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, held access.Held, place access.Scope) error {
		if err := overAll(by, held); err != nil {
			return err
		}
		_, err := decide(u, identity.Accounts, cmd.Account, identity.AccountCommand(identity.CorrectEmail{
			Account: cmd.Account, Invitation: newID[domain.InvitationID](by, "invitation"),
			Municipality: place.Municipality, School: place.School, Email: cmd.Email, At: u.at,
		}))
		return err
	}))
}

// RecoverEmail begins a change of the address of somebody who has lost the
// mailbox. By itself it changes nothing: the new address is confirmed by the
// person, signed in. Only who has never signed in is invited again (C-03).
func (c *Commands) RecoverEmail(ctx context.Context, by access.Actor, cmd RecoverEmail) error {
	var before domain.CredentialID
	err := c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, held access.Held, place access.Scope) error {
		before = domain.CredentialID{}
		account, err := load(u, identity.Accounts, cmd.Account)
		if err != nil {
			return err
		}
		if !account.EverSignedIn() {
			if err := overAll(by, held); err != nil {
				return err
			}
		}
		happened, err := decide(u, identity.Accounts, cmd.Account, identity.AccountCommand(identity.RecoverEmail{
			Account: cmd.Account, Change: newID[identity.EmailChangeID](by, "change"), Confirmation: newID[identity.ConfirmationID](by, "confirmation"),
			Invitation: newID[domain.InvitationID](by, "invitation"), Municipality: place.Municipality, School: place.School,
			Email: cmd.Email, Reason: cmd.Reason, At: u.at,
		}))
		if err != nil || len(happened) == 0 {
			return err
		}
		after, err := load(u, identity.Accounts, cmd.Account)
		if err != nil {
			return err
		}
		if after.NewEmail() == "" { // invited again: the password is of no use any more
			before = account.Credential()
			return nil
		}
		holder, err := c.holder(ctx, identity.EmailClaim(after.NewEmail()))
		if err == nil && !holder.IsZero() {
			err = ErrEmailTaken.In("email")
		}
		return err
	})
	if err == nil {
		c.discard(ctx, before)
	}
	return c.emailTaken(err)
}

// overAll refuses who does not manage the users of all places that somebody
// works at. Whoever says where the invitation goes can take the account, with
// all that it may do at other places.
func overAll(by access.Actor, held access.Held) error {
	for _, place := range held.Workplaces() {
		if by.Allow(access.At(access.ManageUsers, place)) != nil {
			return ErrWorksElsewhere
		}
	}
	return nil
}

// emailTaken tells that an address belongs to another account.
func (c *Commands) emailTaken(err error) error {
	if taken(err, identity.EmailClaim("").Kind) {
		return ErrEmailTaken.In("email")
	}
	return err
}

// StartEmailChange begins a change of the own address: a link goes to the one
// there is.
func (c *Commands) StartEmailChange(ctx context.Context, by access.Actor, cmd StartEmailChange) error {
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		if err := identity.CheckFresh(cmd.SignedIn, u.at); err != nil {
			return err
		}
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.StartEmailChange{
			Account: account, Change: newID[identity.EmailChangeID](by, "change"), At: u.at,
		}))
		return err
	})
}

// CheckEmailChange returns nil if the link to the present address works.
func (c *Commands) CheckEmailChange(ctx context.Context, by access.Actor, token string) error {
	id, err := c.ownChange(by, token)
	if err != nil {
		return err
	}
	account, err := look(ctx, c, by, access.Own(access.OwnAccount, by.ID), identity.Accounts, by.Account())
	if err != nil {
		return err
	}
	return account.CheckChange(id, c.Now())
}

// GiveEmail gives the new address. Whether another account has it is not told:
// its owner is, and the change comes to nothing (C12).
func (c *Commands) GiveEmail(ctx context.Context, by access.Actor, cmd GiveEmail) error {
	id, err := c.ownChange(by, cmd.Token)
	if err != nil {
		return err
	}
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		var owner domain.AccountID
		if email, err := identity.ParseEmail(cmd.Email); err == nil {
			if owner, err = c.holder(ctx, identity.EmailClaim(email)); err != nil {
				return err
			}
		}
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.GiveEmail{
			Account: account, Change: id, Confirmation: newID[identity.ConfirmationID](by, "confirmation"),
			Email: cmd.Email, TakenBy: owner, At: u.at,
		}))
		return err
	})
}

// CheckConfirmation returns the address that the link to a new address makes
// the one of the account.
func (c *Commands) CheckConfirmation(ctx context.Context, by access.Actor, token string) (email string, err error) {
	id, err := c.ownConfirmation(by, token)
	if err != nil {
		return "", err
	}
	account, err := look(ctx, c, by, access.Own(access.OwnAccount, by.ID), identity.Accounts, by.Account())
	if err != nil {
		return "", err
	}
	if err := account.CheckConfirmation(id, c.Now()); err != nil {
		return "", err
	}
	return account.NewEmail(), nil
}

// ConfirmEmail follows the link to the new address. All sessions end.
func (c *Commands) ConfirmEmail(ctx context.Context, by access.Actor, token string) error {
	id, err := c.ownConfirmation(by, token)
	if err != nil {
		return err
	}
	account := by.Account()
	return c.emailTaken(c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.ConfirmEmail{Account: account, Confirmation: id, At: u.at}))
		return err
	}))
}

// StopOwnEmailChange ends the change of the own address that is under way.
func (c *Commands) StopOwnEmailChange(ctx context.Context, by access.Actor) error {
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		state, err := load(u, identity.Accounts, account)
		if err == nil {
			_, err = decide(u, identity.Accounts, account, identity.AccountCommand(identity.StopEmailChange{Account: account, Change: state.Change(), At: u.at}))
		}
		return err
	})
}

// CheckStop returns nil if the link by which a change is stopped works.
func (c *Commands) CheckStop(ctx context.Context, by access.Actor, token string) error {
	if err := by.Allow(access.At(access.FollowLink, access.Scope{})); err != nil {
		return err
	}
	account, id, err := c.changeToStop(token)
	if err != nil {
		return err
	}
	state, err := c.account(ctx, account)
	if err != nil {
		return err
	}
	return state.CheckChange(id, c.Now())
}

// StopEmailChange ends a change that an administrator has begun, by the link in
// the notice to the present address. Nobody need be signed in: it only keeps
// things as they are.
func (c *Commands) StopEmailChange(ctx context.Context, by access.Actor, token string) error {
	account, id, err := c.changeToStop(token)
	if err != nil {
		return err
	}
	by.ID = account.UUID
	return c.do(ctx, by, access.At(access.FollowLink, access.Scope{}), func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.StopEmailChange{Account: account, Change: id, At: u.at}))
		return err
	})
}

func (c *Commands) changeToStop(token string) (account domain.AccountID, id identity.EmailChangeID, err error) {
	a, b, ok := c.Links.open("email-change-stop", token)
	if !ok {
		return account, id, ErrLink
	}
	return domain.AccountID{UUID: a}, identity.EmailChangeID{UUID: b}, nil
}

func (c *Commands) ownChange(by access.Actor, token string) (id identity.EmailChangeID, err error) {
	id.UUID, err = c.ownLink(by, "email-change", token)
	return id, err
}

func (c *Commands) ownConfirmation(by access.Actor, token string) (id identity.ConfirmationID, err error) {
	id.UUID, err = c.ownLink(by, "email-confirmation", token)
	return id, err
}
