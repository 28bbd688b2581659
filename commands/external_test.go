package commands_test

import (
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var u17 = commands.ExternalIdentity{Provider: "eklase", Issuer: "https://id.e-klase.example", Subject: "u-17"}

// From the first sign-in by e-mail to signing in by E-klase, and back.
func TestServiceIsConnectedAndUsed(t *testing.T) {
	trace.Covers(t, "EMU-034", "EMU-036", "EMU-037", "EMU-038", "EMU-041", "EMU-055", "C15")
	w := newStaffWorld(t)
	cmd := w.newcomer(w.at(w.school))
	admitted, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	signIn := func() error {
		in, err := w.SignInExternally(t.Context(), byNobody, u17, keep)
		if err == nil && (in.Session.IsZero() || in.Account != admitted.Account) {
			t.Errorf("%+v", in)
		}
		return err
	}
	w.refused(identity.ErrExternalUnknown, signIn)
	w.register(admitted.Account)
	w.refused(identity.ErrExternalUnknown, signIn)
	by := w.who(admitted.Account)
	w.refused(identity.ErrFirstByEmail, func() error { return w.CheckConnect(t.Context(), by, "eklase", w.Now()) })
	w.refused(identity.ErrFirstByEmail, func() error { return w.ConnectExternal(t.Context(), by, u17) })

	w.signIn(cmd.Email)
	w.must(w.CheckConnect(t.Context(), by, "eklase", w.Now()))
	w.must(w.CheckConnect(t.Context(), by, "eklase", w.Now().Add(-time.Hour)))
	w.refused(identity.ErrNotFresh, func() error {
		return w.CheckConnect(t.Context(), by, "eklase", w.Now().Add(-time.Hour-time.Nanosecond))
	})
	w.must(w.ConnectExternal(t.Context(), by, u17))
	w.must(w.ConnectExternal(t.Context(), by, u17))
	if n := w.happened("identity.external_login_connected"); n != 1 {
		t.Errorf("connected %d times", n)
	}
	w.refused(identity.ErrExternalConnected, func() error { return w.CheckConnect(t.Context(), by, "eklase", w.Now()) })
	logins, err := w.ExternalLogins(t.Context(), by)
	w.must(err)
	if len(logins) != 2 || logins[0] != (commands.ExternalLogin{Provider: "eklase", Connected: true}) || logins[1] != (commands.ExternalLogin{Provider: "eparaksts"}) {
		t.Errorf("%+v", logins)
	}
	w.must(signIn())
	w.AlwaysCode = true // concerns e-mail only
	w.must(signIn())
	w.AlwaysCode = false
	w.signIn(cmd.Email)

	w.refused(identity.ErrEmailStays, func() error { return w.DisconnectExternal(t.Context(), by, "email") })
	w.refused(identity.ErrProvider, func() error { return w.DisconnectExternal(t.Context(), by, "google") })
	w.must(w.DisconnectExternal(t.Context(), by, "eklase"))
	w.refused(nil, func() error { return w.DisconnectExternal(t.Context(), by, "eklase") })
	w.refused(identity.ErrExternalUnknown, signIn)
	w.signIn(cmd.Email)
}

// Somebody else's identity stays theirs, until they give it back.
func TestIdentityBelongsToOneAccount(t *testing.T) {
	w := newStaffWorld(t)
	_, anna := w.registered(w.at(w.school))
	_, berta := w.registered(w.at(w.other))
	w.must(w.ConnectExternal(t.Context(), anna, u17))
	w.refused(identity.ErrExternalTaken, func() error { return w.ConnectExternal(t.Context(), berta, u17) })
	elsewhere := u17
	elsewhere.Issuer = "https://other.example" // the same subject of another issuer is another person
	w.must(w.ConnectExternal(t.Context(), berta, elsewhere))
	w.must(w.DisconnectExternal(t.Context(), berta, "eklase"))
	w.must(w.DisconnectExternal(t.Context(), anna, "eklase"))
	w.must(w.ConnectExternal(t.Context(), berta, u17))
	in, err := w.SignInExternally(t.Context(), byNobody, u17, keep)
	if err != nil || in.Account != berta.Account() {
		t.Errorf("%+v, %v", in, err)
	}
}

// Name and personal code may agree: nothing is connected but by the person.
func TestNothingIsConnectedByItself(t *testing.T) {
	trace.Covers(t, "EMU-042", "C15")
	w := newStaffWorld(t)
	cmd := w.newcomer(w.at(w.school))
	admitted, err := w.InviteUser(t.Context(), operator, cmd)
	w.must(err)
	signed := commands.ExternalIdentity{Provider: "eparaksts", Issuer: "https://id.e-paraksts.example", Subject: "PNOLV-1", PersonalCode: cmd.PersonalCode}
	signIn := func() error { _, err := w.SignInExternally(t.Context(), byNobody, signed, keep); return err }
	w.refused(identity.ErrExternalUnknown, signIn)
	w.register(admitted.Account)
	w.refused(identity.ErrFirstByEmail, signIn) // confirmed, never signed in
	w.signIn(cmd.Email)
	w.refused(identity.ErrExternalUnknown, signIn)
	by := w.who(admitted.Account)
	wrong := signed
	wrong.PersonalCode = "32999999999"
	w.refused(identity.ErrExternalOther, func() error { return w.ConnectExternal(t.Context(), by, wrong) })
	wrong.PersonalCode = ""
	w.refused(identity.ErrExternalNoCode, func() error { return w.ConnectExternal(t.Context(), by, wrong) })
	wrong.PersonalCode = "not a code"
	w.refused(identity.ErrExternalIdentity, func() error { return w.ConnectExternal(t.Context(), by, wrong) })
	w.must(w.ConnectExternal(t.Context(), by, signed))
	w.must(signIn())
}

// A deleted account holds no identity any more.
func TestDeletionGivesTheIdentityBack(t *testing.T) {
	w := newStaffWorld(t)
	_, anna := w.registered(w.at(w.school))
	_, berta := w.registered(w.at(w.school))
	w.must(w.ConnectExternal(t.Context(), anna, u17))
	w.must(w.DeleteAccount(t.Context(), anna, commands.DeleteAccount{SignedIn: w.Now()}))
	w.refused(identity.ErrExternalUnknown, func() error { _, err := w.SignInExternally(t.Context(), byNobody, u17, keep); return err })
	w.must(w.ConnectExternal(t.Context(), berta, u17))
	in, err := w.SignInExternally(t.Context(), byNobody, u17, keep)
	if err != nil || in.Account != berta.Account() {
		t.Errorf("%+v, %v", in, err)
	}
}

// Who is not signed in connects nothing, and who is signs in nobody.
func TestExternalLoginsAreOwn(t *testing.T) {
	w := newStaffWorld(t)
	_, by := w.registered(w.at(w.school))
	for name, ask := range map[string]func() error{
		"connect":    func() error { return w.ConnectExternal(t.Context(), byNobody, u17) },
		"disconnect": func() error { return w.DisconnectExternal(t.Context(), byNobody, "eklase") },
		"list":       func() error { _, err := w.ExternalLogins(t.Context(), byNobody); return err },
		"check":      func() error { return w.CheckConnect(t.Context(), byNobody, "eklase", w.Now()) },
		"sign in":    func() error { _, err := w.SignInExternally(t.Context(), by, u17, keep); return err },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
	if _, err := w.ExternalLogins(t.Context(), by); err != nil {
		t.Error(err)
	}
}
