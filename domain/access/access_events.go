package access

import "zurnals/domain"

// Events of roles. Their types and JSON are in the log for good: to change or
// drop a field, add an upcast here and a golden file in
// domain/catalogue/testdata.
var Events = []domain.Definition{
	domain.Define[MembershipStarted](),
	domain.Define[MembershipEnded](),
	domain.Define[RoleGiven](),
	domain.Define[RoleTaken](),
	domain.Define[AdministratorAdded](),
	domain.Define[AdministratorRemoved](),
	domain.Define[AdministratorsGone](),
}

// An AssignmentEvent is something that has happened to where somebody works and
// in which roles.
//
//sumtype:decl
type AssignmentEvent interface {
	domain.Event
	assignment()
}

// An AdministratorEvent is something that has happened to the administrators
// of a school.
//
//sumtype:decl
type AdministratorEvent interface {
	domain.Event
	administrator()
}

type (
	// MembershipStarted makes somebody a member of a workplace, with or
	// without role.
	MembershipStarted struct {
		Account domain.AccountID `json:"account_id"`
		Place   Scope            `json:"place"`
	}

	// MembershipEnded says that somebody no longer works there: the last role
	// was taken.
	MembershipEnded struct {
		Account domain.AccountID `json:"account_id"`
		Place   Scope            `json:"place"`
	}

	// RoleGiven gives somebody a role somewhere. Self marks one that somebody
	// gave himself.
	RoleGiven struct {
		Account    domain.AccountID    `json:"account_id"`
		Assignment domain.AssignmentID `json:"assignment_id"`
		Role       Role                `json:"role"`
		Scope      Scope               `json:"scope"`
		Self       bool                `json:"self,omitempty"`
	}

	// RoleTaken takes a role from somebody. Self marks one laid down.
	RoleTaken struct {
		Account    domain.AccountID    `json:"account_id"`
		Assignment domain.AssignmentID `json:"assignment_id"`
		Role       Role                `json:"role"`
		Scope      Scope               `json:"scope"`
		Self       bool                `json:"self,omitempty"`
	}

	// AdministratorAdded counts somebody as administrator of a school.
	AdministratorAdded struct {
		School  domain.SchoolID  `json:"school_id"`
		Account domain.AccountID `json:"account_id"`
	}

	// AdministratorRemoved no longer counts somebody as administrator.
	AdministratorRemoved struct {
		School  domain.SchoolID  `json:"school_id"`
		Account domain.AccountID `json:"account_id"`
	}

	// AdministratorsGone says that a school is without administrator, because
	// the last one has deleted the account. The municipality is told.
	AdministratorsGone struct {
		Municipality domain.MunicipalityID `json:"municipality_id"`
		School       domain.SchoolID       `json:"school_id"`
	}
)

func (MembershipStarted) EventType() string    { return "access.membership_started" }
func (MembershipEnded) EventType() string      { return "access.membership_ended" }
func (RoleGiven) EventType() string            { return "access.role_given" }
func (RoleTaken) EventType() string            { return "access.role_taken" }
func (AdministratorAdded) EventType() string   { return "access.administrator_added" }
func (AdministratorRemoved) EventType() string { return "access.administrator_removed" }
func (AdministratorsGone) EventType() string   { return "access.administrators_gone" }

func (MembershipStarted) assignment()       {}
func (MembershipEnded) assignment()         {}
func (RoleGiven) assignment()               {}
func (RoleTaken) assignment()               {}
func (AdministratorAdded) administrator()   {}
func (AdministratorRemoved) administrator() {}
func (AdministratorsGone) administrator()   {}
