// Package mail writes letters and hands them to a mail server, or in
// development to a mailbox in the database (Latvian: e-pasta vēstules).
//
// A letter is composed when it is sent, from what is then known of the person.
// Who may get one and when is decided elsewhere (internal/reactions).
package mail

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"

	"zurnals/domain"
)

// A Letter is one mail to one person, ready to be sent.
type Letter struct {
	ID       uuid.UUID // of the event it tells of: the same letter sent twice is recognised by it
	Position int64     // of that event
	At       time.Time
	To       string // the address alone
	Subject  string
	Text     string
	HTML     string
}

// A NeverError says that a letter cannot be delivered however often it is
// tried. Its reason names no person and no address, so that it may be kept.
type NeverError struct{ Reason string }

func (e *NeverError) Error() string { return "mail: " + e.Reason }

// Reasons of a NeverError that the mail server does not give.
const (
	BadAddress = "bad address"
	BadSubject = "bad subject"
)

// maxAddress is the longest address there can be (RFC 5321, 4.5.3.1.3).
const maxAddress = 254

// checkAddress refuses everything but one bare address. What it lets through
// cannot end its header and begin another.
func checkAddress(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > maxAddress || unprintable(s) {
		return &NeverError{BadAddress}
	}
	return nil
}

func unprintable(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// message returns the letter as it goes over the wire. From has been checked by
// NewSMTP; host is the right side of the Message-ID.
func (l Letter) message(from *mail.Address, host string) (*gomail.Msg, error) {
	if err := checkAddress(l.To); err != nil {
		return nil, err
	}
	if l.Subject == "" || unprintable(l.Subject) {
		return nil, &NeverError{BadSubject}
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(from)
	m.ToMailAddress(&mail.Address{Address: l.To})
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(l.messageID(host))
	m.SetDateWithValue(l.At.In(domain.Riga))
	// Absence notes and mailing lists must not answer it (RFC 3834).
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return m, nil
}
