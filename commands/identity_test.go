package commands_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// Many invite one address for different people at once: one succeeds.
func TestOneAccountForAnAddress(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	before := w.happened("identity.user_invited")
	var all []commands.InviteUser
	for range 20 {
		cmd := w.newcomer(w.at(w.school), commands.NewRole{Role: access.SupportStaff})
		cmd.Email = "Viena@Skola.lv"
		all = append(all, cmd)
	}
	var wg sync.WaitGroup
	var taken atomic.Int64
	for _, cmd := range all {
		wg.Go(func() {
			if _, err := w.InviteUser(t.Context(), admin, cmd); errors.Is(err, commands.ErrEmailTaken) {
				taken.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.happened("identity.user_invited") - before; n != 1 || taken.Load() != 19 {
		t.Errorf("%d accounts, %d refused", n, taken.Load())
	}
	if n := w.happened("access.role_given"); n != 2 {
		t.Errorf("%d roles are given", n)
	}
}

// Many invite one person at once: one account, and the others are told.
func TestOneAccountForAPerson(t *testing.T) {
	w := newStaffWorld(t)
	cmd := w.newcomer(w.at(w.school))
	var wg sync.WaitGroup
	var invited, here atomic.Int64
	for range 20 {
		wg.Go(func() {
			switch admitted, err := w.InviteUser(t.Context(), operator, cmd); {
			case err != nil:
				t.Error(err)
			case admitted.How == commands.Invited:
				invited.Add(1)
			case admitted.How == commands.AlreadyHere:
				here.Add(1)
			}
		})
	}
	wg.Wait()
	if invited.Load() != 1 || here.Load() != 19 || w.happened("identity.user_invited") != 1 {
		t.Errorf("%d invited, %d here already", invited.Load(), here.Load())
	}
}

// The same request sent twice, as after a lost answer, is carried out once.
func TestInvitingTwiceUnderOneKey(t *testing.T) {
	w := newStaffWorld(t)
	by := operator
	by.Command, by.Fingerprint = uuid.New(), []byte("one")
	cmd := w.newcomer(w.at(w.school), commands.NewRole{Role: access.SchoolManagement})
	first, err := w.InviteUser(t.Context(), by, cmd)
	w.must(err)
	w.refused(nil, func() error {
		ctx, outcome := commands.WithOutcome(t.Context())
		again, err := w.InviteUser(ctx, by, cmd)
		if again != first || !outcome.Repeated || outcome.Position == 0 {
			t.Errorf("%+v, then %+v, %+v", first, again, outcome)
		}
		return err
	})
	by.Fingerprint = []byte("two")
	w.refused(commands.ErrReused, func() error { _, err := w.InviteUser(t.Context(), by, cmd); return err })

	// Without a key it is a second request, about somebody who is here.
	w.refused(nil, func() error {
		again, err := w.InviteUser(t.Context(), operator, cmd)
		if again != (commands.Admitted{Account: first.Account, How: commands.AlreadyHere}) {
			t.Errorf("%+v", again)
		}
		return err
	})
}

// Somebody who works at a second school keeps account and password, and each
// school has its own roles.
func TestPersonAtSecondSchool(t *testing.T) {
	trace.Covers(t, "EMU-049", "EMU-050", "EMU-076", "EMU-077")
	w := newStaffWorld(t)
	laura, by := w.registered(w.at(w.school), commands.NewRole{Role: access.ClassTeacher, Class: w.class})
	again := w.newcomer(w.at(w.other), commands.NewRole{Role: access.SchoolManagement})
	again.PersonalCode = "320000-00001" // hers, written otherwise, with another address
	command := operator
	command.Command, command.Fingerprint = uuid.New(), []byte("one")
	for range 2 { // also when the answer is lost
		admitted, err := w.InviteUser(t.Context(), command, again)
		if err != nil || admitted != (commands.Admitted{Account: laura, How: commands.Attached}) {
			t.Fatalf("%+v, %v", admitted, err)
		}
	}
	if n := w.happened("identity.user_invited"); n != 1 {
		t.Errorf("%d accounts", n)
	}
	for _, e := range w.history(laura) {
		if e, ok := e.(identity.UserAttached); ok && e.Email != "anna1@skola.lv" {
			t.Errorf("the notice goes to %s", e.Email)
		}
	}
	w.signIn("anna1@skola.lv")

	// With two roles one must be named; each reaches its own school only.
	if _, err := w.Who(t.Context(), laura, 0, domain.AssignmentID{}); !errors.Is(err, access.ErrChooseRole) {
		t.Error(err)
	}
	held, err := w.Held(t.Context(), laura)
	if err != nil || len(held) != 2 || held[0] != by.Active {
		t.Fatal(held, err)
	}
	for _, a := range held {
		by, err := w.Who(t.Context(), laura, 0, a.ID)
		w.must(err)
		here, there := w.at(w.other), access.Scope{Municipality: w.municipality, School: w.school, Class: w.class}
		if a.Role == access.ClassTeacher {
			here, there = there, here
		}
		if err := by.Allow(access.At(access.SeeSchool, here)); err != nil {
			t.Errorf("%s: %v", a.Role, err)
		}
		if err := by.Allow(access.At(access.SeeSchool, there)); !errors.Is(err, access.ErrElsewhere) {
			t.Errorf("%s reaches the other school: %v", a.Role, err)
		}
	}
}

// Who is invited elsewhere before registering is sent a new link.
func TestUnregisteredAtSecondSchool(t *testing.T) {
	w := newStaffWorld(t)
	cmd := w.newcomer(w.at(w.school))
	first, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	old := w.link(first.Account)
	cmd.Place = w.at(w.other)
	second, err := w.InviteUser(t.Context(), operator, cmd)
	if err != nil || second != (commands.Admitted{Account: first.Account, How: commands.Attached}) {
		t.Fatalf("%+v, %v", second, err)
	}
	w.refused(identity.ErrLinkReplaced, func() error { return w.CheckRegistration(t.Context(), byLink, old) })

	// One school withdraws; the other still waits for her.
	withdraw := commands.WithdrawInvitation{Place: w.at(w.school), Account: first.Account}
	w.must(w.WithdrawInvitation(t.Context(), operator, withdraw))
	w.refused(access.ErrNotStaff, func() error { return w.WithdrawInvitation(t.Context(), operator, withdraw) })
	w.must(w.CheckRegistration(t.Context(), byLink, w.link(first.Account)))

	// The other too: the account is closed, address and code are free.
	withdraw.Place = w.at(w.other)
	w.must(w.WithdrawInvitation(t.Context(), operator, withdraw))
	w.refused(identity.ErrLinkWithdrawn, func() error { return w.CheckRegistration(t.Context(), byLink, w.link(first.Account)) })
	anew, err := w.InviteUser(t.Context(), operator, cmd)
	if err != nil || anew.How != commands.Invited || anew.Account == first.Account {
		t.Errorf("%+v, %v", anew, err)
	}
}

func TestWithdrawingIsForTheUnconfirmed(t *testing.T) {
	w := newStaffWorld(t)
	account, _ := w.registered(w.at(w.school))
	w.refused(identity.ErrConfirmed, func() error {
		return w.WithdrawInvitation(t.Context(), operator, commands.WithdrawInvitation{Place: w.at(w.school), Account: account})
	})
}

func TestOnlyAdministratorsInvite(t *testing.T) {
	trace.Covers(t, "EMU-089", "EMU-091")
	w := newStaffWorld(t)
	for _, role := range []commands.NewRole{{Role: access.ClassTeacher, Class: w.class}, {Role: access.SupportStaff}, {Role: access.SchoolManagement}} {
		_, by := w.registered(w.at(w.school), role)
		cmd := w.newcomer(w.at(w.school))
		w.refused(access.ErrForbidden, func() error { _, err := w.InviteUser(t.Context(), by, cmd); return err })
	}
	_, nobody := w.registered(w.at(w.school))
	cmd := w.newcomer(w.at(w.school))
	w.refused(access.ErrNoRole, func() error { _, err := w.InviteUser(t.Context(), nobody, cmd); return err })
	w.refused(access.ErrForbidden, func() error { _, err := w.InviteUser(t.Context(), byNobody, cmd); return err })

	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	_, err := w.InviteUser(t.Context(), admin, cmd)
	w.must(err)

	// Another school's users, classes and roles are not there for her.
	cmd = w.newcomer(w.at(w.other))
	w.refused(access.ErrElsewhere, func() error { _, err := w.InviteUser(t.Context(), admin, cmd); return err })
	cmd = w.newcomer(w.at(domain.NewID[domain.SchoolID]()))
	w.refused(access.ErrElsewhere, func() error { _, err := w.InviteUser(t.Context(), admin, cmd); return err })
	cmd = w.newcomer(access.Scope{School: w.other, Municipality: domain.NewID[domain.MunicipalityID]()})
	w.refused(access.ErrElsewhere, func() error { _, err := w.InviteUser(t.Context(), operator, cmd); return err })
}

func TestWrongFieldsCreateNothing(t *testing.T) {
	trace.Covers(t, "EMU-015")
	w := newStaffWorld(t)
	cmd := commands.InviteUser{Place: w.at(w.school), PersonalCode: "161175-19998", Email: "anna"}
	w.refused(domain.ErrFields, func() error {
		_, err := w.InviteUser(t.Context(), operator, cmd)
		var refusal *domain.Error
		if !errors.As(err, &refusal) || len(refusal.Details) != 4 || strings.Contains(refusal.Error(), "19998") {
			t.Errorf("%+v", err)
		}
		return err
	})
	cmd = w.newcomer(w.at(w.school))
	cmd.Roles = make([]commands.NewRole, 21)
	w.refused(commands.ErrManyRoles, func() error { _, err := w.InviteUser(t.Context(), operator, cmd); return err })
	cmd.Roles = []commands.NewRole{{Role: access.ClassTeacher}}
	w.refused(access.ErrScope, func() error { _, err := w.InviteUser(t.Context(), operator, cmd); return err })
}

func TestMunicipalityInvites(t *testing.T) {
	trace.Covers(t, "EMU-074", "EMU-090", "C23")
	w := newStaffWorld(t)
	parauga := access.Scope{Municipality: w.municipality}
	_, by := w.registered(parauga, commands.NewRole{Role: access.MunicipalityAdmin})
	for _, cmd := range []commands.InviteUser{
		w.newcomer(parauga, commands.NewRole{Role: access.MunicipalityAnalyst}),
		w.newcomer(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin}),
	} {
		_, err := w.InviteUser(t.Context(), by, cmd)
		w.must(err)
	}
	far, err := w.RegisterMunicipality(t.Context(), operator, commands.RegisterMunicipality{Name: "Citur"})
	w.must(err)
	outside, err := w.RegisterSchool(t.Context(), operator, commands.RegisterSchool{Municipality: far, Name: "Cita skola"})
	w.must(err)
	cmd := w.newcomer(access.Scope{School: outside})
	w.refused(access.ErrElsewhere, func() error { _, err := w.InviteUser(t.Context(), by, cmd); return err })
}

func TestPlatformAdministrator(t *testing.T) {
	w := newStaffWorld(t)
	cmd := commands.InviteUser{GivenName: "Pēteris", FamilyName: "Ozols", Email: "peteris@platforma.lv"}
	w.refused(access.ErrForbidden, func() error { _, _, err := w.CreatePlatformAdmin(t.Context(), byNobody, cmd); return err })
	account, link, err := w.CreatePlatformAdmin(t.Context(), operator, cmd)
	w.must(err)
	_, err = w.ConfirmRegistration(t.Context(), byLink, commands.ConfirmRegistration{Token: link, Password: password})
	w.must(err)
	w.signIn(cmd.Email)
	by := w.who(account)
	if by.Active.Role != access.PlatformAdmin {
		t.Fatalf("%+v", by)
	}
	_, err = w.InviteUser(t.Context(), by, w.newcomer(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin}))
	w.must(err)

	// Somebody who has an account just gets the role.
	auditor, _ := w.registered(access.Scope{}, commands.NewRole{Role: access.Auditor})
	people := w.people
	cmd = w.newcomer(access.Scope{})
	cmd.PersonalCode = "32" + strings.Repeat("0", 8) + string(rune('0'+people))
	same, link, err := w.CreatePlatformAdmin(t.Context(), operator, cmd)
	if err != nil || same != auditor || link != "" {
		t.Error(same, link, err)
	}
	if held, err := w.Held(t.Context(), auditor); err != nil || len(held) != 2 {
		t.Error(held, err)
	}
}
