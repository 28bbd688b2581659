package httpapi

import (
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

// newStaffStory has the people that stories about users are told of.
func newStaffStory(t *testing.T) *story {
	return staffed(newStory(t, organisation.Projection, staff.Projection, students.Projection))
}

func staffed(s *story) *story {
	s.hire("platform", post{access.PlatformAdmin, ""})
	s.hire("town", post{access.MunicipalityAdmin, "municipality"})
	s.hire("admin", post{access.SchoolAdmin, "school"})
	s.hire("teacher", post{access.ClassTeacher, "class"})
	s.hire("stranger", post{access.SchoolAdmin, "elsewhere"})
	return s
}

const (
	laura     = `{"given_name":"Laura","family_name":"Liepiņa","personal_code":"240683-11611","email":"laura@skola.example","roles":[{"role":"emu.class_teacher","class_id":"{class}"}]}`
	lauraSaid = "identity.user_invited access.membership_started access.role_given"
	notHere   = "00000000-0000-7000-8000-000000000000"
)

func TestAnAdministratorInvitesAUser(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-015", "EMU-018", "EMU-085", "EMU-089", "EMU-092", "EMU-094", "C01")
	s := newStaffStory(t)
	s.tell(
		step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura", has: []string{`"outcome":"invited"`}},
		step{as: "admin", ask: "GET /schools/{school}/users?q=liepina", status: 200, has: []string{
			`"email":"laura@skola.example"`, `"last_sign_in":null`, `"class_teacher":true`, `"administrator":false`, `"state":"invited"`, `"link_expires_at":"2025-09-06T05:00:00Z"`},
			hasNot: []string{"240683"}},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{`"personal_code":"240683-*****"`, `"class":"6.a — 2025-2026"`}, hasNot: []string{"11611"}},
		step{as: "admin", ask: "GET /schools/{school}/users?role_held=class_teacher&limit=1", status: 200, has: []string{`"next":"`}},
		step{as: "town", ask: "GET /schools/{school}/users?role_held=none", status: 200, has: []string{`"items":[]`}},
		step{as: "admin", ask: "GET /schools/{school}/users?role_held=boss", status: 422, code: "http.invalid", fields: []string{"query.role_held"}},
		step{as: "admin", ask: "GET /schools/{school}/users?cursor=x", status: 422, code: "list.cursor"},
	)
	if log := s.output.String(); strings.Contains(log, "11611") || strings.Contains(log, "laura@") {
		t.Errorf("the log of the server names somebody: %s", log)
	}
}

func TestFieldsOfAUserAreChecked(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-013", "EMU-015")
	s := newStaffStory(t)
	user := func(given, code, email string) string {
		return `{"given_name":"` + given + `","family_name":"L","personal_code":"` + code + `","email":"` + email + `"}`
	}
	const good = "240683-11611"
	for _, c := range []struct {
		name, body, code string
		fields           []string
	}{
		{"no name", user(" ", good, "a@b.lv"), "text.missing", []string{"given_name"}},
		{"no code", user("L", "", "a@b.lv"), "identity.personal_code_missing", []string{"personal_code"}},
		{"wrong code", user("L", "240683-11612", "a@b.lv"), "personal_code.invalid", []string{"personal_code"}},
		{"header in the address", user("L", good, `a@b.lv\r\nBcc: c@d.lv`), "identity.email", []string{"email"}},
		{"two addresses", user("L", good, "a@b.lv,c@d.lv"), "identity.email", []string{"email"}},
		{"all wrong", user("", "1", "x"), "request.fields", []string{"given_name", "personal_code", "email"}},
		{"unknown field", `{"name":"L"}`, "http.invalid", nil},
		{"unknown role", strings.Replace(laura, "emu.class_teacher", "emu.headmaster", 1), "access.role_unknown", []string{"role"}},
		{"role without class", strings.Replace(laura, `,"class_id":"{class}"`, "", 1), "access.scope", []string{"role"}},
		{"class of another school", strings.Replace(laura, "{class}", "{elsewhere_class}", 1), "access.not_found", nil},
		{"no such class", strings.Replace(laura, "{class}", notHere, 1), "access.not_found", nil},
	} {
		status := map[string]int{"access.forbidden": 403, "access.not_found": 404}[c.code]
		if status == 0 {
			status = 422
		}
		s.tell(step{name: c.name, as: "admin", ask: "POST /schools/{school}/users", body: c.body, status: status, code: c.code, fields: c.fields})
	}
}

// One refusal for each of those who may not; none of them leaves an event.
func TestWhoManagesUsers(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-001", "EMU-090", "EMU-091", "C19", "C23")
	s := newStaffStory(t)
	s.tell(
		step{as: "teacher", ask: "POST /schools/{school}/users", body: laura, status: 403, code: "access.forbidden"},
		step{as: "teacher", ask: "GET /schools/{school}/users", status: 403, code: "access.forbidden"},
		step{as: "stranger", ask: "POST /schools/{school}/users", body: laura, status: 404, code: "access.not_found"},
		step{as: "stranger", ask: "GET /schools/{school}/users", status: 404, code: "access.not_found"},
		step{as: "stranger", ask: "GET /schools/{school}/users/{admin}", status: 404, code: "access.not_found"},
		step{as: "stranger", ask: "GET /schools/{elsewhere}/users/{admin}", status: 404, code: "access.not_found"},
		step{as: "admin", ask: "GET /schools/" + notHere + "/users", status: 404, code: "access.not_found"},
		step{as: "admin", ask: "GET /schools/nowhere/users", status: 404, code: "id.malformed"},
		step{as: "admin", ask: "GET /schools/{school}/users", status: 200, has: []string{`"email":"teacher@skola.example"`}, hasNot: []string{"stranger@", "town@"}},
		step{as: "town", ask: "GET /schools/{elsewhere}/users", status: 404, code: "access.not_found"},
		step{as: "town", ask: "GET /municipalities/{municipality}/users", status: 200, has: []string{"town@skola.example"}, hasNot: []string{"admin@"}},
		step{as: "admin", ask: "GET /municipalities/{municipality}/users", status: 403, code: "access.forbidden"},
		step{as: "town", ask: "POST /municipalities/{municipality}/users", body: strings.Replace(laura, `"emu.class_teacher","class_id":"{class}"`, `"emu.municipality_analyst"`, 1),
			status: 201, events: lauraSaid, keep: "laura"},
		step{as: "town", ask: "GET /municipalities/{municipality}/users/{laura}", status: 200, has: []string{"emu.municipality_analyst"}},
		step{as: "town", ask: "DELETE /municipalities/{municipality}/users/{laura}/roles/emu.municipality_analyst", status: 204, events: "access.role_taken access.membership_ended"},
		step{as: "", ask: "POST /schools/{school}/users", body: laura, status: 401, code: "session.sign_in"},
	)
	s.tell(step{as: "platform", ask: "GET /security-log?kind=access.forbidden", status: 200, has: []string{`"actor_id":"{teacher}"`}})
}

func TestTheSameInvitationIsOneUser(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	key := []string{"Idempotency-Key: invite-laura-1"}
	other := strings.Replace(laura, "Laura", "Lauma", 1)
	first := s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, headers: key, status: 201, events: lauraSaid, keep: "laura"})
	again := s.tell(step{name: "again", as: "admin", ask: "POST /schools/{school}/users", body: laura, headers: key, status: 201, has: []string{"{laura}"}})
	if again.Header().Get("Zurnals-Repeated") != "true" || again.Header().Get("Zurnals-Position") != first.Header().Get("Zurnals-Position") {
		t.Errorf("%v", again.Header())
	}
	s.tell(
		step{name: "another body", as: "admin", ask: "POST /schools/{school}/users", body: other, headers: key, status: 422, code: "idempotency.reused"},
		step{name: "without key", as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 200, has: []string{`"outcome":"already_here"`}},
		step{name: "an address that is taken", as: "admin", ask: "POST /schools/{school}/users", body: strings.Replace(laura, "240683-11611", "250784-11688", 1), status: 409, code: "identity.email_taken", fields: []string{"email"}},
		step{name: "in other letters", as: "admin", ask: "POST /schools/{school}/users", body: strings.NewReplacer("240683-11611", "250784-11688", "laura@", "LAURA@").Replace(laura), status: 409, code: "identity.email_taken"},
		step{name: "at another school", as: "stranger", ask: "POST /schools/{elsewhere}/users", body: strings.NewReplacer("{class}", "{elsewhere_class}", "laura@", "l@").Replace(laura),
			status: 201, has: []string{"{laura}", `"outcome":"attached"`}, hasNot: []string{"laura@"},
			events: "identity.user_attached identity.invitation_resent access.membership_started access.role_given"},
		step{as: "stranger", ask: "GET /schools/{elsewhere}/users", status: 200, has: []string{"laura@skola.example"}},
	)
}

func TestInvitationIsSentAgain(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-016", "EMU-017", "EMU-019", "EMU-020", "EMU-087", "C02")
	s := newStaffStory(t)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	account := id[domain.AccountID](s, "laura")
	s.names["first"] = s.link(account)
	s.advance(5*24*time.Hour - time.Second)
	s.tell(step{name: "a second before", ask: "GET /registrations/{first}", status: 200})
	s.advance(time.Second)
	s.tell(
		step{name: "after five days", ask: "GET /registrations/{first}", status: 410, code: "identity.link_expired", hasNot: []string{"Laura", "laura"}},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 401, code: "session.sign_in"}, // idle for days
	)
	s.signIn("admin")
	s.tell(
		step{as: "admin", ask: "GET /schools/{school}/users?state=link_expired", status: 200, has: []string{"{laura}"}},
		step{as: "admin", ask: "POST /schools/{school}/users/{laura}/invitation", status: 202, events: "identity.invitation_resent"},
		step{as: "admin", ask: "POST /schools/{school}/users/{teacher}/invitation", status: 409, code: "identity.confirmed"},
		step{as: "admin", ask: "POST /schools/{school}/users/{stranger}/invitation", status: 404, code: "access.not_staff"},
		step{name: "the older link", ask: "GET /registrations/{first}", status: 410, code: "identity.link_replaced"},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{laura}/invitation", status: 204, events: "identity.invitation_withdrawn access.role_taken access.membership_ended"},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 404, code: "access.not_found"},
	)
}

// A link is sent again five times in a day, and the next day again.
func TestInvitationsAreNotSentTooOften(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-017")
	s := newStaffStory(t)
	const again = "POST /schools/{school}/users/{laura}/invitation"
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	for range identity.ResendMax {
		s.advance(time.Minute)
		s.tell(step{as: "admin", ask: again, status: 202, events: "identity.invitation_resent"})
	}
	s.tell(step{as: "admin", ask: again, status: 429, code: "identity.too_many_invitations"})
	s.advance(identity.ResendWithin)
	s.signIn("admin")
	s.tell(step{as: "admin", ask: again, status: 202, events: "identity.invitation_resent"})
}

func TestRolesAreGivenAndTaken(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-043", "EMU-044", "EMU-046", "EMU-047", "EMU-048", "C21")
	s := newStaffStory(t)
	s.tell(
		step{as: "admin", ask: "PUT /schools/{school}/users/{teacher}/roles/emu.support_staff", status: 200, events: "access.role_given"},
		step{name: "again", as: "admin", ask: "PUT /schools/{school}/users/{teacher}/roles/emu.support_staff", status: 200},
		step{name: "with two roles one chooses", as: "teacher", ask: "GET /schools/{school}/classes", status: 409, code: "role.choose"},
		step{as: "teacher", ask: "GET /schools/{school}/classes", headers: []string{"Zurnals-Role: {teacher/emu.class_teacher}"}, status: 200, has: []string{"6.a"}, hasNot: []string{"6.b"}},
		step{as: "teacher", ask: "GET /me/roles", status: 200, has: []string{"emu.support_staff", `"class":"6.a — 2025-2026"`, `"place":"Parauga vidusskola"`}},
		step{as: "admin", ask: "PUT /schools/{school}/users/{teacher}/classes/{class_b}", status: 200, events: "access.role_given"},
		step{as: "admin", ask: "PUT /schools/{school}/users/{teacher}/classes/{elsewhere_class}", status: 404, code: "access.not_found"},
		step{as: "admin", ask: "PUT /schools/{school}/users/{stranger}/roles/emu.support_staff", status: 404, code: "access.not_staff"},
		step{as: "admin", ask: "PUT /schools/{school}/users/{teacher}/roles/emu.school_admin", status: 403, code: "access.forbidden"},
		step{as: "town", ask: "PUT /schools/{school}/users/{teacher}/roles/emu.school_admin", status: 200, events: "access.role_given access.administrator_added"},
		step{as: "town", ask: "DELETE /schools/{school}/users/{teacher}/roles/emu.school_admin", status: 204, events: "access.role_taken access.administrator_removed"},
		step{name: "the last administrator", as: "admin", ask: "DELETE /schools/{school}/users/{admin}/roles/emu.school_admin", status: 409, code: "access.last_administrator"},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{teacher}/classes/{class_b}", status: 204, events: "access.role_taken"},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{teacher}/roles/emu.support_staff", status: 204, events: "access.role_taken"},
		step{as: "teacher", ask: "GET /schools/{school}/classes", status: 200},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{teacher}/classes/{class}", status: 204, events: "access.role_taken access.membership_ended"},
		step{name: "the next request", as: "teacher", ask: "GET /schools/{school}/classes", status: 403, code: "access.no_role"},
		step{name: "the role by name", as: "teacher", ask: "GET /schools/{school}/classes", headers: []string{"Zurnals-Role: {teacher/emu.class_teacher}"}, status: 403, code: "access.no_role"},
		step{name: "without any role", as: "teacher", ask: "GET /me", status: 200, has: []string{`"email":"teacher@skola.example"`, `"personal_code":"320000-*****"`}},
		step{as: "teacher", ask: "GET /me/roles", status: 200, has: []string{`"items":[]`}},
		step{as: "teacher", ask: "GET /me/guide", status: 200, has: []string{"Bez lomas"}},
		step{as: "admin", ask: "GET /schools/{school}/users", status: 200, hasNot: []string{"teacher@"}},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{teacher}", status: 404, code: "access.not_staff"},
	)
}

// Laura moves to another school: the same account, and nothing of the former
// school.
func TestSomebodyStartsAtAnotherSchool(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-049", "EMU-050")
	s := newStaffStory(t)
	s.tell(
		step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{laura}", status: 204, events: "access.role_taken access.membership_ended"},
		step{as: "stranger", ask: "POST /schools/{elsewhere}/users", body: strings.Replace(laura, "{class}", "{elsewhere_class}", 1), status: 201, has: []string{"{laura}"},
			events: "identity.user_attached identity.invitation_resent access.membership_started access.role_given"},
	)
	s.register("laura")
	s.tell(
		step{as: "laura", ask: "GET /schools/{elsewhere}/classes", status: 200, has: []string{"6.a"}},
		step{as: "laura", ask: "GET /schools/{school}/classes", status: 404, code: "access.not_found"},
	)
}

func TestSchoolsAndClassesAreMade(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.tell(
		step{as: "platform", ask: "POST /municipalities", body: `{"name":"Jaunais  novads"}`, status: 201, keep: "new", events: "organisation.municipality_registered"},
		step{as: "platform", ask: "POST /municipalities", body: `{"name":"JAUNAIS novads"}`, status: 409, code: "organisation.municipality_exists", fields: []string{"name"}},
		step{as: "town", ask: "POST /municipalities", body: `{"name":"Cits"}`, status: 403, code: "access.forbidden"},
		step{as: "platform", ask: "GET /municipalities?q=JAUNAIS", status: 200, has: []string{`"name":"Jaunais novads"`}, hasNot: []string{"Parauga"}},
		step{as: "town", ask: "GET /municipalities", status: 200, has: []string{"Parauga"}, hasNot: []string{"Jaunais"}},
		step{as: "town", ask: "GET /municipalities/{new}", status: 404, code: "access.not_found"},
		step{as: "town", ask: "POST /municipalities/{new}/schools", body: `{"name":"Skola"}`, status: 404, code: "access.not_found"},
		step{as: "town", ask: "POST /municipalities/{municipality}/schools", body: `{"name":"Jaunā skola","source_id":"org-jauna"}`, status: 201, keep: "second", events: "organisation.school_registered"},
		step{as: "town", ask: "POST /municipalities/{municipality}/schools", body: `{"name":"Vēl","source_id":"org-jauna"}`, status: 409, code: "organisation.source_taken", fields: []string{"source_id"}},
		step{as: "town", ask: "GET /municipalities/{municipality}/schools", status: 200, has: []string{`"name":"Jaunā skola"`, `"name":"Parauga vidusskola"`}},
		step{as: "town", ask: "POST /schools/{second}/school-years", body: `{"from":"2025-09-01","to":"2026-08-31"}`, status: 201, keep: "second_year", events: "organisation.school_year_opened"},
		step{name: "the same again", as: "town", ask: "POST /schools/{second}/school-years", body: `{"from":"2025-09-01","to":"2026-08-31"}`, status: 201, has: []string{"{second_year}"}},
		step{as: "town", ask: "POST /schools/{second}/school-years", body: `{"from":"2026-08-31","to":"2027-08-31"}`, status: 409, code: "organisation.year_overlaps"},
		step{as: "town", ask: "GET /schools/{second}", status: 200, has: []string{`"name":"2025-2026"`, `"source_id":"org-jauna"`}},
		step{as: "town", ask: "POST /schools/{second}/classes", body: `{"school_year_id":"{second_year}","name":"1. A"}`, status: 201, events: "organisation.class_created"},
		step{as: "town", ask: "POST /schools/{second}/classes", body: `{"school_year_id":"{second_year}","name":"1.a"}`, status: 409, code: "organisation.class_exists", fields: []string{"name"}},
		step{as: "town", ask: "POST /schools/{second}/classes", body: `{"school_year_id":"{second_year}","name":"13.a"}`, status: 422, code: "organisation.class_name", fields: []string{"name"}},
		step{as: "town", ask: "POST /schools/{second}/classes", body: `{"school_year_id":"{year}","name":"2.a"}`, status: 404, code: "organisation.no_school_year"},
		step{as: "admin", ask: "POST /schools/{second}/classes", body: `{"school_year_id":"{second_year}","name":"2.a"}`, status: 404, code: "access.not_found"},
		step{as: "teacher", ask: "POST /schools/{school}/classes", body: `{"school_year_id":"{year}","name":"2.a"}`, status: 403, code: "access.forbidden"},
		step{as: "town", ask: "GET /schools/{second}/classes", status: 200, has: []string{`"name":"1.a"`}},
	)
}
