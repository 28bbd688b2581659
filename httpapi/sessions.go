package httpapi

import (
	"context"
	"net/http"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/texts"
	"zurnals/projections/staff"
)

// sessionRoutes are for signing in and out, for following registration links,
// and for the own account. What concerns only oneself needs no role (EMU-048).
func (a *API) sessionRoutes() {
	const tag = "sessions"
	handle(a, route{
		id: "sign-in", method: "POST", path: "/sessions", tag: tag, permission: access.SignIn, status: http.StatusCreated, limit: limitSignIn,
		summary: "Sign in with e-mail address and password",
		about: "201 begins a session: the token is for programs, as a bearer; browsers have the cookie. 202 asks for the code that was mailed, " +
			"the first time always. An unknown address gets the same answer as a wrong password.",
	}, a.signIn)
	handle(a, route{
		id: "sign-in-with-code", method: "POST", path: "/sessions/challenges/{challenge}", tag: tag, permission: access.SignIn, status: http.StatusCreated, limit: limitSignIn,
		summary: "Give the code that was mailed", about: "It works for ten minutes and five tries.",
	}, a.signInWithCode)
	handle(a, route{
		id: "check-registration", method: "GET", path: "/registrations/{token}", tag: tag, permission: access.Register, limit: limitRegistration,
		summary: "Whether a registration link works", about: "It uses nothing up, and does not tell whose link it is.",
	}, a.checkRegistration)
	handle(a, route{
		id: "confirm-registration", method: "POST", path: "/registrations/{token}", tag: tag, permission: access.Register, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Follow a registration link: choose a password",
	}, a.confirmRegistration)

	const me = "me"
	handle(a, route{
		id: "list-own-roles", method: "GET", path: "/me/roles", tag: me, permission: access.OwnAccount,
		summary: "The roles held, with the names of where", about: "Name one by its id as Zurnals-Role. A request acts in one role.",
	}, a.ownRoles)
	handle(a, route{
		id: "get-guide", method: "GET", path: "/me/guide", tag: me, permission: access.OwnAccount,
		summary: "A short guide (Ceļvedis), for those without role too",
	}, a.guide)
	handle(a, route{
		id: "list-sign-ins", method: "GET", path: "/me/sessions", tag: me, permission: access.OwnAccount,
		summary: "Where one is signed in, the last used first",
	}, a.signIns)
	handle(a, route{
		id: "end-session", method: "DELETE", path: "/me/sessions/{session}", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "End a session; “current” is the one that asks",
	}, a.endSession)
	handle(a, route{
		id: "end-sessions", method: "DELETE", path: "/me/sessions", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "End all sessions, this one too",
	}, a.endSessions)
}

type signInIn struct {
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"200"`
	}
}

type signInWithCodeIn struct {
	Challenge string `path:"challenge" maxLength:"100"`
	Body      struct {
		Code string `json:"code" maxLength:"20" doc:"six digits"`
	}
}

type sessionOut struct {
	Status    int
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Account   *domain.AccountID `json:"account_id,omitempty"`
		Token     string            `json:"token,omitempty" doc:"for programs; browsers have the cookie"`
		Challenge string            `json:"challenge,omitempty" doc:"202: give the code at /sessions/challenges/…"`
		ExpiresAt time.Time         `json:"expires_at" doc:"of the session at the latest, or of the code"`
	}
}

func (a *API) signIn(ctx context.Context, by access.Actor, in *signInIn) (*sessionOut, error) {
	return a.openSession(ctx, func(open commands.OpenSession) (commands.SignedIn, error) {
		return a.Commands.SignIn(ctx, by, commands.SignIn{Email: in.Body.Email, Password: in.Body.Password, Device: a.device(asked(ctx))}, open)
	})
}

func (a *API) signInWithCode(ctx context.Context, by access.Actor, in *signInWithCodeIn) (*sessionOut, error) {
	return a.openSession(ctx, func(open commands.OpenSession) (commands.SignedIn, error) {
		return a.Commands.SignInWithCode(ctx, by, commands.SignInWithCode{Challenge: in.Challenge, Code: in.Body.Code}, open)
	})
}

// openSession answers a sign-in with the session that it began, or the challenge.
func (a *API) openSession(ctx context.Context, signIn func(commands.OpenSession) (commands.SignedIn, error)) (*sessionOut, error) {
	out := &sessionOut{Status: http.StatusCreated}
	signedIn, err := signIn(func(_ context.Context, session domain.SessionID, account domain.AccountID, generation int) error {
		token, cookie, err := a.startSession(asked(ctx), session, sessions.Staff, account.UUID, generation)
		out.Body.Token, out.SetCookie = token, []http.Cookie{cookie}
		out.Body.ExpiresAt = a.Now().UTC().Add(time.Duration(cookie.MaxAge) * time.Second).Truncate(time.Second)
		return err
	})
	switch {
	case err != nil:
		asked(ctx).about = signedIn.Account.UUID
		return nil, err
	case signedIn.Session.IsZero():
		out.Status, out.Body.Challenge, out.Body.ExpiresAt = http.StatusAccepted, signedIn.Challenge, signedIn.CodeExpires.UTC()
	default:
		out.Body.Account = &signedIn.Account
		out.SetCookie = append(out.SetCookie, a.knownDevice(ctx, signedIn.Account))
	}
	return out, nil
}

type tokenIn struct {
	Token string `path:"token" maxLength:"100"`
}

type registrationOut struct {
	Body struct {
		PasswordMin int `json:"password_min" doc:"characters that a password has at least"`
		PasswordMax int `json:"password_max"`
	}
}

func (a *API) checkRegistration(ctx context.Context, by access.Actor, in *tokenIn) (*registrationOut, error) {
	if err := a.Commands.CheckRegistration(ctx, by, in.Token); err != nil {
		return nil, err
	}
	out := new(registrationOut)
	out.Body.PasswordMin, out.Body.PasswordMax = commands.PasswordMin, commands.PasswordMax
	return out, nil
}

type confirmRegistrationIn struct {
	Token string `path:"token" maxLength:"100"`
	Body  struct {
		Password string `json:"password" maxLength:"200" doc:"12 characters or more"`
	}
}

func (a *API) confirmRegistration(ctx context.Context, by access.Actor, in *confirmRegistrationIn) (*none, error) {
	_, err := a.Commands.ConfirmRegistration(ctx, by, commands.ConfirmRegistration{Token: in.Token, Password: in.Body.Password})
	return nil, err
}

type ownRolesOut struct {
	Body struct {
		Items []staff.Role `json:"items"`
	}
}

func (a *API) ownRoles(ctx context.Context, by access.Actor, _ *none) (*ownRolesOut, error) {
	roles, err := staff.OwnRoles(ctx, a.Views, by)
	if err != nil {
		return nil, err
	}
	out := new(ownRolesOut)
	out.Body.Items = roles
	return out, nil
}

type guideOut struct {
	Body struct {
		Items []guideItem `json:"items"`
	}
}

type guideItem struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// guideItems are the parts of the guide, by the codes of their texts.
var guideItems = []string{"roles", "without_role", "users", "classes", "help"}

func (a *API) guide(ctx context.Context, by access.Actor, _ *none) (*guideOut, error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return nil, err
	}
	out := new(guideOut)
	for _, item := range guideItems {
		language := asked(ctx).language
		out.Body.Items = append(out.Body.Items, guideItem{
			Title: texts.Of(language, "guide."+item+"_title"), Text: texts.Of(language, "guide."+item),
		})
	}
	return out, nil
}

type ownSignIn struct {
	ID        domain.SessionID `json:"id"`
	Current   bool             `json:"current" doc:"the one that asks"`
	CreatedAt time.Time        `json:"created_at"`
	LastSeen  time.Time        `json:"last_seen"`
	ExpiresAt time.Time        `json:"expires_at" doc:"at the latest"`
	UserAgent string           `json:"user_agent"`
}

type signInsOut struct {
	Body struct {
		Items []ownSignIn `json:"items"`
	}
}

func (a *API) signIns(ctx context.Context, by access.Actor, _ *none) (*signInsOut, error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return nil, err
	}
	q := asked(ctx)
	all, err := a.Sessions.List(ctx, sessions.Staff, by.ID)
	if err != nil {
		return nil, err
	}
	out := new(signInsOut)
	for _, s := range all {
		if s.Generation != q.session.Generation {
			continue // ended, only not tidied away yet
		}
		out.Body.Items = append(out.Body.Items, ownSignIn{
			ID: s.ID, Current: s.ID == q.session.ID,
			CreatedAt: s.CreatedAt, LastSeen: s.LastSeen, ExpiresAt: s.ExpiresAt, UserAgent: s.UserAgent,
		})
	}
	return out, nil
}

type endSessionIn struct {
	Session string `path:"session" maxLength:"36"`
}

type signedOutOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (a *API) endSession(ctx context.Context, by access.Actor, in *endSessionIn) (*signedOutOut, error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return nil, err
	}
	current := asked(ctx).session.ID
	id := current
	if in.Session != "current" {
		var err error
		if id, err = domain.ParseID[domain.SessionID](in.Session); err != nil {
			return nil, err
		}
	}
	found, err := a.Sessions.End(ctx, sessions.Staff, by.ID, id)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, access.ErrElsewhere
	}
	out := new(signedOutOut)
	if id == current {
		out.SetCookie = []http.Cookie{a.endCookie(sessions.Staff)}
	}
	return out, nil
}

func (a *API) endSessions(ctx context.Context, by access.Actor, _ *none) (*signedOutOut, error) {
	if err := a.Commands.EndSessions(ctx, by); err != nil {
		return nil, err
	}
	return a.signedOut(ctx, by), nil
}
