package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	"zurnals/domain"
)

// A Language is one that letters are written in.
type Language string

const (
	Latvian Language = "lv"
	English Language = "en"
)

// Languages are all of them.
var Languages = []Language{Latvian, English}

// A Content is what a letter says, in no language yet.
type Content interface {
	template() string // name of its file, without language
}

type (
	// An Invitation (uzaicinājums) asks somebody to register.
	Invitation struct {
		Name  string
		Place string // where the person is to work; may be empty
		Link  string
		Until time.Time // how long Link works
		Again bool      // an earlier link has stopped working
	}

	// An Attached letter tells somebody who has an account of a new workplace
	// (piesaiste iestādei).
	Attached struct {
		Place      string // may be empty
		Registered bool   // else the link to register comes in a letter of its own
		Link       string // where to sign in
	}

	// A LoginCode (pieslēgšanās kods) finishes a sign-in.
	LoginCode struct {
		Code  string
		Until time.Time
	}

	// An EmailChange (e-pasta maiņa) goes to the present address, for the new one
	// to be given.
	EmailChange struct {
		Link  string
		Until time.Time
	}

	// An EmailConfirmation goes to the new address, for it to be confirmed.
	EmailConfirmation struct {
		Link     string
		Until    time.Time
		Recovery bool // an administrator has begun it
	}

	// An EmailTaken letter tells whose address somebody else wanted to have.
	EmailTaken struct{}

	// An EmailRecovery tells the present address that an administrator has begun
	// to change it, and lets that be stopped.
	EmailRecovery struct {
		Place string // may be empty
		Link  string
		Until time.Time
	}

	// An EmailChanged letter goes to both addresses in the end.
	EmailChanged struct {
		New bool // this one is the new one
	}

	// A PasswordReset (paroles atjaunošana) lets another password be chosen.
	PasswordReset struct {
		Link  string
		Until time.Time
	}

	// A PasswordChanged letter tells that another password counts.
	PasswordChanged struct{}

	// A PersonalCodeCorrected letter (personas koda labojums) tells that the
	// support has corrected the personal code of the account.
	PersonalCodeCorrected struct {
		Code       string // masked
		Registered bool   // else there is nothing to sign in to yet
	}

	// A PasskeyAdded letter tells that a passkey signs in from now on.
	PasskeyAdded struct{ Name string }

	// An AdministratorsGone letter tells those above a school that it is without
	// administrator.
	AdministratorsGone struct {
		Place string // may be empty
		Link  string
	}
)

func (Invitation) template() string { return "invitation" }
func (Attached) template() string   { return "attached" }
func (LoginCode) template() string  { return "login_code" }

func (EmailChange) template() string        { return "email_change" }
func (EmailConfirmation) template() string  { return "email_confirmation" }
func (EmailTaken) template() string         { return "email_taken" }
func (EmailRecovery) template() string      { return "email_recovery" }
func (EmailChanged) template() string       { return "email_changed" }
func (PasswordReset) template() string      { return "password_reset" }
func (PasswordChanged) template() string    { return "password_changed" }
func (PasskeyAdded) template() string       { return "passkey_added" }
func (AdministratorsGone) template() string { return "administrators_gone" }

func (PersonalCodeCorrected) template() string { return "personal_code_corrected" }

// Compose writes a letter. Who gets it, and its id and time, are the caller's
// to fill in. Any language but English is Latvian.
func Compose(language Language, c Content) (Letter, error) {
	if language != English {
		language = Latvian
	}
	s := written()[string(language)+"/"+c.template()]
	if s == nil {
		return Letter{}, fmt.Errorf("mail: no template %s in %s", c.template(), language)
	}
	var subject, text, html strings.Builder
	if err := s.text.ExecuteTemplate(&subject, "subject", c); err != nil {
		return Letter{}, fmt.Errorf("mail: %w", err)
	}
	if err := s.text.ExecuteTemplate(&text, "text", c); err != nil {
		return Letter{}, fmt.Errorf("mail: %w", err)
	}
	if err := s.html.ExecuteTemplate(&html, "page", page{language, strings.TrimSpace(subject.String()), c}); err != nil {
		return Letter{}, fmt.Errorf("mail: %w", err)
	}
	return Letter{
		Subject: strings.TrimSpace(subject.String()),
		Text:    strings.TrimSpace(text.String()) + "\n",
		HTML:    strings.TrimSpace(html.String()) + "\n",
	}, nil
}

// A page is what the frame around an HTML letter needs.
type page struct {
	Language Language
	Subject  string
	Content  Content
}

//go:embed templates
var files embed.FS

// A script is one letter in one language: blocks "subject", "text", "html".
type script struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

var contents = []Content{
	Invitation{}, Attached{}, LoginCode{}, EmailChange{}, EmailConfirmation{}, EmailTaken{}, EmailRecovery{}, EmailChanged{},
	PasswordReset{}, PasswordChanged{}, PasskeyAdded{}, PersonalCodeCorrected{}, AdministratorsGone{},
}

// written returns all letters by language and name. They are part of the
// program, so one that cannot be read is a mistake in it.
var written = sync.OnceValue(func() map[string]*script {
	all := make(map[string]*script)
	for _, language := range Languages {
		functions := texttemplate.FuncMap{"moment": moments[language]}
		for _, c := range contents {
			own := fmt.Sprintf("templates/%s/%s.tmpl", language, c.template())
			all[string(language)+"/"+c.template()] = &script{
				text: texttemplate.Must(texttemplate.New("").Funcs(functions).ParseFS(files, own)),
				html: htmltemplate.Must(htmltemplate.New("").Funcs(functions).ParseFS(files, "templates/page.tmpl", own)),
			}
		}
	}
	return all
})

// moments write a time after "until": in Latvian in the dative.
var moments = map[Language]func(time.Time) string{
	Latvian: func(t time.Time) string {
		t = t.In(domain.Riga)
		return fmt.Sprintf("%d. gada %d. %s plkst. %s", t.Year(), t.Day(), months[t.Month()-1], t.Format("15.04"))
	},
	English: func(t time.Time) string { return t.In(domain.Riga).Format("2 January 2006, 15:04") + " (Riga time)" },
}

var months = [12]string{
	"janvārim", "februārim", "martam", "aprīlim", "maijam", "jūnijam",
	"jūlijam", "augustam", "septembrim", "oktobrim", "novembrim", "decembrim",
}
