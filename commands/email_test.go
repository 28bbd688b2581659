package commands_test

import (
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// mailed returns the last event of a kind that happened to an account.
func mailed[E domain.Event](w *staffWorld, account domain.AccountID) (found E) {
	w.t.Helper()
	for _, e := range w.history(account) {
		if e, ok := e.(E); ok {
			found = e
		}
	}
	return found
}

func (w *staffWorld) firstLink(account domain.AccountID) string {
	w.t.Helper()
	return w.Links.EmailChange(account, mailed[identity.EmailChangeStarted](w, account).Change)
}

func (w *staffWorld) secondLink(account domain.AccountID) string {
	w.t.Helper()
	return w.Links.EmailConfirmation(account, mailed[identity.EmailGiven](w, account).Confirmation)
}

func (w *staffWorld) start(by access.Actor) {
	w.t.Helper()
	w.must(w.StartEmailChange(w.t.Context(), by, commands.StartEmailChange{SignedIn: w.Now()}))
}

func TestChangeOfTheAddress(t *testing.T) {
	trace.Covers(t, "EMU-026", "EMU-027", "EMU-029", "EMU-031", "EMU-080", "C08", "C10")
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	_, other := w.registered(w.at(w.school))
	w.start(by)
	first := commands.GiveEmail{Token: w.firstLink(anna), Email: "jauna@skola.lv"}

	// The link works only for who is signed in to this account.
	w.refused(nil, func() error { return w.CheckEmailChange(t.Context(), by, first.Token) })
	w.refused(commands.ErrOthersLink, func() error { return w.CheckEmailChange(t.Context(), other, first.Token) })
	w.refused(commands.ErrOthersLink, func() error { return w.GiveEmail(t.Context(), other, first) })
	for _, nobody := range []access.Actor{byNobody, byLink} {
		if err := w.GiveEmail(t.Context(), nobody, first); err == nil {
			t.Errorf("%s follows the link", nobody.Kind)
		}
	}
	w.must(w.GiveEmail(t.Context(), by, first))
	second := w.secondLink(anna)
	w.refused(commands.ErrLink, func() error { return w.ConfirmEmail(t.Context(), by, first.Token) })
	w.refused(commands.ErrOthersLink, func() error { return w.ConfirmEmail(t.Context(), other, second) })
	w.signIn("anna1@skola.lv") // nothing has changed so far

	if email, err := w.CheckConfirmation(t.Context(), by, second); err != nil || email != "jauna@skola.lv" {
		t.Error(email, err)
	}
	w.must(w.ConfirmEmail(t.Context(), by, second))
	if _, err := w.Who(t.Context(), anna, 0, domain.AssignmentID{}); err == nil {
		t.Error("the old session still works")
	}
	w.refused(identity.ErrSignIn, func() error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password}, keep)
		return err
	})
	w.signIn("Jauna@skola.lv")
	// The former address is free for somebody else.
	cmd := w.newcomer(w.at(w.school))
	cmd.Email = "anna1@skola.lv"
	_, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
}

func TestChangeNeedsAFreshSignIn(t *testing.T) {
	w := newStaffWorld(t)
	_, by := w.registered(w.at(w.school))
	began := w.Now()
	w.wait(time.Hour + time.Nanosecond)
	w.refused(identity.ErrNotFresh, func() error {
		return w.StartEmailChange(t.Context(), by, commands.StartEmailChange{SignedIn: began})
	})
	w.must(w.StartEmailChange(t.Context(), by, commands.StartEmailChange{SignedIn: began.Add(time.Nanosecond)}))
}

// The answer tells nothing; the owner is told; the change comes to nothing.
func TestChangeToAnAddressThatIsTaken(t *testing.T) {
	trace.Covers(t, "C12")
	w := newStaffWorld(t)
	owner, _ := w.registered(w.at(w.school))
	anna, by := w.registered(w.at(w.school))
	w.start(by)
	w.must(w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: w.firstLink(anna), Email: "Anna1@skola.lv"}))
	if given := mailed[identity.EmailGiven](w, anna); given.TakenBy != owner {
		t.Errorf("%+v", given)
	}
	w.refused(identity.ErrChangeOver, func() error { return w.ConfirmEmail(t.Context(), by, w.secondLink(anna)) })

	// Taken between the two links.
	w.must(w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: w.firstLink(anna), Email: "briva@skola.lv"}))
	cmd := w.newcomer(w.at(w.other))
	cmd.Email = "briva@skola.lv"
	_, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	w.refused(commands.ErrEmailTaken, func() error { return w.ConfirmEmail(t.Context(), by, w.secondLink(anna)) })
}

func TestOwnChangeIsStopped(t *testing.T) {
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	w.start(by)
	w.must(w.StopOwnEmailChange(t.Context(), by))
	w.refused(identity.ErrChangeStopped, func() error {
		return w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: w.firstLink(anna), Email: "jauna@skola.lv"})
	})
}

func TestAdministratorCorrectsAnAddress(t *testing.T) {
	trace.Covers(t, "EMU-022", "EMU-023", "EMU-084", "C07")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	invitee, err := w.InviteUser(t.Context(), admin, w.newcomer(w.at(w.school)))
	w.must(err)
	old := w.link(invitee.Account)
	correct := commands.CorrectEmail{Place: w.at(w.school), Account: invitee.Account, Email: "pareiza@skola.lv"}

	_, stranger := w.registered(w.at(w.other), commands.NewRole{Role: access.SchoolAdmin})
	w.refused(access.ErrElsewhere, func() error { return w.CorrectEmail(t.Context(), stranger, correct) })
	elsewhere := correct
	elsewhere.Place = w.at(w.other)
	w.refused(access.ErrNotStaff, func() error { return w.CorrectEmail(t.Context(), stranger, elsewhere) })
	takenNow := correct
	takenNow.Email = "anna1@skola.lv"
	w.refused(commands.ErrEmailTaken, func() error { return w.CorrectEmail(t.Context(), admin, takenNow) })

	w.must(w.CorrectEmail(t.Context(), admin, correct))
	w.refused(identity.ErrLinkReplaced, func() error { return w.CheckRegistration(t.Context(), byLink, old) })
	link := w.Links.Registration(invitee.Account, mailed[identity.EmailCorrected](w, invitee.Account).Invitation)
	_, err = w.ConfirmRegistration(t.Context(), byLink, commands.ConfirmRegistration{Token: link, Password: password})
	w.must(err)
	correct.Email = "cita@skola.lv"
	w.refused(identity.ErrSelfManaged, func() error { return w.CorrectEmail(t.Context(), admin, correct) })
	w.signIn("pareiza@skola.lv")
}

// Who says where an invitation goes can take the account with all it may do: so
// the administrator of one school does not, for who works at others too.
func TestNobodyTakesAnAccountThatReachesFurther(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	_, town := w.registered(access.Scope{Municipality: w.municipality}, commands.NewRole{Role: access.MunicipalityAdmin})
	cmd := w.newcomer(access.Scope{Municipality: w.municipality}, commands.NewRole{Role: access.MunicipalityAdmin})
	mighty, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	cmd.Place, cmd.Roles = w.at(w.school), nil
	_, err = w.InviteUser(t.Context(), admin, cmd) // attached to the school
	w.must(err)
	correct := commands.CorrectEmail{Place: w.at(w.school), Account: mighty.Account, Email: "zagle@skola.lv"}
	w.refused(commands.ErrWorksElsewhere, func() error { return w.CorrectEmail(t.Context(), admin, correct) })
	w.register(mighty.Account)
	recovers := commands.RecoverEmail{Place: w.at(w.school), Account: mighty.Account, Email: "zagle@skola.lv", Reason: "Vajag"}
	w.refused(commands.ErrWorksElsewhere, func() error { return w.RecoverEmail(t.Context(), admin, recovers) })
	w.must(w.RecoverEmail(t.Context(), town, recovers))
}

func TestLostMailbox(t *testing.T) {
	trace.Covers(t, "EMU-081", "EMU-082", "EMU-096", "C14")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	anna, by := w.registered(w.at(w.school), commands.NewRole{Role: access.SupportStaff})
	recovers := commands.RecoverEmail{Place: w.at(w.school), Account: anna, Email: "jauna@skola.lv", Reason: "Vecā pastkaste slēgta"}
	noReason := recovers
	noReason.Reason = ""
	w.refused(domain.ErrTextMissing, func() error { return w.RecoverEmail(t.Context(), admin, noReason) })
	w.refused(access.ErrForbidden, func() error { return w.RecoverEmail(t.Context(), by, recovers) })
	takenNow := recovers
	takenNow.Email = "anna1@skola.lv"
	w.refused(commands.ErrEmailTaken, func() error { return w.RecoverEmail(t.Context(), admin, takenNow) })

	// Who still reads the old mailbox stops it.
	w.must(w.RecoverEmail(t.Context(), admin, recovers))
	started := mailed[identity.EmailRecoveryStarted](w, anna)
	stop := w.Links.StopEmailChange(anna, started.Change)
	w.refused(nil, func() error { return w.CheckStop(t.Context(), byLink, stop) })
	w.must(w.StopEmailChange(t.Context(), byLink, stop))
	w.refused(identity.ErrChangeStopped, func() error {
		return w.ConfirmEmail(t.Context(), by, w.Links.EmailConfirmation(anna, started.Confirmation))
	})

	// Again, and this time it is the person.
	w.must(w.RecoverEmail(t.Context(), admin, recovers))
	started = mailed[identity.EmailRecoveryStarted](w, anna)
	link := w.Links.EmailConfirmation(anna, started.Confirmation)
	w.refused(commands.ErrOthersLink, func() error { return w.ConfirmEmail(t.Context(), admin, link) }) // the administrator cannot
	w.signIn("anna2@skola.lv")
	w.must(w.ConfirmEmail(t.Context(), by, link))
	w.signIn("jauna@skola.lv")
	w.refused(identity.ErrChangeDone, func() error {
		return w.StopEmailChange(t.Context(), byLink, w.Links.StopEmailChange(anna, started.Change))
	})
}

// The code of the first sign-in would go to the lost mailbox.
func TestLostMailboxOfWhoHasNeverSignedIn(t *testing.T) {
	trace.Covers(t, "EMU-082")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	cmd := w.newcomer(w.at(w.school))
	invitee, err := w.InviteUser(t.Context(), admin, cmd)
	w.must(err)
	recovers := commands.RecoverEmail{Place: w.at(w.school), Account: invitee.Account, Email: "jauna@skola.lv", Reason: "Vecā pastkaste slēgta"}
	w.refused(identity.ErrUnconfirmed, func() error { return w.RecoverEmail(t.Context(), admin, recovers) })
	w.register(invitee.Account)
	w.must(w.RecoverEmail(t.Context(), admin, recovers))
	w.refused(identity.ErrSignIn, func() error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "jauna@skola.lv", Password: password}, keep)
		return err
	})
	link := w.Links.Registration(invitee.Account, mailed[identity.EmailCorrected](w, invitee.Account).Invitation)
	_, err = w.ConfirmRegistration(t.Context(), byLink, commands.ConfirmRegistration{Token: link, Password: password})
	w.must(err)
	w.signIn("jauna@skola.lv")
}

func FuzzOwnLinks(f *testing.F) {
	f.Add("", "a@b.lv")
	f.Add(strings.Repeat("A", 64), "a@b.lv\r\nBcc: x@y.lv")
	f.Fuzz(func(t *testing.T, token, email string) {
		w := newStaffWorld(t)
		_, by := w.registered(w.at(w.school))
		w.start(by)
		w.refused(commands.ErrLink, func() error { return w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: token, Email: email}) })
		w.refused(commands.ErrLink, func() error { return w.ConfirmEmail(t.Context(), by, token) })
		w.refused(commands.ErrLink, func() error { return w.StopEmailChange(t.Context(), byLink, token) })
		w.refused(commands.ErrLink, func() error {
			_, err := w.ResetPassword(t.Context(), byLink, commands.ResetPassword{Token: token, Password: password})
			return err
		})
	})
}
