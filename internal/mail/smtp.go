package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTimeout bounds the conversation with the mail server.
const sendTimeout = 20 * time.Second

// SMTP hands letters to a mail server. Each letter has a connection of its own:
// they are few, and a connection kept open is one that may have died.
type SMTP struct {
	server server
	from   *mail.Address
	host   string // of Message-IDs
}

// A server is where letters are handed over, and how.
type server struct {
	name    string
	tls     bool           // from the start
	roots   *x509.CertPool // who vouches for it; nil: whom the machine trusts
	options []gomail.Option
}

// NewSMTP reads where the mail server is and whom letters are from:
//
//	smtps://user:password@mail.example.lv         TLS from the start, port 465
//	smtp://user:password@mail.example.lv          TLS after STARTTLS, port 587; without it nothing is sent
//	smtp://localhost:25?tls=off                   no TLS: links and codes go in the open
//
// From is an address, with or without a name: "Žurnāls <zurnals@example.lv>".
// No connection is made yet.
func NewSMTP(url, from string) (*SMTP, error) {
	sender, err := mail.ParseAddress(from)
	if err != nil || unprintable(sender.Name) || checkAddress(sender.Address) != nil {
		return nil, errors.New("mail: the sender is not an address")
	}
	s := &SMTP{from: sender, host: sender.Address[strings.LastIndexByte(sender.Address, '@')+1:]}
	if s.server, err = parseServer(url); err != nil {
		return nil, err
	}
	if _, err := gomail.NewClient(s.server.name, s.server.options...); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return s, nil
}

// parseServer reads the URL of the mail server. Errors do not repeat it: it
// holds a password.
func parseServer(from string) (server, error) {
	u, err := url.Parse(from)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return server{}, errors.New("mail: the mail server is not a URL like smtp://user:password@host:587")
	}
	s := server{name: u.Hostname()}
	var port int
	switch tls := u.Query().Get("tls"); {
	case u.Scheme == "smtps" && tls == "":
		port, s.tls = 465, true
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSOpportunistic)) // it is there already
	case u.Scheme == "smtp" && tls == "":
		port = 587
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case u.Scheme == "smtp" && tls == "off":
		port = 25
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return server{}, errors.New("mail: the mail server is smtps://…, smtp://… or smtp://…?tls=off")
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return server{}, errors.New("mail: the port of the mail server is not a number")
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	s.options = append(s.options, gomail.WithPort(port), gomail.WithTimeout(sendTimeout))
	return s, nil
}

// client returns a client whose connection lives no longer than ctx: go-mail
// itself looks at the context only until it is connected.
func (s server) client(ctx context.Context) (*gomail.Client, error) {
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() })
		if !s.tls {
			return conn, nil
		}
		secure := tls.Client(conn, &tls.Config{ServerName: s.name, MinVersion: tls.VersionTLS12, RootCAs: s.roots})
		return secure, secure.HandshakeContext(dialing)
	}
	return gomail.NewClient(s.name, append(slices.Clip(s.options), gomail.WithDialContextFunc(dial))...)
}

// Send hands the letter over. A NeverError says that trying again is of no use;
// with any other error it is. If the connection is lost while the server says
// yes, the letter may be sent twice, with the same Message-ID.
func (s *SMTP) Send(ctx context.Context, l Letter) error {
	m, err := l.message(s.from, s.host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client, err := s.server.client(ctx)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() { // taken; only the goodbye failed
		return nil
	}
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return fmt.Errorf("mail: %w", err) // no connection, no TLS, wrong password: ours to mend
	}
	// The texts of the server and of go-mail repeat the address; they are not kept.
	reason := strings.TrimSpace(fmt.Sprintf("%d %s", failed.ErrorCode(), failed.EnhancedStatusCode()))
	if failed.ErrorCode() >= 500 && aboutLetter(failed) {
		return &NeverError{"refused by the mail server: " + reason}
	}
	return fmt.Errorf("mail: %s: %s", failed.Reason, reason)
}

// aboutLetter says whether the mail server refused this letter, and not us: a
// sender that is not known to it, or a missing sign-in (530, 535, 538), can be
// mended, and then all letters that wait go out.
func aboutLetter(e *gomail.SendError) bool {
	switch e.ErrorCode() {
	case 530, 534, 535, 538:
		return false
	}
	switch e.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return true
	}
	return false
}
