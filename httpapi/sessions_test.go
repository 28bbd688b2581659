package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/trace"
)

// From the mailed link to the first session: a password, a code, a token.
func TestFirstSignIn(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-012", "EMU-034", "EMU-048", "EMU-060")
	s := newStaffStory(t)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	account := id[domain.AccountID](s, "laura")
	s.names["link"] = s.link(account)
	const signIn = `{"email":"Laura@skola.example","password":"` + password + `"}`
	s.tell(
		step{name: "before registering", ask: "POST /sessions", body: signIn, status: 401, code: "identity.sign_in"},
		step{ask: "GET /registrations/{link}", status: 200, has: []string{`"password_min":12`}},
		step{ask: "GET /registrations/{link}", status: 200},
		step{ask: "POST /registrations/{link}", body: `{"password":"isa parole1"}`, status: 422, code: "identity.password_short", fields: []string{"password"}},
		step{name: "on every list", ask: "POST /registrations/{link}", body: `{"password":"Qwerty123456"}`, status: 422, code: "identity.password_breached", fields: []string{"password"}},
		step{ask: "POST /registrations/{link}", body: `{"password":"` + password + `"}`, status: 204, events: "identity.registration_confirmed"},
		step{name: "used twice", ask: "POST /registrations/{link}", body: `{"password":"another long one"}`, status: 410, code: "identity.link_used"},
		step{ask: "GET /registrations/{link}", status: 410, code: "identity.link_used"},
		step{name: "made up", ask: "GET /registrations/" + strings.Repeat("A", 64), status: 404, code: "identity.link_unknown"},
		step{ask: "POST /sessions", body: strings.Replace(signIn, "pareizs", "nepareizs", 1), status: 401, code: "identity.sign_in"},
	)
	a := s.tell(step{ask: "POST /sessions", body: signIn, status: 202, events: "identity.login_code_issued", has: []string{`"challenge":"`, `"expires_at":"2025-09-01T05:10:00Z"`}})
	if got := a.Header().Values("Set-Cookie"); len(got) > 0 {
		t.Errorf("a cookie before the code: %v", got)
	}
	var said struct{ Challenge, Token string }
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	s.names["challenge"], s.names["code"] = said.Challenge, s.loginCode(account)
	wrong := "000000"
	if s.names["code"] == wrong {
		wrong = "000001"
	}
	s.tell(step{ask: "POST /sessions/challenges/{challenge}", body: `{"code":"` + wrong + `"}`, status: 401, code: "identity.code_wrong", fields: []string{"code"}})
	a = s.tell(step{ask: "POST /sessions/challenges/{challenge}", body: `{"code":"{code}"}`, status: 201,
		events: "identity.login_code_accepted identity.signed_in", has: []string{`"account_id":"{laura}"`, `"token":"`, `"expires_at":"2025-09-08T05:00:00Z"`}})
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	s.tokens["laura"] = said.Token
	cookie := a.Result().Cookies()[0]
	if cookie.Name != "__Host-zurnals" || cookie.Value != said.Token || !cookie.HttpOnly || !cookie.Secure {
		t.Errorf("%+v", cookie)
	}
	s.tell(
		step{name: "by cookie", ask: "GET /me", headers: []string{"Cookie: __Host-zurnals=" + said.Token}, status: 200, has: []string{`"given_name":"Laura"`, `"last_sign_in":"2025-09-01T05:00:00Z"`}},
		step{name: "the code again", ask: "POST /sessions/challenges/{challenge}", body: `{"code":"{code}"}`, status: 410, code: "identity.code_used"},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{`"state":"registered"`, `"last_sign_in":"2025-09-01T05:00:00Z"`}},
		step{name: "later without code", ask: "POST /sessions", body: signIn, status: 201, events: "identity.signed_in"},
	)
	s.tell(
		step{as: "laura", ask: "GET /me/sessions", status: 200, has: []string{`"current":true`, `"current":false`}},
		step{as: "laura", ask: "DELETE /me/sessions/" + notHere, status: 404, code: "access.not_found"},
		step{as: "laura", ask: "DELETE /me/sessions/current", status: 204},
		step{as: "laura", ask: "GET /me", status: 401, code: "session.sign_in"},
	)
	s.signIn("laura")
	s.tokens["laura's phone"] = s.tokens["laura"]
	s.signIn("laura")
	s.tell(
		step{as: "laura", ask: "DELETE /me/sessions", status: 204, events: "identity.sessions_ended"},
		step{as: "laura's phone", ask: "GET /me", status: 401, code: "session.sign_in"},
	)
	for _, secret := range []string{password, s.names["link"], s.names["code"], said.Token} {
		if strings.Contains(s.output.String(), secret) {
			t.Errorf("the log of the server has the secret %s", secret)
		}
	}
}

// Whoever guesses learns nothing: not even whether there is such an account.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C28")
	s := newStaffStory(t)
	ask := func(email string) string {
		a := s.tell(step{name: email, ask: "POST /sessions", body: `{"email":"` + email + `","password":"nezinama parole"}`, status: 401, code: "identity.sign_in"})
		return strings.ReplaceAll(a.Body.String(), a.problem.RequestID, "")
	}
	want := ask("admin@skola.example")
	for _, email := range []string{"nobody@skola.example", "", "not an address"} {
		if got := ask(email); got != want {
			t.Errorf("%q: %s, want %s", email, got, want)
		}
	}
}

// The page of the link, as a browser without scripts would use it.
func TestRegistrationPage(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C02", "C04")
	s := newStaffStory(t)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	s.names["link"] = s.link(id[domain.AccountID](s, "laura"))
	page := func(method, language string, form url.Values, status int, events string, has ...string) {
		t.Helper()
		before, err := s.log.Head(t.Context())
		s.must(err)
		r := httptest.NewRequest(method, "/registrations/"+s.names["link"], strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if got := s.since(before); w.Code != status || got != events || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s %v: %d, appended %q: %s", method, form, w.Code, got, w.Body)
		}
		for _, part := range has {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s %v: the page has no %q: %s", method, form, part, w.Body)
			}
		}
		if strings.Contains(w.Body.String(), "Laura") || strings.Contains(w.Body.String(), "laura@") {
			t.Errorf("the page names somebody: %s", w.Body)
		}
	}
	passwords := func(p, again string) url.Values { return url.Values{"password": {p}, "again": {again}} }
	page("HEAD", "", nil, 200, "")
	page("GET", "", nil, 200, "", `<form method="post"`, "Apstiprināt", `lang="lv"`)
	page("GET", "en", nil, 200, "", "Choose a password of at least 12 characters")
	page("POST", "en", passwords("short", "short"), 422, "", "at least 12 characters", "<form")
	page("POST", "en", passwords(password, password+"x"), 422, "", "not the same", "<form")
	page("POST", "en", url.Values{"password": {strings.Repeat("x", 20<<10)}}, 400, "")
	page("POST", "en", passwords(password, password), 200, "identity.registration_confirmed", "confirmed")
	page("POST", "en", passwords(password, password), 410, "", "link was used")
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: strings.NewReplacer("240683-11611", "250784-11688", "laura@", "anna@").Replace(laura), status: 201, events: lauraSaid, keep: "anna"})
	s.names["link"] = s.link(id[domain.AccountID](s, "anna"))
	s.advance(5*24*time.Hour + time.Second)
	page("GET", "lv", nil, 410, "", "termiņš ir beidzies", "skolas administrators")
	s.names["link"] = "made-up"
	page("GET", "lv", nil, 404, "", "Šādas saites nav")
	s.signIn("platform")
	s.tell(step{as: "platform", ask: "GET /security-log?kind=identity.link_used", status: 200, has: []string{`"count":1`}})
}

func TestOwnGrantOfManagementIsMarked(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C24", "EMU-075")
	s := newStaffStory(t)
	s.tell(
		step{as: "admin", ask: "PUT /schools/{school}/users/{admin}/roles/emu.school_management", status: 200, events: "access.role_given"},
		step{as: "town", ask: "GET /schools/{school}/users/{admin}", status: 200, has: []string{`"self_given":true`}},
		step{as: "admin", ask: "PUT /municipalities/{municipality}/users/{town}/roles/emu.municipality_admin", headers: []string{"Zurnals-Role: {admin/" + string(access.SchoolAdmin) + "}"}, status: 403, code: "access.forbidden"},
	)
}
