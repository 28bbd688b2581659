package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"
	_ "time/tzdata" // the machine may have none
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
)

func (Invitation) template() string { return "invitation" }
func (Attached) template() string   { return "attached" }
func (LoginCode) template() string  { return "login_code" }

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

var contents = []Content{Invitation{}, Attached{}, LoginCode{}}

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

// riga is where the schools are; letters tell the time there.
var riga = func() *time.Location {
	l, err := time.LoadLocation("Europe/Riga")
	if err != nil {
		panic(err) // it is part of the program
	}
	return l
}()

// moments write a time after "until": in Latvian in the dative.
var moments = map[Language]func(time.Time) string{
	Latvian: func(t time.Time) string {
		t = t.In(riga)
		return fmt.Sprintf("%d. gada %d. %s plkst. %s", t.Year(), t.Day(), months[t.Month()-1], t.Format("15.04"))
	},
	English: func(t time.Time) string { return t.In(riga).Format("2 January 2006, 15:04") + " (Riga time)" },
}

var months = [12]string{
	"janvārim", "februārim", "martam", "aprīlim", "maijam", "jūnijam",
	"jūlijam", "augustam", "septembrim", "oktobrim", "novembrim", "decembrim",
}
