package commands_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// Two administrators of a school are removed at the same time, each by another
// colleague, again and again: the school always keeps one.
func TestAdministratorsRemoveEachOther(t *testing.T) {
	trace.Covers(t, "C20")
	for range 20 {
		w := newStaffWorld(t)
		one, first := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
		two, second := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
		parauga := access.Scope{Municipality: w.municipality}
		colleague := func(account domain.AccountID) access.Actor { // who may take that role as well
			id, err := w.GiveRole(t.Context(), operator, commands.GiveRole{Account: account, Role: access.MunicipalityAdmin, Place: parauga})
			w.must(err)
			by, err := w.Who(t.Context(), account, 0, id)
			w.must(err)
			return by
		}
		first, second = colleague(one), colleague(two)
		take := func(by access.Actor, from domain.AccountID) error {
			return w.TakeRole(t.Context(), by, commands.TakeRole{Account: from, Role: access.SchoolAdmin, Place: w.at(w.school)})
		}
		var wg sync.WaitGroup
		var results [2]error
		wg.Go(func() { results[0] = take(first, two) })
		wg.Go(func() { results[1] = take(second, one) })
		wg.Wait()
		refused := 0
		for _, err := range results {
			switch {
			case errors.Is(err, access.ErrLastAdministrator):
				refused++
			case err != nil:
				t.Fatal(err)
			}
		}
		if refused != 1 {
			t.Fatalf("%v", results)
		}
	}
}

func TestOwnAdministratorRoleIsLaidDown(t *testing.T) {
	trace.Covers(t, "C20")
	w := newStaffWorld(t)
	one, by := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	take := commands.TakeRole{Account: one, Role: access.SchoolAdmin, Place: w.at(w.school)}
	w.refused(access.ErrLastAdministrator, func() error { return w.TakeRole(t.Context(), by, take) })
	w.refused(access.ErrLastAdministrator, func() error {
		return w.RemoveUser(t.Context(), operator, commands.RemoveUser{Account: one, Place: w.at(w.school)})
	})
	two, _ := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	w.must(w.TakeRole(t.Context(), by, take))

	// Another's role is not hers to take, nor to give (C-12).
	_, by = w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	take.Account = two
	w.refused(access.ErrForbidden, func() error { return w.TakeRole(t.Context(), by, take) })
	w.refused(access.ErrForbidden, func() error {
		return w.RemoveUser(t.Context(), by, commands.RemoveUser{Account: two, Place: w.at(w.school)})
	})
}

// failure is for those who want to know only whether something fails.
func failure[T any](_ T, err error) error { return err }

// A role that is taken is refused on the next request.
func TestTakenRoleIsRefused(t *testing.T) {
	trace.Covers(t, "EMU-047", "EMU-063", "C21")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	laura, by := w.registered(w.at(w.school), commands.NewRole{Role: access.ClassTeacher, Class: w.class})
	class := access.Scope{School: w.school, Class: w.class}
	w.must(w.TakeRole(t.Context(), admin, commands.TakeRole{Account: laura, Role: access.ClassTeacher, Place: class}))

	if _, err := w.Who(t.Context(), laura, 0, by.Active.ID); !errors.Is(err, access.ErrNoRole) {
		t.Errorf("the role still works: %v", err)
	}
	nobody := w.who(laura) // the account stays, without any role
	if err := nobody.Allow(access.At(access.SeeSchool, w.at(w.school))); !errors.Is(err, access.ErrNoRole) {
		t.Error(err)
	}
	w.must(nobody.Allow(access.Own(access.OwnAccount, laura.UUID)))

	// With the last role she has left: there is no such user here.
	w.refused(access.ErrNotStaff, func() error {
		return failure(w.GiveRole(t.Context(), admin, commands.GiveRole{Account: laura, Role: access.SupportStaff, Place: w.at(w.school)}))
	})
}

// A request that is under way when its role is taken is refused as well: what
// it was allowed by is guarded until it is written.
func TestRoleTakenUnderWay(t *testing.T) {
	w := newStaffWorld(t)
	w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	account, by := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	slow := &meanwhile{Log: w.log}
	w.Commands.Log = slow
	slow.first = func() {
		slow.first = nil
		w.must(w.TakeRole(t.Context(), operator, commands.TakeRole{Account: account, Role: access.SchoolAdmin, Place: w.at(w.school)}))
	}
	invited := w.happened("identity.user_invited")
	if _, err := w.InviteUser(t.Context(), by, w.newcomer(w.at(w.school))); !errors.Is(err, access.ErrNoRole) {
		t.Errorf("%v", err)
	}
	if n := w.happened("identity.user_invited"); n != invited {
		t.Error("somebody was invited without right")
	}
}

// meanwhile is a log in which something happens just before an append.
type meanwhile struct {
	eventstore.Log
	first func()
}

func (m *meanwhile) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	if m.first != nil {
		m.first()
	}
	return m.Log.Append(ctx, r)
}

func TestNoSelfPromotion(t *testing.T) {
	trace.Covers(t, "EMU-075", "EMU-078")
	w := newStaffWorld(t)
	account, by := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	give := func(to domain.AccountID, role access.Role, place access.Scope) error {
		return failure(w.GiveRole(t.Context(), by, commands.GiveRole{Account: to, Role: role, Place: place}))
	}
	w.must(give(account, access.SchoolManagement, w.at(w.school)))
	history := w.history(account)
	if given, ok := history[len(history)-1].(access.RoleGiven); !ok || !given.Self {
		t.Errorf("%+v is not marked as given to herself", history[len(history)-1])
	}

	by, err := w.Who(t.Context(), account, 0, by.Active.ID)
	w.must(err)
	friend, _ := w.registered(w.at(w.school))
	w.refused(access.ErrForbidden, func() error {
		return give(friend, access.MunicipalityAdmin, access.Scope{Municipality: w.municipality})
	})
	w.refused(access.ErrForbidden, func() error { return give(friend, access.SchoolAdmin, w.at(w.school)) })
	w.refused(access.ErrElsewhere, func() error { return give(friend, access.SupportStaff, w.at(w.other)) })
	w.refused(access.ErrForbidden, func() error { return give(friend, access.PlatformAdmin, access.Scope{}) })
	w.must(give(friend, access.SupportStaff, w.at(w.school)))
}

// A role given twice is one role, whether the request is repeated or made anew.
func TestGivingTwice(t *testing.T) {
	w := newStaffWorld(t)
	account, _ := w.registered(w.at(w.school))
	by := operator
	by.Command, by.Fingerprint = uuid.New(), []byte("one")
	cmd := commands.GiveRole{Account: account, Role: access.ClassTeacher, Place: access.Scope{Class: w.class}}
	first, err := w.GiveRole(t.Context(), by, cmd)
	w.must(err)
	for _, by := range []access.Actor{by, operator} {
		w.refused(nil, func() error {
			again, err := w.GiveRole(t.Context(), by, cmd)
			if again != first {
				t.Errorf("%s, then %s", first, again)
			}
			return err
		})
	}
	w.refused(access.ErrElsewhere, func() error {
		return failure(w.GiveRole(t.Context(), by, commands.GiveRole{Account: account, Role: access.ClassTeacher, Place: access.Scope{Class: w.class, School: w.other}}))
	})
}

func TestUserIsRemoved(t *testing.T) {
	trace.Covers(t, "EMU-043", "EMU-052")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	laura, _ := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolManagement})
	w.must(failure(w.GiveRole(t.Context(), admin, commands.GiveRole{Account: laura, Role: access.ClassTeacher, Place: access.Scope{Class: w.class}})))
	remove := commands.RemoveUser{Account: laura, Place: w.at(w.school)}
	w.must(w.RemoveUser(t.Context(), admin, remove))
	w.refused(access.ErrNotStaff, func() error { return w.RemoveUser(t.Context(), admin, remove) })
	if held, err := w.Held(t.Context(), laura); err != nil || len(held) != 0 {
		t.Error(held, err)
	}
	w.who(laura) // the account goes on
}
