package reactions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/internal/mail"
	"zurnals/internal/trace"
)

var (
	change       = identity.EmailChangeID{UUID: uuid.New()}
	confirmation = identity.ConfirmationID{UUID: uuid.New()}
	reset        = identity.PasswordResetID{UUID: uuid.New()}
)

const (
	newAddress = "laura@jauna.lv"
	there      = "https://zurnals.example.lv"
)

// registers has Laura follow the invitation and sign in.
func (p *post) registers() {
	p.t.Helper()
	_, invitation := p.invite()
	p.account(
		identity.RegistrationConfirmed{Account: laura, Invitation: invitation, Credential: domain.NewID[domain.CredentialID]()},
		identity.SignedIn{Account: laura, Session: domain.NewID[domain.SessionID](), Method: identity.ByCode},
	)
}

// wants checks the letters that have come since the last n.
func (p *post) wants(n int, want ...mail.Letter) int {
	p.t.Helper()
	got := p.letters(n + len(want))[n:]
	for _, w := range want {
		found := false
		for _, l := range got {
			if l.To == w.To && l.Subject == w.Subject && strings.Contains(l.Text, w.Text) {
				found = true
			}
		}
		if !found {
			p.t.Errorf("no letter to %s: %s with %q in %+v", w.To, w.Subject, w.Text, got)
		}
	}
	return n + len(want)
}

func TestLettersAboutTheAddress(t *testing.T) {
	trace.Covers(t, "EMU-026", "EMU-027", "EMU-028", "C08", "C12", "C14")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.registers()
	p.runDue(e)
	n := 0 // an invitation that was followed before it was sent is not sent
	day := p.Now().Add(identity.ChangeLifetime)
	p.account(identity.EmailChangeStarted{Account: laura, Change: change, Email: address, ExpiresAt: day})
	p.runDue(e)
	n = p.wants(n, mail.Letter{To: address, Subject: "E-pasta adreses maiņa Žurnālā", Text: "\n" + there + "/email-change/" + p.links.EmailChange(laura, change) + "\n"})
	p.account(identity.EmailGiven{Account: laura, Change: change, Confirmation: confirmation, Email: newAddress, ExpiresAt: day})
	p.runDue(e)
	n = p.wants(n, mail.Letter{To: newAddress, Subject: "Apstipriniet jauno e-pasta adresi Žurnālā", Text: "\n" + there + "/email-confirmations/" + p.links.EmailConfirmation(laura, confirmation) + "\n"})
	p.account(identity.EmailChanged{Account: laura, Change: change, OldEmail: address, Email: newAddress}, identity.SessionsEnded{Account: laura, Generation: 1})
	p.runDue(e)
	n = p.wants(n,
		mail.Letter{To: address, Subject: "Jūsu Žurnāla konta e-pasta adrese ir nomainīta", Text: "vairs nevar"},
		mail.Letter{To: newAddress, Subject: "Jūsu Žurnāla konta e-pasta adrese ir nomainīta", Text: "ar šo adresi"})

	// An administrator begins one: both are told, and the old one can stop it.
	recovery := identity.EmailChangeID{UUID: uuid.New()}
	proof := identity.ConfirmationID{UUID: uuid.New()}
	p.account(identity.EmailRecoveryStarted{
		Account: laura, Change: recovery, Confirmation: proof, Municipality: municipality, School: school,
		OldEmail: newAddress, Email: "laura@trese.lv", Reason: "Pastkaste slēgta", ExpiresAt: day,
	})
	p.runDue(e)
	n = p.wants(n,
		mail.Letter{To: newAddress, Subject: "Jūsu Žurnāla konta e-pasta adresi lūdz nomainīt", Text: "\n" + there + "/email-recoveries/" + p.links.StopEmailChange(laura, recovery) + "\n"},
		mail.Letter{To: "laura@trese.lv", Subject: "Apstipriniet jauno e-pasta adresi Žurnālā", Text: "administrators"})

	// Who has the address already is told so, and by no link.
	owner := domain.NewID[domain.AccountID]()
	p.append(identity.Accounts.Stream(owner),
		identity.UserInvited{Account: owner, Invitation: domain.NewID[domain.InvitationID](), GivenName: "Ieva", FamilyName: "Cita", Email: "ieva@skola.lv", LinkExpiresAt: p.Now().Add(identity.LinkLifetime)},
		identity.RegistrationConfirmed{Account: owner, Credential: domain.NewID[domain.CredentialID]()},
		identity.LanguageChosen{Account: owner, Language: identity.English})
	p.runDue(e)
	p.account(
		identity.EmailChangeStarted{Account: laura, Change: change, Email: newAddress, ExpiresAt: day},
		identity.EmailGiven{Account: laura, Change: change, Confirmation: confirmation, Email: "IEVA@skola.lv", TakenBy: owner, ExpiresAt: day})
	p.runDue(e)
	p.wants(n,
		mail.Letter{To: newAddress, Subject: "E-pasta adreses maiņa Žurnālā"},
		mail.Letter{To: "ieva@skola.lv", Subject: "Somebody gave your e-mail address in Žurnāls", Text: "nothing has changed"})
	for _, l := range p.letters(n + 2)[n:] {
		if l.To == "ieva@skola.lv" && strings.Contains(l.Text, "http") {
			t.Errorf("a link for the owner:\n%s", l.Text)
		}
	}
}

// Somebody mistyped: only the right address gets a letter. Somebody lost the
// mailbox before the first sign-in: the old one is told.
func TestLettersAboutACorrectedAddress(t *testing.T) {
	trace.Covers(t, "C07")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.invite()
	p.runDue(e)
	again := domain.NewID[domain.InvitationID]()
	until := p.Now().Add(identity.LinkLifetime)
	p.account(identity.EmailCorrected{Account: laura, Invitation: again, Municipality: municipality, School: school, OldEmail: address, Email: newAddress, LinkExpiresAt: until})
	p.runDue(e)
	n := p.wants(1, mail.Letter{To: newAddress, Subject: "Atkārtots uzaicinājums reģistrēties Žurnālā", Text: "/registrations/" + p.links.Registration(laura, again)})
	third := domain.NewID[domain.InvitationID]()
	p.account(
		identity.RegistrationConfirmed{Account: laura, Invitation: again, Credential: domain.NewID[domain.CredentialID]()},
		identity.EmailCorrected{Account: laura, Invitation: third, OldEmail: newAddress, Email: "laura@trese.lv", Reason: "Slēgta", LinkExpiresAt: until})
	p.runDue(e)
	p.wants(n,
		mail.Letter{To: "laura@trese.lv", Subject: "Atkārtots uzaicinājums reģistrēties Žurnālā", Text: p.links.Registration(laura, third)},
		mail.Letter{To: newAddress, Subject: "Jūsu Žurnāla konta e-pasta adrese ir nomainīta"})
}

// Letters are in the language that was chosen.
func TestLettersAboutThePassword(t *testing.T) {
	trace.Covers(t, "EMU-061")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.registers()
	p.account(identity.LanguageChosen{Account: laura, Language: identity.English})
	p.runDue(e)
	p.account(identity.PasswordResetAsked{Account: laura, Reset: reset, Email: address, ExpiresAt: p.Now().Add(identity.ResetLifetime)})
	p.runDue(e)
	n := p.wants(0, mail.Letter{To: address, Subject: "A new password for Žurnāls", Text: "\n" + there + "/password-resets/" + p.links.PasswordReset(laura, reset) + "\n"})
	p.account(identity.PasswordReset{Account: laura, Reset: reset, Credential: domain.NewID[domain.CredentialID](), Email: address})
	p.runDue(e)
	p.account(identity.PasswordChanged{Account: laura, Credential: domain.NewID[domain.CredentialID](), Session: domain.NewID[domain.SessionID](), Email: address})
	p.runDue(e)
	n = p.wants(n,
		mail.Letter{To: address, Subject: "The password of your Žurnāls account has been changed"},
		mail.Letter{To: address, Subject: "The password of your Žurnāls account has been changed"})

	p.account(identity.PasskeyAdded{Account: laura, Credential: domain.NewID[domain.CredentialID](), Name: "Telefons", Email: address, AddedAt: p.Now()})
	p.runDue(e)
	n = p.wants(n, mail.Letter{To: address, Subject: "A passkey has been added to your Žurnāls account", Text: "Telefons"})

	// A link that is dead when its letter is to be sent is not sent.
	p.account(identity.PasswordResetAsked{Account: laura, Reset: identity.PasswordResetID{UUID: uuid.New()}, Email: address, ExpiresAt: p.Now().Add(-time.Second)})
	p.runDue(e)
	p.letters(n)
}

// Who has another personal code now is told, at the address there is.
func TestALetterAboutACorrectedCode(t *testing.T) {
	trace.Covers(t, "EMU-097")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.registers()
	p.runDue(e)
	p.account(identity.PersonalCodeCorrected{Account: laura, OldCode: "24068311611", PersonalCode: "32000012345", Email: address, Reason: "Failā bija cita kods"})
	p.runDue(e)
	p.wants(0, mail.Letter{To: address, Subject: "Jūsu Žurnāla konta personas kods ir izlabots", Text: "320000-*****"})
}

// Those above a school are told when its last administrator is gone.
func TestALetterToEachWhoOverseesASchool(t *testing.T) {
	trace.Covers(t, "C20")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.registers()
	p.runDue(e)
	gone := domain.NewID[domain.AccountID]()
	p.append(identity.Accounts.Stream(gone), identity.UserInvited{Account: gone, Invitation: domain.NewID[domain.InvitationID](), Email: "aizgajis@skola.lv", LinkExpiresAt: p.Now().Add(-time.Hour)})
	p.overseers = []domain.AccountID{laura, gone}
	p.append(access.Administrators.Stream(school), access.AdministratorsGone{Municipality: municipality, School: school})
	p.runDue(e)
	p.runDue(e) // the letters that followed
	p.wants(0, mail.Letter{To: address, Subject: "Skola ir palikusi bez administratora", Text: "Rīgas 99. vidusskola"})
}
