package httpapi

import (
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"zurnals/internal/trace"
)

func TestPupilsRecordThemselves(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "A33", "A39", "A40", "A47", "A52", "A55", "ATT-016", "ATT-017", "ATT-033", "ATT-034", "ATT-036", "ATT-037", "ATT-038",
		"ATT-041", "ATT-042", "ATT-043", "ATT-047", "ATT-050")
	s := newLessons(t)
	for _, p := range []string{"p0", "p1", "p2"} {
		s.activate(p)
	}
	s.tell(s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: "next",
		body: `{"date":"2025-09-01","from":"10:00","self_recording":{"qr":true}}`}))
	s.names["secret"], s.names["code"] = s.secret("lesson").Password, s.secret("lesson").Code
	if other := s.secret("next"); other.Code == s.names["code"] || other.Password != "" {
		t.Error("two lessons have one secret, or a password is told that is not offered")
	}
	const path = "POST /me/self-recordings"
	byPassword, byCode := `{"session":"{lesson}","password":"{secret}"}`, `{"code":"{code}"}`
	s.tell(
		// The secrets are the instructor's to show.
		s.instructs(step{ask: "GET /attendance-sessions/{lesson}/password", status: 200, has: []string{"{secret}"}}),
		step{as: "atbalsts", ask: "GET /attendance-sessions/{lesson}/password", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /attendance-sessions/{lesson}/qr", status: 404, code: "access.not_found"},
		step{as: "p0", ask: "GET /attendance-sessions/{lesson}/password", status: 401, code: "session.sign_in"},

		// Not yet; opening the page records nothing.
		step{as: "p0", ask: path, body: byPassword, status: 409, code: "attendance.not_open"},
		step{ask: "GET ~/a/{code}", status: 200, has: []string{"Apmeklējuma reģistrēšana", "/scan.js"}, hasNot: []string{"{code}"}},
		step{ask: "GET ~/a/{code}", headers: []string{"Accept-Language: en"}, status: 200, has: []string{"Recording attendance"}},
		step{ask: "GET ~/scan.js", status: 200, has: []string{"/me/self-recordings"}},
		step{ask: path, body: byCode, status: 401, code: "session.sign_in"},
		step{as: "inga", ask: path, body: byCode, status: 401, code: "session.sign_in"},
	)
	s.advance(30 * time.Minute)
	s.tell(
		step{as: "p0", ask: "GET /me/attendance-sessions", status: 200, has: []string{`"open":true`}},
		step{as: "p0", ask: path, body: `{}`, status: 422, code: "attendance.session_or_code"},
		step{as: "p0", ask: path, body: `{"session":"{lesson}","password":"{secret}","code":"{code}"}`, status: 422, code: "attendance.session_or_code"},
		step{as: "p0", ask: path, body: `{"session":"{register}","password":"{secret}"}`, status: 404, code: "access.not_found"},
		step{as: "p0", ask: path, body: `{"session":"{lesson}","password":"{secret}","student_id":"{p1}"}`, status: 403, code: "attendance.not_you"},
		step{as: "p0", ask: path, body: `{"session":"{lesson}","password":"{secret}","status":"P"}`, status: 422, code: "attendance.status_chosen"},
		step{name: "by password, as a person types it", as: "p0", ask: path, body: `{"session":"{lesson}","password":" ` + strings.ToUpper(s.names["secret"][:4]) + "-" + s.names["secret"][4:] + `"}`,
			status: 201, events: recorded, has: []string{"veiksmīgi"}},
		step{as: "p0", ask: path, body: byCode, status: 409, code: "attendance.already_recorded"},
		step{as: "p0", ask: "GET /me/attendance-sessions", status: 200, has: []string{`"self_recorded":true`}, hasNot: []string{`"open":true`}},
		step{name: "the code of another lesson", as: "p1", ask: path, body: `{"code":"` + s.secret("next").Code + `"}`, status: 409, code: "attendance.not_open"},
		step{name: "half a code", as: "p1", ask: path, body: `{"code":"abc"}`, status: 403, code: "attendance.wrong_secret"},
	)

	// Who is in another class is not let in with the right code.
	s.activate("stranger")
	s.tell(step{as: "stranger", ask: path, body: byCode, status: 403, code: "attendance.not_in_audience"})

	// Five wrong tries, then a minute of waiting for that pupil alone.
	for range 5 {
		s.tell(step{as: "p1", ask: path, body: `{"session":"{lesson}","password":"aaaabbbb"}`, status: 403, code: "attendance.wrong_secret"})
	}
	s.tell(
		step{as: "p1", ask: path, body: `{"session":"{lesson}","password":"aaaabbbb"}`, status: 429, code: "attendance.too_many_tries"},
		step{as: "p1", ask: path, body: byPassword, status: 429, code: "attendance.too_many_tries"},
		step{as: "p1", ask: path, body: byCode, status: 429, code: "attendance.too_many_tries"},
		step{as: "p2", ask: path, body: byCode, status: 201, events: recorded},
	)
	s.advance(time.Minute - time.Second)
	s.tell(step{as: "p1", ask: path, body: byPassword, status: 429, code: "attendance.too_many_tries"})
	s.advance(time.Second)
	s.tell(
		step{as: "p1", ask: path, body: byPassword, headers: []string{"Idempotency-Key: mana-nodarbiba"}, status: 201, events: recorded},
		step{as: "p1", ask: path, body: byPassword, headers: []string{"Idempotency-Key: mana-nodarbiba"}, status: 201},
		step{as: "atbalsts", ask: "GET /attendance-sessions/{lesson}/sheet", status: 200, has: []string{`"self_recorded":3`, `"method":"password"`, `"method":"qr"`}},

		// The instructor has the last word, and history has both.
		s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{`If-Match: "4"`}, body: `{"marks":[{"student_id":"{p0}","status":"A","remark":"aizgāja"}]}`, status: 204, events: taken}),
		step{as: "p0", ask: path, body: byPassword, status: 409, code: "attendance.marked_by_instructor"},
		step{as: "p0", ask: "GET /me/attendance-sessions", status: 200, has: []string{`"status":"A"`, `"method":"manual"`}},
		step{as: "p0", ask: "GET /me/attendance", status: 200, has: []string{`"A":1`, `"grade":0`}},
		step{as: "inga", ask: "GET /me/attendance", status: 401, code: "session.sign_in"},
	)
	s.advance(9*time.Minute + 59*time.Second) // 08:41 less a second: closed only at 09:10
	s.advance(29*time.Minute + time.Second)
	s.activate("p3")
	s.tell(step{as: "p3", ask: path, body: byPassword, status: 409, code: "attendance.closed"})

	// The secrets are nowhere but in the answers.
	for where, text := range map[string]string{"the server's log": s.output.String(), "the log of events": s.stored()} {
		for _, secret := range []string{s.names["secret"], s.names["code"]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a secret of the lesson", where)
			}
		}
	}
}

// stored returns the log as it lies in the database.
func (s *story) stored() string {
	s.t.Helper()
	var all strings.Builder
	for e, err := range s.log.ReadAll(s.t.Context(), 0, 0) {
		s.must(err)
		all.Write(e.Data)
		all.Write(e.Meta)
	}
	return all.String()
}

// TestAWholeClassScansAtOnce: everybody is recorded, each once.
func TestAWholeClassScansAtOnce(t *testing.T) {
	t.Parallel()
	s := newLessons(t)
	for i := range 20 {
		s.activate(fmt.Sprintf("p%d", i))
	}
	s.advance(30 * time.Minute)
	s.names["code"] = s.secret("lesson").Code
	var wg sync.WaitGroup
	began := time.Now()
	for i := range 20 {
		wg.Go(func() {
			if a := s.send(step{as: fmt.Sprintf("p%d", i), ask: "POST /me/self-recordings", body: `{"code":"{code}"}`}, 0); a.Code != http.StatusCreated {
				t.Errorf("p%d: %d %s", i, a.Code, a.Body)
			}
		})
	}
	wg.Wait()
	t.Logf("20 pupils in %v", time.Since(began))
	s.tell(step{as: "atbalsts", ask: "GET /attendance-sessions/{lesson}/sheet", status: 200, has: []string{`"self_recorded":20`, `"version":21`}})
}

// TestPicturesOfTheCode: PNG and SVG hold the address of the page.
func TestPicturesOfTheCode(t *testing.T) {
	t.Parallel()
	s := newLessons(t)
	a := s.tell(s.instructs(step{ask: "GET /attendance-sessions/{lesson}/qr?scale=4", status: 200}))
	if picture, err := png.Decode(a.Body); err != nil || picture.Bounds().Dx()%4 != 0 || a.Header().Get("Content-Type") != "image/png" {
		t.Errorf("%v, %s", err, a.Header().Get("Content-Type"))
	}
	a = s.tell(s.instructs(step{ask: "GET /attendance-sessions/{lesson}/qr?format=svg", status: 200, has: []string{"<svg"}}))
	if kind := a.Header().Get("Content-Type"); kind != "image/svg+xml" {
		t.Error(kind)
	}
	s.tell(
		s.instructs(step{ask: "GET /attendance-sessions/{lesson}/qr?format=gif", status: 422, code: "http.invalid", fields: []string{"query.format"}}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: "plain", body: `{"date":"2025-09-02","from":"08:30"}`}),
		s.instructs(step{ask: "GET /attendance-sessions/{plain}/qr", status: 409, code: "attendance.self_recording_off"}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: "typed", body: `{"date":"2025-09-02","from":"08:30","self_recording":{"password":true}}`}),
		s.instructs(step{ask: "GET /attendance-sessions/{typed}/qr", status: 409, code: "attendance.no_code"}),
	)
}
