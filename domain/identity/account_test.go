package identity_test

import (
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

var given = domaintest.Given(identity.Accounts)

var (
	anna    = domain.NewID[domain.AccountID]()
	parauga = domain.NewID[domain.MunicipalityID]()
	school  = domain.NewID[domain.SchoolID]()
	other   = domain.NewID[domain.SchoolID]()
	first   = domain.NewID[domain.InvitationID]()
	second  = domain.NewID[domain.InvitationID]()
	secret  = domain.NewID[domain.CredentialID]()
	session = domain.NewID[domain.SessionID]()
	asked   = domain.NewID[identity.ChallengeID]()
	monday  = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	expires = monday.Add(5 * 24 * time.Hour)

	invite = identity.InviteUser{
		Account: anna, Invitation: first, Municipality: parauga, School: school, At: monday,
		Person: identity.Person{GivenName: "Anna", FamilyName: "Bērziņa", PersonalCode: "16117519997", Email: "Anna@Skola.LV"},
	}
	invited = identity.UserInvited{
		Account: anna, Invitation: first, Municipality: parauga, School: school,
		GivenName: "Anna", FamilyName: "Bērziņa", PersonalCode: "16117519997", Email: "Anna@skola.lv", LinkExpiresAt: expires,
	}
	resent = identity.InvitationResent{
		Account: anna, Invitation: second, Email: "Anna@skola.lv", LinkExpiresAt: expires.Add(time.Hour),
	}
	withdrawn = identity.InvitationWithdrawn{Account: anna, PersonalCode: "16117519997", Email: "Anna@skola.lv"}
	confirm   = identity.ConfirmRegistration{Account: anna, Invitation: first, Credential: secret, At: monday}
	confirmed = identity.RegistrationConfirmed{Account: anna, Invitation: first, Credential: secret}
	issued    = identity.LoginCodeIssued{Account: anna, Challenge: asked, Email: "Anna@skola.lv", ExpiresAt: monday.Add(10 * time.Minute)}
	accepted  = identity.LoginCodeAccepted{Account: anna, Challenge: asked}
	byCode    = identity.SignedIn{Account: anna, Session: session, Method: identity.ByCode}
	byPass    = identity.SignedIn{Account: anna, Session: session, Method: identity.ByPassword}
	signIn    = identity.SignIn{Account: anna, Session: session, Challenge: asked, At: monday}
	giveCode  = identity.AcceptCode{Account: anna, Challenge: asked, Session: session, At: monday}
)

func TestUserIsInvited(t *testing.T) {
	trace.Covers(t, "EMU-012", "EMU-015")
	given().When(invite).Then(t, invited)
	given(invited).When(invite).Then(t) // asked twice

	another := invite
	another.Invitation = second
	given(invited).When(another).ThenRefused(t, identity.ErrExists)
	given(invited, confirmed).When(invite).ThenRefused(t, identity.ErrExists)
	given(invited, withdrawn).When(invite).ThenRefused(t, identity.ErrExists)
}

// Every mandatory field that is wrong is named, all at once.
func TestInvitationNeedsItsFields(t *testing.T) {
	trace.Covers(t, "EMU-015")
	bad := invite
	bad.Person = identity.Person{PersonalCode: "161175-19998", Email: "anna@skola.lv\r\nBcc: x@y.lv"}
	given().When(bad).ThenRefused(t, domain.ErrFields, "given_name", "family_name", "personal_code", "email")

	bad = invite
	bad.Person.Email = ""
	given().When(bad).ThenRefused(t, identity.ErrEmail, "email")
	bad = invite
	bad.Person.PersonalCode = ""
	given().When(bad).ThenRefused(t, identity.ErrCodeMissing, "personal_code")

	// Only the operator, who invites to the installation, may do without.
	bad.Municipality, bad.School = domain.MunicipalityID{}, domain.SchoolID{}
	given().When(bad).Then(t, identity.UserInvited{
		Account: anna, Invitation: first, GivenName: "Anna", FamilyName: "Bērziņa", Email: "Anna@skola.lv", LinkExpiresAt: expires,
	})
}

func TestLinkWorksForFiveDays(t *testing.T) {
	trace.Covers(t, "EMU-012", "EMU-016", "EMU-060", "C02")
	last, over := confirm, confirm
	last.At, over.At = expires.Add(-time.Nanosecond), expires
	given(invited).When(last).Then(t, confirmed)
	given(invited).When(over).ThenRefused(t, identity.ErrLinkExpired)
}

func TestNewerLinkReplacesOlder(t *testing.T) {
	trace.Covers(t, "EMU-016", "EMU-020", "EMU-087")
	given(invited, resent).When(confirm).ThenRefused(t, identity.ErrLinkReplaced)

	newer := confirm
	newer.Invitation, newer.At = second, expires // five days from the resend, not from the first
	given(invited, resent).When(newer).
		Then(t, identity.RegistrationConfirmed{Account: anna, Invitation: second, Credential: secret})
	newer.At = resent.LinkExpiresAt
	given(invited, resent).When(newer).ThenRefused(t, identity.ErrLinkExpired)
}

func TestLinkWorksOnce(t *testing.T) {
	trace.Covers(t, "C04")
	given(invited, confirmed).When(confirm).Then(t) // the same request sent twice
	another := confirm
	another.Credential = domain.NewID[domain.CredentialID]()
	given(invited, confirmed).When(another).ThenRefused(t, identity.ErrLinkUsed)
	another.At = expires // used is told before expired: the person should sign in
	given(invited, confirmed).When(another).ThenRefused(t, identity.ErrLinkUsed)
	given(invited, withdrawn).When(another).ThenRefused(t, identity.ErrLinkWithdrawn)
	given().When(another).ThenRefused(t, identity.ErrNoAccount)
}

func TestInvitationIsSentAgain(t *testing.T) {
	trace.Covers(t, "EMU-017", "EMU-019", "EMU-020")
	resend := identity.ResendInvitation{Account: anna, Invitation: second, At: monday.Add(time.Hour)}
	given(invited).When(resend).Then(t, resent)
	given(invited, resent).When(resend).Then(t) // asked twice
	given(invited, confirmed).When(resend).ThenRefused(t, identity.ErrConfirmed)
	given(invited, withdrawn).When(resend).ThenRefused(t, identity.ErrNoAccount)
	given().When(resend).ThenRefused(t, identity.ErrNoAccount)
}

func TestInvitationIsSentAgainFiveTimesADay(t *testing.T) {
	story := given(invited)
	for n := range 5 {
		again := resent
		again.Invitation = domain.NewID[domain.InvitationID]()
		again.LinkExpiresAt = expires.Add(time.Duration(n) * time.Hour)
		story = story.And(again)
	}
	sixth := identity.ResendInvitation{Account: anna, Invitation: second, At: monday.Add(24*time.Hour - time.Nanosecond)}
	story.When(sixth).ThenRefused(t, identity.ErrResends)
	sixth.At = monday.Add(24 * time.Hour) // a day after the first of the five
	story.When(sixth).Then(t, identity.InvitationResent{
		Account: anna, Invitation: second, Email: "Anna@skola.lv", LinkExpiresAt: expires.Add(24 * time.Hour),
	})
}

func TestInvitationIsWithdrawn(t *testing.T) {
	withdraw := identity.WithdrawInvitation{Account: anna}
	given(invited).When(withdraw).Then(t, withdrawn)
	given(invited, withdrawn).When(withdraw).Then(t) // asked twice
	given(invited, confirmed).When(withdraw).ThenRefused(t, identity.ErrConfirmed)
	given().When(withdraw).ThenRefused(t, identity.ErrNoAccount)

	if a, b := invited.Claims(), withdrawn.Releases(); len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != b[1] {
		t.Errorf("%v are claimed, %v released", a, b)
	}
}

// Somebody who works at one more school keeps the account.
func TestUserIsAttached(t *testing.T) {
	trace.Covers(t, "EMU-049")
	attach := identity.AttachUser{Account: anna, Invitation: second, Municipality: parauga, School: other, At: monday.Add(time.Hour)}
	attached := identity.UserAttached{Account: anna, Municipality: parauga, School: other, Email: "Anna@skola.lv"}
	given(invited, confirmed).When(attach).Then(t, attached)
	given(invited).When(attach).Then(t, attached, resent) // not registered yet: a new link
	given(invited, withdrawn).When(attach).ThenRefused(t, identity.ErrNoAccount)
	given().When(attach).ThenRefused(t, identity.ErrNoAccount)
}

func TestSignInNeedsRegistration(t *testing.T) {
	trace.Covers(t, "EMU-032", "EMU-033")
	given().When(signIn).ThenRefused(t, identity.ErrSignIn)
	given(invited).When(signIn).ThenRefused(t, identity.ErrSignIn)
	given(invited, withdrawn).When(signIn).ThenRefused(t, identity.ErrSignIn)
}

func TestFirstSignInNeedsCode(t *testing.T) {
	trace.Covers(t, "EMU-035", "EMU-053")
	given(invited, confirmed).When(signIn).Then(t, issued)
	given(invited, confirmed, issued).When(giveCode).Then(t, accepted, byCode)

	// Later the password is enough, unless the installation always wants a code.
	given(invited, confirmed, issued, accepted, byCode).When(signIn).Then(t, byPass)
	always := signIn
	always.AlwaysCode = true
	given(invited, confirmed, issued, accepted, byCode).When(always).Then(t, issued)
}

func TestCodeWorksForTenMinutesAndOnce(t *testing.T) {
	last, over := giveCode, giveCode
	last.At, over.At = issued.ExpiresAt.Add(-time.Nanosecond), issued.ExpiresAt
	given(invited, confirmed, issued).When(last).Then(t, accepted, byCode)
	given(invited, confirmed, issued).When(over).ThenRefused(t, identity.ErrCodeExpired)
	given(invited, confirmed, issued, accepted, byCode).When(giveCode).ThenRefused(t, identity.ErrCodeUsed)

	newer := issued
	newer.Challenge = domain.NewID[identity.ChallengeID]()
	given(invited, confirmed, issued, newer).When(giveCode).ThenRefused(t, identity.ErrCodeReplaced)
	given(invited, confirmed).When(giveCode).ThenRefused(t, identity.ErrCodeReplaced)
	given(invited).When(giveCode).ThenRefused(t, identity.ErrNoAccount)
}

// Each code may be tried five times, so codes are not given out without end.
func TestFiveCodesAnHour(t *testing.T) {
	story := given(invited, confirmed)
	for n := range 5 {
		code := issued
		code.Challenge = domain.NewID[identity.ChallengeID]()
		code.ExpiresAt = issued.ExpiresAt.Add(time.Duration(n) * time.Minute)
		story = story.And(code)
	}
	sixth := signIn
	sixth.At = monday.Add(time.Hour - time.Nanosecond)
	story.When(sixth).ThenRefused(t, identity.ErrCodes)
	sixth.At = monday.Add(time.Hour)
	later := issued
	later.ExpiresAt = sixth.At.Add(10 * time.Minute)
	story.When(sixth).Then(t, later)
}

func TestSessionsEnd(t *testing.T) {
	end := identity.EndSessions{Account: anna}
	once := identity.SessionsEnded{Account: anna, Generation: 1}
	given(invited, confirmed).When(end).Then(t, once)
	given(invited, confirmed, once).When(end).Then(t, identity.SessionsEnded{Account: anna, Generation: 2})
	given(invited).When(end).ThenRefused(t, identity.ErrNoAccount)

	account := identity.Accounts.Fold([]identity.AccountEvent{invited, confirmed, once})
	if !account.Active() || account.Generation() != 1 || account.Credential() != secret || !account.Invitation().IsZero() {
		t.Errorf("%+v", account)
	}
}
