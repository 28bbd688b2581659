package httpapi

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/audit"
	"zurnals/internal/trace"
)

const wasRead = "audit.history_read"

// items returns the entries of a history in short: type, and the old and new value
// of a field.
func items(t *testing.T, a answer, field string) string {
	t.Helper()
	var page historyPage
	if err := json.Unmarshal(a.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range page.Items {
		b.WriteString(e.Type)
		for _, c := range e.Changes {
			if c.Field == field {
				fmt.Fprintf(&b, " %s>%s", c.Old, c.New)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestAuditorsReadTheHistoryOfAnAccount(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-043")
	s := newStory(t)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("inga", post{access.ClassTeacher, "class"})
	s.hire("revidents", post{access.Auditor, "school"})
	s.hire("novads", post{access.Auditor, "municipality"})
	s.hire("valsts", post{access.Auditor, ""})
	s.hire("cits", post{access.Auditor, "elsewhere"})
	const path = "GET /audit/accounts/{inga}/events"
	s.advance(time.Hour)
	_, err := s.log.Head(t.Context())
	s.must(err)

	a := s.tell(
		step{as: "revidents", ask: path, status: 200, events: wasRead,
			has:    []string{`"given_name","old":"","new":"I."`, `"new":"i***@skola.example"`, `"kind":"system"`, "emu.class_teacher", "{class}", `-*****`},
			hasNot: []string{"Inga", "Paraudz", "inga@", "{cits}"}},
	)
	if got, want := items(t, a, "role"), "identity.user_invited\naccess.membership_started\naccess.role_given >emu.class_teacher\nidentity.registration_confirmed\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if a.Header().Get("Zurnals-Position") == "" || a.Header().Get("Zurnals-Role") != s.names["revidents/auditor"] {
		t.Errorf("%v", a.Header())
	}
	readings := s.history("audit-" + s.names["revidents"])
	read, ok := readings[0].(audit.HistoryRead)
	if !ok || read.Account.String() != s.names["inga"] || read.School.String() != s.names["school"] || read.Entries != 4 || read.Last == 0 || read.AsOf < read.Last {
		t.Errorf("%+v", readings)
	}

	s.tell(
		step{as: "novads", ask: path, status: 200, events: wasRead},
		step{as: "valsts", ask: path, status: 200, events: wasRead},
		step{as: "cits", ask: path, status: 404, code: "access.not_found"},
		step{as: "dace", ask: path, status: 403, code: "access.forbidden"},
		step{ask: path, status: 401, code: "session.sign_in"},
		step{as: "revidents", ask: "GET /audit/accounts/{class}/events", status: 404, code: "access.not_found"},
		step{as: "revidents", ask: "GET /audit/accounts/x/events", status: 404, code: "id.malformed"},
		step{as: "revidents", ask: path + "?as_of=vakar", status: 422, code: "audit.as_of", fields: []string{"query.as_of"}},
		step{as: "revidents", ask: path + "?as_of=-1", status: 422, code: "audit.as_of"},
		step{as: "revidents", ask: path + "?cursor=x", status: 422, code: "http.invalid", fields: []string{"query.cursor"}},
		step{as: "revidents", ask: path + "?cursor=9999999999999999999", status: 422, code: "list.cursor", fields: []string{"query.cursor"}},
		step{as: "revidents", ask: path + "?limit=201", status: 422, code: "http.invalid", fields: []string{"query.limit"}},
		step{as: "revidents", ask: path + "?format=xml", status: 422, code: "http.invalid", fields: []string{"query.format"}},
		step{as: "revidents", ask: path + "?as_of=2025-08-31", status: 200, events: wasRead, has: []string{`"items":[]`, `"as_of":0`}},
		step{as: "revidents", ask: path + "?as_of=2025-09-01T05:00:00Z", status: 200, events: wasRead, has: []string{"emu.class_teacher"}},
		step{as: "revidents", ask: "GET /audit/events", status: 403, code: "access.forbidden"},
		step{as: "novads", ask: "GET /audit/events", status: 403, code: "access.forbidden"},
		step{as: "valsts", ask: "GET /audit/events?limit=3", status: 200, events: wasRead, has: []string{"organisation.municipality_registered", "Parauga novads", `"next":"3"`}},
		step{as: "valsts", ask: "GET /audit/events?limit=200", status: 200, events: wasRead, has: []string{wasRead, `"R. P."`}, hasNot: []string{"Paraudz", "inga@", `"next"`}},
	)

	first := s.tell(step{as: "revidents", ask: path + "?limit=3", status: 200, events: wasRead, has: []string{`"next"`}})
	second := s.tell(step{as: "revidents", ask: path + "?limit=3&cursor=" + first.Header().Get("Zurnals-Next"), status: 200, events: wasRead, hasNot: []string{`"next"`}})
	if got := items(t, first, "role") + items(t, second, "role"); got != items(t, a, "role")+"access.forbidden\n" { // what Dace was refused

		t.Errorf("in two pages:\n%s", got)
	}
}

// Who removed the role, in which role, and when: also after the person has left.
func TestWhoTookARole(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-043")
	s := newStory(t)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("inga", post{access.ClassTeacher, "class"})
	s.hire("revidents", post{access.Auditor, "school"})
	s.advance(time.Hour)
	dace := id[domain.AccountID](s, "dace")
	by, err := s.commands.Who(t.Context(), dace, 0, domain.AssignmentID{})
	s.must(err)
	s.must(s.commands.TakeRole(t.Context(), by, takeFrom(s, "inga", access.ClassTeacher, "class")))
	a := s.tell(step{as: "revidents", ask: "GET /audit/accounts/{inga}/events", status: 200, events: wasRead,
		has: []string{`"type":"access.role_taken","by":{"kind":"account","id":"{dace}","name":"D. P.","role":"emu.school_admin","assignment_id":"{dace/emu.school_admin}"`, "2025-09-01T06:00:00Z"}})
	if got := items(t, a, "role"); !strings.Contains(got, "access.role_taken emu.class_teacher>\naccess.membership_ended\n") {
		t.Error(got)
	}
}

func TestAuditorsReadTheAttendanceOfAPupil(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "ATT-024", "ATT-050")
	s := newLessons(t)
	s.hire("revidents", post{access.Auditor, "school"})
	s.hire("cits", post{access.Auditor, "elsewhere"})
	s.activate("p0")
	const marks = "PUT /attendance-sessions/{lesson}/marks"
	mark := func(student, rest string) step {
		return s.instructs(step{ask: marks, headers: []string{"If-Match: *"}, body: `{"marks":[{"student_id":"{` + student + `}"` + rest + `}]}`, status: 204, events: taken})
	}
	s.advance(35 * time.Minute)
	s.tell(
		step{as: "p0", ask: "POST /me/self-recordings", body: `{"session":"{lesson}","password":"` + s.secret("lesson").Password + `"}`, status: 201, events: recorded},
		mark("p1", `,"status":"P"`),
		mark("p0", `,"status":"L","remark":"ienāca 8:50"`),
	)
	asOf, err := s.log.Head(t.Context())
	s.must(err)
	s.advance(time.Hour)
	s.tell(mark("p0", ``)) // taken back: no list of marks shows it any more

	const path = "GET /audit/students/{p0}/attendance"
	a := s.tell(step{as: "revidents", ask: path, status: 200, events: wasRead,
		has: []string{`"method":"password"`, `"method":"manual"`, `"role":"instructor"`, `"kind":"learner"`, `"kind":"account","id":"{inga}","name":"I. P."`,
			`"lesson":{"id":"{lesson}","starts_at":"2025-09-01T05:30:00Z"}`, `{"field":"remark","old":"","new":"***"}`,
			`{"field":"method","old":"password","new":"manual"}`, "2025-09-01T06:35:00Z"},
		hasNot: []string{"ienāca", "{p1}"}})
	if got, want := items(t, a, "status"), recorded+" >P\n"+taken+" P>L\n"+taken+" L>\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	a = s.tell(step{as: "revidents", ask: fmt.Sprintf("%s?as_of=%d", path, asOf), status: 200, events: wasRead})
	if got, want := items(t, a, "status"), recorded+" >P\n"+taken+" P>L\n"; got != want {
		t.Errorf("as of %d\n%s\nwant\n%s", asOf, got, want)
	}
	a = s.tell(step{as: "revidents", ask: path + "?limit=1", status: 200, events: wasRead})
	a = s.tell(step{as: "revidents", ask: path + "?limit=1&cursor=" + a.Header().Get("Zurnals-Next"), status: 200, events: wasRead})
	if got, want := items(t, a, "status"), taken+" P>L\n"; got != want || a.Header().Get("Zurnals-Next") == "" {
		t.Errorf("second page\n%s\nwant\n%s", got, want)
	}

	table := s.tell(step{as: "revidents", ask: path + "?format=csv", status: 200, events: wasRead, hasNot: []string{"ienāca"}})
	same := s.tell(step{as: "revidents", ask: path, headers: []string{"Accept: text/csv"}, status: 200, events: wasRead})
	if table.Header().Get("Content-Type") != kindCSV || table.Body.String() != same.Body.String() {
		t.Errorf("%s: %s", table.Header().Get("Content-Type"), same.Body)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table.Body.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) < 8 || rows[0][0] != "Pozīcija" || strings.Join(rows[1][4:6], " ") != recorded+" learner" {
		t.Errorf("%v %v", rows, err)
	}

	s.tell(
		step{as: "cits", ask: path, status: 404, code: "access.not_found"},
		step{as: "dace", ask: path, status: 403, code: "access.forbidden"},
		s.instructs(step{ask: path, status: 403, code: "access.forbidden"}),
		step{as: "p0", ask: path, status: 401, code: "session.sign_in"},
		step{as: "revidents", ask: "GET /audit/students/{lesson}/attendance", status: 404, code: "access.not_found"},
		step{as: "revidents", ask: "GET /audit/students/1/attendance", status: 404, code: "id.malformed"},
		step{as: "revidents", ask: "GET /audit/students/{p2}/attendance", status: 200, events: wasRead, has: []string{`"items":[]`}},
		step{as: "revidents", ask: path + "?student=1", status: 422, code: "http.invalid", fields: []string{"query.student"}},
		step{as: "revidents", ask: path, headers: []string{"Accept: text/plain"}, status: 406, code: "http.not_acceptable"},
	)
}

func takeFrom(s *story, name string, role access.Role, place string) commands.TakeRole {
	return commands.TakeRole{Account: id[domain.AccountID](s, name), Role: role, Place: s.place(place)}
}

// Which roles somebody held at a moment is told from the log, by time and by
// position, and that it was read is recorded.
func TestRolesAsTheyWere(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hire("dace", post{access.SchoolAdmin, "school"})
	s.hire("inga", post{access.ClassTeacher, "class"}, post{access.SupportStaff, "school"})
	s.hire("revidents", post{access.Auditor, "school"})
	s.hire("cits", post{access.Auditor, "elsewhere"})
	position, err := s.log.Head(t.Context())
	s.must(err)
	s.names["before"] = fmt.Sprint(position)
	s.advance(time.Hour)
	inga := id[domain.AccountID](s, "inga")
	s.must(s.commands.TakeRole(t.Context(), access.System("story"), commands.TakeRole{Account: inga, Role: access.SupportStaff, Place: s.place("school")}))
	const ask = "GET /audit/accounts/{inga}/roles"
	both, one := []string{"emu.class_teacher", string(access.SupportStaff), "{class}"}, []string{"emu.class_teacher"}
	s.tell(
		step{as: "revidents", ask: ask, status: 200, has: one, hasNot: []string{string(access.SupportStaff)}, events: wasRead},
		step{as: "revidents", ask: ask + "?as_of={before}", status: 200, has: append(both, `"as_of":{before}`), events: wasRead},
		step{as: "revidents", ask: ask + "?as_of=2025-09-01T05:30:00Z", status: 200, has: both, events: wasRead},
		step{as: "revidents", ask: ask + "?as_of=1", status: 200, has: []string{`"items":[]`}, events: wasRead},
		step{as: "revidents", ask: ask + "?as_of=x", status: 422, code: "audit.as_of"},
		step{as: "cits", ask: ask, status: 404, code: "access.not_found"},
		step{as: "dace", ask: ask, status: 403, code: "access.forbidden"},
		step{as: "revidents", ask: "GET /audit/accounts/nobody/roles", status: 404, code: "access.not_found"},
	)
}
