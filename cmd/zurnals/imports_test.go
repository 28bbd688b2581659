package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"zurnals/commands"
	"zurnals/internal/pgtest"
	"zurnals/internal/sheet"
)

// pupilsFile is a roster archive of the demo school with n more pupils.
func pupilsFile(t *testing.T, n int) []byte {
	t.Helper()
	var users, enrolments strings.Builder
	users.WriteString("sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades\n")
	enrolments.WriteString("sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n")
	for i := range n {
		fmt.Fprintf(&users, "big-%d,,,true,org-skola,student,u,,Jānis %d,Bērziņš,,,,,,,\n", i, i)
		fmt.Fprintf(&enrolments, "bige-%d,,,bigk,org-skola,big-%d,student,,,\n", i, i)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"manifest.csv":         "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.academicSessions,bulk\nfile.orgs,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.enrollments,bulk\n",
		"orgs.csv":             "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\norg-skola,,,Skola,school,,\n",
		"academicSessions.csv": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\nbigy,,,2025,schoolYear,2025-09-01,2026-08-31,,2026\n",
		"classes.csv":          "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds\nbigk,,,9.z,,,,homeroom,,org-skola,bigy\n",
		"users.csv":            users.String(), "enrollments.csv": enrolments.String(),
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// usersFile is a spreadsheet with n users.
func usersFile(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	x, err := sheet.NewXLSX(&b, "Lietotāji")
	if err == nil {
		err = x.Head(commands.UserColumns)
	}
	for i := 0; i < n && err == nil; i++ {
		err = x.Row([]any{"Jānis", "Bērziņš", fmt.Sprintf("33%04d-%05d", i, i), fmt.Sprintf("janis%d@skola.example", i)})
	}
	if err == nil {
		err = x.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A server is killed twice in the middle of each import. The same request, sent
// again under its key, goes on where it was: it appends only the rest.
func TestAnImportGoesOnAfterAKill(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	i.flags = append(i.flags, "-dev", "-smtp", "")
	count := func(kind string) (n int) {
		t.Helper()
		if err := i.db.App.QueryRow(context.Background(), `SELECT count(*) FROM es.event WHERE type = $1`, kind).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	p, at := i.serves()
	token := ""
	send := func(r *http.Request, into any) (status int, err error) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := patient.Do(r)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err == nil {
			err = json.Unmarshal(body, into)
		}
		if err == nil && answer.StatusCode/100 != 2 {
			err = fmt.Errorf("%d %s", answer.StatusCode, body)
		}
		return answer.StatusCode, err
	}
	ask := func(method, path, body string, into any) {
		t.Helper()
		r, err := http.NewRequest(method, at.URL+"/api/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if _, err := send(r, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var session struct{ Token string }
	ask("POST", "/sessions", `{"email":"skola@zurnals.example","password":"`+demoPassword+`"}`, &session)
	token = session.Token
	var roles struct {
		Items []struct {
			School string `json:"school_id"`
		}
	}
	ask("GET", "/me/roles", "", &roles)
	school := roles.Items[0].School

	upload := func(path string, file []byte) (map[string]json.RawMessage, error) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "file")
		if err == nil {
			_, err = part.Write(file)
		}
		if err == nil && path == "/user-imports" {
			err = form.WriteField("source", "EMU")
		}
		if err == nil {
			err = form.Close()
		}
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequest("POST", at.URL+"/api/v1/schools/"+school+path, &body)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Idempotency-Key", "import"+path)
		var answer map[string]json.RawMessage
		_, err = send(r, &answer)
		return answer, err
	}
	const pupils, users = 2_400, 2_000
	for _, c := range []struct {
		path  string
		file  []byte
		chunk string // the event of each append
		row   string // and of each row
		rows  int
	}{
		{"/roster-syncs", pupilsFile(t, pupils), "roster.chunk_applied", "roster.student_registered", pupils},
		{"/user-imports", usersFile(t, users), "identity.user_rows_taken", "identity.user_invited", users},
	} {
		chunks, rows := count(c.chunk), count(c.row)
		for range 2 {
			before := count(c.chunk)
			answered := make(chan error, 1)
			go func() {
				_, err := upload(c.path, c.file)
				answered <- err
			}()
			eventually(t, "a part is loaded", func() bool { return count(c.chunk) > before || len(answered) > 0 })
			if len(answered) > 0 {
				t.Fatalf("%s: it was over before the kill: %v", c.path, <-answered)
			}
			p.kill()
			if err := <-answered; err == nil {
				t.Fatalf("%s: it was over before the kill", c.path)
			}
			t.Logf("%s: killed after %d of %d rows", c.path, count(c.row)-rows, c.rows)
			p, at = i.serves()
		}
		if done := count(c.row) - rows; done == 0 || done == c.rows {
			t.Errorf("%s: %d rows before the last try: the test shows nothing", c.path, done)
		}
		answer, err := upload(c.path, c.file)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		t.Logf("%s: %d appends, state %s", c.path, count(c.chunk)-chunks, answer["state"])
		if n := count(c.row) - rows; n != c.rows {
			t.Errorf("%s: %d rows became %d events %s", c.path, c.rows, n, c.row)
		}
		if n := count(c.chunk) - chunks; n != (c.rows+199)/200 {
			t.Errorf("%s: %d appends of 200 rows for %d rows", c.path, n, c.rows)
		}
	}
}
