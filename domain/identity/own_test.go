package identity_test

import (
	"slices"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var (
	resetting = identity.PasswordResetID{UUID: domain.NewID[domain.AccountID]().UUID}
	newSecret = domain.NewID[domain.CredentialID]()
	hourLong  = monday.Add(time.Hour)

	askReset   = identity.AskPasswordReset{Account: anna, Reset: resetting, At: monday}
	resetAsked = identity.PasswordResetAsked{Account: anna, Reset: resetting, Email: "Anna@skola.lv", ExpiresAt: hourLong}
	resetIt    = identity.ResetPassword{Account: anna, Reset: resetting, Credential: newSecret, At: monday}
	wasReset   = identity.PasswordReset{Account: anna, Reset: resetting, Credential: newSecret, Email: "Anna@skola.lv"}

	renew   = identity.ChangePassword{Account: anna, Credential: newSecret, Session: session}
	renewed = identity.PasswordChanged{Account: anna, Credential: newSecret, Session: session, Email: "Anna@skola.lv"}
)

func TestAPasswordIsResetWithinAnHour(t *testing.T) {
	given(inUse...).When(askReset).Then(t, resetAsked)
	given(inUse...).And(resetAsked).When(askReset).Then(t) // asked twice
	given(invited, confirmed).When(askReset).Then(t, resetAsked)
	for _, history := range [][]identity.AccountEvent{{}, {invited}, {invited, withdrawn}} {
		given(history...).When(askReset).ThenRefused(t, identity.ErrNoAccount)
	}

	last, over := resetIt, resetIt
	last.At, over.At = hourLong.Add(-time.Nanosecond), hourLong
	given(inUse...).And(resetAsked).When(last).Then(t, wasReset, ended)
	given(inUse...).And(resetAsked).When(over).ThenRefused(t, identity.ErrResetExpired)

	given(inUse...).And(resetAsked, wasReset, ended).When(resetIt).Then(t) // asked twice
	again := resetIt
	again.Credential = secret
	again.Credential.UUID = first.UUID
	given(inUse...).And(resetAsked, wasReset, ended).When(again).ThenRefused(t, identity.ErrResetUsed)
	newer := resetAsked
	newer.Reset = identity.PasswordResetID{UUID: first.UUID}
	given(inUse...).And(resetAsked, newer).When(resetIt).ThenRefused(t, identity.ErrResetReplaced)
	given(inUse...).When(resetIt).ThenRefused(t, identity.ErrResetReplaced)
	given(invited).When(resetIt).ThenRefused(t, identity.ErrNoAccount)

	// A code that was mailed for the old password begins no session any more.
	given(inUse...).And(issued, resetAsked, wasReset, ended).When(giveCode).ThenRefused(t, identity.ErrCodeReplaced)
}

func TestFiveResetsAnHour(t *testing.T) {
	story := given(inUse...)
	for n := range 5 {
		one := resetAsked
		one.Reset, one.ExpiresAt = identity.PasswordResetID{UUID: domain.NewID[domain.AccountID]().UUID}, hourLong.Add(time.Duration(n)*time.Minute)
		story = story.And(one)
	}
	sixth := askReset
	sixth.At = hourLong.Add(-time.Nanosecond)
	story.When(sixth).ThenRefused(t, identity.ErrResets)
	sixth.At = hourLong
	later := resetAsked
	later.ExpiresAt = hourLong.Add(time.Hour)
	story.When(sixth).Then(t, later)
}

func TestThePasswordIsChanged(t *testing.T) {
	given(inUse...).When(renew).Then(t, renewed, ended)
	given(inUse...).And(renewed, ended).When(renew).Then(t) // asked twice
	given(invited).When(renew).ThenRefused(t, identity.ErrNoAccount)
	given(inUse...).And(resetAsked, renewed, ended).When(resetIt).Then(t) // the same password already
	other := resetIt
	other.Credential = domain.CredentialID{UUID: first.UUID}
	given(inUse...).And(resetAsked, renewed, ended).When(other).ThenRefused(t, identity.ErrResetReplaced)
}

func TestRiskyStepsNeedAFreshSignIn(t *testing.T) {
	if err := identity.CheckFresh(monday, monday.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if err := identity.CheckFresh(monday, monday.Add(time.Hour+time.Nanosecond)); err != identity.ErrNotFresh {
		t.Error(err)
	}
	again := identity.Reauthenticate{Account: anna, Session: session}
	given(inUse...).When(again).Then(t, identity.Reauthenticated{Account: anna, Session: session})
	given(invited).When(again).ThenRefused(t, identity.ErrNoAccount)
}

func TestNamesAreCorrected(t *testing.T) {
	trace.Covers(t, "EMU-095")
	change := identity.ChangeNames{Account: anna, GivenName: " Anna  Marija", FamilyName: "Kalniņa", Expected: 1}
	renamed := identity.NamesChanged{Account: anna, GivenName: "Anna Marija", FamilyName: "Kalniņa"}
	given(inUse...).When(change).Then(t, renamed)
	given(invited).When(change).Then(t, renamed)
	change.Expected = 0
	given(inUse...).And(renamed).When(change).Then(t) // asked twice
	change.Expected = 1
	given(inUse...).And(renamed).When(change).ThenRefused(t, identity.ErrStale, "header.If-Match")
	change.Expected = 2
	given(inUse...).And(renamed).When(change).Then(t)
	given().When(change).ThenRefused(t, identity.ErrNoAccount)
	given(invited, withdrawn).When(change).ThenRefused(t, identity.ErrNoAccount)
	change.GivenName, change.FamilyName = "", "a\nb"
	given(inUse...).When(change).ThenRefused(t, domain.ErrFields, "given_name", "family_name")
}

func TestALanguageIsChosen(t *testing.T) {
	trace.Covers(t, "EMU-061")
	english := identity.ChooseLanguage{Account: anna, Language: identity.English}
	chosen := identity.LanguageChosen{Account: anna, Language: identity.English}
	given(inUse...).When(english).Then(t, chosen)
	given(inUse...).And(chosen).When(english).Then(t) // asked twice
	given(inUse...).When(identity.ChooseLanguage{Account: anna, Language: "de"}).ThenRefused(t, identity.ErrLanguage, "language")
	given(invited).When(english).ThenRefused(t, identity.ErrNoAccount)

	// Nothing but the own choice changes it, above all no sign-in.
	byEklase := identity.SignedIn{Account: anna, Session: session, Method: "eklase"}
	account := identity.Accounts.Fold(append(slices.Clone(inUse), chosen, byEklase))
	if account.Language() != identity.English {
		t.Errorf("the language is %q", account.Language())
	}
}

func TestAnAccountIsDeleted(t *testing.T) {
	trace.Covers(t, "EMU-051", "EMU-052", "C25")
	gone := identity.DeleteAccount{Account: anna}
	deleted := identity.AccountDeleted{Account: anna}
	given(inUse...).When(gone).Then(t, deleted)
	given(inUse...).And(deleted).When(gone).Then(t) // asked twice
	given(invited).When(gone).ThenRefused(t, identity.ErrNoAccount)
	given().When(gone).ThenRefused(t, identity.ErrNoAccount)

	story := given(inUse...).And(deleted)
	story.When(signIn).ThenRefused(t, identity.ErrSignIn)
	story.When(confirm).ThenRefused(t, identity.ErrNoAccount)
	story.When(askReset).ThenRefused(t, identity.ErrNoAccount)
	story.When(start).ThenRefused(t, identity.ErrNoAccount)
	story.When(renew).ThenRefused(t, identity.ErrNoAccount)
	story.When(invite).ThenRefused(t, identity.ErrExists)
	story.When(identity.WithdrawInvitation{Account: anna}).ThenRefused(t, identity.ErrNoAccount)

	// After a restore from an older copy, whatever the account was then.
	again := identity.DeleteAgain{Account: anna}
	given(inUse...).When(again).Then(t, deleted)
	given(invited).When(again).Then(t, deleted)
	given(invited, identity.InvitationWithdrawn{Account: anna, Email: invited.Email, PersonalCode: invited.PersonalCode}).When(again).Then(t, deleted)
	given(inUse...).And(deleted).When(again).Then(t)
	given().When(again).Then(t) // it was made after the copy

	// An external identity may be connected with another account then.
	external := identity.ExternalLoginConnected{Account: anna, Provider: identity.Eklase, Issuer: "https://eklase.example", Subject: "anna"}
	events, err := identity.Accounts.Decide(identity.Accounts.Fold(append(slices.Clone(inUse), external)), gone)
	if err != nil || !slices.Contains(events[0].(identity.AccountDeleted).Releases(), external.Claims()[0]) {
		t.Errorf("%v, %v", events, err)
	}

	// The key goes, and all names are given back.
	events, err = identity.Accounts.Decide(identity.Accounts.Fold(inUse), gone)
	if err != nil {
		t.Fatal(err)
	}
	e := events[0].(identity.AccountDeleted)
	if !slices.Equal(e.Releases(), invited.Claims()) || !slices.Equal(e.Erases(), []domain.SubjectID{anna.Subject()}) {
		t.Errorf("released %v, erased %v", e.Releases(), e.Erases())
	}
	if a := identity.Accounts.Fold(append(slices.Clone(inUse), deleted)); a.Email() != "" || a.Active() || a.Exists() || a.Generation() != 1 {
		t.Errorf("what stays: %+v", a)
	}
}
