package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/internal/mail"
	"zurnals/internal/proof"
	"zurnals/internal/reactions"
)

// openProof prepares the sealer of the log. Publish is nil for a tool: what it
// seals is mailed with the next checkpoint of the server.
func (a *app) openProof(ctx context.Context, publish func(context.Context, proof.Checkpoint) error) (err error) {
	if err := os.MkdirAll(a.cfg.DataDir, 0o755); err != nil {
		return err
	}
	a.sealer, err = proof.Open(ctx, proof.Config{
		Pool: a.pool, Log: a.log, Keys: a.keys, Now: a.clock.Now,
		File: filepath.Join(a.cfg.DataDir, "checkpoints"), Publish: publish, Logger: a.logger,
	})
	return err
}

// seal signs the log every minute until ctx ends.
func (a *app) seal(ctx context.Context) {
	if err := a.sealer.Run(ctx); err != nil {
		a.logger.Error("the log is not sealed any more", "err", err)
	}
}

// checkProof warns only: people go on working, and what they do is kept.
func (a *app) checkProof(context.Context) (warning string, err error) {
	if err := a.sealer.Err(); err != nil {
		warning = err.Error()
	}
	return warning, nil
}

// An auditorsMail sends checkpoints to the auditors, so that nobody in the
// house can take all copies back.
type auditorsMail struct {
	sender    reactions.Sender
	addresses []string
	every     time.Duration
	last      time.Time // of the last checkpoint that was sent
}

// checkpointMail returns what mails checkpoints, nil if there are no auditors.
func (a *app) checkpointMail() func(context.Context, proof.Checkpoint) error {
	if a.cfg.Auditors == "" {
		return nil
	}
	m := &auditorsMail{sender: a.reacting.sender, addresses: addresses(a.cfg.Auditors), every: a.cfg.auditorsEvery}
	return m.send
}

// send sends one checkpoint, unless the last one was sent too short a time ago:
// the next one vouches for it.
func (m *auditorsMail) send(ctx context.Context, c proof.Checkpoint) error {
	if since := c.At.Sub(m.last); since >= 0 && since < m.every {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	words := fmt.Sprintf("Žurnāla kontrolpunkts: %d notikumi. Saglabājiet šo vēstuli: ar to vēlāk var pārbaudīt, vai nekas iepriekšējs nav mainīts.\n"+
		"A checkpoint of the log: %d events. Keep this letter: it shows later whether anything before it was changed.\n", c.Size, c.Size)
	var failed []error
	for _, to := range m.addresses {
		failed = append(failed, m.sender.Send(ctx, mail.Letter{
			ID: uuid.NewSHA1(uuid.Nil, []byte(c.Note+to)), At: c.At, To: to,
			Subject: fmt.Sprintf("Žurnāls / checkpoint %d", c.Size),
			Text:    words + "\n" + c.Note,
			HTML:    "<p>" + strings.ReplaceAll(html.EscapeString(words), "\n", "<br>") + "</p><pre>" + html.EscapeString(c.Note) + "</pre>",
		}))
	}
	err := errors.Join(failed...)
	if err == nil {
		m.last = c.At
	}
	return err
}

// addresses returns those in a list with commas.
func addresses(list string) (all []string) {
	for a := range strings.SplitSeq(list, ",") {
		if a = strings.TrimSpace(a); a != "" {
			all = append(all, a)
		}
	}
	return all
}
