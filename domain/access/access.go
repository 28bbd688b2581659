// Package access says who may do what. It is the only place that does: the
// table in permissions.go, and Allow, which every command and every query goes
// through.
//
// A role is held somewhere: a role assignment (lomas piešķiršana) is a role
// with a scope. A request acts in one assignment, never in several at once
// (lomas skats): “sistēma nepārjauks datus” (EMU-077).
package access

import (
	"slices"

	"github.com/google/uuid"

	"zurnals/domain"
)

// A Scope is a place, with all that contain it: a class names its school and
// its municipality too. The zero Scope is the whole installation.
type Scope struct {
	Municipality domain.MunicipalityID `json:"municipality,omitzero"`
	School       domain.SchoolID       `json:"school,omitzero"`
	Class        domain.ClassID        `json:"class,omitzero"`
	Register     domain.RegisterID     `json:"register,omitzero"`
}

// covers says whether a role held at s reaches the place p. The narrowest part
// of s decides; a part of s that p does not name is not reached.
func (s Scope) covers(p Scope) bool {
	switch {
	case !s.Register.IsZero():
		return s.Register == p.Register
	case !s.Class.IsZero():
		return s.Class == p.Class
	case !s.School.IsZero():
		return s.School == p.School
	case !s.Municipality.IsZero():
		return s.Municipality == p.Municipality
	}
	return true
}

// sees says whether somebody with a role at s may know that p exists: it lies
// in the same school, or for those of a municipality in the same municipality.
// The installation is no secret: who may not look after it is told so.
func (s Scope) sees(p Scope) bool {
	switch {
	case p == Scope{}:
		return true
	case !s.School.IsZero():
		return s.School == p.School || p.School.IsZero() && s.Municipality == p.Municipality
	case !s.Municipality.IsZero():
		return s.Municipality == p.Municipality
	}
	return true
}

// An Assignment is a role that somebody holds somewhere.
type Assignment struct {
	ID    domain.AssignmentID `json:"id"`
	Role  Role                `json:"role"`
	Scope Scope               `json:"scope"`
}

// An Actor is who asks, in the one role that the request acts in.
type Actor struct {
	Kind    domain.ActorKind
	ID      uuid.UUID       // account or learner; for a token the account or student it is for
	Active  Assignment      // zero: no role, or none needed
	Version int             // of the stream of role assignments that Active was read at
	School  domain.SchoolID // of a learner

	Language string // chosen by the member of staff who asks; empty: none was

	Command     uuid.UUID // idempotency: the id of what is asked, zero if it has none
	Fingerprint []byte    // of the whole request, so that another one under the same id is noticed
	Request     string    // id of the HTTP request or CLI call, for tracing
}

// System is the actor of the operator's command line and of jobs.
func System(request string) Actor { return Actor{Kind: domain.ActorSystem, Request: request} }

// Account returns the id of the member of staff who asks, if it is one.
func (a Actor) Account() domain.AccountID {
	if a.Kind != domain.ActorAccount {
		return domain.AccountID{}
	}
	return domain.AccountID{UUID: a.ID}
}

// Learner returns the id of the learner account that asks, if it is one.
func (a Actor) Learner() domain.LearnerID {
	if a.Kind != domain.ActorLearner {
		return domain.LearnerID{}
	}
	return domain.LearnerID{UUID: a.ID}
}

// Meta returns what is stored of the actor with every event.
func (a Actor) Meta() domain.Meta {
	return domain.Meta{
		Actor: a.Kind, ActorID: a.ID, Role: string(a.Active.Role), Assignment: a.Active.ID,
		Municipality: a.Active.Scope.Municipality, School: a.Active.Scope.School,
		Command: a.Command, Request: a.Request,
	}
}

// A Need is a permission wanted somewhere, or for somebody's own things.
type Need struct {
	Permission Permission
	Place      Scope
	Owner      uuid.UUID // the account, learner or student whose own thing it is; nil: nobody's
}

// At returns the need for p at a place.
func At(p Permission, place Scope) Need { return Need{Permission: p, Place: place} }

// Own returns the need for p on the own things of somebody.
func Own(p Permission, owner uuid.UUID) Need { return Need{Permission: p, Owner: owner} }

var (
	// ErrForbidden refuses what the role may not do.
	ErrForbidden = domain.Refuse(domain.Forbidden, "access.forbidden", "the role may not do this")

	// ErrElsewhere refuses a thing of another school: for who asks, there is none.
	ErrElsewhere = domain.Refuse(domain.NotFound, "access.not_found", "there is no such thing")

	// ErrNoRole refuses somebody who holds no role, or no longer the one named.
	ErrNoRole = domain.Refuse(domain.Forbidden, "access.no_role", "no role, or not the one named")

	// ErrChooseRole asks somebody with several roles to name one.
	ErrChooseRole = domain.Refuse(domain.Conflict, "role.choose", "several roles are held: name one")
)

// Allow returns nil if the actor has what is needed in the active role.
func (a Actor) Allow(n Need) error {
	roles := may[n.Permission]
	if n.Owner != uuid.Nil {
		if slices.Contains(roles, pseudo(a.Kind)) && n.Owner == a.ID {
			return nil
		}
		return ErrElsewhere
	}
	if slices.Contains(roles, pseudo(a.Kind)) {
		return nil
	}
	switch {
	case a.Kind != domain.ActorAccount:
		return ErrForbidden
	case a.Active.Role == "":
		return ErrNoRole
	case !a.Active.Scope.sees(n.Place):
		return ErrElsewhere
	case !slices.Contains(roles, a.Active.Role) || !a.Active.Scope.covers(n.Place):
		return ErrForbidden
	}
	return nil
}

// pseudo returns the role that everybody of a kind has without assignment.
func pseudo(k domain.ActorKind) Role {
	switch k {
	case domain.ActorAccount:
		return Self
	case domain.ActorLearner:
		return Learner
	case domain.ActorToken:
		return Token
	case domain.ActorAnonymous:
		return Anonymous
	case domain.ActorSystem:
		return Operator
	}
	return ""
}
