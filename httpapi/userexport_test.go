package httpapi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"zurnals/internal/trace"
)

// table returns the rows of an exported file as text, and checks that no cell
// of it is a formula.
func (s *story) table(a answer) (name string, rows [][]string) {
	s.t.Helper()
	_, params, err := mime.ParseMediaType(a.Header().Get("Content-Disposition"))
	s.must(err)
	if a.Header().Get("Content-Type") == kindCSV {
		rows, err = csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
		s.must(err)
		return params["filename"], rows
	}
	f, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
	s.must(err)
	defer func() { s.must(f.Close()) }()
	sheet := f.GetSheetName(0)
	rows, err = f.GetRows(sheet)
	s.must(err)
	for y, row := range rows {
		for x := range row {
			cell, err := excelize.CoordinatesToCellName(x+1, y+1)
			s.must(err)
			if formula, err := f.GetCellFormula(sheet, cell); err != nil || formula != "" {
				s.t.Errorf("%s is the formula %q, %v", cell, formula, err)
			}
		}
	}
	return params["filename"], rows
}

func equalRows(t *testing.T, got [][]string, want ...[]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d: %q", len(got), len(want), got)
	}
	for i := range want {
		if !slices.Equal(slices.Concat(got[i], make([]string, max(0, len(want[i])-len(got[i])))), want[i]) { // empty cells at the end are left out
			t.Errorf("row %d is %q, want %q", i+1, got[i], want[i])
		}
	}
}

// The list as a file has exactly its columns, in its order, and what it is
// asked for.
func TestTheListOfUsersAsAFile(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-001", "EMU-002")
	s := newStaffStory(t)
	invite := func(given, family, code, email, roles string) {
		s.tell(step{as: "admin", ask: "POST /schools/{school}/users", status: 201, keep: email, events: strings.TrimSpace("identity.user_invited access.membership_started " + strings.Repeat("access.role_given ", strings.Count(roles, `"role"`))),
			body: fmt.Sprintf(`{"given_name":%q,"family_name":%q,"personal_code":%q,"email":"%s@skola.example","roles":[%s]}`, given, family, code, email, roles)})
	}
	invite("Zane", "=HYPERLINK(1)", "330000-00001", "formula", `{"role":"emu.support_staff"}`)
	invite("Āris", "Čakste", "330000-00002", "aris", `{"role":"emu.school_management"},{"role":"emu.support_staff"}`)
	invite("Anna", "Cakste", "330000-00003", "anna", "")
	s.register("aris")
	s.firstSignIn("aris")

	head := []string{"Lietotājs", "E-pasta adrese", "Pēdējā pieslēgšanās reize", "Administrators", "Vadība", "Atbalsts", "Audzinātājs"}
	admin := []string{"Paraudziņa Admin", "admin@skola.example", "–", "jā", "", "", ""}
	teacher := []string{"Paraudziņa Teacher", "teacher@skola.example", "–", "", "", "", "jā"}
	formula := []string{"=HYPERLINK(1) Zane", "formula@skola.example", "–", "", "", "jā", ""}
	aris := []string{"Čakste Āris", "aris@skola.example", "2025-09-01 08:00", "", "jā", "jā", ""}
	anna := []string{"Cakste Anna", "anna@skola.example", "–", "", "", "", ""}

	name, rows := s.table(s.tell(step{as: "admin", ask: "GET /schools/{school}/user-export", status: 200}))
	if name != "Lietotāji.xlsx" {
		t.Errorf("the file is called %s", name)
	}
	equalRows(t, rows, head, formula, anna, aris, admin, teacher)

	_, rows = s.table(s.tell(step{as: "admin", ask: "GET /schools/{school}/user-export?format=csv&role_held=support", status: 200}))
	rows[0][0] = strings.TrimPrefix(rows[0][0], "\ufeff")
	equalRows(t, rows, head, slices.Concat([]string{"'=HYPERLINK(1) Zane"}, formula[1:]), aris)
	_, rows = s.table(s.tell(step{as: "admin", ask: "GET /schools/{school}/user-export?q=CAKSTE&state=registered", status: 200}))
	equalRows(t, rows, head, aris)

	name, rows = s.table(s.tell(step{as: "town", ask: "GET /schools/{school}/user-export?q=cakste", headers: []string{"Accept-Language: en"}, status: 200}))
	english := []string{"User", "E-mail address", "Last sign-in", "Administrator", "Management", "Support", "Class teacher"}
	equalRows(t, rows, english, anna, []string{"Čakste Āris", "aris@skola.example", "2025-09-01 08:00", "", "yes", "yes", ""})
	if name != "Users.xlsx" {
		t.Errorf("the file is called %s", name)
	}

	// A municipality: its own people, or also those of its schools.
	town := []string{"Paraudziņa Town", "town@skola.example", "–", "jā", "", "", ""}
	_, rows = s.table(s.tell(step{as: "town", ask: "GET /municipalities/{municipality}/user-export", status: 200}))
	equalRows(t, rows, head, town)
	at := func(row []string, school string) []string { return append(slices.Clone(row), school) }
	_, rows = s.table(s.tell(step{as: "town", ask: "GET /municipalities/{municipality}/user-export?schools=true&role_held=administrator", status: 200}))
	equalRows(t, rows, at(head, "Skola"), at(admin, "Parauga vidusskola"), at(town, ""))
	s.tell(
		step{as: "town", ask: "GET /municipalities/{municipality}/users?schools=true&q=teacher", status: 200, has: []string{`"school":"Parauga vidusskola"`, `"school_id":"{school}"`}, hasNot: []string{"stranger"}},
		step{as: "town", ask: "GET /municipalities/{municipality}/users?q=teacher", status: 200, has: []string{`"items":[]`}},
		step{as: "admin", ask: "GET /schools/{school}/users?schools=true", status: 422, code: "http.invalid", fields: []string{"query.schools"}},
		step{as: "admin", ask: "GET /municipalities/{municipality}/users?schools=true", status: 403, code: "access.forbidden"},
		step{as: "admin", ask: "GET /municipalities/{municipality}/user-export?schools=true", status: 403, code: "access.forbidden"},
		step{as: "teacher", ask: "GET /schools/{school}/user-export", status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: "GET /schools/{school}/user-export", status: 404, code: "access.not_found"},
		step{as: "admin", ask: "GET /schools/{school}/user-export?format=ods", status: 422, code: "http.invalid", fields: []string{"query.format"}},
	)
}

// Users of a municipality are loaded as those of a school are, with the roles
// there are; what came of it can be read as a file, by row.
func TestUsersOfAMunicipalityFromASpreadsheet(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-006", "EMU-007", "EMU-009", "EMU-010", "EMU-074", "EMU-090", "EMU-093")
	s := newStaffStory(t)
	s.hire("official", post{"emu.municipality_analyst", "municipality"})
	fill := func(as, place string, rows ...[]any) formBody {
		a := s.tell(step{as: as, ask: "GET " + place + "/user-import-template", status: 200})
		f, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
		s.must(err)
		defer func() { s.must(f.Close()) }()
		for i, row := range rows {
			s.must(f.SetSheetRow("Lietotāji", fmt.Sprintf("A%d", i+2), &row))
		}
		var out bytes.Buffer
		_, err = f.WriteTo(&out)
		s.must(err)
		return filled(out.Bytes())
	}
	const town = "/municipalities/{municipality}"
	form := fill("town", town,
		[]any{"Anna", "Liepa", "330000-00001", "anna@novads.example", "Darbiniece"},
		[]any{"Ilze", "Kalna", "330000-00002", "ilze@novads.example", "Darbiniece, administratore"},
		[]any{"Uldis", "Zars", "330000-00003", "uldis@novads.example"},
		[]any{"Juris", "Osis", "330000-00004", "juris@novads.example", "Vadība"},
		[]any{"Teacher", "Paraudziņa", "320000-00003", "teacher@skola.example", "Darbinieks"},
	)
	loaded := "identity.user_import_started identity.user_invited access.membership_started access.role_given identity.user_invited access.membership_started access.role_given access.role_given" +
		" identity.user_invited access.membership_started identity.user_attached access.membership_started access.role_given identity.user_rows_taken"
	s.tell(
		step{as: "official", ask: "POST " + town + "/user-imports", form: form, status: 403, code: "access.forbidden"},
		step{as: "admin", ask: "POST " + town + "/user-imports", form: form, status: 403, code: "access.forbidden"},
		step{as: "admin", ask: "GET " + town + "/user-import-template", status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: "POST " + town + "/user-imports", form: form, status: 404, code: "access.not_found"},
		step{as: "town", ask: "POST " + town + "/user-imports", form: form, status: 422, code: "user_import.rows", fields: []string{"row 5, Lomas: user_import.role_unknown"}},
		step{as: "town", ask: "POST " + town + "/user-imports?dry_run=true", form: form, status: 200, has: []string{`"invited":3`, `"attached":1`, `"refused":1`}},
		step{as: "town", ask: "POST " + town + "/user-imports?accept_valid_rows=true", form: form, status: 201, events: loaded, keep: "import"},
		step{as: "town", ask: "GET " + town + "/users?role_held=administrator", status: 200, has: []string{"ilze@"}, hasNot: []string{"anna@", "uldis@"}},
		step{as: "town", ask: "GET " + town + "/user-imports", status: 200, has: []string{`"id":"{import}"`, `"rows":5`, `"rows_done":5`, `"invited":3`}},
		step{as: "town", ask: "GET " + town + "/user-imports/{import}", status: 200, has: []string{`"state":"completed"`}},
		step{as: "town", ask: "GET /schools/{school}/user-imports/{import}", status: 404, code: "user_import.none"},
		step{as: "town", ask: "GET /schools/{school}/user-imports", status: 200, has: []string{`"items":[]`}},
		step{as: "stranger", ask: "GET " + town + "/user-imports/{import}/report", status: 404, code: "access.not_found"},
		step{as: "town", ask: "GET /schools/{school}/user-imports/{import}/report", status: 404, code: "user_import.none"},
	)
	name, rows := s.table(s.tell(step{as: "town", ask: "GET " + town + "/user-imports/{import}/report", status: 200}))
	if name != "Lietotāju augšupielāde.xlsx" {
		t.Errorf("the file is called %s", name)
	}
	equalRows(t, rows,
		[]string{"Rinda", "Kolonna", "Rezultāts", "Kods", "Skaidrojums"},
		[]string{"5", "Lomas", "Noraidīta", "user_import.role_unknown", "Šādas lomas šeit nav"},
		[]string{"6", "", "Piezīme", "user_import.attached", "Personai jau ir konts: tas pievienots šai darbavietai"},
		[]string{"", "", "Rindas datnē", "", "5"}, []string{"", "", "Uzaicināti", "", "3"}, []string{"", "", "Pievienoti ar esošu kontu", "", "1"},
		[]string{"", "", "Jau strādā šeit", "", "0"}, []string{"", "", "Noraidīta", "", "1"},
	)
	_, rows = s.table(s.tell(step{as: "town", ask: "GET " + town + "/user-imports/{import}/report?format=csv", headers: []string{"Accept-Language: en"}, status: 200}))
	equalRows(t, rows[:2], []string{"Row", "Column", "Result", "Code", "Remark"}, []string{"5", "Lomas", "Refused", "user_import.role_unknown", "there is no such role here"})

	// In a school the file has classes too, and a sample of before, without roles, is good still.
	school := fill("admin", "/schools/{school}", []any{"Dace", "Egle", "330000-00005", "dace@skola.example", "atbalsts", "6. A"})
	s.tell(step{as: "admin", ask: "POST /schools/{school}/user-imports", form: school, status: 201,
		events: "identity.user_import_started identity.user_invited access.membership_started access.role_given access.role_given identity.user_rows_taken"},
		step{as: "admin", ask: "GET /schools/{school}/users?q=egle", status: 200, has: []string{`"support":true`, `"class_teacher":true`}})
	old := excelize.NewFile()
	defer func() { s.must(old.Close()) }()
	s.must(old.SetSheetRow("Sheet1", "A1", &[]any{"Vārds *", "Uzvārds *", "Personas kods *", "E-pasta adrese *"}))
	s.must(old.SetSheetRow("Sheet1", "A2", &[]any{"Ivo", "Bite", "330000-00006", "ivo@skola.example"}))
	var out bytes.Buffer
	_, err := old.WriteTo(&out)
	s.must(err)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/user-imports", form: filled(out.Bytes()), status: 201, events: invited(1)})
}

// Who manages the users of a municipality takes invitations back and ends that
// somebody works there.
func TestSomebodyLeavesAMunicipality(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-090")
	s := newStaffStory(t)
	const town = "/municipalities/{municipality}/users"
	person := `{"given_name":"Anna","family_name":"Liepa","personal_code":"330000-00001","email":"anna@novads.example","roles":[{"role":"emu.municipality_analyst"}]}`
	s.tell(
		step{as: "town", ask: "POST " + town, body: person, status: 201, keep: "anna", events: lauraSaid},
		step{as: "admin", ask: "DELETE " + town + "/{anna}/invitation", status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: "DELETE " + town + "/{anna}", status: 404, code: "access.not_found"},
		step{as: "town", ask: "DELETE " + town + "/{anna}/invitation", status: 204, events: "identity.invitation_withdrawn access.role_taken access.membership_ended"},
		step{as: "town", ask: "DELETE " + town + "/{anna}/invitation", status: 404, code: "access.not_staff"},
		step{as: "town", ask: "POST " + town, body: person, status: 201, keep: "anna", events: lauraSaid},
	)
	s.register("anna")
	s.tell(
		step{as: "town", ask: "DELETE " + town + "/{anna}/invitation", status: 409, code: "identity.confirmed"},
		step{as: "town", ask: "DELETE " + town + "/{anna}", status: 204, events: "access.role_taken access.membership_ended"},
		step{as: "anna", ask: "GET /me", status: 200},
		step{as: "town", ask: "GET " + town, status: 200, hasNot: []string{"anna@"}},
	)
}
