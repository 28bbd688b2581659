package mail

import (
	"strings"
	"testing"
	"time"
)

// monday is 1 September 2025, 8:00 in Riga.
var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

const link = "https://zurnals.example.lv/registrations/dG9rZW4?x=1&y=2"

func TestEveryLetterIsWrittenInEveryLanguage(t *testing.T) {
	for _, language := range Languages {
		for name, c := range map[string]Content{
			"invitation":       Invitation{Name: "Laura Ozola", Place: "Rīgas 99. vidusskola", Link: link, Until: monday.AddDate(0, 0, 5)},
			"invitation again": Invitation{Name: "Laura Ozola", Link: link, Until: monday.AddDate(0, 0, 5), Again: true},
			"attached":         Attached{Place: "Rīgas 99. vidusskola", Registered: true, Link: link},
			"attached early":   Attached{Place: "Rīgas 99. vidusskola", Link: link},
			"email change":     EmailChange{Link: link, Until: monday.AddDate(0, 0, 1)},
			"confirmation":     EmailConfirmation{Link: link, Until: monday.AddDate(0, 0, 1)},
			"recovered":        EmailConfirmation{Link: link, Until: monday.AddDate(0, 0, 1), Recovery: true},
			"taken":            EmailTaken{},
			"recovery":         EmailRecovery{Place: "Rīgas 99. vidusskola", Link: link, Until: monday.AddDate(0, 0, 1)},
			"changed, new":     EmailChanged{New: true},
			"changed, old":     EmailChanged{},
			"reset":            PasswordReset{Link: link, Until: monday.Add(time.Hour)},
			"password":         PasswordChanged{},
			"code corrected":   PersonalCodeCorrected{Code: "240683-*****", Registered: true},
			"code corrected 2": PersonalCodeCorrected{Code: "240683-*****"},
			"passkey":          PasskeyAdded{Name: "Telefons"},
			"orphaned school":  AdministratorsGone{Place: "Rīgas 99. vidusskola", Link: link},
			"login code":       LoginCode{Code: "048213", Until: monday.Add(10 * time.Minute)},
		} {
			t.Run(string(language)+" "+name, func(t *testing.T) {
				l, err := Compose(language, c)
				if err != nil {
					t.Fatal(err)
				}
				if l.Subject == "" || unprintable(l.Subject) {
					t.Errorf("subject %q", l.Subject)
				}
				for what, body := range map[string]string{"text": l.Text, "html": l.HTML} {
					if len(body) < 200 || strings.Contains(body, "<no value>") || strings.Contains(body, "%!") || strings.Contains(body, "ZgotmplZ") {
						t.Errorf("%s:\n%s", what, body)
					}
				}
				if strings.Contains(l.Text, "\n\n\n") || strings.ContainsAny(l.Text, "<>") {
					t.Errorf("text is untidy:\n%s", l.Text)
				}
				if !strings.Contains(l.HTML, `<html lang="`+string(language)+`">`) {
					t.Errorf("html does not name its language:\n%s", l.HTML)
				}
				switch c := c.(type) {
				case Invitation:
					if !strings.Contains(l.Text, "\n"+link+"\n") || !strings.Contains(l.HTML, `href="https://zurnals.example.lv/registrations/dG9rZW4?x=1&amp;y=2"`) {
						t.Errorf("no link:\n%s\n%s", l.Text, l.HTML)
					}
					if !strings.Contains(l.Text, c.Name) || !strings.Contains(l.Text, c.Place) {
						t.Errorf("no name, or no place:\n%s", l.Text)
					}
				case EmailChange, EmailConfirmation, EmailRecovery, PasswordReset, AdministratorsGone:
					if !strings.Contains(l.Text, "\n"+link+"\n") || !strings.Contains(l.HTML, `href="https://zurnals.example.lv/registrations/dG9rZW4?x=1&amp;y=2"`) {
						t.Errorf("no link:\n%s\n%s", l.Text, l.HTML)
					}
				case PasskeyAdded:
					if !strings.Contains(l.Text, c.Name) || !strings.Contains(l.HTML, c.Name) || strings.Contains(l.Text, "http") || strings.Contains(l.HTML, "href") {
						t.Errorf("no name, or a link in a notice:\n%s", l.Text)
					}
				case EmailTaken, EmailChanged, PasswordChanged, PersonalCodeCorrected:
					if strings.Contains(l.Text, "http") || strings.Contains(l.HTML, "href") {
						t.Errorf("a notice asks nothing:\n%s", l.Text)
					}
				case Attached:
					if strings.Contains(l.Text, "\n"+link+"\n") != c.Registered || !strings.Contains(l.Text, c.Place) {
						t.Errorf("no link, or no place:\n%s", l.Text)
					}
				case LoginCode:
					if !strings.Contains(l.Text, "\n"+c.Code+"\n") || !strings.Contains(l.HTML, c.Code) {
						t.Errorf("no code:\n%s", l.Text)
					}
				}
			})
		}
	}
}

func TestLettersAreLatvianUnlessEnglishIsWanted(t *testing.T) {
	for language, want := range map[Language]string{Latvian: "Uzaicinājums", "": "Uzaicinājums", "de": "Uzaicinājums", English: "Your invitation"} {
		l, err := Compose(language, Invitation{Name: "Laura Ozola", Link: link, Until: monday})
		if err != nil || !strings.HasPrefix(l.Subject, want) {
			t.Errorf("%q: %q, %v", language, l.Subject, err)
		}
	}
}

func TestTheTimeIsThatOfRiga(t *testing.T) {
	if got, want := moments[Latvian](monday), "2025. gada 1. septembrim plkst. 08.00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := moments[English](monday), "1 September 2025, 08:00 (Riga time)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestANameIsTextAndNothingElse(t *testing.T) {
	l, err := Compose(Latvian, Invitation{Name: `<script>alert(1)</script>{{.Link}}`, Link: "javascript:alert(1)", Until: monday})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(l.HTML, "<script") || strings.Contains(l.HTML, `href="javascript`) {
		t.Errorf("html:\n%s", l.HTML)
	}
	if !strings.Contains(l.Text, "{{.Link}}") {
		t.Errorf("a name was taken for a template:\n%s", l.Text)
	}
}
