package httpapi

import (
	_ "embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/go-chi/chi/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
)

//go:embed register.html
var registerHTML string

var registerTemplate = template.Must(template.New("register").Parse(registerHTML))

// A registerView is what the page of a registration link shows. It never names
// the person: whoever opens the link need not be the one it was sent to.
type registerView struct {
	Language, Title                string
	Message, Hint                  string
	Done, Form                     bool
	Intro, Password, Again, Submit string
	Min, Max                       int
}

// registerPage is what registration links in mails open. It works without
// scripts. GET uses nothing up, so that mail scanners do no harm (C04).
func (a *API) registerPage() {
	a.pages.Get("/registrations/{token}", a.showRegistration)
	a.pages.Post("/registrations/{token}", a.postRegistration)
}

// tokenRoute has refusals of these pages noted and counted as those of the
// routes of the API that do the same.
var tokenRoute = &route{limit: limitRegistration, asker: asker{token: true}}

func (a *API) showRegistration(w http.ResponseWriter, r *http.Request) {
	q, by, err := a.tokenRequest(w, r)
	if err == nil {
		err = a.Commands.CheckRegistration(r.Context(), by, chi.URLParam(r, "token"))
	}
	a.showRegister(q, err, false)
}

// errDiffer refuses two passwords that are not the same: one is a slip.
var errDiffer = domain.Refuse(domain.Invalid, "page.register_differ", "the two passwords are not the same")

func (a *API) postRegistration(w http.ResponseWriter, r *http.Request) {
	q, by, err := a.tokenRequest(w, r)
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err == nil && r.ParseForm() != nil {
		err = errMalformed
	}
	password := r.PostForm.Get("password")
	if err == nil && password != r.PostForm.Get("again") {
		err = errDiffer
	}
	if err == nil {
		_, err = a.Commands.ConfirmRegistration(r.Context(), by, commands.ConfirmRegistration{Token: chi.URLParam(r, "token"), Password: password})
	}
	a.showRegister(q, err, true)
}

// tokenRequest is what a route of the API would do before its handler.
func (a *API) tokenRequest(w http.ResponseWriter, r *http.Request) (*request, access.Actor, error) {
	q := asked(r.Context())
	q.route, q.w, q.r = tokenRoute, w, r
	q.by = access.Actor{Kind: domain.ActorToken, Request: q.id}
	return q, q.by, a.limited(q)
}

// showRegister answers with the page: the form, or what has become of the link.
func (a *API) showRegister(q *request, err error, posted bool) {
	text := func(code string) string { return texts.Of(q.language, code) }
	v := registerView{
		Language: string(q.language), Title: text("page.register_title"), Intro: text("page.register_intro"),
		Password: text("page.password"), Again: text("page.register_again"), Submit: text("page.register_submit"),
		Min: commands.PasswordMin, Max: commands.PasswordMax,
		Form: err == nil && !posted, Done: err == nil && posted,
	}
	status := http.StatusOK
	switch {
	case v.Done:
		v.Message = text("page.register_done")
	case err != nil:
		p := a.problem(q, err)
		status, v.Message = p.Status, p.Title
		if len(p.Errors) > 0 && p.Errors[0].Detail != "" {
			v.Message = p.Errors[0].Detail
		}
		var refused *domain.Error
		errors.As(err, &refused)
		v.Form = refused != nil && refused.Kind == domain.Invalid // of the password: try another
		if p.Code == "identity.link_expired" {
			v.Hint = text("page.register_new")
		}
		for name, values := range p.GetHeaders() {
			q.w.Header()[name] = values
		}
	}
	h := q.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// The form is posted to this very address: without its origin a browser
	// that sends no Sec-Fetch-Site would look like another site.
	h.Set("Referrer-Policy", "same-origin")
	q.w.WriteHeader(status)
	if _, err := q.w.Write(render(registerTemplate, v)); err != nil {
		a.Log.DebugContext(q.r.Context(), "page not sent", "request", q.id, "err", err)
	}
}
