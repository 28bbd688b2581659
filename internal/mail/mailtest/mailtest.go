// Package mailtest is a mail server for tests (Latvian: pasta serveris).
package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A PostOffice takes letters, or answers as it is told to. Who signs in does so
// with the password "right".
type PostOffice struct {
	Addr string

	mu      sync.Mutex
	answers Answers
	taken   []Taken
}

// Answers are what a PostOffice says. Nil is yes.
type Answers struct{ Mail, Rcpt, Data error }

// A Taken is a letter as it came over the wire.
type Taken struct{ To, Text string }

// Refusal is an answer with a code such as 550 or 451. Its text names the
// person, as those of real servers do.
func Refusal(code int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no thanks for laura.ozola@example.lv"}
}

// Open opens a post office without TLS until the end of the test.
func Open(t testing.TB) *PostOffice {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listener)
}

// OpenTLS opens one that speaks TLS, and tells who vouches for it.
func OpenTLS(t testing.TB) (*PostOffice, *x509.CertPool) {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listener), roots
}

func serve(t testing.TB, listener net.Listener) *PostOffice {
	p := &PostOffice{Addr: listener.Addr().String()}
	backend := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{p: p}, nil }))
	backend.Domain, backend.ReadTimeout = "localhost", 5*time.Second
	backend.AllowInsecureAuth, backend.ErrorLog = true, log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = backend.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		backend.Close()
		listener.Close() // Serve may not have told backend of it yet
		<-done
	})
	return p
}

// Say sets the answers from now on.
func (p *PostOffice) Say(a Answers) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = a
}

// Letters returns the letters taken so far, the oldest first.
func (p *PostOffice) Letters() []Taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Taken(nil), p.taken...)
}

// Taken returns how many letters were taken so far.
func (p *PostOffice) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.taken)
}

func (p *PostOffice) says() Answers {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers
}

type session struct {
	p  *PostOffice
	to string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return s.p.says().Mail }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.p.says().Rcpt
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.answers.Data == nil {
		s.p.taken = append(s.p.taken, Taken{To: s.to, Text: string(text)})
	}
	return s.p.answers.Data
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// Report is what a mail server sends back about a letter that it has taken. Its
// texts name the person, as those of real servers do.
func Report(action, status, letter string) string {
	return strings.ReplaceAll(`From: MAILER-DAEMON@mx.example.lv
To: zurnals@example.lv
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=cut"

--=cut
Content-Type: text/plain

I could not deliver it to laura.ozola@example.lv.
--=cut
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.lv
Arrival-Date: Mon, 1 Sep 2025 08:00:00 +0300

Final-Recipient: rfc822; laura.ozola@example.lv
Action: `+action+`
Status: `+status+`
Diagnostic-Code: smtp; 550 no such user laura.ozola@example.lv

--=cut
Content-Type: message/rfc822

`, "\n", "\r\n") + letter + "\r\n--=cut--\r\n"
}
