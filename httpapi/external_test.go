package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/oidc"
	"zurnals/internal/oidc/oidctest"
	"zurnals/internal/trace"
)

// An externalStory has E-klase and e-paraksts, played by one provider process
// in which the server is two clients.
type externalStory struct {
	*story
	provider *oidctest.Provider
}

func newExternalStory(t *testing.T) *externalStory {
	s := &externalStory{story: newStaffStory(t)}
	callback := func(name string) string {
		return s.api.PublicURL + "/external-logins/" + name + "/callback"
	}
	s.provider = oidctest.Start(t, oidctest.Options{
		ClientID: "zurnals", ClientSecret: "a secret of the client", Redirects: []string{callback("eklase"), callback("eparaksts")},
	})
	service := func(name, codeClaim string) *oidc.Provider {
		return oidc.New(oidc.Config{
			Issuer: s.provider.Issuer, ClientID: "zurnals", ClientSecret: "a secret of the client", RedirectURL: callback(name),
			Scopes: []string{"profile"}, CodeClaim: codeClaim, Now: time.Now,
		})
	}
	s.api.External = External{
		Providers: map[string]*oidc.Provider{"eklase": service("eklase", ""), "eparaksts": service("eparaksts", "serial_number")},
		Flows:     &oidc.Flows{Pool: s.pool, Now: s.clock.Now},
	}
	return s
}

// viaCode has somebody sign in by e-mail for the first time, over HTTP.
func (s *story) viaCode(name string) {
	s.t.Helper()
	body := `{"email":"` + name + `@skola.example","password":"` + password + `"}`
	a := s.tell(step{ask: "POST /sessions", body: body, status: 202, events: "identity.login_code_issued"})
	var said struct{ Challenge, Token string }
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	a = s.tell(step{ask: "POST /sessions/challenges/" + said.Challenge, body: `{"code":"` + s.loginCode(id[domain.AccountID](s, name)) + `"}`,
		status: 201, events: "identity.login_code_accepted identity.signed_in"})
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	s.tokens[name] = said.Token
}

// viaPassword has somebody sign in by e-mail again.
func (s *story) viaPassword(name string) (token string) {
	s.t.Helper()
	a := s.tell(step{ask: "POST /sessions", body: `{"email":"` + name + `@skola.example","password":"` + password + `"}`, status: 201, events: "identity.signed_in"})
	var said struct{ Token string }
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	return said.Token
}

// guess has somebody guess at the password of somebody else until no more tries
// are allowed.
func (s *story) guess(name string) {
	s.t.Helper()
	for range 5 {
		s.tell(step{ask: "POST /sessions", body: `{"email":"` + name + `@skola.example","password":"nezinama parole"}`, status: 401, code: "identity.sign_in"})
	}
}

// A journey is a sign-in at a service that has been begun.
type journey struct {
	address string
	cookie  *http.Cookie
}

// begin begins to connect a service as somebody, or to sign in by it as nobody.
func (s *externalStory) begin(as, provider string) journey {
	s.t.Helper()
	ask := "POST /me/external-logins/" + provider
	if as == "" {
		ask = "POST /sessions/external/" + provider
	}
	a := s.tell(step{as: as, ask: ask, status: 201, has: []string{`"authorization_url":"`, `"expires_at":"2025-09-0`}})
	var said struct {
		Address string `json:"authorization_url"`
	}
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	cookie := a.Result().Cookies()[0]
	if cookie.Name != "__Host-zurnals-external" || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 600 {
		s.t.Errorf("%+v", cookie)
	}
	return journey{said.Address, cookie}
}

// arrive has the browser come back, with cookies, and checks the page.
func (s *externalStory) arrive(name string, back *url.URL, cookies []*http.Cookie, status int, events, has string) *http.Response {
	s.t.Helper()
	before, err := s.log.Head(s.t.Context())
	s.must(err)
	r := httptest.NewRequest("GET", back.RequestURI(), nil)
	r.Header.Set("Accept-Language", "en")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if got := s.since(before); w.Code != status || got != events || !strings.Contains(w.Body.String(), has) {
		s.t.Errorf("%s: %d, appended %q: %s", name, w.Code, got, w.Body)
	}
	return w.Result()
}

// travel is begin, sign in there, and arrive.
func (s *externalStory) travel(as, provider, subject, code string, status int, events, has string) *http.Response {
	s.t.Helper()
	j := s.begin(as, provider)
	return s.arrive(as+" by "+provider, s.provider.SignIn(j.address, subject, code), []*http.Cookie{j.cookie}, status, events, has)
}

const (
	connectedSaid = "identity.external_login_connected"
	signedInSaid  = "identity.signed_in"
)

// E-klase from the profile to the next sign-in, and away again.
func TestServiceIsConnectedInTheProfile(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-034", "EMU-036", "EMU-037", "EMU-038", "EMU-040", "EMU-041", "EMU-055", "EMU-061", "C15")
	s := newExternalStory(t)
	s.tell(step{name: "before the first sign-in", as: "teacher", ask: "POST /me/external-logins/eklase", status: 403, code: "identity.first_sign_in_by_email"})
	s.travel("", "eklase", "u-17", "", 401, "", "no account is connected")
	s.viaCode("teacher")
	s.tell(
		step{as: "teacher", ask: "GET /me/external-logins", status: 200, has: []string{
			`{"provider":"eklase","connected":false,"available":true}`, `{"provider":"eparaksts","connected":false,"available":true}`}},
		step{as: "teacher", ask: "GET /me/external-logins/email", status: 404, code: "access.not_found"},
		step{as: "teacher", ask: "POST /me/external-logins/google", status: 404, code: "identity.provider_unknown"},
		step{name: "nobody", ask: "POST /me/external-logins/eklase", status: 401, code: "session.sign_in"},
	)
	s.advance(time.Hour + time.Second)
	s.tell(step{name: "signed in too long ago", as: "teacher", ask: "POST /me/external-logins/eklase", status: 403, code: "session.reauthenticate"})
	s.tokens["teacher"] = s.viaPassword("teacher")
	s.travel("teacher", "eklase", "u-17", "", 200, connectedSaid, "The service is connected")
	s.tell(
		step{as: "teacher", ask: "PATCH /me", body: `{"language":"lv"}`, status: 204, events: "identity.language_chosen"},
		step{as: "teacher", ask: "GET /me/external-logins/eklase", status: 200, has: []string{`"connected":true`}},
		step{as: "teacher", ask: "POST /me/external-logins/eklase", status: 409, code: "identity.external_connected"},
	)
	came := s.travel("", "eklase", "u-17", "", 200, signedInSaid, "You are signed in")
	var session, device *http.Cookie
	for _, c := range came.Cookies() {
		if c.Name == "__Host-zurnals" {
			session = c
		} else if c.Name == "__Host-zurnals-device" {
			device = c
		} else if c.Name != "__Host-zurnals-external" || c.MaxAge >= 0 {
			t.Errorf("%+v", c)
		}
	}
	if session == nil || session.Value == "" || !session.HttpOnly || !session.Secure || device == nil || device.MaxAge <= 0 || !device.HttpOnly {
		t.Fatalf("%+v, %+v", session, device)
	}
	s.tell(
		step{name: "in the own language, whatever the service and the browser speak", ask: "GET /me/guide",
			headers: []string{"Cookie: __Host-zurnals=" + session.Value, "Accept-Language: en"}, status: 200, has: []string{`"title":"Lomas"`}},
		step{name: "by e-mail as before", ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`, status: 201, events: signedInSaid},
		step{as: "teacher", ask: "DELETE /me/external-logins/email", status: 409, code: "identity.email_sign_in_stays"},
		step{as: "teacher", ask: "DELETE /me/external-logins/eklase", status: 204, events: "identity.external_login_disconnected"},
		step{as: "teacher", ask: "DELETE /me/external-logins/eklase", status: 204},
	)
	s.travel("", "eklase", "u-17", "", 401, "", "no account is connected")
	s.guess("teacher")
	s.tell(
		step{name: "guessed at elsewhere", ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`, status: 401, code: "identity.sign_in"},
		step{name: "where E-klase was used, the browser is known", ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`,
			headers: []string{"Cookie: " + device.Name + "=" + device.Value}, status: 201, events: signedInSaid},
	)
	for _, e := range s.history("account-" + s.names["teacher"]) {
		if e, ok := e.(identity.SignedIn); ok && e.Method == "eklase" {
			return
		}
	}
	t.Error("the history does not tell how the teacher has signed in")
}

// E-paraksts proves a personal code, which must be that of the account.
func TestPersonalCodeOfEparaksts(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-042", "EMU-056", "C15")
	s := newExternalStory(t)
	code := map[string]string{}
	for _, name := range []string{"teacher", "admin"} {
		for _, e := range s.history("account-" + s.names[name]) {
			if e, ok := e.(identity.UserInvited); ok {
				code[name] = "PNOLV-" + e.PersonalCode.Full()
			}
		}
	}
	s.travel("", "eparaksts", "sign-1", code["teacher"], 403, "", "sign in by e-mail and password first")
	s.viaCode("teacher")
	s.travel("", "eparaksts", "sign-1", code["teacher"], 401, "", "no account is connected") // nothing connects by itself
	s.travel("teacher", "eparaksts", "sign-2", code["admin"], 403, "", "not that of the account")
	s.travel("teacher", "eparaksts", "sign-1", "", 403, "", "no personal code")
	s.travel("teacher", "eparaksts", "sign-1", "PNOLV-nonsense", 422, "", "has not said who")
	s.travel("teacher", "eparaksts", "sign-1", code["teacher"], 200, connectedSaid, "connected")
	s.travel("", "eparaksts", "sign-1", code["teacher"], 200, signedInSaid, "signed in")
	s.travel("", "eparaksts", "sign-1", code["admin"], 403, "", "not that of the account")
}

// Of two accounts one has the identity.
func TestSomebodyElsesIdentity(t *testing.T) {
	t.Parallel()
	s := newExternalStory(t)
	s.viaCode("teacher")
	s.viaCode("admin")
	s.travel("teacher", "eklase", "u-17", "", 200, connectedSaid, "connected")
	s.travel("admin", "eklase", "u-17", "", 409, "", "another account")
	s.signIn("platform")
	s.tell(step{as: "platform", ask: "GET /security-log?kind=identity.external_taken", status: 200, has: []string{`"count":1`}})
	s.tell(step{as: "teacher", ask: "DELETE /me/external-logins/eklase", status: 204, events: "identity.external_login_disconnected"})
	s.travel("admin", "eklase", "u-17", "", 200, connectedSaid, "connected")
}

// An answer is taken once, from the browser that asked, in time, for what was
// asked and as who asked.
func TestAnswersOfServicesWorkOnce(t *testing.T) {
	t.Parallel()
	s := newExternalStory(t)
	s.viaCode("teacher")
	s.viaCode("admin")
	const over = "begin again"
	back := func(j journey) *url.URL { return s.provider.SignIn(j.address, "u-17", "") }
	only := func(j journey) []*http.Cookie { return []*http.Cookie{j.cookie} }
	cookie := func(name string) *http.Cookie { return &http.Cookie{Name: "__Host-zurnals", Value: s.tokens[name]} }

	j := s.begin("teacher", "eklase")
	answer := back(j)
	s.arrive("first", answer, only(j), 200, connectedSaid, "connected")
	s.arrive("replayed", answer, only(j), 410, "", over)
	s.tell(step{as: "teacher", ask: "DELETE /me/external-logins/eklase", status: 204, events: "identity.external_login_disconnected"})
	s.arrive("replayed after that", answer, only(j), 410, "", over)

	mine, others := s.begin("teacher", "eklase"), s.begin("admin", "eklase")
	answer = back(mine)
	s.arrive("without the cookie", answer, nil, 410, "", over)
	s.arrive("in another browser", answer, only(others), 410, "", over)
	s.arrive("and then in the right one: too late", answer, only(mine), 410, "", over)

	j = s.begin("teacher", "eklase")
	s.arrive("with the session of somebody else", back(j), append(only(j), cookie("admin")), 410, "", over)
	j = s.begin("teacher", "eklase")
	other := back(j)
	other.Path = strings.Replace(other.Path, "eklase", "eparaksts", 1)
	s.arrive("at another service", other, only(j), 410, "", over)
	other.Path = strings.Replace(other.Path, "eparaksts", "google", 1)
	s.arrive("at no service", other, only(j), 404, "", "no such service")

	j = s.begin("teacher", "eklase")
	changed, err := url.Parse(j.address)
	s.must(err)
	q := changed.Query()
	q.Set("nonce", "another")
	changed.RawQuery = q.Encode()
	s.arrive("wrong nonce", s.provider.SignIn(changed.String(), "u-17", ""), only(j), 401, "", "not valid")

	j = s.begin("teacher", "eklase")
	wrong := back(j)
	q = wrong.Query()
	q.Set("iss", "https://other.example")
	wrong.RawQuery = q.Encode()
	s.arrive("wrong issuer", wrong, only(j), 401, "", "not valid")
	j = s.begin("teacher", "eklase")
	s.arrive("cancelled", s.provider.SignIn(j.address, "cancel", ""), only(j), 401, "", "cancelled")

	j = s.begin("teacher", "eklase")
	answer = back(j)
	s.advance(10 * time.Minute)
	s.arrive("too late", answer, only(j), 410, "", over)
	j = s.begin("teacher", "eklase")
	answer = back(j)
	s.advance(10*time.Minute - time.Microsecond)
	s.arrive("just in time", answer, append(only(j), cookie("teacher")), 200, connectedSaid, "connected")

	j = s.begin("admin", "eklase")
	answer = back(j)
	s.tell(step{as: "admin", ask: "DELETE /me/sessions/current", status: 204})
	s.arrive("signed out meanwhile", answer, only(j), 401, "", "sign in first")
	for _, secret := range []string{answer.Query().Get("code"), answer.Query().Get("state"), j.cookie.Value, "u-17"} {
		if strings.Contains(s.output.String(), secret) {
			t.Errorf("the log of the server has %s", secret)
		}
	}
	r := httptest.NewRequest("HEAD", answer.RequestURI(), nil)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// Where no service is set up, e-mail is enough.
func TestNoServiceIsNeeded(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.tell(
		step{ask: "POST /sessions/external/eklase", status: 404, code: "identity.external_not_configured"},
		step{ask: "POST /sessions/external/google", status: 404, code: "identity.provider_unknown"},
		step{as: "teacher", ask: "GET /me/external-logins", status: 200, has: []string{`{"provider":"eklase","connected":false,"available":false}`}},
	)
	s.api.External = External{
		Providers: map[string]*oidc.Provider{"eklase": oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", Now: time.Now})},
		Flows:     &oidc.Flows{Pool: s.pool, Now: s.clock.Now},
	}
	s.tell(step{name: "out of reach", ask: "POST /sessions/external/eklase", status: 503, code: "identity.external_unavailable"})
	if by := (access.Actor{Kind: domain.ActorAnonymous}); s.api.Commands.DisconnectExternal(t.Context(), by, "eklase") == nil {
		t.Error("nobody disconnects")
	}
}
