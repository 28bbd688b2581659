package identity_test

import (
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var (
	byMail  = identity.EmailChangeID{UUID: domain.NewID[domain.AccountID]().UUID}
	another = identity.EmailChangeID{UUID: domain.NewID[domain.AccountID]().UUID}
	proof   = identity.ConfirmationID{UUID: domain.NewID[domain.AccountID]().UUID}
	inUse   = []identity.AccountEvent{invited, confirmed, issued, accepted, byCode}
	dayLong = monday.Add(24 * time.Hour)

	start      = identity.StartEmailChange{Account: anna, Change: byMail, At: monday}
	started    = identity.EmailChangeStarted{Account: anna, Change: byMail, Email: "Anna@skola.lv", ExpiresAt: dayLong}
	give       = identity.GiveEmail{Account: anna, Change: byMail, Confirmation: proof, Email: "anna@jauna.lv", At: monday.Add(time.Hour)}
	gave       = identity.EmailGiven{Account: anna, Change: byMail, Confirmation: proof, Email: "anna@jauna.lv", ExpiresAt: dayLong}
	confirmNew = identity.ConfirmEmail{Account: anna, Confirmation: proof, At: monday.Add(2 * time.Hour)}
	changed    = identity.EmailChanged{Account: anna, Change: byMail, OldEmail: "Anna@skola.lv", Email: "anna@jauna.lv"}
	ended      = identity.SessionsEnded{Account: anna, Generation: 1}
	stop       = identity.StopEmailChange{Account: anna, Change: byMail, At: monday.Add(time.Hour)}
	stopped    = identity.EmailChangeStopped{Account: anna, Change: byMail}
)

func TestAddressIsCorrectedBeforeTheRegistration(t *testing.T) {
	trace.Covers(t, "EMU-022", "EMU-023", "EMU-084", "EMU-095", "C07")
	correct := identity.CorrectEmail{Account: anna, Invitation: second, Municipality: parauga, School: school, Email: "anna@pareiza.lv", At: monday.Add(time.Hour)}
	corrected := identity.EmailCorrected{
		Account: anna, Invitation: second, Municipality: parauga, School: school,
		OldEmail: "Anna@skola.lv", Email: "anna@pareiza.lv", LinkExpiresAt: expires.Add(time.Hour),
	}
	given(invited).When(correct).Then(t, corrected)
	given(invited, corrected).When(correct).Then(t) // asked twice
	given(invited, confirmed).When(correct).ThenRefused(t, identity.ErrSelfManaged)
	given(inUse...).When(correct).ThenRefused(t, identity.ErrSelfManaged)
	given(invited, withdrawn).When(correct).ThenRefused(t, identity.ErrNoAccount)
	given().When(correct).ThenRefused(t, identity.ErrNoAccount)
	bad := correct
	bad.Email = "anna"
	given(invited).When(bad).ThenRefused(t, identity.ErrEmail, "email")

	// The old link is dead, the new one works for five days of its own.
	given(invited, corrected).When(confirm).ThenRefused(t, identity.ErrLinkReplaced)
	newer := confirm
	newer.Invitation, newer.At = second, expires
	given(invited, corrected).When(newer).Then(t, identity.RegistrationConfirmed{Account: anna, Invitation: second, Credential: secret})
}

func TestAddressIsCorrectedFiveTimesADay(t *testing.T) {
	story := given(invited)
	for n := range 5 {
		story = story.And(identity.EmailCorrected{
			Account: anna, Invitation: second, OldEmail: "x@y.lv", Email: "anna@viena.lv", LinkExpiresAt: expires.Add(time.Duration(n) * time.Minute),
		})
	}
	sixth := identity.CorrectEmail{Account: anna, Invitation: first, Email: "anna@pareiza.lv", At: dayLong.Add(-time.Nanosecond)}
	story.When(sixth).ThenRefused(t, identity.ErrChanges)
	sixth.At = dayLong
	story.When(sixth).Then(t, identity.EmailCorrected{
		Account: anna, Invitation: first, OldEmail: "anna@viena.lv", Email: "anna@pareiza.lv", LinkExpiresAt: dayLong.Add(identity.LinkLifetime),
	})
}

// Two mailboxes: a link to the old one, then one to the new one, and only then
// the address is another.
func TestAddressIsChangedByTwoLinks(t *testing.T) {
	trace.Covers(t, "EMU-025", "EMU-026", "EMU-027", "EMU-029", "EMU-079", "EMU-080", "EMU-081", "C08")
	given(inUse...).When(start).Then(t, started)
	given(inUse...).And(started).When(start).Then(t) // asked twice
	given(invited).When(start).ThenRefused(t, identity.ErrNoAccount)

	given(inUse...).And(started).When(give).Then(t, gave)
	given(inUse...).And(started, gave).When(give).Then(t) // asked twice
	given(inUse...).When(give).ThenRefused(t, identity.ErrChangeOver)

	given(inUse...).And(started, gave).When(confirmNew).Then(t, changed, ended)
	given(inUse...).And(started, gave, changed, ended).When(confirmNew).Then(t) // asked twice
	given(inUse...).And(started).When(confirmNew).ThenRefused(t, identity.ErrChangeOver)
	given(inUse...).And(started, gave, changed, ended).When(give).Then(t)
	later := give
	later.Confirmation = identity.ConfirmationID{UUID: secret.UUID}
	given(inUse...).And(started, gave, changed, ended).When(later).ThenRefused(t, identity.ErrChangeDone)

	account := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, started, gave})
	if account.Email() != "Anna@skola.lv" || account.NewEmail() != "anna@jauna.lv" || account.Change() != byMail {
		t.Errorf("before it is confirmed: %+v", account)
	}
	if account = identity.Accounts.Evolve(account, changed); account.Email() != "anna@jauna.lv" {
		t.Errorf("after: %+v", account)
	}
}

// Both links are counted from the beginning, not from when each is sent.
func TestBothLinksWorkForADay(t *testing.T) {
	trace.Covers(t, "EMU-030")
	last, over := give, give
	last.At, over.At = dayLong.Add(-time.Nanosecond), dayLong
	given(inUse...).And(started).When(last).Then(t, gave)
	given(inUse...).And(started).When(over).ThenRefused(t, identity.ErrChangeExpired)

	lastProof, overProof := confirmNew, confirmNew
	lastProof.At, overProof.At = last.At, over.At
	given(inUse...).And(started, gave).When(lastProof).Then(t, changed, ended)
	given(inUse...).And(started, gave).When(overProof).ThenRefused(t, identity.ErrChangeExpired)
}

func TestANewChangeReplacesTheOneUnderWay(t *testing.T) {
	trace.Covers(t, "C13")
	newer := start
	newer.Change, newer.At = another, monday.Add(time.Hour)
	replaced := identity.EmailChangeReplaced{Account: anna, Change: byMail, By: another}
	second := identity.EmailChangeStarted{Account: anna, Change: another, Email: "Anna@skola.lv", ExpiresAt: dayLong.Add(time.Hour)}
	story := given(inUse...).And(started, gave)
	story.When(newer).Then(t, replaced, second)
	story.And(replaced, second).When(confirmNew).ThenRefused(t, identity.ErrChangeOver)
	again := give
	again.Confirmation = identity.ConfirmationID{UUID: secret.UUID}
	story.And(replaced, second).When(again).ThenRefused(t, identity.ErrChangeOver)

	// One that is over, or finished, is not replaced.
	newer.At = dayLong
	second.ExpiresAt = dayLong.Add(24 * time.Hour)
	story.When(newer).Then(t, second)
	newer.At = monday.Add(3 * time.Hour)
	second.ExpiresAt, second.Email = dayLong.Add(3*time.Hour), "anna@jauna.lv"
	story.And(changed, ended).When(newer).Then(t, second)
}

// An address that somebody has is answered like any other; but nothing comes of
// it.
func TestATakenAddressIsNoNewAddress(t *testing.T) {
	trace.Covers(t, "C12")
	owner := domain.NewID[domain.AccountID]()
	cmd, taken := give, gave
	cmd.TakenBy, taken.TakenBy = owner, owner
	given(inUse...).And(started).When(cmd).Then(t, taken)
	given(inUse...).And(started, taken).When(confirmNew).ThenRefused(t, identity.ErrChangeOver)
}

func TestTheNewAddressIsOneAndAnotherOne(t *testing.T) {
	for _, c := range []struct {
		email string
		want  *domain.Error
	}{
		{"", identity.ErrEmail}, {"anna@jauna.lv\r\nBcc: x@y.lv", identity.ErrEmail}, {"a@b.lv, c@d.lv", identity.ErrEmail},
		{"ANNA@SKOLA.LV", identity.ErrEmailSame},
	} {
		cmd := give
		cmd.Email = c.email
		given(inUse...).And(started).When(cmd).ThenRefused(t, c.want, "email")
	}
	story := given(inUse...).And(started)
	for range 5 {
		typo := gave
		typo.Confirmation = identity.ConfirmationID{UUID: domain.NewID[domain.AccountID]().UUID}
		story = story.And(typo)
	}
	story.When(give).ThenRefused(t, identity.ErrAddresses)
}

func TestAChangeIsStopped(t *testing.T) {
	given(inUse...).And(started, gave).When(stop).Then(t, stopped)
	given(inUse...).And(started, gave, stopped).When(stop).Then(t) // asked twice
	given(inUse...).And(started, gave, stopped).When(confirmNew).ThenRefused(t, identity.ErrChangeStopped)
	given(inUse...).And(started, gave, changed, ended).When(stop).ThenRefused(t, identity.ErrChangeDone)
	given(inUse...).When(stop).ThenRefused(t, identity.ErrChangeOver)
	late := stop
	late.At = dayLong
	given(inUse...).And(started).When(late).ThenRefused(t, identity.ErrChangeExpired)
}

// Each change sends letters, so there are five a day.
func TestFiveChangesADay(t *testing.T) {
	story := given(inUse...)
	for n := range 5 {
		one := started
		one.Change, one.ExpiresAt = identity.EmailChangeID{UUID: domain.NewID[domain.AccountID]().UUID}, dayLong.Add(time.Duration(n)*time.Minute)
		story = story.And(one, identity.EmailChangeStopped{Account: anna, Change: one.Change})
	}
	sixth := start
	sixth.At = dayLong.Add(-time.Nanosecond)
	story.When(sixth).ThenRefused(t, identity.ErrChanges)
	sixth.At = dayLong
	story.When(sixth).Then(t, identity.EmailChangeStarted{Account: anna, Change: byMail, Email: "Anna@skola.lv", ExpiresAt: dayLong.Add(24 * time.Hour)})
}

var (
	recovers = identity.RecoverEmail{
		Account: anna, Change: byMail, Confirmation: proof, Invitation: second, Municipality: parauga, School: school,
		Email: "anna@jauna.lv", Reason: "Vecā pastkaste slēgta", At: monday,
	}
	recovery = identity.EmailRecoveryStarted{
		Account: anna, Change: byMail, Confirmation: proof, Municipality: parauga, School: school,
		OldEmail: "Anna@skola.lv", Email: "anna@jauna.lv", Reason: "Vecā pastkaste slēgta", ExpiresAt: dayLong,
	}
)

// An administrator only begins it: without the person nothing changes.
func TestALostMailboxIsRecovered(t *testing.T) {
	trace.Covers(t, "EMU-082", "EMU-096", "C14")
	given(inUse...).When(recovers).Then(t, recovery)
	given(inUse...).And(recovery).When(recovers).Then(t) // asked twice
	given(inUse...).And(recovery).When(confirmNew).Then(t, changed, ended)
	late := confirmNew
	late.At = dayLong
	given(inUse...).And(recovery).When(late).ThenRefused(t, identity.ErrChangeExpired)
	given(inUse...).And(recovery).When(stop).Then(t, stopped)
	given(inUse...).And(recovery, stopped).When(confirmNew).ThenRefused(t, identity.ErrChangeStopped)

	// Its address is the administrator's: no other is given in its place.
	other := give
	other.Confirmation = identity.ConfirmationID{UUID: secret.UUID}
	given(inUse...).And(recovery).When(other).ThenRefused(t, identity.ErrChangeOver)

	given(invited).When(recovers).ThenRefused(t, identity.ErrUnconfirmed)
	given().When(recovers).ThenRefused(t, identity.ErrNoAccount)
	bad := recovers
	bad.Reason = " "
	given(inUse...).When(bad).ThenRefused(t, domain.ErrTextMissing, "reason")
	bad.Email = "x"
	given(inUse...).When(bad).ThenRefused(t, domain.ErrFields, "email", "reason")
	bad = recovers
	bad.Email = "anna@SKOLA.lv"
	given(inUse...).When(bad).ThenRefused(t, identity.ErrEmailSame, "email")
}

// Who has confirmed but never signed in would get the code of the first sign-in
// in the lost mailbox: so the invitation begins anew.
func TestWhoHasNeverSignedInIsInvitedAgain(t *testing.T) {
	trace.Covers(t, "C14")
	again := identity.EmailCorrected{
		Account: anna, Invitation: second, Municipality: parauga, School: school,
		OldEmail: "Anna@skola.lv", Email: "anna@jauna.lv", Reason: "Vecā pastkaste slēgta", LinkExpiresAt: expires,
	}
	given(invited, confirmed).When(recovers).Then(t, again)
	given(invited, confirmed, again).When(signIn).ThenRefused(t, identity.ErrSignIn)
	newer := confirm
	newer.Invitation, newer.Credential = second, domain.CredentialID{UUID: first.UUID}
	given(invited, confirmed, again).When(newer).Then(t, identity.RegistrationConfirmed{Account: anna, Invitation: second, Credential: newer.Credential})
	given(invited, confirmed, again).When(confirm).ThenRefused(t, identity.ErrLinkReplaced)
	if a := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, again}); a.Active() || !a.Credential().IsZero() || a.Invitation() != second {
		t.Errorf("%+v", a)
	}
}

// What was mailed to the old address before is of no use to who reads it.
func TestTheOldMailboxLosesItsLinks(t *testing.T) {
	story := given(inUse...).And(started, gave, issued, resetAsked, changed, ended)
	story.When(giveCode).ThenRefused(t, identity.ErrCodeReplaced)
	story.When(resetIt).ThenRefused(t, identity.ErrResetReplaced)
}
