package commands

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// CorrectPersonalCode asks to correct a personal code that a form or a file had
// wrong, for somebody who works at the place.
type CorrectPersonalCode struct {
	Place        access.Scope
	Account      domain.AccountID
	PersonalCode string
	Reason       string
}

// CorrectPersonalCode corrects the personal code of an account. The wrong one
// is free again for whose it is (EMU-097).
func (c *Commands) CorrectPersonalCode(ctx context.Context, by access.Actor, cmd CorrectPersonalCode) error {
	err := c.atWorkFor(ctx, by, access.CorrectCode, cmd.Place, cmd.Account, func(u *unit, _ access.Held, _ access.Scope) error {
		_, err := decide(u, identity.Accounts, cmd.Account, identity.AccountCommand(identity.CorrectPersonalCode{
			Account: cmd.Account, PersonalCode: cmd.PersonalCode, Reason: cmd.Reason,
		}))
		return err
	})
	if taken(err, identity.PersonalCodeClaim("").Kind) {
		err = identity.ErrCodeTaken.In("personal_code")
	}
	return err
}
