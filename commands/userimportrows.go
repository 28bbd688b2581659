package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
)

// What is wrong with a row, besides what is wrong with a person.
var (
	errEmailTwice   = domain.Refuse(domain.Conflict, "user_import.email_twice", "an earlier row has this e-mail address")
	errCodeTwice    = domain.Refuse(domain.Conflict, "user_import.code_twice", "an earlier row has this personal code")
	errRoleWord     = domain.Refuse(domain.Invalid, "user_import.role_unknown", "there is no such role here")
	errRoleRight    = domain.Refuse(domain.Forbidden, "user_import.role_right", "who loads the file may not give this role")
	errClassUnknown = domain.Refuse(domain.Invalid, "user_import.class_unknown", "the school has no such class in this school year")
	errClassMissing = domain.Refuse(domain.Invalid, "user_import.class_missing", "which class a class teacher has")
)

// Words for roles in a file: those of the list of users (EMU-002).
var (
	schoolRoles = map[string]access.Role{
		"administrators": access.SchoolAdmin, "administratore": access.SchoolAdmin, "vadība": access.SchoolManagement, "atbalsts": access.SupportStaff,
		"audzinātājs": access.ClassTeacher, "audzinātāja": access.ClassTeacher,
	}
	municipalityRoles = map[string]access.Role{
		"administrators": access.MunicipalityAdmin, "administratore": access.MunicipalityAdmin,
		"darbinieks": access.MunicipalityAnalyst, "darbiniece": access.MunicipalityAnalyst,
	}
)

// A userRow is a row that was checked by itself and against the others.
type userRow struct {
	row      int
	person   identity.Person
	roles    []access.Assignment
	problems []identity.RowProblem // none: it can be taken
}

// check parses all rows and finds those that mean the same person or address.
func (r *userImport) check(ctx context.Context) error {
	classes, err := r.classes(ctx)
	if err != nil {
		return err
	}
	emails, codes := make(map[string]int), make(map[string]int)
	for _, row := range r.cmd.Rows {
		checked := userRow{row: row.Row}
		for _, d := range row.Wrong {
			checked.problems = append(checked.problems, identity.RowProblem{Row: row.Row, Column: d.Column, Code: d.Code})
		}
		person, err := identity.ParsePerson(row.GivenName, row.FamilyName, row.PersonalCode, strings.TrimSpace(row.Email))
		var refused *domain.Error
		if errors.As(err, &refused) {
			for _, d := range refused.Details {
				checked.wrong(d.Field, d.Code, 0)
			}
		} else {
			checked.person = person
		}
		if strings.TrimSpace(row.PersonalCode) == "" {
			checked.wrong("personal_code", identity.ErrCodeMissing.Code, 0)
		}
		// An address counts as used by its row even if that row is wrong elsewhere.
		if email, err := identity.ParseEmail(strings.TrimSpace(row.Email)); err == nil {
			key := identity.EmailClaim(email).Value
			if first, ok := emails[key]; ok {
				checked.wrong("email", errEmailTwice.Code, first)
			} else {
				emails[key] = row.Row
			}
		}
		if code, err := domain.ParsePersonalCode(strings.TrimSpace(row.PersonalCode)); err == nil {
			if first, ok := codes[string(code)]; ok {
				checked.wrong("personal_code", errCodeTwice.Code, first)
			} else {
				codes[string(code)] = row.Row
			}
		}
		r.parseRoles(&checked, row, classes)
		slices.SortStableFunc(checked.problems, func(x, y identity.RowProblem) int {
			return slices.Index(UserColumns, x.Column) - slices.Index(UserColumns, y.Column)
		})
		r.rows = append(r.rows, checked)
	}
	return nil
}

// parseRoles reads the roles and the classes of a row. Each must be one that
// who loads the file may give.
func (r *userImport) parseRoles(row *userRow, in UserRow, classes map[string]domain.ClassID) {
	words := schoolRoles
	if r.place.School.IsZero() {
		words = municipalityRoles
	}
	add := func(field string, role access.Role, scope access.Scope) {
		a := access.Assignment{Role: role, Scope: scope}
		switch {
		case r.by.Allow(access.ToGive(role, scope)) != nil:
			row.wrong(field, errRoleRight.Code, 0)
		case !slices.Contains(row.roles, a):
			row.roles = append(row.roles, a)
		}
	}
	for _, word := range listed(in.Roles) {
		role, ok := words[strings.ToLower(word)]
		switch {
		case !ok:
			row.wrong("roles", errRoleWord.Code, 0)
		case role != access.ClassTeacher: // of which class says the next column
			add("roles", role, r.place)
		case len(listed(in.Classes)) == 0:
			row.wrong("classes", errClassMissing.Code, 0)
		}
	}
	for _, word := range listed(in.Classes) {
		name, _, err := organisation.ParseClassName(word)
		class, ok := classes[name]
		if err != nil || !ok {
			row.wrong("classes", errClassUnknown.Code, 0)
			continue
		}
		scope := r.place
		scope.Class = class
		add("classes", access.ClassTeacher, scope)
	}
	if len(row.roles) > rolesMax {
		row.wrong("roles", ErrManyRoles.Code, 0)
	}
}

// listed returns the words of a cell.
func listed(cell string) (words []string) {
	for word := range strings.FieldsFuncSeq(cell, func(c rune) bool { return c == ',' || c == ';' || c == '\n' }) {
		if strings.TrimSpace(word) == "" {
			continue
		}
		line, err := domain.Line(word, organisation.ClassNameMax) // one form of ā, and no two spaces
		if err != nil {
			line = "?" // no word at all
		}
		words = append(words, line)
	}
	return words
}

// classes returns the classes that the file names: those of the school year
// that it is, or in summer of the next.
func (r *userImport) classes(ctx context.Context) (map[string]domain.ClassID, error) {
	var names []string
	for _, row := range r.cmd.Rows {
		for _, word := range listed(row.Classes) {
			if name, _, err := organisation.ParseClassName(word); err == nil {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 || r.place.School.IsZero() {
		return nil, nil
	}
	school, err := look(ctx, r.c, r.by, r.need, organisation.Schools, r.place.School)
	if err != nil {
		return nil, err
	}
	year, ok := school.YearOn(r.c.Today())
	for _, y := range school.Years() {
		if !ok && y.From > r.c.Today() && (year.From == "" || y.From < year.From) {
			year = y
		}
	}
	keys := make(map[string]string) // of claims, by name
	for _, name := range names {
		keys[name] = organisation.ClassKey(r.place.School, year.ID, name).Value
	}
	values := make([]string, 0, len(keys))
	for _, key := range keys {
		values = append(values, key)
	}
	streams, err := r.c.Log.Holders(ctx, classClaim, values)
	if err != nil {
		return nil, refusal(err)
	}
	found := make(map[string]domain.ClassID)
	for name, key := range keys {
		if stream, ok := streams[key]; ok {
			if found[name], err = domain.ParseID[domain.ClassID](strings.TrimPrefix(stream, organisation.Classes.Category+"-")); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// wrong notes a mistake in a field, unless its cell is known to be wrong.
func (row *userRow) wrong(field, code string, other int) {
	p := identity.RowProblem{Row: row.row, Column: UserColumns[max(0, slices.Index(userFields, field))], Code: code}
	if slices.ContainsFunc(row.problems, func(q identity.RowProblem) bool { return q.Column == p.Column }) {
		return
	}
	if other > 0 {
		p.What = strconv.Itoa(other)
	}
	row.problems = append(row.problems, p)
}
