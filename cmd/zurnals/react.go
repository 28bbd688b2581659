package main

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/httpapi"
	"zurnals/internal/mail"
	"zurnals/internal/reactions"
	"zurnals/projections/staff"
)

// reacting is what follows from events outside the log: mail, and the jobs
// that send it.
type reacting struct {
	engine  *reactions.Engine
	mailbox *mail.Mailbox // of a development server
	sender  reactions.Sender
}

// openReactions prepares the reactions. What happens from now on is mailed.
func (a *app) openReactions(ctx context.Context) error {
	a.reacting.mailbox = &mail.Mailbox{Pool: a.pool}
	mailer := &reactions.Mailer{
		Pool: a.pool, Log: a.log, Keys: a.keys, Catalogue: catalogue.All,
		Links: a.commands.Links, PublicURL: a.cfg.PublicURL, Now: a.clock.Now,
		Sender: a.reacting.mailbox,
		Overseers: func(ctx context.Context, m domain.MunicipalityID) ([]domain.AccountID, error) {
			return staff.Overseers(ctx, a.engine.DB(), access.System("mail"), m)
		},
	}
	switch {
	case a.cfg.SMTP != "":
		sender, err := mail.NewSMTP(a.cfg.SMTP, a.cfg.MailFrom)
		if err != nil {
			return fmt.Errorf("settings: -smtp: %w", err)
		}
		mailer.Sender = sender
	case !a.cfg.Dev:
		return fmt.Errorf("%w: settings:\n-smtp: is needed to send mail, except with -dev", errUsage)
	}
	a.reacting.sender = mailer.Sender
	workers := river.NewWorkers()
	river.AddWorker(workers, mailer)
	engine, err := reactions.Open(ctx, reactions.Config{
		Pool: a.pool, Log: a.log, Now: a.clock.Now, Dev: a.cfg.Dev,
		Reactions: allReactions, Workers: workers, Logger: a.logger,
	})
	a.reacting.engine = engine
	return err
}

// react runs the reactions until ctx ends.
func (a *app) react(ctx context.Context) {
	if err := a.reacting.engine.Run(ctx); err != nil {
		a.logger.Error("the reactions have stopped", "err", err)
	}
}

// dev returns what a development server offers besides.
func (a *app) dev() *httpapi.Dev {
	if !a.cfg.Dev {
		return nil
	}
	return &httpapi.Dev{Clock: a.clock, Mail: a.mails, Jobs: a.reacting.engine, Head: a.log.Head}
}

// mails returns the kept letters, the newest first.
func (a *app) mails(ctx context.Context) ([]httpapi.Mail, error) {
	received, err := a.reacting.mailbox.List(ctx)
	all := make([]httpapi.Mail, len(received))
	for i, r := range received {
		all[i] = httpapi.Mail{ID: r.ID, MessageID: r.MessageID, At: r.At, To: r.To, Subject: r.Subject, Text: r.Text, HTML: r.HTML}
	}
	return all, err
}
