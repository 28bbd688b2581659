package mail

import (
	"context"
	"errors"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"zurnals/internal/mail/mailtest"
)

// The database server of a bare `go test` lives as long as the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce"),
		goleak.IgnoreAnyFunction("zurnals/internal/embedpg.(*Server).runOnce.func1"))
}

func sender(t *testing.T, p *mailtest.PostOffice) *SMTP {
	t.Helper()
	sender, err := NewSMTP("smtp://"+p.Addr+"?tls=off", "Žurnāls <zurnals@example.lv>")
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
	l.ID, l.Position, l.At, l.To = uuid.MustParse("0198f0a0-0000-7000-8000-000000000001"), 7, monday, "laura.ozola@example.lv"
	return l
}

func TestALetterArrives(t *testing.T) {
	s := mailtest.Open(t)
	if err := sender(t, s).Send(t.Context(), letter(t)); err != nil {
		t.Fatal(err)
	}
	got := s.Letters()
	if len(got) != 1 || got[0].To != "laura.ozola@example.lv" {
		t.Fatalf("got %v", got)
	}
	m, err := netmail.ReadMessage(strings.NewReader(got[0].Text))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Message-Id":     "<0198f0a0-0000-7000-8000-000000000001.7@example.lv>",
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
	for name, c := range map[string]struct {
		says  mailtest.Answers
		never bool
	}{
		"no such mailbox":     {says: mailtest.Answers{Rcpt: mailtest.Refusal(550)}, never: true},
		"letter refused":      {says: mailtest.Answers{Data: mailtest.Refusal(554)}, never: true},
		"mailbox is busy":     {says: mailtest.Answers{Rcpt: mailtest.Refusal(450)}},
		"letter put off":      {says: mailtest.Answers{Data: mailtest.Refusal(451)}},
		"we are not known":    {says: mailtest.Answers{Mail: mailtest.Refusal(550)}},
		"sign in first":       {says: mailtest.Answers{Rcpt: mailtest.Refusal(530)}},
		"sender is put off":   {says: mailtest.Answers{Mail: mailtest.Refusal(421)}},
		"too many recipients": {says: mailtest.Answers{Rcpt: mailtest.Refusal(452)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Open(t)
			s.Say(c.says)
			err := sender(t, s).Send(t.Context(), letter(t))
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
	s := mailtest.Open(t)
	sender, err := NewSMTP("smtp://"+s.Addr, "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), letter(t)); err == nil || len(s.Letters()) != 0 {
		t.Fatalf("sent in the open: %v", err)
	}
}

func TestSigningInToTheMailServer(t *testing.T) {
	for password, want := range map[string]int{"wrong": 0, "right": 1} {
		s, roots := mailtest.OpenTLS(t)
		sender, err := NewSMTP("smtps://zurnals:"+password+"@"+s.Addr, "zurnals@example.lv")
		if err != nil {
			t.Fatal(err)
		}
		sender.server.roots = roots
		err = sender.Send(t.Context(), letter(t))
		var never *NeverError
		if (err == nil) != (want == 1) || errors.As(err, &never) || len(s.Letters()) != want {
			t.Errorf("%s password: %v, %d letters", password, err, len(s.Letters()))
		}
	}
}

func TestAServerNobodyVouchesForGetsNothing(t *testing.T) {
	s, _ := mailtest.OpenTLS(t)
	sender, err := NewSMTP("smtps://"+s.Addr, "zurnals@example.lv")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), letter(t)); err == nil || len(s.Letters()) != 0 {
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
	if err := sender.Send(ctx, letter(t)); err == nil || time.Since(began) > sendTimeout/2 {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
}

// What somebody types as an address must never become a header (or a second
// recipient), however it is written.
func TestAnAddressCannotBringAHeader(t *testing.T) {
	s := mailtest.Open(t)
	sender := sender(t, s)
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
	if got := s.Letters(); len(got) != 0 {
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
