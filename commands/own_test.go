package commands_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

const newPassword = "četri pelēki akmeņi"

func TestForgottenPassword(t *testing.T) {
	w := newStaffWorld(t)
	anna, _ := w.registered(w.at(w.school))
	w.must(w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: "ANNA1@skola.lv"}))
	token := w.Links.PasswordReset(anna, mailed[identity.PasswordResetAsked](w, anna).Reset)
	w.refused(nil, func() error { return w.CheckReset(t.Context(), byLink, token) })
	reset := func(password string) error {
		_, err := w.ResetPassword(t.Context(), byLink, commands.ResetPassword{Token: token, Password: password})
		return err
	}
	w.refused(identity.ErrPasswordShort, func() error { return reset("par īsu") })

	// Who has guessed does not keep the person out.
	for range 5 {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: "nepareiza parole"}, keep)
		if err == nil {
			t.Fatal("signed in")
		}
	}
	w.wait(time.Hour - time.Nanosecond)
	w.must(reset(newPassword))
	w.refused(identity.ErrResetUsed, func() error { return reset(newPassword + "!") })
	w.refused(identity.ErrResetUsed, func() error { return w.CheckReset(t.Context(), byLink, token) })
	if _, err := w.Who(t.Context(), anna, 0, domain.AssignmentID{}); err == nil {
		t.Error("the old session still works")
	}
	w.refused(identity.ErrSignIn, func() error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password}, keep)
		return err
	})
	_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: newPassword}, keep)
	w.must(err)
}

// Nobody learns from the answer whether there is such an account, and nobody is
// sent more than five letters an hour.
func TestForgottenPasswordTellsNothing(t *testing.T) {
	trace.Covers(t, "C28")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	invited := w.newcomer(w.at(w.school))
	_, err := w.InviteUser(t.Context(), operator, invited)
	w.must(err)
	for _, email := range []string{"nobody@skola.lv", invited.Email} {
		w.refused(nil, func() error {
			return w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: email})
		})
	}
	w.refused(identity.ErrEmail, func() error {
		return w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: "x\r\ny@z.lv"})
	})
	for range 7 {
		w.must(w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: "anna1@skola.lv"}))
	}
	if n := w.happened("identity.password_reset_asked"); n != 5 {
		t.Errorf("%d letters", n)
	}
	w.wait(time.Hour)
	w.must(w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: "anna1@skola.lv"}))
	if n := w.happened("identity.password_reset_asked"); n != 6 {
		t.Errorf("an hour later %d letters", n)
	}
}

func TestOwnPasswordIsChanged(t *testing.T) {
	trace.Covers(t, "C30")
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	var opened int
	change := func(current, replacement string) error {
		return w.ChangePassword(t.Context(), by, commands.ChangePassword{Current: current, New: replacement},
			func(_ context.Context, _ domain.SessionID, a domain.AccountID, generation int) error {
				if opened++; a != anna || generation != 1 {
					t.Errorf("a session of %s in generation %d", a, generation)
				}
				return nil
			})
	}
	w.refused(commands.ErrPassword, func() error { return change("nepareiza parole", newPassword) })
	w.refused(identity.ErrPasswordShort, func() error { return change(password, "par īsu") })
	w.must(change(password, newPassword))
	if opened != 1 {
		t.Errorf("%d sessions began", opened)
	}
	if _, err := w.Who(t.Context(), anna, 0, domain.AssignmentID{}); err == nil {
		t.Error("an old session still works")
	}
	if _, err := w.Who(t.Context(), anna, 1, domain.AssignmentID{}); err != nil {
		t.Error(err)
	}
	_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: newPassword}, keep)
	w.must(err)
}

// A session left open must not let somebody guess the password.
func TestThePasswordIsProvedAgain(t *testing.T) {
	w := newStaffWorld(t)
	_, by := w.registered(w.at(w.school))
	for range 5 {
		w.refused(commands.ErrPassword, func() error { return w.Reauthenticate(t.Context(), by, "nepareiza parole", keep) })
	}
	w.refused(commands.ErrPasswordTries, func() error { return w.Reauthenticate(t.Context(), by, password, keep) })
	w.wait(30 * time.Second)
	w.must(w.Reauthenticate(t.Context(), by, password, keep))
	if n := w.happened("identity.reauthenticated"); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestNamesAndLanguage(t *testing.T) {
	trace.Covers(t, "EMU-061", "EMU-095")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	anna, by := w.registered(w.at(w.school))
	name, english := "Marija", "en"
	w.must(w.ChangeNames(t.Context(), admin, commands.ChangeNames{Place: w.at(w.school), Account: anna, GivenName: &name, Expected: 1}))
	if e := mailed[identity.NamesChanged](w, anna); e.GivenName != "Marija" || e.FamilyName != "Bērziņa" {
		t.Errorf("%+v", e)
	}
	w.refused(identity.ErrStale, func() error {
		return w.ChangeProfile(t.Context(), by, commands.ChangeProfile{GivenName: &english, Expected: 1})
	})
	w.must(w.ChangeProfile(t.Context(), by, commands.ChangeProfile{Language: &english, Expected: 2}))
	if by = w.who(anna); by.Language != "en" {
		t.Errorf("%+v", by)
	}
	_, stranger := w.registered(w.at(w.other), commands.NewRole{Role: access.SchoolAdmin})
	w.refused(access.ErrElsewhere, func() error {
		return w.ChangeNames(t.Context(), stranger, commands.ChangeNames{Place: w.at(w.school), Account: anna, GivenName: &name})
	})
	w.refused(access.ErrNotStaff, func() error {
		return w.ChangeNames(t.Context(), stranger, commands.ChangeNames{Place: w.at(w.other), Account: anna, GivenName: &name})
	})
}

func TestOwnDataIsExported(t *testing.T) {
	w := newStaffWorld(t)
	_, _ = w.registered(w.at(w.school)) // anna1@skola.lv
	anna, by := w.registered(w.at(w.school), commands.NewRole{Role: access.SupportStaff})
	w.start(by)
	w.must(w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: w.firstLink(anna), Email: "anna1@skola.lv"}))
	own, err := w.ExportOwnData(t.Context(), by, commands.ExportOwnData{SignedIn: w.Now()})
	w.must(err)
	data, err := json.Marshal(own)
	w.must(err)
	for _, want := range []string{"Anna", "Bērziņa", "32000000002", "anna2@skola.lv", "emu.support_staff", "identity.user_invited", "access.role_given"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the export has no %s: %s", want, data)
		}
	}
	if strings.Contains(string(data), "taken_by") {
		t.Errorf("the export tells whose address it is: %s", data)
	}
	w.wait(time.Hour + time.Nanosecond)
	w.refused(identity.ErrNotFresh, func() error {
		_, err := w.ExportOwnData(t.Context(), by, commands.ExportOwnData{SignedIn: w.Now().Add(-time.Hour - 1)})
		return err
	})
}

func TestOwnAccountIsDeleted(t *testing.T) {
	trace.Covers(t, "EMU-051", "C25")
	w := newStaffWorld(t)
	place := w.at(w.school)
	cmd := w.newcomer(place, commands.NewRole{Role: access.SchoolAdmin}, commands.NewRole{Role: access.ClassTeacher, Class: w.class})
	admitted, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	anna := admitted.Account
	w.register(anna)
	w.signIn(cmd.Email)
	held, err := w.Held(t.Context(), anna)
	w.must(err)
	by, err := w.Who(t.Context(), anna, 0, held[0].ID)
	w.must(err)

	w.refused(identity.ErrNotFresh, func() error {
		return w.DeleteAccount(t.Context(), by, commands.DeleteAccount{SignedIn: w.Now().Add(-time.Hour - 1)})
	})
	w.must(w.DeleteAccount(t.Context(), by, commands.DeleteAccount{SignedIn: w.Now().Add(-time.Hour)}))
	if len(w.passwords.kept) != 0 {
		t.Errorf("the password is still kept: %v", w.passwords.kept)
	}
	if _, err := w.Who(t.Context(), anna, 0, domain.AssignmentID{}); err == nil {
		t.Error("the session still works")
	}
	w.refused(identity.ErrSignIn, func() error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: cmd.Email, Password: password}, keep)
		return err
	})
	if n := w.happened("access.administrators_gone"); n != 1 { // the last one: the municipality is told
		t.Errorf("%d", n)
	}

	// What has happened stays; who it was does not.
	history := w.history(anna)
	for _, e := range history {
		switch e := e.(type) {
		case identity.UserInvited:
			if e.GivenName != "" || e.Email != "" || e.PersonalCode != "" || e.Account != anna {
				t.Errorf("still there: %+v", e)
			}
		case identity.LoginCodeIssued:
			if e.Email != "" {
				t.Errorf("still there: %+v", e)
			}
		}
	}
	// The same person is invited again later: another account.
	again, err := w.InviteUser(t.Context(), operator, cmd)
	if err != nil || again.Account == anna || again.How != commands.Invited {
		t.Errorf("%+v, %v", again, err)
	}
}

// The log was restored from a copy that is older than the deletion.
func TestAnAccountIsDeletedAgainAfterARestore(t *testing.T) {
	trace.Covers(t, "EMU-051")
	w := newStaffWorld(t)
	cmd := w.newcomer(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	admitted, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	anna := admitted.Account
	w.register(anna)
	w.signIn(cmd.Email)
	w.refused(access.ErrForbidden, func() error { return w.DeleteAgain(t.Context(), byNobody, anna) })
	w.must(w.DeleteAgain(t.Context(), operator, anna))
	if held, err := w.Held(t.Context(), anna); err != nil || len(held) > 0 {
		t.Errorf("roles: %v, %v", held, err)
	}
	if len(w.passwords.kept) != 0 {
		t.Errorf("the password is still kept: %v", w.passwords.kept)
	}
	// Once more, and somebody whom the copy does not know: nothing happens.
	w.must(w.DeleteAgain(t.Context(), operator, anna))
	w.must(w.DeleteAgain(t.Context(), operator, domain.NewID[domain.AccountID]()))
	if n := w.happened("identity.account_deleted"); n != 1 {
		t.Errorf("deleted %d times", n)
	}
	// Invited only, when the copy was made: address and code are free too.
	again, err := w.InviteUser(t.Context(), operator, cmd)
	if err != nil || again.Account == anna || again.How != commands.Invited {
		t.Fatalf("%+v, %v", again, err)
	}
	w.must(w.DeleteAgain(t.Context(), operator, again.Account))
	if third, err := w.InviteUser(t.Context(), operator, cmd); err != nil || third.How != commands.Invited {
		t.Errorf("%+v, %v", third, err)
	}
}

// A counted log notes what is asked of it: each call is one query.
type countedLog struct {
	eventstore.Log
	calls []string
}

func (l *countedLog) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	l.calls = append(l.calls, "append")
	return l.Log.Append(ctx, r)
}

func (l *countedLog) ReadStreams(ctx context.Context, streams ...string) (map[string][]eventstore.Event, error) {
	l.calls = append(l.calls, "read")
	return l.Log.ReadStreams(ctx, streams...)
}

func (l *countedLog) ReadStream(ctx context.Context, stream string, from int) iter.Seq2[eventstore.Event, error] {
	l.calls = append(l.calls, "read one")
	return l.Log.ReadStream(ctx, stream, from)
}

func (l *countedLog) Versions(ctx context.Context, streams ...string) ([]int, error) {
	l.calls = append(l.calls, "versions")
	return l.Log.Versions(ctx, streams...)
}

func (l *countedLog) Holder(ctx context.Context, kind, value string) (string, bool, error) {
	l.calls = append(l.calls, "holder")
	return l.Log.Holder(ctx, kind, value)
}

// The log is asked the same for an address with an account and without, and no
// password is compared for either.
func TestForgottenPasswordIsAsMuchWorkForNobody(t *testing.T) {
	trace.Covers(t, "C28")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	invited := w.newcomer(w.at(w.school))
	_, err := w.InviteUser(t.Context(), operator, invited)
	w.must(err)
	compared := w.passwords.compared
	counted := &countedLog{Log: w.log}
	w.Commands.Log = counted
	work := func(email string) string {
		counted.calls = nil
		w.must(w.AskPasswordReset(t.Context(), byNobody, commands.AskPasswordReset{Email: email}))
		return strings.Join(counted.calls, ", ")
	}
	want := work("anna1@skola.lv")
	for _, email := range []string{"nobody@skola.lv", invited.Email} {
		if got := work(email); got != want {
			t.Errorf("%s: %s, want %s", email, got, want)
		}
	}
	for n := range 6 { // more than letters are sent
		if have, nobody := work("anna1@skola.lv"), work("nobody@skola.lv"); have != nobody {
			t.Errorf("the %dth more: %s, for nobody %s", n+1, have, nobody)
		}
	}
	if w.passwords.compared != compared {
		t.Error("a password was compared")
	}

	// So it is for a new address, taken or free.
	_, by := w.registered(w.at(w.school))
	w.start(by)
	link := w.firstLink(by.Account())
	give := func(email string) string {
		counted.calls = nil
		w.must(w.GiveEmail(t.Context(), by, commands.GiveEmail{Token: link, Email: email}))
		return strings.Join(counted.calls, ", ")
	}
	if free, taken := give("briva@skola.lv"), give("anna1@skola.lv"); free != taken {
		t.Errorf("free %s, taken %s", free, taken)
	}
}
