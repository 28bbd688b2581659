package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/trace"
	"zurnals/projections"
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
func newLessons(t *testing.T, more ...projections.Any) *story {
	t.Helper()
	s := newStory(t, append(more, attendance.Projection, students.Projection, analytics.AttendanceWeek, audit.Projection)...)
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
	t.Parallel()
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
	t.Parallel()
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

	// The sheet as it was is read from the log.
	s.signIn("atbalsts")
	s.signIn("zane")
	for e, err := range s.log.ReadStream(t.Context(), "attendance_session-"+s.names["lesson"], 2) {
		s.must(err)
		s.names["before"] = fmt.Sprint(e.Position)
		break
	}
	const sheet = "GET /attendance-sessions/{lesson}/sheet?as_of="
	s.tell(
		step{as: "atbalsts", ask: sheet + "2025-09-30", status: 200, has: []string{`"remark":"ārsts"`, `"marked":19`, `"version":4`}},
		step{as: "atbalsts", ask: sheet + "{before}", status: 200, has: []string{`"marked":20`, `"version":2`, `"enrolled":true`}, hasNot: []string{"ārsts"}},
		step{as: "atbalsts", ask: sheet + "1", status: 404, code: "attendance.no_lesson"},
		step{as: "atbalsts", ask: sheet + "once", status: 422, code: "audit.as_of"},
		step{as: "zane", ask: sheet + "1", status: 403, code: "access.forbidden"},
	)
}

// TestTwoInstructorsSaveAtOnce: one wins, the other is told, and there is one mark.
func TestTwoInstructorsSaveAtOnce(t *testing.T) {
	t.Parallel()
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
