package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// given lists the roles that events have given since a position, each with the
// narrowest part of where.
func (w *staffWorld) given(since int64) (roles []string) {
	w.t.Helper()
	for e, err := range w.log.ReadAll(w.t.Context(), since, 0) {
		w.must(err)
		if e.Type != "access.role_given" {
			continue
		}
		event, err := w.Catalogue.Decode(e.Type, e.Schema, e.Data)
		w.must(err)
		given := event.(access.RoleGiven)
		where := map[access.Scope]string{
			w.at(w.school): "school", {Municipality: w.municipality}: "municipality",
			{Municipality: w.municipality, School: w.school, Class: w.class}: "6.a",
		}[given.Scope]
		roles = append(roles, string(given.Role)+" "+where)
	}
	return roles
}

// The words of the file are those of the list of users; each role must be one
// that who loads it may give.
func TestRolesComeWithAFile(t *testing.T) {
	trace.Covers(t, "EMU-093")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	_, mayor := w.registered(access.Scope{Municipality: w.municipality}, commands.NewRole{Role: access.MunicipalityAdmin})
	school, town := w.at(w.school), access.Scope{Municipality: w.municipality}
	const roles, classes = "Lomas", "Audzināmā klase"
	for _, c := range []struct {
		name           string
		by             access.Actor
		place          access.Scope
		roles, classes string
		want           []string // roles, or the mistake
		wrong          string   // column and code
	}{
		{name: "none", by: admin, place: school},
		{name: "two", by: admin, place: school, roles: "Vadība, atbalsts", want: []string{"emu.school_management school", "emu.support_staff school"}},
		{name: "one twice", by: admin, place: school, roles: "Vadība; VADĪBA", want: []string{"emu.school_management school"}},
		{name: "written in parts", by: admin, place: school, roles: "vadi\u0304ba", want: []string{"emu.school_management school"}},
		{name: "a class", by: admin, place: school, classes: "6. A", want: []string{"emu.class_teacher 6.a"}},
		{name: "said twice", by: admin, place: school, roles: "Audzinātāja", classes: "6.a", want: []string{"emu.class_teacher 6.a"}},
		{name: "of which class", by: admin, place: school, roles: "Audzinātāja", wrong: classes + " user_import.class_missing"},
		{name: "no such class", by: admin, place: school, classes: "6.b", wrong: classes + " user_import.class_unknown"},
		{name: "no class at all", by: admin, place: school, classes: "13.a", wrong: classes + " user_import.class_unknown"},
		{name: "class of another school", by: mayor, place: w.at(w.other), classes: "6.a", wrong: classes + " user_import.class_unknown"},
		{name: "no such role", by: admin, place: school, roles: "Sargs", wrong: roles + " user_import.role_unknown"},
		{name: "no word", by: admin, place: school, roles: "a\u202eb", wrong: roles + " user_import.role_unknown"},
		{name: "not the own kind", by: admin, place: school, roles: "Administrators", wrong: roles + " user_import.role_right"},
		{name: "by the municipality", by: mayor, place: school, roles: "Administrators", want: []string{"emu.school_admin school"}},
		{name: "of the municipality", by: mayor, place: town, roles: "Administratore, darbinieks", want: []string{"emu.municipality_admin municipality", "emu.municipality_analyst municipality"}},
		{name: "of a school there", by: mayor, place: town, roles: "Vadība", wrong: roles + " user_import.role_unknown"},
		{name: "a class there", by: mayor, place: town, classes: "6.a", wrong: classes + " user_import.class_unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			person := w.newcomer(c.place)
			load := commands.ImportUsers{Place: c.place, File: c.name, Rows: []commands.UserRow{{Row: 2,
				GivenName: person.GivenName, FamilyName: person.FamilyName, PersonalCode: person.PersonalCode, Email: person.Email,
				Roles: c.roles, Classes: c.classes}}}
			before := w.head()
			if c.wrong == "" {
				done, err := w.ImportUsers(t.Context(), c.by, load)
				if got := w.given(before); err != nil || done.Invited != 1 || !slices.Equal(got, c.want) {
					t.Errorf("%v %+v %q", err, done, got)
				}
				return
			}
			load.DryRun = true
			w.refused(nil, func() error {
				done, err := w.ImportUsers(t.Context(), c.by, load)
				if len(done.Problems) != 1 || done.Problems[0].Column+" "+done.Problems[0].Code != c.wrong {
					t.Errorf("%+v", done)
				}
				return err
			})
		})
	}
}

// In summer the classes are those of the next school year.
func TestClassesOfTheNextSchoolYear(t *testing.T) {
	w := newStaffWorld(t)
	w.now = w.now.AddDate(0, -1, 0)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	rows := userFile(1)
	rows[0].Classes = "6.a"
	if done, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows}); err != nil || done.Invited != 1 {
		t.Errorf("%v %+v", err, done)
	}
}

// Somebody who has an account keeps it, and has the roles of the row here; who
// works here already is left as is.
func TestRolesOfThoseWhoHaveAnAccount(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	elsewhere, here := w.newcomer(w.at(w.other)), w.newcomer(w.at(w.school))
	var rows []commands.UserRow
	for i, p := range []commands.InviteUser{elsewhere, here} {
		_, err := w.InviteUser(t.Context(), operator, p)
		w.must(err)
		rows = append(rows, commands.UserRow{Row: i + 2, GivenName: p.GivenName, FamilyName: p.FamilyName, PersonalCode: p.PersonalCode, Email: p.Email, Roles: "Atbalsts"})
	}
	before := w.head()
	done, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows})
	if got := w.given(before); err != nil || done.Attached != 1 || done.AlreadyHere != 1 || !slices.Equal(got, []string{"emu.support_staff school"}) {
		t.Errorf("%v %+v %q", err, done, got)
	}
}

// An account that holds as many roles as it can is refused by its row, and the
// others are taken.
func TestAnAccountWithTooManyRoles(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	full := w.newcomer(w.at(w.other))
	admitted, err := w.InviteUser(t.Context(), operator, full)
	w.must(err)
	year, err := w.OpenSchoolYear(t.Context(), operator, commands.OpenSchoolYear{School: w.other, From: "2025-09-01", To: "2026-08-31"})
	w.must(err)
	for n := range access.HeldMax - 1 {
		class, err := w.CreateClass(t.Context(), operator, commands.CreateClass{School: w.other, Year: year, Name: fmt.Sprintf("%d.%c%d", 1+n%12, 'a'+n%20, n)})
		w.must(err)
		_, err = w.GiveRole(t.Context(), operator, commands.GiveRole{Account: admitted.Account, Role: access.ClassTeacher, Place: access.Scope{Class: class}})
		w.must(err)
	}
	rows := append(userFile(1), commands.UserRow{Row: 3, GivenName: full.GivenName, FamilyName: full.FamilyName, PersonalCode: full.PersonalCode, Email: full.Email})
	rows[1].Roles = "Atbalsts, vadība"
	done, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows, AcceptValid: true})
	if err != nil || done.Invited != 1 || done.Refused != 1 || done.Problems[0] != (commands.RowProblem{Row: 3, Column: "Lomas", Code: access.ErrManyRoles.Code}) {
		t.Errorf("%v %+v", err, done)
	}
	rows[1].Roles = "Atbalsts" // the hundredth
	done, err = w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows[1:]})
	if err != nil || done.Attached != 1 || done.Refused != 0 {
		t.Errorf("%v %+v", err, done)
	}
}

// Rows with as many roles as there can be are taken in smaller parts.
func TestRowsWithManyRolesFit(t *testing.T) {
	w := newStaffWorld(t)
	_, mayor := w.registered(access.Scope{Municipality: w.municipality}, commands.NewRole{Role: access.MunicipalityAdmin})
	var classes []string
	for n := range 19 {
		name := fmt.Sprintf("7.%c", 'a'+n)
		_, err := w.CreateClass(t.Context(), operator, commands.CreateClass{School: w.school, Year: w.year, Name: name})
		w.must(err)
		classes = append(classes, name)
	}
	rows := userFile(60)
	for i := range rows {
		rows[i].GivenName, rows[i].FamilyName = strings.Repeat("𝔸", identity.NameMax), strings.Repeat("𝔸", identity.NameMax)
		rows[i].Roles, rows[i].Classes = "Administrators", strings.Join(classes, ",")
	}
	done, err := w.ImportUsers(t.Context(), mayor, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows})
	if err != nil || done.Invited != 60 || w.count("access.role_given") != 60*20+1 {
		t.Errorf("%v %+v", err, done)
	}
	rows[0].Classes += ",6.a" // one too many
	again, err := w.ImportUsers(t.Context(), mayor, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows[:1], DryRun: true})
	if err != nil || len(again.Problems) != 1 || again.Problems[0].Code != commands.ErrManyRoles.Code {
		t.Errorf("%v %+v", err, again)
	}
}

// Users of a municipality itself are loaded by its administrator; a report is
// found where the loading was, and nowhere else.
func TestUsersOfAMunicipalityAreLoaded(t *testing.T) {
	trace.Covers(t, "EMU-090")
	w := newStaffWorld(t)
	town := access.Scope{Municipality: w.municipality}
	_, mayor := w.registered(town, commands.NewRole{Role: access.MunicipalityAdmin})
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	load := commands.ImportUsers{Place: town, File: "sum", Rows: userFile(3)}
	w.refused(access.ErrForbidden, func() error { _, err := w.ImportUsers(t.Context(), admin, load); return err })
	done, err := w.ImportUsers(t.Context(), mayor, load)
	if err != nil || done.Invited != 3 || !done.Completed() {
		t.Errorf("%v %+v", err, done)
	}
	if found, err := w.UserImport(t.Context(), mayor, town, done.ID); err != nil || found.Invited != 3 {
		t.Errorf("%v %+v", err, found)
	}
	w.refused(identity.ErrNoImport, func() error { _, err := w.UserImport(t.Context(), mayor, w.at(w.school), done.ID); return err })
	w.refused(access.ErrForbidden, func() error { _, err := w.UserImport(t.Context(), admin, town, done.ID); return err })
	for name, place := range map[string]access.Scope{"a class": {Class: w.class}, "the installation": {}, "nowhere": {School: domain.NewID[domain.SchoolID]()}} {
		w.refused(access.ErrElsewhere, func() error {
			_, err := w.ImportUsers(t.Context(), operator, commands.ImportUsers{Place: place, File: name, Rows: userFile(1)})
			return err
		})
	}
}
