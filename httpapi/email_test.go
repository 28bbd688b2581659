package httpapi

import (
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// lastOf returns the last event of a kind that happened to somebody.
func lastOf[E domain.Event](s *story, name string) (found E) {
	s.t.Helper()
	for _, e := range s.history("account-" + s.names[name]) {
		if e, ok := e.(E); ok {
			found = e
		}
	}
	return found
}

// mailedLinks gives names to the links that were mailed to somebody last.
func (s *story) mailedLinks(name string) {
	s.t.Helper()
	account := id[domain.AccountID](s, name)
	s.names["first"] = s.commands.Links.EmailChange(account, lastOf[identity.EmailChangeStarted](s, name).Change)
	s.names["second"] = s.commands.Links.EmailConfirmation(account, lastOf[identity.EmailGiven](s, name).Confirmation)
	recovery := lastOf[identity.EmailRecoveryStarted](s, name)
	s.names["recovered"] = s.commands.Links.EmailConfirmation(account, recovery.Confirmation)
	s.names["stop"] = s.commands.Links.StopEmailChange(account, recovery.Change)
	s.names["reset"] = s.commands.Links.PasswordReset(account, lastOf[identity.PasswordResetAsked](s, name).Reset)
}

const signInAs = `{"email":"%","password":"` + password + `"}`

// From the profile to the new mailbox.
func TestOwnAddressIsChanged(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-024", "EMU-025", "EMU-026", "EMU-027", "EMU-029", "EMU-030", "EMU-031", "EMU-079", "EMU-080", "C08", "C10")
	s := newStaffStory(t)
	s.firstSignIn("teacher")
	s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
	s.mailedLinks("teacher")
	const address, confirmation = "/me/email-change/{first}/address", "/me/email-change/{second}/confirmation"
	const give = `{"email":"jauna@skola.example"}`
	s.tell(
		step{name: "signed out", ask: "GET " + address, status: 401, code: "session.sign_in"},
		step{name: "signed out", ask: "POST " + address, body: give, status: 401, code: "session.sign_in"},
		step{name: "somebody else", as: "admin", ask: "GET " + address, status: 403, code: "identity.link_of_another"},
		step{name: "somebody else", as: "admin", ask: "POST " + address, body: give, status: 403, code: "identity.link_of_another"},
		step{as: "teacher", ask: "GET " + address, status: 204},
		step{as: "teacher", ask: "POST " + address, body: `{"email":"nav adrese"}`, status: 422, code: "identity.email", fields: []string{"email"}},
		step{as: "teacher", ask: "POST " + address, body: `{"email":"TEACHER@skola.example"}`, status: 422, code: "identity.email_same", fields: []string{"email"}},
		step{as: "teacher", ask: "POST " + address, body: give, status: 202, events: "identity.email_given"},
	)
	s.mailedLinks("teacher")
	s.tell(step{as: "teacher", ask: "GET /me", status: 200, has: []string{"teacher@skola.example"}, hasNot: []string{"jauna@"}})
	s.advance(6 * time.Hour)
	s.signIn("admin")
	s.tell(
		step{name: "signed out", ask: "POST " + confirmation, status: 401, code: "session.sign_in"},
		step{name: "somebody else", as: "admin", ask: "POST " + confirmation, status: 403, code: "identity.link_of_another"},
		step{name: "the first link is not the second", as: "teacher", ask: "POST /me/email-change/{first}/confirmation", status: 404, code: "identity.link_unknown"},
		step{as: "teacher", ask: "GET " + confirmation, status: 200, has: []string{`"email":"jauna@skola.example"`}},
		step{as: "teacher", ask: "POST " + confirmation, status: 204, events: "identity.email_changed identity.sessions_ended"},
		step{name: "logged out", as: "teacher", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{name: "the old address", ask: "POST /sessions", body: strings.Replace(signInAs, "%", "teacher@skola.example", 1), status: 401, code: "identity.sign_in"},
		step{name: "the new one", ask: "POST /sessions", body: strings.Replace(signInAs, "%", "jauna@skola.example", 1), status: 201, events: "identity.signed_in"},
		step{as: "admin", ask: "GET /schools/{school}/users?q=jauna", status: 200, has: []string{`"email":"jauna@skola.example"`}},
	)
}

// Both links die 24 hours after the beginning, whenever they were sent.
func TestBothLinksDieTogether(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-030")
	s := newStaffStory(t)
	s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
	s.advance(24*time.Hour - time.Second)
	s.signIn("teacher")
	s.mailedLinks("teacher")
	s.tell(step{name: "a second before", as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"jauna@skola.example"}`, status: 202, events: "identity.email_given"})
	s.mailedLinks("teacher")
	s.tell(step{as: "teacher", ask: "GET /me/email-change/{second}/confirmation", status: 200})
	s.advance(time.Second)
	s.tell(
		step{as: "teacher", ask: "GET /me/email-change/{first}/address", status: 410, code: "identity.change_expired"},
		step{as: "teacher", ask: "GET /me/email-change/{second}/confirmation", status: 410, code: "identity.change_expired"},
		step{as: "teacher", ask: "POST /me/email-change/{second}/confirmation", status: 410, code: "identity.change_expired"},
	)
}

func TestAnAddressOfSomebodyElseIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C12", "C28")
	s := newStaffStory(t)
	s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
	s.mailedLinks("teacher")
	give := func(email string) answer {
		return s.tell(step{name: email, as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"` + email + `"}`, status: 202, events: "identity.email_given"})
	}
	free, taken := give("briva@skola.example"), give("admin@skola.example")
	if free.Body.String() != taken.Body.String() || len(free.Header()) != len(taken.Header()) {
		t.Errorf("%v %s\n%v %s", free.Header(), free.Body, taken.Header(), taken.Body)
	}
	s.mailedLinks("teacher")
	s.tell(step{name: "made up", as: "teacher", ask: "POST /me/email-change/{second}/confirmation", status: 410, code: "identity.change_replaced"})
}

func TestTwoChangesAtOnce(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C13")
	s := newStaffStory(t)
	s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
	s.mailedLinks("teacher")
	s.tell(step{as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"b@skola.example"}`, status: 202, events: "identity.email_given"})
	s.mailedLinks("teacher")
	s.tell(
		step{name: "another change", as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_replaced identity.email_change_started"},
		step{as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"c@skola.example"}`, status: 410, code: "identity.change_replaced"},
		step{as: "teacher", ask: "POST /me/email-change/{second}/confirmation", status: 410, code: "identity.change_replaced"},
		step{as: "teacher", ask: "DELETE /me/email-change", status: 204, events: "identity.email_change_stopped"},
		step{name: "again", as: "teacher", ask: "DELETE /me/email-change", status: 204},
	)
}

func TestAnAdministratorCorrectsAnAddress(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-022", "EMU-023", "EMU-084", "EMU-095", "C07")
	s := newStaffStory(t)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	s.names["old"] = s.link(id[domain.AccountID](s, "laura"))
	const email = "PUT /schools/{school}/users/{laura}/email"
	s.tell(
		step{as: "teacher", ask: email, body: `{"email":"l@skola.example"}`, status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: email, body: `{"email":"l@skola.example"}`, status: 404, code: "access.not_found"},
		step{as: "stranger", ask: strings.Replace(email, "{school}", "{elsewhere}", 1), body: `{"email":"l@skola.example"}`, status: 404, code: "access.not_staff"},
		step{as: "admin", ask: email, body: `{"email":"l@"}`, status: 422, code: "identity.email", fields: []string{"email"}},
		step{as: "admin", ask: email, body: `{"email":"admin@skola.example"}`, status: 409, code: "identity.email_taken", fields: []string{"email"}},
		step{as: "admin", ask: email, body: `{"email":"l@skola.example"}`, status: 204, events: "identity.email_corrected"},
		step{name: "again", as: "admin", ask: email, body: `{"email":"l@skola.example"}`, status: 204},
		step{name: "the old link", ask: "GET /registrations/{old}", status: 410, code: "identity.link_replaced"},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{`"email":"l@skola.example"`, `"state":"invited"`}},
		step{name: "registered", as: "admin", ask: strings.Replace(email, "{laura}", "{teacher}", 1), body: `{"email":"x@skola.example"}`, status: 409, code: "identity.email_is_self_managed"},
	)
	account := id[domain.AccountID](s, "laura")
	s.names["link"] = s.commands.Links.Registration(account, lastOf[identity.EmailCorrected](s, "laura").Invitation)
	s.tell(step{ask: "POST /registrations/{link}", body: `{"password":"` + password + `"}`, status: 204, events: "identity.registration_confirmed"})
	e := lastOf[identity.EmailCorrected](s, "laura")
	if e.OldEmail != "laura@skola.example" || e.Email != "l@skola.example" {
		t.Errorf("%+v", e)
	}
}

func TestALostMailbox(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-081", "EMU-082", "EMU-096", "C14")
	s := newStaffStory(t)
	s.hire("auditor", post{"auditor", "school"})
	s.firstSignIn("teacher")
	const recover = "POST /schools/{school}/users/{teacher}/email-recovery"
	const body = `{"email":"jauna@skola.example","reason":"Vecā pastkaste ir slēgta"}`
	s.tell(
		step{as: "teacher", ask: recover, body: body, status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: recover, body: body, status: 404, code: "access.not_found"},
		step{as: "admin", ask: recover, body: `{"email":"jauna@skola.example","reason":" "}`, status: 422, code: "text.missing", fields: []string{"reason"}},
		step{as: "admin", ask: recover, body: `{"email":"x","reason":""}`, status: 422, code: "request.fields", fields: []string{"email", "reason"}},
		step{as: "admin", ask: recover, body: strings.Replace(body, "jauna", "admin", 1), status: 409, code: "identity.email_taken", fields: []string{"email"}},
		step{as: "admin", ask: recover, body: body, status: 202, events: "identity.email_recovery_started"},
		step{name: "nothing has changed", as: "teacher", ask: "GET /me", status: 200, has: []string{"teacher@skola.example"}},
	)
	s.mailedLinks("teacher")
	s.tell(
		step{name: "who reads the old mailbox", ask: "GET /email-recoveries/{stop}", status: 204},
		step{ask: "DELETE /email-recoveries/{stop}", status: 204, events: "identity.email_change_stopped"},
		step{name: "again", ask: "DELETE /email-recoveries/{stop}", status: 204},
		step{name: "then the new one", as: "teacher", ask: "POST /me/email-change/{recovered}/confirmation", status: 410, code: "identity.change_stopped"},
		step{name: "once more", as: "admin", ask: recover, body: body, status: 202, events: "identity.email_recovery_started"},
	)
	s.mailedLinks("teacher")
	s.tell(
		step{name: "the administrator", as: "admin", ask: "POST /me/email-change/{recovered}/confirmation", status: 403, code: "identity.link_of_another"},
		step{name: "signed out", ask: "POST /me/email-change/{recovered}/confirmation", status: 401, code: "session.sign_in"},
		step{as: "teacher", ask: "POST /me/email-change/{recovered}/confirmation", status: 204, events: "identity.email_changed identity.sessions_ended"},
		step{as: "auditor", ask: "GET /audit/accounts/{teacher}/events?limit=200", status: 200, events: "audit.history_read",
			has: []string{`"type":"identity.email_recovery_started"`, `"id":"{admin}"`, `"role":"emu.school_admin"`, `"t***@skola.example"`, `"j***@skola.example"`, "Vecā pastkaste ir slēgta"}, hasNot: []string{"jauna@"}},
	)

	// A day later the link is dead, and whoever has never signed in begins anew.
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	again := strings.Replace(recover, "{teacher}", "{laura}", 1)
	s.tell(step{name: "not registered yet", as: "admin", ask: again, body: strings.Replace(body, "jauna", "cita", 1), status: 409, code: "identity.unconfirmed"})
	s.register("laura")
	s.tell(
		step{name: "never signed in", as: "admin", ask: again, body: strings.Replace(body, "jauna", "cita", 1), status: 202, events: "identity.email_corrected"},
		step{as: "laura", ask: "GET /me", status: 401, code: "session.sign_in"},
	)
}

func TestNamesAreChanged(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-024", "EMU-095")
	s := newStaffStory(t)
	const user = "PATCH /schools/{school}/users/{teacher}"
	if got := s.tell(step{as: "admin", ask: "GET /schools/{school}/users/{teacher}", status: 200}).Header().Get("ETag"); got != `"1"` {
		t.Errorf("ETag %s", got)
	}
	s.tell(
		step{as: "admin", ask: user, body: `{"given_name":"Zane"}`, status: 428, code: "version.required"},
		step{as: "stranger", ask: user, body: `{"given_name":"Zane"}`, headers: []string{`If-Match: "1"`}, status: 404, code: "access.not_found"},
		step{as: "teacher", ask: user, body: `{"given_name":"Zane"}`, headers: []string{`If-Match: "1"`}, status: 403, code: "access.forbidden"},
		step{as: "admin", ask: user, body: `{"given_name":" "}`, headers: []string{`If-Match: "1"`}, status: 422, code: "text.missing", fields: []string{"given_name"}},
		step{as: "admin", ask: user, body: `{"given_name":"Zane"}`, headers: []string{`If-Match: "1"`}, status: 204, events: "identity.names_changed"},
		step{name: "stale", as: "teacher", ask: "PATCH /me", body: `{"family_name":"Ozola"}`, headers: []string{`If-Match: "1"`}, status: 412, code: "version.stale", fields: []string{"header.If-Match"}},
		step{as: "teacher", ask: "PATCH /me", body: `{"family_name":"Ozola"}`, status: 428, code: "version.required"},
		step{as: "teacher", ask: "PATCH /me", body: `{"family_name":"Ozola"}`, headers: []string{`If-Match: "2"`}, status: 204, events: "identity.names_changed"},
		step{as: "admin", ask: "GET /schools/{school}/users?q=ozola", status: 200, has: []string{`"given_name":"Zane"`, `"family_name":"Ozola"`}},
		step{as: "teacher", ask: "PATCH /me", body: `{"personal_code":"240683-11611"}`, status: 422, code: "http.invalid"},
		step{as: "town", ask: "PATCH /municipalities/{municipality}/users/{town}", body: `{"given_name":"Māra"}`, headers: []string{"If-Match: *"}, status: 204, events: "identity.names_changed"},
	)
}

// What was chosen goes before what the browser says, and stays.
func TestALanguageIsChosen(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-061")
	s := newStaffStory(t)
	english, german := []string{"Accept-Language: en"}, []string{"Accept-Language: de"}
	s.tell(
		step{as: "teacher", ask: "GET /me", headers: german, status: 200, has: []string{`"language":"lv"`}},
		step{as: "teacher", ask: "PATCH /me", body: `{"language":"de"}`, status: 422, code: "identity.language", fields: []string{"language"}},
		step{as: "teacher", ask: "PATCH /me", body: `{"language":"en"}`, status: 204, events: "identity.language_chosen"},
		step{as: "teacher", ask: "GET /me/guide", status: 200, has: []string{"Without a role"}},
		step{as: "teacher", ask: "GET /schools/{school}/users", status: 403, code: "access.forbidden", has: []string{"may not"}},
		step{as: "teacher", ask: "PATCH /me", body: `{"language":"lv"}`, status: 204, events: "identity.language_chosen"},
		step{as: "teacher", ask: "GET /me/guide", headers: english, status: 200, has: []string{"Bez lomas"}},
	)
}
