package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/oidc"
	"zurnals/internal/sessions"
	"zurnals/internal/texts"
)

// External are the services that staff may sign in by, beside e-mail.
type External struct {
	Providers map[string]*oidc.Provider // by name; those that are not set up are missing
	Flows     Flows
}

// Flows keeps sign-ins at services that have been begun. *oidc.Flows does.
type Flows interface {
	Begin(ctx context.Context, flow oidc.Flow) (oidc.Secrets, oidc.Flow, error)
	Take(ctx context.Context, provider string, secrets oidc.Secrets) (oidc.Flow, error)
}

// limitExternal is by who asks.
var limitExternal = limit{"external", 30, time.Minute}

// externalRoutes are for connecting E-klase and e-paraksts with the own account
// and for signing in by them. The browser goes there and comes back to a page.
func (a *API) externalRoutes() {
	const me = "me"
	handle(a, route{
		id: "list-external-logins", method: "GET", path: "/me/external-logins", tag: me, permission: access.OwnAccount,
		summary: "The services one may sign in by (Savienotie ārējie servisi)", about: "Signing in by e-mail stays, whatever is connected.",
	}, a.externalLogins)
	handle(a, route{
		id: "get-external-login", method: "GET", path: "/me/external-logins/{provider}", tag: me, permission: access.OwnAccount,
		summary: "Whether a service is connected",
	}, a.externalLogin)
	handle(a, route{
		id: "connect-external-login", method: "POST", path: "/me/external-logins/{provider}", tag: me, permission: access.OwnAccount,
		status: http.StatusCreated, limit: limitExternal,
		summary: "Begin to connect a service: go to the address that is answered",
		about:   freshAbout + " Only after the first sign-in by e-mail. The browser that asks must be the one that comes back, within ten minutes.",
	}, a.beginConnect)
	handle(a, route{
		id: "disconnect-external-login", method: "DELETE", path: "/me/external-logins/{provider}", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "Disconnect a service", about: "Signing in by e-mail cannot be removed.",
	}, a.disconnect)
	handle(a, route{
		id: "sign-in-externally", method: "POST", path: "/sessions/external/{provider}", tag: "sessions", permission: access.SignIn,
		status: http.StatusCreated, limit: limitSignIn,
		summary: "Begin to sign in by a service: go to the address that is answered",
		about:   "Only who has connected it. The first sign-in is by e-mail.",
	}, a.beginSignIn)
	a.pages.Get("/external-logins/{provider}/callback", a.comeBack)
}

type providerIn struct {
	Provider string `path:"provider" maxLength:"30" doc:"eklase or eparaksts"`
}

type externalLogin struct {
	Provider  string `json:"provider"`
	Connected bool   `json:"connected"`
	Available bool   `json:"available" doc:"it is set up here"`
}

type externalLoginsOut struct {
	Body struct {
		Items []externalLogin `json:"items" nullable:"false"`
	}
}

func (a *API) externalLogins(ctx context.Context, by access.Actor, _ *none) (*externalLoginsOut, error) {
	all, err := a.Commands.ExternalLogins(ctx, by)
	if err != nil {
		return nil, err
	}
	out := new(externalLoginsOut)
	for _, l := range all {
		out.Body.Items = append(out.Body.Items, a.shownLogin(l))
	}
	return out, nil
}

func (a *API) shownLogin(l commands.ExternalLogin) externalLogin {
	return externalLogin{Provider: l.Provider, Connected: l.Connected, Available: a.External.Providers[l.Provider] != nil}
}

type externalLoginOut struct{ Body externalLogin }

func (a *API) externalLogin(ctx context.Context, by access.Actor, in *providerIn) (*externalLoginOut, error) {
	all, err := a.Commands.ExternalLogins(ctx, by)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Provider == in.Provider {
			return &externalLoginOut{a.shownLogin(l)}, nil
		}
	}
	return nil, access.ErrElsewhere
}

type beginOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Address   string    `json:"authorization_url" doc:"where the browser goes to sign in"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

func (a *API) beginConnect(ctx context.Context, by access.Actor, in *providerIn) (*beginOut, error) {
	if err := a.Commands.CheckConnect(ctx, by, in.Provider, asked(ctx).session.CreatedAt); err != nil {
		return nil, err
	}
	return a.beginExternal(ctx, oidc.Flow{Provider: in.Provider, Account: by.ID, Session: asked(ctx).session.ID})
}

func (a *API) beginSignIn(ctx context.Context, by access.Actor, in *providerIn) (*beginOut, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return nil, err
	}
	return a.beginExternal(ctx, oidc.Flow{Provider: in.Provider})
}

// provider returns a service by the name that somebody has given.
func (a *API) provider(name string) (*oidc.Provider, error) {
	if err := commands.CheckProvider(name); err != nil {
		return nil, err
	}
	if p := a.External.Providers[name]; p != nil {
		return p, nil
	}
	return nil, oidc.ErrNone
}

func (a *API) beginExternal(ctx context.Context, flow oidc.Flow) (*beginOut, error) {
	provider, err := a.provider(flow.Provider)
	if err != nil {
		return nil, err
	}
	secrets, flow, err := a.External.Flows.Begin(ctx, flow)
	if err != nil {
		return nil, err
	}
	address, err := provider.Address(ctx, secrets)
	if err != nil {
		a.Log.WarnContext(ctx, "service not reached", "request", asked(ctx).id, "provider", flow.Provider, "err", err)
		return nil, err
	}
	out := &beginOut{SetCookie: a.externalCookie(secrets.Browser, oidc.FlowLifetime)}
	out.Body.Address, out.Body.ExpiresAt = address, flow.Expires
	return out, nil
}

func (a *API) disconnect(ctx context.Context, by access.Actor, in *providerIn) (*none, error) {
	return nil, a.Commands.DisconnectExternal(ctx, by, in.Provider)
}

// externalCookie ties a sign-in at a service to the browser that began it. It
// comes back with the browser from another site, which Lax lets it.
func (a *API) externalCookie(secret string, life time.Duration) http.Cookie {
	c := a.cookie(sessions.Staff, secret, life)
	c.Name += "-external"
	return c
}

// comeBackRoute has refusals of the page counted and noted.
var comeBackRoute = &route{limit: limitSignIn, asker: asker{token: true}}

// comeBack is where services send the browser. It is a GET that changes
// something, as OpenID Connect wants it: state and cookie together show that
// this browser has asked for it, and work once.
func (a *API) comeBack(w http.ResponseWriter, r *http.Request) {
	q := asked(r.Context())
	q.route, q.w, q.r = comeBackRoute, w, r
	q.by = access.Actor{Kind: domain.ActorAnonymous, Request: q.id}
	if r.Method != http.MethodGet { // a HEAD would use up what the GET needs
		a.refuse(w, r, errMethod)
		return
	}
	done := "page.external_connected"
	err := a.limited(q)
	var flow oidc.Flow
	var who commands.ExternalIdentity
	if err == nil {
		flow, who, err = a.redeem(q)
	}
	switch {
	case err != nil:
	case flow.Account == uuid.Nil:
		done = "page.external_signed_in"
		var signedIn commands.SignedIn
		signedIn, err = a.Commands.SignInExternally(r.Context(), q.identified(), who, func(_ context.Context, session domain.SessionID, account domain.AccountID, generation int) error {
			_, cookie, err := a.startSession(q, session, sessions.Staff, account.UUID, generation)
			if err == nil {
				w.Header()["Set-Cookie"] = []string{cookie.String()} // of the last try only
			}
			return err
		})
		if err == nil {
			known := a.knownDevice(r.Context(), signedIn.Account)
			http.SetCookie(w, &known)
		} else {
			w.Header().Del("Set-Cookie")
		}
	default:
		if err = a.resume(q, flow); err == nil {
			err = a.Commands.ConnectExternal(r.Context(), q.identified(), who)
		}
	}
	forget := a.externalCookie("", -time.Second)
	http.SetCookie(w, &forget)
	a.showExternal(q, done, err)
}

// redeem takes the answer of a service to what this browser has begun.
func (a *API) redeem(q *request) (oidc.Flow, commands.ExternalIdentity, error) {
	ctx, name, query := q.r.Context(), chi.URLParam(q.r, "provider"), q.r.URL.Query()
	var who commands.ExternalIdentity
	provider, err := a.provider(name)
	if err != nil {
		return oidc.Flow{}, who, err
	}
	cookie, err := q.r.Cookie(a.externalCookie("", 0).Name)
	if err != nil {
		return oidc.Flow{}, who, oidc.ErrState
	}
	secrets := oidc.Secrets{State: query.Get("state"), Browser: cookie.Value}
	flow, err := a.External.Flows.Take(ctx, name, secrets)
	if err != nil {
		return flow, who, err
	}
	identity, err := provider.Redeem(ctx, secrets, oidc.Answer{Code: query.Get("code"), Issuer: query.Get("iss"), Error: query.Get("error")})
	if err != nil {
		a.Log.WarnContext(ctx, "answer of a service not taken", "request", q.id, "provider", name, "err", err)
		return flow, who, err
	}
	return flow, commands.ExternalIdentity{
		Provider: name, Issuer: identity.Issuer, Subject: identity.Subject, PersonalCode: identity.PersonalCode,
	}, nil
}

// resume goes on as who began, if that session has not ended meanwhile and
// nobody else has signed in with the same browser.
func (a *API) resume(q *request, flow oidc.Flow) error {
	ctx := q.r.Context()
	open, err := a.Sessions.List(ctx, sessions.Staff, flow.Account)
	if err != nil {
		return err
	}
	for _, s := range open {
		if s.ID == flow.Session {
			q.session = s
		}
	}
	if q.session.ID.IsZero() {
		return commands.ErrSignIn
	}
	if cookie, err := q.r.Cookie(a.cookieName(sessions.Staff)); err == nil {
		now, err := a.Sessions.Find(ctx, sessions.Staff, cookie.Value)
		switch {
		case err == nil && now.Subject != flow.Account:
			return oidc.ErrState
		case err != nil && !errors.Is(err, sessions.ErrNone):
			return err
		}
	}
	by, err := a.Who.Who(ctx, domain.AccountID{UUID: flow.Account}, q.session.Generation, domain.AssignmentID{})
	if err != nil && !errors.Is(err, access.ErrChooseRole) {
		return err
	}
	by.Active, by.Request = access.Assignment{}, q.id // the own things need no role
	q.by = by
	return nil
}

var externalTemplate = pageWith("")

func (a *API) showExternal(q *request, done string, err error) {
	v := frame{Language: q.language, Title: texts.Of(q.language, "page.external_title"), Message: texts.Of(q.language, done), Good: err == nil}
	status := http.StatusOK
	if err != nil {
		status = a.failed(q, &v, err)
	}
	a.showPage(q, externalTemplate, status, v)
}
