// Package identity keeps the accounts (lietotāji) of school staff: how a
// person is invited (uzaicinājums), confirms the registration and signs in
// (pieslēgšanās). Pupils have no such account (EMU-058).
package identity

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
)

// Terms of the links and codes that are mailed.
const (
	LinkLifetime = 5 * 24 * time.Hour // of a registration link: “derīga 5 dienas” (EMU-012)
	CodeLifetime = 10 * time.Minute   // of a login code (S-06)
	CodeTries    = 5                  // at one login code (S-06)
	ResendMax    = 5                  // invitations sent again within ResendWithin
	ResendWithin = 24 * time.Hour
	CodesMax     = 5 // login codes within CodesWithin: more would let the code be guessed
	CodesWithin  = time.Hour
)

// Refusals of an account.
var (
	ErrNoAccount     = domain.Refuse(domain.NotFound, "identity.no_account", "no such account")
	ErrExists        = domain.Refuse(domain.Conflict, "identity.account_exists", "the account exists already")
	ErrConfirmed     = domain.Refuse(domain.Conflict, "identity.confirmed", "the registration is already confirmed")
	ErrResends       = domain.Refuse(domain.TooMany, "identity.too_many_invitations", "the invitation was sent too often today")
	ErrLinkExpired   = domain.Refuse(domain.Gone, "identity.link_expired", "the registration link has expired: ask for a new one")
	ErrLinkReplaced  = domain.Refuse(domain.Gone, "identity.link_replaced", "a newer registration link was sent: use that one")
	ErrLinkUsed      = domain.Refuse(domain.Gone, "identity.link_used", "the registration link was used: sign in")
	ErrLinkWithdrawn = domain.Refuse(domain.Gone, "identity.link_withdrawn", "the invitation was withdrawn")
	ErrSignIn        = domain.Refuse(domain.Unauthenticated, "identity.sign_in", "e-mail address or password is wrong")
	ErrCodes         = domain.Refuse(domain.TooMany, "identity.too_many_codes", "too many codes were sent: try again later")
	ErrCodeExpired   = domain.Refuse(domain.Gone, "identity.code_expired", "the code has expired: sign in again")
	ErrCodeReplaced  = domain.Refuse(domain.Gone, "identity.code_replaced", "a newer code was sent: use that one")
	ErrCodeUsed      = domain.Refuse(domain.Gone, "identity.code_used", "the code was used: sign in again")
)

// A ChallengeID is a sign-in that waits for its mailed code.
type ChallengeID struct{ uuid.UUID }

// A Method says how somebody has signed in.
type Method string

const (
	ByPassword Method = "password"      // e-mail address and password
	ByCode     Method = "password_code" // the same, and a mailed code
	ByPasskey  Method = "passkey"
)

// An AccountCommand asks an account for something. At is when it is asked.
//
//sumtype:decl
type AccountCommand interface{ accountCommand() }

type (
	// InviteUser opens an account for a person, who is mailed a link.
	InviteUser struct {
		Account      domain.AccountID
		Invitation   domain.InvitationID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Person       Person
		At           time.Time
	}

	// AttachUser says that a person who has an account works at one more place.
	// Who has not registered yet is sent a new link, under Invitation.
	AttachUser struct {
		Account      domain.AccountID
		Invitation   domain.InvitationID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		At           time.Time
	}

	// ResendInvitation sends who has not registered yet a new link.
	ResendInvitation struct {
		Account    domain.AccountID
		Invitation domain.InvitationID
		At         time.Time
	}

	// WithdrawInvitation closes an account that nobody has registered for.
	WithdrawInvitation struct{ Account domain.AccountID }

	// ConfirmRegistration follows a link, with a password kept as Credential.
	ConfirmRegistration struct {
		Account    domain.AccountID
		Invitation domain.InvitationID
		Credential domain.CredentialID
		At         time.Time
	}

	// SignIn begins a session for who has given the right password, or asks for
	// a code first: the first time, and every time if AlwaysCode (C-04).
	SignIn struct {
		Account    domain.AccountID
		Session    domain.SessionID
		Challenge  ChallengeID
		AlwaysCode bool
		At         time.Time
	}

	// AcceptCode begins a session for who has given the right code too.
	AcceptCode struct {
		Account   domain.AccountID
		Challenge ChallengeID
		Session   domain.SessionID
		At        time.Time
	}

	// EndSessions ends all sessions there are.
	EndSessions struct{ Account domain.AccountID }
)

func (InviteUser) accountCommand()          {}
func (AttachUser) accountCommand()          {}
func (ResendInvitation) accountCommand()    {}
func (WithdrawInvitation) accountCommand()  {}
func (ConfirmRegistration) accountCommand() {}
func (SignIn) accountCommand()              {}
func (AcceptCode) accountCommand()          {}
func (EndSessions) accountCommand()         {}

// An Account is what later decisions need to know of an account.
type Account struct {
	status     status
	email      string
	code       domain.PersonalCode
	invitation domain.InvitationID // the newest
	expires    time.Time           // of its link
	resent     []time.Time         // expiries of links sent again, the last ResendMax
	credential domain.CredentialID
	generation int
	signedIn   bool // ever
	challenge  challenge
	codes      []time.Time // expiries of codes, the last CodesMax
	givenName  string
	familyName string
	edition    int // of name and address, for two who edit them
	language   Language
	change     change      // of the address
	changes    []time.Time // expiries of changes, the last ChangesMax
	reset      reset       // of the password
	resets     []time.Time // expiries of resets, the last ResetsMax
	external   []External  // that the person may sign in by, at most one of a provider
	passkeys   []Passkey   // that the person may sign in by, too
}

type status uint8

const (
	none status = iota
	invited
	confirmed
	withdrawn
	deleted
)

type challenge struct {
	id      ChallengeID
	expires time.Time
	used    bool
}

// State names how far the account has come: empty before there was one.
func (a Account) State() string {
	return [...]string{none: "", invited: "invited", confirmed: "confirmed", withdrawn: "withdrawn", deleted: "deleted"}[a.status]
}

// Exists says whether there is such an account.
func (a Account) Exists() bool { return a.status == invited || a.status == confirmed }

// Active says whether the account may be used: its registration is confirmed.
func (a Account) Active() bool { return a.status == confirmed }

// Generation is the number that sessions must have been begun under.
func (a Account) Generation() int { return a.generation }

// Credential returns the password that counts, zero if there is none.
func (a Account) Credential() domain.CredentialID { return a.credential }

// Email returns the address of the account.
func (a Account) Email() string { return a.email }

// Invitation returns the newest invitation, zero if there is none to follow.
func (a Account) Invitation() domain.InvitationID {
	if a.status != invited {
		return domain.InvitationID{}
	}
	return a.invitation
}

// Accounts decides for accounts, one to a stream.
var Accounts = domain.Decider[Account, AccountCommand, AccountEvent]{
	Category: "account",
	Decide:   Account.decide,
	Evolve:   Account.evolve,
}

func (a Account) decide(cmd AccountCommand) ([]AccountEvent, error) {
	switch cmd := cmd.(type) {
	case InviteUser:
		return a.invite(cmd)
	case AttachUser:
		return a.attach(cmd)
	case ResendInvitation:
		return a.resend(cmd)
	case WithdrawInvitation:
		return a.withdraw(cmd)
	case ConfirmRegistration:
		return a.confirm(cmd)
	case SignIn:
		return a.signIn(cmd)
	case AcceptCode:
		return a.acceptCode(cmd)
	case ConnectExternal:
		return a.connect(cmd)
	case DisconnectExternal:
		return a.disconnect(cmd)
	case SignInExternally:
		return a.signInExternally(cmd)
	case AddPasskey:
		return a.addPasskey(cmd)
	case RemovePasskey:
		return a.removePasskey(cmd)
	case SignInByPasskey:
		return a.signInByPasskey(cmd)
	case CorrectEmail:
		return a.correctEmail(cmd)
	case StartEmailChange:
		return a.startChange(cmd)
	case GiveEmail:
		return a.giveEmail(cmd)
	case RecoverEmail:
		return a.recoverEmail(cmd)
	case ConfirmEmail:
		return a.confirmEmail(cmd)
	case StopEmailChange:
		return a.stopChange(cmd)
	case ChangeNames:
		return a.changeNames(cmd)
	case ChooseLanguage:
		return a.chooseLanguage(cmd)
	case ChangePassword:
		return a.changePassword(cmd)
	case CorrectPersonalCode:
		return a.correctCode(cmd)
	case AskPasswordReset:
		return a.askReset(cmd)
	case ResetPassword:
		return a.resetPassword(cmd)
	case Reauthenticate:
		return a.reauthenticate(cmd)
	case DeleteAccount:
		return a.delete(cmd)
	case DeleteAgain:
		return a.deleteAgain(cmd)
	case EndSessions:
		if !a.Active() {
			return nil, ErrNoAccount
		}
		return []AccountEvent{SessionsEnded{Account: cmd.Account, Generation: a.generation + 1}}, nil
	}
	return nil, fmt.Errorf("identity: no decision on %T", cmd)
}

func (a Account) invite(cmd InviteUser) ([]AccountEvent, error) {
	p, err := ParsePerson(cmd.Person.GivenName, cmd.Person.FamilyName, string(cmd.Person.PersonalCode), cmd.Person.Email)
	switch {
	case err != nil:
		return nil, err
	case p.PersonalCode == "" && !cmd.Municipality.IsZero(): // only the operator invites without
		return nil, ErrCodeMissing.In("personal_code")
	case a.status == invited && a.invitation == cmd.Invitation:
		return nil, nil
	case a.status != none:
		return nil, ErrExists
	}
	return []AccountEvent{UserInvited{
		Account: cmd.Account, Invitation: cmd.Invitation, Municipality: cmd.Municipality, School: cmd.School,
		GivenName: p.GivenName, FamilyName: p.FamilyName, PersonalCode: p.PersonalCode, Email: p.Email,
		LinkExpiresAt: cmd.At.Add(LinkLifetime),
	}}, nil
}

func (a Account) attach(cmd AttachUser) ([]AccountEvent, error) {
	if !a.Exists() {
		return nil, ErrNoAccount
	}
	attached := []AccountEvent{UserAttached{Account: cmd.Account, Municipality: cmd.Municipality, School: cmd.School, Email: a.email}}
	again, err := a.resend(ResendInvitation{Account: cmd.Account, Invitation: cmd.Invitation, At: cmd.At})
	if err != nil { // registered already, or sent too often: the notice is enough
		return attached, nil
	}
	return append(attached, again...), nil
}

func (a Account) resend(cmd ResendInvitation) ([]AccountEvent, error) {
	switch {
	case !a.Exists():
		return nil, ErrNoAccount
	case a.Active():
		return nil, ErrConfirmed
	case a.invitation == cmd.Invitation:
		return nil, nil
	case tooOften(a.resent, ResendMax, cmd.At.Add(LinkLifetime-ResendWithin)):
		return nil, ErrResends
	}
	return []AccountEvent{InvitationResent{
		Account: cmd.Account, Invitation: cmd.Invitation, Email: a.email, LinkExpiresAt: cmd.At.Add(LinkLifetime),
	}}, nil
}

func (a Account) withdraw(cmd WithdrawInvitation) ([]AccountEvent, error) {
	switch a.status {
	case none, deleted:
		return nil, ErrNoAccount
	case confirmed:
		return nil, ErrConfirmed
	case withdrawn:
		return nil, nil
	}
	return []AccountEvent{InvitationWithdrawn{Account: cmd.Account, PersonalCode: a.code, Email: a.email}}, nil
}

// CheckLink returns nil if the link of an invitation works at a moment.
func (a Account) CheckLink(invitation domain.InvitationID, at time.Time) error {
	switch {
	case a.status == none, a.status == deleted:
		return ErrNoAccount
	case a.status == withdrawn:
		return ErrLinkWithdrawn
	case a.invitation != invitation:
		return ErrLinkReplaced
	case a.status == confirmed:
		return ErrLinkUsed
	case !at.Before(a.expires):
		return ErrLinkExpired
	}
	return nil
}

func (a Account) confirm(cmd ConfirmRegistration) ([]AccountEvent, error) {
	if a.Active() && a.credential == cmd.Credential {
		return nil, nil
	}
	if err := a.CheckLink(cmd.Invitation, cmd.At); err != nil {
		return nil, err
	}
	return []AccountEvent{RegistrationConfirmed{Account: cmd.Account, Invitation: cmd.Invitation, Credential: cmd.Credential}}, nil
}

func (a Account) signIn(cmd SignIn) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrSignIn
	case a.signedIn && !cmd.AlwaysCode:
		return []AccountEvent{SignedIn{Account: cmd.Account, Session: cmd.Session, Method: ByPassword}}, nil
	case tooOften(a.codes, CodesMax, cmd.At.Add(CodeLifetime-CodesWithin)):
		return nil, ErrCodes
	}
	return []AccountEvent{LoginCodeIssued{
		Account: cmd.Account, Challenge: cmd.Challenge, Email: a.email, ExpiresAt: cmd.At.Add(CodeLifetime),
	}}, nil
}

// CheckCode returns nil if the code of a challenge may be given at a moment.
func (a Account) CheckCode(id ChallengeID, at time.Time) error {
	switch {
	case !a.Active():
		return ErrNoAccount
	case a.challenge.id != id:
		return ErrCodeReplaced
	case a.challenge.used:
		return ErrCodeUsed
	case !at.Before(a.challenge.expires):
		return ErrCodeExpired
	}
	return nil
}

func (a Account) acceptCode(cmd AcceptCode) ([]AccountEvent, error) {
	if err := a.CheckCode(cmd.Challenge, cmd.At); err != nil {
		return nil, err
	}
	return []AccountEvent{
		LoginCodeAccepted{Account: cmd.Account, Challenge: cmd.Challenge},
		SignedIn{Account: cmd.Account, Session: cmd.Session, Method: ByCode},
	}, nil
}

// tooOften says whether there are max times, and the oldest is after since.
func tooOften(times []time.Time, max int, since time.Time) bool {
	return len(times) >= max && times[len(times)-max].After(since)
}

// last adds t and keeps the last max, in a slice of its own.
func last(times []time.Time, t time.Time, max int) []time.Time {
	times = append(slices.Clip(times), t)
	return times[len(times)-min(len(times), max):]
}

func (a Account) evolve(e AccountEvent) Account {
	switch e := e.(type) {
	case UserInvited:
		a.status, a.email, a.code = invited, e.Email, e.PersonalCode
		a.givenName, a.familyName, a.edition = e.GivenName, e.FamilyName, 1
		a.invitation, a.expires = e.Invitation, e.LinkExpiresAt
	case InvitationResent:
		a.invitation, a.expires = e.Invitation, e.LinkExpiresAt
		a.resent = last(a.resent, e.LinkExpiresAt, ResendMax)
	case InvitationWithdrawn:
		a.status = withdrawn
	case UserAttached:
	case RegistrationConfirmed:
		a.status, a.credential = confirmed, e.Credential
	case LoginCodeIssued:
		a.challenge = challenge{id: e.Challenge, expires: e.ExpiresAt}
		a.codes = last(a.codes, e.ExpiresAt, CodesMax)
	case LoginCodeAccepted:
		a.challenge.used = true
	case SignedIn:
		a.signedIn = true
	case ExternalLoginConnected:
		a.external = append(slices.Clip(a.external), External{Provider: e.Provider, Issuer: e.Issuer, Subject: e.Subject})
	case ExternalLoginDisconnected:
		a.external = slices.DeleteFunc(slices.Clone(a.external), func(x External) bool { return x.Provider == e.Provider })
	case PersonalCodeCorrected:
		a.code = e.PersonalCode
	case PasskeyAdded, PasskeyRemoved:
		return a.evolvePasskeys(e)
	case SessionsEnded:
		a.generation = e.Generation
	case EmailCorrected, EmailChangeStarted, EmailGiven, EmailRecoveryStarted, EmailChangeReplaced, EmailChangeStopped, EmailChanged:
		return a.evolveEmail(e)
	case NamesChanged, LanguageChosen, PasswordChanged, PasswordResetAsked, PasswordReset, Reauthenticated, AccountDeleted:
		return a.evolveOwn(e)
	}
	return a
}
