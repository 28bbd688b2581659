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
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// newAuditStory has Inga, a class teacher who also supports pupils, her
// administrator, and auditors of three places.
func newAuditStory(t *testing.T) *story {
	s := newStaffStory(t)
	s.hire("inga", post{access.ClassTeacher, "class"}, post{access.SupportStaff, "school"})
	s.hire("revidents", post{access.Auditor, "school"})
	s.hire("novads", post{access.Auditor, "municipality"})
	s.hire("valsts", post{access.Auditor, ""})
	s.hire("cits", post{access.Auditor, "elsewhere"})
	return s
}

// now returns the position of the log.
func (s *story) now() string {
	s.t.Helper()
	head, err := s.log.Head(s.t.Context())
	s.must(err)
	return fmt.Sprint(head)
}

// wait has half an hour pass.
func (s *story) wait() { s.t.Helper(); s.advance(30 * time.Minute) }

// What was refused to Inga, and when somebody tried her password or asked for
// her, stands where it belongs in time; each auditor reads what concerns the
// own place.
func TestRefusalsStandBesideEvents(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C19")
	s := newAuditStory(t)
	role := []string{"Zurnals-Role: {inga/emu.class_teacher}"}
	s.wait()
	s.tell(
		step{as: "inga", ask: "GET /schools/{school}/users", headers: role, status: 403, code: "access.forbidden"},
		step{name: "again in the same minute", as: "inga", ask: "GET /schools/{school}/users", headers: role, status: 403, code: "access.forbidden"},
	)
	s.wait()
	s.tell(step{name: "somebody guesses", ask: "POST /sessions", body: `{"email":"inga@skola.example","password":"nepareiza parole"}`, status: 401, code: "identity.sign_in"})
	s.names["guessed"] = s.now()
	s.wait()
	s.tell(step{as: "admin", ask: "DELETE /schools/{school}/users/{inga}/roles/emu.support_staff", status: 204, events: "access.role_taken"})
	s.wait()
	s.tell(step{as: "stranger", ask: "GET /schools/{school}/users/{inga}", status: 404, code: "access.not_found"})

	const path = "GET /audit/accounts/{inga}/events"
	const before = "identity.user_invited\naccess.membership_started\naccess.role_given >emu.class_teacher\naccess.role_given >emu.support_staff\n" +
		"identity.registration_confirmed\naccess.forbidden\nidentity.sign_in\n"
	const whole = before + "access.role_taken emu.support_staff>\n"
	for who, want := range map[string]string{"revidents": whole, "novads": whole, "valsts": whole + "access.not_found\n"} {
		a := s.tell(step{as: who, ask: path, status: 200, events: wasRead,
			has: []string{`"kind":"refusal","at":"2025-09-01T05:30:00Z","type":"access.forbidden","by":{"kind":"account","id":"{inga}","name":"I. P.","role":"emu.class_teacher"`,
				`"count":2`, `"type":"identity.sign_in","by":{"kind":"anonymous"`, `"objects":["{inga}"]`},
			hasNot: []string{"nepareiza", "inga@"}})
		if got := items(t, a, "role"); got != want {
			t.Errorf("%s reads\n%s\nwant\n%s", who, got, want)
		}
	}

	// As of a moment: at the boundary, and a microsecond before it.
	for asOf, want := range map[string]string{
		"{guessed}": before, "2025-09-01T06:00:00Z": before, "2025-09-01T05:59:59.999999Z": strings.TrimSuffix(before, "identity.sign_in\n"),
		"2025-09-01T05:29:59Z": strings.TrimSuffix(before, "access.forbidden\nidentity.sign_in\n"), "2025-09-01T06:30:00Z": whole,
	} {
		if got := items(t, s.tell(step{as: "revidents", ask: path + "?as_of=" + asOf, status: 200, events: wasRead}), "role"); got != want {
			t.Errorf("as of %s\n%s\nwant\n%s", asOf, got, want)
		}
	}

	// In pages of any size, without gap and without overlap.
	for limit := 1; limit <= 9; limit++ {
		var pages strings.Builder
		for cursor := ""; ; {
			a := s.tell(step{as: "revidents", ask: fmt.Sprintf("%s?limit=%d&cursor=%s", path, limit, cursor), status: 200, events: wasRead})
			pages.WriteString(items(t, a, "role"))
			if cursor = a.Header().Get("Zurnals-Next"); cursor == "" {
				break
			}
		}
		if pages.String() != whole {
			t.Errorf("in pages of %d:\n%s\nwant\n%s", limit, pages.String(), whole)
		}
	}
	for _, cursor := range []string{"1.2", "1..3", "1.2.3.4", "1.2.9999999999999999999", "1.9000000000000000000.1"} {
		s.tell(step{as: "revidents", ask: path + "?cursor=" + cursor, status: 422, code: "list.cursor", fields: []string{"query.cursor"}})
	}
	s.tell(
		step{as: "cits", ask: path, status: 404, code: "access.not_found"},
		step{as: "admin", ask: path, status: 403, code: "access.forbidden"},
	)
}

// Somebody who has come to work elsewhere too is guessed at: that is no longer
// the business of the first school alone, and not told to either.
func TestRefusalsOfWhoWorksElsewhereToo(t *testing.T) {
	t.Parallel()
	s := newAuditStory(t)
	s.wait()
	inga := id[domain.AccountID](s, "inga")
	person := lastOf[identity.UserInvited](s, "inga")
	_, err := s.commands.InviteUser(t.Context(), access.System("story"), commands.InviteUser{
		Place: s.place("elsewhere"), GivenName: person.GivenName, FamilyName: person.FamilyName, PersonalCode: string(person.PersonalCode), Email: "x@skola.example",
	})
	s.must(err)
	s.wait()
	s.tell(
		step{ask: "POST /sessions", body: `{"email":"inga@skola.example","password":"nepareiza parole"}`, status: 401, code: "identity.sign_in"},
		step{as: "revidents", ask: "GET /audit/accounts/" + inga.String() + "/events", status: 200, events: wasRead, hasNot: []string{"identity.sign_in", "{elsewhere}"}},
		step{as: "cits", ask: "GET /audit/accounts/" + inga.String() + "/events", status: 200, events: wasRead, hasNot: []string{"identity.sign_in", "{school}"}},
		step{as: "valsts", ask: "GET /audit/accounts/" + inga.String() + "/events", status: 200, events: wasRead, has: []string{"identity.sign_in"}},
	)
}

// The history is saved as a file: with headings in the language of who asks,
// and nothing in it runs as a formula.
func TestTheHistoryOfAnAccountAsAFile(t *testing.T) {
	t.Parallel()
	s := newAuditStory(t)
	s.firstSignIn("inga")
	s.tell(
		step{as: "admin", ask: "POST /schools/{school}/users/{inga}/email-recovery", body: `{"email":"jauna@skola.example","reason":"=HYPERLINK(\"https://evil.example\")"}`,
			status: 202, events: "identity.email_recovery_started"},
	)
	s.wait()
	s.tell(step{as: "stranger", ask: "GET /schools/{school}/users/{inga}", status: 404, code: "access.not_found"})
	rows := func(a answer) [][]string {
		t.Helper()
		all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
		s.must(err)
		return all
	}
	const path = "GET /audit/accounts/{inga}/events?format=csv&limit=200"
	a := s.tell(step{as: "valsts", ask: path, status: 200, events: wasRead, hasNot: []string{"jauna@", "Inga"}})
	if got, want := a.Header().Get("Content-Disposition"), `attachment; filename=account-`+s.names["inga"]+".csv"; got != want || a.Header().Get("Content-Type") != kindCSV {
		t.Errorf("%s, want %s", got, want)
	}
	table := rows(a)
	if got := strings.Join(table[0][:5], "|"); got != "Pozīcija|Laiks (UTC)|Plūsma|Versija|Notikums" {
		t.Error(got)
	}
	found := false
	for _, row := range table[1:] {
		found = found || row[11] == `'=HYPERLINK("https://evil.example")`
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+@\t\r") {
				t.Errorf("runs as a formula: %q", cell)
			}
		}
	}
	last := table[len(table)-1]
	if !found || last[0] != "" || last[4] != "access.not_found" || last[17] != "GET /api/v1/schools/{school}/users/{account}" || last[18] != "1" {
		t.Errorf("the reason is there: %v; the refusal is %q", found, last)
	}
	a = s.tell(step{as: "valsts", ask: path, headers: []string{"Accept-Language: en"}, status: 200, events: wasRead})
	if got := strings.Join(rows(a)[0][:3], "|"); got != "position|time (UTC)|stream" {
		t.Error(got)
	}
}

// changed returns the difference that was answered.
func changed(t *testing.T, a answer) string {
	t.Helper()
	var d struct {
		Changes []historyChange
		Given   []struct{ Role string } `json:"roles_given"`
		Taken   []struct{ Role string } `json:"roles_taken"`
		Joined  []workplace             `json:"workplaces_joined"`
		Left    []workplace             `json:"workplaces_left"`
	}
	if err := json.Unmarshal(a.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "%s %s>%s; ", c.Field, c.Old, c.New)
	}
	for _, r := range d.Given {
		b.WriteString("+" + r.Role + "; ")
	}
	for _, r := range d.Taken {
		b.WriteString("-" + r.Role + "; ")
	}
	fmt.Fprintf(&b, "%d joined, %d left", len(d.Joined), len(d.Left))
	return b.String()
}

// What changed between two moments: in the account, its roles and classes.
func TestTheDifferenceBetweenTwoMoments(t *testing.T) {
	t.Parallel()
	s := newAuditStory(t)
	s.names["a"] = s.now()
	s.wait()
	s.tell(
		step{as: "admin", ask: "PATCH /schools/{school}/users/{inga}", body: `{"given_name":"Zane"}`, headers: []string{"If-Match: *"}, status: 204, events: "identity.names_changed"},
		step{as: "admin", ask: "PUT /schools/{school}/users/{inga}/classes/{class_b}", status: 200, events: "access.role_given"},
		step{as: "admin", ask: "DELETE /schools/{school}/users/{inga}/roles/emu.support_staff", status: 204, events: "access.role_taken"},
		step{name: "came", as: "admin", ask: "PUT /schools/{school}/users/{inga}/roles/emu.school_management", status: 200, events: "access.role_given"},
	)
	s.names["b"] = s.now()
	s.tell(step{name: "and went again", as: "admin", ask: "DELETE /schools/{school}/users/{inga}/roles/emu.school_management", status: 204, events: "access.role_taken"})
	s.names["c"] = s.now()

	const path = "GET /audit/accounts/{inga}/diff?from="
	for span, want := range map[string]string{
		"{a}&until={a}": "0 joined, 0 left",
		"{a}&until={b}": "given_name I.>Z.; +emu.class_teacher; +emu.school_management; -emu.support_staff; 0 joined, 0 left",
		"{a}&until={c}": "given_name I.>Z.; +emu.class_teacher; -emu.support_staff; 0 joined, 0 left",
		"{a}":           "given_name I.>Z.; +emu.class_teacher; -emu.support_staff; 0 joined, 0 left",
		"{b}&until={c}": "-emu.school_management; 0 joined, 0 left",
		"2025-09-01T05:00:00Z&until=2025-09-01T05:30:00Z":       "given_name I.>Z.; +emu.class_teacher; -emu.support_staff; 0 joined, 0 left",
		"2025-09-01T05:00:00Z&until=2025-09-01T05:29:59.99999Z": "0 joined, 0 left",
		"2025-08-31&until={a}":                                  "state >confirmed; given_name >I.; family_name >P.; personal_code >320000-*****; email >i***@skola.example; password >***; +emu.class_teacher; +emu.support_staff; 1 joined, 0 left",
	} {
		if got := changed(t, s.tell(step{as: "revidents", ask: path + span, status: 200, events: wasRead, hasNot: []string{"Zane", "inga@"}})); got != want {
			t.Errorf("from %s: %s, want %s", span, got, want)
		}
	}
	s.tell(
		step{as: "revidents", ask: path + "{a}", status: 200, events: wasRead, has: []string{`"class_id":"{class_b}"`}, hasNot: []string{`"class_id":"{class}"`}},
		step{as: "revidents", ask: path + "{b}&until={a}", status: 422, code: "audit.order", fields: []string{"query.until"}},
		step{as: "revidents", ask: path + "x", status: 422, code: "audit.as_of", fields: []string{"query.from"}},
		step{as: "revidents", ask: path, status: 422, code: "http.invalid", fields: []string{"query.from"}},
		step{as: "revidents", ask: "GET /audit/accounts/{inga}/diff", status: 422, code: "http.invalid", fields: []string{"query.from"}},
		step{as: "revidents", ask: path + "1&until=x", status: 422, code: "audit.as_of", fields: []string{"query.until"}},
		step{as: "cits", ask: path + "1", status: 404, code: "access.not_found"},
		step{as: "admin", ask: path + "1", status: 403, code: "access.forbidden"},
		step{as: "inga", ask: path + "1", headers: []string{"Zurnals-Role: {inga/emu.class_teacher}"}, status: 403, code: "access.forbidden"},
		step{as: "revidents", ask: "GET /audit/accounts/nobody/diff?from=1", status: 404, code: "access.not_found"},
		step{ask: path + "1", status: 401, code: "session.sign_in"},
	)
}

// Of somebody who works elsewhere too a school learns of its own roles only; of
// somebody erased what happened, and not to whom.
func TestTheDifferenceOfWhoIsElsewhereOrErased(t *testing.T) {
	t.Parallel()
	s := newAuditStory(t)
	s.names["a"] = s.now()
	person := lastOf[identity.UserInvited](s, "inga")
	_, err := s.commands.InviteUser(t.Context(), access.System("story"), commands.InviteUser{
		Place: s.place("elsewhere"), GivenName: "I", FamilyName: "P", PersonalCode: string(person.PersonalCode), Email: "x@skola.example",
		Roles: []commands.NewRole{{Role: access.SchoolManagement}},
	})
	s.must(err)
	s.tell(step{as: "admin", ask: "PATCH /schools/{school}/users/{inga}", body: `{"given_name":"Zane"}`, headers: []string{"If-Match: *"}, status: 204, events: "identity.names_changed"})
	const path = "GET /audit/accounts/{inga}/diff?from={a}"
	for who, want := range map[string]string{
		"revidents": "0 joined, 0 left",
		"cits":      "+emu.school_management; 1 joined, 0 left",
		"valsts":    "given_name I.>Z.; +emu.school_management; 1 joined, 0 left",
	} {
		a := s.tell(step{as: who, ask: path, status: 200, events: wasRead})
		if got := changed(t, a); got != want || strings.Contains(a.Body.String(), `"withheld":true`) == (who == "valsts") {
			t.Errorf("%s reads %s: %s", who, got, a.Body)
		}
	}
	s.names["b"] = s.now()
	by := access.Actor{Kind: domain.ActorAccount, ID: id[domain.AccountID](s, "inga").UUID}
	s.must(s.commands.DeleteAccount(t.Context(), by, commands.DeleteAccount{SignedIn: s.clock.Now()}))
	a := s.tell(step{as: "valsts", ask: "GET /audit/accounts/{inga}/diff?from={b}", status: 200, events: wasRead, has: []string{`"erased":true`}})
	want := "state confirmed>deleted; password ***>; session_generation 0>1; -emu.class_teacher; -emu.support_staff; -emu.school_management; 0 joined, 2 left"
	if got := changed(t, a); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
