package identity

import (
	"strings"

	"zurnals/domain"
)

// ErrCodeTaken refuses a personal code that is another account's.
var ErrCodeTaken = domain.Refuse(domain.Conflict, "identity.personal_code_taken", "another account has this personal code")

// CorrectPersonalCode corrects a personal code that a form or a file had wrong.
// Only the support of the platform does it, and says why (EMU-097, S-15).
type CorrectPersonalCode struct {
	Account      domain.AccountID
	PersonalCode string
	Reason       string
}

func (CorrectPersonalCode) accountCommand() {}

// correctCode ends what rests on the wrong code: an eParaksts identity was
// compared with it (S-14), and whoever is signed in may be somebody else.
func (a Account) correctCode(cmd CorrectPersonalCode) ([]AccountEvent, error) {
	var check domain.Check
	code, err := domain.ParsePersonalCode(cmd.PersonalCode)
	if strings.TrimSpace(cmd.PersonalCode) == "" {
		err = ErrCodeMissing
	}
	check.Field("personal_code", err)
	reason, err := domain.Line(cmd.Reason, ReasonMax)
	check.Field("reason", err)
	switch {
	case !a.Exists():
		return nil, ErrNoAccount
	case check.Err() != nil:
		return nil, check.Err()
	case code == a.code:
		return nil, nil
	}
	events := []AccountEvent{PersonalCodeCorrected{
		Account: cmd.Account, OldCode: a.code, PersonalCode: code, Email: a.email, Reason: reason,
	}}
	if x, ok := a.Connected(Eparaksts); ok {
		events = append(events, ExternalLoginDisconnected{Account: cmd.Account, Provider: x.Provider, Issuer: x.Issuer, Subject: x.Subject})
	}
	if a.Active() {
		events = append(events, SessionsEnded{Account: cmd.Account, Generation: a.generation + 1})
	}
	return events, nil
}
