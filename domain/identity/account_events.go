package identity

import (
	"time"

	"zurnals/domain"
)

// Events of accounts. Their types and JSON are in the log for good: to change
// or drop a field, add an upcast here and a golden file in
// domain/catalogue/testdata.
//
// An event after which a mail is sent names the address it is sent to, so that
// what was sent where can be told from the event alone.
var Events = []domain.Definition{
	domain.Define[UserInvited](),
	domain.Define[InvitationResent](),
	domain.Define[InvitationWithdrawn](),
	domain.Define[UserAttached](),
	domain.Define[RegistrationConfirmed](),
	domain.Define[LoginCodeIssued](),
	domain.Define[LoginCodeAccepted](),
	domain.Define[SignedIn](),
	domain.Define[SessionsEnded](),
	domain.Define[ExternalLoginConnected](),
	domain.Define[ExternalLoginDisconnected](),
	domain.Define[PasskeyAdded](),
	domain.Define[PasskeyRemoved](),
	domain.Define[EmailCorrected](),
	domain.Define[EmailChangeStarted](),
	domain.Define[EmailGiven](),
	domain.Define[EmailRecoveryStarted](),
	domain.Define[EmailChangeReplaced](),
	domain.Define[EmailChangeStopped](),
	domain.Define[EmailChanged](),
	domain.Define[NamesChanged](),
	domain.Define[PersonalCodeCorrected](),
	domain.Define[LanguageChosen](),
	domain.Define[PasswordChanged](),
	domain.Define[PasswordResetAsked](),
	domain.Define[PasswordReset](),
	domain.Define[Reauthenticated](),
	domain.Define[AccountDeleted](),
	domain.Define[UserImportStarted](),
	domain.Define[UserRowsTaken](),
}

// An AccountEvent is something that has happened to an account.
//
//sumtype:decl
type AccountEvent interface {
	domain.Event
	account()
}

type (
	// UserInvited opens an account. A registration link goes to Email; it works
	// until LinkExpiresAt. Without school the account is of a municipality, and
	// without that of the installation.
	UserInvited struct {
		Account       domain.AccountID      `json:"account_id"`
		Invitation    domain.InvitationID   `json:"invitation_id"`
		Municipality  domain.MunicipalityID `json:"municipality_id,omitzero"`
		School        domain.SchoolID       `json:"school_id,omitzero"`
		GivenName     string                `json:"given_name"`
		FamilyName    string                `json:"family_name"`
		PersonalCode  domain.PersonalCode   `json:"personal_code,omitempty"`
		Email         string                `json:"email"`
		LinkExpiresAt time.Time             `json:"link_expires_at"`
	}

	// InvitationResent replaces the registration link by a new one, which goes
	// to Email.
	InvitationResent struct {
		Account       domain.AccountID    `json:"account_id"`
		Invitation    domain.InvitationID `json:"invitation_id"`
		Email         string              `json:"email"`
		LinkExpiresAt time.Time           `json:"link_expires_at"`
	}

	// InvitationWithdrawn closes an account that nobody has registered for. The
	// address and the personal code are free again.
	InvitationWithdrawn struct {
		Account      domain.AccountID    `json:"account_id"`
		PersonalCode domain.PersonalCode `json:"personal_code,omitempty"`
		Email        string              `json:"email"`
	}

	// UserAttached says that somebody who has an account works at one more
	// place; a notice goes to Email.
	UserAttached struct {
		Account      domain.AccountID      `json:"account_id"`
		Municipality domain.MunicipalityID `json:"municipality_id,omitzero"`
		School       domain.SchoolID       `json:"school_id,omitzero"`
		Email        string                `json:"email"`
	}

	// RegistrationConfirmed says that the person has followed the registration
	// link and chosen a password, which is kept outside the log.
	RegistrationConfirmed struct {
		Account    domain.AccountID    `json:"account_id"`
		Invitation domain.InvitationID `json:"invitation_id"`
		Credential domain.CredentialID `json:"credential_id"`
	}

	// LoginCodeIssued asks who has given the right password for a code too,
	// which goes to Email and follows from the challenge.
	LoginCodeIssued struct {
		Account   domain.AccountID `json:"account_id"`
		Challenge ChallengeID      `json:"challenge_id"`
		Email     string           `json:"email"`
		ExpiresAt time.Time        `json:"expires_at"`
	}

	// LoginCodeAccepted says that the code of the challenge was given.
	LoginCodeAccepted struct {
		Account   domain.AccountID `json:"account_id"`
		Challenge ChallengeID      `json:"challenge_id"`
	}

	// SignedIn begins a session.
	SignedIn struct {
		Account domain.AccountID `json:"account_id"`
		Session domain.SessionID `json:"session_id"`
		Method  Method           `json:"method"`
	}

	// SessionsEnded ends all sessions of an older generation.
	SessionsEnded struct {
		Account    domain.AccountID `json:"account_id"`
		Generation int              `json:"generation"`
	}
)

func (UserInvited) EventType() string           { return "identity.user_invited" }
func (InvitationResent) EventType() string      { return "identity.invitation_resent" }
func (InvitationWithdrawn) EventType() string   { return "identity.invitation_withdrawn" }
func (UserAttached) EventType() string          { return "identity.user_attached" }
func (RegistrationConfirmed) EventType() string { return "identity.registration_confirmed" }
func (LoginCodeIssued) EventType() string       { return "identity.login_code_issued" }
func (LoginCodeAccepted) EventType() string     { return "identity.login_code_accepted" }
func (SignedIn) EventType() string              { return "identity.signed_in" }
func (SessionsEnded) EventType() string         { return "identity.sessions_ended" }

func (UserInvited) account()           {}
func (InvitationResent) account()      {}
func (InvitationWithdrawn) account()   {}
func (UserAttached) account()          {}
func (RegistrationConfirmed) account() {}
func (LoginCodeIssued) account()       {}
func (LoginCodeAccepted) account()     {}
func (SignedIn) account()              {}
func (SessionsEnded) account()         {}

// Claims keeps two accounts from having one e-mail address, and a person from
// having two accounts.
func (e UserInvited) Claims() []domain.Claim { return claims(e.Email, e.PersonalCode) }

// Releases lets the address and the code be invited again.
func (e InvitationWithdrawn) Releases() []domain.Claim { return claims(e.Email, e.PersonalCode) }

func claims(email string, code domain.PersonalCode) []domain.Claim {
	all := []domain.Claim{EmailClaim(email)}
	if code != "" {
		all = append(all, PersonalCodeClaim(code))
	}
	return all
}

func (e *UserInvited) PersonalFields() []domain.PersonalField {
	of := e.Account.Subject()
	return []domain.PersonalField{
		{Subject: of, Tag: "given_name", Value: &e.GivenName},
		{Subject: of, Tag: "family_name", Value: &e.FamilyName},
		{Subject: of, Tag: "personal_code", Value: (*string)(&e.PersonalCode)},
		{Subject: of, Tag: "email", Value: &e.Email},
	}
}

func (e *InvitationResent) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *InvitationWithdrawn) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{
		{Subject: e.Account.Subject(), Tag: "personal_code", Value: (*string)(&e.PersonalCode)},
		{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email},
	}
}

func (e *UserAttached) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *LoginCodeIssued) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}
