package identity

import (
	"time"

	"zurnals/domain"
)

type (
	// PasskeyAdded says that the person may sign in by a passkey too, whose
	// public key is kept outside the log. A notice goes to Email.
	PasskeyAdded struct {
		Account    domain.AccountID    `json:"account_id"`
		Credential domain.CredentialID `json:"credential_id"`
		Name       string              `json:"name"`
		Email      string              `json:"email"`
		AddedAt    time.Time           `json:"added_at"`
	}

	// PasskeyRemoved says that a passkey counts no longer.
	PasskeyRemoved struct {
		Account    domain.AccountID    `json:"account_id"`
		Credential domain.CredentialID `json:"credential_id"`
	}
)

func (PasskeyAdded) EventType() string   { return "identity.passkey_added" }
func (PasskeyRemoved) EventType() string { return "identity.passkey_removed" }

func (PasskeyAdded) account()   {}
func (PasskeyRemoved) account() {}

func (e *PasskeyAdded) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{
		{Subject: e.Account.Subject(), Tag: "name", Value: &e.Name},
		{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email},
	}
}
