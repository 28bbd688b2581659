package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/overview"
	"zurnals/projections/staff"
)

// One lesson, looked at by everybody: what each sees, and what each does not.
func TestEachRoleThroughItsLens(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-066", "EMU-068", "EMU-072", "EMU-076", "EMU-077", "C17")
	trace.Partly(t, "EMU-058", "EMU-064", "EMU-067", "EMU-069", "EMU-070", "EMU-071", "EMU-073")
	s := newLessons(t, organisation.Projection, staff.Projection)
	s.hire("vadiba", post{access.SchoolManagement, "school"}, post{access.SupportStaff, "school"})
	s.hire("novads", post{access.MunicipalityAnalyst, "municipality"})
	s.hire("pasvaldiba", post{access.MunicipalityAdmin, "municipality"})
	s.hire("citur", post{access.SchoolManagement, "elsewhere"})
	s.activate("p0")
	s.advance(35 * time.Minute)
	var marks []string
	for i, status := range strings.Split("P P P L L A", " ") {
		marks = append(marks, fmt.Sprintf(`{"student_id":"{p%d}","status":"%s"}`, i, status))
	}
	s.tell(s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{"If-Match: *"}, body: `{"marks":[` + strings.Join(marks, ",") + `]}`, status: 204, events: taken}))

	const (
		class   = "GET /schools/{school}/classes/{class}/overview"
		classB  = "GET /schools/{school}/classes/{class_b}/overview"
		pupil   = "GET /schools/{school}/students/{p0}/attendance"
		another = "GET /schools/{school}/students/{stranger}/attendance"
		school  = "GET /schools/{school}/overview"
		teacher = "GET /schools/{school}/teacher-analysis"
		town    = "GET /municipalities/{municipality}/overview"
	)
	const sums = `"lessons":1,"taken":1,"marks":6,"statuses":{"A":1,"L":2,"P":3},"percentage":66.7`
	teaches, instructs := []string{"Zurnals-Role: {inga/teacher}"}, []string{"Zurnals-Role: {inga/instructor}"}
	manages, supports := []string{"Zurnals-Role: {vadiba/emu.school_management}"}, []string{"Zurnals-Role: {vadiba/emu.support_staff}"}
	allowed := func(as, ask string, headers, has, hasNot []string) step {
		return step{as: as, ask: ask, headers: headers, status: 200, has: has, hasNot: hasNot}
	}
	refused := func(as string, headers []string, asks ...string) (all []step) {
		for _, ask := range asks {
			all = append(all, step{as: as, ask: ask, headers: headers, status: 403, code: "access.forbidden"})
		}
		return all
	}
	one := []string{`"registers":[{"register_id":"{register}","name":"Matemātika 6.a"`, `"statuses":{"P":1}`}

	// The class teacher: the own class, and no other.
	s.tell(
		allowed("inga", class, teaches, []string{`"name":"6.a"`, `"school_year":"2025-2026"`, sums, `"student_id":"{p0}"`, `"marks":1,"statuses":{"P":1},"percentage":100`, `"percentage":null`}, []string{"{stranger}"}),
		allowed("inga", class+"?until=2025-08-31", teaches, []string{`"lessons":0,"taken":0,"marks":0,"statuses":{},"percentage":null`}, nil),
		allowed("inga", pupil, teaches, one, nil),
		step{as: "inga", ask: another, headers: teaches, status: 404, code: "access.not_found"},
		step{as: "other", ask: class, status: 404, code: "access.not_found"},
		step{as: "inga", ask: "GET /schools/{elsewhere}/classes/{class}/overview", headers: teaches, status: 404, code: "access.not_found"},
		step{as: "inga", ask: class + "?from=x", headers: teaches, status: 422, code: "http.invalid", fields: []string{"query.from"}},
	)
	s.tell(refused("inga", teaches, classB, school, teacher, town)...)
	s.tell(refused("inga", instructs, class, pupil, school, teacher, town)...)
	s.tell(refused("zane", nil, class, school)...)

	// Support staff: single pupils of the whole school.
	s.tell(
		allowed("atbalsts", class, nil, []string{sums, "{p0}"}, nil), allowed("atbalsts", classB, nil, []string{`"name":"6.b"`}, nil),
		allowed("atbalsts", pupil, nil, one, nil), allowed("atbalsts", another, nil, []string{`"registers":[]`}, nil),
		step{as: "atbalsts", ask: "GET /schools/{elsewhere}/students/{p0}/attendance", status: 404, code: "access.not_found"},
		step{as: "atbalsts", ask: "GET /schools/{school}/students/{class}/attendance", status: 404, code: "access.not_found"},
	)
	s.tell(refused("atbalsts", nil, school, teacher, town)...)

	// The management: all classes and subjects, the work of teachers, no pupil.
	a := s.tell(
		allowed("vadiba", teacher, manages, []string{`"account_id":"{inga}"`, `"given_name":"Inga"`, sums, "Matemātika 6.a"}, []string{"{zane}", "{p0}"}),
		allowed("vadiba", school, manages, []string{`"name":"6.a","pupils":20`, `"name":"6.b","pupils":0`, sums, "Matemātika 6.a"}, []string{"student", "family_name"}),
	)
	var seen overview.School
	if err := json.Unmarshal(a.Body.Bytes(), &seen); err != nil || len(seen.Classes) != 7 || seen.Total.Marks != 6 {
		t.Errorf("%d classes, %d marks, %v", len(seen.Classes), seen.Total.Marks, err)
	}
	for i := range 20 {
		if strings.Contains(a.Body.String(), s.names[fmt.Sprintf("p%d", i)]) {
			t.Errorf("the management is told of pupil %d", i)
		}
	}
	s.tell(refused("vadiba", manages, class, pupil, town, "GET /schools/{school}/students", "GET /registers/{register}/report")...)
	s.tell(step{as: "citur", ask: school, status: 404, code: "access.not_found"}, step{as: "citur", ask: teacher, status: 404, code: "access.not_found"})

	// The same person in the other role: the one sees what the other does not.
	s.tell(allowed("vadiba", class, supports, []string{"{p0}"}, nil), step{as: "vadiba", ask: class, status: 409, code: "role.choose"})
	s.tell(refused("vadiba", supports, school, teacher)...)

	// The administrator: people and classes, and nothing of pupils' results (C17).
	s.tell(refused("dace", nil, class, pupil, school, teacher, town, "GET /registers/{register}/report", "GET /attendance-sessions/{lesson}/sheet", "GET /analytics/attendance_week")...)
	s.tell(
		step{as: "dace", ask: "GET /schools/{school}/users", status: 200, has: []string{"inga@skola.example"}},
		step{as: "dace", ask: "POST /schools/{school}/classes", body: `{"school_year_id":"{year}","name":"12.z"}`, status: 201, events: "organisation.class_created"},
	)

	// The municipality: schools beside each other; who manages its users sees none of it.
	s.tell(
		allowed("novads", town, nil, []string{`"id":"{school}","name":"Parauga vidusskola"`, `"pupils":120`, `"suppressed":false,"marks":6,"percentage":66.7`}, []string{"{elsewhere}", "student", "{class}"}),
		step{as: "novads", ask: "GET /municipalities/{elsewhere_municipality}/overview", status: 404, code: "access.not_found"},
	)
	s.tell(refused("novads", nil, school, class, pupil, teacher)...)
	s.tell(refused("pasvaldiba", nil, town, school, class, pupil, teacher)...)

	// Pupils are no staff.
	for _, ask := range []string{class, pupil, school, teacher, town, "GET /me", "GET /schools/{school}/users"} {
		s.tell(step{as: "p0", ask: ask, status: 401, code: "session.sign_in"})
	}
}

// A personal code is told in full to nobody but its owner: not in lists, not in
// the log of events, of the server or of metrics.
func TestPersonalCodesStayMasked(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C38")
	s := newStaffStory(t)
	s.hire("auditor", post{access.Auditor, "school"})
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	s.register("laura")
	const masked, rest = "240683-*****", "11611"
	s.tell(
		step{as: "admin", ask: "GET /schools/{school}/users", status: 200, has: []string{"laura@"}, hasNot: []string{rest, "240683"}},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{masked}, hasNot: []string{rest}},
		step{as: "town", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{masked}, hasNot: []string{rest}},
		step{as: "platform", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{masked}, hasNot: []string{rest}},
		step{as: "laura", ask: "GET /me", status: 200, has: []string{masked}, hasNot: []string{rest}},
		step{as: "auditor", ask: "GET /audit/accounts/{laura}/events", status: 200, events: wasRead, has: []string{masked}, hasNot: []string{rest}},
		step{as: "laura", ask: "GET /me/export", status: 200, has: []string{"24068311611"}},
	)
	stored, err := eventstore.Collect(s.log.ReadStream(t.Context(), "account-"+s.names["laura"], 1))
	s.must(err)
	for _, e := range stored {
		if tells(string(e.Data)+string(e.Meta), "240683", rest) {
			t.Errorf("%s holds the code in plain", e.Type)
		}
	}
	if tells(s.output.String(), "240683", rest) {
		t.Error("the log of the server has the code")
	}
	w := httptest.NewRecorder()
	(&Ops{API: s.api}).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || tells(w.Body.String(), "240683", rest) || !strings.Contains(w.Body.String(), "zurnals") {
		t.Errorf("%d: the metrics have the code", w.Code)
	}
}

// tells says whether a text has a personal code, or the part of it that is
// masked. Five digits inside a longer number or id are there by chance.
func tells(text, born, rest string) bool {
	return regexp.MustCompile(born + "-?" + rest + `|\b` + rest + `\b`).MatchString(text)
}
