package identity

import (
	"time"

	"zurnals/domain"
)

type (
	// EmailCorrected gives an account that is not in use yet another address,
	// and invites the person there. With a reason it had been confirmed, but
	// nobody had ever signed in: its password is of no use any more.
	EmailCorrected struct {
		Account       domain.AccountID      `json:"account_id"`
		Invitation    domain.InvitationID   `json:"invitation_id"`
		Municipality  domain.MunicipalityID `json:"municipality_id,omitzero"`
		School        domain.SchoolID       `json:"school_id,omitzero"`
		OldEmail      string                `json:"old_email"`
		Email         string                `json:"email"`
		Reason        string                `json:"reason,omitempty"`
		LinkExpiresAt time.Time             `json:"link_expires_at"`
	}

	// EmailChangeStarted begins a change of the address by the person. A link to
	// give the new one goes to Email, the present address.
	EmailChangeStarted struct {
		Account   domain.AccountID `json:"account_id"`
		Change    EmailChangeID    `json:"change_id"`
		Email     string           `json:"email"`
		ExpiresAt time.Time        `json:"expires_at"`
	}

	// EmailGiven says which the new address is to be. A link to confirm it goes
	// to Email, unless another account has it: then a notice goes there.
	EmailGiven struct {
		Account      domain.AccountID `json:"account_id"`
		Change       EmailChangeID    `json:"change_id"`
		Confirmation ConfirmationID   `json:"confirmation_id"`
		Email        string           `json:"email"`
		TakenBy      domain.AccountID `json:"taken_by,omitzero"`
		ExpiresAt    time.Time        `json:"expires_at"`
	}

	// EmailRecoveryStarted begins a change of the address by an administrator,
	// who says why. A link to confirm it goes to Email, a notice with a link to
	// stop it to OldEmail.
	EmailRecoveryStarted struct {
		Account      domain.AccountID      `json:"account_id"`
		Change       EmailChangeID         `json:"change_id"`
		Confirmation ConfirmationID        `json:"confirmation_id"`
		Municipality domain.MunicipalityID `json:"municipality_id,omitzero"`
		School       domain.SchoolID       `json:"school_id,omitzero"`
		OldEmail     string                `json:"old_email"`
		Email        string                `json:"email"`
		Reason       string                `json:"reason"`
		ExpiresAt    time.Time             `json:"expires_at"`
	}

	// EmailChangeReplaced ends a change because another one was begun.
	EmailChangeReplaced struct {
		Account domain.AccountID `json:"account_id"`
		Change  EmailChangeID    `json:"change_id"`
		By      EmailChangeID    `json:"by_change_id"`
	}

	// EmailChangeStopped ends a change that is not wanted.
	EmailChangeStopped struct {
		Account domain.AccountID `json:"account_id"`
		Change  EmailChangeID    `json:"change_id"`
	}

	// EmailChanged gives the account the confirmed address. Both are told.
	EmailChanged struct {
		Account  domain.AccountID `json:"account_id"`
		Change   EmailChangeID    `json:"change_id"`
		OldEmail string           `json:"old_email"`
		Email    string           `json:"email"`
	}
)

func (EmailCorrected) EventType() string       { return "identity.email_corrected" }
func (EmailChangeStarted) EventType() string   { return "identity.email_change_started" }
func (EmailGiven) EventType() string           { return "identity.email_given" }
func (EmailRecoveryStarted) EventType() string { return "identity.email_recovery_started" }
func (EmailChangeReplaced) EventType() string  { return "identity.email_change_replaced" }
func (EmailChangeStopped) EventType() string   { return "identity.email_change_stopped" }
func (EmailChanged) EventType() string         { return "identity.email_changed" }

func (EmailCorrected) account()       {}
func (EmailChangeStarted) account()   {}
func (EmailGiven) account()           {}
func (EmailRecoveryStarted) account() {}
func (EmailChangeReplaced) account()  {}
func (EmailChangeStopped) account()   {}
func (EmailChanged) account()         {}

// Claims keeps two accounts from having one e-mail address.
func (e EmailCorrected) Claims() []domain.Claim { return claims(e.Email, "") }

// Releases lets somebody else have the former address.
func (e EmailCorrected) Releases() []domain.Claim { return claims(e.OldEmail, "") }

// Claims keeps two accounts from having one e-mail address: one that somebody
// else has taken since it was given is refused here (S-08).
func (e EmailChanged) Claims() []domain.Claim { return claims(e.Email, "") }

// Releases lets somebody else have the former address.
func (e EmailChanged) Releases() []domain.Claim { return claims(e.OldEmail, "") }

func (e *EmailCorrected) PersonalFields() []domain.PersonalField {
	of := e.Account.Subject()
	return []domain.PersonalField{
		{Subject: of, Tag: "old_email", Value: &e.OldEmail},
		{Subject: of, Tag: "email", Value: &e.Email},
		{Subject: of, Tag: "reason", Value: &e.Reason},
	}
}

func (e *EmailChangeStarted) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *EmailGiven) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email}}
}

func (e *EmailRecoveryStarted) PersonalFields() []domain.PersonalField {
	of := e.Account.Subject()
	return []domain.PersonalField{
		{Subject: of, Tag: "old_email", Value: &e.OldEmail},
		{Subject: of, Tag: "email", Value: &e.Email},
		{Subject: of, Tag: "reason", Value: &e.Reason},
	}
}

func (e *EmailChanged) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{
		{Subject: e.Account.Subject(), Tag: "old_email", Value: &e.OldEmail},
		{Subject: e.Account.Subject(), Tag: "email", Value: &e.Email},
	}
}
