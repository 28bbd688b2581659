package httpapi

import (
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
)

// Auditors of the installation, of a municipality and of a school are made by
// the platform alone, and each reads of the own place.
func TestThePlatformMakesAuditors(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.hire("valsts", post{access.SupportStaff, "school"})
	s.hire("novads", post{access.MunicipalityAnalyst, "municipality"})
	s.hire("skola", post{access.SupportStaff, "school"})
	person := `{"given_name":"Rita","family_name":"Revidente","personal_code":"320500-00001","email":"rita@revizija.example","roles":[{"role":"auditor"}]}`
	const (
		everywhere = "PUT /platform/users/{valsts}/roles/auditor"
		atTown     = "PUT /municipalities/{municipality}/users/{novads}/roles/auditor"
		atSchool   = "PUT /schools/{school}/users/{skola}/roles/auditor"
	)
	for _, ask := range []string{everywhere, atTown, atSchool} {
		s.tell(
			step{as: "admin", ask: ask, status: 403, code: "access.forbidden"},
			step{as: "town", ask: ask, status: 403, code: "access.forbidden"},
			step{as: "teacher", ask: ask, status: 403, code: "access.forbidden"},
		)
	}
	s.tell(
		step{as: "town", ask: "POST /platform/users", body: person, status: 403, code: "access.forbidden"},
		step{as: "platform", ask: "POST /platform/users", body: strings.Replace(person, "320500-00001", "", 1), status: 422, code: "identity.personal_code_missing", fields: []string{"personal_code"}},
		step{as: "platform", ask: "POST /platform/users", body: strings.Replace(person, "auditor", "emu.school_admin", 1), status: 422, code: "access.scope", fields: []string{"role"}},
		step{as: "platform", ask: "POST /platform/users", body: person, status: 201, keep: "rita", events: "identity.user_invited access.membership_started access.role_given"},
		step{as: "platform", ask: everywhere, status: 200, events: "access.membership_started access.role_given"},
		step{name: "again", as: "platform", ask: everywhere, status: 200},
		step{as: "platform", ask: "PUT /platform/users/{valsts}/roles/emu.support_staff", status: 422, code: "access.scope", fields: []string{"role"}},
		step{as: "platform", ask: "PUT /platform/users/" + notHere + "/roles/auditor", status: 404, code: "access.not_staff"},
		step{as: "platform", ask: atTown, status: 200, events: "access.role_given"},
		step{as: "platform", ask: atSchool, status: 200, events: "access.role_given"},
	)
	for _, who := range []string{"valsts", "novads", "skola"} {
		held, err := s.commands.Held(t.Context(), id[domain.AccountID](s, who))
		s.must(err)
		s.names[who] = held[len(held)-1].ID.String()
	}
	as := func(who, ask string, status int, code, events string) step {
		return step{as: who, ask: ask, headers: []string{"Zurnals-Role: {" + who + "}"}, status: status, code: code, events: events}
	}
	const here, there = "GET /audit/accounts/{teacher}/events", "GET /audit/accounts/{stranger}/events"
	s.tell(
		as("valsts", here, 200, "", wasRead), as("valsts", there, 200, "", wasRead), as("valsts", "GET /audit/events", 200, "", wasRead),
		as("novads", here, 200, "", wasRead), as("novads", there, 404, "access.not_found", ""), as("novads", "GET /audit/events", 403, "access.forbidden", ""),
		as("skola", here, 200, "", wasRead), as("skola", there, 404, "access.not_found", ""), as("skola", "GET /audit/events", 403, "access.forbidden", ""),
		step{as: "platform", ask: "DELETE /platform/users/{rita}/roles/auditor", status: 204, events: "access.role_taken access.membership_ended"},
	)
}

// The own grant of management is marked in the history, too.
func TestOwnGrantIsMarkedInTheHistory(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C24")
	s := newStaffStory(t)
	s.hire("revidents", post{access.Auditor, "municipality"})
	s.tell(
		step{as: "admin", ask: "PUT /schools/{school}/users/{admin}/roles/emu.school_management", status: 200, events: "access.role_given"},
		step{as: "revidents", ask: "GET /audit/accounts/{admin}/events", status: 200, events: wasRead, has: []string{`{"field":"self","old":"","new":"true"}`, `"id":"{admin}"`}},
		step{as: "town", ask: "GET /schools/{school}/users/{admin}", status: 200, has: []string{`"self_given":true`}},
	)
}

// A class is of one school year. After it the class stays on the list of its
// teacher until it is taken, for reading only; the next year is another class.
func TestAClassAfterItsSchoolYear(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-045", "EMU-046")
	s := newLessons(t, organisation.Projection, staff.Projection)
	s.advance(time.Date(2026, 8, 31, 20, 59, 59, 0, time.UTC).Sub(s.clock.Now())) // a second before midnight in Riga
	teaches := []string{"Zurnals-Role: {inga/teacher}"}
	again := func() { s.signIn("inga"); s.signIn("dace") }
	again()
	const register, code = "POST /schools/{school}/registers", "POST /schools/{school}/students/{p1}/learner-account"
	const body = `{"class_id":"{class}","name":"Vasara"}`
	s.tell(
		step{as: "inga", ask: register, headers: teaches, body: body, status: 201, events: "attendance.register_opened access.role_given"},
		step{as: "inga", ask: code, headers: teaches, status: 201, events: "learner.opened learner.code_issued"},
	)
	s.advance(time.Second)
	s.tell(
		step{as: "inga", ask: register, headers: teaches, body: body, status: 403, code: "organisation.year_over"},
		step{as: "inga", ask: code, headers: teaches, status: 403, code: "organisation.year_over"},
		step{as: "dace", ask: code, status: 201, events: "learner.code_issued"},
		step{as: "inga", ask: "GET /me/roles", headers: teaches, status: 200, has: []string{`"class":"6.a — 2025-2026"`}},
		step{as: "inga", ask: "GET /schools/{school}/classes/{class}/overview", headers: teaches, status: 200, has: []string{`"school_year":"2025-2026"`}},
		step{as: "inga", ask: "GET /registers/{register}/report", headers: teaches, status: 200},

		step{name: "the next year", as: "dace", ask: "POST /schools/{school}/school-years", body: `{"from":"2026-09-01","to":"2027-08-31"}`, status: 201, events: "organisation.school_year_opened", keep: "next"},
		step{as: "dace", ask: "POST /schools/{school}/classes", body: `{"school_year_id":"{next}","name":"7.a"}`, status: 201, events: "organisation.class_created", keep: "seventh"},
		step{as: "dace", ask: "PUT /schools/{school}/users/{inga}/classes/{seventh}", status: 200, events: "access.role_given", keep: "inga/seventh"},
		step{as: "inga", ask: register, headers: []string{"Zurnals-Role: {inga/seventh}"}, body: `{"class_id":"{seventh}","name":"Matemātika 7.a"}`, status: 201, events: "attendance.register_opened access.role_given"},
		step{name: "the old class is not the new one", as: "inga", ask: register, headers: []string{"Zurnals-Role: {inga/seventh}"}, body: body, status: 403, code: "access.forbidden"},
		step{as: "dace", ask: "GET /schools/{school}/users/{inga}", status: 200, has: []string{`"class":"7.a — 2026-2027"`, `"class":"6.a — 2025-2026"`}},
		step{as: "dace", ask: "DELETE /schools/{school}/users/{inga}/classes/{class}", status: 204, events: "access.role_taken"},
		step{as: "inga", ask: "GET /schools/{school}/classes/{class}/overview", headers: teaches, status: 403, code: "access.no_role"},
	)
}
