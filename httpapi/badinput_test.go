package httpapi

import (
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

// Bad input of every kind, each told for what it is, and none of it in the log.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newStory(t, organisation.Projection, staff.Projection, students.Projection)
	s.hire("admin", post{access.SchoolAdmin, "school"})
	s.hire("stranger", post{access.SchoolAdmin, "elsewhere"})
	const users, rosters, imports = "POST /schools/{school}/users", "POST /schools/{school}/roster-syncs", "POST /schools/{school}/user-imports"
	const good = `{"given_name":"Laura","family_name":"Liepiņa","personal_code":"240683-11611","email":"laura@skola.example"}`
	key := []string{"Idempotency-Key: key-of-laura"}
	s.tell(
		step{name: "malformed JSON", as: "admin", ask: users, body: `{"given_name":`, status: 400, code: "http.malformed"},
		step{name: "two documents", as: "admin", ask: users, body: good + good, status: 400, code: "http.malformed"},
		step{name: "an unknown field", as: "admin", ask: users, body: strings.Replace(good, `{`, `{"age":12,`, 1), status: 422, code: "http.invalid", fields: []string{"age"}},
		step{name: "an unknown parameter", as: "admin", ask: "GET /schools/{school}/users?sort=age", status: 422, code: "http.invalid", fields: []string{"query.sort"}},
		step{name: "2 MiB", as: "admin", ask: users, body: `{"given_name":"` + strings.Repeat("a", 2<<20) + `"}`, status: 413, code: "http.too_large"},
		step{name: "a roster that is a zip bomb", as: "admin", ask: rosters, form: rosterForm(bomb(t)), status: 413, code: "oneroster.too_large"},
		step{name: "a spreadsheet that is no spreadsheet", as: "admin", ask: imports, form: filled([]byte("Vārds;Uzvārds\n")), status: 422, code: "sheet.not_xlsx"},
		step{name: "a spreadsheet with a formula", as: "admin", ask: imports, form: filled(s.filledIn([4]string{"=1+1", "Liepa", "330000-00001", "a@skola.example"})),
			status: 422, code: "user_import.rows", fields: []string{"row 2, Vārds *: sheet.formula_text"}},
		step{name: "a wrong heading of a CSV file", as: "admin", ask: rosters, form: rosterForm(rosterZip(t, "roster_lv/01_initial", "users.csv", "familyName", "surname")),
			status: 422, code: "oneroster.header", fields: []string{"row 1, familyName: oneroster.header"}},
		step{name: "a header in an address", as: "admin", ask: users, body: strings.Replace(good, "laura@skola.example", `laura@skola.example\r\nBcc: all@skola.example`, 1),
			status: 422, code: "identity.email", fields: []string{"email"}},
		step{name: "DEL in a name", as: "admin", ask: users, body: strings.Replace(good, "Laura", `La\u007fura`, 1), status: 422, code: "text.characters", fields: []string{"given_name"}},
		step{name: "a role that there is not", as: "admin", ask: "PUT /schools/{school}/users/{admin}/roles/emu.headmaster", status: 422, code: "access.role_unknown", fields: []string{"role"}},
		step{name: "the same to be taken", as: "admin", ask: "DELETE /schools/{school}/users/{admin}/roles/emu.headmaster", status: 422, code: "access.role_unknown", fields: []string{"role"}},
		step{name: "an id of another school", as: "admin", ask: "GET /schools/{elsewhere}/users/{stranger}", status: 404, code: "access.not_found"},
		step{name: "the same under the own school", as: "admin", ask: "DELETE /schools/{school}/users/{stranger}", status: 404, code: "access.not_staff"},
		step{name: "as it should be", as: "admin", ask: users, body: good, headers: key, status: 201, keep: "laura", events: "identity.user_invited access.membership_started"},
		step{name: "the same key, another body", as: "admin", ask: users, body: strings.Replace(good, "Laura", "Lauma", 1), headers: key, status: 422, code: "idempotency.reused"},
		step{name: "a stale If-Match", as: "admin", ask: "PATCH /schools/{school}/users/{laura}", body: `{"given_name":"Lauma"}`, headers: []string{`If-Match: "9"`}, status: 412, code: "version.stale"},
		step{name: "none", as: "admin", ask: "PATCH /schools/{school}/users/{laura}", body: `{"given_name":"Lauma"}`, status: 428, code: "version.required"},
		step{name: "none, and no right either", as: "stranger", ask: "PATCH /schools/{school}/users/{laura}", body: `{"given_name":"Lauma"}`, status: 404, code: "access.not_found"},
	)
	s.register("laura")
	s.names["link"] = s.link(id[domain.AccountID](s, "laura"))
	s.tell(step{name: "a link used twice", ask: "POST /registrations/{link}", body: `{"password":"` + password + `"}`, status: 410, code: "identity.link_used"})
}
