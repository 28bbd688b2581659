package httpapi

import (
	"testing"
	"time"

	"zurnals/internal/trace"
)

// Pupils have a realm of their own: what they sign in by opens nothing of the
// staff's, they are not invited as staff, and staff do not record themselves.
func TestPupilsAreNoStaff(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-057", "C33")
	s := newLessons(t)
	s.activate("p0")
	s.advance(30 * time.Minute)
	s.names["secret"] = s.secret("lesson").Password
	const signIn, record = `{"username":"skolens.p0","password":"` + password + `"}`, `{"session":"{lesson}","password":"{secret}"}`
	const invite = `{"given_name":"Anna","family_name":"Ozola","personal_code":"240683-11611","email":"anna@skola.example","roles":[{"role":"`
	s.tell(
		step{name: "the user name of a pupil", ask: "POST /sessions", body: `{"email":"skolens.p0","password":"` + password + `"}`, status: 401, code: "identity.sign_in"},
		step{name: "as a pupil signs in", ask: "POST /sessions", body: signIn, status: 422, code: "http.invalid", fields: []string{"email", "username"}},
		step{name: "with the role of a pupil", as: "dace", ask: "POST /schools/{school}/users", body: invite + `learner"}]}`, status: 422, code: "access.role_unknown", fields: []string{"role"}},
		step{as: "p0", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{as: "p0", ask: "GET /schools/{school}/users", status: 401, code: "session.sign_in"},
		step{as: "dace", ask: "POST /me/self-recordings", body: record, status: 401, code: "session.sign_in"},
		step{ask: "POST /me/self-recordings", body: record, status: 401, code: "session.sign_in"},
		step{ask: "POST /learner/sessions", body: signIn, status: 201, events: "learner.signed_in"},
		step{as: "p0", ask: "POST /me/self-recordings", body: record, status: 201, events: recorded},
	)
}
