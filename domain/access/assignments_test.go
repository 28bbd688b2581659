package access_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/domaintest"
	"zurnals/internal/trace"
)

var (
	given               = domaintest.Given(access.Assignments)
	givenAdministrators = domaintest.Given(access.Administrators)

	laura  = domain.NewID[domain.AccountID]()
	admin  = domain.NewID[domain.AccountID]()
	first  = domain.NewID[domain.AssignmentID]()
	second = domain.NewID[domain.AssignmentID]()

	parauga  = access.Scope{Municipality: domain.NewID[domain.MunicipalityID]()}
	citur    = access.Scope{Municipality: domain.NewID[domain.MunicipalityID]()}
	school   = access.Scope{Municipality: parauga.Municipality, School: domain.NewID[domain.SchoolID]()}
	other    = access.Scope{Municipality: parauga.Municipality, School: domain.NewID[domain.SchoolID]()}
	class6a  = access.Scope{Municipality: school.Municipality, School: school.School, Class: domain.NewID[domain.ClassID]()}
	register = access.Scope{Municipality: school.Municipality, School: school.School, Register: domain.NewID[domain.RegisterID]()}
	anywhere = access.Scope{}

	joined       = access.MembershipStarted{Account: laura, Place: school}
	left         = access.MembershipEnded{Account: laura, Place: school}
	teaches      = access.RoleGiven{Account: laura, Assignment: first, Role: access.ClassTeacher, Scope: class6a}
	manages      = access.RoleGiven{Account: laura, Assignment: second, Role: access.SchoolManagement, Scope: school}
	taughtOnce   = access.RoleTaken{Account: laura, Assignment: first, Role: access.ClassTeacher, Scope: class6a}
	managedOnce  = access.RoleTaken{Account: laura, Assignment: second, Role: access.SchoolManagement, Scope: school}
	giveTeacher  = access.GiveRole{Account: laura, Assignment: first, Role: access.ClassTeacher, Scope: class6a, By: admin}
	takeTeacher  = access.TakeRole{Account: laura, Role: access.ClassTeacher, Scope: class6a, By: admin}
	takeManaging = access.TakeRole{Account: laura, Role: access.SchoolManagement, Scope: school, By: admin}
)

func TestStaffMayBeWithoutRole(t *testing.T) {
	trace.Covers(t, "EMU-048")
	join := access.JoinStaff{Account: laura, Place: school}
	given().When(join).Then(t, joined)
	given(joined).When(join).Then(t) // asked twice
	given(joined, left).When(join).Then(t, joined)
	given().When(access.JoinStaff{Account: laura, Place: class6a}).ThenRefused(t, access.ErrScope)
}

func TestRoleIsGiven(t *testing.T) {
	trace.Covers(t, "EMU-076")
	given(joined).When(giveTeacher).Then(t, teaches)
	given(joined, teaches).When(giveTeacher).Then(t) // asked twice
	again := giveTeacher
	again.Assignment = second
	given(joined, teaches).When(again).Then(t) // the same role, under another id

	// One person holds several roles, each apart.
	given(joined, teaches).
		When(access.GiveRole{Account: laura, Assignment: second, Role: access.SchoolManagement, Scope: school, By: admin}).
		Then(t, manages)
}

func TestRoleIsGivenOnlyToStaff(t *testing.T) {
	given().When(giveTeacher).ThenRefused(t, access.ErrNotStaff)
	given(access.MembershipStarted{Account: laura, Place: other}).When(giveTeacher).ThenRefused(t, access.ErrNotStaff)
	given(joined, left).When(giveTeacher).ThenRefused(t, access.ErrNotStaff)
	given(access.MembershipStarted{Account: laura, Place: parauga}).When(giveTeacher).ThenRefused(t, access.ErrNotStaff)

	// A municipality knows the staff of its schools: a role for the municipality
	// makes them work there too.
	analyst := access.GiveRole{Account: laura, Assignment: first, Role: access.MunicipalityAnalyst, Scope: parauga, By: admin}
	given(joined).When(analyst).Then(t,
		access.MembershipStarted{Account: laura, Place: parauga},
		access.RoleGiven{Account: laura, Assignment: first, Role: access.MunicipalityAnalyst, Scope: parauga})
	analyst.Scope = citur
	given(joined).When(analyst).ThenRefused(t, access.ErrNotStaff)

	// The platform knows everybody, but nobody who works nowhere.
	auditor := access.GiveRole{Account: laura, Assignment: first, Role: access.Auditor, By: admin}
	given(joined).When(auditor).Then(t,
		access.MembershipStarted{Account: laura},
		access.RoleGiven{Account: laura, Assignment: first, Role: access.Auditor})
	given().When(auditor).ThenRefused(t, access.ErrNotStaff)
}

func TestOwnGrantIsMarked(t *testing.T) {
	trace.Covers(t, "EMU-075")
	given(joined).
		When(access.GiveRole{Account: laura, Assignment: second, Role: access.SchoolManagement, Scope: school, By: laura}).
		Then(t, access.RoleGiven{Account: laura, Assignment: second, Role: access.SchoolManagement, Scope: school, Self: true})
}

// Each role is held only where it makes sense.
func TestScopes(t *testing.T) {
	fit := map[access.Role][]access.Scope{
		access.ClassTeacher:        {class6a},
		access.Instructor:          {register},
		access.SchoolManagement:    {school},
		access.SupportStaff:        {school},
		access.SchoolAdmin:         {school},
		access.MunicipalityAnalyst: {parauga},
		access.MunicipalityAdmin:   {parauga},
		access.PlatformAdmin:       {anywhere},
		access.Auditor:             {anywhere, parauga, school},
		access.Analyst:             {anywhere, parauga, school},
	}
	orphan := access.Scope{School: school.School} // names no municipality
	for _, role := range access.Assignable {
		for name, scope := range map[string]access.Scope{
			"class": class6a, "register": register, "school": school, "municipality": parauga, "installation": anywhere, "orphan": orphan,
		} {
			fits := false
			for _, s := range fit[role] {
				fits = fits || s == scope
			}
			give := access.GiveRole{Account: laura, Assignment: first, Role: role, Scope: scope}
			story := given(access.MembershipStarted{Account: laura, Place: scope.Workplace()}).Named(string(role) + " at " + name).When(give)
			if fits {
				story.Then(t, access.RoleGiven{Account: laura, Assignment: first, Role: role, Scope: scope})
			} else {
				story.ThenRefused(t, access.ErrScope, "role")
			}
		}
	}
	for _, role := range []access.Role{"", "emu.headmaster", access.Self, access.Operator} {
		given(joined).When(access.GiveRole{Account: laura, Role: role, Scope: school}).ThenRefused(t, access.ErrRole, "role")
	}
}

func TestRolesAreBounded(t *testing.T) {
	history := []access.AssignmentEvent{joined}
	for range access.HeldMax - 1 {
		scope := class6a
		scope.Class = domain.NewID[domain.ClassID]()
		history = append(history, access.RoleGiven{
			Account: laura, Assignment: domain.NewID[domain.AssignmentID](), Role: access.ClassTeacher, Scope: scope,
		})
	}
	given(history...).When(giveTeacher).Then(t, teaches)
	given(history...).And(manages).When(giveTeacher).ThenRefused(t, access.ErrManyRoles)
}

func TestLastRoleEndsMembership(t *testing.T) {
	trace.Covers(t, "EMU-043", "EMU-047")
	given(joined, teaches, manages).When(takeTeacher).Then(t, taughtOnce)
	given(joined, teaches, manages, taughtOnce).When(takeManaging).Then(t, managedOnce, left)
	given(joined, teaches).When(takeManaging).Then(t) // not held: nothing to take
	given(joined, teaches, taughtOnce, left).When(takeTeacher).ThenRefused(t, access.ErrNotStaff)
	given().When(takeTeacher).ThenRefused(t, access.ErrNotStaff)

	// What is held elsewhere keeps nobody here, and is not touched.
	elsewhere := access.RoleGiven{Account: laura, Assignment: second, Role: access.SupportStaff, Scope: other}
	given(joined, teaches, access.MembershipStarted{Account: laura, Place: other}, elsewhere).
		When(takeTeacher).Then(t, taughtOnce, left)

	own := takeTeacher
	own.By = laura
	laidDown := taughtOnce
	laidDown.Self = true
	given(joined, teaches).When(own).Then(t, laidDown, left)
}

func TestLeavingTakesEverything(t *testing.T) {
	leave := access.LeaveStaff{Account: laura, Place: school, By: admin}
	elsewhere := access.RoleGiven{Account: laura, Assignment: domain.NewID[domain.AssignmentID](), Role: access.SupportStaff, Scope: other}
	given(joined, teaches, manages, access.MembershipStarted{Account: laura, Place: other}, elsewhere).
		When(leave).Then(t, taughtOnce, managedOnce, left)
	given(joined).When(leave).Then(t, left)
	given(joined, left).When(leave).ThenRefused(t, access.ErrNotStaff)
}

func TestLastAdministratorStays(t *testing.T) {
	trace.Covers(t, "C20")
	added := access.AdministratorAdded{School: school.School, Account: laura}
	another := access.AdministratorAdded{School: school.School, Account: admin}
	removed := access.AdministratorRemoved{School: school.School, Account: laura}
	add := access.AddAdministrator{School: school.School, Account: laura}
	remove := access.RemoveAdministrator{School: school.School, Account: laura}

	givenAdministrators().When(add).Then(t, added)
	givenAdministrators(added).When(add).Then(t) // asked twice
	givenAdministrators(added, another).When(remove).Then(t, removed)
	givenAdministrators(added).When(remove).ThenRefused(t, access.ErrLastAdministrator)
	givenAdministrators(another).When(remove).Then(t) // is none
	givenAdministrators(added, another, removed).
		When(access.RemoveAdministrator{School: school.School, Account: admin}).
		ThenRefused(t, access.ErrLastAdministrator)
}

// Who deletes the account may go although last: the municipality is told.
func TestTheLastAdministratorMayBeForgotten(t *testing.T) {
	trace.Covers(t, "C20")
	added := access.AdministratorAdded{School: school.School, Account: laura}
	another := access.AdministratorAdded{School: school.School, Account: admin}
	removed := access.AdministratorRemoved{School: school.School, Account: laura}
	gone := access.RemoveAdministrator{Municipality: school.Municipality, School: school.School, Account: laura, Gone: true}
	givenAdministrators(added, another).When(gone).Then(t, removed)
	givenAdministrators(added).When(gone).
		Then(t, removed, access.AdministratorsGone{Municipality: school.Municipality, School: school.School})
	givenAdministrators(another).When(gone).Then(t)
}
