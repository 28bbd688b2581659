package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/internal/trace"
)

// A browser without scripts, which keeps the cookie it is given.
type browser struct {
	s      *story
	cookie *http.Cookie
}

// page asks for a page, or posts its form, and checks what comes of it.
func (b *browser) page(ask string, form url.Values, status int, events string, has ...string) string {
	t := b.s.t
	t.Helper()
	before, err := b.s.log.Head(t.Context())
	b.s.must(err)
	method, path, _ := strings.Cut(b.s.fill(ask), " ")
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.s.handler.ServeHTTP(w, r)
	if got := b.s.since(before); w.Code != status || got != events {
		t.Errorf("%s %v: %d, appended %q: %s", ask, form, w.Code, got, w.Body)
	}
	for _, part := range has {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("%s %v: the page has no %q: %s", ask, form, part, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "Teacher") || strings.Contains(w.Body.String(), "teacher@") {
		t.Errorf("%s: the page names somebody: %s", ask, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "__Host-zurnals" {
			b.cookie = c
		}
	}
	return w.Body.String()
}

// Both links are opened in a browser that is not signed in: it asks for the
// sign-in first, and then goes on.
func TestTheLinksAreOpenedInABrowser(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-031", "C04", "C10")
	s := newStaffStory(t)
	s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
	s.mailedLinks("teacher")
	b := &browser{s: s}
	const first, second = "/email-change/{first}", "/email-confirmations/{second}"
	b.page("GET "+first, nil, 401, "", "Lai turpinātu, pieslēdzieties", `name="secret"`)
	b.page("POST "+first, url.Values{"email": {"jauna@skola.example"}}, 401, "", `name="secret"`)
	signIn := url.Values{"user": {"teacher@skola.example"}, "secret": {password}}
	b.page("POST "+first, url.Values{"user": signIn["user"], "secret": {"nepareizā parole"}}, 401, "", "nav pareiza")
	page := b.page("POST "+first, signIn, 200, "identity.login_code_issued", `name="code"`)
	_, rest, _ := strings.Cut(page, `name="challenge" value="`)
	challenge, _, _ := strings.Cut(rest, `"`)
	code := s.loginCode(id[domain.AccountID](s, "teacher"))
	b.page("POST "+first, url.Values{"challenge": {challenge}, "code": {code}}, 303, "identity.login_code_accepted identity.signed_in")
	b.page("GET "+first, nil, 200, "", `name="email"`)
	b.page("POST "+first, url.Values{"email": {"x"}}, 422, "", "nav e-pasta adrese", `name="email"`)
	b.page("POST "+first, url.Values{"email": {"jauna@skola.example"}}, 200, "identity.email_given", "nosūtīta vēstule")
	s.mailedLinks("teacher")
	b.page("GET "+second, nil, 200, "", "Apstiprināt")
	b.page("GET "+second, nil, 200, "", "Apstiprināt") // a scanner uses nothing up
	other := &browser{s: s, cookie: &http.Cookie{Name: "__Host-zurnals", Value: s.tokens["admin"]}}
	other.page("POST "+second, nil, 403, "", "citam kontam")
	b.page("POST "+second, nil, 200, "identity.email_changed identity.sessions_ended", "Adrese ir nomainīta", `href="/sign-in"`)
	b.page("GET "+second, nil, 401, "", `name="secret"`)
}

func TestAPasswordIsResetInABrowser(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C04")
	s := newStaffStory(t)
	s.tell(step{ask: "POST /password-resets", body: `{"email":"teacher@skola.example"}`, status: 202, events: "identity.password_reset_asked"})
	s.mailedLinks("teacher")
	b := &browser{s: s}
	const link = "/password-resets/{reset}"
	b.page("GET "+link, nil, 200, "", `name="again"`)
	b.page("POST "+link, url.Values{"password": {replaced}, "again": {"cits"}}, 422, "", "nav vienādas", `name="again"`)
	b.page("POST "+link, url.Values{"password": {"isa"}, "again": {"isa"}}, 422, "", "12 zīmēm")
	b.page("POST "+link, url.Values{"password": {replaced}, "again": {replaced}}, 200, "identity.password_reset identity.sessions_ended", "Parole ir nomainīta", `href="/sign-in"`)
	b.page("GET "+link, nil, 410, "", "jau ir izmantota")
	b.page("GET /password-resets/x", nil, 404, "", "Šādas saites nav")
}

func TestARecoveryIsStoppedInABrowser(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C14")
	s := newStaffStory(t)
	s.firstSignIn("teacher")
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users/{teacher}/email-recovery", body: `{"email":"jauna@skola.example","reason":"Slēgta"}`, status: 202, events: "identity.email_recovery_started"})
	s.mailedLinks("teacher")
	b := &browser{s: s}
	b.page("GET /email-recoveries/{stop}", nil, 200, "", "Apturēt maiņu")
	b.page("POST /email-recoveries/{stop}", nil, 200, "identity.email_change_stopped", "Maiņa ir apturēta")
	b.page("GET /email-recoveries/{stop}", nil, 410, "", "ir apturēta")
}
