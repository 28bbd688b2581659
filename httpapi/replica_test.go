package httpapi

import (
	"context"
	"strings"
	"testing"
	"time"

	"zurnals/domain/access"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
)

// A streaming replica answers lists. Who has changed something sees it there, or
// is told when to try again. Rights never wait for the replica: they are read
// where they are written.
func TestListsComeFromAReplicaAndRightsDoNot(t *testing.T) {
	t.Parallel()
	db, standby := pgtest.NewReplicated(t)
	s := newStoryOn(t, db.App, standby.Pool(embedpg.App, 8), organisation.Projection, staff.Projection)
	s.hire("admin", post{access.MunicipalityAdmin, "municipality"})
	s.hire("platform", post{role: access.PlatformAdmin})
	s.answersFromReplica()
	invite := func(name string) step {
		return step{as: "admin", ask: "POST /municipalities/{municipality}/users", status: 201, events: "identity.user_invited access.membership_started",
			body: `{"given_name":"` + name + `","family_name":"Ozols","personal_code":"320000-12345","email":"` + strings.ToLower(name) + `@novads.example"}`}
	}
	list := step{as: "admin", ask: "GET /municipalities/{municipality}/users", status: 200, has: []string{`"Anna"`}}
	s.tell(invite("Anna"), list)

	standby.Pause()
	second := invite("Berta")
	second.body = strings.Replace(second.body, "320000-12345", "320000-54321", 1)
	s.tell(second)
	late := list
	late.status, late.code, late.has = 503, "projection.behind", nil
	if a := s.tell(late); a.Header().Get("Retry-After") == "" {
		t.Error("nobody says when to try again")
	}
	late = list // as it was: who does not ask for more gets what there is
	late.headers, late.hasNot = []string{"Zurnals-Min-Position: 0"}, []string{`"Berta"`}
	s.tell(late)

	// The role is taken while the replica stands still: the next request knows.
	s.tell(
		step{as: "platform", ask: "DELETE /municipalities/{municipality}/users/{admin}/roles/emu.municipality_admin", status: 204, events: "access.role_taken access.membership_ended"},
	)
	late.status, late.code, late.has = 403, "access.no_role", nil
	s.tell(late)
	standby.Resume()
	list.as, list.has = "platform", []string{`"Anna"`, `"Berta"`}
	s.tell(list)
}

// answersFromReplica waits until the replica is in use.
func (s *story) answersFromReplica() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, there := s.engine.Replica()
		if there && r.Problem == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("the replica is not used: %+v", r)
		}
	}
}
