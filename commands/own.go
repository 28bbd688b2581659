package commands

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// What somebody can ask about the own account, and an administrator about a
// name. SignedIn is when the session began.
type (
	// ChangeNames corrects the name of a user. What is nil stays. Expected is the
	// version of the profile that was seen, zero for any.
	ChangeNames struct {
		Place                 access.Scope
		Account               domain.AccountID
		GivenName, FamilyName *string
		Expected              int
	}

	// ChangeProfile changes the own name and language. What is nil stays.
	ChangeProfile struct {
		GivenName, FamilyName *string
		Language              *string
		Expected              int
	}

	DeleteAccount struct{ SignedIn time.Time }

	ExportOwnData struct{ SignedIn time.Time }
)

// ChangeNames corrects the name of somebody who works at a place (EMU-095).
func (c *Commands) ChangeNames(ctx context.Context, by access.Actor, cmd ChangeNames) error {
	return c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, _ access.Held, _ access.Scope) error {
		return rename(u, cmd.Account, cmd.GivenName, cmd.FamilyName, cmd.Expected)
	})
}

// ChangeProfile changes what one may change of oneself (S-52, S-53).
func (c *Commands) ChangeProfile(ctx context.Context, by access.Actor, cmd ChangeProfile) error {
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		if err := rename(u, account, cmd.GivenName, cmd.FamilyName, cmd.Expected); err != nil || cmd.Language == nil {
			return err
		}
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.ChooseLanguage{
			Account: account, Language: identity.Language(*cmd.Language),
		}))
		return err
	})
}

func rename(u *unit, account domain.AccountID, given, family *string, expected int) error {
	state, err := load(u, identity.Accounts, account)
	if err != nil {
		return err
	}
	cmd := identity.ChangeNames{Account: account, GivenName: state.Person().GivenName, FamilyName: state.Person().FamilyName, Expected: expected}
	if given != nil {
		cmd.GivenName = *given
	}
	if family != nil {
		cmd.FamilyName = *family
	}
	_, err = decide(u, identity.Accounts, account, identity.AccountCommand(cmd))
	return err
}

// DeleteAccount deletes the own account, with all roles and all that names the
// person (C-13), password and passkeys too.
func (c *Commands) DeleteAccount(ctx context.Context, by access.Actor, cmd DeleteAccount) error {
	account := by.Account()
	var credentials []domain.CredentialID
	err := c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		if err := identity.CheckFresh(cmd.SignedIn, u.at); err != nil {
			return err
		}
		var err error
		credentials, err = erase(u, account, identity.DeleteAccount{Account: account})
		return err
	})
	if err != nil {
		return err
	}
	c.discard(ctx, credentials...)
	_, err = c.account(ctx, account) // what is kept in memory forgets the person too
	return err
}

// DeleteAgain deletes an account that was deleted before the log was restored
// from an older copy: with its roles, its names and its credentials, as then.
func (c *Commands) DeleteAgain(ctx context.Context, by access.Actor, account domain.AccountID) error {
	var credentials []domain.CredentialID
	err := c.do(ctx, by, access.At(access.ApplyLedger, access.Scope{}), func(u *unit) (err error) {
		credentials, err = erase(u, account, identity.DeleteAgain{Account: account})
		return err
	})
	if err == nil {
		c.discard(ctx, credentials...)
	}
	return err
}

// erase takes all roles and then the account. It returns the password and the
// passkeys that count no longer.
func erase(u *unit, account domain.AccountID, cmd identity.AccountCommand) ([]domain.CredentialID, error) {
	held, err := load(u, access.Assignments, account)
	if err != nil {
		return nil, err
	}
	for _, place := range held.Workplaces() {
		if err := vanish(u, account, place); err != nil {
			return nil, err
		}
	}
	state, err := load(u, identity.Accounts, account)
	if err != nil {
		return nil, err
	}
	_, err = decide(u, identity.Accounts, account, cmd)
	return state.Credentials(), err
}

// vanish takes all roles at a workplace from who deletes the account, also that
// of the last administrator (S-10).
func vanish(u *unit, account domain.AccountID, place access.Scope) error {
	happened, err := decide(u, access.Assignments, account, access.AssignmentCommand(access.LeaveStaff{Account: account, Place: place, By: account}))
	if err != nil {
		return err
	}
	for _, e := range happened {
		taken, ok := e.(access.RoleTaken)
		if !ok || taken.Role != access.SchoolAdmin {
			continue
		}
		_, err := decide(u, access.Administrators, taken.Scope.School, access.AdministratorCommand(access.RemoveAdministrator{
			Municipality: taken.Scope.Municipality, School: taken.Scope.School, Account: account, Gone: true,
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// OwnData is all that is kept of a person with an account.
type OwnData struct {
	Account  domain.AccountID
	Person   identity.Person
	Language identity.Language
	Roles    []access.Assignment
	Events   []OwnEvent // the oldest first
}

// An OwnEvent is something that has happened to the own account or its roles.
type OwnEvent struct {
	At   time.Time
	Type string
	Data json.RawMessage
}

// exportMost is how many events an export has at most, the newest.
const exportMost = 20_000

// ExportOwnData returns all that is kept of who asks.
func (c *Commands) ExportOwnData(ctx context.Context, by access.Actor, cmd ExportOwnData) (OwnData, error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return OwnData{}, err
	}
	if err := identity.CheckFresh(cmd.SignedIn, c.Now()); err != nil {
		return OwnData{}, err
	}
	account := by.Account()
	state, err := c.account(ctx, account)
	if err != nil {
		return OwnData{}, err
	}
	held, _, err := c.assignments(ctx, account)
	if err != nil {
		return OwnData{}, err
	}
	own := OwnData{Account: account, Person: state.Person(), Language: state.Language(), Roles: held}
	head, err := c.Log.Head(ctx)
	if err != nil {
		return OwnData{}, refusal(err)
	}
	plainly := func(_ uuid.UUID, _ domain.SubjectID, _, plain string) string { return plain }
	t := &teller{c: c, ctx: ctx, by: by}
	err = t.each(head, func(stored eventstore.Event, e domain.Event) (bool, error) {
		if given, ok := e.(identity.EmailGiven); ok {
			given.TakenBy = domain.AccountID{} // whose address it is, is nobody else's business
			e = given
		}
		_, data, err := c.Catalogue.Encode(e, stored.ID, plainly)
		own.Events = append(own.Events, OwnEvent{At: stored.RecordedAt, Type: stored.Type, Data: data})
		if n := len(own.Events); n > exportMost {
			own.Events = own.Events[n-exportMost:]
		}
		return true, err
	}, identity.Accounts.Stream(account), accessStream(account))
	return own, err
}
