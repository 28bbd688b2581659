package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/staff"
)

// userRoutes are for the people who work at schools and at municipalities, and
// for their roles.
func (a *API) userRoutes() {
	const tag = "users"
	handle(a, route{
		id: "list-users", method: "GET", path: "/schools/{school}/users", tag: tag, permission: access.SeeUsers,
		summary: "Users of a school (Skolas lietotāji), in the order of the Latvian alphabet",
	}, func(ctx context.Context, by access.Actor, in *schoolUsersIn) (*list[memberShown], error) {
		place, err := a.school(ctx, in.School)
		return a.users(ctx, by, place, err, in.filter(false), in.Page)
	})
	handle(a, route{
		id: "export-users", method: "GET", path: "/schools/{school}/user-export", tag: tag, permission: access.SeeUsers,
		summary: "The list of users of a school as a file", produces: []string{kindXLSX, kindCSV},
	}, func(ctx context.Context, by access.Actor, in *schoolUserExportIn) (*huma.StreamResponse, error) {
		place, err := a.school(ctx, in.School)
		return a.exportUsers(ctx, by, place, err, in.filter(false), in.Query, in.Format)
	})
	handle(a, route{
		id: "invite-user", method: "POST", path: "/schools/{school}/users", tag: tag, permission: access.ManageUsers, status: http.StatusCreated, limit: limitMail,
		summary: "Have somebody work at a school (Pievienot lietotāju)", about: inviteAbout,
	}, func(ctx context.Context, by access.Actor, in *inviteToSchoolIn) (*inviteOut, error) {
		place, err := a.school(ctx, in.School)
		return a.invite(ctx, by, place, err, in.Body)
	})
	handle(a, route{
		id: "get-user", method: "GET", path: "/schools/{school}/users/{account}", tag: tag, permission: access.SeeUsers,
		summary: "One user of a school (Lietotāja informācija)",
	}, func(ctx context.Context, by access.Actor, in *schoolUserIn) (*userOut, error) {
		place, err := a.school(ctx, in.School)
		return a.user(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "resend-invitation", method: "POST", path: "/schools/{school}/users/{account}/invitation", tag: tag, permission: access.ManageUsers, status: http.StatusAccepted, limit: limitMail,
		summary: "Send the registration link again (Nosūtīt atkārtoti e-pastu)",
		about:   "It works for five days; the earlier link no longer does. Only for those who have not registered yet.",
	}, func(ctx context.Context, by access.Actor, in *schoolUserIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.resend(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "withdraw-invitation", method: "DELETE", path: "/schools/{school}/users/{account}/invitation", tag: tag, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "Take an invitation back that was not followed",
	}, func(ctx context.Context, by access.Actor, in *schoolUserIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.withdraw(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "remove-user", method: "DELETE", path: "/schools/{school}/users/{account}", tag: tag, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "End that somebody works at a school, with all roles there", about: "The account stays.",
	}, func(ctx context.Context, by access.Actor, in *schoolUserIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.remove(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "give-role", method: "PUT", path: "/schools/{school}/users/{account}/roles/{role}", tag: tag, permission: access.GiveSchoolRole,
		summary: "Give a user a role in a school", about: rolesAbout,
	}, func(ctx context.Context, by access.Actor, in *schoolRoleIn) (*assignmentOut, error) {
		place, err := a.school(ctx, in.School)
		return a.give(ctx, by, place, err, in.Account, access.Role(in.Role))
	})
	handle(a, route{
		id: "take-role", method: "DELETE", path: "/schools/{school}/users/{account}/roles/{role}", tag: tag, permission: access.GiveSchoolRole, status: http.StatusNoContent,
		summary: "Take a role in a school from a user", about: "Who loses the last role no longer works there. " + rolesAbout,
	}, func(ctx context.Context, by access.Actor, in *schoolRoleIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.take(ctx, by, place, err, in.Account, access.Role(in.Role))
	})
	handle(a, route{
		id: "give-class", method: "PUT", path: "/schools/{school}/users/{account}/classes/{class}", tag: tag, permission: access.GiveSchoolRole,
		summary: "Make a user class teacher of a class (Klases audzinātājs)",
	}, func(ctx context.Context, by access.Actor, in *schoolClassIn) (*assignmentOut, error) {
		place, err := a.classIn(ctx, in)
		return a.give(ctx, by, place, err, in.Account, access.ClassTeacher)
	})
	handle(a, route{
		id: "take-class", method: "DELETE", path: "/schools/{school}/users/{account}/classes/{class}", tag: tag, permission: access.GiveSchoolRole, status: http.StatusNoContent,
		summary: "Take a class from its teacher",
	}, func(ctx context.Context, by access.Actor, in *schoolClassIn) (*none, error) {
		place, err := a.classIn(ctx, in)
		return a.take(ctx, by, place, err, in.Account, access.ClassTeacher)
	})

	handle(a, route{
		id: "list-municipality-users", method: "GET", path: "/municipalities/{municipality}/users", tag: tag, permission: access.SeeUsers,
		summary: "Users of a municipality itself", about: schoolsAbout,
	}, func(ctx context.Context, by access.Actor, in *municipalityUsersIn) (*list[memberShown], error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.users(ctx, by, place, err, in.filter(in.Schools), in.Page)
	})
	handle(a, route{
		id: "export-municipality-users", method: "GET", path: "/municipalities/{municipality}/user-export", tag: tag, permission: access.SeeUsers,
		summary: "The list of users of a municipality as a file", about: schoolsAbout, produces: []string{kindXLSX, kindCSV},
	}, func(ctx context.Context, by access.Actor, in *municipalityUserExportIn) (*huma.StreamResponse, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.exportUsers(ctx, by, place, err, in.filter(in.Schools), in.Query, in.Format)
	})
	handle(a, route{
		id: "invite-municipality-user", method: "POST", path: "/municipalities/{municipality}/users", tag: tag, permission: access.ManageUsers, status: http.StatusCreated, limit: limitMail,
		summary: "Have somebody work at a municipality", about: inviteAbout,
	}, func(ctx context.Context, by access.Actor, in *inviteToMunicipalityIn) (*inviteOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.invite(ctx, by, place, err, in.Body)
	})
	handle(a, route{
		id: "get-municipality-user", method: "GET", path: "/municipalities/{municipality}/users/{account}", tag: tag, permission: access.SeeUsers,
		summary: "One user of a municipality",
	}, func(ctx context.Context, by access.Actor, in *municipalityUserIn) (*userOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.user(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "resend-municipality-invitation", method: "POST", path: "/municipalities/{municipality}/users/{account}/invitation", tag: tag, permission: access.ManageUsers, status: http.StatusAccepted, limit: limitMail,
		summary: "Send the registration link again",
	}, func(ctx context.Context, by access.Actor, in *municipalityUserIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.resend(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "withdraw-municipality-invitation", method: "DELETE", path: "/municipalities/{municipality}/users/{account}/invitation", tag: tag, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "Take an invitation back that was not followed",
	}, func(ctx context.Context, by access.Actor, in *municipalityUserIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.withdraw(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "remove-municipality-user", method: "DELETE", path: "/municipalities/{municipality}/users/{account}", tag: tag, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "End that somebody works at a municipality, with all roles there", about: "The account stays.",
	}, func(ctx context.Context, by access.Actor, in *municipalityUserIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.remove(ctx, by, place, err, in.Account)
	})
	handle(a, route{
		id: "give-municipality-role", method: "PUT", path: "/municipalities/{municipality}/users/{account}/roles/{role}", tag: tag, permission: access.GiveAdminRole,
		summary: "Give a user a role in a municipality", about: rolesAbout,
	}, func(ctx context.Context, by access.Actor, in *municipalityRoleIn) (*assignmentOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.give(ctx, by, place, err, in.Account, access.Role(in.Role))
	})
	handle(a, route{
		id: "take-municipality-role", method: "DELETE", path: "/municipalities/{municipality}/users/{account}/roles/{role}", tag: tag, permission: access.GiveAdminRole, status: http.StatusNoContent,
		summary: "Take a role in a municipality from a user", about: rolesAbout,
	}, func(ctx context.Context, by access.Actor, in *municipalityRoleIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.take(ctx, by, place, err, in.Account, access.Role(in.Role))
	})
}

const (
	inviteAbout = "Somebody new is mailed a registration link that works for five days. Who has an account, as the personal code tells, " +
		"keeps it with its address and is told. Roles are optional."
	schoolsAbout = "With schools also those who work at its schools: one line a person and workplace."
	rolesAbout   = "Administrators are made by the municipality or the platform; one may lay down the own role, unless one is the last."
)

// What the routes of schools and of municipalities are asked. Each begins with
// where: that is all they differ in.
type (
	schoolUsersIn struct {
		School string `path:"school" maxLength:"36"`
		FilterIn
		Page
	}
	municipalityUsersIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		FilterIn
		SchoolsIn
		Page
	}
	schoolUserExportIn struct {
		School string `path:"school" maxLength:"36"`
		FilterIn
		SearchIn
		FormatIn
	}
	municipalityUserExportIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		FilterIn
		SchoolsIn
		SearchIn
		FormatIn
	}

	// FilterIn asks for some of the users.
	FilterIn struct {
		Role  string `query:"role_held" enum:"administrator,management,support,class_teacher,none" doc:"only those who have this role, or none"`
		State string `query:"state" enum:"invited,link_expired,registered" doc:"only those who have come so far"`
	}

	// SchoolsIn asks for the users of schools too.
	SchoolsIn struct {
		Schools bool `query:"schools" doc:"also those who work at the schools of the municipality"`
	}

	// SearchIn asks for those whose name or address contains something.
	SearchIn struct {
		Query string `query:"q" maxLength:"100" doc:"only those whose name or address contains this; case and diacritics do not matter"`
	}

	schoolUserIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
	}
	municipalityUserIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
	}
	schoolRoleIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		Role    string `path:"role" maxLength:"50" doc:"emu.school_management, emu.support_staff, emu.school_admin …"`
	}
	municipalityRoleIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
		Role         string `path:"role" maxLength:"50" doc:"emu.municipality_admin, emu.municipality_analyst …"`
	}
	schoolClassIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		Class   string `path:"class" maxLength:"36"`
	}

	inviteToSchoolIn struct {
		School string `path:"school" maxLength:"36"`
		Body   newUser
	}
	inviteToMunicipalityIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Body         newUser
	}

	// newUser is the form “Pievienot lietotāju” (EMU-015), with roles.
	newUser struct {
		GivenName    string    `json:"given_name" maxLength:"100"`
		FamilyName   string    `json:"family_name" maxLength:"100"`
		PersonalCode string    `json:"personal_code" maxLength:"20" doc:"eleven digits, with or without hyphen"`
		Email        string    `json:"email" maxLength:"254"`
		Roles        []newRole `json:"roles,omitempty" maxItems:"20" doc:"held at this place from the start"`
	}
	newRole struct {
		Role  access.Role `json:"role" maxLength:"50" doc:"such as emu.class_teacher"`
		Class string      `json:"class_id,omitempty" format:"uuid" doc:"of a class teacher"`
	}
)

type inviteOut struct {
	Status   int
	Location string `header:"Location"`
	Body     struct {
		ID      domain.AccountID   `json:"id"`
		Outcome commands.Admission `json:"outcome" enum:"invited,attached,already_here" doc:"attached: had an account; already_here: nothing was changed"`
	}
}

type userOut struct {
	ETag string `header:"ETag"`
	Body userShown
}

type assignmentOut struct {
	Body struct {
		ID domain.AssignmentID `json:"id" doc:"of the role assignment"`
	}
}

func (in FilterIn) filter(schools bool) staff.Filter {
	return staff.Filter{Role: in.Role, State: staff.State(in.State), Schools: schools}
}

func (a *API) users(ctx context.Context, by access.Actor, place access.Scope, err error, filter staff.Filter, page Page) (*list[memberShown], error) {
	if err != nil {
		return nil, err
	}
	all, next, err := staff.At(ctx, a.Views, by, place, filter, a.Now(), page.asked())
	if err != nil {
		return nil, err
	}
	shown, err := a.withLetters(ctx, all)
	if err != nil {
		return nil, err
	}
	return listOf(shown, next), nil
}

func (a *API) invite(ctx context.Context, by access.Actor, place access.Scope, err error, in newUser) (*inviteOut, error) {
	if err != nil {
		return nil, err
	}
	cmd := commands.InviteUser{Place: place, GivenName: in.GivenName, FamilyName: in.FamilyName, PersonalCode: in.PersonalCode, Email: in.Email}
	for _, r := range in.Roles {
		role := commands.NewRole{Role: r.Role}
		if r.Class != "" {
			if role.Class, err = domain.ParseID[domain.ClassID](r.Class); err != nil {
				return nil, err
			}
		}
		cmd.Roles = append(cmd.Roles, role)
	}
	admitted, err := a.Commands.InviteUser(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	out := &inviteOut{Status: http.StatusCreated}
	if place != (access.Scope{}) { // the installation has no list of its users
		out.Location = prefix + pathOf(place) + "/users/" + admitted.Account.String()
	}
	if admitted.How == commands.AlreadyHere {
		out.Status = http.StatusOK
	}
	out.Body.ID, out.Body.Outcome = admitted.Account, admitted.How
	return out, nil
}

// pathOf returns the path of a school or a municipality.
func pathOf(place access.Scope) string {
	if place.School.IsZero() {
		return "/municipalities/" + place.Municipality.String()
	}
	return "/schools/" + place.School.String()
}

func (a *API) user(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (*userOut, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	user, err := staff.One(ctx, a.Views, by, place, account, a.Now())
	if err != nil {
		return nil, err
	}
	out := &userOut{ETag: etag(user.Edition), Body: userShown{User: user}}
	letters, err := a.Reactions.LastLetters(ctx, account)
	if l, ok := letters[account]; ok {
		out.Body.Letter = &l
	}
	return out, err
}

// accountAt reads the id of an account in a path, if the place before it was
// one.
func accountAt(id string, err error) (domain.AccountID, error) {
	if err != nil {
		return domain.AccountID{}, err
	}
	return domain.ParseID[domain.AccountID](id)
}

func (a *API) resend(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.ResendInvitation(ctx, by, commands.ResendInvitation{Place: place, Account: account})
}

func (a *API) withdraw(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.WithdrawInvitation(ctx, by, commands.WithdrawInvitation{Place: place, Account: account})
}

func (a *API) remove(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.RemoveUser(ctx, by, commands.RemoveUser{Place: place, Account: account})
}

func (a *API) give(ctx context.Context, by access.Actor, place access.Scope, err error, id string, role access.Role) (*assignmentOut, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	out := new(assignmentOut)
	out.Body.ID, err = a.Commands.GiveRole(ctx, by, commands.GiveRole{Account: account, Role: role, Place: place})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *API) take(ctx context.Context, by access.Actor, place access.Scope, err error, id string, role access.Role) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.TakeRole(ctx, by, commands.TakeRole{Account: account, Role: role, Place: place})
}

// classIn returns the place that a class of the school in a path is.
func (a *API) classIn(ctx context.Context, in *schoolClassIn) (access.Scope, error) {
	school, err := a.school(ctx, in.School)
	if err != nil {
		return access.Scope{}, err
	}
	return a.classOf(ctx, school, in.Class)
}
