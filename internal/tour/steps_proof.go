package tour

import (
	"fmt"
	"net/http"
	"strings"
)

func (t *tour) refusals() string {
	teacher, admin := t.people.teacher, t.people.admin
	head, n := t.head(), 0
	for _, c := range []struct {
		by           *person
		method, path string
		body         any
		status       int
	}{
		{teacher, "POST", "/schools/" + t.school + "/users", fields{"given_name": "A", "family_name": "B", "personal_code": "330000-29999", "email": "a@b.example"}, 403},
		{admin, "GET", "/schools/" + t.college + "/users", nil, 404}, // another school
		{admin, "GET", "/registers/" + t.register + "/report", nil, 403},
		{admin, "GET", "/attendance-sessions/" + t.session + "/password", nil, 403},
		{admin, "PUT", "/schools/" + t.school + "/users/" + t.people.teacherID + "/roles/emu.school_admin", nil, 403}, // C-12
		{admin, "POST", "/schools/" + t.school + "/users", fields{"given_name": "A", "family_name": "B", "personal_code": "330000-29999", "email": "a@b.example\r\nBcc: c@d.example"}, 422},
		{admin, "POST", "/schools/" + t.school + "/users", fields{"given_name": "A", "vards": "B"}, 422},
		{nil, "GET", "/me", nil, 401},
	} {
		a := t.ask(c.by, c.method, c.path, c.body, c.status)
		t.check(strings.Contains(a.header.Get("Content-Type"), "application/problem+json"), "%s is answered as %s", a.what, a.header.Get("Content-Type"))
		n++
	}
	t.send(admin, http.MethodPost, "/schools/"+t.school+"/users", "application/json", strings.NewReader(`{"given_name":`), nil, http.StatusBadRequest)
	t.upload(admin, "/schools/"+t.school+"/roster-syncs", "skola.zip", []byte("PK, but no archive"), http.StatusUnprocessableEntity)
	same(t, "events of refused requests", t.head(), head)

	// A role that is taken is refused on the next request.
	management := &person{name: "management", token: teacher.token}
	t.act(management, "emu.school_management")
	t.get(management, "/analytics/attendance_week", http.StatusOK)
	t.ask(admin, http.MethodDelete, "/schools/"+t.school+"/users/"+t.people.teacherID+"/roles/emu.school_management", nil, http.StatusNoContent)
	t.get(management, "/analytics/attendance_week", http.StatusForbidden)
	return fmt.Sprintf("%s without an event; a role that was taken is refused on the next request", plural(n+2, "refusal"))
}

// roles has one person act in four roles. They are never merged.
func (t *tour) roles() string {
	admin, user := t.people.admin, "/schools/"+t.school+"/users/"+t.people.teacherID
	for _, role := range []string{"emu.support_staff", "emu.school_management"} {
		t.put(admin, user+"/roles/"+role, nil, http.StatusOK)
	}
	report, secret := "/registers/"+t.register+"/report", "/attendance-sessions/"+t.session+"/password"
	const ok, no = http.StatusOK, http.StatusForbidden
	lists := make(map[string]int)
	for _, c := range []struct {
		role                              string
		pupils, report, secret, analytics int
	}{
		{"emu.class_teacher", ok, ok, no, no},
		{"instructor", no, ok, ok, no},
		{"emu.support_staff", ok, ok, no, no},
		{"emu.school_management", no, no, no, ok},
	} {
		p := &person{name: c.role, token: t.people.teacher.token}
		t.act(p, c.role)
		var list struct{ Items []made }
		a := t.get(p, "/schools/"+t.school+"/students?limit=200", c.pupils)
		if a.status == ok {
			a.into(&list)
		}
		lists[c.role] = len(list.Items)
		t.get(p, report, c.report)
		t.get(p, secret, c.secret)
		counts := t.get(p, "/analytics/attendance_week", c.analytics)
		for _, pupil := range t.pupils {
			t.check(!strings.Contains(string(counts.body), pupil.ID) && !strings.Contains(string(counts.body), pupil.FamilyName), "management sees a person")
		}
	}
	same(t, "pupils that the class teacher sees", lists["emu.class_teacher"], len(t.pupils))
	same(t, "pupils that support staff sees", lists["emu.support_staff"], 120)
	t.get(&person{token: t.people.teacher.token}, report, http.StatusConflict).refused("role.choose")
	return join(
		fmt.Sprintf("class teacher: the %d pupils of 6.a and their marks; support staff: all %d and their marks", lists["emu.class_teacher"], lists["emu.support_staff"]),
		"instructor: the marks and the password of the lesson; management: counts without persons; no role named: 409",
	)
}

func (t *tour) history() string {
	t.people.auditor = t.appoint("Andris", "Revidents", "320101-10005", "auditors@zurnals.example", "auditor")
	auditor, head := t.people.auditor, t.head()
	type entry struct {
		Kind, Type, Method string
		By                 struct{ Kind, Role string }
		Changes            []struct{ Field, Old, New string }
	}
	var h struct{ Items []entry }
	t.get(auditor, "/audit/students/"+t.pupils[0].ID+"/attendance?limit=200", http.StatusOK).into(&h)
	changes := 0
	var last string
	for _, e := range h.Items {
		for _, c := range e.Changes {
			if strings.HasSuffix(c.Field, "status") {
				changes++
				t.check(c.Old == last, "from %q to %q, but it was %q", c.Old, c.New, last)
				last = c.New
			}
		}
		t.check(e.By.Role == "instructor" && e.Method == "manual", "%s by %s, %q", e.Type, e.By.Role, e.Method)
	}
	same(t, "the last mark in the history", last, t.marks[0])
	var account struct{ Items []entry }
	a := t.get(auditor, "/audit/accounts/"+t.people.teacherID+"/events?limit=200", http.StatusOK)
	a.into(&account)
	t.check(!strings.Contains(string(a.body), "laura.berzina@"), "the address is not masked")
	same(t, "events by which the reading is recorded", t.head()-head, 2)
	refused := 0
	for _, e := range account.Items {
		if e.Kind == "refusal" {
			refused++
		}
	}
	out, err := t.server.tool(t.ctx, "replay", "account-"+t.people.teacherID, "-as-of", "2025-09-01T05:20:00Z")
	t.must(err)
	t.check(strings.Contains(out, "identity.user_invited") && !strings.Contains(out, "laura.berzina@"), "replay says %s", out)
	return join(
		fmt.Sprintf("%s %s: %d changes of the mark, each with old and new value, who, in which role, how", t.pupils[0].GivenName, t.pupils[0].FamilyName, changes),
		fmt.Sprintf("the teacher's account: %d events, %d refusals beside them, personal data masked; each reading is an event too", len(account.Items)-refused, refused),
	)
}

func (t *tour) analytics() string {
	t.people.analyst = t.appoint("Anna", "Analītiķe", "320101-10006", "analitike@zurnals.example", "analyst")
	var weeks struct {
		Items []struct {
			Week, Status string
			Marks        *int
			Lessons      int
			Suppressed   bool
		}
	}
	a := t.get(t.people.analyst, "/analytics/attendance_week", http.StatusOK)
	a.into(&weeks)
	t.check(len(weeks.Items) > 0 && weeks.Items[0].Week == "2025-09-01", "weeks: %v", weeks.Items)
	hidden := 0
	for _, w := range weeks.Items {
		if w.Suppressed {
			hidden++
			t.check(w.Marks == nil, "the suppressed line of %q tells how many", w.Status)
		}
	}
	for _, p := range t.pupils {
		t.check(!strings.Contains(string(a.body), p.ID) && !strings.Contains(string(a.body), p.FamilyName), "a person is in the analytics")
	}
	csv := t.get(t.people.analyst, "/analytics/attendance_week?format=csv", http.StatusOK)
	t.check(strings.Contains(csv.header.Get("Content-Type"), "text/csv"), "CSV is %s", csv.header.Get("Content-Type"))
	t.get(t.people.analyst, "/registers/"+t.register+"/report", http.StatusForbidden)
	return fmt.Sprintf("%s by week and status, %d of them suppressed because few pupils stand behind them; JSON and CSV", plural(len(weeks.Items), "line"), hidden)
}

// appoint has the platform administrator invite somebody with a role in the
// whole municipality, who then registers and signs in.
func (t *tour) appoint(given, family, code, address, role string) *person {
	t.post(t.people.platform, "/municipalities/"+t.municipality+"/users", map[string]any{
		"given_name": given, "family_name": family, "personal_code": code, "email": address, "roles": []fields{{"role": role}},
	}, http.StatusCreated)
	t.followLink(address, password)
	return t.signIn(role, address, password)
}
