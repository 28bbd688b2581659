package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/projections/staff"
)

// ownRoutes are for what somebody does with the own account (Mans profils).
func (a *API) ownRoutes() {
	const me = "me"
	handle(a, route{
		id: "get-me", method: "GET", path: "/me", tag: me, permission: access.OwnAccount,
		summary: "The own account (Mans profils)",
	}, a.getMe)
	handle(a, route{
		id: "change-me", method: "PATCH", path: "/me", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "Change the own name or language", about: "A change of the name needs If-Match. Letters and answers are in the language chosen; no sign-in changes it.",
	}, a.changeMe)
	handle(a, route{
		id: "delete-me", method: "DELETE", path: "/me", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "Delete the own account (Dzēst lietotāja kontu)",
		about:   "At once and for good: nobody can read any more who it was. " + freshAbout,
	}, a.deleteMe)
	handle(a, route{
		id: "export-me", method: "GET", path: "/me/export", tag: me, permission: access.OwnAccount,
		summary: "All that is kept of oneself", about: freshAbout,
	}, a.exportMe)
	handle(a, route{
		id: "change-password", method: "PUT", path: "/me/password", tag: me, permission: access.OwnAccount, limit: limitSignIn,
		summary: "Choose another password", about: "All other sessions end; this one goes on with another token.",
	}, a.changePassword)
	handle(a, route{
		id: "reauthenticate", method: "PUT", path: "/me/sessions/current", tag: me, permission: access.OwnAccount, limit: limitSignIn,
		summary: "Give the password again, for a risky step", about: "The session goes on with another token.",
	}, a.reauthenticate)

	handle(a, route{
		id: "ask-password-reset", method: "POST", path: "/password-resets", tag: "sessions", permission: access.ForgotPassword, status: http.StatusAccepted, limit: limitSignIn,
		summary: "Have a link mailed to choose another password by",
		about:   "It works for an hour. The answer does not tell whether there is such an account.",
	}, a.askReset)
	handle(a, route{
		id: "check-password-reset", method: "GET", path: "/password-resets/{token}", tag: "sessions", permission: access.FollowLink, limit: limitRegistration,
		summary: "Whether such a link works", about: "It uses nothing up, and does not tell whose link it is.",
	}, a.checkReset)
	handle(a, route{
		id: "reset-password", method: "POST", path: "/password-resets/{token}", tag: "sessions", permission: access.FollowLink, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Follow such a link: choose another password", about: "All sessions end.",
	}, a.resetPassword)
}

const freshAbout = "Who has signed in more than 60 minutes ago gives the password again first (session.reauthenticate)."

type meOut struct {
	ETag string `header:"ETag"`
	Body meShown
}

type meShown struct {
	staff.Profile
	Language string `json:"language" enum:"lv,en" doc:"of letters and answers"`
}

func (a *API) getMe(ctx context.Context, by access.Actor, _ *none) (*meOut, error) {
	profile, err := staff.Own(ctx, a.Views, by)
	if err != nil {
		return nil, err
	}
	return &meOut{ETag: etag(profile.Edition), Body: meShown{profile, languageOf(by)}}, nil
}

// languageOf returns the language of who has chosen none, too.
func languageOf(by access.Actor) string {
	if by.Language == "" {
		return "lv"
	}
	return by.Language
}

type changeMeIn struct {
	IfMatch string `header:"If-Match" maxLength:"40"`
	Body    struct {
		GivenName  *string `json:"given_name,omitempty" maxLength:"100"`
		FamilyName *string `json:"family_name,omitempty" maxLength:"100"`
		Language   *string `json:"language,omitempty" maxLength:"10" doc:"lv or en"`
	}
}

func (a *API) changeMe(ctx context.Context, by access.Actor, in *changeMeIn) (*none, error) {
	cmd := commands.ChangeProfile{GivenName: in.Body.GivenName, FamilyName: in.Body.FamilyName, Language: in.Body.Language}
	if cmd.GivenName != nil || cmd.FamilyName != nil || in.IfMatch != "" {
		var err error
		if cmd.Expected, err = ifMatch(in.IfMatch); err != nil {
			return nil, err
		}
	}
	return nil, a.Commands.ChangeProfile(ctx, by, cmd)
}

func (a *API) deleteMe(ctx context.Context, by access.Actor, _ *none) (*signedOutOut, error) {
	if err := a.Commands.DeleteAccount(ctx, by, commands.DeleteAccount{SignedIn: asked(ctx).session.CreatedAt}); err != nil {
		return nil, err
	}
	return a.signedOut(ctx, by), nil
}

// signedOut tidies away sessions that have ended. That their rows stay for a
// while, should it fail, does not matter.
func (a *API) signedOut(ctx context.Context, by access.Actor) *signedOutOut {
	if err := a.Sessions.EndAll(ctx, sessions.Staff, by.ID, domain.SessionID{}); err != nil {
		a.Log.ErrorContext(ctx, "ended sessions not tidied away", "request", asked(ctx).id, "err", err)
	}
	return &signedOutOut{[]http.Cookie{a.endCookie(sessions.Staff)}}
}

type exportOut struct {
	Disposition string `header:"Content-Disposition"`
	Body        struct {
		ID           domain.AccountID    `json:"id"`
		GivenName    string              `json:"given_name"`
		FamilyName   string              `json:"family_name"`
		PersonalCode domain.PersonalCode `json:"personal_code"`
		Email        string              `json:"email"`
		Language     string              `json:"language"`
		Roles        []heldRole          `json:"roles" nullable:"false"`
		Sessions     []ownSignIn         `json:"sessions" nullable:"false"`
		Events       []exportedEvent     `json:"events" nullable:"false" doc:"all that has happened to the account and its roles"`
	}
}

type exportedEvent struct {
	At   time.Time       `json:"at"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data" doc:"as it is kept, unsealed"`
}

func (a *API) exportMe(ctx context.Context, by access.Actor, _ *none) (*exportOut, error) {
	own, err := a.Commands.ExportOwnData(ctx, by, commands.ExportOwnData{SignedIn: asked(ctx).session.CreatedAt})
	if err != nil {
		return nil, err
	}
	signIns, err := a.signIns(ctx, by, nil)
	if err != nil {
		return nil, err
	}
	out := &exportOut{Disposition: `attachment; filename="zurnals-dati.json"`}
	b := &out.Body
	b.ID, b.GivenName, b.FamilyName = own.Account, own.Person.GivenName, own.Person.FamilyName
	b.PersonalCode, b.Email, b.Language = own.Person.PersonalCode, own.Person.Email, languageOf(by)
	b.Roles, b.Sessions, b.Events = heldRoles(own.Roles), signIns.Body.Items, make([]exportedEvent, len(own.Events))
	for i, e := range own.Events {
		b.Events[i] = exportedEvent{At: e.At.UTC(), Type: e.Type, Data: e.Data}
	}
	return out, nil
}

type changePasswordIn struct {
	Body struct {
		Current string `json:"current_password" maxLength:"200"`
		New     string `json:"new_password" maxLength:"200" doc:"12 characters or more"`
	}
}

func (a *API) changePassword(ctx context.Context, by access.Actor, in *changePasswordIn) (*sessionOut, error) {
	return a.renew(ctx, by, func(open commands.OpenSession) error {
		return a.Commands.ChangePassword(ctx, by, commands.ChangePassword{Current: in.Body.Current, New: in.Body.New}, open)
	}, true)
}

type reauthenticateIn struct {
	Body struct {
		Password string `json:"password" maxLength:"200"`
	}
}

func (a *API) reauthenticate(ctx context.Context, by access.Actor, in *reauthenticateIn) (*sessionOut, error) {
	return a.renew(ctx, by, func(open commands.OpenSession) error {
		return a.Commands.Reauthenticate(ctx, by, in.Body.Password, open)
	}, false)
}

// renew answers with a session in the place of the one that asks, and ends that
// one, or all others.
func (a *API) renew(ctx context.Context, by access.Actor, f func(commands.OpenSession) error, others bool) (*sessionOut, error) {
	q := asked(ctx)
	out := &sessionOut{Status: http.StatusOK}
	var now domain.SessionID
	err := f(func(_ context.Context, session domain.SessionID, account domain.AccountID, generation int) error {
		token, cookie, err := a.startSession(q, session, sessions.Staff, account.UUID, generation)
		now, out.Body.Token, out.SetCookie = session, token, []http.Cookie{cookie}
		out.Body.ExpiresAt = a.Now().UTC().Add(time.Duration(cookie.MaxAge) * time.Second).Truncate(time.Second)
		return err
	})
	if err != nil {
		return nil, err
	}
	if others {
		err = a.Sessions.EndAll(ctx, sessions.Staff, by.ID, now)
	} else {
		_, err = a.Sessions.End(ctx, sessions.Staff, by.ID, q.session.ID)
	}
	return out, err
}

type askResetIn struct {
	Body struct {
		Email string `json:"email" maxLength:"254"`
	}
}

func (a *API) askReset(ctx context.Context, by access.Actor, in *askResetIn) (*none, error) {
	err := a.Commands.AskPasswordReset(ctx, by, commands.AskPasswordReset{Email: in.Body.Email})
	return nil, err
}

func (a *API) checkReset(ctx context.Context, by access.Actor, in *tokenIn) (*registrationOut, error) {
	if err := a.Commands.CheckReset(ctx, by, in.Token); err != nil {
		return nil, err
	}
	out := new(registrationOut)
	out.Body.PasswordMin, out.Body.PasswordMax = commands.PasswordMin, commands.PasswordMax
	return out, nil
}

func (a *API) resetPassword(ctx context.Context, by access.Actor, in *confirmRegistrationIn) (*none, error) {
	account, err := a.Commands.ResetPassword(ctx, by, commands.ResetPassword{Token: in.Token, Password: in.Body.Password})
	if err == nil {
		a.signedOut(ctx, access.Actor{ID: account.UUID})
	}
	return nil, err
}
