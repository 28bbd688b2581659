package mail

import (
	"errors"
	"strings"
	"testing"

	"zurnals/internal/mail/mailtest"
)

const returned = "Message-ID: <0198f0a0-0000-7000-8000-000000000001.7@example.lv>\r\nSubject: x\r\n\r\nLabdien!\r\n"

func TestALetterThatComesBackIsRecognised(t *testing.T) {
	for name, c := range map[string]struct{ report, reason string }{
		"the mailbox is not there":   {mailtest.Report("failed", "5.1.1", returned), "returned by a mail server: 5.1.1"},
		"tried in vain for days":     {mailtest.Report("Failed", "4.4.7 (expired)", returned), "returned by a mail server: 4.4.7"},
		"a code that is none":        {mailtest.Report("failed", "laura.ozola@example.lv", returned), "returned by a mail server:"},
		"only the headers come back": {strings.Replace(mailtest.Report("failed", "5.2.2", strings.TrimSuffix(returned, "\r\nLabdien!\r\n")), "message/rfc822", "text/rfc822-headers", 1), "returned by a mail server: 5.2.2"},
	} {
		b, err := ReadBounce(strings.NewReader(c.report))
		if err != nil || b.Letter != letter(t).ID || b.Position != 7 || b.Reason != c.reason {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestWhatIsNoReportOfALostLetterIsLeftAlone(t *testing.T) {
	report := mailtest.Report("failed", "5.1.1", returned)
	for name, message := range map[string]string{
		"nothing":                   "",
		"an answer by hand":         "From: laura@example.lv\r\nContent-Type: text/plain\r\n\r\nPaldies!\r\n",
		"a letter that is late":     mailtest.Report("delayed", "4.4.1", returned),
		"a letter that has arrived": mailtest.Report("delivered", "2.0.0", returned),
		"another's letter":          mailtest.Report("failed", "5.1.1", "Message-ID: <1@example.lv>\r\n\r\n"),
		"no letter":                 mailtest.Report("failed", "5.1.1", ""),
		"another kind of report":    strings.Replace(report, "delivery-status;", "disposition-notification;", 1),
		"cut off":                   report[:strings.Index(report, "message/rfc822")],
		"too large":                 strings.Replace(report, "I could", strings.Repeat("x", maxBounce)+"I could", 1),
		"position of no event":      strings.Replace(report, ".7@", ".-7@", 1),
	} {
		if b, err := ReadBounce(strings.NewReader(message)); !errors.Is(err, ErrNoBounce) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

// Anybody may send what is read: it never panics, and keeps no text of it but a
// code.
func FuzzReadBounce(f *testing.F) {
	f.Add(mailtest.Report("failed", "5.1.1", returned))
	f.Add(mailtest.Report("delayed", "4.4.1", returned))
	f.Add("Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--x--")
	f.Fuzz(func(t *testing.T, message string) {
		b, err := ReadBounce(strings.NewReader(message))
		switch code, ok := strings.CutPrefix(b.Reason, "returned by a mail server:"); {
		case err != nil && (!errors.Is(err, ErrNoBounce) || b != Bounce{}):
			t.Errorf("%+v, %v", b, err)
		case err == nil && (!ok || b.Position < 1 || strings.Trim(code, " .0123456789") != ""):
			t.Errorf("%+v", b)
		}
	})
}
