package httpapi

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// filledIn returns the template as it is downloaded, with rows filled in.
func (s *story) filledIn(rows ...[4]string) []byte {
	s.t.Helper()
	return s.filledAt("admin", "/schools/{school}", rows...)
}

// filledAt is the same of a school or a municipality.
func (s *story) filledAt(as, place string, rows ...[4]string) []byte {
	s.t.Helper()
	a := s.tell(step{as: as, ask: "GET " + place + "/user-import-template", status: 200})
	if got := a.Header().Get("Content-Disposition"); !strings.Contains(got, "filename*=utf-8''") {
		s.t.Errorf("the template is called %s", got)
	}
	f, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
	s.must(err)
	defer f.Close()
	for i, row := range rows {
		for column, text := range row {
			s.must(f.SetCellStr("Lietotāji", fmt.Sprintf("%c%d", 'A'+column, i+2), text))
		}
	}
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	s.must(err)
	return out.Bytes()
}

func filled(data []byte) formBody {
	return formBody{fields: map[string]string{"source": "EMU"}, files: map[string]formFile{"file": {"lietotaji.xlsx", data}}}
}

// invited are the events of n new people.
func invited(n int) string {
	return "identity.user_import_started " + strings.Repeat("identity.user_invited access.membership_started ", n) + "identity.user_rows_taken"
}

func TestThirtyUsersFromASpreadsheet(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-004", "EMU-006", "EMU-007", "EMU-008", "EMU-009", "EMU-010", "EMU-013", "EMU-093", "C05")
	s := newStaffStory(t)
	rows := make([][4]string, 30)
	for i := range rows {
		rows[i] = [4]string{fmt.Sprintf("Vārds%c", 'A'+i), "Uzvārds", fmt.Sprintf("33%09d", i), fmt.Sprintf("lietotajs%d@skola.example", i)}
	}
	rows[4][2] = "010101-12345"               // row 6: wrong code
	rows[9][3] = "nav adrese"                 // row 11: wrong address
	rows[14][3] = "LIETOTAJS3@skola.example"  // row 16: the address of row 5
	rows[19][2] = "32000000002"               // row 21: the administrator, who works here
	rows[24][2] = "320000-00004"              // row 26: the administrator of another school
	rows[24][3] = "cita.adrese@skola.example" // with another address
	s.tell(step{name: "nobody else does", as: "teacher", ask: "POST /schools/{school}/user-imports", form: filled(s.filledIn(rows...)), status: 403, code: "access.forbidden"})
	file := filled(s.filledIn(rows...))
	wrong := []string{"row 6, Personas kods *: personal_code.invalid", "row 11, E-pasta adrese *: identity.email", "row 16, E-pasta adrese *: user_import.email_twice"}
	numbers := []string{`"rows":30`, `"invited":25`, `"attached":1`, `"already_here":1`, `"refused":3`, `"row":21`, "user_import.already_here", "user_import.email_unused", "5. rindā"}
	key := []string{"Idempotency-Key: users-2025-09-01"}

	s.tell(
		step{name: "dry run", as: "admin", ask: "POST /schools/{school}/user-imports?dry_run=true", form: file, status: 200, has: append(numbers, `"state":"checked"`), hasNot: []string{`"id"`, "admin@", "stranger@"}},
		step{name: "refused as a whole", as: "admin", ask: "POST /schools/{school}/user-imports", form: file, status: 422, code: "user_import.rows", fields: wrong},
		step{name: "the good rows", as: "admin", ask: "POST /schools/{school}/user-imports?accept_valid_rows=true", form: file, headers: key, status: 201, keep: "import",
			has: append(numbers, `"state":"completed"`), events: s.thirty(rows)},
		step{name: "the same again", as: "admin", ask: "POST /schools/{school}/user-imports?accept_valid_rows=true", form: file, headers: key, status: 201, has: append(numbers, "{import}")},
		step{name: "the same key, another question", as: "admin", ask: "POST /schools/{school}/user-imports", form: file, headers: key, status: 422, code: "idempotency.reused"},
		step{as: "admin", ask: "GET /schools/{school}/user-imports/{import}", status: 200, has: append(numbers, `"rows_done":30`)},
		step{as: "stranger", ask: "GET /schools/{school}/user-imports/{import}", status: 404, code: "access.not_found"},
		step{as: "stranger", ask: "GET /schools/{elsewhere}/user-imports/{import}", status: 404, code: "user_import.none"},
		step{name: "the same file a day later", as: "admin", ask: "POST /schools/{school}/user-imports?accept_valid_rows=true&dry_run=true", form: file, status: 200, has: []string{`"invited":0`, `"already_here":27`, `"refused":3`}},
		step{name: "everybody is there", as: "admin", ask: "GET /schools/{school}/users?limit=200", status: 200, has: []string{"lietotajs0@", "lietotajs29@", "stranger@skola.example"}, hasNot: []string{"cita.adrese"}},
	)
}

// thirty are the events of the thirty users, in their order.
func (s *story) thirty(rows [][4]string) string {
	var events []string
	for i := range rows {
		switch i {
		case 4, 9, 14, 19:
		case 24:
			events = append(events, "identity.user_attached access.membership_started")
		default:
			events = append(events, "identity.user_invited access.membership_started")
		}
	}
	return "identity.user_import_started " + strings.Join(events, " ") + " identity.user_rows_taken"
}

func TestManyUsersComeInChunks(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	rows := make([][4]string, 450)
	for i := range rows {
		rows[i] = [4]string{"Vārds", "Uzvārds", fmt.Sprintf("33%09d", i), fmt.Sprintf("u%d@skola.example", i)}
	}
	file := filled(s.filledIn(rows...))
	before, err := s.log.Head(t.Context())
	s.must(err)
	a := s.send(step{as: "admin", ask: "POST /schools/{school}/user-imports", form: file}, 0)
	var report struct{ Invited, Refused int }
	s.must(json.Unmarshal(a.Body.Bytes(), &report))
	types := s.since(before)
	if a.Code != 201 || report.Invited != 450 || strings.Count(types, "user_invited") != 450 || strings.Count(types, "user_rows_taken") != 3 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a.Header().Get("Zurnals-Position") == "" {
		t.Error("nothing says up to where the users are")
	}
}

// A heldLog waits before it takes the third part of a file.
type heldLog struct {
	eventstore.Log
	parts           atomic.Int32
	reached, goesOn chan struct{}
}

func (l *heldLog) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	if len(r.Subjects) > 0 && l.parts.Add(1) == 3 {
		close(l.reached)
		<-l.goesOn
	}
	return l.Log.Append(ctx, r)
}

// How far a file is can be seen while it is being loaded.
func TestTheProgressOfALoading(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	rows := make([][4]string, 1_000)
	for i := range rows {
		rows[i] = [4]string{"Vārds", "Uzvārds", fmt.Sprintf("33%09d", i), fmt.Sprintf("u%d@skola.example", i)}
	}
	file := filled(s.filledIn(rows...))
	held := &heldLog{Log: s.log, reached: make(chan struct{}), goesOn: make(chan struct{})}
	s.commands.Log = held
	loaded := make(chan answer, 1)
	go func() { loaded <- s.send(step{as: "admin", ask: "POST /schools/{school}/user-imports", form: file}, 0) }()
	<-held.reached
	s.tell(step{as: "admin", ask: "GET /schools/{school}/user-imports", status: 200, has: []string{`"rows":1000`, `"rows_done":400`, `"invited":400`}})
	var list struct{ Items []struct{ ID string } }
	s.must(json.Unmarshal(s.tell(step{as: "town", ask: "GET /schools/{school}/user-imports", status: 200}).Body.Bytes(), &list))
	s.names["import"] = list.Items[0].ID
	s.tell(
		step{as: "admin", ask: "GET /schools/{school}/user-imports/{import}", status: 200, has: []string{`"state":"running"`, `"rows_done":400`}},
		step{as: "teacher", ask: "GET /schools/{school}/user-imports", status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: "GET /schools/{school}/user-imports", status: 404, code: "access.not_found"},
	)
	close(held.goesOn)
	if a := <-loaded; a.Code != 201 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	s.tell(
		step{as: "admin", ask: "GET /schools/{school}/user-imports/{import}", status: 200, has: []string{`"state":"completed"`, `"invited":1000`}},
		step{as: "admin", ask: "GET /schools/{school}/user-imports", status: 200, has: []string{`"rows_done":1000`}},
	)
}

// What a spreadsheet can do wrong, each told by a code; nothing of it happens.
func TestSpreadsheetsThatAreRefused(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-004", "EMU-013")
	s := newStaffStory(t)
	good := s.filledIn([4]string{"Anna", "Liepa", "33000000001", "a@skola.example"})
	edit := func(f func(*excelize.File)) formBody {
		x, err := excelize.OpenReader(bytes.NewReader(good))
		s.must(err)
		defer x.Close()
		f(x)
		var out bytes.Buffer
		_, err = x.WriteTo(&out)
		s.must(err)
		return filled(out.Bytes())
	}
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	part, err := z.Create("xl/workbook.xml")
	s.must(err)
	_, err = part.Write(make([]byte, 64<<20))
	s.must(err)
	s.must(z.Close())
	without := func(name string) formBody {
		f := filled(good)
		delete(f.fields, name)
		delete(f.files, name)
		return f
	}
	another := filled(good)
	another.fields["source"] = "MIIS"
	for _, c := range []struct {
		name   string
		form   formBody
		status int
		code   string
		fields []string
	}{
		{"formula", edit(func(x *excelize.File) { s.must(x.SetCellFormula("Lietotāji", "A2", "1+1")) }), 422, "user_import.rows", []string{"row 2, Vārds *: sheet.formula"}},
		{"formula as text", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "B2", `=HYPERLINK("http://evil.example")`)) }), 422, "user_import.rows", []string{"row 2, Uzvārds *: sheet.formula_text"}},
		{"date", edit(func(x *excelize.File) {
			s.must(x.SetCellValue("Lietotāji", "C2", time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)))
		}), 422, "user_import.rows", []string{"row 2, Personas kods *: sheet.date"}},
		{"merged cells", edit(func(x *excelize.File) { s.must(x.MergeCell("Lietotāji", "A2", "B2")) }), 422, "user_import.rows",
			[]string{"row 2, Vārds *: sheet.merged", "row 2, Uzvārds *: sheet.merged"}},
		{"text from right to left", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "A2", "An\u202ena")) }), 422, "user_import.rows", []string{"row 2, Vārds *: text.characters"}},
		{"nothing of width", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "D2", "a\u200bb@skola.example")) }), 422, "user_import.rows", []string{"row 2, E-pasta adrese *: identity.email"}},
		{"code as number", edit(func(x *excelize.File) { s.must(x.SetCellInt("Lietotāji", "C2", 33000000001)) }), 422, "user_import.rows", []string{"row 2, Personas kods *: sheet.number"}},
		{"nothing in a cell", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "C2", "")) }), 422, "user_import.rows", []string{"row 2, Personas kods *: identity.personal_code_missing"}},
		{"header in an address", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "D2", "a@b.lv\r\nBcc: x@y.lv")) }), 422, "user_import.rows", []string{"row 2, E-pasta adrese *: identity.email"}},
		{"one person twice", edit(func(x *excelize.File) {
			s.must(x.SetSheetRow("Lietotāji", "A3", &[]any{"Anna", "Liepa", "330000-00001", "b@skola.example"}))
		}), 422, "user_import.rows", []string{"row 3, Personas kods *: user_import.code_twice"}},
		{"wrong heading", edit(func(x *excelize.File) { s.must(x.SetCellStr("Lietotāji", "C1", "Talrunis")) }), 422, "sheet.headings",
			[]string{"row 1, Talrunis: sheet.heading_unknown", "row 1, Personas kods *: sheet.heading_missing"}},
		{"another sheet", edit(func(x *excelize.File) { s.must(x.SetSheetName("Lietotāji", "Lapa")) }), 422, "sheet.no_sheet", []string{"file"}},
		{"nobody", filled(s.filledIn()), 422, "sheet.empty", nil},
		{"CSV under its name", filled([]byte("Vārds;Uzvārds\n")), 422, "sheet.not_xlsx", nil},
		{"old Excel", filled([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on")), 422, "sheet.old_excel", nil},
		{"password", filled(protected(s, good)), 422, "sheet.encrypted", nil},
		{"100,000 rows", filled(manyRows(s, 100_000)), 413, "sheet.too_many_rows", nil},
		{"5,001 rows", filled(manyRows(s, 5_001)), 413, "sheet.too_many_rows", nil},
		{"zip bomb", filled(bomb.Bytes()), 413, "sheet.too_large", nil},
		{"6 MiB", filled(make([]byte, 6<<20)), 413, "http.too_large", nil},
		{"no file", without("file"), 422, "http.invalid", []string{"file"}},
		{"no source", without("source"), 422, "http.invalid", []string{"source"}},
		{"unknown source", another, 422, "http.invalid", []string{"source"}},
	} {
		s.tell(step{name: c.name, as: "admin", ask: "POST /schools/{school}/user-imports", form: c.form, status: c.status, code: c.code, fields: c.fields})
	}
	s.tell(
		step{name: "none is good", as: "admin", ask: "POST /schools/{school}/user-imports?accept_valid_rows=true", status: 422, code: "user_import.nothing",
			form: edit(func(x *excelize.File) { s.must(x.SetCellBool("Lietotāji", "A2", true)) })},
		step{name: "not a form", as: "admin", ask: "POST /schools/{school}/user-imports", body: `{}`, status: 415, code: "http.media_type"},
		step{name: "as it should be", as: "admin", ask: "POST /schools/{school}/user-imports", form: filled(good), status: 201, events: invited(1)},
		step{name: "letters in parts become whole", as: "admin", ask: "POST /schools/{school}/user-imports", status: 201, events: invited(1),
			form: edit(func(x *excelize.File) {
				s.must(x.SetSheetRow("Lietotāji", "A2", &[]any{"Li\u0304ga", "Liepin\u0327a", "33000000002", "liga@skola.example"}))
			})},
		step{as: "admin", ask: "GET /schools/{school}/users?q=liepina", status: 200, has: []string{"L\u012bga", "Liepi\u0146a"}},
	)
}

// protected is a file behind a password.
func protected(s *story, file []byte) []byte {
	secret, err := excelize.Encrypt(file, &excelize.Options{Password: "noslēpums"})
	s.must(err)
	return secret
}

// manyRows is a file with n users.
func manyRows(s *story, n int) []byte {
	f := excelize.NewFile()
	defer func() { s.must(f.Close()) }()
	rows, err := f.NewStreamWriter(f.GetSheetName(0))
	s.must(err)
	s.must(rows.SetRow("A1", []any{"Vārds", "Uzvārds", "Personas kods", "E-pasta adrese"}))
	for i := range n {
		s.must(rows.SetRow(fmt.Sprintf("A%d", i+2), []any{"A", "B", "1", "c"}))
	}
	s.must(rows.Flush())
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	s.must(err)
	return out.Bytes()
}
