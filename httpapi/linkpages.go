package httpapi

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/texts"
)

//go:embed link.html
var linkHTML string

var linkTemplate = pageWith(linkHTML)

// A linkView is what the page of a mailed link shows. It never names a person:
// whoever opens the link need not be the one it was sent to.
type linkView struct {
	frame
	Hint   string
	Form   *linkForm
	SignIn bool // that comes next
}

type linkForm struct {
	Intro, Submit string
	Fields        []linkField
	Hidden        []linkField
}

type linkField struct {
	Name, Label, Type, Autocomplete, Value string
	Min, Max                               int // characters; zero for what is usual
}

// A linkPage is the page of one kind of link. It works without scripts, and GET
// uses nothing up, so that mail scanners do no harm (C04).
type linkPage struct {
	path   string // before the token
	text   string // what the codes of its texts begin with
	own    bool   // only for who is signed in
	fields []linkField

	// check returns nil if the link works, follow follows it.
	check  func(ctx context.Context, by access.Actor, token string) error
	follow func(ctx context.Context, by access.Actor, token string, r *http.Request) error
	ends   bool // it ends all sessions
}

// linkPages are what the links in letters about the address and the password
// open.
func (a *API) linkPages() {
	passwords := []linkField{
		{Name: "password", Label: "page.password", Type: "password", Autocomplete: "new-password"},
		{Name: "again", Label: "page.register_again", Type: "password", Autocomplete: "new-password"},
	}
	for _, p := range []*linkPage{
		{
			path: "/password-resets/", text: "page.reset_", fields: passwords, check: a.Commands.CheckReset,
			follow: func(ctx context.Context, by access.Actor, token string, r *http.Request) error {
				if r.PostForm.Get("password") != r.PostForm.Get("again") {
					return errDiffer
				}
				_, err := a.Commands.ResetPassword(ctx, by, commands.ResetPassword{Token: token, Password: r.PostForm.Get("password")})
				return err
			},
		},
		{
			path: "/email-recoveries/", text: "page.stop_", check: a.Commands.CheckStop,
			follow: func(ctx context.Context, by access.Actor, token string, _ *http.Request) error {
				return a.Commands.StopEmailChange(ctx, by, token)
			},
		},
		{
			path: "/email-change/", text: "page.change_", own: true, check: a.Commands.CheckEmailChange,
			fields: []linkField{{Name: "email", Label: "page.new_email", Type: "email", Autocomplete: "email"}},
			follow: func(ctx context.Context, by access.Actor, token string, r *http.Request) error {
				return a.Commands.GiveEmail(ctx, by, commands.GiveEmail{Token: token, Email: r.PostForm.Get("email")})
			},
		},
		{
			path: "/email-confirmations/", text: "page.confirm_", own: true, ends: true,
			check: func(ctx context.Context, by access.Actor, token string) error {
				_, err := a.Commands.CheckConfirmation(ctx, by, token)
				return err
			},
			follow: func(ctx context.Context, by access.Actor, token string, _ *http.Request) error {
				return a.Commands.ConfirmEmail(ctx, by, token)
			},
		},
	} {
		a.pages.Get(p.path+"{token}", func(w http.ResponseWriter, r *http.Request) { a.linkPage(p, w, r, false) })
		a.pages.Post(p.path+"{token}", func(w http.ResponseWriter, r *http.Request) { a.linkPage(p, w, r, true) })
	}
}

// Refusals of these pages are noted and counted as those of the routes of the
// API that do the same.
var (
	ownPage    = &route{limit: limitRegistration, asker: asker{staff: true}}
	signInPage = &route{limit: limitSignIn, asker: asker{anonymous: true}}
)

func (a *API) linkPage(p *linkPage, w http.ResponseWriter, r *http.Request, post bool) {
	q := asked(r.Context())
	q.route, q.w, q.r = tokenRoute, w, r
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if post && r.ParseForm() != nil {
		a.showLink(q, p, nil, errMalformed, false)
		return
	}
	if p.own {
		q.route = ownPage
	}
	err := a.identify(q)
	if errors.Is(err, commands.ErrSignIn) {
		a.signInOnPage(q, p, post)
		return
	}
	token := chi.URLParam(r, "token")
	if err == nil {
		err = a.limited(q)
	}
	switch {
	case err != nil:
	case post:
		err = p.follow(r.Context(), q.by, token, r)
	default:
		err = p.check(r.Context(), q.by, token)
	}
	if err == nil && post && p.ends {
		cookie := a.endCookie(sessions.Staff)
		http.SetCookie(w, &cookie)
	}
	var form *linkForm
	var refused *domain.Error
	if err == nil && !post || errors.As(err, &refused) && refused.Kind == domain.Invalid {
		form = &linkForm{Intro: texts.Of(q.language, p.text+"intro"), Submit: texts.Of(q.language, p.text+"submit"), Fields: slices.Clone(p.fields)}
	}
	a.showLink(q, p, form, err, err == nil && post)
}

// signInOnPage has somebody sign in first, and then go on (C10).
func (a *API) signInOnPage(q *request, p *linkPage, post bool) {
	q.route, q.by = signInPage, access.Actor{Kind: domain.ActorAnonymous, Request: q.id}
	text := func(code string) string { return texts.Of(q.language, code) }
	form := &linkForm{Intro: text("page.sign_in_intro"), Submit: text("page.sign_in_submit"), Fields: []linkField{
		{Name: "user", Label: "page.email", Type: "email", Autocomplete: "username"},
		{Name: "secret", Label: "page.password", Type: "password", Autocomplete: "current-password"},
	}}
	values := q.r.PostForm
	if !post || !values.Has("secret") && !values.Has("code") {
		a.showLink(q, p, form, commands.ErrSignIn, false)
		return
	}
	err := a.limited(q)
	var signedIn commands.SignedIn
	if err == nil {
		signedIn, err = a.signInByForm(q)
	}
	switch {
	case err != nil:
		a.showLink(q, p, form, err, false)
	case signedIn.Session.IsZero():
		form.Intro, form.Hidden = text("page.code_intro"), []linkField{{Name: "challenge", Value: signedIn.Challenge}}
		form.Fields = []linkField{{Name: "code", Label: "page.code", Type: "text", Autocomplete: "one-time-code"}}
		a.showLink(q, p, form, nil, false)
	default:
		http.Redirect(q.w, q.r, q.r.URL.Path, http.StatusSeeOther)
	}
}

func (a *API) signInByForm(q *request) (signedIn commands.SignedIn, err error) {
	var cookie http.Cookie
	open := func(_ context.Context, session domain.SessionID, account domain.AccountID, generation int) (err error) {
		_, cookie, err = a.startSession(q, session, sessions.Staff, account.UUID, generation)
		return err
	}
	ctx, values := q.r.Context(), q.r.PostForm
	if values.Has("code") {
		signedIn, err = a.Commands.SignInWithCode(ctx, q.by, commands.SignInWithCode{Challenge: values.Get("challenge"), Code: values.Get("code")}, open)
	} else {
		signedIn, err = a.Commands.SignIn(ctx, q.by, commands.SignIn{Email: values.Get("user"), Password: values.Get("secret"), Device: a.device(q)}, open)
	}
	if err != nil || signedIn.Session.IsZero() {
		return signedIn, err
	}
	known := a.knownDevice(ctx, signedIn.Account)
	http.SetCookie(q.w, &cookie)
	http.SetCookie(q.w, &known)
	return signedIn, nil
}

// showLink answers with the page: the form, or what has become of the link.
func (a *API) showLink(q *request, p *linkPage, form *linkForm, err error, done bool) {
	text := func(code string) string { return texts.Of(q.language, code) }
	v := linkView{frame: frame{Language: q.language, Title: text(p.text + "title"), Good: done}, Form: form, SignIn: done && (p.ends || !p.own)}
	status := http.StatusOK
	switch {
	case done:
		v.Message = text(p.text + "done")
	case err != nil:
		status = a.failed(q, &v.frame, err)
	}
	if form != nil {
		for i, f := range form.Fields {
			form.Fields[i].Label = text(f.Label)
		}
	}
	a.showForm(q, status, v)
}

// showForm answers with the page of a mailed link.
func (a *API) showForm(q *request, status int, v linkView) {
	// The form is posted to this very address: without its origin a browser
	// that sends no Sec-Fetch-Site would look like another site.
	q.w.Header().Set("Referrer-Policy", "same-origin")
	a.showPage(q, linkTemplate, status, v)
}
