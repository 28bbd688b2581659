package commands

import (
	"context"
	"fmt"
	"strings"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// What can be asked of accounts. Place names the school or the municipality
// that the user works at; zero is the installation.
type (
	InviteUser struct {
		Place                 access.Scope
		GivenName, FamilyName string
		PersonalCode          string
		Email                 string
		Roles                 []NewRole // any number, also none (C-05)
	}

	ResendInvitation struct {
		Place   access.Scope
		Account domain.AccountID
	}

	WithdrawInvitation struct {
		Place   access.Scope
		Account domain.AccountID
	}

	RemoveUser struct {
		Place   access.Scope
		Account domain.AccountID
	}
)

// A NewRole is a role for somebody new: at the workplace, or in one class of it.
type NewRole struct {
	Role  access.Role
	Class domain.ClassID
}

// Refusals of inviting.
var (
	ErrEmailTaken = domain.Refuse(domain.Conflict, "identity.email_taken", "another account has this e-mail address")
	ErrManyRoles  = domain.Refuse(domain.Invalid, "identity.too_many_roles", "at most 20 roles at once")
)

// rolesMax is how many roles somebody is given when invited.
const rolesMax = 20

// An Admission says what became of inviting somebody.
type Admission string

const (
	Invited     Admission = "invited"      // a new account; a registration link was mailed
	Attached    Admission = "attached"     // the person has an account and now works here too
	AlreadyHere Admission = "already_here" // works here; nothing was changed
)

// An Admitted is the account of somebody who was invited.
type Admitted struct {
	Account domain.AccountID
	How     Admission
}

// InviteUser has somebody work at a place. A new person gets an account and is
// mailed a link; a person with this personal code who has an account keeps it,
// with the address it has, which is not told (S-03).
func (c *Commands) InviteUser(ctx context.Context, by access.Actor, cmd InviteUser) (Admitted, error) {
	if len(cmd.Roles) > rolesMax {
		return Admitted{}, ErrManyRoles.In("roles")
	}
	place, err := c.resolve(ctx, cmd.Place)
	if err != nil {
		return Admitted{}, err
	}
	if err := by.Allow(access.At(access.ManageUsers, place)); err != nil {
		return Admitted{}, err // whoever may not is told nothing else
	}
	person, err := identity.ParsePerson(cmd.GivenName, cmd.FamilyName, cmd.PersonalCode, cmd.Email)
	if err != nil {
		return Admitted{}, err
	}
	if person.PersonalCode == "" && by.Kind == domain.ActorAccount { // only the operator invites without
		return Admitted{}, identity.ErrCodeMissing.In("personal_code")
	}
	var roles []access.Assignment
	for _, r := range cmd.Roles {
		scope, err := c.resolve(ctx, access.Scope{Municipality: place.Municipality, School: place.School, Class: r.Class})
		if err != nil {
			return Admitted{}, err
		}
		roles = append(roles, access.Assignment{Role: r.Role, Scope: scope})
	}
	return c.invite(ctx, by, access.At(access.ManageUsers, place), person, roles)
}

// invite carries out InviteUser at the place of the need. Between asking who
// holds a claim and taking it somebody else may have taken it: then it is asked
// again, and the answer is another one.
func (c *Commands) invite(ctx context.Context, by access.Actor, need access.Need, p identity.Person, roles []access.Assignment) (Admitted, error) {
	for n := 1; ; n++ {
		var admitted Admitted
		err := c.do(ctx, by, need, func(u *unit) (err error) {
			admitted, err = admit(u, need.Place, p, roles, "")
			return err
		})
		lost := taken(err, identity.EmailClaim("").Kind) || taken(err, identity.PersonalCodeClaim("").Kind)
		switch {
		case lost && n < attempts:
			continue
		case lost:
			return Admitted{}, ErrEmailTaken.In("email")
		case err == nil && admitted.Account.IsZero(): // carried out before
			return c.admitted(ctx, by, p)
		}
		return admitted, err
	}
}

// admitted tells what became of a command that was carried out before.
func (c *Commands) admitted(ctx context.Context, by access.Actor, p identity.Person) (Admitted, error) {
	invited := newID[domain.AccountID](by, "account")
	if p.PersonalCode == "" {
		return Admitted{Account: invited, How: Invited}, nil
	}
	holder, err := c.holder(ctx, identity.PersonalCodeClaim(p.PersonalCode))
	switch {
	case err != nil:
		return Admitted{}, err
	case holder.IsZero() || holder == invited: // nobody holds it: it was withdrawn meanwhile
		return Admitted{Account: invited, How: Invited}, nil
	}
	return Admitted{Account: holder, How: Attached}, nil
}

// admit invites or attaches a person within a unit. Name tells apart several
// that one command admits.
func admit(u *unit, place access.Scope, p identity.Person, roles []access.Assignment, name string) (Admitted, error) {
	for _, r := range roles {
		if err := u.by.Allow(access.ToGive(r.Role, r.Scope)); err != nil {
			return Admitted{}, err
		}
	}
	var person, addressee domain.AccountID
	var err error
	if p.PersonalCode != "" {
		if person, err = u.c.holder(u.ctx, identity.PersonalCodeClaim(p.PersonalCode)); err != nil {
			return Admitted{}, err
		}
	}
	if person.IsZero() {
		if addressee, err = u.c.holder(u.ctx, identity.EmailClaim(p.Email)); err != nil {
			return Admitted{}, err
		}
	}
	account := person
	if account.IsZero() {
		account = newID[domain.AccountID](u.by, "account"+name)
	}
	return admitAs(u, place, p, roles, account, newID[domain.InvitationID](u.by, "invitation"+name), person, addressee)
}

// admitAs is admit where it is known who the person is, and for somebody new
// whose the address is; both are zero for nobody. Account is the person's, or
// the new one.
func admitAs(u *unit, place access.Scope, p identity.Person, roles []access.Assignment, account domain.AccountID, invitation domain.InvitationID, person, addressee domain.AccountID) (Admitted, error) {
	admitted := Admitted{Account: account, How: Attached}
	if person.IsZero() {
		if !addressee.IsZero() {
			return Admitted{}, ErrEmailTaken.In("email")
		}
		admitted.How = Invited
		_, err := decide(u, identity.Accounts, admitted.Account, identity.AccountCommand(identity.InviteUser{
			Account: admitted.Account, Invitation: invitation,
			Municipality: place.Municipality, School: place.School, Person: p, At: u.at,
		}))
		if err != nil {
			return Admitted{}, err
		}
	} else {
		held, err := load(u, access.Assignments, person)
		if err != nil {
			return Admitted{}, err
		}
		if held.WorksAt(place) {
			return Admitted{Account: person, How: AlreadyHere}, nil
		}
		_, err = decide(u, identity.Accounts, person, identity.AccountCommand(identity.AttachUser{
			Account: person, Invitation: invitation,
			Municipality: place.Municipality, School: place.School, At: u.at,
		}))
		if err != nil {
			return Admitted{}, err
		}
	}
	_, err := decide(u, access.Assignments, admitted.Account,
		access.AssignmentCommand(access.JoinStaff{Account: admitted.Account, Place: place}))
	for _, r := range roles {
		if err == nil {
			_, err = give(u, admitted.Account, r.Role, r.Scope)
		}
	}
	return admitted, err
}

// ResendInvitation sends somebody who has not registered yet a new link; the
// earlier one no longer works.
func (c *Commands) ResendInvitation(ctx context.Context, by access.Actor, cmd ResendInvitation) error {
	return c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, _ access.Held, _ access.Scope) error {
		_, err := decide(u, identity.Accounts, cmd.Account, identity.AccountCommand(identity.ResendInvitation{
			Account: cmd.Account, Invitation: newID[domain.InvitationID](by, "invitation"), At: u.at,
		}))
		return err
	})
}

// WithdrawInvitation takes an invitation back that was not followed. Somebody
// who was also invited elsewhere stays invited there.
func (c *Commands) WithdrawInvitation(ctx context.Context, by access.Actor, cmd WithdrawInvitation) error {
	return c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, held access.Held, place access.Scope) error {
		account, err := load(u, identity.Accounts, cmd.Account)
		if err != nil {
			return err
		}
		if account.Active() {
			return identity.ErrConfirmed
		}
		if len(held.Workplaces()) == 1 {
			_, err = decide(u, identity.Accounts, cmd.Account,
				identity.AccountCommand(identity.WithdrawInvitation{Account: cmd.Account}))
			if err != nil {
				return err
			}
		}
		return leave(u, cmd.Account, place)
	})
}

// RemoveUser ends that somebody works at a place, with all roles there. The
// account stays (EMU-052).
func (c *Commands) RemoveUser(ctx context.Context, by access.Actor, cmd RemoveUser) error {
	return c.atWork(ctx, by, cmd.Place, cmd.Account, func(u *unit, _ access.Held, place access.Scope) error {
		return leave(u, cmd.Account, place)
	})
}

// CreatePlatformAdmin gives an installation an administrator, and returns the
// token of the registration link for the operator to pass on; it is mailed too.
// Who has registered already just gets the role, and no token.
func (c *Commands) CreatePlatformAdmin(ctx context.Context, by access.Actor, cmd InviteUser) (account domain.AccountID, token string, err error) {
	person, err := identity.ParsePerson(cmd.GivenName, cmd.FamilyName, cmd.PersonalCode, cmd.Email)
	if err != nil {
		return account, "", err
	}
	roles := []access.Assignment{{Role: access.PlatformAdmin}}
	admitted, err := c.invite(ctx, by, access.At(access.CreateAdmin, access.Scope{}), person, roles)
	if err == nil && admitted.How == AlreadyHere { // in another role
		err = c.do(ctx, step(by, "role"), access.At(access.CreateAdmin, access.Scope{}), func(u *unit) error {
			_, err := give(u, admitted.Account, access.PlatformAdmin, access.Scope{})
			return err
		})
	}
	if err != nil {
		return account, "", err
	}
	state, err := c.account(ctx, admitted.Account)
	if err != nil || state.Active() {
		return admitted.Account, "", err
	}
	return admitted.Account, c.Links.Registration(admitted.Account, state.Invitation()), nil
}

// atWork carries out what is asked of somebody who works at a place, for those
// who manage the users there. For others there is no such user.
func (c *Commands) atWork(ctx context.Context, by access.Actor, named access.Scope, account domain.AccountID, f func(*unit, access.Held, access.Scope) error) error {
	return c.atWorkFor(ctx, by, access.ManageUsers, named, account, f)
}

// atWorkFor is atWork for those who have another permission there.
func (c *Commands) atWorkFor(ctx context.Context, by access.Actor, p access.Permission, named access.Scope, account domain.AccountID, f func(*unit, access.Held, access.Scope) error) error {
	place, err := c.resolve(ctx, named)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.At(p, place), func(u *unit) error {
		held, err := load(u, access.Assignments, account)
		if err != nil {
			return err
		}
		if !held.WorksAt(place) {
			return access.ErrNotStaff
		}
		return f(u, held, place)
	})
}

// holder returns the account that holds a claim, zero if none does. It asks the
// log, never a read model, which may not have caught up.
func (c *Commands) holder(ctx context.Context, claim domain.Claim) (domain.AccountID, error) {
	stream, found, err := c.Log.Holder(ctx, claim.Kind, claim.Value)
	if err != nil || !found {
		return domain.AccountID{}, refusal(err)
	}
	return accountOf(claim.Kind, stream)
}

// accountOf returns the account whose stream holds a claim of a kind.
func accountOf(kind, stream string) (domain.AccountID, error) {
	id, err := domain.ParseID[domain.AccountID](strings.TrimPrefix(stream, identity.Accounts.Category+"-"))
	if err != nil {
		return id, fmt.Errorf("claim %s is held by %s, which is no account", kind, stream)
	}
	return id, nil
}

// account returns the state that an account is in now.
func (c *Commands) account(ctx context.Context, id domain.AccountID) (identity.Account, error) {
	versions, err := c.Log.Versions(ctx, identity.Accounts.Stream(id))
	if err != nil {
		return identity.Account{}, refusal(err)
	}
	return c.states.accounts.of(ctx, c, identity.Accounts, id, versions[0])
}
