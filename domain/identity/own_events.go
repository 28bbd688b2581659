package identity

import (
	"time"

	"zurnals/domain"
)

type (
	// NamesChanged corrects the name of a person.
	NamesChanged struct {
		Account    domain.AccountID `json:"account_id"`
		GivenName  string           `json:"given_name"`
		FamilyName string           `json:"family_name"`
	}

	// LanguageChosen says in which language letters and answers are wanted.
	LanguageChosen struct {
		Account  domain.AccountID `json:"account_id"`
		Language Language         `json:"language"`
	}

	// PasswordChanged replaces the password, by who knew the one before; a
	// notice goes to Email. Session is the one that goes on.
	PasswordChanged struct {
		Account    domain.AccountID    `json:"account_id"`
		Credential domain.CredentialID `json:"credential_id"`
		Session    domain.SessionID    `json:"session_id"`
		Email      string              `json:"email"`
	}

	// PasswordResetAsked has a link mailed to Email, to choose another password.
	PasswordResetAsked struct {
		Account   domain.AccountID `json:"account_id"`
		Reset     PasswordResetID  `json:"reset_id"`
		Email     string           `json:"email"`
		ExpiresAt time.Time        `json:"expires_at"`
	}

	// PasswordReset says that the link was followed; a notice goes to Email.
	PasswordReset struct {
		Account    domain.AccountID    `json:"account_id"`
		Reset      PasswordResetID     `json:"reset_id"`
		Credential domain.CredentialID `json:"credential_id"`
		Email      string              `json:"email"`
	}

	// Reauthenticated says that the password was given again, for a risky step.
	// Session goes on in the place of the one that asked.
	Reauthenticated struct {
		Account domain.AccountID `json:"account_id"`
		Session domain.SessionID `json:"session_id"`
	}

	// AccountDeleted says that the person has deleted the account. Nobody can
	// read any more who it was.
	AccountDeleted struct {
		Account domain.AccountID `json:"account_id"`

		held []domain.Claim // given back; not stored, because the event must name nobody
	}
)

func (NamesChanged) EventType() string       { return "identity.names_changed" }
func (LanguageChosen) EventType() string     { return "identity.language_chosen" }
func (PasswordChanged) EventType() string    { return "identity.password_changed" }
func (PasswordResetAsked) EventType() string { return "identity.password_reset_asked" }
func (PasswordReset) EventType() string      { return "identity.password_reset" }
func (Reauthenticated) EventType() string    { return "identity.reauthenticated" }
func (AccountDeleted) EventType() string     { return "identity.account_deleted" }

func (NamesChanged) account()       {}
func (LanguageChosen) account()     {}
func (PasswordChanged) account()    {}
func (PasswordResetAsked) account() {}
func (PasswordReset) account()      {}
func (Reauthenticated) account()    {}
func (AccountDeleted) account()     {}

// Releases lets the address, the personal code and the external identities
// belong to another account (C25).
func (e AccountDeleted) Releases() []domain.Claim { return e.held }

// Erases destroys the key of the person at once (C-13).
func (e AccountDeleted) Erases() []domain.SubjectID {
	return []domain.SubjectID{e.Account.Subject()}
}

func (e *NamesChanged) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{
		{Subject: e.Account.Subject(), Tag: "given_name", Value: &e.GivenName},
		{Subject: e.Account.Subject(), Tag: "family_name", Value: &e.FamilyName},
	}
}

func (e *PasswordChanged) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *PasswordResetAsked) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *PasswordReset) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}
