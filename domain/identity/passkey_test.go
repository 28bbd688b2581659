package identity_test

import (
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var (
	phone        = domain.NewID[domain.CredentialID]()
	addPasskey   = identity.AddPasskey{Account: anna, Credential: phone, Name: "Telefons", At: monday}
	passkeyAdded = identity.PasskeyAdded{Account: anna, Credential: phone, Name: "Telefons", Email: "Anna@skola.lv", AddedAt: monday}
	remove       = identity.RemovePasskey{Account: anna, Credential: phone}
	removed      = identity.PasskeyRemoved{Account: anna, Credential: phone}
	byPhone      = identity.SignInByPasskey{Account: anna, Credential: phone, Session: session}
)

// Only who has signed in by e-mail once adds a passkey.
func TestPasskeysAreAddedAfterTheFirstSignIn(t *testing.T) {
	trace.Covers(t, "C32")
	given().When(addPasskey).ThenRefused(t, identity.ErrNoAccount)
	given(invited).When(addPasskey).ThenRefused(t, identity.ErrNoAccount)
	given(invited, confirmed).When(addPasskey).ThenRefused(t, identity.ErrFirstByEmail)
	given(invited, confirmed, issued).When(addPasskey).ThenRefused(t, identity.ErrFirstByEmail)
	given(invited, confirmed, byPass).When(addPasskey).Then(t, passkeyAdded)
	given(invited, confirmed, byPass, passkeyAdded).When(addPasskey).Then(t) // asked twice
}

func TestPasskeysHaveNames(t *testing.T) {
	for name, want := range map[string]string{
		"  Mans   telefons ": "Mans telefons", strings.Repeat("ā", identity.PasskeyNameMax): strings.Repeat("ā", identity.PasskeyNameMax),
	} {
		cmd, added := addPasskey, passkeyAdded
		cmd.Name, added.Name = name, want
		given(invited, confirmed, byPass).When(cmd).Then(t, added)
	}
	for name, want := range map[string]error{
		"": domain.ErrTextMissing, " ": domain.ErrTextMissing, strings.Repeat("a", identity.PasskeyNameMax+1): domain.ErrTextLong, "a\x00": domain.ErrTextCharacters,
	} {
		cmd := addPasskey
		cmd.Name = name
		given(invited, confirmed, byPass).When(cmd).ThenRefused(t, want)
	}
}

func TestTenPasskeysAreEnough(t *testing.T) {
	history := []identity.AccountEvent{invited, confirmed, byPass}
	for range identity.PasskeysMax {
		cmd, added := addPasskey, passkeyAdded
		cmd.Credential = domain.NewID[domain.CredentialID]()
		added.Credential = cmd.Credential
		given(history...).When(cmd).Then(t, added)
		history = append(history, added)
	}
	given(history...).When(addPasskey).ThenRefused(t, identity.ErrPasskeys)
	one := identity.PasskeyRemoved{Account: anna, Credential: history[3].(identity.PasskeyAdded).Credential}
	given(append(history, one)...).When(addPasskey).Then(t, passkeyAdded)
}

// A key signs in from the event that names it to the one that ends it.
func TestSignInByAPasskey(t *testing.T) {
	trace.Covers(t, "C32")
	signed := identity.SignedIn{Account: anna, Session: session, Method: identity.ByPasskey}
	given().When(byPhone).ThenRefused(t, identity.ErrPasskey)
	given(invited, confirmed, byPass).When(byPhone).ThenRefused(t, identity.ErrPasskey)
	given(invited, confirmed, byPass, passkeyAdded).When(byPhone).Then(t, signed)
	other := byPhone
	other.Credential = secret
	given(invited, confirmed, byPass, passkeyAdded).When(other).ThenRefused(t, identity.ErrPasskey)
	given(invited, confirmed, byPass, passkeyAdded, removed).When(byPhone).ThenRefused(t, identity.ErrPasskey)
	given(invited, confirmed, byPass, passkeyAdded, identity.AccountDeleted{Account: anna}).When(byPhone).ThenRefused(t, identity.ErrPasskey)

	// Signing in by e-mail goes on as before.
	given(invited, confirmed, byPass, passkeyAdded).When(signIn).Then(t, byPass)
}

func TestAPasskeyIsRemoved(t *testing.T) {
	given(invited, confirmed, byPass, passkeyAdded).When(remove).Then(t, removed)
	given(invited, confirmed, byPass, passkeyAdded, removed).When(remove).ThenRefused(t, identity.ErrNoPasskey)
	given(invited, confirmed, byPass).When(remove).ThenRefused(t, identity.ErrNoPasskey)
	given(invited).When(remove).ThenRefused(t, identity.ErrNoAccount)
	given(invited, confirmed, byPass, passkeyAdded, identity.AccountDeleted{Account: anna}).When(remove).ThenRefused(t, identity.ErrNoAccount)
}

// Of what is kept outside the log only what is named counts.
func TestCredentialsThatCount(t *testing.T) {
	account := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, byPass, passkeyAdded})
	if got := account.Credentials(); len(got) != 2 || got[0] != account.Credential() || got[1] != phone {
		t.Errorf("%v", got)
	}
	account = identity.Accounts.FoldFrom(account, []identity.AccountEvent{removed})
	if got := account.Credentials(); len(got) != 1 || len(account.Passkeys()) != 0 {
		t.Errorf("%v", got)
	}
}
