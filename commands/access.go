package commands

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
)

// GiveRole asks for a role for somebody who works at the place, or in its
// school. Place names the school, class or municipality; what contains it is
// looked up.
type GiveRole struct {
	Account domain.AccountID
	Role    access.Role
	Place   access.Scope
}

// TakeRole asks to take a role again.
type TakeRole struct {
	Account domain.AccountID
	Role    access.Role
	Place   access.Scope
}

// GiveRole gives a role and returns its assignment; one that is held already
// stays as it is. Who may give which role says access.ToGive.
func (c *Commands) GiveRole(ctx context.Context, by access.Actor, cmd GiveRole) (domain.AssignmentID, error) {
	scope, err := c.resolve(ctx, cmd.Place)
	if err != nil {
		return domain.AssignmentID{}, err
	}
	id := assignmentID(by, cmd.Account, cmd.Role, scope)
	err = c.do(ctx, by, access.ToGive(cmd.Role, scope), func(u *unit) error {
		id, err = give(u, cmd.Account, cmd.Role, scope)
		return err
	})
	return id, err
}

// TakeRole takes a role. An administrator may lay down the own role although
// he may not give it; the last one of a school may not (C20).
func (c *Commands) TakeRole(ctx context.Context, by access.Actor, cmd TakeRole) error {
	scope, err := c.resolve(ctx, cmd.Place)
	if err != nil {
		return err
	}
	need := access.ToGive(cmd.Role, scope)
	if cmd.Role == access.SchoolAdmin && cmd.Account == by.Account() {
		need = access.Own(access.OwnAccount, cmd.Account.UUID)
	}
	return c.do(ctx, by, need, func(u *unit) error {
		happened, err := decide(u, access.Assignments, cmd.Account, access.AssignmentCommand(access.TakeRole{
			Account: cmd.Account, Role: cmd.Role, Scope: scope, By: by.Account(),
		}))
		if err != nil {
			return err
		}
		return countAdministrators(u, happened)
	})
}

// give gives a role within a unit, and returns its assignment.
func give(u *unit, account domain.AccountID, role access.Role, scope access.Scope) (domain.AssignmentID, error) {
	id := assignmentID(u.by, account, role, scope)
	happened, err := decide(u, access.Assignments, account, access.AssignmentCommand(access.GiveRole{
		Account: account, Assignment: id, Role: role, Scope: scope, By: u.by.Account(),
	}))
	if err != nil {
		return id, err
	}
	if len(happened) == 0 {
		held, err := load(u, access.Assignments, account)
		if err != nil {
			return id, err
		}
		has, _ := held.Find(role, scope)
		return has.ID, nil
	}
	return id, countAdministrators(u, happened)
}

// leave takes everything that somebody has at a workplace, within a unit. Each
// role is taken only by who may.
func leave(u *unit, account domain.AccountID, place access.Scope) error {
	happened, err := decide(u, access.Assignments, account, access.AssignmentCommand(access.LeaveStaff{
		Account: account, Place: place, By: u.by.Account(),
	}))
	if err != nil {
		return err
	}
	for _, e := range happened {
		if e, ok := e.(access.RoleTaken); ok {
			if err := u.by.Allow(access.ToGive(e.Role, e.Scope)); err != nil {
				return err
			}
		}
	}
	return countAdministrators(u, happened)
}

// countAdministrators has the administrators of schools counted with every
// grant and removal of that role, in the same append.
func countAdministrators(u *unit, happened []access.AssignmentEvent) error {
	for _, e := range happened {
		var school domain.SchoolID
		var count access.AdministratorCommand
		switch e := e.(type) {
		case access.RoleGiven:
			if e.Role == access.SchoolAdmin {
				school, count = e.Scope.School, access.AddAdministrator{School: e.Scope.School, Account: e.Account}
			}
		case access.RoleTaken:
			if e.Role == access.SchoolAdmin {
				school, count = e.Scope.School, access.RemoveAdministrator{School: e.Scope.School, Account: e.Account}
			}
		}
		if count == nil {
			continue
		}
		if _, err := decide(u, access.Administrators, school, count); err != nil {
			return err
		}
	}
	return nil
}

func assignmentID(by access.Actor, account domain.AccountID, role access.Role, scope access.Scope) domain.AssignmentID {
	return newID[domain.AssignmentID](by, "assignment/"+account.String()+"/"+string(role)+"/"+
		scope.Municipality.String()+"/"+scope.School.String()+"/"+scope.Class.String()+"/"+scope.Register.String())
}

// resolve returns the whole scope of a place of which a part is named, and
// refuses one whose parts are not in each other.
func (c *Commands) resolve(ctx context.Context, named access.Scope) (access.Scope, error) {
	var scope access.Scope
	var err error
	switch {
	case !named.Register.IsZero():
		scope, err = c.RegisterScope(ctx, named.Register)
	case !named.Class.IsZero():
		scope, err = c.ClassScope(ctx, named.Class)
	case !named.School.IsZero():
		scope, err = c.SchoolScope(ctx, named.School)
	case !named.Municipality.IsZero():
		scope, err = c.MunicipalityScope(ctx, named.Municipality)
	}
	if err != nil {
		return scope, err
	}
	if !named.School.IsZero() && named.School != scope.School ||
		!named.Municipality.IsZero() && named.Municipality != scope.Municipality {
		return scope, access.ErrElsewhere
	}
	return scope, nil
}
