package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	"go.uber.org/goleak"
)

// The database server of a bare `go test` lives as long as the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce"),
		goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce.func1"))
}

// A postOffice is a mail server that takes letters, or answers as it is told to.
type postOffice struct {
	addr string

	mu    sync.Mutex
	mail  error // answer to MAIL FROM
	rcpt  error // to RCPT TO
	data  error // to the letter
	taken []taken
}

type taken struct {
	to   string
	body string
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listener)
}

// openSecurePostOffice returns one that speaks TLS, and who vouches for it.
func openSecurePostOffice(t *testing.T) (*postOffice, *x509.CertPool) {
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

func serve(t *testing.T, listener net.Listener) *postOffice {
	s := &postOffice{}
	s.addr = listener.Addr().String()
	backend := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }))
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
	return s
}

func (s *postOffice) letters() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

type session struct {
	s  *postOffice
	to string
}

func (c *session) Mail(string, *smtp.MailOptions) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.mail
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.to = to
	return c.s.rcpt
}

func (c *session) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.data != nil {
		return c.s.data
	}
	c.s.taken = append(c.s.taken, taken{c.to, string(body)})
	return nil
}

func (c *session) Reset()        {}
func (c *session) Logout() error { return nil }

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *postOffice) sender(t *testing.T) *SMTP {
	t.Helper()
	sender, err := NewSMTP("smtp://"+s.addr+"?tls=off", "Žurnāls <zurnals@example.lv>")
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func letter(t *testing.T) Letter {
	t.Helper()
	l, err := Compose(Latvian, Invitation{Name: "Laura Ozola", Link: link, Until: monday})
	if err != nil {
		t.Fatal(err)
	}
	l.ID, l.At, l.To = uuid.MustParse("0198f0a0-0000-7000-8000-000000000001"), monday, "laura.ozola@example.lv"
	return l
}

func TestALetterArrives(t *testing.T) {
	s := openPostOffice(t)
	if err := s.sender(t).Send(t.Context(), letter(t)); err != nil {
		t.Fatal(err)
	}
	got := s.letters()
	if len(got) != 1 || got[0].to != "laura.ozola@example.lv" {
		t.Fatalf("got %v", got)
	}
	m, err := netmail.ReadMessage(strings.NewReader(got[0].body))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Message-Id":     "<0198f0a0-0000-7000-8000-000000000001@example.lv>",
		"Date":           "Mon, 01 Sep 2025 08:00:00 +0300",
		"Auto-Submitted": "auto-generated",
		"To":             "<laura.ozola@example.lv>",
		"From":           "=?utf-8?q?=C5=BDurn=C4=81ls?= <zurnals@example.lv>",
	} {
		if got := m.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if got := m.Header.Get("Content-Type"); !strings.HasPrefix(got, "multipart/alternative") {
		t.Errorf("Content-Type: %s", got)
	}
}

func TestWhatTheServerAnswersDecidesWhetherToTryAgain(t *testing.T) {
	const text = "no thanks for laura.ozola@example.lv"
	answer := func(code int) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
	}
	for name, c := range map[string]struct {
		mail, rcpt, data error
		never            bool
	}{
		"no such mailbox":     {rcpt: answer(550), never: true},
		"letter refused":      {data: answer(554), never: true},
		"mailbox is busy":     {rcpt: answer(450)},
		"letter put off":      {data: answer(451)},
		"we are not known":    {mail: answer(550)},
		"sign in first":       {rcpt: answer(530)},
		"sender is put off":   {mail: answer(421)},
		"too many recipients": {rcpt: answer(452)},
	} {
		t.Run(name, func(t *testing.T) {
			s := openPostOffice(t)
			s.mail, s.rcpt, s.data = c.mail, c.rcpt, c.data
			err := s.sender(t).Send(t.Context(), letter(t))
			var never *NeverError
			if err == nil || errors.As(err, &never) != c.never {
				t.Fatalf("got %v, want never: %v", err, c.never)
			}
			if strings.Contains(err.Error(), "laura") {
				t.Errorf("the error names the person: %v", err)
			}
		})
	}
}

func TestNoServerMeansTryAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	sender, err := NewSMTP("smtp://"+addr+"?tls=off", "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	var never *NeverError
	if err := sender.Send(t.Context(), letter(t)); err == nil || errors.As(err, &never) {
		t.Fatalf("got %v", err)
	}
}

func TestWithoutTLSNothingIsSentUnlessAllowed(t *testing.T) {
	s := openPostOffice(t)
	sender, err := NewSMTP("smtp://"+s.addr, "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), letter(t)); err == nil || len(s.letters()) != 0 {
		t.Fatalf("sent in the open: %v", err)
	}
}

func TestSigningInToTheMailServer(t *testing.T) {
	for password, want := range map[string]int{"wrong": 0, "right": 1} {
		s, roots := openSecurePostOffice(t)
		sender, err := NewSMTP("smtps://zurnals:"+password+"@"+s.addr, "zurnals@example.lv")
		if err != nil {
			t.Fatal(err)
		}
		sender.server.roots = roots
		err = sender.Send(t.Context(), letter(t))
		var never *NeverError
		if (err == nil) != (want == 1) || errors.As(err, &never) || len(s.letters()) != want {
			t.Errorf("%s password: %v, %d letters", password, err, len(s.letters()))
		}
	}
}

func TestAServerNobodyVouchesForGetsNothing(t *testing.T) {
	s, _ := openSecurePostOffice(t)
	sender, err := NewSMTP("smtps://"+s.addr, "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), letter(t)); err == nil || len(s.letters()) != 0 {
		t.Fatalf("sent to a stranger: %v", err)
	}
}

func TestSendingEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	sender, err := NewSMTP("smtp://"+silent.Addr().String()+"?tls=off", "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := sender.Send(ctx, letter(t)); err == nil || time.Since(began) > 5*time.Second {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
}

// What somebody types as an address must never become a header (or a second
// recipient), however it is written.
func TestAnAddressCannotBringAHeader(t *testing.T) {
	s := openPostOffice(t)
	sender := s.sender(t)
	for _, to := range []string{
		"laura@example.lv\r\nBcc: eve@example.com",
		"laura@example.lv\nBcc: eve@example.com",
		"laura@example.lv\rBcc: eve@example.com",
		"laura@example.lv\r\n\r\nbody",
		"laura@example.lv, eve@example.com",
		"laura@example.lv>\r\nRCPT TO:<eve@example.com",
		"\"a\r\nBcc: eve@example.com\r\n\"@example.lv",
		"Laura <laura@example.lv>",
		"laura@example.lv (comment)",
		" laura@example.lv",
		"laura@example.lv\x00",
		"laura\u202e@example.lv",
		"laura",
		"",
		strings.Repeat("a", 250) + "@example.lv",
	} {
		l := letter(t)
		l.To = to
		var never *NeverError
		if err := sender.Send(t.Context(), l); !errors.As(err, &never) || never.Reason != BadAddress {
			t.Errorf("%q: got %v", to, err)
		}
	}
	l := letter(t)
	l.Subject = "Uzaicinājums\r\nBcc: eve@example.com"
	var never *NeverError
	if err := sender.Send(t.Context(), l); !errors.As(err, &never) || never.Reason != BadSubject {
		t.Errorf("subject: got %v", err)
	}
	if got := s.letters(); len(got) != 0 {
		t.Errorf("sent: %v", got)
	}
}

func FuzzAnAddressThatIsTakenIsOneLine(f *testing.F) {
	for _, s := range []string{"laura@example.lv", "laura@example.lv\r\nBcc: eve@example.com", `"a b"@example.lv`, "a@[127.0.0.1]", "ā@example.lv"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		l := Letter{ID: uuid.Nil, At: monday, To: to, Subject: "s", Text: "t", HTML: "h"}
		m, err := l.message(mailboxSender, mailboxHost)
		if err != nil {
			return
		}
		var wire strings.Builder
		if _, err := m.WriteTo(&wire); err != nil {
			t.Fatal(err)
		}
		read, err := netmail.ReadMessage(strings.NewReader(wire.String()))
		if err != nil {
			t.Fatalf("%q: %v", to, err)
		}
		recipients, err := m.GetRecipients()
		if err != nil || len(recipients) != 1 || len(read.Header["To"]) != 1 || len(read.Header["Bcc"]) != 0 {
			t.Fatalf("%q: %v, %v, %v", to, recipients, read.Header, err)
		}
	})
}

func TestTheMailServerIsAURL(t *testing.T) {
	for _, server := range []string{
		"smtps://user:secret@mail.example.lv", "smtp://user:secret@mail.example.lv:2525", "smtp://localhost:25?tls=off",
	} {
		if _, err := NewSMTP(server, "zurnals@example.lv"); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
	for _, server := range []string{
		"", "mail.example.lv:25", "http://mail.example.lv", "smtp://user:secret@mail.example.lv:port", "smtps://mail.example.lv?tls=off",
		"smtp://user:secret@mail.example.lv/path", "smtp://", "smtp://user:secret@mail.example.lv:99999",
	} {
		if _, err := NewSMTP(server, "zurnals@example.lv"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", server, err)
		}
	}
	if _, err := NewSMTP("smtp://localhost", "Žurnāls <zurnals@example.lv>\r\nBcc: eve@example.com"); err == nil {
		t.Error("a sender with a header in it was taken")
	}
}
