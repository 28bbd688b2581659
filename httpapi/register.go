package httpapi

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
)

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
	v := linkView{frame: frame{Language: q.language, Title: text("page.register_title"), Good: err == nil && posted}}
	status := http.StatusOK
	switch {
	case v.Good:
		v.Message, v.SignIn = text("page.register_done"), true
	case err != nil:
		status = a.failed(q, &v.frame, err)
	}
	var refused *domain.Error
	errors.As(err, &refused)
	if refused != nil && refused.Code == "identity.link_expired" {
		v.Hint = text("page.register_new")
	}
	if err == nil && !posted || refused != nil && refused.Kind == domain.Invalid { // of the password: try another
		field := linkField{Type: "password", Autocomplete: "new-password", Min: commands.PasswordMin, Max: commands.PasswordMax}
		password, again := field, field
		password.Name, password.Label = "password", text("page.password")
		again.Name, again.Label = "again", text("page.register_again")
		v.Form = &linkForm{Intro: text("page.register_intro"), Submit: text("page.register_submit"), Fields: []linkField{password, again}}
	}
	a.showForm(q, status, v)
}
