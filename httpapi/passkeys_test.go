package httpapi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/passkeys"
	"zurnals/internal/passkeys/passkeystest"
	"zurnals/internal/trace"
)

// newAuthenticator returns one with a key for the server of the stories.
func newAuthenticator(t testing.TB) *passkeystest.Authenticator {
	return passkeystest.New(t, "https://zurnals.example")
}

// signs has an authenticator sign in, with the counter one further.
func signs(t testing.TB, a *passkeystest.Authenticator, c ceremony) string {
	a.Key.Counter++
	return a.Signs(t, c.Options)
}

// A ceremony is what the server asks an authenticator for.
type ceremony struct {
	Challenge string
	Options   json.RawMessage
	ExpiresAt time.Time `json:"expires_at"`
}

// begins begins to add a passkey as somebody, or to sign in as nobody.
func (s *story) begins(as string) (c ceremony) {
	s.t.Helper()
	ask := "POST /sessions/passkeys"
	if as != "" {
		ask = "POST /me/passkeys"
	}
	a := s.tell(step{as: as, ask: ask, status: 201})
	s.must(json.Unmarshal(a.Body.Bytes(), &c))
	return c
}

const (
	keyAdded   = "identity.passkey_added"
	keyRemoved = "identity.passkey_removed"
)

// adds is the step of adding what an authenticator has made.
func (c ceremony) adds(as, name, answer string) step {
	return step{as: as, ask: "PUT /me/passkeys/challenges/" + c.Challenge, body: `{"name":"` + name + `","credential":` + answer + `}`, status: 201, events: keyAdded}
}

// signsIn is the step of signing in by an answer.
func (c ceremony) signsIn(answer string) step {
	return step{ask: "POST /sessions/passkeys/" + c.Challenge, body: `{"credential":` + answer + `}`, status: 201, events: signedInSaid}
}

// but is a step that is refused instead.
func (st step) but(name string, status int, code string) step {
	st.name, st.status, st.code, st.events, st.keep = name, status, code, "", ""
	return st
}

// From adding a passkey to signing in by it on another day, to a copy of it, to
// its end.
func TestAPasskeyIsAddedAndUsed(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C32", "EMU-038")
	s := newStaffStory(t)
	s.tell(step{name: "before the first sign-in by e-mail", as: "teacher", ask: "POST /me/passkeys", status: 403, code: "identity.first_sign_in_by_email"})
	s.viaCode("teacher")
	phone := newAuthenticator(t)

	c := s.begins("teacher")
	for _, part := range []string{`"residentKey":"required"`, `"userVerification":"required"`, `"teacher@skola.example"`, `"id":"zurnals.example"`} {
		if !strings.Contains(string(c.Options), part) {
			t.Errorf("the options have no %s: %s", part, c.Options)
		}
	}
	if want := monday.Add(passkeys.ChallengeLifetime); !c.ExpiresAt.Equal(want) {
		t.Errorf("until %v, want %v", c.ExpiresAt, want)
	}
	answer := phone.Makes(t, c.Options)
	a := s.tell(c.adds("teacher", "Telefons", answer))
	var made struct{ ID string }
	s.must(json.Unmarshal(a.Body.Bytes(), &made))
	s.names["phone"] = made.ID
	s.tell(
		c.adds("teacher", "Telefons", answer).but("the same answer again", 410, "identity.passkey_challenge"),
		step{as: "teacher", ask: "GET /me/passkeys", status: 200, has: []string{`{"id":"{phone}","name":"Telefons","added_at":"2025-09-01T05:00:00Z","used_at":null,"suspended":false}`}},
		step{name: "other people's are their own", as: "admin", ask: "GET /me/passkeys", status: 200, has: []string{`"items":[]`}},
	)
	if e := lastOf[identity.PasskeyAdded](s, "teacher"); e.Email != "teacher@skola.example" || e.Name != "Telefons" {
		t.Errorf("%+v", e)
	}

	// Another day: by the key alone, without code and without a name.
	s.advance(24 * time.Hour)
	c = s.begins("")
	if strings.Contains(string(c.Options), "allowCredentials") || strings.Contains(string(c.Options), "teacher") {
		t.Errorf("the options tell whose keys there are: %s", c.Options)
	}
	answer = signs(t, phone, c)
	a = s.tell(c.signsIn(answer))
	var said struct{ Token string }
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	s.tokens["teacher"] = said.Token
	var cookies []string
	for _, c := range a.Result().Cookies() {
		cookies = append(cookies, c.Name)
	}
	if !slices.Equal(cookies, []string{"__Host-zurnals", "__Host-zurnals-device"}) {
		t.Errorf("%v", cookies)
	}
	if e := lastOf[identity.SignedIn](s, "teacher"); e.Method != identity.ByPasskey {
		t.Errorf("%+v", e)
	}
	s.tell(
		c.signsIn(answer).but("replayed", 410, "identity.passkey_challenge"),
		s.begins("").signsIn(answer).but("an answer to another challenge", 401, "identity.passkey"),
		step{as: "teacher", ask: "GET /me/passkeys", status: 200, has: []string{`"used_at":"2025-09-02T05:00:00Z"`}},
		step{name: "by e-mail as before", ask: "POST /sessions", body: strings.Replace(signInAs, "%", "teacher@skola.example", 1), status: 201, events: signedInSaid},
		step{name: "which cannot be removed", as: "teacher", ask: "DELETE /me/external-logins/email", status: 409, code: "identity.email_sign_in_stays"},
	)

	// A copy of the phone signs in; then the phone's own counter is behind.
	copied := *phone
	c = s.begins("")
	s.tell(c.signsIn(signs(t, &copied, c)))
	c = s.begins("")
	s.tell(c.signsIn(signs(t, phone, c)).but("the counter has not moved on", 401, "identity.passkey_cloned"))
	copied.Key.Counter += 10
	c = s.begins("")
	s.tell(
		c.signsIn(signs(t, &copied, c)).but("nor does the copy work any more", 401, "identity.passkey_cloned"),
		step{as: "teacher", ask: "GET /me/passkeys", status: 200, has: []string{`"suspended":true`}},
	)
	s.signIn("platform")
	s.tell(step{as: "platform", ask: "GET /security-log?kind=identity.passkey_cloned", status: 200, has: []string{`"objects":["{teacher}"]`, `"count":2`}})

	// Removing is a risky step; afterwards the key opens nothing.
	s.advance(time.Hour + time.Second)
	s.tell(step{name: "signed in too long ago", as: "teacher", ask: "DELETE /me/passkeys/{phone}", status: 403, code: "session.reauthenticate"})
	s.tokens["teacher"] = s.viaPassword("teacher")
	s.tell(
		step{name: "another's", as: "admin", ask: "DELETE /me/passkeys/{phone}", status: 401, code: "session.sign_in"},
		step{as: "teacher", ask: "DELETE /me/passkeys/{phone}", status: 204, events: keyRemoved},
		step{name: "again", as: "teacher", ask: "DELETE /me/passkeys/{phone}", status: 404, code: "identity.no_passkey"},
		step{name: "no id", as: "teacher", ask: "DELETE /me/passkeys/phone", status: 404, code: "id.malformed"},
		step{as: "teacher", ask: "GET /me/passkeys", status: 200, has: []string{`"items":[]`}},
	)
	c = s.begins("")
	s.tell(c.signsIn(signs(t, phone, c)).but("removed", 401, "identity.passkey"))
	s.rows("web.passkey", 0)
	for _, secret := range []string{c.Challenge, said.Token} {
		if strings.Contains(s.output.String(), secret) {
			t.Error("the log of the server has a secret")
		}
	}
}

// rows counts those of a table.
func (s *story) rows(table string, want int) {
	s.t.Helper()
	var n int
	if err := s.pool.QueryRow(s.t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != want {
		s.t.Errorf("%s has %d rows, want %d; %v", table, n, want, err)
	}
}

// An answer is taken once, in time, in the session that asked, from an
// authenticator that knows the person, for this server.
func TestAnswersOfAuthenticatorsWorkOnce(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.viaCode("teacher")
	s.viaCode("admin")
	phone := newAuthenticator(t)
	adds := func(change func(*passkeystest.Authenticator)) (ceremony, string) {
		other := *phone
		change(&other)
		c := s.begins("teacher")
		return c, other.Makes(t, c.Options)
	}
	for name, change := range map[string]func(*passkeystest.Authenticator){
		"for another server":    func(a *passkeystest.Authenticator) { a.Server.ID = "other.example" },
		"on another page":       func(a *passkeystest.Authenticator) { a.Server.Origin = "https://other.example" },
		"without the person":    func(a *passkeystest.Authenticator) { a.Options.UserNotVerified = true },
		"without being touched": func(a *passkeystest.Authenticator) { a.Options.UserNotPresent = true },
	} {
		c, answer := adds(change)
		s.tell(c.adds("teacher", "Telefons", answer).but(name, 422, "identity.passkey_answer"))
	}
	c := s.begins("teacher")
	s.tell(c.adds("teacher", "Telefons", `{"id":"x"}`).but("no answer at all", 422, "identity.passkey_answer"))
	c, answer := adds(func(*passkeystest.Authenticator) {})
	s.tell(c.adds("admin", "Telefons", answer).but("by somebody else", 410, "identity.passkey_challenge"))
	c, answer = adds(func(*passkeystest.Authenticator) {})
	s.tokens["elsewhere"] = s.viaPassword("teacher")
	s.tell(c.adds("elsewhere", "Telefons", answer).but("in another session", 410, "identity.passkey_challenge"))
	c, answer = adds(func(*passkeystest.Authenticator) {})
	s.tell(c.adds("teacher", " ", answer).but("without a name", 422, "text.missing"))
	c, answer = adds(func(*passkeystest.Authenticator) {})
	s.advance(passkeys.ChallengeLifetime)
	s.tell(c.adds("teacher", "Telefons", answer).but("too late", 410, "identity.passkey_challenge"))
	s.rows("web.passkey", 0)
	c, answer = adds(func(*passkeystest.Authenticator) {})
	s.advance(passkeys.ChallengeLifetime - time.Microsecond)
	phone.Options.UserHandle = uuidBytes(s, "teacher")
	s.tell(c.adds("teacher", "Telefons", answer))
	c = s.begins("teacher")
	if !strings.Contains(string(c.Options), "excludeCredentials") {
		t.Errorf("the authenticator is not told which keys there are: %s", c.Options)
	}
	s.tell(c.adds("teacher", "Vēlreiz", phone.Makes(t, c.Options)).but("the same key", 409, "identity.passkey_known"))

	signed := func(change func(*passkeystest.Authenticator)) step {
		other := *phone
		change(&other)
		c := s.begins("")
		return c.signsIn(signs(t, &other, c))
	}
	for name, change := range map[string]func(*passkeystest.Authenticator){
		"for another server":     func(a *passkeystest.Authenticator) { a.Server.ID = "other.example" },
		"on another page":        func(a *passkeystest.Authenticator) { a.Server.Origin = "https://other.example" },
		"without the person":     func(a *passkeystest.Authenticator) { a.Options.UserNotVerified = true },
		"as somebody else":       func(a *passkeystest.Authenticator) { a.Options.UserHandle = uuidBytes(s, "admin") },
		"as nobody":              func(a *passkeystest.Authenticator) { a.Options.UserHandle = nil },
		"by a key nobody has":    func(a *passkeystest.Authenticator) { a.Key.ID = []byte("another key") },
		"signed by another key":  func(a *passkeystest.Authenticator) { a.Key.Key = passkeystest.NewKey().Key },
		"a key that is now kept": func(a *passkeystest.Authenticator) { a.Options.BackupEligible = true },
	} {
		s.tell(signed(change).but(name, 401, "identity.passkey"))
	}
	late := signed(func(*passkeystest.Authenticator) {})
	s.advance(passkeys.ChallengeLifetime)
	s.tell(late.but("too late", 410, "identity.passkey_challenge"))
	s.tell(step{name: "no answer at all", ask: "POST /sessions/passkeys/" + s.begins("").Challenge, body: `{"credential":[]}`, status: 422, code: "identity.passkey_answer"})
	s.tell(step{name: "of adding", ask: "POST /sessions/passkeys/" + s.begins("teacher").Challenge, body: `{"credential":` + answer + `}`, status: 410, code: "identity.passkey_challenge"})
	s.tell(signed(func(*passkeystest.Authenticator) {}))

	s.advance(time.Hour)
	s.tell(step{name: "signed in too long ago", as: "teacher", ask: "POST /me/passkeys", status: 403, code: "session.reauthenticate"})
	s.must(s.api.Passkeys.(*passkeys.Store).Sweep(t.Context()))
	s.rows("web.passkey_challenge", 0)
}

func uuidBytes(s *story, name string) []byte {
	id := id[domain.AccountID](s, name).UUID
	return id[:]
}

// With the account the passkeys go, and one that no event names opens nothing
// and is swept.
func TestPasskeysEndWithTheAccount(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C25", "C32")
	s := newStaffStory(t)
	s.viaCode("teacher")
	phone, orphan := newAuthenticator(t), newAuthenticator(t)
	c := s.begins("teacher")
	s.tell(c.adds("teacher", "Telefons", phone.Makes(t, c.Options)))

	// The server ends between keeping the key and appending the event.
	c = s.begins("teacher")
	answer := orphan.Makes(t, c.Options)
	account := id[domain.AccountID](s, "teacher")
	sessions, err := s.api.Sessions.List(t.Context(), "staff", account.UUID)
	s.must(err)
	fresh, err := s.api.Passkeys.Added(t.Context(), account, sessions[0].ID, c.Challenge, []byte(answer))
	s.must(err)
	s.must(s.api.Passkeys.Keep(t.Context(), domain.NewID[domain.CredentialID](), "account-"+account.String(), fresh))
	c = s.begins("")
	s.tell(c.signsIn(signs(t, orphan, c)).but("no event names it", 401, "identity.passkey"))
	s.rows("web.passkey", 2)
	s.advance(time.Hour)
	s.must(s.commands.SweepCredentials(t.Context()))
	s.rows("web.passkey", 1)
	c = s.begins("")
	s.tell(c.signsIn(signs(t, phone, c)))

	s.tokens["teacher"] = s.viaPassword("teacher")
	s.tell(step{as: "teacher", ask: "GET /me/export", status: 200, has: []string{`"type":"identity.passkey_added"`, `"name":"Telefons"`}})
	s.tell(step{as: "teacher", ask: "DELETE /me", status: 204, events: "access.role_taken access.membership_ended identity.account_deleted"})
	s.rows("web.passkey", 0)
	c = s.begins("")
	s.tell(c.signsIn(signs(t, phone, c)).but("the account is gone", 401, "identity.passkey"))
}

// Ten passkeys are enough.
func TestTenPasskeys(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.viaCode("teacher")
	s.api.buckets.paid = nil
	for range identity.PasskeysMax {
		c := s.begins("teacher")
		s.tell(c.adds("teacher", "Atslēga", newAuthenticator(t).Makes(t, c.Options)))
	}
	s.tell(step{as: "teacher", ask: "POST /me/passkeys", status: 409, code: "identity.too_many_passkeys"})
}

// Browsers know no passkeys for a bare network address.
func TestPasskeysNeedAName(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.viaCode("teacher")
	var err error
	s.api.Passkeys, err = passkeys.New(s.pool, s.clock.Now, "http://127.0.0.1:8080")
	s.must(err)
	s.tell(
		step{as: "teacher", ask: "POST /me/passkeys", status: 404, code: "identity.passkeys_not_available"},
		step{ask: "POST /sessions/passkeys", status: 404, code: "identity.passkeys_not_available"},
		step{ask: "POST /sessions/passkeys/x", body: `{"credential":{}}`, status: 404, code: "identity.passkeys_not_available"},
		step{as: "teacher", ask: "PUT /me/passkeys/challenges/x", body: `{"name":"a","credential":{}}`, status: 404, code: "identity.passkeys_not_available"},
		step{as: "teacher", ask: "GET /me/passkeys", status: 200, has: []string{`"items":[]`}},
	)
}
