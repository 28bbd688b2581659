package httpapi

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zurnals/domain/access"
	"zurnals/internal/trace"
	"zurnals/projections/students"
)

// rosterZip packs one day of the made-up school; changes are a file and pairs
// of what is replaced in it.
func rosterZip(t *testing.T, day string, changes ...string) []byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "internal", "oneroster", "testdata", day, "*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", day, err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		if len(changes) > 0 && changes[0] == filepath.Base(path) {
			text = strings.NewReplacer(changes[1:]...).Replace(text)
		}
		w, err := z.Create(filepath.Base(path))
		if err == nil {
			_, err = w.Write([]byte(text))
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

// rosterZipOf packs a made-up day: the files of the first one, of which some
// are replaced.
func rosterZipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"manifest.csv", "academicSessions.csv", "orgs.csv", "classes.csv", "users.csv", "enrollments.csv", "lineItems.csv", "results.csv", "absences.csv"} {
		text, ok := files[name]
		if !ok && slices.Contains([]string{"lineItems.csv", "results.csv", "absences.csv"}, name) {
			continue
		}
		if !ok {
			content, err := os.ReadFile(filepath.Join("..", "internal", "oneroster", "testdata", "roster_lv/01_initial", name))
			if err != nil {
				t.Fatal(err)
			}
			text = string(content)
		}
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
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

func rosterForm(file []byte) formBody {
	return formBody{files: map[string]formFile{"file": {"roster.zip", file}}}
}

// bomb is a small archive that is large when unpacked.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("users.csv")
	for range 100 {
		if err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const loaded = "roster.student_registered"

func TestARosterIsLoaded(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "R01", "R03", "R14", "R15", "EMU-098", "EMU-101", "EMU-113")
	s := newStory(t, students.Projection)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("other", post{access.SchoolAdmin, "elsewhere"})
	s.hire("vadiba", post{access.SchoolManagement, "school"})
	const path = "POST /schools/{school}/roster-syncs"
	first := rosterForm(rosterZip(t, "roster_lv/01_initial"))

	s.tell(
		step{ask: path, form: first, status: 401, code: "session.sign_in"},
		step{as: "vadiba", ask: path, form: first, status: 403, code: "access.forbidden"},
		step{as: "other", ask: path, form: first, status: 404, code: "access.not_found"},
		step{name: "another school's file", as: "other", ask: "POST /schools/{elsewhere}/roster-syncs", form: first, status: 422, code: "oneroster.other_school"},
		step{as: "dace", ask: "POST /schools/nonsense/roster-syncs", form: first, status: 404, code: "id.malformed"},
		step{name: "no archive", as: "dace", ask: path, form: rosterForm([]byte("sourcedId,status")), status: 422, code: "oneroster.archive"},
		step{name: "a zip bomb", as: "dace", ask: path, form: rosterForm(bomb(t)), status: 413, code: "oneroster.too_large"},
		step{name: "a wrong heading", as: "dace", ask: path, form: rosterForm(rosterZip(t, "roster_lv/01_initial", "users.csv", "familyName", "surname")),
			status: 422, code: "oneroster.header", fields: []string{"row 1, familyName: oneroster.header"}, has: []string{`"users.csv"`, "Kolonnas trūkst"}},
		step{name: "17 MiB", as: "dace", ask: path, form: rosterForm(make([]byte, 17<<20)), status: 413, code: "http.too_large"},
		step{name: "no file", as: "dace", ask: path, form: formBody{fields: map[string]string{"archive": "x"}}, status: 422, code: "http.invalid"},
		step{name: "dry run", as: "dace", ask: path + "?dry_run=true", form: first, status: 200, has: []string{`"added":120`, `"active":120`, `"dry_run":true`}, hasNot: []string{`"id"`}},
		step{name: "OneRoster 1.0", as: "dace", ask: path, form: rosterForm(rosterZip(t, "edfi_1.0")), status: 422, code: "oneroster.manifest"},
	)

	before, err := s.log.Head(t.Context())
	s.must(err)
	started := time.Now()
	a := s.send(step{as: "dace", ask: path, form: first, headers: []string{"Idempotency-Key: first-load"}}, 0)
	t.Logf("120 pupils loaded in %v", time.Since(started))
	if a.Code != http.StatusCreated || !strings.Contains(a.Body.String(), `"added":120`) || a.Header().Get("Location") == "" || a.Header().Get("Zurnals-Position") == "" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if got := strings.Count(s.since(before), loaded); got != 120 {
		t.Errorf("%d pupils registered", got)
	}
	s.must(json.Unmarshal(a.Body.Bytes(), &struct{}{}))
	var run struct{ ID string }
	s.must(json.Unmarshal(a.Body.Bytes(), &run))
	s.names["run"] = run.ID

	s.tell(
		step{name: "the same request", as: "dace", ask: path, form: first, headers: []string{"Idempotency-Key: first-load"}, status: 201, has: []string{`"added":120`, "{run}"}},
		step{name: "another under its key", as: "dace", ask: path, form: rosterForm(rosterZip(t, "roster_lv/02_normal_day")), headers: []string{"Idempotency-Key: first-load"}, status: 422, code: "idempotency.reused"},
		step{name: "the same file", as: "dace", ask: path, form: first, status: 201, events: "roster.sync_completed", has: []string{`"added":0`, `"unchanged":120`}},
		step{name: "bad rows", as: "dace", ask: path, form: rosterForm(rosterZip(t, "roster_lv/01_initial", "users.csv", "Pēteris,Liepiņa", ",Liepiņa")), status: 201, events: "roster.sync_completed",
			has: []string{`"damaged":1`, `"not_in_file":0`, `{"file":"users.csv","row":2,"field":"givenName","code":"oneroster.required","detail":"Lauks nedrīkst būt tukšs","warning":false}`}, keep: "bad"},

		step{as: "dace", ask: "GET /schools/{school}/roster-syncs?limit=2", status: 200, has: []string{"{bad}", `"next"`}, hasNot: []string{"{run}"}},
		step{as: "dace", ask: "GET /schools/{school}/roster-syncs/{bad}", status: 200, has: []string{`"oneroster.required"`, `"state":"completed"`}},
		step{as: "dace", ask: "GET /schools/{school}/roster-syncs/{run}", status: 200, has: []string{`"added":120`}},
		step{as: "other", ask: "GET /schools/{school}/roster-syncs/{run}", status: 404, code: "access.not_found"},
		step{as: "other", ask: "GET /schools/{elsewhere}/roster-syncs/{run}", status: 404, code: "access.not_found"},

		step{as: "dace", ask: "GET /schools/{school}/students?q=berzins&limit=200", status: 200, has: []string{"Bērziņš"}, hasNot: []string{"Liepiņa"}},
		step{as: "dace", ask: "GET /schools/{school}/students?limit=1", status: 200, has: []string{`-*****"`, `"in_file":true`, `"next"`}},
		step{as: "dace", ask: "GET /schools/{school}/students?day=0000-01-01", status: 422, code: "date.invalid"},
		step{as: "dace", ask: "GET /schools/{school}/students?day=2025-02-30", status: 422, code: "http.invalid"},
		step{as: "dace", ask: "GET /schools/{school}/students?cursor=AAAA", status: 422, code: "list.cursor"},
		step{as: "dace", ask: "GET /schools/{school}/students?class={elsewhere_class}", status: 404, code: "access.not_found"},
		step{as: "vadiba", ask: "GET /schools/{school}/students", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /schools/{school}/students", status: 404, code: "access.not_found"},
		step{as: "dace", ask: "GET /schools/{school}/classes?school_year={year}", status: 200, has: []string{`"name":"6.a"`, `{class}`, `"students":20`}},
	)
	if got := names(t, s.tell(step{as: "dace", ask: "GET /schools/{school}/classes", status: 200})); got != "1.a 1.b 6.a 6.b 9.a 10.a 12.c" {
		t.Errorf("classes %s", got)
	}
}

func names(t *testing.T, a answer) string {
	t.Helper()
	var page struct{ Items []struct{ Name string } }
	if err := json.Unmarshal(a.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, item := range page.Items {
		all = append(all, item.Name)
	}
	return strings.Join(all, " ")
}

func TestALearnerAccount(t *testing.T) {
	t.Parallel()
	s := newStory(t, students.Projection)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("other", post{access.SchoolAdmin, "elsewhere"})
	s.hire("inga", post{access.ClassTeacher, "class"}) // of 6.a
	if a := s.send(step{as: "dace", ask: "POST /schools/{school}/roster-syncs", form: rosterForm(rosterZip(t, "roster_lv/01_initial"))}, 0); a.Code != 201 {
		t.Fatal(a.Body)
	}
	pupils := func(as, query string) (ids []string) {
		var page struct {
			Items []struct {
				ID      string
				Classes []struct{ Name string }
			}
		}
		a := s.tell(step{as: as, ask: "GET /schools/{school}/students?limit=200" + query, status: 200})
		s.must(json.Unmarshal(a.Body.Bytes(), &page))
		for _, p := range page.Items {
			ids = append(ids, p.ID)
		}
		return ids
	}
	mine, all := pupils("inga", ""), pupils("dace", "")
	if len(mine) != 20 || len(all) != 120 || len(pupils("inga", "&class={class}")) != 20 {
		t.Fatalf("%d of %d", len(mine), len(all))
	}
	s.names["pupil"] = mine[0]
	for _, id := range all {
		if !strings.Contains(fmt.Sprint(mine), id) {
			s.names["stranger"] = id
		}
	}
	const path = "POST /schools/{school}/students/{pupil}/learner-account"
	s.tell(
		step{as: "inga", ask: "POST /schools/{school}/students/{stranger}/learner-account", status: 403, code: "access.forbidden"},
		step{as: "inga", ask: "GET /schools/{school}/students/{stranger}", status: 404, code: "access.not_found"},
		step{as: "inga", ask: "GET /schools/{school}/students/{pupil}", status: 200, has: []string{"6.a"}},
		step{as: "other", ask: path, status: 404, code: "access.not_found"},
		step{as: "other", ask: "POST /schools/{elsewhere}/students/{pupil}/learner-account", status: 404, code: "roster.no_student"},
	)
	var issued struct{ ID, Code string }
	issue := func(as string) {
		a := s.tell(step{as: as, ask: path, status: 201, events: "learner.code_issued"})
		s.must(json.Unmarshal(a.Body.Bytes(), &issued))
	}
	a := s.tell(step{as: "inga", ask: path, status: 201, events: "learner.opened learner.code_issued"})
	s.must(json.Unmarshal(a.Body.Bytes(), &issued))
	first := issued.Code
	issue("dace") // it replaces the first

	activate := func(code string) string { return "POST /learner/activations/" + code }
	const choice = `{"username":"Pūce","password":"zaļa zāle"}`
	good := strings.Replace(choice, "Pūce", "Puce.1", 1)
	made := s.tell(
		step{name: "replaced", ask: activate(first), body: good, status: 404, code: "learner.code"},
		step{name: "made up", ask: activate("AAAA-BBBB-CCCC"), body: good, status: 404, code: "learner.code"},
		step{name: "name and password", ask: activate(issued.Code), body: `{"username":"Pūce","password":"x"}`, status: 422, code: "request.fields", fields: []string{"username", "password"}},
		step{name: "nobody signs in yet", ask: "POST /learner/sessions", body: good, status: 401, code: "learner.sign_in"},
		step{name: "activated", ask: activate(strings.ToLower(issued.Code)), body: good, status: 201, events: "learner.activated"},
		step{name: "used", ask: activate(issued.Code), body: good, status: 404, code: "learner.code"},
		step{name: "wrong password", ask: "POST /learner/sessions", body: strings.Replace(good, "zaļa", "zila", 1), status: 401, code: "learner.sign_in"},
		step{name: "unknown name", ask: "POST /learner/sessions", body: strings.Replace(good, "Puce.1", "puce.2", 1), status: 401, code: "learner.sign_in"},
		step{name: "signed in", ask: "POST /learner/sessions", body: good, status: 201, events: "learner.signed_in"},
	)
	var session struct{ Token string }
	s.must(json.Unmarshal(made.Body.Bytes(), &session))
	if cookie := made.Header().Get("Set-Cookie"); !strings.Contains(cookie, "zurnals-learner=") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("cookie %s", cookie)
	}
	s.tokens["pupil"] = session.Token
	s.tell(
		step{name: "a pupil is no staff", as: "pupil", ask: "GET /schools/{school}/students", status: 401, code: "session.sign_in"},
		step{as: "pupil", ask: "DELETE /learner/sessions/current", status: 204},
		step{name: "signed out", as: "pupil", ask: "DELETE /learner/sessions/current", status: 401, code: "session.sign_in"},
		step{name: "staff are no pupils", as: "dace", ask: "DELETE /learner/sessions/current", status: 401, code: "session.sign_in"},
	)
	if log := s.output.String(); strings.Contains(log, issued.Code) || strings.Contains(log, "zāle") || strings.Contains(strings.ToLower(log), "puce.1") {
		t.Error("a secret is in the server's log")
	}
}
