package httpapi

import (
	"strings"
	"testing"

	"zurnals/domain/access"
	"zurnals/internal/trace"
)

// A file had the personal code and the address of Laura wrong: the account is
// made right by the support of the platform, and by nobody else.
func TestSupportCorrectsAWrongAccount(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-097")
	s := newStaffStory(t)
	s.hire("auditor", post{access.Auditor, "school"})
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	const (
		code  = "PUT /schools/{school}/users/{laura}/personal-code"
		right = `{"personal_code":"320000-99999","reason":"Failā bija māsas kods"}`
	)
	s.tell(
		step{as: "admin", ask: code, body: right, status: 403, code: "access.forbidden"},
		step{as: "town", ask: code, body: right, status: 403, code: "access.forbidden"},
		step{as: "teacher", ask: code, body: right, status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: code, body: right, status: 404, code: "access.not_found"},
		step{name: "nobody", ask: code, body: right, status: 401, code: "session.sign_in"},
		step{name: "of another school", as: "platform", ask: strings.Replace(code, "{school}", "{elsewhere}", 1), body: right, status: 404, code: "access.not_staff"},
		step{as: "platform", ask: code, body: `{"personal_code":"320000-9999","reason":" "}`, status: 422, code: "request.fields", fields: []string{"personal_code", "reason"}},
		step{as: "platform", ask: code, body: `{"personal_code":"","reason":"x"}`, status: 422, code: "identity.personal_code_missing", fields: []string{"personal_code"}},
		step{name: "the code of the teacher", as: "platform", ask: code, body: `{"personal_code":"32000000003","reason":"x"}`, status: 409, code: "identity.personal_code_taken", fields: []string{"personal_code"}},
		step{as: "platform", ask: code, body: right, status: 204, events: "identity.personal_code_corrected"},
		step{name: "again", as: "platform", ask: code, body: right, status: 204},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{`"personal_code":"320000-*****"`}, hasNot: []string{"99999"}},
		step{name: "the address", as: "platform", ask: "PUT /schools/{school}/users/{laura}/email", body: `{"email":"laura.liepina@skola.example"}`, status: 204, events: "identity.email_corrected"},
		step{name: "whose code it was", as: "admin", ask: "POST /schools/{school}/users", body: strings.Replace(laura, "laura@", "lelde@", 1), status: 201, events: lauraSaid, has: []string{`"outcome":"invited"`}},
		step{as: "auditor", ask: "GET /audit/accounts/{laura}/events", status: 200, events: wasRead,
			has:    []string{`"type":"identity.personal_code_corrected"`, `"role":"platform_admin"`, `"reason":"Failā bija māsas kods"`, `{"field":"personal_code","old":"240683-*****","new":"320000-*****"}`},
			hasNot: []string{"99999", "11611", "laura.liepina"}},
	)
	for born, rest := range map[string]string{"320000": "99999", "240683": "11611"} {
		if tells(s.output.String(), born, rest) {
			t.Errorf("the log of the server has %s-%s", born, rest)
		}
	}
}

// Who is signed in under the wrong code is signed out, and signs in again as
// before; who has come to be found under the right one is attached, not invited.
func TestACorrectedCodeEndsSessions(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-097")
	s := newStaffStory(t)
	s.firstSignIn("teacher")
	s.tell(
		step{as: "platform", ask: "PUT /schools/{school}/users/{teacher}/personal-code", body: `{"personal_code":"240683-11611","reason":"Pēc pases"}`,
			status: 204, events: "identity.personal_code_corrected identity.sessions_ended"},
		step{as: "teacher", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`, status: 201, events: signedInSaid},
		step{as: "stranger", ask: "POST /schools/{elsewhere}/users", body: strings.NewReplacer("{class}", "{elsewhere_class}", "laura@", "l@").Replace(laura),
			status: 201, has: []string{"{teacher}", `"outcome":"attached"`}, events: "identity.user_attached access.membership_started access.role_given"},
	)
}
