package httpapi

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
	"zurnals/projections/staff"
)

const replaced = "cits zirgs baterija"

// fresh keeps the token of a session that was just answered.
func (s *story) fresh(name string, a answer) {
	s.t.Helper()
	var said struct{ Token string }
	s.must(json.Unmarshal(a.Body.Bytes(), &said))
	if cookie := a.Result().Cookies()[0]; said.Token == "" || cookie.Value != said.Token || said.Token == s.tokens[name] {
		s.t.Errorf("the session goes on with token %q, cookie %+v", said.Token, cookie)
	}
	s.tokens[name] = said.Token
}

// A password change ends all sessions but the one that asks, which goes on
// under another id.
func TestThePasswordIsChanged(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C30")
	s := newStaffStory(t)
	for _, device := range []string{"phone", "tablet"} {
		s.signIn("teacher")
		s.tokens[device] = s.tokens["teacher"]
	}
	s.signIn("teacher")
	s.tokens["before"] = s.tokens["teacher"]
	a := s.tell(step{as: "tablet", ask: "GET /me/sessions", status: 200, has: []string{`"current":true`}})
	var signedIn struct {
		Items []struct {
			ID      string
			Current bool
		}
	}
	s.must(json.Unmarshal(a.Body.Bytes(), &signedIn))
	for _, one := range signedIn.Items {
		if one.Current {
			s.names["tablet"] = one.ID
		}
	}
	s.tell(
		step{as: "teacher", ask: "DELETE /me/sessions/{tablet}", status: 204},
		step{as: "tablet", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{as: "phone", ask: "GET /me", status: 200},
		step{as: "teacher", ask: "PUT /me/password", body: `{"current_password":"nepareizā parole","new_password":"` + replaced + `"}`, status: 403, code: "identity.password_wrong", fields: []string{"current_password"}},
		step{as: "teacher", ask: "PUT /me/password", body: `{"current_password":"` + password + `","new_password":"isa"}`, status: 422, code: "identity.password_short", fields: []string{"new_password"}},
	)
	s.fresh("teacher", s.tell(step{as: "teacher", ask: "PUT /me/password", body: `{"current_password":"` + password + `","new_password":"` + replaced + `"}`,
		status: 200, events: "identity.password_changed identity.sessions_ended", has: []string{`"token":"`}}))
	s.tell(
		step{as: "phone", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{as: "before", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{as: "teacher", ask: "GET /me", status: 200},
		step{ask: "POST /sessions", body: strings.Replace(signInAs, "%", "teacher@skola.example", 1), status: 401, code: "identity.sign_in"},
	)
	for _, secret := range []string{password, replaced, s.tokens["teacher"]} {
		if strings.Contains(s.output.String(), secret) {
			t.Errorf("the log of the server has the secret %s", secret)
		}
	}
}

func TestAForgottenPassword(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C28")
	s := newStaffStory(t)
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	var answers []string
	for _, who := range []struct{ email, events string }{
		{"teacher@skola.example", "identity.password_reset_asked"}, {"nobody@skola.example", ""}, {"laura@skola.example", ""},
	} {
		a := s.tell(step{name: who.email, ask: "POST /password-resets", body: `{"email":"` + who.email + `"}`, status: 202, events: who.events})
		header := a.Header().Clone()
		header.Del("Zurnals-Request")
		said, err := json.Marshal(header)
		s.must(err)
		answers = append(answers, string(said)+a.Body.String())
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("the answers differ:\n%s\n%s", answers[0], a)
		}
	}
	s.mailedLinks("teacher")
	const body = `{"password":"` + replaced + `"}`
	s.advance(time.Hour - time.Second)
	s.tell(
		step{ask: "GET /password-resets/{reset}", status: 200, has: []string{`"password_min":12`}, hasNot: []string{"teacher"}},
		step{ask: "POST /password-resets/{reset}", body: `{"password":"isa"}`, status: 422, code: "identity.password_short", fields: []string{"password"}},
		step{name: "made up", ask: "GET /password-resets/" + strings.Repeat("A", 64), status: 404, code: "identity.link_unknown"},
		step{ask: "POST /password-resets/{reset}", body: body, status: 204, events: "identity.password_reset identity.sessions_ended"},
		step{name: "used twice", ask: "POST /password-resets/{reset}", body: body, status: 410, code: "identity.reset_used"},
		step{as: "teacher", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{ask: "POST /sessions", body: strings.Replace(signInAs, "%", "teacher@skola.example", 1), status: 401, code: "identity.sign_in"},
		step{ask: "POST /password-resets", body: `{"email":"teacher@skola.example"}`, status: 202, events: "identity.password_reset_asked"},
	)
	s.mailedLinks("teacher")
	s.advance(time.Hour)
	s.tell(step{name: "an hour later", ask: "POST /password-resets/{reset}", body: body, status: 410, code: "identity.reset_expired"})
}

// Risky steps need a sign-in of the last 60 minutes, or the password again.
func TestRiskyStepsNeedThePasswordAgain(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	s.signIn("teacher")
	s.advance(time.Hour)
	s.tell(step{name: "60 minutes", as: "teacher", ask: "GET /me/export", status: 200})
	s.advance(time.Second)
	for _, ask := range []string{"POST /me/email-change", "GET /me/export", "DELETE /me"} {
		s.tell(step{as: "teacher", ask: ask, status: 403, code: "session.reauthenticate"})
	}
	s.tell(
		step{name: "what is not risky", as: "teacher", ask: "GET /me", status: 200},
		step{as: "teacher", ask: "PUT /me/sessions/current", body: `{"password":"nepareizā parole"}`, status: 403, code: "identity.password_wrong", fields: []string{"password"}},
	)
	s.tokens["before"] = s.tokens["teacher"]
	s.fresh("teacher", s.tell(step{as: "teacher", ask: "PUT /me/sessions/current", body: `{"password":"` + password + `"}`, status: 200, events: "identity.reauthenticated"}))
	s.tell(
		step{as: "before", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"},
	)
}

func TestOwnDataIsExported(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	a := s.tell(step{as: "teacher", ask: "GET /me/export", status: 200, has: []string{
		`"given_name":"Teacher"`, `"personal_code":"32000000003"`, `"email":"teacher@skola.example"`, `"role":"emu.class_teacher"`,
		`"type":"identity.user_invited"`, `"type":"access.role_given"`, `"user_agent"`,
	}, hasNot: []string{"admin@"}})
	if !strings.Contains(a.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("%v", a.Header())
	}
}

// The account goes at once: the person is in no list, in no history and in no
// key; what was done stays under a pseudonym.
func TestOwnAccountIsDeleted(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "EMU-051", "EMU-052", "C20", "C25")
	s := newStaffStory(t)
	s.hire("auditor", post{access.Auditor, "school"})
	s.firstSignIn("teacher")
	s.tell(step{as: "admin", ask: "PATCH /schools/{school}/users/{teacher}", body: `{"given_name":"Zinaīda"}`, headers: []string{"If-Match: *"}, status: 204, events: "identity.names_changed"})
	s.signIn("teacher")
	s.names["credential"] = lastOf[identity.RegistrationConfirmed](s, "teacher").Credential.String()
	s.tell(
		step{ask: "POST /password-resets", body: `{"email":"teacher@skola.example"}`, status: 202, events: "identity.password_reset_asked"},
		step{as: "admin", ask: "POST /schools/{school}/users/{teacher}/email-recovery", body: `{"email":"jauna@skola.example","reason":"Slēgta"}`, status: 202, events: "identity.email_recovery_started"},
	)
	s.mailedLinks("teacher")
	s.tell(
		step{as: "teacher", ask: "DELETE /me", status: 204, events: "access.role_taken access.membership_ended identity.account_deleted"},
		step{as: "teacher", ask: "GET /me", status: 401, code: "session.sign_in"},
		step{ask: "POST /sessions", body: strings.Replace(signInAs, "%", "teacher@skola.example", 1), status: 401, code: "identity.sign_in"},
		step{ask: "POST /password-resets", body: `{"email":"teacher@skola.example"}`, status: 202},
		step{name: "a link of before", ask: "GET /password-resets/{reset}", status: 404, code: "identity.no_account"},
		step{name: "the same, followed", ask: "POST /password-resets/{reset}", body: `{"password":"` + replaced + `"}`, status: 404, code: "identity.no_account"},
		step{name: "another link of before", ask: "DELETE /email-recoveries/{stop}", status: 404, code: "identity.no_account"},
		step{as: "admin", ask: "GET /schools/{school}/users", status: 200, hasNot: []string{"teacher@", "Zinaīda", "{teacher}"}},
		step{as: "admin", ask: "GET /schools/{school}/users/{teacher}", status: 404, code: "access.not_found"},
		step{as: "auditor", ask: "GET /audit/accounts/{teacher}/events?limit=200", status: 200, events: "audit.history_read",
			has: []string{"{teacher}", `"type":"identity.account_deleted"`, `"erased":true`}, hasNot: []string{"teacher@", "t***@", "Z.", "320000"}},
	)
	for table, query := range map[string]string{
		"sessions":    `SELECT count(*) FROM web.session WHERE subject = $1`,
		"credentials": `SELECT count(*) FROM web.credential WHERE id = $1`,
		"keys":        `SELECT count(*) FROM es.subject_key WHERE subject = $1 AND wrapped IS NOT NULL`,
	} {
		of := s.names["teacher"]
		if table == "credentials" {
			of = s.names["credential"]
		}
		var n int
		if err := s.pool.QueryRow(t.Context(), query, of).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d %s are left, %v", n, table, err)
		}
	}

	// A rebuild from the log knows no more than the live read model.
	_, err := s.engine.Rebuild(t.Context(), staff.Projection.Name)
	s.must(err)
	s.tell(step{name: "rebuilt", as: "admin", ask: "GET /schools/{school}/users", status: 200, has: []string{"admin@"}, hasNot: []string{"teacher@", "Zinaīda", "{teacher}"}})

	// Invited again later, with the same address and code, it is another account.
	body := `{"given_name":"Teacher","family_name":"Paraudziņa","personal_code":"32000000003","email":"teacher@skola.example"}`
	s.tell(
		step{as: "admin", ask: "POST /schools/{school}/users", body: body, status: 201, events: "identity.user_invited access.membership_started", keep: "again", has: []string{`"outcome":"invited"`}, hasNot: []string{"{teacher}"}},
		step{name: "the last administrator", as: "admin", ask: "DELETE /me", status: 204,
			events: "access.role_taken access.membership_ended access.administrator_removed access.administrators_gone identity.account_deleted"},
	)
}

// Nothing that names the person is in any table the application reads, except
// sealed under a key that is no more.
func TestNothingNamesWhoIsDeleted(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "C25")
	s := newStaffStory(t)
	s.tell(step{as: "teacher", ask: "PATCH /me", body: `{"given_name":"Zinaīda"}`, headers: []string{"If-Match: *"}, status: 204, events: "identity.names_changed"})
	account := id[domain.AccountID](s, "teacher")
	s.tell(step{as: "teacher", ask: "DELETE /me", status: 204, events: "access.role_taken access.membership_ended identity.account_deleted"})
	s.tell(step{as: "admin", ask: "GET /schools/{school}/users", status: 200, hasNot: []string{"teacher@"}}) // the read model has seen it
	rows, err := s.pool.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(schemaname, 'USAGE')
		  AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')`)
	s.must(err)
	var tables []string
	for rows.Next() {
		var name string
		s.must(rows.Scan(&name))
		tables = append(tables, name)
	}
	s.must(rows.Err())
	if len(tables) < 10 {
		t.Fatalf("only %d tables are read: %v", len(tables), tables)
	}
	for _, table := range tables {
		for _, secret := range []string{"Zinaīda", "teacher@skola.example", "32000000003"} {
			var n int
			if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` AS r WHERE position($1 IN r::text) > 0 OR position($2 IN r::text) > 0`,
				secret, hex.EncodeToString([]byte(secret))).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d rows hold %s, %v", table, n, secret, err)
			}
		}
	}
	for _, e := range s.history("account-" + account.String()) {
		if e, ok := e.(identity.UserInvited); ok && (e.GivenName != "" || e.Email != "" || e.PersonalCode != "") {
			t.Errorf("%+v can still be read", e)
		}
	}
}

// A password that no event names is swept an hour later, the others stay.
func TestAnOrphanedPasswordIsSwept(t *testing.T) {
	t.Parallel()
	s := newStaffStory(t)
	passwords := s.commands.Credentials
	orphan := domain.NewID[domain.CredentialID]()
	s.must(passwords.Create(t.Context(), orphan, "account-"+s.names["teacher"], "nosaukta nekad nav"))
	count := func() (n int) {
		s.must(s.pool.QueryRow(t.Context(), `SELECT count(*) FROM web.credential`).Scan(&n))
		return n
	}
	all := count()
	s.advance(time.Hour)
	s.must(s.commands.SweepCredentials(t.Context()))
	if left := count(); left != all-1 {
		t.Errorf("%d of %d are left", left, all)
	}
	if right, err := passwords.Verify(t.Context(), orphan, "nosaukta nekad nav"); right || err != nil {
		t.Errorf("the orphan is still there, %v", err)
	}
	s.firstSignIn("teacher")
	s.firstSignIn("admin")
}
