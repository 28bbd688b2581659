package identity

import (
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
)

// Terms of changing an e-mail address.
const (
	ChangeLifetime = 24 * time.Hour // of both links, from when the change is begun (EMU-030)
	ChangesMax     = 5              // changes begun, or addresses corrected, within ChangesWithin
	ChangesWithin  = 24 * time.Hour
	AddressesMax   = 5 // new addresses given within one change: each is mailed to
	ReasonMax      = 500
)

// Refusals of changing an e-mail address.
var (
	ErrSelfManaged   = domain.Refuse(domain.Conflict, "identity.email_is_self_managed", "the person has registered, and changes the address himself")
	ErrUnconfirmed   = domain.Refuse(domain.Conflict, "identity.unconfirmed", "the person has not registered yet: correct the address")
	ErrEmailSame     = domain.Refuse(domain.Invalid, "identity.email_same", "the account has this address already")
	ErrChanges       = domain.Refuse(domain.TooMany, "identity.too_many_changes", "the address was to be changed too often today")
	ErrAddresses     = domain.Refuse(domain.TooMany, "identity.too_many_addresses", "too many addresses were given: begin the change anew")
	ErrChangeExpired = domain.Refuse(domain.Gone, "identity.change_expired", "the link has expired: begin the change of the address anew")
	ErrChangeOver    = domain.Refuse(domain.Gone, "identity.change_replaced", "another change of the address was begun: use its links")
	ErrChangeDone    = domain.Refuse(domain.Gone, "identity.change_done", "the address has been changed")
	ErrChangeStopped = domain.Refuse(domain.Gone, "identity.change_stopped", "the change of the address was stopped")
)

// An EmailChangeID is a change of the address of an account.
type EmailChangeID struct{ uuid.UUID }

// A ConfirmationID is a new address that was given and is to be confirmed.
type ConfirmationID struct{ uuid.UUID }

type (
	// CorrectEmail corrects the address of who has not registered yet. All
	// earlier links die; a new one goes to the new address (C-01).
	CorrectEmail struct {
		Account      domain.AccountID
		Invitation   domain.InvitationID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Email        string
		At           time.Time
	}

	// StartEmailChange begins a change by the person: a link goes to the address
	// there is (EMU-026). It replaces one that was begun before.
	StartEmailChange struct {
		Account domain.AccountID
		Change  EmailChangeID
		At      time.Time
	}

	// GiveEmail gives the new address; a second link goes there (EMU-027).
	// TakenBy is the account that has it already: then no link is sent.
	GiveEmail struct {
		Account      domain.AccountID
		Change       EmailChangeID
		Confirmation ConfirmationID
		Email        string
		TakenBy      domain.AccountID
		At           time.Time
	}

	// RecoverEmail begins a change for somebody who has lost the mailbox, by an
	// administrator who says why. Nothing changes until the new address is
	// confirmed. Who has never signed in is invited again instead, because the
	// code of the first sign-in would go to the lost mailbox (C-03).
	RecoverEmail struct {
		Account      domain.AccountID
		Change       EmailChangeID
		Confirmation ConfirmationID
		Invitation   domain.InvitationID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Email        string
		Reason       string
		At           time.Time
	}

	// ConfirmEmail follows the link to the new address. Only then it changes.
	ConfirmEmail struct {
		Account      domain.AccountID
		Confirmation ConfirmationID
		At           time.Time
	}

	// StopEmailChange ends a change that is not finished.
	StopEmailChange struct {
		Account domain.AccountID
		Change  EmailChangeID
		At      time.Time
	}
)

func (CorrectEmail) accountCommand()     {}
func (StartEmailChange) accountCommand() {}
func (GiveEmail) accountCommand()        {}
func (RecoverEmail) accountCommand()     {}
func (ConfirmEmail) accountCommand()     {}
func (StopEmailChange) accountCommand()  {}

// A change of the address: the last one there was.
type change struct {
	id           EmailChangeID
	confirmation ConfirmationID // of the last new address, zero before there is one
	email        string         // the new address
	taken        bool           // another account has it
	recovery     bool           // begun by an administrator
	addresses    int            // given so far
	expires      time.Time
	done         bool
	stopped      bool
}

// open says whether a change is under way at a moment.
func (c change) open(at time.Time) bool {
	return c.id != EmailChangeID{} && !c.done && !c.stopped && at.Before(c.expires)
}

// Change returns the last change of the address, zero if there was none.
func (a Account) Change() EmailChangeID { return a.change.id }

// NewEmail returns the address that waits for being confirmed.
func (a Account) NewEmail() string { return a.change.email }

// CheckChange returns nil if the link to the present address works, by which
// the new one is given, or the change is stopped.
func (a Account) CheckChange(id EmailChangeID, at time.Time) error {
	switch c := a.change; {
	case !a.Active():
		return ErrNoAccount
	case c.id != id:
		return ErrChangeOver
	case c.done:
		return ErrChangeDone
	case c.stopped:
		return ErrChangeStopped
	case !at.Before(c.expires):
		return ErrChangeExpired
	}
	return nil
}

// CheckConfirmation returns nil if the link to a new address works.
func (a Account) CheckConfirmation(id ConfirmationID, at time.Time) error {
	switch {
	case !a.Active():
		return ErrNoAccount
	case id == ConfirmationID{} || a.change.confirmation != id || a.change.taken:
		return ErrChangeOver
	}
	return a.CheckChange(a.change.id, at)
}

func (a Account) correctEmail(cmd CorrectEmail) ([]AccountEvent, error) {
	email, err := ParseEmail(cmd.Email)
	switch {
	case !a.Exists():
		return nil, ErrNoAccount
	case a.Active():
		return nil, ErrSelfManaged
	case err != nil:
		return nil, ErrEmail.In("email")
	case a.email == email:
		return nil, nil
	case tooOften(a.changes, ChangesMax, cmd.At.Add(ChangeLifetime-ChangesWithin)):
		return nil, ErrChanges
	}
	return []AccountEvent{EmailCorrected{
		Account: cmd.Account, Invitation: cmd.Invitation, Municipality: cmd.Municipality, School: cmd.School,
		OldEmail: a.email, Email: email, LinkExpiresAt: cmd.At.Add(LinkLifetime),
	}}, nil
}

func (a Account) startChange(cmd StartEmailChange) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case a.change.id == cmd.Change:
		return nil, nil
	case tooOften(a.changes, ChangesMax, cmd.At.Add(ChangeLifetime-ChangesWithin)):
		return nil, ErrChanges
	}
	return append(a.replaced(cmd.Account, cmd.Change, cmd.At), EmailChangeStarted{
		Account: cmd.Account, Change: cmd.Change, Email: a.email, ExpiresAt: cmd.At.Add(ChangeLifetime),
	}), nil
}

// replaced ends the change that is under way, if there is one, for another.
func (a Account) replaced(account domain.AccountID, by EmailChangeID, at time.Time) []AccountEvent {
	if !a.change.open(at) {
		return nil
	}
	return []AccountEvent{EmailChangeReplaced{Account: account, Change: a.change.id, By: by}}
}

func (a Account) giveEmail(cmd GiveEmail) ([]AccountEvent, error) {
	if a.change.confirmation == cmd.Confirmation && a.change.id == cmd.Change {
		return nil, nil
	}
	if err := a.CheckChange(cmd.Change, cmd.At); err != nil {
		return nil, err
	}
	email, err := ParseEmail(cmd.Email)
	switch {
	case err != nil:
		return nil, ErrEmail.In("email")
	case a.change.recovery: // its address was given by the administrator
		return nil, ErrChangeOver
	case EmailClaim(email) == EmailClaim(a.email):
		return nil, ErrEmailSame.In("email")
	case a.change.addresses >= AddressesMax:
		return nil, ErrAddresses
	}
	return []AccountEvent{EmailGiven{
		Account: cmd.Account, Change: cmd.Change, Confirmation: cmd.Confirmation, Email: email,
		TakenBy: cmd.TakenBy, ExpiresAt: a.change.expires,
	}}, nil
}

func (a Account) recoverEmail(cmd RecoverEmail) ([]AccountEvent, error) {
	email, err := ParseEmail(cmd.Email)
	var check domain.Check
	check.Field("email", err)
	reason, err := domain.Line(cmd.Reason, ReasonMax)
	check.Field("reason", err)
	switch {
	case !a.Exists():
		return nil, ErrNoAccount
	case !a.Active():
		return nil, ErrUnconfirmed
	case check.Err() != nil:
		return nil, check.Err()
	case a.change.id == cmd.Change:
		return nil, nil
	case EmailClaim(email) == EmailClaim(a.email):
		return nil, ErrEmailSame.In("email")
	case tooOften(a.changes, ChangesMax, cmd.At.Add(ChangeLifetime-ChangesWithin)):
		return nil, ErrChanges
	case !a.signedIn:
		return []AccountEvent{EmailCorrected{
			Account: cmd.Account, Invitation: cmd.Invitation, Municipality: cmd.Municipality, School: cmd.School,
			OldEmail: a.email, Email: email, Reason: reason, LinkExpiresAt: cmd.At.Add(LinkLifetime),
		}}, nil
	}
	return append(a.replaced(cmd.Account, cmd.Change, cmd.At), EmailRecoveryStarted{
		Account: cmd.Account, Change: cmd.Change, Confirmation: cmd.Confirmation, Municipality: cmd.Municipality, School: cmd.School,
		OldEmail: a.email, Email: email, Reason: reason, ExpiresAt: cmd.At.Add(ChangeLifetime),
	}), nil
}

func (a Account) confirmEmail(cmd ConfirmEmail) ([]AccountEvent, error) {
	if a.Active() && a.change.done && a.change.confirmation == cmd.Confirmation {
		return nil, nil
	}
	if err := a.CheckConfirmation(cmd.Confirmation, cmd.At); err != nil {
		return nil, err
	}
	return []AccountEvent{
		EmailChanged{Account: cmd.Account, Change: a.change.id, OldEmail: a.email, Email: a.change.email},
		SessionsEnded{Account: cmd.Account, Generation: a.generation + 1},
	}, nil
}

func (a Account) stopChange(cmd StopEmailChange) ([]AccountEvent, error) {
	if a.Active() && a.change.id == cmd.Change && a.change.stopped {
		return nil, nil
	}
	if err := a.CheckChange(cmd.Change, cmd.At); err != nil {
		return nil, err
	}
	return []AccountEvent{EmailChangeStopped{Account: cmd.Account, Change: cmd.Change}}, nil
}

// evolveEmail is evolve for the events of changing an address.
func (a Account) evolveEmail(e AccountEvent) Account {
	switch e := e.(type) {
	case EmailCorrected:
		a.status, a.email, a.credential = invited, e.Email, domain.CredentialID{}
		a.invitation, a.expires, a.resent = e.Invitation, e.LinkExpiresAt, nil
		a.change, a.challenge, a.reset = change{}, challenge{}, reset{}
		a.changes = last(a.changes, e.LinkExpiresAt.Add(ChangeLifetime-LinkLifetime), ChangesMax)
		a.edition++
	case EmailChangeStarted:
		a.change = change{id: e.Change, expires: e.ExpiresAt}
		a.changes = last(a.changes, e.ExpiresAt, ChangesMax)
	case EmailGiven:
		a.change.confirmation, a.change.email, a.change.taken = e.Confirmation, e.Email, !e.TakenBy.IsZero()
		a.change.addresses++
	case EmailRecoveryStarted:
		a.change = change{id: e.Change, confirmation: e.Confirmation, email: e.Email, recovery: true, expires: e.ExpiresAt}
		a.changes = last(a.changes, e.ExpiresAt, ChangesMax)
	case EmailChangeReplaced, EmailChangeStopped:
		a.change.stopped = true
	case EmailChanged:
		a.email, a.change.done = e.Email, true
		a.challenge, a.reset = challenge{}, reset{} // what was mailed to the old address is of no use any more
		a.edition++
	}
	return a
}
