package commands_test

import (
	"context"
	"errors"
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

// From the invitation to the second sign-in.
func TestInvitationToSignIn(t *testing.T) {
	trace.Covers(t, "EMU-017", "EMU-020", "EMU-032", "EMU-033", "EMU-035", "EMU-053", "EMU-054", "EMU-060")
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	cmd := w.newcomer(w.at(w.school), commands.NewRole{Role: access.ClassTeacher, Class: w.class})
	laura, err := w.InviteUser(t.Context(), admin, cmd)
	w.must(err)
	signIn := func() (commands.SignedIn, error) {
		return w.SignIn(t.Context(), byNobody, commands.SignIn{Email: cmd.Email, Password: password}, keep)
	}

	// Nobody signs in before the registration, and the link dies after five days.
	w.refused(identity.ErrSignIn, func() error { _, err := signIn(); return err })
	old := w.link(laura.Account)
	w.wait(5 * 24 * time.Hour)
	confirm := commands.ConfirmRegistration{Token: old, Password: password}
	w.refused(identity.ErrLinkExpired, func() error { _, err := w.ConfirmRegistration(t.Context(), byLink, confirm); return err })

	// The administrator sends a new one, and only that works.
	w.must(w.ResendInvitation(t.Context(), admin, commands.ResendInvitation{Place: w.at(w.school), Account: laura.Account}))
	w.refused(identity.ErrLinkReplaced, func() error { _, err := w.ConfirmRegistration(t.Context(), byLink, confirm); return err })
	confirm.Token = w.link(laura.Account)
	confirm.Password = "par īsu"
	w.refused(identity.ErrPasswordShort, func() error { _, err := w.ConfirmRegistration(t.Context(), byLink, confirm); return err })
	confirm.Password = password
	account, err := w.ConfirmRegistration(t.Context(), byLink, confirm)
	if err != nil || account != laura.Account {
		t.Fatal(account, err)
	}

	// The first time the password is not enough.
	first, err := signIn()
	if err != nil || !first.Session.IsZero() || first.Challenge == "" || !first.CodeExpires.Equal(w.Now().Add(10*time.Minute)) {
		t.Fatalf("%+v, %v", first, err)
	}
	code := commands.SignInWithCode{Challenge: first.Challenge, Code: "no code"}
	w.refused(commands.ErrCode, func() error { _, err := w.SignInWithCode(t.Context(), byNobody, code, keep); return err })
	code.Code = w.code(laura.Account)
	var kept domain.SessionID
	in, err := w.SignInWithCode(t.Context(), byNobody, code, func(_ context.Context, s domain.SessionID, a domain.AccountID, generation int) error {
		if kept = s; a != laura.Account || generation != 0 {
			t.Errorf("a session of %s in generation %d is kept", a, generation)
		}
		return nil
	})
	if err != nil || in.Session.IsZero() || in.Session != kept {
		t.Fatalf("%+v, %v", in, err)
	}
	w.refused(identity.ErrCodeUsed, func() error { _, err := w.SignInWithCode(t.Context(), byNobody, code, keep); return err })
	if by := w.who(laura.Account); by.Active.Role != access.ClassTeacher || by.Active.Scope.Class != w.class {
		t.Errorf("%+v", by)
	}

	// From then on it is, if the installation does not ask for a code always.
	if in, err := signIn(); err != nil || in.Session.IsZero() {
		t.Errorf("%+v, %v", in, err)
	}
	w.AlwaysCode = true
	if in, err := signIn(); err != nil || !in.Session.IsZero() || in.Challenge == "" {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestResendIsForTheUnconfirmed(t *testing.T) {
	trace.Covers(t, "EMU-019")
	w := newStaffWorld(t)
	account, _ := w.registered(w.at(w.school))
	w.refused(identity.ErrConfirmed, func() error {
		return w.ResendInvitation(t.Context(), operator, commands.ResendInvitation{Place: w.at(w.school), Account: account})
	})
}

// Mail scanners open every link.
func TestLookingAtALinkUsesNothingUp(t *testing.T) {
	trace.Covers(t, "C04")
	w := newStaffWorld(t)
	admitted, err := w.InviteUser(t.Context(), operator, w.newcomer(w.at(w.school)))
	w.must(err)
	link := w.link(admitted.Account)
	for range 3 {
		w.refused(nil, func() error { return w.CheckRegistration(t.Context(), byLink, link) })
	}
	w.register(admitted.Account)
	w.refused(identity.ErrLinkUsed, func() error { return w.CheckRegistration(t.Context(), byLink, link) })
	w.refused(identity.ErrLinkUsed, func() error {
		_, err := w.ConfirmRegistration(t.Context(), byLink, commands.ConfirmRegistration{Token: link, Password: password + "!"})
		return err
	})
	for _, madeUp := range []string{"", "x", link[:len(link)-1], "A" + link[1:], link + "A", strings.Repeat("A", len(link))} {
		if madeUp == link {
			continue
		}
		w.refused(commands.ErrLink, func() error { return w.CheckRegistration(t.Context(), byLink, madeUp) })
	}
}

// Whoever guesses addresses learns nothing: not from the answer, nor from the
// work that is done for it.
func TestMissingAccountsAnswerLikeOthers(t *testing.T) {
	trace.Covers(t, "EMU-059")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	invited := w.newcomer(w.at(w.school))
	_, err := w.InviteUser(t.Context(), operator, invited)
	w.must(err)
	for name, cmd := range map[string]commands.SignIn{
		"wrong password":     {Email: "anna1@skola.lv", Password: "cits zaļš vārds"},
		"short password":     {Email: "anna1@skola.lv", Password: "x"},
		"missing account":    {Email: "nobody@skola.lv", Password: password},
		"not registered yet": {Email: invited.Email, Password: password},
		"no address at all":  {Email: "anna1@skola.lv\r\nBcc: x@y.lv", Password: password},
	} {
		w.passwords.compared = 0
		w.refused(identity.ErrSignIn, func() error {
			_, err := w.SignIn(t.Context(), byNobody, cmd, keep)
			if err != identity.ErrSignIn {
				t.Errorf("%s: the answer differs: %#v", name, err)
			}
			return err
		})
		if w.passwords.compared != 1 {
			t.Errorf("%s: %d passwords are compared", name, w.passwords.compared)
		}
	}
}

func TestGuessingPasswords(t *testing.T) {
	trace.Covers(t, "C26")
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	try := func(password string) error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "Anna1@skola.lv", Password: password}, keep)
		return err
	}
	wrong := func(n int) {
		t.Helper()
		for range n {
			if err := try("cits zaļš vārds"); err != identity.ErrSignIn {
				t.Fatal(err)
			}
		}
	}
	wrong(5)
	if err := try(password); err != identity.ErrSignIn {
		t.Errorf("right at once: %v", err)
	}
	w.wait(30*time.Second - time.Nanosecond)
	if err := try(password); err != identity.ErrSignIn {
		t.Errorf("right just before 30 s: %v", err)
	}
	w.wait(time.Nanosecond)
	wrong(5)
	w.wait(time.Minute - time.Nanosecond)
	if err := try(password); err != identity.ErrSignIn {
		t.Errorf("after ten wrong ones, right just before 60 s: %v", err)
	}
	w.wait(time.Nanosecond)
	w.must(try(password))
	wrong(4) // the count has begun anew
	w.must(try(password))
}

func TestFiveTriesAtACode(t *testing.T) {
	w := newStaffWorld(t)
	admitted, err := w.InviteUser(t.Context(), operator, w.newcomer(w.at(w.school)))
	w.must(err)
	w.register(admitted.Account)
	challenge := func() string {
		in, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password}, keep)
		w.must(err)
		return in.Challenge
	}
	give := func(challenge, code string) error {
		_, err := w.SignInWithCode(t.Context(), byNobody, commands.SignInWithCode{Challenge: challenge, Code: code}, keep)
		return err
	}
	first := challenge()
	for range 5 {
		w.refused(commands.ErrCode, func() error { return give(first, "wrong") })
	}
	w.refused(commands.ErrCodesTried, func() error { return give(first, w.code(admitted.Account)) })

	second := challenge()
	w.refused(identity.ErrCodeReplaced, func() error { return give(first, "wrong") })
	for range 4 {
		w.refused(commands.ErrCode, func() error { return give(second, "wrong") })
	}
	w.wait(10*time.Minute - time.Nanosecond)
	w.must(give(second, " "+w.code(admitted.Account)+" "))
	w.refused(commands.ErrChallenge, func() error { return give(second[1:], "wrong") })
	w.refused(commands.ErrChallenge, func() error { return give(w.link(admitted.Account), "wrong") }) // a link is no challenge
}

// A session that cannot be kept is not begun.
func TestSessionIsKeptFirst(t *testing.T) {
	w := newStaffWorld(t)
	w.registered(w.at(w.school))
	full := errors.New("disk is full")
	w.refused(full, func() error {
		_, err := w.SignIn(t.Context(), byNobody, commands.SignIn{Email: "anna1@skola.lv", Password: password},
			func(context.Context, domain.SessionID, domain.AccountID, int) error { return full })
		return err
	})
}

func TestAllSessionsEnd(t *testing.T) {
	w := newStaffWorld(t)
	account, by := w.registered(w.at(w.school))
	w.must(w.EndSessions(t.Context(), by))
	if _, err := w.Who(t.Context(), account, 0, domain.AssignmentID{}); !errors.Is(err, commands.ErrSignIn) {
		t.Errorf("the old session still works: %v", err)
	}
	if _, err := w.Who(t.Context(), account, 1, domain.AssignmentID{}); err != nil {
		t.Error(err)
	}
}

// What is in the log tells no secret, and nothing about people.
func TestLogHoldsNoSecrets(t *testing.T) {
	w := newStaffWorld(t)
	account, _ := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	stored, err := eventstore.Collect(w.log.ReadAll(t.Context(), 0, 0))
	w.must(err)
	for _, e := range stored {
		for what, secret := range map[string]string{
			"password": password, "link": w.link(account), "code": `"` + w.code(account) + `"`,
			"name": "Bērziņa", "address": "anna1@skola.lv", "personal code": "32000000001",
		} {
			if strings.Contains(string(e.Data)+string(e.Meta), secret) {
				t.Errorf("%s holds the %s", e.Type, what)
			}
		}
	}
}

func FuzzTokens(f *testing.F) {
	keys := eventstore.NewMemoryKeys()
	links, err := commands.OpenLinks(f.Context(), keys)
	if err != nil {
		f.Fatal(err)
	}
	c := &commands.Commands{Log: eventstore.NewMemory(time.Now, keys), Keys: keys, Links: links, Now: time.Now}
	real := links.Registration(domain.NewID[domain.AccountID](), domain.NewID[domain.InvitationID]())
	f.Add(real)
	f.Add(links.Challenge(domain.NewID[domain.AccountID](), domain.NewID[identity.ChallengeID]()))
	f.Add("")
	f.Add("====")
	f.Fuzz(func(t *testing.T, s string) {
		err := c.CheckRegistration(t.Context(), byLink, s)
		if s == real && !errors.Is(err, identity.ErrNoAccount) || s != real && !errors.Is(err, commands.ErrLink) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
