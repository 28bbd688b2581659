package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
	"zurnals/internal/texts"
)

var errRole = domain.Refuse(domain.Invalid, "role.malformed", "the role named is not an id").In("header.Zurnals-Role")

// identify finds out who asks. A bearer token goes before a cookie: whoever
// sends one means it.
func (a *API) identify(q *request) error {
	switch who := q.route.asker; {
	case who.anonymous:
		q.by = access.Actor{Kind: domain.ActorAnonymous, Request: q.id}
		return nil
	case who.token:
		q.by = access.Actor{Kind: domain.ActorToken, Request: q.id}
		return nil
	}
	if err := a.signedIn(q); err != nil {
		return err
	}
	err := a.act(q)
	q.by.Request = q.id
	if id := q.by.Active.ID; !id.IsZero() {
		q.w.Header().Set("Zurnals-Role", id.String())
	}
	return err
}

// signedIn finds the session of the request.
func (a *API) signedIn(q *request) error {
	bearer, isBearer := strings.CutPrefix(q.r.Header.Get("Authorization"), "Bearer ")
	for _, realm := range q.route.asker.realms() {
		token := bearer
		if !isBearer {
			cookie, err := q.r.Cookie(a.cookieName(realm))
			if err != nil {
				continue
			}
			token = cookie.Value
		}
		session, err := a.Sessions.Find(q.r.Context(), realm, token)
		if errors.Is(err, sessions.ErrNone) {
			continue
		}
		q.session = session
		return err
	}
	return commands.ErrSignIn
}

func (w asker) realms() (all []sessions.Realm) {
	if w.staff {
		all = append(all, sessions.Staff)
	}
	if w.learner {
		all = append(all, sessions.Learner)
	}
	return all
}

// act finds the role that the session acts in.
func (a *API) act(q *request) (err error) {
	ctx, s := q.r.Context(), q.session
	if s.Realm == sessions.Learner {
		q.by, err = a.Learners.WhoLearner(ctx, domain.LearnerID{UUID: s.Subject}, s.Generation)
		return err
	}
	account := domain.AccountID{UUID: s.Subject}
	defer func() {
		if l := q.by.Language; l != "" { // what was chosen goes before what the browser says (S-53)
			q.language = texts.Language(l)
		}
	}()
	if !q.route.asker.role {
		q.by, err = a.Who.Who(ctx, account, s.Generation, domain.AssignmentID{})
		if errors.Is(err, access.ErrChooseRole) {
			err = nil // none is needed for the own things
		}
		q.by.Active = access.Assignment{}
		return err
	}
	var wanted domain.AssignmentID
	if name := q.wantedRole(); name != "" {
		if wanted, err = domain.ParseID[domain.AssignmentID](name); err != nil {
			return errRole
		}
	}
	q.by, err = a.Who.Who(ctx, account, s.Generation, wanted)
	if errors.Is(err, access.ErrChooseRole) {
		return a.choose(q, account, err)
	}
	return err
}

func (q *request) wantedRole() string {
	if name := q.r.Header.Get("Zurnals-Role"); name != "" || q.r.Method != http.MethodGet && q.r.Method != http.MethodHead {
		return name
	}
	return q.r.URL.Query().Get("role")
}

// choose asks for a role and lists those there are.
func (a *API) choose(q *request, account domain.AccountID, err error) error {
	held, err2 := a.Who.Held(q.r.Context(), account)
	if err2 != nil {
		return err2
	}
	p := newProblem(q, err)
	p.Roles = heldRoles(held)
	return p
}

func heldRoles(held []access.Assignment) []heldRole {
	roles := make([]heldRole, 0, len(held))
	for _, h := range held {
		roles = append(roles, heldRole{
			ID: h.ID, Role: h.Role,
			Municipality: some(h.Scope.Municipality), School: some(h.Scope.School),
			Class: some(h.Scope.Class), Register: some(h.Scope.Register),
		})
	}
	return roles
}

// some returns a pointer to an id, nil for the zero one.
func some[ID interface {
	comparable
	IsZero() bool
}](id ID) *ID {
	if id.IsZero() {
		return nil
	}
	return &id
}

// cookieName returns the name of a realm's cookie. The prefix __Host- has the
// browser insist on HTTPS, this host and the whole of it.
func (a *API) cookieName(realm sessions.Realm) string {
	name := "zurnals"
	if realm != sessions.Staff {
		name += "-" + string(realm)
	}
	if a.Insecure {
		return name
	}
	return "__Host-" + name
}

// startSession makes a session for somebody who has just proved who they are.
// The token is answered to programs, the cookie to browsers. The id is the one
// that the event of the sign-in will name.
func (a *API) startSession(q *request, id domain.SessionID, realm sessions.Realm, subject uuid.UUID, generation int) (token string, _ http.Cookie, err error) {
	token, session, err := a.Sessions.Create(q.r.Context(), sessions.Session{
		ID: id, Realm: realm, Subject: subject, Generation: generation,
		UserAgent: q.r.UserAgent(), Address: q.addressHash(),
	})
	if err != nil {
		return "", http.Cookie{}, err
	}
	return token, a.cookie(realm, token, session.ExpiresAt.Sub(session.CreatedAt)), nil
}

// endCookie returns the cookie that makes the browser forget its session.
func (a *API) endCookie(realm sessions.Realm) http.Cookie { return a.cookie(realm, "", -time.Second) }

// cookie lasts for a while by the browser's own clock, which is not ours.
func (a *API) cookie(realm sessions.Realm, token string, life time.Duration) http.Cookie {
	return http.Cookie{
		Name: a.cookieName(realm), Value: token, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: !a.Insecure, SameSite: http.SameSiteLaxMode,
	}
}
