package commands_test

import (
	"context"
	"errors"
	"testing"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// kept checks how many passwords are kept for an account, and that a sweep finds
// nothing to throw away.
func (w *staffWorld) kept(account domain.AccountID, want int) {
	w.t.Helper()
	count := func() (n int) {
		for id := range w.passwords.kept {
			if w.passwords.owners[id] == identity.Accounts.Stream(account) {
				n++
			}
		}
		return n
	}
	before := count()
	w.must(w.SweepCredentials(w.t.Context()))
	if after := count(); before != want || after != want {
		w.t.Errorf("%d are kept, %d after a sweep, want %d", before, after, want)
	}
}

// A password is kept from the event that names it to the one that names another.
func TestOnlyThePasswordThatCountsIsKept(t *testing.T) {
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	w.kept(anna, 1)
	w.must(w.ChangePassword(t.Context(), by, commands.ChangePassword{Current: password, New: "cits zaļš vārds"}, keep))
	w.kept(anna, 1)
	w.must(w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: "anna1@skola.lv"}))
	link := w.Links.PasswordReset(anna, mailed[identity.PasswordResetAsked](w, anna).Reset)
	_, err := w.ResetPassword(t.Context(), byLink, commands.ResetPassword{Token: link, Password: password})
	w.must(err)
	w.kept(anna, 1)
	w.signIn("anna1@skola.lv") // with the password that is left
	by, err = w.Who(t.Context(), anna, 2, domain.AssignmentID{})
	w.must(err)
	w.must(w.DeleteAccount(t.Context(), by, commands.DeleteAccount{SignedIn: w.Now()}))
	w.kept(anna, 0)

	// Whoever lost the mailbox before the first sign-in chooses another one.
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	invited, err := w.InviteUser(t.Context(), admin, w.newcomer(w.at(w.school)))
	w.must(err)
	w.register(invited.Account)
	w.kept(invited.Account, 1)
	w.must(w.RecoverEmail(t.Context(), admin, commands.RecoverEmail{Place: w.at(w.school), Account: invited.Account, Email: "jauna@skola.lv", Reason: "Slēgta"}))
	w.kept(invited.Account, 0)
}

// unreachable is a log that takes nothing.
type unreachable struct{ eventstore.Log }

func (unreachable) Append(context.Context, eventstore.Request) (eventstore.Result, error) {
	return eventstore.Result{}, eventstore.ErrUnavailable
}

// What was kept for an append that came to nothing is swept. The link it came by
// still works.
func TestAPasswordThatNoEventNamesIsSwept(t *testing.T) {
	w := newStaffWorld(t)
	invited, err := w.InviteUser(t.Context(), operator, w.newcomer(w.at(w.school)))
	w.must(err)
	follow := func() error {
		_, err := w.ConfirmRegistration(t.Context(), byLink, commands.ConfirmRegistration{Token: w.link(invited.Account), Password: password})
		return err
	}
	w.Commands.Log = unreachable{w.log}
	if err := follow(); !errors.Is(err, commands.ErrOffline) || len(w.passwords.kept) != 1 {
		t.Fatalf("%d are kept, %v", len(w.passwords.kept), err)
	}
	w.Commands.Log = w.log
	w.must(w.SweepCredentials(t.Context()))
	w.kept(invited.Account, 0)
	w.must(follow())
	w.kept(invited.Account, 1)

	// Of what has no credentials none can be named.
	other := domain.NewID[domain.CredentialID]()
	w.must(w.passwords.Create(t.Context(), other, "school-"+w.school.String(), password))
	if err := w.SweepCredentials(t.Context()); err == nil || w.passwords.kept[other] == "" {
		t.Errorf("swept, %v", err)
	}
}
