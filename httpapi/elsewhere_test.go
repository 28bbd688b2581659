package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/trace"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

// An administrator who makes up the id of an account does not learn whether
// somebody at another school has it: the answer is the same to the byte, and so
// is what the database is asked.
func TestUsersElsewhereAreLikeNobody(t *testing.T) {
	trace.Covers(t, "EMU-001", "C28")
	seen := new(statements)
	cfg, err := pgxpool.ParseConfig(pgtest.New(t).DSN(embedpg.App))
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer, cfg.MaxConns = seen, 8
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := staffed(newStoryOn(t, pool, nil, organisation.Projection, staff.Projection, students.Projection))
	inner := s.handler
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tracedKey{}, true)))
	})
	for _, c := range []struct{ ask, body, code string }{
		{"GET /schools/{school}/users/%", "", "access.not_found"},
		{"POST /schools/{school}/users/%/invitation", "", "access.not_staff"},
		{"DELETE /schools/{school}/users/%/invitation", "", "access.not_staff"},
		{"DELETE /schools/{school}/users/%", "", "access.not_staff"},
		{"PUT /schools/{school}/users/%/roles/emu.support_staff", "", "access.not_staff"},
		{"DELETE /schools/{school}/users/%/roles/emu.support_staff", "", "access.not_staff"},
		{"PATCH /schools/{school}/users/%", `{"given_name":"Anna"}`, "access.not_staff"},
		{"PUT /schools/{school}/users/%/email", `{"email":"cita@skola.example"}`, "access.not_staff"},
		{"POST /schools/{school}/users/%/email-recovery", `{"email":"cita@skola.example","reason":"Slēgta"}`, "access.not_staff"},
	} {
		ask := func(account string) (said string, asked []string) {
			t.Helper()
			before, err := s.log.Head(t.Context())
			s.must(err)
			seen.take()
			a := s.send(step{as: "admin", ask: strings.Replace(c.ask, "%", account, 1), body: c.body, headers: []string{"If-Match: *"}}, before)
			asked = seen.take()
			if a.Code != http.StatusNotFound || a.problem.Code != c.code || s.since(before) != "" {
				t.Errorf("%s: %d %s", c.ask, a.Code, a.Body)
			}
			return strings.ReplaceAll(a.Body.String(), a.problem.RequestID, ""), asked
		}
		ask("{stranger}") // what is remembered is remembered by now
		nobody, asked := ask(domain.NewID[domain.AccountID]().String())
		stranger, asked2 := ask("{stranger}")
		if nobody != stranger || !slices.Equal(asked, asked2) || len(asked) == 0 {
			t.Errorf("%s: nobody\n%s\n%q\nsomebody elsewhere\n%s\n%q", c.ask, nobody, asked, stranger, asked2)
		}
	}
}
