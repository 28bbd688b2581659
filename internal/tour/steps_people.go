package tour

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A load is what came of loading a roster.
type load struct {
	ID                                                  string
	Added, Updated, Unchanged, Active, Classes, Courses int
	ClassChanged                                        int `json:"class_changed"`
	NotInFile                                           int `json:"not_in_file"`
	Errors                                              int
}

func (t *tour) rosters() string {
	admin, path := t.people.admin, "/schools/"+t.school+"/roster-syncs"
	head := t.head()
	var dry, first, again, edfi load
	t.upload(admin, path+"?dry_run=true", "skola.zip", t.sampleSchool, http.StatusOK).into(&dry)
	same(t, "events of a dry run", t.head(), head)
	t.upload(admin, path, "skola.zip", t.sampleSchool, http.StatusCreated).into(&first)
	same(t, "pupils added", first.Added, 120)
	same(t, "pupils afterwards", first.Active, 120)
	same(t, "classes", first.Classes, 6)
	same(t, "errors", first.Errors, 0)
	same(t, "pupils that the dry run foretold", dry.Added, first.Added)
	head = t.head()
	t.upload(admin, path, "skola.zip", t.sampleSchool, http.StatusCreated).into(&again)
	same(t, "changes by the same file again", again.Added+again.Updated+again.ClassChanged+again.NotInFile, 0)
	same(t, "pupils unchanged", again.Unchanged, 120)
	same(t, "events of the same file again", t.head()-head, 1)

	pupils, courses := t.count(t.sampleEdFi, "users.csv", "role", "student"), t.count(t.sampleEdFi, "classes.csv", "classType", "scheduled")
	t.upload(t.people.platform, "/schools/"+t.college+"/roster-syncs", "edfi.zip", t.sampleEdFi, http.StatusCreated).into(&edfi)
	same(t, "pupils of the second school", edfi.Added, pupils)
	same(t, "courses of the second school", edfi.Courses, courses)
	t.upload(admin, path, "edfi.zip", t.sampleEdFi, http.StatusUnprocessableEntity) // another school's file

	var classes struct{ Items []struct{ ID, Name string } }
	t.get(admin, "/schools/"+t.school+"/classes", http.StatusOK).into(&classes)
	for _, c := range classes.Items {
		if c.Name == "6.a" {
			t.class = c.ID
		}
	}
	t.check(t.class != "", "class 6.a is not in %v", classes.Items)
	var found struct {
		Items []struct {
			FamilyName string `json:"family_name"`
		}
	}
	t.get(admin, "/schools/"+t.school+"/students?q=liepina", http.StatusOK).into(&found)
	t.check(len(found.Items) > 0 && found.Items[0].FamilyName == "Liepiņa", "“liepina” finds %v", found.Items)
	return join(
		fmt.Sprintf("Parauga vidusskola: %d pupils, %d classes; the same file again: %d changes, 1 event", first.Added, first.Classes, 0),
		fmt.Sprintf("Grand Bend High School (Ed-Fi's sample): %s, %s", plural(edfi.Added, "pupil"), plural(edfi.Courses, "course")),
		"“liepina” finds Liepiņa",
	)
}

// count counts the rows of a file in an archive that have a value in a column.
func (t *tour) count(archive []byte, file, column, value string) int {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	t.must(err)
	f, err := z.Open(file)
	t.must(err)
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1 // the sample leaves columns out at the end of rows
	rows, err := r.ReadAll()
	t.must(err)
	n := 0
	for i, heading := range rows[0] {
		for _, row := range rows[1:] {
			if heading == column && i < len(row) && row[i] == value {
				n++
			}
		}
	}
	return n
}

// userRows is how many users the spreadsheet invites.
const userRows = 30

func (t *tour) spreadsheet() string {
	admin, path := t.people.admin, "/schools/"+t.school+"/user-imports"
	template := t.get(admin, "/schools/"+t.school+"/user-import-template", http.StatusOK).body
	bad := t.fill(template, func(i int) []string {
		row := userRow(i)
		switch i {
		case 4:
			row[2] = "161175-19998" // the check digit is wrong
		case 11:
			row[3] = "nav adrese"
		case 17:
			row[3] = userRow(16)[3] // stands in the file twice
		}
		return row
	})
	head, before := t.head(), len(t.mails())
	var refused struct {
		Errors []struct {
			Row    int
			Column string
		}
	}
	t.upload(admin, path, "lietotaji.xlsx", bad, http.StatusUnprocessableEntity, "source", "EMU").into(&refused)
	for i, want := range []struct {
		row    int
		column string
	}{{6, "Personas kods *"}, {13, "E-pasta adrese *"}, {19, "E-pasta adrese *"}} {
		t.check(i < len(refused.Errors) && refused.Errors[i].Row == want.row && refused.Errors[i].Column == want.column,
			"errors by row and column: %v, missing %v", refused.Errors, want)
	}
	same(t, "events of a refused file", t.head(), head)

	good := t.fill(template, userRow)
	var dry, done struct{ Rows, Invited int }
	t.upload(admin, path+"?dry_run=true", "lietotaji.xlsx", good, http.StatusOK, "source", "EMU").into(&dry)
	same(t, "events of a dry run", t.head(), head)
	t.upload(admin, path, "lietotaji.xlsx", good, http.StatusCreated, "source", "EMU").into(&done)
	same(t, "invited", done.Invited, userRows)
	same(t, "invited, as the dry run foretold", dry.Invited, done.Invited)
	t.mailTo(userRow(0)[3])
	same(t, "mails", len(t.mails())-before, userRows)

	var list struct {
		Items []struct {
			ID           string
			Email        string
			ClassTeacher bool `json:"class_teacher"`
		}
	}
	t.get(admin, "/schools/"+t.school+"/users?limit=100", http.StatusOK).into(&list)
	same(t, "users of the school", len(list.Items), userRows+1)
	t.get(admin, "/schools/"+t.school+"/users?q=berzina", http.StatusOK).into(&list)
	t.check(len(list.Items) == 1 && list.Items[0].Email == userRow(0)[3], "“berzina” finds %v", list.Items)
	t.people.teacherID = list.Items[0].ID
	t.put(admin, "/schools/"+t.school+"/users/"+t.people.teacherID+"/classes/"+t.class, nil, http.StatusOK)
	t.followLink(userRow(0)[3], password)
	t.people.teacher = t.signIn("class teacher", userRow(0)[3], password)
	return join(
		fmt.Sprintf("a file with 3 errors is refused whole: row %d %s, row %d %s, row %d %s", refused.Errors[0].Row, refused.Errors[0].Column,
			refused.Errors[1].Row, refused.Errors[1].Column, refused.Errors[2].Row, refused.Errors[2].Column),
		fmt.Sprintf("the corrected file: %d invited, %d mails; Laura Bērziņa becomes class teacher of 6.a", done.Invited, userRows),
	)
}

// userRow is one row of the spreadsheet.
func userRow(i int) []string {
	given := []string{"Laura", "Jānis", "Kristīne", "Māris", "Žanete", "Ģirts"}
	family := []string{"Bērziņa", "Ozols", "Kļaviņa", "Šmits", "Ābola", "Ņikitins"}
	if i == 0 {
		return []string{given[0], family[0], "330000-20000", "laura.berzina@skola.example"}
	}
	return []string{given[i%len(given)], family[1+i%(len(family)-1)], fmt.Sprintf("330000-2%04d", i), fmt.Sprintf("lietotajs%02d@skola.example", i)}
}

// fill fills the template in.
func (t *tour) fill(template []byte, row func(int) []string) []byte {
	f, err := excelize.OpenReader(bytes.NewReader(template))
	t.must(err)
	defer f.Close()
	for i := range userRows {
		for j, text := range row(i) {
			cell, err := excelize.CoordinatesToCellName(j+1, i+2)
			t.must(err)
			t.must(f.SetCellStr("Lietotāji", cell, text))
		}
	}
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	t.must(err)
	return out.Bytes()
}

func (t *tour) connection() string {
	const connect, signIn, subject = "/me/external-logins/eklase", "/sessions/external/eklase", "e-klase-17"
	address := userRow(1)[3]
	t.followLink(address, password)
	same(t, "E-klase before the first sign-in by e-mail", t.viaEklase(nil, signIn, subject).status, http.StatusUnauthorized)
	p := t.signIn("user", address, password)
	t.check(p.coded, "the first sign-in asks for no code")
	same(t, "E-klase, not connected", t.viaEklase(nil, signIn, subject).status, http.StatusUnauthorized)

	connected := t.viaEklase(p, connect, subject)
	t.check(connected.status == http.StatusOK && strings.Contains(connected.page, "The service is connected"), "connecting is answered by %d %s", connected.status, connected.page)
	same(t, "the same answer again", connected.again().status, http.StatusGone)
	same(t, "somebody else connects the same", t.viaEklase(t.people.admin, connect, subject).status, http.StatusConflict)
	in := t.viaEklase(nil, signIn, subject)
	t.check(in.status == http.StatusOK && in.session != "", "signing in by E-klase is answered by %d %s", in.status, in.page)
	var me struct{ Email string }
	t.get(&person{token: in.session}, "/me", http.StatusOK).into(&me)
	same(t, "who is signed in by E-klase", me.Email, address)
	t.ask(p, http.MethodDelete, "/me/external-logins/email", nil, http.StatusConflict).refused("identity.email_sign_in_stays")
	t.people.leaver = t.signIn("user", address, password)
	t.check(!t.people.leaver.coded, "the second sign-in by e-mail asks for a code")
	return "only after the first sign-in by e-mail and code, and only by the own wish; by e-mail it goes on as before"
}

func (t *tour) emailChange() string {
	old, other := userRow(1)[3], "jauna.adrese@skola.example"
	p := t.people.leaver
	t.post(p, "/me/email-change", nil, http.StatusAccepted)
	first := t.link("email-change", old)
	t.post(t.people.admin, "/me/email-change/"+first+"/address", fields{"email": other}, http.StatusForbidden) // another's session
	t.post(p, "/me/email-change/"+first+"/address", fields{"email": other}, http.StatusAccepted)
	second := t.link("email-confirmations", other)
	t.post(p, "/me/email-change/"+second+"/confirmation", nil, http.StatusNoContent)
	t.get(p, "/me", http.StatusUnauthorized)
	for _, address := range []string{old, other} {
		told := t.mailTo(address)
		t.check(strings.Contains(told.Text, "nomainīta"), "the mail to %s says %q", address, told.Text)
	}
	t.post(nil, "/sessions", fields{"email": old, "password": password}, http.StatusUnauthorized)
	t.people.leaver = t.signIn("user", other, password)
	return "link to the old mailbox → new address → link to the new mailbox → all sessions end; both are told"
}

func (t *tour) deletion() string {
	p := t.people.leaver
	var me struct {
		ID         string
		FamilyName string `json:"family_name"`
	}
	t.get(p, "/me", http.StatusOK).into(&me)
	export := t.get(p, "/me/export", http.StatusOK)
	t.check(strings.Contains(string(export.body), me.FamilyName), "the export has no name")
	t.ask(p, http.MethodDelete, "/me", nil, http.StatusNoContent)
	t.get(p, "/me", http.StatusUnauthorized)
	t.post(nil, "/sessions", fields{"email": "jauna.adrese@skola.example", "password": password}, http.StatusUnauthorized)
	t.get(t.people.admin, "/schools/"+t.school+"/users/"+me.ID, http.StatusNotFound)
	out, err := t.server.tool(t.ctx, "replay", "account-"+me.ID)
	t.must(err)
	t.check(strings.Contains(out, "identity.user_invited") && !strings.Contains(out, me.FamilyName), "replay says %s", out)
	return "exported, then gone at once; the history goes on under a number, and nobody can read any more who it was"
}
