package reactions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/eventstore"
	"zurnals/internal/mail"
)

// Mail sends the letters that follow from what happens to accounts.
var Mail = Reaction{
	Name: "mail",
	Types: []string{
		identity.UserInvited{}.EventType(),
		identity.InvitationResent{}.EventType(),
		identity.UserAttached{}.EventType(),
		identity.LoginCodeIssued{}.EventType(),
		identity.EmailCorrected{}.EventType(),
		identity.EmailChangeStarted{}.EventType(),
		identity.EmailGiven{}.EventType(),
		identity.EmailRecoveryStarted{}.EventType(),
		identity.EmailChanged{}.EventType(),
		identity.PersonalCodeCorrected{}.EventType(),
		identity.PasswordChanged{}.EventType(),
		identity.PasswordResetAsked{}.EventType(),
		identity.PasswordReset{}.EventType(),
		identity.PasskeyAdded{}.EventType(),
		access.AdministratorsGone{}.EventType(),
	},
	React: func(e eventstore.Event) (jobs []river.InsertManyParams, err error) {
		to, err := addressees(e)
		for _, one := range to {
			jobs = append(jobs, river.InsertManyParams{Args: MailArgs{Event: e.ID, Position: e.Position, Reaction: "mail", To: one}})
		}
		return jobs, err
	},
}

// MailArgs is all that a job knows of its letter: no name, no address, no link.
// One job per event is the fence's doing, so that it need not be unique here.
type MailArgs struct {
	Event    uuid.UUID `json:"event"`
	Position int64     `json:"position"`
	Reaction string    `json:"reaction"`
	To       string    `json:"to,omitempty"` // where one event has several letters: old, overseers, or an account
}

// Kind names the jobs in the queue; it is kept for good.
func (MailArgs) Kind() string { return "mail" }

// Links derives the secrets of a letter when it is sent: they are in no event,
// no job and no table.
type Links interface {
	Registration(domain.AccountID, domain.InvitationID) string
	LoginCode(identity.ChallengeID) string
	EmailChange(domain.AccountID, identity.EmailChangeID) string
	EmailConfirmation(domain.AccountID, identity.ConfirmationID) string
	StopEmailChange(domain.AccountID, identity.EmailChangeID) string
	PasswordReset(domain.AccountID, identity.PasswordResetID) string
}

// A Sender hands letters over: mail.SMTP, or mail.Mailbox in development.
type Sender interface {
	Send(context.Context, mail.Letter) error
}

// A Mailer is the worker that composes and sends one letter for one event. The
// letter has the id of the event, so that one sent twice, because the answer of
// the mail server was lost, is recognised as one by who gets it.
type Mailer struct {
	river.WorkerDefaults[MailArgs]

	Pool      *pgxpool.Pool
	Log       eventstore.Log
	Keys      eventstore.Keys
	Catalogue *domain.Catalogue
	Links     Links
	Sender    Sender
	PublicURL string // as people reach the server, "https://zurnals.example.lv"
	Now       func() time.Time

	// Overseers are the accounts that look after a municipality.
	Overseers func(context.Context, domain.MunicipalityID) ([]domain.AccountID, error)
}

// Timeout is above that of a conversation with a mail server.
func (w *Mailer) Timeout(*river.Job[MailArgs]) time.Duration { return 30 * time.Second }

// An obsolete letter is one that need not be sent any more.
type obsolete struct{ reason string }

func (o *obsolete) Error() string { return "not sent: " + o.reason }

// Work does a job. What it returns is kept with the job, and names nobody.
func (w *Mailer) Work(ctx context.Context, job *river.Job[MailArgs]) error {
	if job.Args.To == toOverseers {
		return w.spread(ctx, job.Args)
	}
	letter, stream, err := w.compose(ctx, job.Args)
	if err == nil {
		err = w.Sender.Send(ctx, letter)
	}
	var never *mail.NeverError
	var dropped *obsolete
	switch {
	case err == nil:
		w.delivered(ctx, job, stream)
	case errors.As(err, &never):
		if err := w.undelivered(ctx, job.Args, stream, never.Reason); err != nil {
			return err
		}
		return river.JobCancel(err)
	case errors.As(err, &dropped):
		switch dropped.reason {
		case identity.ErrLinkExpired.Code, identity.ErrChangeExpired.Code, identity.ErrResetExpired.Code: // the mail server was away all the time
			if err := w.undelivered(ctx, job.Args, stream, dropped.reason); err != nil {
				return err
			}
		}
		return river.JobCancel(err)
	}
	return err
}

// compose writes the letter of a job from what is known of the person now.
func (w *Mailer) compose(ctx context.Context, args MailArgs) (l mail.Letter, stream string, err error) {
	stored, err := eventstore.Collect(w.Log.ReadAll(ctx, args.Position-1, args.Position))
	if err != nil {
		return l, "", err
	}
	if len(stored) != 1 || stored[0].ID != args.Event {
		return l, "", fmt.Errorf("event %s is not at position %d", args.Event, args.Position)
	}
	stream = stored[0].Stream
	if stored[0].Type == (access.AdministratorsGone{}).EventType() {
		return w.orphaned(ctx, args)
	}
	p, err := w.person(ctx, stream)
	if err != nil {
		return l, stream, err
	}
	var to string
	var content mail.Content
	language := p.account.Language()
	switch e := p.events[stored[0].Version-1].(type) {
	case identity.UserInvited:
		to = e.Email
		content, err = w.invitation(ctx, p, e.Account, e.Invitation, e.LinkExpiresAt, false)
	case identity.InvitationResent:
		to = e.Email
		content, err = w.invitation(ctx, p, e.Account, e.Invitation, e.LinkExpiresAt, true)
	case identity.UserAttached:
		to = e.Email
		content, err = w.attached(ctx, p, e)
	case identity.LoginCodeIssued:
		to = e.Email
		content, err = w.loginCode(p, e)
	default:
		to, language, content, err = w.about(ctx, p, args.To, e)
	}
	switch {
	case err != nil:
		return l, stream, err
	case to == "": // its key is destroyed
		return l, stream, &obsolete{"the person has been erased"}
	}
	l, err = w.letter(args, to, language, content)
	return l, stream, err
}

// letter writes what is sent. Each of several letters that one event has is
// known by an id of its own, the same whenever it is sent.
func (w *Mailer) letter(args MailArgs, to string, language identity.Language, content mail.Content) (mail.Letter, error) {
	l, err := mail.Compose(mail.Language(language), content) // Latvian unless another one was chosen
	l.ID, l.Position, l.At, l.To = letterID(args.Event, args.To), args.Position, w.Now(), to
	return l, err
}

func letterID(event uuid.UUID, to string) uuid.UUID {
	if to == "" {
		return event
	}
	return uuid.NewSHA1(event, []byte(to))
}

func (w *Mailer) invitation(ctx context.Context, p person, account domain.AccountID, id domain.InvitationID, until time.Time, again bool) (mail.Content, error) {
	if err := p.account.CheckLink(id, w.Now()); err != nil {
		return nil, dead(err)
	}
	place, err := w.place(ctx, p.invited.School, p.invited.Municipality)
	return mail.Invitation{
		Name:  strings.TrimSpace(p.account.Person().GivenName + " " + p.account.Person().FamilyName),
		Place: place,
		Link:  w.url("/registrations/" + w.Links.Registration(account, id)),
		Until: until,
		Again: again,
	}, err
}

func (w *Mailer) attached(ctx context.Context, p person, e identity.UserAttached) (mail.Content, error) {
	place, err := w.place(ctx, e.School, e.Municipality)
	return mail.Attached{Place: place, Registered: p.account.Active(), Link: w.url("/")}, err
}

func (w *Mailer) loginCode(p person, e identity.LoginCodeIssued) (mail.Content, error) {
	if err := p.account.CheckCode(e.Challenge, w.Now()); err != nil {
		return nil, dead(err)
	}
	return mail.LoginCode{Code: w.Links.LoginCode(e.Challenge), Until: e.ExpiresAt}, nil
}

// dead makes of a link or code that no longer works a letter not worth sending.
func dead(err error) error {
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return &obsolete{refusal.Code}
	}
	return err
}

func (w *Mailer) url(path string) string { return strings.TrimSuffix(w.PublicURL, "/") + path }

// A person is what the log says of the holder of an account, now.
type person struct {
	events  []identity.AccountEvent // by version, from 1
	account identity.Account
	invited identity.UserInvited
}

func (w *Mailer) person(ctx context.Context, stream string) (p person, err error) {
	stored, err := eventstore.Collect(w.Log.ReadStream(ctx, stream, 1))
	if err != nil {
		return p, err
	}
	events, err := w.decode(ctx, stored)
	if err != nil {
		return p, err
	}
	for i, event := range events {
		e, ok := event.(identity.AccountEvent)
		if !ok {
			return p, fmt.Errorf("%s@%d: %s does not belong here", stream, i+1, event.EventType())
		}
		if invited, ok := e.(identity.UserInvited); ok {
			p.invited = invited
		}
		p.events = append(p.events, e)
	}
	p.account = identity.Accounts.Fold(p.events)
	return p, nil
}

// place returns the name of the school, or else of the municipality.
func (w *Mailer) place(ctx context.Context, school domain.SchoolID, municipality domain.MunicipalityID) (string, error) {
	var stream string
	switch {
	case !school.IsZero():
		stream = organisation.Schools.Stream(school)
	case !municipality.IsZero():
		stream = organisation.Municipalities.Stream(municipality)
	default:
		return "", nil
	}
	stored, err := w.Log.ReadStreams(ctx, stream)
	if err != nil {
		return "", err
	}
	events, err := w.decode(ctx, stored[stream])
	if err != nil {
		return "", err
	}
	name := ""
	for _, event := range events {
		switch e := event.(type) {
		case organisation.SchoolRegistered:
			name = e.Name
		case organisation.MunicipalityRegistered:
			name = e.Name
		}
	}
	return name, nil
}

func (w *Mailer) decode(ctx context.Context, stored []eventstore.Event) ([]domain.Event, error) {
	if err := w.Keys.Open(ctx, stored); err != nil {
		return nil, err
	}
	events := make([]domain.Event, len(stored))
	for i, e := range stored {
		var err error
		if events[i], err = w.Catalogue.Decode(e.Type, e.Schema, e.Data); err != nil {
			return nil, fmt.Errorf("%s@%d: %w", e.Stream, e.Version, err)
		}
	}
	return events, nil
}

// undelivered notes that a letter was given up.
func (w *Mailer) undelivered(ctx context.Context, args MailArgs, stream, reason string) error {
	return giveUp(ctx, w.Pool, lostLetter{args.Event, args.Position, stream, reason, w.Now()})
}

// delivered notes at once that a letter is sent: river by itself notes it a
// moment later, with others, and a server that is killed meanwhile would have
// all of them sent again. It also remembers the last one, and forgets older
// letters to the same person that were given up: the address works by now, or
// there is another one.
func (w *Mailer) delivered(ctx context.Context, job *river.Job[MailArgs], stream string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM reaction.undelivered WHERE stream = $1 AND position < $2`, stream, job.Args.Position); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO reaction.sent AS s (stream, position, at) VALUES ($1, $2, $3)
			ON CONFLICT (stream) DO UPDATE SET position = excluded.position, at = excluded.at WHERE s.position <= excluded.position`,
			stream, job.Args.Position, w.Now()); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	}); err != nil {
		slog.WarnContext(ctx, "a letter was sent, which could not be noted at once", "job", job.ID, "err", err) // river will
	}
}

// A LetterState says what became of a letter.
type LetterState string

const (
	Sent    LetterState = "sent"        // the mail server took it
	NotSent LetterState = "undelivered" // it was given up
)

// A Letter is the last letter to somebody, and what became of it.
type Letter struct {
	State  LetterState
	Reason string // why it was given up
	At     time.Time
}

// LastLetters returns the last letter to each of several accounts that was sent
// or given up: for a page of the staff directory. Of two about one event, the
// one that was given up counts. Whoever asks must have the right to see these
// accounts.
func (e *Engine) LastLetters(ctx context.Context, accounts ...domain.AccountID) (map[domain.AccountID]Letter, error) {
	streams, of := make([]string, len(accounts)), make(map[string]domain.AccountID, len(accounts))
	for i, a := range accounts {
		streams[i] = identity.Accounts.Stream(a)
		of[streams[i]] = a
	}
	rows, err := e.c.Pool.Query(ctx, `
		SELECT DISTINCT ON (stream) stream, state, reason, at FROM (
		  SELECT stream, position, 'undelivered' AS state, reason, at FROM reaction.undelivered WHERE stream = ANY($1)
		  UNION ALL SELECT stream, position, 'sent', '', at FROM reaction.sent WHERE stream = ANY($1)) AS letter
		ORDER BY stream, position DESC, state DESC`, streams)
	if err != nil {
		return nil, err
	}
	all := make(map[domain.AccountID]Letter)
	var stream string
	var l Letter
	_, err = pgx.ForEachRow(rows, []any{&stream, &l.State, &l.Reason, &l.At}, func() error {
		all[of[stream]] = l
		return nil
	})
	return all, err
}
