package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

// keepKey keeps a passkey as the database would.
func (w *staffWorld) keepKey(ctx context.Context, id domain.CredentialID, owner string) error {
	return w.passwords.Create(ctx, id, owner, "a public key")
}

// A key counts from the event that names it to the one that ends it, and is
// thrown away with it.
func TestAPasskeyCountsWhileItIsNamed(t *testing.T) {
	trace.Covers(t, "C32")
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	berta, other := w.registered(w.at(w.school))
	add := func(name string, signedIn time.Time) (id domain.CredentialID, err error) {
		return w.AddPasskey(t.Context(), by, commands.AddPasskey{Name: name, SignedIn: signedIn}, w.keepKey)
	}
	signIn := func(account domain.AccountID, id domain.CredentialID) error {
		in, err := w.SignInByPasskey(t.Context(), byNobody, commands.ProvedPasskey{Account: account, Passkey: id}, keep)
		if err == nil && (in.Account != account || in.Session.IsZero()) {
			t.Errorf("%+v", in)
		}
		return err
	}
	w.refused(identity.ErrNotFresh, func() error { _, err := add("Telefons", w.Now().Add(-time.Hour-time.Nanosecond)); return err })
	w.kept(anna, 1) // nothing but the password
	id, err := add("Telefons", w.Now().Add(-time.Hour))
	w.must(err)
	w.kept(anna, 2)
	w.must(signIn(anna, id))
	w.AlwaysCode = true // concerns e-mail only
	w.must(signIn(anna, id))
	w.AlwaysCode = false
	w.refused(identity.ErrPasskey, func() error { return signIn(berta, id) })
	w.refused(identity.ErrPasskey, func() error { return signIn(anna, domain.NewID[domain.CredentialID]()) })
	w.refused(identity.ErrPasskey, func() error { return signIn(domain.NewID[domain.AccountID](), id) })

	remove := func(signedIn time.Time) error {
		return w.RemovePasskey(t.Context(), by, commands.RemovePasskey{Passkey: id, SignedIn: signedIn})
	}
	w.refused(identity.ErrNotFresh, func() error { return remove(w.Now().Add(-time.Hour - time.Nanosecond)) })
	w.refused(identity.ErrNoPasskey, func() error {
		return w.RemovePasskey(t.Context(), other, commands.RemovePasskey{Passkey: id, SignedIn: w.Now()})
	})
	w.must(remove(w.Now()))
	w.kept(anna, 1)
	w.refused(identity.ErrPasskey, func() error { return signIn(anna, id) })

	// All go with the account.
	for range 2 {
		_, err := add("Telefons", w.Now())
		w.must(err)
	}
	w.kept(anna, 3)
	w.must(w.DeleteAccount(t.Context(), by, commands.DeleteAccount{SignedIn: w.Now()}))
	w.kept(anna, 0)
}

// A key whose event was not appended is an orphan: it opens nothing.
func TestAPasskeyIsKeptFirst(t *testing.T) {
	w := newStaffWorld(t)
	anna, by := w.registered(w.at(w.school))
	var orphan domain.CredentialID
	w.Commands.Log = unreachable{w.log}
	_, err := w.AddPasskey(t.Context(), by, commands.AddPasskey{Name: "Telefons", SignedIn: w.Now()}, func(ctx context.Context, id domain.CredentialID, owner string) error {
		orphan = id
		return w.keepKey(ctx, id, owner)
	})
	if !errors.Is(err, commands.ErrOffline) || orphan.IsZero() {
		t.Fatal(err)
	}
	w.Commands.Log = w.log
	w.refused(identity.ErrPasskey, func() error {
		_, err := w.SignInByPasskey(t.Context(), byNobody, commands.ProvedPasskey{Account: anna, Passkey: orphan}, keep)
		return err
	})
	w.must(w.SweepCredentials(t.Context()))
	w.kept(anna, 1)
	broken := errors.New("the database is away")
	w.refused(broken, func() error {
		_, err := w.AddPasskey(t.Context(), by, commands.AddPasskey{Name: "Telefons", SignedIn: w.Now()}, func(context.Context, domain.CredentialID, string) error { return broken })
		return err
	})
}

// Passkeys are everybody's own, and nobody's who is not signed in.
func TestPasskeysAreOwn(t *testing.T) {
	w := newStaffWorld(t)
	_, by := w.registered(w.at(w.school))
	for name, ask := range map[string]func() error{
		"list":  func() error { _, err := w.Passkeys(t.Context(), byNobody); return err },
		"check": func() error { _, err := w.CheckPasskey(t.Context(), byNobody, w.Now()); return err },
		"add": func() error {
			_, err := w.AddPasskey(t.Context(), byNobody, commands.AddPasskey{Name: "a", SignedIn: w.Now()}, w.keepKey)
			return err
		},
		"remove": func() error { return w.RemovePasskey(t.Context(), byNobody, commands.RemovePasskey{SignedIn: w.Now()}) },
		"sign in": func() error {
			_, err := w.SignInByPasskey(t.Context(), by, commands.ProvedPasskey{Account: by.Account()}, keep)
			return err
		},
	} {
		if err := ask(); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}
