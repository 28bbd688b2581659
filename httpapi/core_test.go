package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/securitylog"
	"zurnals/internal/sessions"
	"zurnals/internal/trace"
)

// A world is a server with routes of the test's own, and the people who ask.
type world struct {
	t        *testing.T
	api      *API
	handler  http.Handler
	sessions *fakeSessions
	who      *fakeWho
	security *fakeSecurity
	log      *bytes.Buffer
	now      time.Time
}

// monday is when tests begin: 08:00 in Riga.
var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, routes func(*API)) *world {
	w := &world{t: t, sessions: &fakeSessions{}, who: &fakeWho{}, security: &fakeSecurity{}, log: new(bytes.Buffer), now: monday}
	w.api = &API{
		Who: w.who, Learners: w.who, Sessions: w.sessions, Security: w.security,
		Now: func() time.Time { return w.now },
		Log: slog.New(slog.NewJSONHandler(w.log, nil)), PublicURL: "https://zurnals.example",
		HashKey: []byte("0123456789abcdef0123456789abcdef"),
	}
	w.handler = w.api.handler(func() { routes(w.api) })
	return w
}

// signIn gives somebody a session and returns its token.
func (w *world) signIn(held ...access.Assignment) (token string) {
	account := uuid.Must(uuid.NewV7())
	w.who.held = held
	token, _, err := w.sessions.Create(w.t.Context(), sessions.Session{Realm: sessions.Staff, Subject: account})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// An answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	problem problem
}

// send sends a request with headers given as "Name: value".
func (w *world) send(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := answer{ResponseRecorder: rec}
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.problem); err != nil {
			w.t.Fatalf("%s: %v", rec.Body, err)
		}
		if a.problem.Status != rec.Code || a.problem.Title == "" || a.problem.RequestID != rec.Header().Get("Zurnals-Request") {
			w.t.Errorf("problem does not fit its answer %d: %s", rec.Code, rec.Body)
		}
	} else if rec.Code >= 400 {
		w.t.Errorf("%d is not told as a problem but as %s: %s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	return a
}

// wants checks status, code and the fields that are named as wrong.
func (a answer) wants(t *testing.T, status int, code string, fields ...string) {
	t.Helper()
	var got []string
	for _, e := range a.problem.Errors {
		got = append(got, e.Field)
	}
	if a.Code != status || a.problem.Code != code || strings.Join(got, " ") != strings.Join(fields, " ") {
		t.Errorf("%d %s %q; want %d %s %q: %s", a.Code, a.problem.Code, got, status, code, fields, a.Body)
	}
}

type fakeSessions struct {
	mu  sync.Mutex
	all map[string]sessions.Session
}

func (f *fakeSessions) Create(_ context.Context, n sessions.Session) (string, sessions.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[string]sessions.Session)
	}
	token := "token-" + uuid.NewString()
	n.CreatedAt, n.ExpiresAt = monday, monday.Add(time.Hour)
	f.all[token] = n
	return token, n, nil
}

func (f *fakeSessions) Find(_ context.Context, realm sessions.Realm, token string) (sessions.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.all[token]; ok && s.Realm == realm {
		return s, nil
	}
	return sessions.Session{}, sessions.ErrNone
}

func (f *fakeSessions) List(context.Context, sessions.Realm, uuid.UUID) ([]sessions.Session, error) {
	return nil, nil
}

func (f *fakeSessions) End(context.Context, sessions.Realm, uuid.UUID, domain.SessionID) (bool, error) {
	return false, nil
}

func (f *fakeSessions) EndAll(context.Context, sessions.Realm, uuid.UUID, domain.SessionID) error {
	return nil
}

type fakeWho struct{ held []access.Assignment }

func (f *fakeWho) Who(_ context.Context, account domain.AccountID, _ int, wanted domain.AssignmentID) (access.Actor, error) {
	by := access.Actor{Kind: domain.ActorAccount, ID: account.UUID}
	if !wanted.IsZero() {
		for _, h := range f.held {
			if h.ID == wanted {
				by.Active = h
				return by, nil
			}
		}
		return access.Actor{}, access.ErrNoRole
	}
	switch len(f.held) {
	case 0:
		return by, nil
	case 1:
		by.Active = f.held[0]
		return by, nil
	}
	return by, access.ErrChooseRole
}

func (f *fakeWho) WhoLearner(_ context.Context, learner domain.LearnerID, _ int) (access.Actor, error) {
	return access.Actor{Kind: domain.ActorLearner, ID: learner.UUID}, nil
}

func (f *fakeWho) Held(context.Context, domain.AccountID) ([]access.Assignment, error) {
	return f.held, nil
}

type fakeSecurity struct {
	mu      sync.Mutex
	entries []securitylog.Entry
}

func (f *fakeSecurity) Record(_ context.Context, e securitylog.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, e)
	return nil
}

func (f *fakeSecurity) List(context.Context, securitylog.Question) ([]securitylog.Entry, error) {
	return f.entries, nil
}

func (f *fakeSecurity) About(context.Context, uuid.UUID, securitylog.Mark, time.Time, int) ([]securitylog.Entry, error) {
	return f.entries, nil
}

// echoIn is the input of a route that has everything.
type echoIn struct {
	School string `path:"school"`
	Days   int    `query:"days" minimum:"1" maximum:"30"`
	Body   struct {
		Email string `json:"email" maxLength:"20"`
		Note  string `json:"note,omitempty"`
		Marks []struct {
			Status string `json:"status" enum:"present,absent"`
		} `json:"marks,omitempty" maxItems:"3"`
	}
}

type echoOut struct {
	Body struct {
		Command     string `json:"command"`
		Fingerprint []byte `json:"fingerprint"`
		Role        string `json:"role"`
	}
}

// echo declares the route POST /schools/{school}/echo for administrators; f
// decides what comes of it.
func echo(f func(context.Context, access.Actor) error) func(*API) {
	return func(a *API) {
		handle(a, route{id: "echo", method: "POST", path: "/schools/{school}/echo", summary: "Echo", permission: access.ManageUsers},
			func(ctx context.Context, by access.Actor, in *echoIn) (*echoOut, error) {
				if err := f(ctx, by); err != nil {
					return nil, err
				}
				out := new(echoOut)
				out.Body.Command, out.Body.Fingerprint, out.Body.Role = by.Command.String(), by.Fingerprint, by.Active.ID.String()
				return out, nil
			})
	}
}

func fine(context.Context, access.Actor) error { return nil }

var admin = access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: access.SchoolAdmin,
	Scope: access.Scope{School: domain.NewID[domain.SchoolID](), Municipality: domain.NewID[domain.MunicipalityID]()}}

const echoPath = "/api/v1/schools/0198f5e2-0000-7000-8000-0000000005c1/echo"

func TestBadInputIsToldAsAProblem(t *testing.T) {
	w := newWorld(t, echo(fine))
	token := "Authorization: Bearer " + w.signIn(admin)
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
		fields                   []string
	}{
		{name: "as it should be", body: `{"email":"a@b.lv"}`, status: 200},
		{name: "duplicate keys", body: `{"email":"x","email":"a@b.lv"}`, status: 200},
		{name: "broken off", body: `{"email":`, status: 400, code: "http.malformed"},
		{name: "something behind it", body: `{"email":"a"} {}`, status: 400, code: "http.malformed"},
		{name: "not UTF-8", body: "{\"email\":\"\xff\"}", status: 400, code: "http.malformed"},
		{name: "character zero", body: `{"email":"a\u0000"}`, status: 400, code: "http.malformed"},
		{name: "no character zero", body: `{"email":"\\u0000"}`, status: 200},
		{name: "nested deeply", body: `{"email":"a","note":` + deep + `}`, status: 400, code: "http.malformed"},
		{name: "nothing", body: "", status: 400, code: "http.malformed"},
		{name: "null", body: "null", status: 422, code: "http.invalid", fields: []string{""}},
		{name: "a list", body: "[]", status: 422, code: "http.invalid", fields: []string{""}},
		{name: "unknown field", body: `{"email":"a","e_mail":"b"}`, status: 422, code: "http.invalid", fields: []string{"e_mail"}},
		{name: "another case", body: `{"Email":"a"}`, status: 422, code: "http.invalid", fields: []string{"email", "Email"}},
		{name: "missing field", body: `{}`, status: 422, code: "http.invalid", fields: []string{"email"}},
		{name: "wrong type", body: `{"email":1}`, status: 422, code: "http.invalid", fields: []string{"email"}},
		{name: "20 characters", body: `{"email":"āāāāāāāāāāāāāāāāāāāā"}`, status: 200},
		{name: "21 characters", body: `{"email":"āāāāāāāāāāāāāāāāāāāāa"}`, status: 422, code: "http.invalid", fields: []string{"email"}},
		{name: "deep in a list", body: `{"email":"a","marks":[{"status":"present"},{"status":"late"}]}`, status: 422, code: "http.invalid", fields: []string{"marks[1].status"}},
		{name: "too many", body: `{"email":"a","marks":[{"status":"absent"},{"status":"absent"},{"status":"absent"},{"status":"absent"}]}`, status: 422, code: "http.invalid", fields: []string{"marks"}},
		{name: "query out of bounds", path: "?days=31", body: `{"email":"a"}`, status: 422, code: "http.invalid", fields: []string{"query.days"}},
		{name: "query not a number", path: "?days=many", body: `{"email":"a"}`, status: 422, code: "http.invalid", fields: []string{"query.days"}},
		{name: "unknown query", path: "?day=3", body: `{"email":"a"}`, status: 422, code: "http.invalid", fields: []string{"query.day"}},
		{name: "zero in the query", path: "?days=%00", body: `{"email":"a"}`, status: 422, code: "http.invalid"},
		{name: "zero in the path", path: "%00", body: `{"email":"a"}`, status: 404, code: "http.no_route"},
		{name: "query written wrongly", path: "?days=%zz", body: `{"email":"a"}`, status: 422, code: "http.invalid"},
		{name: "1 MiB", body: `{"email":"a","note":"` + strings.Repeat("x", 1<<20-len(`{"email":"a","note":""}`)) + `"}`, status: 200},
		{name: "1 MiB and one", body: `{"email":"a","note":"` + strings.Repeat("x", 1<<20+1-len(`{"email":"a","note":""}`)) + `"}`, status: 413, code: "http.too_large"},
		{name: "2 MiB", body: strings.Repeat("x", 2<<20), status: 413, code: "http.too_large"},
		{name: "content type", body: "email=a", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "http.media_type"},
		{name: "compressed", body: "x", headers: []string{"Content-Encoding: gzip"}, status: 415, code: "http.encoding"},
		{name: "only XML is read", body: `{"email":"a"}`, headers: []string{"Accept: application/xml"}, status: 406, code: "http.not_acceptable"},
		{name: "JSON is not wanted", body: `{"email":"a"}`, headers: []string{"Accept: application/json;q=0, text/plain"}, status: 406, code: "http.not_acceptable"},
		{name: "a browser", body: `{"email":"a"}`, headers: []string{"Accept: text/html,*/*;q=0.8"}, status: 200},
		{name: "role is not an id", body: `{"email":"a"}`, headers: []string{"Zurnals-Role: admin"}, status: 422, code: "role.malformed", fields: []string{"header.Zurnals-Role"}},
		{name: "role of somebody else", body: `{"email":"a"}`, headers: []string{"Zurnals-Role: " + uuid.NewString()}, status: 403, code: "access.no_role"},
		{name: "short key", body: `{"email":"a"}`, headers: []string{"Idempotency-Key: 1234567"}, status: 422, code: "idempotency.malformed", fields: []string{"header.Idempotency-Key"}},
		{name: "key of 8", body: `{"email":"a"}`, headers: []string{"Idempotency-Key: 12345678"}, status: 200},
		{name: "key of 201", body: `{"email":"a"}`, headers: []string{"Idempotency-Key: " + strings.Repeat("k", 201)}, status: 422, code: "idempotency.malformed", fields: []string{"header.Idempotency-Key"}},
		{name: "position", body: `{"email":"a"}`, headers: []string{"Zurnals-Min-Position: -1"}, status: 422, code: "position.malformed", fields: []string{"header.Zurnals-Min-Position"}},
		{name: "not signed in", body: `{"email":"a"}`, headers: []string{"Authorization: Bearer nobody"}, status: 401, code: "session.sign_in"},
		{name: "method", method: "PATCH", status: 405, code: "http.method"},
		{name: "no such route", path: "/more", status: 404, code: "http.no_route"},
		{name: "another site", body: `{"email":"a"}`, headers: []string{"Sec-Fetch-Site: cross-site"}, status: 403, code: "http.cross_origin"},
		{name: "another origin", body: `{"email":"a"}`, headers: []string{"Origin: https://evil.example"}, status: 403, code: "http.cross_origin"},
		{name: "our own origin", body: `{"email":"a"}`, headers: []string{"Origin: https://zurnals.example"}, status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = "POST"
			}
			a := w.send(method, echoPath+c.path, c.body, append([]string{token}, c.headers...)...)
			a.wants(t, c.status, c.code, c.fields...)
		})
	}
}

// What type a field has is told in the language of the answer, whatever checks
// the field, and to programs by a word that stays.
func TestTypesAreToldInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t, echo(fine))
	token := "Authorization: Bearer " + w.signIn(admin)
	for _, c := range []struct{ path, body, what, lv, en string }{
		{"", `{"email":1}`, "string", "Gaidītais veids: teksts", "expected: a text"},
		{"", `{"email":"a","marks":1}`, "array", "Gaidītais veids: saraksts", "expected: a list"},
		{"", `[]`, "object", "Gaidītais veids: objekts", "expected: an object"},
		{"?days=many", `{"email":"a"}`, "integer", "Gaidītais veids: vesels skaitlis", "expected: a whole number"},
	} {
		for language, want := range map[string]string{"lv": c.lv, "en": c.en} {
			a := w.send("POST", echoPath+c.path, c.body, token, "Accept-Language: "+language)
			if e := a.problem.Errors; len(e) != 1 || e[0].Code != "field.type" || e[0].What != c.what || e[0].Detail != want {
				t.Errorf("%s %s in %s: %+v", c.path, c.body, language, e)
			}
		}
	}
}

func TestAFaultOfOursIsNotTold(t *testing.T) {
	secret := errors.New("password=hunter2")
	w := newWorld(t, echo(func(context.Context, access.Actor) error { return secret }))
	a := w.send("POST", echoPath, `{"email":"a"}`, "Authorization: Bearer "+w.signIn(admin))
	a.wants(t, 500, "http.internal")
	if strings.Contains(a.Body.String(), "hunter2") {
		t.Error(a.Body)
	}
	if log := w.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, a.problem.RequestID) {
		t.Errorf("the log does not tell what went wrong: %s", log)
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	w := newWorld(t, echo(func(context.Context, access.Actor) error { panic("oh no") }))
	w.send("POST", echoPath, `{"email":"a"}`, "Authorization: Bearer "+w.signIn(admin)).wants(t, 500, "http.internal")
	if !strings.Contains(w.log.String(), "oh no") {
		t.Error(w.log)
	}
}

func TestTheAllowHeaderNamesWhatThereIs(t *testing.T) {
	w := newWorld(t, echo(fine))
	a := w.send("DELETE", echoPath, "")
	a.wants(t, 405, "http.method")
	if got := a.Header().Get("Allow"); got != "POST" {
		t.Error(got)
	}
}

func TestTextsAreInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t, echo(fine))
	for accept, title := range map[string]string{
		"":                 "Vispirms pieslēdzieties",
		"lv-LV,en;q=0.8":   "Vispirms pieslēdzieties",
		"en-GB,en;q=0.9":   "sign in first",
		"de":               "Vispirms pieslēdzieties",
		"not a language!!": "Vispirms pieslēdzieties",
	} {
		a := w.send("POST", echoPath, `{}`, "Accept-Language: "+accept)
		a.wants(t, 401, "session.sign_in")
		if a.problem.Title != title || a.problem.Type != "https://zurnals.example/problems#session.sign_in" {
			t.Errorf("%s: %s", accept, a.Body)
		}
	}
}

func TestRefusalsOfTheDomain(t *testing.T) {
	var err error
	w := newWorld(t, echo(func(context.Context, access.Actor) error { return err }))
	token := "Authorization: Bearer " + w.signIn(admin)
	for kind, status := range statuses {
		err = domain.Refuse(kind, "example.refused", "refused").With(domain.Detail{File: "users.csv", Row: 3, Column: "email", Code: "field.required"})
		a := w.send("POST", echoPath, `{"email":"a"}`, token)
		a.wants(t, status, "example.refused", "")
		if e := a.problem.Errors[0]; e.File != "users.csv" || e.Row != 3 || e.Column != "email" || e.Detail != "Obligāts lauks" {
			t.Errorf("%+v", e)
		}
		waits := kind == domain.TooMany || kind == domain.Unavailable
		if got := a.Header().Get("Retry-After") != ""; got != waits {
			t.Errorf("%d: Retry-After: %q", status, a.Header().Get("Retry-After"))
		}
	}
}

func TestAStaleVersionIsRefused(t *testing.T) {
	type in struct {
		IfMatch string `header:"If-Match"`
	}
	w := newWorld(t, func(a *API) {
		handle(a, route{id: "change", method: "PUT", path: "/thing", summary: "Change", permission: access.OwnAccount, status: 204},
			func(_ context.Context, _ access.Actor, in *in) (*none, error) {
				version, err := ifMatch(in.IfMatch)
				if err == nil && version != 7 && version != 0 {
					err = domain.Refuse(domain.Stale, "version.stale", "changed").With(domain.Detail{Field: "header.If-Match", Code: "version.stale", Text: etag(7)})
				}
				return nil, err
			})
	})
	token := "Authorization: Bearer " + w.signIn()
	for header, want := range map[string]struct {
		status int
		code   string
	}{
		``: {428, "version.required"}, `7`: {422, "version.malformed"}, `"x"`: {422, "version.malformed"}, `"0"`: {422, "version.malformed"},
		`"6"`: {412, "version.stale"}, `"7"`: {204, ""}, `W/"7"`: {204, ""}, `*`: {204, ""},
	} {
		a := w.send("PUT", "/api/v1/thing", "", token, "If-Match: "+header)
		if a.Code != want.status || a.problem.Code != want.code {
			t.Errorf("%s: %d %s", header, a.Code, a.Body)
		}
	}
}

func TestARequestActsInOneRole(t *testing.T) {
	trace.Covers(t, "EMU-077")
	w := newWorld(t, echo(fine))
	teacher := access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: access.ClassTeacher, Scope: access.Scope{School: admin.Scope.School}}
	token := "Authorization: Bearer " + w.signIn(admin, teacher)

	a := w.send("POST", echoPath, `{"email":"a"}`, token)
	a.wants(t, 409, "role.choose")
	if len(a.problem.Roles) != 2 || a.problem.Roles[0].ID != admin.ID || *a.problem.Roles[0].School != admin.Scope.School || a.problem.Roles[0].Class != nil {
		t.Errorf("the roles held are not listed: %s", a.Body)
	}
	a = w.send("POST", echoPath, `{"email":"a"}`, token, "Zurnals-Role: "+admin.ID.String())
	if a.Code != 200 || a.Header().Get("Zurnals-Role") != admin.ID.String() || !strings.Contains(a.Body.String(), admin.ID.String()) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	// A link cannot name a role for a POST: it would be one that another site sends.
	w.send("POST", echoPath+"?role="+admin.ID.String(), `{"email":"a"}`, token).wants(t, 409, "role.choose")
}

func TestTheSameRequestUnderAKeyIsOneCommand(t *testing.T) {
	w := newWorld(t, echo(fine))
	token := "Authorization: Bearer " + w.signIn(admin)
	send := func(path, body, key string) (command, fingerprint string) {
		a := w.send("POST", path, body, token, "Idempotency-Key: "+key)
		var out struct{ Command, Fingerprint string }
		if err := json.Unmarshal(a.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out.Command, out.Fingerprint
	}
	c1, f1 := send(echoPath, `{"email":"a"}`, "key-00001")
	c2, f2 := send(echoPath, `{"email":"a"}`, "key-00001")
	c3, f3 := send(echoPath, `{"email":"b"}`, "key-00001")
	c4, _ := send(echoPath, `{"email":"a"}`, "key-00002")
	_, f5 := send(echoPath+"?days=3", `{"email":"a"}`, "key-00001")
	if c1 != c2 || f1 != f2 {
		t.Error("the same request is not the same command")
	}
	if c1 != c3 || f1 == f3 || f1 == f5 {
		t.Error("another body or query under the same key must be noticed")
	}
	if c1 == c4 {
		t.Error("another key is another command")
	}
	token = "Authorization: Bearer " + w.signIn(admin)
	if c, _ := send(echoPath, `{"email":"a"}`, "key-00001"); c == c1 {
		t.Error("somebody else's key is another command")
	}
}

func TestReadAllKeepsNothingOfTheToken(t *testing.T) {
	w := newWorld(t, echo(fine))
	token := w.signIn(admin)
	w.send("POST", echoPath+"?role=secret-in-query", `{"email":"a"}`, "Authorization: Bearer "+token)
	log := w.log.String()
	for _, secret := range []string{token, "secret-in-query", "0000000005c1"} {
		if strings.Contains(log, secret) {
			t.Errorf("the access log holds %q: %s", secret, log)
		}
	}
	if !strings.Contains(log, "/api/v1/schools/{school}/echo") {
		t.Error(log)
	}
}
