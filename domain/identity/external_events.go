package identity

import "zurnals/domain"

type (
	// ExternalLoginConnected says that the person may sign in by an external
	// identity too, which is theirs alone from then on.
	ExternalLoginConnected struct {
		Account  domain.AccountID `json:"account_id"`
		Provider Provider         `json:"provider"`
		Issuer   string           `json:"issuer"`
		Subject  string           `json:"subject"`
	}

	// ExternalLoginDisconnected gives the external identity back.
	ExternalLoginDisconnected struct {
		Account  domain.AccountID `json:"account_id"`
		Provider Provider         `json:"provider"`
		Issuer   string           `json:"issuer"`
		Subject  string           `json:"subject"`
	}
)

func (ExternalLoginConnected) EventType() string    { return "identity.external_login_connected" }
func (ExternalLoginDisconnected) EventType() string { return "identity.external_login_disconnected" }

func (ExternalLoginConnected) account()    {}
func (ExternalLoginDisconnected) account() {}

// Claims keeps two accounts from being connected with one external identity.
func (e ExternalLoginConnected) Claims() []domain.Claim {
	return []domain.Claim{ExternalClaim(External{Provider: e.Provider, Issuer: e.Issuer, Subject: e.Subject})}
}

// Releases lets the identity be connected with any account.
func (e ExternalLoginDisconnected) Releases() []domain.Claim {
	return []domain.Claim{ExternalClaim(External{Provider: e.Provider, Issuer: e.Issuer, Subject: e.Subject})}
}

func (e *ExternalLoginConnected) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "external_subject", Value: &e.Subject}}
}

func (e *ExternalLoginDisconnected) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Account.Subject(), Tag: "external_subject", Value: &e.Subject}}
}
