package mail

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Mailbox takes letters in place of a mail server, for development: they stay
// in the database and are shown. It keeps links and codes in the open, so it is
// for a server with --dev alone.
type Mailbox struct{ Pool *pgxpool.Pool }

// mailboxHost is the right side of Message-IDs of letters that go nowhere.
const mailboxHost = "zurnals.invalid"

var mailboxSender = &mail.Address{Address: "zurnals@" + mailboxHost}

// mailboxKeeps is how many letters are kept.
const mailboxKeeps = 1_000

// A Received is a letter in the mailbox.
type Received struct {
	ID        int64
	MessageID string
	To        string
	Subject   string
	Text      string
	HTML      string
	At        time.Time
}

// Send keeps the letter. What a mail server would not get is refused here too.
func (b *Mailbox) Send(ctx context.Context, l Letter) error {
	if _, err := l.message(mailboxSender, mailboxHost); err != nil {
		return err
	}
	_, err := b.Pool.Exec(ctx, `
		WITH kept AS (
		  INSERT INTO reaction.dev_mail (message_id, at, recipient, subject, text, html) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)
		DELETE FROM reaction.dev_mail USING kept WHERE dev_mail.id <= kept.id - $7`,
		l.messageID(mailboxHost), l.At, l.To, l.Subject, l.Text, l.HTML, mailboxKeeps)
	if err != nil {
		return fmt.Errorf("mail: keep in the mailbox: %w", err)
	}
	return nil
}

// List returns the letters, the newest first.
func (b *Mailbox) List(ctx context.Context) ([]Received, error) {
	rows, err := b.Pool.Query(ctx, `
		SELECT id, message_id, recipient, subject, text, html, at FROM reaction.dev_mail ORDER BY id DESC LIMIT $1`, mailboxKeeps)
	if err != nil {
		return nil, fmt.Errorf("mail: list the mailbox: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Received])
	if err != nil {
		return nil, fmt.Errorf("mail: list the mailbox: %w", err)
	}
	return all, nil
}
