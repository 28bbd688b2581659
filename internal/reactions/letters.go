package reactions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/mail"
)

// To whom the letters of one event go besides the address that it names.
const (
	toOld       = "old"       // the address there was
	toOverseers = "overseers" // all who look after the municipality: a letter to each
)

// addressees returns to whom letters about an event go; "" is the address that
// it names.
func addressees(e eventstore.Event) ([]string, error) {
	switch e.Type {
	case identity.EmailRecoveryStarted{}.EventType(), identity.EmailChanged{}.EventType():
		return []string{"", toOld}, nil
	case identity.EmailCorrected{}.EventType():
		var said struct {
			Reason string `json:"reason"` // sealed; that there is one is enough
		}
		if err := json.Unmarshal(e.Data, &said); err != nil || said.Reason == "" {
			return []string{""}, err // mistyped: nobody there to be told
		}
		return []string{"", toOld}, nil
	case access.AdministratorsGone{}.EventType():
		return []string{toOverseers}, nil
	}
	return []string{""}, nil
}

// about returns the letter about the address or the password of an account, to
// whom it goes, and in which language.
func (w *Mailer) about(ctx context.Context, p person, to string, event identity.AccountEvent) (address string, language identity.Language, content mail.Content, err error) {
	language = p.account.Language()
	switch e := event.(type) {
	case identity.EmailCorrected:
		if to == toOld {
			return e.OldEmail, language, mail.EmailChanged{}, nil
		}
		content, err = w.invitation(ctx, p, e.Account, e.Invitation, e.LinkExpiresAt, true)
		return e.Email, language, content, err
	case identity.EmailChangeStarted:
		content = mail.EmailChange{Link: w.url("/email-change/" + w.Links.EmailChange(e.Account, e.Change)), Until: e.ExpiresAt}
		return e.Email, language, content, dead(p.account.CheckChange(e.Change, w.Now()))
	case identity.EmailGiven:
		if !e.TakenBy.IsZero() {
			owner, err := w.person(ctx, identity.Accounts.Stream(e.TakenBy))
			return owner.account.Email(), owner.account.Language(), mail.EmailTaken{}, err
		}
		content = mail.EmailConfirmation{Link: w.confirmation(e.Account, e.Confirmation), Until: e.ExpiresAt}
		return e.Email, language, content, dead(p.account.CheckConfirmation(e.Confirmation, w.Now()))
	case identity.EmailRecoveryStarted:
		err = dead(p.account.CheckConfirmation(e.Confirmation, w.Now()))
		if to != toOld {
			content = mail.EmailConfirmation{Link: w.confirmation(e.Account, e.Confirmation), Until: e.ExpiresAt, Recovery: true}
			return e.Email, language, content, err
		}
		place, err2 := w.place(ctx, e.School, e.Municipality)
		content = mail.EmailRecovery{Place: place, Link: w.url("/email-recoveries/" + w.Links.StopEmailChange(e.Account, e.Change)), Until: e.ExpiresAt}
		return e.OldEmail, language, content, errors.Join(err, err2)
	case identity.EmailChanged:
		if to == toOld {
			return e.OldEmail, language, mail.EmailChanged{}, nil
		}
		return e.Email, language, mail.EmailChanged{New: true}, nil
	case identity.PersonalCodeCorrected:
		return e.Email, language, mail.PersonalCodeCorrected{Code: e.PersonalCode.String(), Registered: p.account.Active()}, nil
	case identity.PasswordResetAsked:
		content = mail.PasswordReset{Link: w.url("/password-resets/" + w.Links.PasswordReset(e.Account, e.Reset)), Until: e.ExpiresAt}
		return e.Email, language, content, dead(p.account.CheckReset(e.Reset, w.Now()))
	case identity.PasswordChanged:
		return e.Email, language, mail.PasswordChanged{}, nil
	case identity.PasswordReset:
		return e.Email, language, mail.PasswordChanged{}, nil
	case identity.PasskeyAdded:
		return e.Email, language, mail.PasskeyAdded{Name: e.Name}, nil
	}
	return "", language, nil, fmt.Errorf("no letter follows from %s", event.EventType())
}

func (w *Mailer) confirmation(account domain.AccountID, id identity.ConfirmationID) string {
	return w.url("/email-confirmations/" + w.Links.EmailConfirmation(account, id))
}

// spread has each of those who look after the municipality of a school get a
// letter of their own. Done twice, because the server was killed, it makes two
// jobs, whose letters are recognised as one.
func (w *Mailer) spread(ctx context.Context, args MailArgs) error {
	gone, err := w.gone(ctx, args)
	if err != nil {
		return err
	}
	all, err := w.Overseers(ctx, gone.Municipality)
	if err != nil || len(all) == 0 {
		return err
	}
	jobs := make([]river.InsertManyParams, len(all))
	for i, account := range all {
		one := args
		one.To = account.String()
		jobs[i] = river.InsertManyParams{Args: one}
	}
	_, err = river.ClientFromContext[pgx.Tx](ctx).InsertMany(ctx, jobs)
	return err
}

func (w *Mailer) gone(ctx context.Context, args MailArgs) (access.AdministratorsGone, error) {
	stored, err := eventstore.Collect(w.Log.ReadAll(ctx, args.Position-1, args.Position))
	if err != nil {
		return access.AdministratorsGone{}, err
	}
	events, err := w.decode(ctx, stored)
	if err != nil {
		return access.AdministratorsGone{}, err
	}
	if len(events) == 1 && stored[0].ID == args.Event {
		if gone, ok := events[0].(access.AdministratorsGone); ok {
			return gone, nil
		}
	}
	return access.AdministratorsGone{}, fmt.Errorf("event %s is not at position %d", args.Event, args.Position)
}

// orphaned writes the letter to one of those above a school that is without
// administrator.
func (w *Mailer) orphaned(ctx context.Context, args MailArgs) (l mail.Letter, stream string, err error) {
	account, err := domain.ParseID[domain.AccountID](args.To)
	if err != nil {
		return l, "", err
	}
	stream = identity.Accounts.Stream(account)
	p, err := w.person(ctx, stream)
	if err != nil {
		return l, stream, err
	}
	if !p.account.Active() {
		return l, stream, &obsolete{"the person has left"}
	}
	gone, err := w.gone(ctx, args)
	if err != nil {
		return l, stream, err
	}
	place, err := w.place(ctx, gone.School, gone.Municipality)
	if err != nil {
		return l, stream, err
	}
	l, err = w.letter(args, p.account.Email(), p.account.Language(), mail.AdministratorsGone{Place: place, Link: w.url("/")})
	return l, stream, err
}
