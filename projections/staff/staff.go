// Package staff is the read model of the people who work at schools and
// municipalities: the list of school users (Skolas lietotāji) and the user
// information box (Lietotāja informācija).
package staff

import (
	_ "embed"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/projections"
)

//go:embed staff.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "staff", Version: 5, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(invited),
		projections.On(resent),
		projections.On(withdrawn),
		projections.On(confirmed),
		projections.On(corrected),
		projections.On(emailChanged),
		projections.On(renamed),
		projections.On(codeCorrected),
		projections.On(deleted),
		projections.On(signedIn),
		projections.On(started),
		projections.On(ended),
		projections.On(given),
		projections.On(taken),
		projections.On(importStarted),
		projections.On(rowsTaken),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	People *projections.Table[personKey, personRow]
	Staff  *projections.Table[staffKey, staffRow]
	Roles  *projections.Table[roleKey, roleRow]

	Imports *projections.Table[importKey, importRow]
}

type (
	personKey struct{ Account domain.AccountID }
	personRow struct {
		Given, Family string
		Search        string
		Email         string
		Code          string
		Edition       int32
		Registered    bool
		LinkExpires   time.Time
		LastSignIn    time.Time
	}

	staffKey struct {
		Place   uuid.UUID
		Account domain.AccountID
	}
	staffRow struct {
		Municipality                                        domain.MunicipalityID
		Since                                               time.Time
		Administrator, Management, Support, Teacher, Others int32
	}

	roleKey struct{ Assignment domain.AssignmentID }
	roleRow struct {
		Account      domain.AccountID
		Place        uuid.UUID
		Role         access.Role
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Class        domain.ClassID
		Register     domain.RegisterID
		Since        time.Time
		Own          bool
	}

	importKey struct{ Import domain.UserImportID }
	importRow struct {
		Place                                   uuid.UUID
		File                                    string
		Started                                 time.Time
		Rows, Done                              int32
		Invited, Attached, AlreadyHere, Refused int32
	}
)

func tables(s *projections.Set) *Tables {
	type cols = []projections.Column
	return &Tables{
		People: projections.NewTable(s, "person",
			func(k *personKey) cols { return cols{projections.ColID("account", &k.Account)} },
			func(r *personRow) cols {
				return cols{
					projections.ColText("given_name", &r.Given), projections.ColText("family_name", &r.Family),
					projections.ColText("search", &r.Search), projections.ColText("email", &r.Email),
					projections.ColText("code", &r.Code), projections.ColInt("edition", &r.Edition),
					projections.ColBool("registered", &r.Registered),
					projections.ColTime("link_expires_at", &r.LinkExpires), projections.ColTime("last_sign_in", &r.LastSignIn),
				}
			}),
		Staff: projections.NewTable(s, "staff",
			func(k *staffKey) cols {
				return cols{projections.ColUUID("place", &k.Place), projections.ColID("account", &k.Account)}
			},
			func(r *staffRow) cols {
				return cols{
					projections.ColID("municipality", &r.Municipality),
					projections.ColTime("since", &r.Since), projections.ColInt("administrator", &r.Administrator),
					projections.ColInt("management", &r.Management), projections.ColInt("support", &r.Support),
					projections.ColInt("teacher", &r.Teacher), projections.ColInt("others", &r.Others),
				}
			}),
		Roles: projections.NewTable(s, "role",
			func(k *roleKey) cols { return cols{projections.ColID("assignment", &k.Assignment)} },
			func(r *roleRow) cols {
				return cols{
					projections.ColID("account", &r.Account), projections.ColUUID("place", &r.Place), projections.ColText("role", &r.Role),
					projections.ColID("municipality", &r.Municipality), projections.ColID("school", &r.School),
					projections.ColID("class", &r.Class), projections.ColID("register", &r.Register),
					projections.ColTime("since", &r.Since), projections.ColBool("own_grant", &r.Own),
				}
			}),
		Imports: projections.NewTable(s, "user_import",
			func(k *importKey) cols { return cols{projections.ColID("import", &k.Import)} },
			func(r *importRow) cols {
				return cols{
					projections.ColUUID("place", &r.Place), projections.ColText("file", &r.File), projections.ColTime("started_at", &r.Started),
					projections.ColInt("rows", &r.Rows), projections.ColInt("done", &r.Done), projections.ColInt("invited", &r.Invited),
					projections.ColInt("attached", &r.Attached), projections.ColInt("already_here", &r.AlreadyHere), projections.ColInt("refused", &r.Refused),
				}
			}),
	}
}

// placeOf returns what somebody with a scope works at: the school, or where
// there is none the municipality, or nothing for the installation.
func placeOf(s access.Scope) uuid.UUID {
	if !s.School.IsZero() {
		return s.School.UUID
	}
	return s.Municipality.UUID
}

// invited notes a person. One whose data was erased is not there any more, and
// with the person the rows of staff are not shown either.
func invited(t *Tables, e identity.UserInvited, m projections.Meta) {
	if m.Erased {
		return
	}
	r := personRow{Code: e.PersonalCode.String(), LinkExpires: e.LinkExpiresAt}
	r.describe(e.GivenName, e.FamilyName, e.Email)
	t.People.Put(personKey{e.Account}, r)
}

// describe notes what is edited: each time it is another edition.
func (r *personRow) describe(given, family, email string) {
	r.Given, r.Family, r.Email = given, family, email
	r.Search = projections.Searchable(given + " " + family + " " + given + " " + email)
	r.Edition++
}

func (t *Tables) change(id domain.AccountID, f func(*personRow)) {
	if r, ok := t.People.Get(personKey{id}); ok {
		f(&r)
		t.People.Put(personKey{id}, r)
	}
}

func resent(t *Tables, e identity.InvitationResent, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.LinkExpires = e.LinkExpiresAt })
}

func withdrawn(t *Tables, e identity.InvitationWithdrawn, _ projections.Meta) {
	t.People.Delete(personKey{e.Account})
}

func confirmed(t *Tables, e identity.RegistrationConfirmed, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.Registered, r.LinkExpires = true, time.Time{} })
}

// corrected is for who is invited anew at another address.
func corrected(t *Tables, e identity.EmailCorrected, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) {
		r.describe(r.Given, r.Family, e.Email)
		r.Registered, r.LinkExpires = false, e.LinkExpiresAt
	})
}

func emailChanged(t *Tables, e identity.EmailChanged, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.describe(r.Given, r.Family, e.Email) })
}

func renamed(t *Tables, e identity.NamesChanged, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.describe(e.GivenName, e.FamilyName, r.Email) })
}

func codeCorrected(t *Tables, e identity.PersonalCodeCorrected, _ projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.Code = e.PersonalCode.String() })
}

func deleted(t *Tables, e identity.AccountDeleted, _ projections.Meta) {
	t.People.Delete(personKey{e.Account})
}

func signedIn(t *Tables, e identity.SignedIn, m projections.Meta) {
	t.change(e.Account, func(r *personRow) { r.LastSignIn = m.RecordedAt })
}

func started(t *Tables, e access.MembershipStarted, m projections.Meta) {
	if place := placeOf(e.Place); place != uuid.Nil { // the installation has no list
		t.Staff.Put(staffKey{place, e.Account}, staffRow{Municipality: e.Place.Municipality, Since: m.RecordedAt})
	}
}

func ended(t *Tables, e access.MembershipEnded, _ projections.Meta) {
	if place := placeOf(e.Place); place != uuid.Nil {
		t.Staff.Delete(staffKey{place, e.Account})
	}
}

func given(t *Tables, e access.RoleGiven, m projections.Meta) {
	place := placeOf(e.Scope)
	t.Roles.Put(roleKey{e.Assignment}, roleRow{
		Account: e.Account, Place: place, Role: e.Role, Own: e.Self, Since: m.RecordedAt,
		Municipality: e.Scope.Municipality, School: e.Scope.School, Class: e.Scope.Class, Register: e.Scope.Register,
	})
	t.count(staffKey{place, e.Account}, e.Role, 1)
}

func taken(t *Tables, e access.RoleTaken, _ projections.Meta) {
	t.Roles.Delete(roleKey{e.Assignment})
	t.count(staffKey{placeOf(e.Scope), e.Account}, e.Role, -1)
}

// count counts a role in the columns of the list of users.
func (t *Tables) count(k staffKey, role access.Role, n int32) {
	if k.Place == uuid.Nil {
		return
	}
	r, ok := t.Staff.Get(k)
	if !ok {
		return
	}
	switch role {
	case access.SchoolAdmin, access.MunicipalityAdmin:
		r.Administrator += n
	case access.SchoolManagement:
		r.Management += n
	case access.SupportStaff:
		r.Support += n
	case access.ClassTeacher:
		r.Teacher += n
	default:
		r.Others += n
	}
	t.Staff.Put(k, r)
}

func importStarted(t *Tables, e identity.UserImportStarted, m projections.Meta) {
	place := placeOf(access.Scope{Municipality: e.Municipality, School: e.School})
	t.Imports.Put(importKey{e.Import}, importRow{Place: place, File: e.File, Started: m.RecordedAt, Rows: int32(e.Rows)})
}

func rowsTaken(t *Tables, e identity.UserRowsTaken, _ projections.Meta) {
	r, ok := t.Imports.Get(importKey{e.Import})
	if !ok {
		return
	}
	r.Done += int32(e.Rows)
	r.Invited += int32(e.Invited)
	r.Attached += int32(e.Attached)
	r.AlreadyHere += int32(e.AlreadyHere)
	r.Refused += int32(e.Refused)
	t.Imports.Put(importKey{e.Import}, r)
}
