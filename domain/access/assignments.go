package access

import (
	"fmt"
	"slices"

	"zurnals/domain"
)

// HeldMax is how many roles one account may hold.
const HeldMax = 100

// Refusals of giving and taking roles.
var (
	ErrRole      = domain.Refuse(domain.Invalid, "access.role_unknown", "no such role")
	ErrScope     = domain.Refuse(domain.Invalid, "access.scope", "the role is not held at such a place")
	ErrNotStaff  = domain.Refuse(domain.NotFound, "access.not_staff", "no such user here")
	ErrManyRoles = domain.Refuse(domain.Conflict, "access.too_many_roles", "the account holds too many roles")
)

// An AssignmentCommand asks for a change of where somebody works and in which
// roles.
//
//sumtype:decl
type AssignmentCommand interface{ assignmentCommand() }

type (
	// JoinStaff makes somebody a member of a workplace: a school, a
	// municipality or the installation. Members may be without role (EMU-048).
	JoinStaff struct {
		Account domain.AccountID
		Place   Scope
	}

	// LeaveStaff takes all roles of somebody at a workplace, and ends it.
	LeaveStaff struct {
		Account domain.AccountID
		Place   Scope
		By      domain.AccountID
	}

	// GiveRole gives a role to a member of the workplace that the scope is in.
	GiveRole struct {
		Account    domain.AccountID
		Assignment domain.AssignmentID
		Role       Role
		Scope      Scope
		By         domain.AccountID // zero: no member of staff, but the operator
	}

	// TakeRole takes a role from somebody. Who loses the last one at a
	// workplace is no longer a member of it (S-13).
	TakeRole struct {
		Account domain.AccountID
		Role    Role
		Scope   Scope
		By      domain.AccountID
	}
)

func (JoinStaff) assignmentCommand()  {}
func (LeaveStaff) assignmentCommand() {}
func (GiveRole) assignmentCommand()   {}
func (TakeRole) assignmentCommand()   {}

// Workplace returns the school, the municipality or the installation that the
// scope is in: what somebody is a member of.
func (s Scope) Workplace() Scope {
	return Scope{Municipality: s.Municipality, School: s.School}
}

// fits says whether the role can be held at s.
func (r Role) fits(s Scope) bool {
	place := s == s.Workplace()
	school := !s.Municipality.IsZero() && !s.School.IsZero()
	switch r {
	case ClassTeacher:
		return school && !s.Class.IsZero() && s.Register.IsZero()
	case Instructor:
		return school && !s.Register.IsZero()
	case SchoolManagement, SupportStaff, SchoolAdmin:
		return school && place
	case MunicipalityAnalyst, MunicipalityAdmin:
		return place && !s.Municipality.IsZero() && s.School.IsZero()
	case PlatformAdmin:
		return s == Scope{}
	case Auditor, Analyst:
		return place && (school || s.School.IsZero())
	}
	return false
}

// ToGive returns what is needed to give the role at s, or to take it. The
// administrator of a school gives the roles of the school, also to himself,
// but not his own kind (C-12). Whoever may give any role is told of one that
// there is not (ErrRole).
func ToGive(r Role, s Scope) Need {
	switch r {
	case SchoolAdmin, MunicipalityAnalyst, MunicipalityAdmin:
		return At(GiveAdminRole, s)
	case PlatformAdmin, Auditor, Analyst:
		return At(GivePlatformRole, s)
	}
	return At(GiveSchoolRole, s)
}

// Held is where somebody works, and in which roles.
type Held struct {
	workplaces  []Scope
	assignments []Assignment
}

// Held returns the roles in the order in which they were given.
func (h Held) Held() []Assignment { return slices.Clone(h.assignments) }

// Workplaces returns the places that the account is a member of.
func (h Held) Workplaces() []Scope { return slices.Clone(h.workplaces) }

// WorksAt says whether the account is a member of the workplace.
func (h Held) WorksAt(place Scope) bool { return slices.Contains(h.workplaces, place) }

// Find returns the assignment of a role at a scope.
func (h Held) Find(r Role, s Scope) (Assignment, bool) {
	i := slices.IndexFunc(h.assignments, func(a Assignment) bool { return a.Role == r && a.Scope == s })
	if i < 0 {
		return Assignment{}, false
	}
	return h.assignments[i], true
}

// Assignments decides where people work and in which roles, one account to a
// stream.
var Assignments = domain.Decider[Held, AssignmentCommand, AssignmentEvent]{
	Category: "access",
	Decide:   Held.decide,
	Evolve:   Held.evolve,
}

func (h Held) decide(cmd AssignmentCommand) ([]AssignmentEvent, error) {
	switch cmd := cmd.(type) {
	case JoinStaff:
		return h.join(cmd)
	case LeaveStaff:
		return h.leave(cmd)
	case GiveRole:
		return h.give(cmd)
	case TakeRole:
		return h.take(cmd)
	}
	return nil, fmt.Errorf("access: no decision on %T", cmd)
}

func (h Held) join(cmd JoinStaff) ([]AssignmentEvent, error) {
	switch {
	case cmd.Place != cmd.Place.Workplace() || cmd.Place.Municipality.IsZero() && !cmd.Place.School.IsZero():
		return nil, ErrScope
	case h.WorksAt(cmd.Place):
		return nil, nil
	}
	return []AssignmentEvent{MembershipStarted{Account: cmd.Account, Place: cmd.Place}}, nil
}

func (h Held) leave(cmd LeaveStaff) ([]AssignmentEvent, error) {
	if !h.WorksAt(cmd.Place) {
		return nil, ErrNotStaff
	}
	var events []AssignmentEvent
	for _, a := range h.assignments {
		if a.Scope.Workplace() == cmd.Place {
			events = append(events, taken(cmd.Account, a, cmd.By))
		}
	}
	return append(events, MembershipEnded{Account: cmd.Account, Place: cmd.Place}), nil
}

func (h Held) give(cmd GiveRole) ([]AssignmentEvent, error) {
	place := cmd.Scope.Workplace()
	switch {
	case !slices.Contains(Assignable, cmd.Role):
		return nil, ErrRole.In("role")
	case !cmd.Role.fits(cmd.Scope):
		return nil, ErrScope.In("role")
	case !slices.ContainsFunc(h.workplaces, func(w Scope) bool { return within(w, place) }):
		return nil, ErrNotStaff
	}
	if _, ok := h.Find(cmd.Role, cmd.Scope); ok {
		return nil, nil
	}
	if len(h.assignments) >= HeldMax {
		return nil, ErrManyRoles
	}
	var events []AssignmentEvent
	if !h.WorksAt(place) {
		events = append(events, MembershipStarted{Account: cmd.Account, Place: place})
	}
	return append(events, RoleGiven{
		Account: cmd.Account, Assignment: cmd.Assignment, Role: cmd.Role, Scope: cmd.Scope, Self: cmd.By == cmd.Account,
	}), nil
}

func (h Held) take(cmd TakeRole) ([]AssignmentEvent, error) {
	place := cmd.Scope.Workplace()
	switch {
	case !slices.Contains(Assignable, cmd.Role):
		return nil, ErrRole.In("role")
	case !h.WorksAt(place):
		return nil, ErrNotStaff
	}
	held, ok := h.Find(cmd.Role, cmd.Scope)
	if !ok {
		return nil, nil
	}
	events := []AssignmentEvent{taken(cmd.Account, held, cmd.By)}
	others := slices.ContainsFunc(h.assignments, func(a Assignment) bool {
		return a.ID != held.ID && a.Scope.Workplace() == place
	})
	if !others {
		events = append(events, MembershipEnded{Account: cmd.Account, Place: place})
	}
	return events, nil
}

// within says whether somebody who works at w is known to those who look after
// place: of a municipality, those of its schools too; of the installation, all.
func within(w, place Scope) bool {
	switch {
	case !place.School.IsZero():
		return w == place
	case !place.Municipality.IsZero():
		return w.Municipality == place.Municipality
	}
	return true
}

func taken(account domain.AccountID, a Assignment, by domain.AccountID) RoleTaken {
	return RoleTaken{Account: account, Assignment: a.ID, Role: a.Role, Scope: a.Scope, Self: by == account}
}

func (h Held) evolve(e AssignmentEvent) Held {
	switch e := e.(type) {
	case MembershipStarted:
		h.workplaces = append(slices.Clip(h.workplaces), e.Place)
	case MembershipEnded:
		h.workplaces = without(h.workplaces, func(s Scope) bool { return s == e.Place })
	case RoleGiven:
		h.assignments = append(slices.Clip(h.assignments), Assignment{ID: e.Assignment, Role: e.Role, Scope: e.Scope})
	case RoleTaken:
		h.assignments = without(h.assignments, func(a Assignment) bool { return a.ID == e.Assignment })
	}
	return h
}

// without returns the elements that are not to go, in a slice of their own:
// older states go on sharing the old one.
func without[E any](all []E, gone func(E) bool) []E {
	return slices.DeleteFunc(slices.Clone(all), gone)
}
