package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/trace"
	"zurnals/projections/analytics"
	"zurnals/projections/attendance"
	"zurnals/projections/audit"
	"zurnals/projections/students"
)

// newLessons begins a story at 8:00 in a school whose roster is loaded. Inga is
// the class teacher of 6.a, with 20 pupils {p0} … {p19} by name, one of whom has
// a name that looks like a formula; {stranger} is in another class. Inga has
// opened {register}, and so is its instructor too; {lesson} is today from 8:30
// to 9:10.
func newLessons(t *testing.T) *story {
	t.Helper()
	s := newStory(t, attendance.Projection, students.Projection, analytics.AttendanceWeek, audit.Projection)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("inga", post{access.ClassTeacher, "class"})
	s.hire("zane", post{access.ClassTeacher, "class_b"})
	s.hire("atbalsts", post{access.SupportStaff, "school"})
	s.hire("other", post{access.ClassTeacher, "elsewhere_class"})
	file := rosterZip(t, "roster_lv/01_initial", "users.csv", "ek-s-0041,,Pēteris,", "ek-s-0041,,=HYPERLINK(1),")
	if a := s.send(step{as: "dace", ask: "POST /schools/{school}/roster-syncs", form: rosterForm(file)}, 0); a.Code != http.StatusCreated {
		t.Fatal(a.Body)
	}
	mine := s.pupils("inga", "")
	for i, id := range mine {
		s.names[fmt.Sprintf("p%d", i)] = id
	}
	for _, id := range s.pupils("dace", "") {
		if !slices.Contains(mine, id) {
			s.names["stranger"] = id
		}
	}

	s.names["inga/teacher"] = s.names["inga/"+string(access.ClassTeacher)]
	s.tell(step{as: "inga", ask: "POST /schools/{school}/registers", body: `{"class_id":"{class}","name":"Matemātika 6.a","grade_maximum":50}`,
		status: 201, events: "attendance.register_opened access.role_given", keep: "register"})
	held, err := s.commands.Held(t.Context(), id[domain.AccountID](s, "inga"))
	s.must(err)
	s.names["inga/instructor"] = held[len(held)-1].ID.String()
	s.tell(s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: "lesson",
		body: `{"date":"2025-09-01","from":"08:30","until":"09:10","description":"Daļskaitļi","self_recording":{"password":true,"qr":true,"late_after":10}}`}))
	return s
}

// instructs has Inga ask as the instructor of her register.
func (s *story) instructs(st step) step {
	st.as, st.headers = "inga", append(st.headers, "Zurnals-Role: {inga/instructor}")
	return st
}

func (s *story) pupils(as, query string) (ids []string) {
	s.t.Helper()
	var page struct{ Items []struct{ ID string } }
	a := s.tell(step{as: as, ask: "GET /schools/{school}/students?limit=200" + query, status: 200})
	s.must(json.Unmarshal(a.Body.Bytes(), &page))
	for _, p := range page.Items {
		ids = append(ids, p.ID)
	}
	return ids
}

// activate gives a pupil a learner account and signs in.
func (s *story) activate(pupil string) {
	s.t.Helper()
	var issued struct{ ID, Code string }
	a := s.tell(step{as: "dace", ask: "POST /schools/{school}/students/{" + pupil + "}/learner-account", status: 201,
		events: "learner.opened learner.code_issued"})
	s.must(json.Unmarshal(a.Body.Bytes(), &issued))
	learner, err := s.commands.ActivateLearner(s.t.Context(), access.Actor{Kind: domain.ActorToken},
		commands.ActivateLearner{Code: issued.Code, Username: "skolens." + pupil, Password: password})
	s.must(err)
	s.tokens[pupil], _, err = s.api.Sessions.Create(s.t.Context(), sessions.Session{Realm: sessions.Learner, Subject: learner.UUID, Generation: 1})
	s.must(err)
}

// secret returns the password of the lesson and the code of its QR picture.
func (s *story) secret(lesson string) commands.LessonSecret {
	s.t.Helper()
	actor := access.Actor{Kind: domain.ActorAccount, ID: id[domain.AccountID](s, "inga").UUID}
	held, err := s.commands.Held(s.t.Context(), actor.Account())
	s.must(err)
	actor.Active = held[len(held)-1]
	secret, err := s.commands.LessonSecret(s.t.Context(), actor, id[domain.LessonID](s, lesson))
	s.must(err)
	return secret
}

const recorded, taken = "attendance.self_recorded", "attendance.marks_taken"

func TestAnInstructorKeepsARegister(t *testing.T) {
	trace.Covers(t, "ATT-001", "ATT-003", "ATT-009", "ATT-010", "ATT-013", "ATT-019", "ATT-020")
	s := newLessons(t)
	const registers = "POST /schools/{school}/registers"
	s.tell(
		// Who may open a register, and for which class.
		step{as: "inga", ask: registers, body: `{"class_id":"{class}","name":"Ķīmija"}`, status: 409, code: "role.choose", has: []string{"{register}"}},
		step{as: "dace", ask: registers, body: `{"class_id":"{class}","name":"Ķīmija"}`, status: 403, code: "access.forbidden"},
		step{as: "zane", ask: registers, body: `{"class_id":"{class}","name":"Ķīmija"}`, status: 403, code: "access.forbidden"},
		step{as: "other", ask: registers, body: `{"class_id":"{class}","name":"Ķīmija"}`, status: 404, code: "access.not_found"},
		step{as: "other", ask: "POST /schools/{elsewhere}/registers", body: `{"class_id":"{class}","name":"Ķīmija"}`, status: 404, code: "access.not_found"},
		step{as: "zane", ask: registers, body: `{"class_id":"{elsewhere_class}","name":"Ķīmija"}`, status: 404, code: "access.not_found"},
		step{as: "zane", ask: registers, body: `{"class_id":"{class_b}","name":""}`, status: 422, code: "http.invalid", fields: []string{"name"}},
		step{as: "zane", ask: registers, body: `{"class_id":"{class_b}","name":"a","until":"2025-02-30"}`, status: 422, code: "http.invalid", fields: []string{"until"}},
		step{as: "zane", ask: registers, body: `{"class_id":"{class_b}","name":"a","grade":"points"}`, status: 422, code: "http.invalid", fields: []string{"grade"}},
		step{as: "zane", ask: registers, body: `{"class_id":"{class_b}","name":"a\tb"}`, status: 422, code: "text.characters", fields: []string{"name"}},

		// What each role sees of it.
		step{as: "zane", ask: "GET /schools/{school}/registers", status: 200, hasNot: []string{"{register}"}},
		step{as: "atbalsts", ask: "GET /schools/{school}/registers?q=matem", status: 200, has: []string{"{register}", "Matemātika 6.a"}},
		s.instructs(step{ask: "GET /schools/{school}/registers", status: 200, has: []string{"{register}"}}),
		step{as: "other", ask: "GET /schools/{school}/registers", status: 404, code: "access.not_found"},
		step{as: "dace", ask: "GET /schools/{school}/registers", status: 403, code: "access.forbidden"},
		step{as: "zane", ask: "GET /registers/{register}", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /registers/{register}", status: 404, code: "access.not_found"},
		step{as: "atbalsts", ask: "GET /registers/{register}", status: 200, has: []string{`"Apmeklēts","points":2`, `"grade_maximum":50`, `"lessons":1`}},
		step{as: "atbalsts", ask: "GET /registers/{lesson}", status: 404, code: "access.not_found"},

		// Changes, each against the version that was read.
		s.instructs(step{ask: "PATCH /registers/{register}", body: `{"name":"Algebra"}`, status: 428, code: "version.required"}),
		s.instructs(step{ask: "PATCH /registers/{register}", body: `{"name":"Algebra"}`, headers: []string{`If-Match: "2"`}, status: 412, code: "version.stale", has: []string{`"what":"1"`}}),
		step{as: "inga", ask: "PATCH /registers/{register}", body: `{"name":"Algebra"}`, headers: []string{`If-Match: "1"`, "Zurnals-Role: {inga/teacher}"}, status: 403, code: "access.forbidden"},
		s.instructs(step{ask: "PATCH /registers/{register}", body: `{"name":"Algebra","until":"2025-12-19"}`, headers: []string{`If-Match: "1"`}, status: 204, events: "attendance.register_changed"}),
		s.instructs(step{ask: "PATCH /registers/{register}", body: `{"name":"Algebra"}`, headers: []string{`If-Match: "2"`}, status: 204}),
		step{as: "atbalsts", ask: "GET /registers/{register}", status: 200, has: []string{`"Algebra"`, `"until":"2025-12-19"`, `"grade_maximum":50`}},

		s.instructs(step{ask: "PUT /registers/{register}/status-sets/3", body: `{"statuses":[{"acronym":"I","description":"Ir","points":1.5}]}`, status: 412, code: "attendance.status_set_version"}),
		s.instructs(step{ask: "PUT /registers/{register}/status-sets/2", body: `{"statuses":[{"acronym":"I","description":"Ir"},{"acronym":"I","description":"Ir"}]}`, status: 422, code: "http.invalid", fields: []string{"statuses[0].points", "statuses[1].points"}}),
		s.instructs(step{ask: "PUT /registers/{register}/status-sets/2", body: `{"statuses":[{"acronym":"I","description":"Ir","points":1},{"acronym":"I","description":"Ir","points":1}]}`, status: 422, code: "attendance.status_acronym", fields: []string{"statuses[1].acronym"}}),
		s.instructs(step{ask: "PUT /registers/{register}/status-sets/2", body: `{"statuses":[{"acronym":"I","description":"Ir","points":0.29}]}`, status: 204, events: "attendance.status_set_changed"}),
		s.instructs(step{ask: "PUT /registers/{register}/status-sets/2", body: `{"statuses":[{"acronym":"I","description":"Ir","points":0.29}]}`, status: 204}),
		step{as: "atbalsts", ask: "GET /registers/{register}/status-sets/2", status: 200, has: []string{`"acronym":"I"`, `"points":0.29`}},
		step{as: "atbalsts", ask: "GET /registers/{register}/status-sets/1", status: 200, has: []string{`"acronym":"A"`}},
		step{as: "atbalsts", ask: "GET /registers/{register}/status-sets/9", status: 404, code: "attendance.not_shown"},

		// Lessons.
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"08:30","until":"08:30"}`, status: 422, code: "attendance.lesson_time", fields: []string{"until"}}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"25:00"}`, status: 422, code: "attendance.lesson_time", fields: []string{"from"}}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"08:30","audience":"6.a puse"}`, status: 422, code: "attendance.audience", fields: []string{"audience"}}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"08:30","self_recording":{}}`, status: 422, code: "attendance.self_recording", fields: []string{"self_recording.password"}}),
		step{as: "inga", ask: "POST /registers/{register}/sessions", headers: []string{"Zurnals-Role: {inga/teacher}"}, body: `{"date":"2025-09-02","from":"08:30"}`, status: 403, code: "access.forbidden"},
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"10:00"}`, headers: []string{"Idempotency-Key: otra-nodarbiba"}, status: 201, events: "attendance.lesson_scheduled", keep: "second"}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"10:00"}`, headers: []string{"Idempotency-Key: otra-nodarbiba"}, status: 201, has: []string{"{second}"}}),
		s.instructs(step{ask: "POST /registers/{register}/sessions", body: `{"date":"2025-09-02","from":"11:00"}`, headers: []string{"Idempotency-Key: otra-nodarbiba"}, status: 422, code: "idempotency.reused"}),
		step{as: "atbalsts", ask: "GET /registers/{register}/sessions", status: 200, has: []string{`"password":true`, `"qr":true`, `"members":20`, "{second}"}},
		step{as: "atbalsts", ask: "GET /registers/{register}/sessions?from=2025-09-02", status: 200, has: []string{"{second}"}, hasNot: []string{"{lesson}"}},
		step{as: "zane", ask: "GET /registers/{register}/sessions", status: 403, code: "access.forbidden"},
	)
}

func TestAnInstructorTakesAttendance(t *testing.T) {
	trace.Covers(t, "A54", "A58", "ATT-021", "ATT-022", "ATT-023", "ATT-024", "ATT-027", "ATT-028")
	s := newLessons(t)
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf(`{"student_id":"{p%d}","status":"P"}`, i))
	}
	body := func(marks ...string) string { return `{"marks":[` + strings.Join(marks, ",") + `]}` }
	const path = "PUT /attendance-sessions/{lesson}/marks"
	first, second := []string{`If-Match: "1"`}, []string{`If-Match: "2"`}
	s.tell(
		step{as: "atbalsts", ask: "GET /attendance-sessions/{lesson}/sheet", status: 200, has: []string{`"unmarked":true`}, hasNot: []string{`"unmarked":false`}},
		s.instructs(step{name: "a pupil of another class", ask: path, headers: first, body: body(append(all, `{"student_id":"{stranger}","status":"P"}`)...),
			status: 422, code: "attendance.not_member", fields: []string{"marks[20].student"}, has: []string{"{stranger}"}}),
		s.instructs(step{name: "who took it is not said in the body", ask: path, headers: first, body: `{"marks":[{"student_id":"{p0}","status":"P"}],"taken_by":"direktors"}`,
			status: 422, code: "http.invalid", fields: []string{"taken_by"}}),
		s.instructs(step{ask: path, headers: first, body: body(), status: 422, code: "http.invalid", fields: []string{"marks"}}),
		s.instructs(step{ask: path, headers: first, body: body(`{"student_id":"{p0}","status":"X"}`), status: 422, code: "attendance.no_status", fields: []string{"marks[0].status"}}),
		s.instructs(step{ask: path, body: body(all...), status: 428, code: "version.required"}),
		s.instructs(step{ask: path, headers: []string{"If-Match: one"}, body: body(all...), status: 422, code: "version.malformed"}),
		step{as: "inga", ask: path, headers: append([]string{"Zurnals-Role: {inga/teacher}"}, first...), body: body(all...), status: 403, code: "access.forbidden"},
		step{as: "dace", ask: path, headers: first, body: body(all...), status: 403, code: "access.forbidden"},
		step{as: "other", ask: path, headers: first, body: body(all...), status: 404, code: "access.not_found"},
		s.instructs(step{ask: "PUT /attendance-sessions/{register}/marks", headers: first, body: body(all...), status: 404, code: "access.not_found"}),

		s.instructs(step{ask: path, headers: first, body: body(all...), status: 204, events: taken}),
		s.instructs(step{name: "saved again", ask: path, headers: first, body: body(all...), status: 204}),
		s.instructs(step{name: "as it was read before", ask: path, headers: first, body: body(`{"student_id":"{p0}","status":"E","remark":"ārsts"}`),
			status: 412, code: "version.stale", fields: []string{"header.If-Match", "marks[0]"}, has: []string{`"what":"2"`}}),
		s.instructs(step{ask: path, headers: second, body: body(`{"student_id":"{p0}","status":"E","remark":"ārsts"}`), status: 204, events: taken}),
		s.instructs(step{name: "taken back", ask: path, headers: []string{`If-Match: "3"`}, body: body(`{"student_id":"{p1}"}`), status: 204, events: taken}),
		step{as: "atbalsts", ask: "GET /attendance-sessions/{lesson}/sheet", status: 200, has: []string{`"remark":"ārsts"`, `"unmarked":true`, `"marked":19`, `"version":4`}},
		step{as: "zane", ask: "GET /attendance-sessions/{lesson}/sheet", status: 403, code: "access.forbidden"},
		step{as: "dace", ask: "GET /attendance-sessions/{lesson}/sheet", status: 403, code: "access.forbidden"},
		step{as: "inga", ask: "GET /attendance-sessions/{lesson}/sheet", headers: []string{"Zurnals-Role: {inga/teacher}"}, status: 200},
	)
	s.advance(100 * 24 * time.Hour) // always: there is no time limit
	s.tell(s.instructs(step{ask: path, headers: []string{"If-Match: *"}, body: body(`{"student_id":"{p1}","status":"P"}`), status: 401, code: "session.sign_in"}))
	var err error
	s.tokens["inga"], _, err = s.api.Sessions.Create(t.Context(), sessions.Session{Realm: sessions.Staff, Subject: id[domain.AccountID](s, "inga").UUID})
	s.must(err)
	s.tell(s.instructs(step{ask: path, headers: []string{"If-Match: *"}, body: body(`{"student_id":"{p1}","status":"P"}`), status: 204, events: taken}))
	if strings.Contains(s.output.String(), "ārsts") {
		t.Error("a remark is in the log of the server")
	}
}

// TestTwoInstructorsSaveAtOnce: one wins, the other is told, and there is one mark.
func TestTwoInstructorsSaveAtOnce(t *testing.T) {
	trace.Covers(t, "A13")
	s := newLessons(t)
	answers := make([]answer, 2)
	var wg sync.WaitGroup
	for i, status := range []string{"P", "A"} {
		wg.Go(func() {
			answers[i] = s.send(s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{`If-Match: "1"`},
				body: `{"marks":[{"student_id":"{p0}","status":"` + status + `"}]}`}), 0)
		})
	}
	wg.Wait()
	if a, b := answers[0].Code, answers[1].Code; a+b != http.StatusNoContent+http.StatusPreconditionFailed {
		t.Errorf("answered %d and %d", a, b)
	}
	s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/report?student={p0}", status: 200, has: []string{`"marked":1`, `"maximum":2`}})
	if n := len(s.history("attendance_session-" + s.names["lesson"])); n != 2 {
		t.Errorf("%d events in the lesson", n)
	}
}

func TestPupilsRecordThemselves(t *testing.T) {
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

// TestExport opens the files again and compares them with the report.
func TestExport(t *testing.T) {
	trace.Covers(t, "A66", "ATT-030", "ATT-031")
	s := newLessons(t)
	for i, day := range []string{"02", "03"} {
		s.tell(s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: fmt.Sprintf("l%d", i),
			body: `{"date":"2025-09-` + day + `","from":"08:30","until":"09:10"}`}))
	}
	s.tell(
		s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken,
			body: `{"marks":[{"student_id":"{p0}","status":"P"},{"student_id":"{p1}","status":"L","remark":"=1+1"}]}`}),
		s.instructs(step{ask: "PUT /attendance-sessions/{l0}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken,
			body: `{"marks":[{"student_id":"{p0}","status":"E"}]}`}),
		step{as: "dace", ask: "GET /registers/{register}/export", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /registers/{register}/export", status: 404, code: "access.not_found"},
		step{as: "atbalsts", ask: "GET /registers/{register}/export?format=pdf", status: 422, code: "http.invalid"},
		step{as: "atbalsts", ask: "GET /registers/{register}/export?student=x", status: 404, code: "id.malformed"},
	)
	a := s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/export?remarks=true", status: 200})
	if _, params, err := mime.ParseMediaType(a.Header().Get("Content-Disposition")); err != nil || params["filename"] != "Matemātika 6.a.xlsx" {
		t.Errorf("file is called %v, %v", params, err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
	s.must(err)
	defer func() { s.must(f.Close()) }()
	rows, err := f.GetRows(f.GetSheetName(0))
	s.must(err)
	if want := []string{"Uzvārds", "Vārds", "2025-09-01 08:30–09:10\nVisa klase\nDaļskaitļi", "2025-09-02 08:30–09:10\nVisa klase", "2025-09-03 08:30–09:10\nVisa klase",
		"P Apmeklēts", "L Kavēts", "E Attaisnots", "A Neieradās", "Citi statusi", "Atzīmētas nodarbības", "Punkti", "Maksimums", "Procenti", "Vērtējums"}; strings.Join(rows[0], "|") != strings.Join(want, "|") {
		t.Errorf("headings %q", rows[0])
	}

	var report attendance.Report
	s.must(json.Unmarshal(s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/report", status: 200}).Body.Bytes(), &report))
	if len(rows) != 21 || len(report.Pupils) != 20 {
		t.Fatalf("%d rows for %d pupils", len(rows), len(report.Pupils))
	}
	formula := 0
	for i, p := range report.Pupils {
		row := rows[i+1]
		want := []string{p.FamilyName, p.GivenName}
		for _, c := range p.Cells {
			cell := "?"
			if c.Kind == "marked" {
				cell = fmt.Sprintf("%s (%g/%g)", c.Status, c.Points, c.Maximum)
			}
			if c.Remark != "" {
				cell += "; " + c.Remark
			}
			want = append(want, cell)
		}
		for _, status := range []string{"P", "L", "E", "A"} {
			want = append(want, fmt.Sprint(p.Summary.Statuses[status]))
		}
		want = append(want, "0", fmt.Sprint(p.Summary.Marked), fmt.Sprint(p.Summary.Taken.Points), fmt.Sprint(p.Summary.Taken.Maximum))
		if p.Summary.Taken.Percentage == nil {
			want = append(want, "–", "–")
		} else {
			want = append(want, fmt.Sprint(*p.Summary.Taken.Percentage), fmt.Sprint(*p.Summary.Grade))
		}
		if strings.Join(row, "|") != strings.Join(want, "|") {
			t.Errorf("row %d\ngot  %q\nwant %q", i+2, row, want)
		}
		if p.GivenName == "=HYPERLINK(1)" {
			formula = i + 2
		}
	}
	if formula == 0 {
		t.Fatal("nobody has a name like a formula")
	}
	if got, err := f.GetCellFormula(f.GetSheetName(0), fmt.Sprintf("B%d", formula)); err != nil || got != "" {
		t.Errorf("the name is the formula %q, %v", got, err)
	}

	a = s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/export?format=csv&student={p1}&until=2025-09-02", status: 200})
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
	s.must(err)
	if len(lines) != 2 || lines[1][2] != "L (1/2)" || lines[1][3] != "?" || a.Header().Get("Content-Type") != kindCSV {
		t.Errorf("%s: %q", a.Header().Get("Content-Type"), lines)
	}
}

func TestAnalystsReadCounts(t *testing.T) {
	s := newLessons(t)
	s.hire("analitikis", post{access.Analyst, "municipality"})
	s.hire("citur", post{access.Analyst, "elsewhere_municipality"})
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf(`{"student_id":"{p%d}","status":"%c"}`, i, "PPPPPPPPPPPPPPPLLLLA"[i]))
	}
	const path = "GET /analytics/attendance_week"
	s.tell(
		s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken, body: `{"marks":[` + strings.Join(all, ",") + `]}`}),
		step{as: "analitikis", ask: path, status: 200, has: []string{`"iso_week":"2025-W36"`, `"marks":20`, `"position":`, `"as_of":"2025-09-01T05:00:00Z"`, `"suppressed":true`},
			hasNot: []string{"student", "{p0}", `"marks":15`, `"marks":4`}},
		step{as: "citur", ask: path, status: 200, has: []string{`"items":[]`}},
		step{as: "atbalsts", ask: path, status: 403, code: "access.forbidden"},
		step{as: "analitikis", ask: path + "?from=2025-13-01", status: 422, code: "http.invalid"},
		step{as: "analitikis", ask: path + "?from=2025-09-08", status: 200, has: []string{`"items":[]`}},
	)
	for _, ask := range []step{{ask: path + "?format=csv"}, {ask: path, headers: []string{"Accept: text/csv"}}} {
		ask.as, ask.status = "analitikis", 200
		a := s.tell(ask)
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
		if err != nil || len(lines) != 5 || lines[1][7] != "20" || lines[2][7] != "" || a.Header().Get("Zurnals-Position") == "" || a.Header().Get("Zurnals-As-Of") == "" {
			t.Errorf("%v %q %v", err, lines, a.Header())
		}
	}
}
