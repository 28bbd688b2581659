package httpapi

import (
	"testing"
	"time"

	"zurnals/internal/trace"
)

// Somebody guesses at the address of the teacher, who signs in all the same
// where the browser is known.
func TestGuessingElsewhereLocksNobodyOut(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C26")
	s := newStaffStory(t)
	s.viaCode("teacher")
	const right = `{"email":"teacher@skola.example","password":"` + password + `"}`
	a := s.tell(step{ask: "POST /sessions", body: right, status: 201, events: signedInSaid})
	device := ""
	for _, c := range a.Result().Cookies() {
		if c.Name == "__Host-zurnals-device" {
			device = c.Name + "=" + c.Value
			if !c.HttpOnly || !c.Secure || time.Duration(c.MaxAge)*time.Second != deviceLife {
				t.Errorf("%+v", c)
			}
		}
	}
	guess := step{ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"nezinama parole"}`, status: 401, code: "identity.sign_in"}
	s.tell(guess, guess, guess, guess, guess,
		step{name: "right at once", ask: "POST /sessions", body: right, status: 401, code: "identity.sign_in"},
		step{name: "at the known device", ask: "POST /sessions", body: right, headers: []string{"Cookie: " + device}, status: 201, events: signedInSaid},
		step{name: "a device made up", ask: "POST /sessions", body: right, headers: []string{"Cookie: __Host-zurnals-device=AAAA"}, status: 401, code: "identity.sign_in"},
		step{name: "the device opens nothing", ask: "GET /me", headers: []string{"Cookie: " + device}, status: 401, code: "session.sign_in"},
	)
	s.advance(30 * time.Second)
	s.tell(step{name: "after the wait", ask: "POST /sessions", body: right, status: 201, events: signedInSaid})
}
