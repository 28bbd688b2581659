package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/passkeys"
)

// Passkeys keeps the public keys of passkeys and checks what authenticators
// answer. *passkeys.Store does.
type Passkeys interface {
	Add(ctx context.Context, person passkeys.Person, session domain.SessionID) (passkeys.Begun, error)
	Added(ctx context.Context, account domain.AccountID, session domain.SessionID, challenge string, answer []byte) (passkeys.Fresh, error)
	Keep(ctx context.Context, id domain.CredentialID, owner string, fresh passkeys.Fresh) error
	SignIn(ctx context.Context) (passkeys.Begun, error)
	Proved(ctx context.Context, challenge string, answer []byte) (passkeys.Proof, error)
	Uses(ctx context.Context, account domain.AccountID) (map[domain.CredentialID]passkeys.Use, error)
}

// maxAnswer is how much an authenticator says at most.
const maxAnswer = 64 << 10

// passkeyRoutes are for signing in by a key of an authenticator, beside e-mail.
func (a *API) passkeyRoutes() {
	const me = "me"
	handle(a, route{
		id: "list-passkeys", method: "GET", path: "/me/passkeys", tag: me, permission: access.OwnAccount,
		summary: "The own passkeys, the oldest first", about: "Signing in by e-mail stays, however many there are.",
	}, a.listPasskeys)
	handle(a, route{
		id: "begin-passkey", method: "POST", path: "/me/passkeys", tag: me, permission: access.OwnAccount, status: http.StatusCreated, limit: limitExternal,
		summary: "Begin to add a passkey: what navigator.credentials.create is given",
		about:   freshAbout + " Only after the first sign-in by e-mail. The answer comes within five minutes, in the same session, once.",
	}, a.beginPasskey)
	handle(a, route{
		id: "add-passkey", method: "PUT", path: "/me/passkeys/challenges/{challenge}", tag: me, permission: access.OwnAccount,
		status: http.StatusCreated, limit: limitExternal, maxBody: maxAnswer,
		summary: "Add the passkey that the authenticator has made", about: freshAbout + " A notice is mailed.",
	}, a.addPasskey)
	handle(a, route{
		id: "remove-passkey", method: "DELETE", path: "/me/passkeys/{passkey}", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "Remove a passkey", about: freshAbout + " Sessions go on.",
	}, a.removePasskey)
	handle(a, route{
		id: "begin-passkey-sign-in", method: "POST", path: "/sessions/passkeys", tag: "sessions", permission: access.SignIn, status: http.StatusCreated, limit: limitSignIn,
		summary: "Begin to sign in by a passkey: what navigator.credentials.get is given", about: "Nobody says who they are: the answer is the same for all.",
	}, a.beginPasskeySignIn)
	handle(a, route{
		id: "sign-in-with-passkey", method: "POST", path: "/sessions/passkeys/{challenge}", tag: "sessions", permission: access.SignIn,
		status: http.StatusCreated, limit: limitSignIn, maxBody: maxAnswer,
		summary: "Sign in by a passkey", about: "Within five minutes and once. A passkey of which there is a copy works no longer (identity.passkey_cloned).",
	}, a.signInWithPasskey)
}

type ownPasskey struct {
	ID        domain.CredentialID `json:"id"`
	Name      string              `json:"name"`
	AddedAt   time.Time           `json:"added_at"`
	UsedAt    *time.Time          `json:"used_at" doc:"when it was signed in by last"`
	Suspended bool                `json:"suspended" doc:"there is a copy of it: it works no longer"`
}

type passkeysOut struct {
	Body struct {
		Items []ownPasskey `json:"items" nullable:"false"`
	}
}

func (a *API) listPasskeys(ctx context.Context, by access.Actor, _ *none) (*passkeysOut, error) {
	all, err := a.Commands.Passkeys(ctx, by)
	if err != nil {
		return nil, err
	}
	uses, err := a.Passkeys.Uses(ctx, by.Account())
	if err != nil {
		return nil, err
	}
	out := new(passkeysOut)
	out.Body.Items = make([]ownPasskey, len(all))
	for i, p := range all {
		use := uses[p.Credential]
		out.Body.Items[i] = ownPasskey{ID: p.Credential, Name: p.Name, AddedAt: p.AddedAt.UTC(), UsedAt: use.At, Suspended: use.Suspended}
	}
	return out, nil
}

type begunOut struct {
	Body struct {
		Challenge string          `json:"challenge" doc:"name under which the answer is sent"`
		Options   json.RawMessage `json:"options" doc:"for navigator.credentials: an object with publicKey, binary values in base64url"`
		ExpiresAt time.Time       `json:"expires_at"`
	}
}

func begun(b passkeys.Begun, err error) (*begunOut, error) {
	if err != nil {
		return nil, err
	}
	out := new(begunOut)
	out.Body.Challenge, out.Body.Options, out.Body.ExpiresAt = b.Challenge, b.Options, b.Expires
	return out, nil
}

func (a *API) beginPasskey(ctx context.Context, by access.Actor, _ *none) (*begunOut, error) {
	session := asked(ctx).session
	person, err := a.Commands.CheckPasskey(ctx, by, session.CreatedAt)
	if err != nil {
		return nil, err
	}
	return begun(a.Passkeys.Add(ctx, passkeys.Person{
		Account: by.Account(), Name: person.Email, DisplayName: strings.TrimSpace(person.GivenName + " " + person.FamilyName),
	}, session.ID))
}

type addPasskeyIn struct {
	Challenge string `path:"challenge" maxLength:"100"`
	Body      struct {
		Name       string          `json:"name" maxLength:"200" doc:"to know it by, such as the device; at most 60 characters"`
		Credential json.RawMessage `json:"credential" doc:"what navigator.credentials.create gave, as toJSON writes it"`
	}
}

type madeOut struct {
	Body struct {
		ID domain.CredentialID `json:"id"`
	}
}

func (a *API) addPasskey(ctx context.Context, by access.Actor, in *addPasskeyIn) (*madeOut, error) {
	session := asked(ctx).session
	if _, err := a.Commands.CheckPasskey(ctx, by, session.CreatedAt); err != nil {
		return nil, err
	}
	fresh, err := a.Passkeys.Added(ctx, by.Account(), session.ID, in.Challenge, in.Body.Credential)
	if err != nil {
		return nil, err
	}
	out := new(madeOut)
	out.Body.ID, err = a.Commands.AddPasskey(ctx, by, commands.AddPasskey{Name: in.Body.Name, SignedIn: session.CreatedAt},
		func(ctx context.Context, id domain.CredentialID, owner string) error {
			return a.Passkeys.Keep(ctx, id, owner, fresh)
		})
	return out, err
}

type passkeyIn struct {
	Passkey string `path:"passkey" maxLength:"36"`
}

func (a *API) removePasskey(ctx context.Context, by access.Actor, in *passkeyIn) (*none, error) {
	id, err := domain.ParseID[domain.CredentialID](in.Passkey)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.RemovePasskey(ctx, by, commands.RemovePasskey{Passkey: id, SignedIn: asked(ctx).session.CreatedAt})
}

func (a *API) beginPasskeySignIn(ctx context.Context, by access.Actor, _ *none) (*begunOut, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return nil, err
	}
	return begun(a.Passkeys.SignIn(ctx))
}

type signInWithPasskeyIn struct {
	Challenge string `path:"challenge" maxLength:"100"`
	Body      struct {
		Credential json.RawMessage `json:"credential" doc:"what navigator.credentials.get gave, as toJSON writes it"`
	}
}

func (a *API) signInWithPasskey(ctx context.Context, by access.Actor, in *signInWithPasskeyIn) (*sessionOut, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return nil, err
	}
	proof, err := a.Passkeys.Proved(ctx, in.Challenge, in.Body.Credential)
	asked(ctx).about = proof.Account.UUID // whose key was copied stands in the security log
	if err != nil {
		return nil, err
	}
	return a.openSession(ctx, func(open commands.OpenSession) (commands.SignedIn, error) {
		return a.Commands.SignInByPasskey(ctx, by, commands.ProvedPasskey{Account: proof.Account, Passkey: proof.ID}, open)
	})
}
