package httpapi

import (
	"net/http"
	"sync"
	"testing"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
)

// Whoever's role is removed is refused on every request that begins after the
// removal was answered, however many are under way: rights are read from the
// log, and what is appended is guarded by them.
func TestARemovedRoleIsRefusedAtOnce(t *testing.T) {
	s := newStory(t)
	s.hire("helper", post{access.SupportStaff, "school"}, post{access.SchoolManagement, "school"})
	s.api.Security = new(fakeSecurity) // whose rows are not what is measured here
	account, place := id[domain.AccountID](s, "helper"), s.place("school")
	operator, ctx := access.System("removal"), t.Context()
	ask := func(assignment string) int {
		return s.send(step{as: "helper", ask: "GET /schools/{school}", headers: []string{"Zurnals-Role: " + assignment}}, 0).Code
	}
	// Three ask all the time, and what they are answered depends on when they
	// began; whoever begins when the removal has been answered is refused.
	assignment, allowed, refused := s.names["helper/"+string(access.SupportStaff)], 0, 0
	for round := range 1000 {
		var under sync.WaitGroup
		codes := make([]int, 3)
		for i := range codes {
			under.Go(func() { codes[i] = ask(assignment) })
		}
		s.must(s.commands.TakeRole(ctx, operator, commands.TakeRole{Account: account, Role: access.SupportStaff, Place: place}))
		if code := ask(assignment); code != http.StatusForbidden {
			t.Fatalf("round %d: answered %d after the role was taken", round, code)
		}
		under.Wait()
		for _, code := range codes {
			switch code {
			case http.StatusOK:
				allowed++
			case http.StatusForbidden:
				refused++
			default:
				t.Fatalf("round %d: answered %d meanwhile", round, code)
			}
		}
		given, err := s.commands.GiveRole(ctx, operator, commands.GiveRole{Account: account, Role: access.SupportStaff, Place: place})
		s.must(err)
		assignment = given.String()
	}
	t.Logf("of the requests that were under way %d were allowed and %d refused", allowed, refused)
}
