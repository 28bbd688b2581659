package staff_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	org "zurnals/domain/organisation"
	"zurnals/internal/trace"
	"zurnals/projections"
	"zurnals/projections/organisation"
	"zurnals/projections/projectiontest"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	town          = domain.MunicipalityID{UUID: id(1)}
	school        = access.Scope{Municipality: town, School: domain.SchoolID{UUID: id(2)}}
	other         = access.Scope{Municipality: town, School: domain.SchoolID{UUID: id(3)}}
	class         = access.Scope{Municipality: town, School: school.School, Class: domain.ClassID{UUID: id(4)}}
	year          = domain.SchoolYearID{UUID: id(5)}
	liga, anna    = domain.AccountID{UUID: id(20)}, domain.AccountID{UUID: id(21)}
	zane, peteris = domain.AccountID{UUID: id(22)}, domain.AccountID{UUID: id(23)}
	gone          = domain.AccountID{UUID: id(24)}
	erased        = domain.AccountID{UUID: id(25)}

	loaded, loading = domain.UserImportID{UUID: id(30)}, domain.UserImportID{UUID: id(31)}
	townLoading     = domain.UserImportID{UUID: id(32)}

	admin = access.Actor{Kind: domain.ActorAccount, ID: id(20), Active: access.Assignment{Role: access.SchoolAdmin, Scope: school}}
)

func invite(account domain.AccountID, given, family, email string) identity.UserInvited {
	return identity.UserInvited{Account: account, Municipality: town, School: school.School, GivenName: given, FamilyName: family,
		PersonalCode: "24046712345", Email: email, LinkExpiresAt: projectiontest.Start.Add(identity.LinkLifetime)}
}

func joins(account domain.AccountID, place access.Scope) access.MembershipStarted {
	return access.MembershipStarted{Account: account, Place: place}
}

func role(n byte, account domain.AccountID, r access.Role, s access.Scope) access.RoleGiven {
	return access.RoleGiven{Account: account, Assignment: domain.AssignmentID{UUID: id(n)}, Role: r, Scope: s}
}

func story() []projections.Event {
	return projectiontest.Events(
		org.MunicipalityRegistered{Municipality: town, Name: "Parauga novads"},
		org.SchoolRegistered{School: school.School, Municipality: town, Name: "Parauga vidusskola"},
		org.SchoolYearOpened{School: school.School, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.ClassCreated{Class: class.Class, School: school.School, Year: year, Name: "6.a", Grade: 6},

		invite(liga, "Līga", "Ābola", "liga@skola.example"), joins(liga, school),
		role(50, liga, access.SchoolAdmin, school), role(51, liga, access.SchoolManagement, school),
		identity.RegistrationConfirmed{Account: liga}, identity.SignedIn{Account: liga},

		invite(anna, "Anna", "Celma", "anna@skola.example"), joins(anna, school),
		role(52, anna, access.ClassTeacher, class), role(53, anna, access.SupportStaff, school),
		access.RoleTaken{Account: anna, Assignment: domain.AssignmentID{UUID: id(53)}, Role: access.SupportStaff, Scope: school},
		identity.InvitationResent{Account: anna, Email: "anna@skola.example", LinkExpiresAt: projectiontest.Start.Add(2 * identity.LinkLifetime)},

		invite(zane, "Zane", "Čakste", "zane@skola.example"), joins(zane, school),
		joins(zane, other), role(54, zane, access.SupportStaff, other),

		invite(peteris, "Pēteris", "Bērziņš", "p@skola.example"), joins(peteris, school), access.MembershipEnded{Account: peteris, Place: school},
		identity.EmailCorrected{Account: peteris, OldEmail: "p@skola.example", Email: "peteris@skola.example", LinkExpiresAt: projectiontest.Start.Add(identity.LinkLifetime)},
		identity.PersonalCodeCorrected{Account: peteris, OldCode: "24046712345", PersonalCode: "32000112345", Email: "peteris@skola.example", Reason: "Kļūda failā"},
		identity.EmailChanged{Account: peteris, OldEmail: "peteris@skola.example", Email: "peteris@cita.example"},
		joins(peteris, access.Scope{}), role(55, peteris, access.PlatformAdmin, access.Scope{}),
		joins(peteris, access.Scope{Municipality: town}), role(56, peteris, access.MunicipalityAdmin, access.Scope{Municipality: town}),
		role(57, peteris, access.Analyst, access.Scope{Municipality: town}),

		invite(erased, "Aizmirsta", "Persona", "erased@skola.example"), joins(erased, school),
		identity.NamesChanged{Account: erased, GivenName: "Cita", FamilyName: "Persona"},
		access.MembershipEnded{Account: erased, Place: school}, identity.AccountDeleted{Account: erased},
		invite(gone, "Izdzēsta", "Persona", "gone@skola.example"), joins(gone, school), identity.InvitationWithdrawn{Account: gone},

		identity.UserImportStarted{Import: loaded, Municipality: town, School: school.School, File: "first", Rows: 300},
		identity.UserRowsTaken{Import: loaded, School: school.School, Rows: 200, UserCounts: identity.UserCounts{Invited: 195, Attached: 2, AlreadyHere: 1, Refused: 2}},
		identity.UserRowsTaken{Import: loaded, School: school.School, Rows: 100, UserCounts: identity.UserCounts{Invited: 100}},
		identity.UserImportStarted{Import: loading, Municipality: town, School: school.School, File: "second", Rows: 900},
		identity.UserRowsTaken{Import: loading, School: school.School, Rows: 200, UserCounts: identity.UserCounts{Invited: 200}},
		identity.UserImportStarted{Import: townLoading, Municipality: town, File: "third", Rows: 1},
		org.SchoolRegistered{School: other.School, Municipality: town, Name: "Otra skola"},
	)
}

func TestRebuild(t *testing.T) { projectiontest.Rebuild(t, staff.Projection, story()...) }

func given(t *testing.T) *projections.DB {
	return projectiontest.Given(t, story(), staff.Projection, students.Projection, organisation.Projection)
}

func TestUsersOfASchool(t *testing.T) {
	trace.Covers(t, "EMU-001", "EMU-002")
	db := given(t)
	at := projectiontest.Start.Add(identity.LinkLifetime)
	list := func(by access.Actor, place access.Scope, f staff.Filter, at time.Time, search string) string {
		all, _, err := staff.At(t.Context(), db, by, place, f, at, projections.Page{Search: search})
		if err != nil {
			return err.Error()
		}
		var lines []string
		for _, m := range all {
			line := m.FamilyName + " " + string(m.State)
			if m.Administrator {
				line += " A"
			}
			if m.Management {
				line += " V"
			}
			if m.Support {
				line += " S"
			}
			if m.ClassTeacher {
				line += " K"
			}
			if m.LastSignIn != nil {
				line += " " + m.LastSignIn.Format(time.RFC3339)
			}
			if m.School != nil {
				line += " @" + m.SchoolName
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, ", ")
	}
	municipality := access.Scope{Municipality: town}
	analyst := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.MunicipalityAdmin, Scope: municipality}}
	teacher := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.ClassTeacher, Scope: class}}
	elsewhere := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.SchoolAdmin, Scope: other}}
	for _, c := range []struct {
		name   string
		by     access.Actor
		place  access.Scope
		filter staff.Filter
		at     time.Time
		search string
		want   string
	}{
		{"all, in Latvian order", admin, school, staff.Filter{}, at.Add(-1), "",
			"Ābola registered A V 2025-09-01T05:09:00Z, Celma invited K, Čakste invited"},
		{"five days later", admin, school, staff.Filter{}, at, "",
			"Ābola registered A V 2025-09-01T05:09:00Z, Celma invited K, Čakste link_expired"},
		{"by name without diacritics", admin, school, staff.Filter{}, at, "cakste", "Čakste link_expired"},
		{"by both names", admin, school, staff.Filter{}, at, "abola liga", "Ābola registered A V 2025-09-01T05:09:00Z"},
		{"by address", admin, school, staff.Filter{}, at, "anna@", "Celma invited K"},
		{"administrators", admin, school, staff.Filter{Role: "administrator"}, at, "", "Ābola registered A V 2025-09-01T05:09:00Z"},
		{"class teachers", admin, school, staff.Filter{Role: "class_teacher"}, at, "", "Celma invited K"},
		{"without role", admin, school, staff.Filter{Role: "none"}, at, "", "Čakste link_expired"},
		{"expired", admin, school, staff.Filter{State: staff.LinkExpired}, at, "", "Čakste link_expired"},
		{"another school of one of them", elsewhere, other, staff.Filter{}, at, "", "Čakste link_expired S"},
		{"a municipality", analyst, municipality, staff.Filter{}, at.Add(-1), "", "Bērziņš invited A"},
		{"a municipality with its schools", analyst, municipality, staff.Filter{Schools: true}, at.Add(-1), "",
			"Ābola registered A V 2025-09-01T05:09:00Z @Parauga vidusskola, Bērziņš invited A, Celma invited K @Parauga vidusskola, Čakste invited @Parauga vidusskola, Čakste invited S @Otra skola"},
		{"administrators of it and of its schools", analyst, municipality, staff.Filter{Schools: true, Role: "administrator"}, at.Add(-1), "",
			"Ābola registered A V 2025-09-01T05:09:00Z @Parauga vidusskola, Bērziņš invited A"},
		{"all of one name", analyst, municipality, staff.Filter{Schools: true, State: staff.Invited}, at.Add(-1), "zane cakste",
			"Čakste invited @Parauga vidusskola, Čakste invited S @Otra skola"},
		{"two letters", admin, school, staff.Filter{}, at.Add(-1), "ĀN", "Celma invited K, Čakste invited"},
		{"registered", admin, school, staff.Filter{State: staff.Registered}, at, "", "Ābola registered A V 2025-09-01T05:09:00Z"},
		{"invited", admin, school, staff.Filter{State: staff.Invited}, at, "", "Celma invited K"},
		{"what stands for anything", admin, school, staff.Filter{}, at, "%%%", ""},
		{"a class teacher", teacher, school, staff.Filter{}, at, "", access.ErrForbidden.Error()},
		{"from another school", elsewhere, school, staff.Filter{}, at, "", access.ErrElsewhere.Error()},
	} {
		if got := list(c.by, c.place, c.filter, c.at, c.search); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}

	// A walk is the same without pages.
	walked, stop := "", errors.New("enough")
	walk := func(m staff.Member) error { walked += m.FamilyName + " "; return nil }
	if err := staff.Walk(t.Context(), db, analyst, municipality, staff.Filter{Schools: true, Search: "CAKSTE"}, at, walk); err != nil || walked != "Čakste Čakste " {
		t.Errorf("walked %q, %v", walked, err)
	}
	if err := staff.Walk(t.Context(), db, admin, school, staff.Filter{}, at, func(staff.Member) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a walk that is stopped: %v", err)
	}
	if err := staff.Walk(t.Context(), db, teacher, school, staff.Filter{}, at, walk); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a class teacher walks: %v", err)
	}

	var places []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := staff.At(t.Context(), db, analyst, municipality, staff.Filter{Schools: true}, at, page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		places = append(places, all[0].FamilyName+" "+all[0].SchoolName)
		if page.Cursor = next; next == "" {
			break
		}
	}
	if got := strings.Join(places, ", "); got != "Ābola Parauga vidusskola, Bērziņš , Celma Parauga vidusskola, Čakste Parauga vidusskola, Čakste Otra skola" {
		t.Errorf("page by page: %s", got)
	}

	var paged []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := staff.At(t.Context(), db, admin, school, staff.Filter{}, at, page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		paged = append(paged, all[0].FamilyName)
		if page.Cursor = next; next == "" {
			break
		}
	}
	if got := strings.Join(paged, " "); got != "Ābola Celma Čakste" {
		t.Errorf("page by page: %s", got)
	}
	for _, cursor := range []string{"!", "WyJhIiwiYiIsImMiXQ"} {
		if _, _, err := staff.At(t.Context(), db, admin, school, staff.Filter{}, at, projections.Page{Cursor: cursor}); !errors.Is(err, projections.ErrCursor) {
			t.Errorf("%s: %v", cursor, err)
		}
	}
}

// What was loaded, and what is being loaded, the newest first.
func TestFilesThatUsersWereLoadedFrom(t *testing.T) {
	db := given(t)
	var got []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := staff.Imports(t.Context(), db, admin, school, page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		i := all[0]
		got = append(got, fmt.Sprint(i.File, i.Rows, i.Done, i.Invited, i.Attached, i.AlreadyHere, i.Refused))
		if page.Cursor = next; next == "" {
			break
		}
	}
	if want := []string{"second900 200 200 0 0 0", "first300 300 295 2 1 2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	municipality := access.Scope{Municipality: town}
	mayor := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.MunicipalityAdmin, Scope: municipality}}
	if all, _, err := staff.Imports(t.Context(), db, mayor, municipality, projections.Page{}); err != nil || len(all) != 1 || all[0].ID != townLoading {
		t.Errorf("%+v, %v", all, err)
	}
	for _, cursor := range []string{"!", "WyJhIiwiYiJd"} {
		if _, _, err := staff.Imports(t.Context(), db, admin, school, projections.Page{Cursor: cursor}); !errors.Is(err, projections.ErrCursor) {
			t.Errorf("%s: %v", cursor, err)
		}
	}
	if _, _, err := staff.Imports(t.Context(), db, admin, other, projections.Page{}); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("of another school: %v", err)
	}
}

func TestInformationBox(t *testing.T) {
	trace.Covers(t, "EMU-018", "EMU-044", "EMU-045", "C38")
	db := given(t)
	box, err := staff.One(t.Context(), db, admin, school, anna, projectiontest.Start)
	if err != nil || box.Code != "240467-*****" || box.LastSignIn != nil || len(box.Roles) != 1 ||
		box.Roles[0].ClassName != "6.a — 2025-2026" || box.Roles[0].Place != "Parauga vidusskola" || *box.Roles[0].Class != class.Class {
		t.Errorf("%v %+v", err, box)
	}
	if _, err := staff.One(t.Context(), db, admin, school, peteris, projectiontest.Start); !errors.Is(err, staff.ErrNone) {
		t.Errorf("somebody who left: %v", err)
	}
	if _, err := staff.One(t.Context(), db, admin, school, gone, projectiontest.Start); !errors.Is(err, staff.ErrNone) {
		t.Errorf("an invitation that was withdrawn: %v", err)
	}
	self := access.Actor{Kind: domain.ActorAccount, ID: zane.UUID}
	if p, err := staff.Own(t.Context(), db, self); err != nil || p.GivenName != "Zane" || p.Code != "240467-*****" {
		t.Errorf("%v %+v", err, p)
	}
	if roles, err := staff.OwnRoles(t.Context(), db, self); err != nil || len(roles) != 1 || roles[0].Role != access.SupportStaff {
		t.Errorf("%v %+v", err, roles)
	}
}

// Somebody whose data was erased is not made again by a rebuild.
func TestErasedPersonVanishes(t *testing.T) {
	events := projectiontest.Events(invite(anna, "", "", ""), joins(anna, school), identity.SignedIn{Account: anna})
	events[0].Erased = true
	db := projectiontest.Given(t, events, staff.Projection, students.Projection, organisation.Projection)
	all, _, err := staff.At(t.Context(), db, admin, school, staff.Filter{}, projectiontest.Start, projections.Page{})
	if err != nil || len(all) != 0 {
		t.Errorf("%v %+v", err, all)
	}
}

// Names and addresses are corrected, and each time it is another edition. Who
// deletes the account is in no list any more.
func TestPeopleChange(t *testing.T) {
	trace.Covers(t, "EMU-095")
	events := projectiontest.Events(
		invite(liga, "Līga", "Ābola", "liga@skola.example"), joins(liga, school), identity.RegistrationConfirmed{Account: liga},
		identity.NamesChanged{Account: liga, GivenName: "Līga", FamilyName: "Ozola"},
		identity.EmailChanged{Account: liga, OldEmail: "liga@skola.example", Email: "liga@jauna.example"},
		invite(anna, "Anna", "Celma", "anna@skola.example"), joins(anna, school), identity.RegistrationConfirmed{Account: anna},
		identity.EmailCorrected{Account: anna, OldEmail: "anna@skola.example", Email: "anna@cita.example", LinkExpiresAt: projectiontest.Start.Add(identity.LinkLifetime)},
		invite(erased, "Aizmirsta", "Persona", "erased@skola.example"), joins(erased, school),
		access.MembershipEnded{Account: erased, Place: school}, identity.AccountDeleted{Account: erased},
		joins(zane, access.Scope{Municipality: town}), role(60, zane, access.MunicipalityAdmin, access.Scope{Municipality: town}),
		joins(peteris, access.Scope{}), role(61, peteris, access.PlatformAdmin, access.Scope{}),
		role(62, liga, access.SchoolAdmin, school),
	)
	db := projectiontest.Given(t, events, staff.Projection, students.Projection, organisation.Projection)
	user, err := staff.One(t.Context(), db, admin, school, liga, projectiontest.Start)
	if err != nil || user.FamilyName != "Ozola" || user.Email != "liga@jauna.example" || user.Edition != 3 || user.State != staff.Registered {
		t.Errorf("%+v, %v", user, err)
	}
	user, err = staff.One(t.Context(), db, admin, school, anna, projectiontest.Start)
	if err != nil || user.Email != "anna@cita.example" || user.Edition != 2 || user.State != staff.Invited || user.LinkExpires == nil {
		t.Errorf("%+v, %v", user, err)
	}
	found, _, err := staff.At(t.Context(), db, admin, school, staff.Filter{}, projectiontest.Start, projections.Page{Search: "ozola"})
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	all, _, err := staff.At(t.Context(), db, admin, school, staff.Filter{}, projectiontest.Start, projections.Page{})
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	over, err := staff.Overseers(t.Context(), db, access.System("test"), town)
	if err != nil || len(over) != 2 || over[0] != zane || over[1] != peteris {
		t.Errorf("%v, %v", over, err)
	}
	if _, err := staff.Overseers(t.Context(), db, admin, town); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("%v", err)
	}
}
