package httpapi

import (
	"fmt"
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
	t.Parallel()
	s := newStory(t)
	s.api.Security = new(fakeSecurity) // whose rows are not what is measured here
	allowed, refused := 0, 0
	for n := range 10 { // people, so that no history gets longer than one ever is
		a, r := s.removals(fmt.Sprint("helper", n), 100)
		allowed, refused = allowed+a, refused+r
	}
	t.Logf("of the requests that were under way %d were allowed and %d refused", allowed, refused)
}

// removals takes a role from somebody new and gives it back, some times. It
// counts what became of the requests that were under way meanwhile.
func (s *story) removals(who string, times int) (allowed, refused int) {
	s.t.Helper()
	s.hire(who, post{access.SupportStaff, "school"}, post{access.SchoolManagement, "school"})
	account, place := id[domain.AccountID](s, who), s.place("school")
	operator, ctx := access.System("removal"), s.t.Context()
	ask := func(assignment string) int {
		return s.send(step{as: who, ask: "GET /schools/{school}", headers: []string{"Zurnals-Role: " + assignment}}, 0).Code
	}
	// Three ask all the time, and what they are answered depends on when they
	// began; whoever begins when the removal has been answered is refused.
	assignment := s.names[who+"/"+string(access.SupportStaff)]
	for round := range times {
		var under sync.WaitGroup
		codes := make([]int, 3)
		for i := range codes {
			under.Go(func() { codes[i] = ask(assignment) })
		}
		s.must(s.commands.TakeRole(ctx, operator, commands.TakeRole{Account: account, Role: access.SupportStaff, Place: place}))
		if code := ask(assignment); code != http.StatusForbidden {
			s.t.Fatalf("%s, round %d: answered %d after the role was taken", who, round, code)
		}
		under.Wait()
		for _, code := range codes {
			switch code {
			case http.StatusOK:
				allowed++
			case http.StatusForbidden:
				refused++
			default:
				s.t.Fatalf("%s, round %d: answered %d meanwhile", who, round, code)
			}
		}
		given, err := s.commands.GiveRole(ctx, operator, commands.GiveRole{Account: account, Role: access.SupportStaff, Place: place})
		s.must(err)
		assignment = given.String()
	}
	return allowed, refused
}
