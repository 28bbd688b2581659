package identity

import "zurnals/domain"

// PersonalCodeCorrected gives an account the right personal code, by the
// support of the platform, who says why. A notice goes to Email.
type PersonalCodeCorrected struct {
	Account      domain.AccountID    `json:"account_id"`
	OldCode      domain.PersonalCode `json:"old_personal_code,omitempty"`
	PersonalCode domain.PersonalCode `json:"personal_code"`
	Email        string              `json:"email"`
	Reason       string              `json:"reason"`
}

func (PersonalCodeCorrected) EventType() string { return "identity.personal_code_corrected" }

func (PersonalCodeCorrected) account() {}

// Claims keeps a person from having two accounts.
func (e PersonalCodeCorrected) Claims() []domain.Claim {
	return []domain.Claim{PersonalCodeClaim(e.PersonalCode)}
}

// Releases lets the person whose code it really is have an account.
func (e PersonalCodeCorrected) Releases() []domain.Claim {
	if e.OldCode == "" {
		return nil
	}
	return []domain.Claim{PersonalCodeClaim(e.OldCode)}
}

func (e *PersonalCodeCorrected) PersonalFields() []domain.PersonalField {
	of := e.Account.Subject()
	return []domain.PersonalField{
		{Subject: of, Tag: "old_personal_code", Value: (*string)(&e.OldCode)},
		{Subject: of, Tag: "personal_code", Value: (*string)(&e.PersonalCode)},
		{Subject: of, Tag: "email", Value: &e.Email},
		{Subject: of, Tag: "reason", Value: &e.Reason},
	}
}
