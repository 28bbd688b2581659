package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
)

// kinds declares one route for each sort of people; it answers who asked.
func kinds(a *API) {
	for path, permission := range map[string]access.Permission{
		"staff": access.SeeUsers, "own": access.OwnAccount, "learner": access.OwnLessons, "token": access.Register, "anonymous": access.SignIn,
	} {
		type out struct {
			Body struct {
				Kind domain.ActorKind    `json:"kind"`
				ID   uuid.UUID           `json:"id"`
				Role domain.AssignmentID `json:"role"`
			}
		}
		handle(a, route{id: path, method: "GET", path: "/" + path, summary: "Who", permission: permission},
			func(_ context.Context, by access.Actor, _ *none) (*out, error) {
				o := new(out)
				o.Body.Kind, o.Body.ID, o.Body.Role = by.Kind, by.ID, by.Active.ID
				return o, nil
			})
	}
}

func TestEachRealmHasItsOwnSessions(t *testing.T) {
	w := newWorld(t, kinds)
	w.who.held = []access.Assignment{admin}
	token := map[sessions.Realm]string{}
	for _, realm := range []sessions.Realm{sessions.Staff, sessions.Learner} {
		var err error
		if token[realm], _, err = w.sessions.Create(t.Context(), sessions.Session{Realm: realm, Subject: uuid.New()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, path, header string
		status             int
		kind               string
	}{
		{"staff by cookie", "staff", "Cookie: __Host-zurnals=" + token["staff"], 200, "account"},
		{"staff by bearer token", "staff", "Authorization: Bearer " + token["staff"], 200, "account"},
		{"a cookie without its prefix", "staff", "Cookie: zurnals=" + token["staff"], 401, ""},
		{"a learner's cookie under the name of staff", "staff", "Cookie: __Host-zurnals=" + token["learner"], 401, ""},
		{"a learner among staff", "staff", "Authorization: Bearer " + token["learner"], 401, ""},
		{"a learner", "learner", "Cookie: __Host-zurnals-learner=" + token["learner"], 200, "learner"},
		{"staff among learners", "learner", "Cookie: __Host-zurnals=" + token["staff"], 401, ""},
		{"the own account", "own", "Cookie: __Host-zurnals=" + token["staff"], 200, "account"},
		{"not signed in", "own", "X: x", 401, ""},
		{"a link", "token", "X: x", 200, "token"},
		{"signing in", "anonymous", "Cookie: __Host-zurnals=" + token["staff"], 200, "anonymous"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.send("GET", "/api/v1/"+c.path, "", c.header)
			if a.Code != c.status || c.kind != "" && !strings.Contains(a.Body.String(), `"kind":"`+c.kind+`"`) {
				t.Errorf("%d %s", a.Code, a.Body)
			}
			if a.Code == 401 && a.Header().Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestTheOwnThingsNeedNoRole(t *testing.T) {
	w := newWorld(t, kinds)
	for _, held := range [][]access.Assignment{nil, {admin}, {admin, {ID: domain.NewID[domain.AssignmentID]()}}} {
		a := w.send("GET", "/api/v1/own", "", "Authorization: Bearer "+w.signIn(held...))
		if a.Code != 200 || !strings.Contains(a.Body.String(), `"role":"00000000-0000-0000-0000-000000000000"`) || a.Header().Get("Zurnals-Role") != "" {
			t.Errorf("%d roles: %d %s", len(held), a.Code, a.Body)
		}
	}
}

func TestALinkNamesTheRole(t *testing.T) {
	w := newWorld(t, kinds)
	other := access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: access.SchoolAdmin}
	token := "Authorization: Bearer " + w.signIn(admin, other)
	for _, c := range []struct {
		query, header string
		want          domain.AssignmentID
	}{
		{"?role=" + other.ID.String(), "", other.ID},
		{"?role=" + other.ID.String(), admin.ID.String(), admin.ID},
		{"", other.ID.String(), other.ID},
	} {
		a := w.send("GET", "/api/v1/staff"+c.query, "", token, "Zurnals-Role: "+c.header)
		if a.Code != 200 || a.Header().Get("Zurnals-Role") != c.want.String() {
			t.Errorf("%+v: %d %s", c, a.Code, a.Body)
		}
	}
	w.send("GET", "/api/v1/staff?role=1", "", token).wants(t, 422, "role.malformed", "header.Zurnals-Role")
	// A route without roles knows no such parameter.
	w.send("GET", "/api/v1/own?role="+other.ID.String(), "", token).wants(t, 422, "http.invalid", "query.role")
}

func TestSignInSetsACookieThatScriptsCannotRead(t *testing.T) {
	type signedIn struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
		Body      struct {
			Token string `json:"token"`
		}
	}
	anna := uuid.New()
	for _, insecure := range []bool{false, true} {
		w := newWorld(t, func(a *API) {
			handle(a, route{id: "sign-in", method: "POST", path: "/sign-in", summary: "Sign in", permission: access.SignIn, status: 201},
				func(ctx context.Context, _ access.Actor, _ *none) (o *signedIn, err error) {
					o = new(signedIn)
					o.Body.Token, o.SetCookie, err = a.startSession(asked(ctx), domain.NewID[domain.SessionID](), sessions.Staff, anna, 3)
					return o, err
				})
			kinds(a)
		})
		w.api.Insecure = insecure
		a := w.send("POST", "/api/v1/sign-in", "")
		cookies := a.Result().Cookies()
		if a.Code != 201 || len(cookies) != 1 {
			t.Fatalf("%d %s %v", a.Code, a.Body, a.Header())
		}
		c := cookies[0]
		name := "__Host-zurnals"
		if insecure {
			name = "zurnals"
		}
		if c.Name != name || !c.HttpOnly || c.Secure == insecure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 3600 {
			t.Errorf("%+v", c)
		}
		w.who.held = []access.Assignment{admin}
		r := httptest.NewRequest("GET", "/api/v1/staff", nil)
		r.AddCookie(c)
		if a := w.do(r); a.Code != 200 || !strings.Contains(a.Body.String(), anna.String()) {
			t.Errorf("%d %s", a.Code, a.Body)
		}
		if end := w.api.endCookie(sessions.Staff); end.MaxAge >= 0 || end.Value != "" || end.Name != name {
			t.Errorf("%+v", end)
		}
	}
}

func TestSomebodyNotSignedInHasNoKeys(t *testing.T) {
	w := newWorld(t, func(a *API) {
		handle(a, route{id: "confirm", method: "POST", path: "/confirm", summary: "Confirm", permission: access.Register, status: 204},
			func(_ context.Context, by access.Actor, _ *none) (*none, error) {
				if by.Command != uuid.Nil || by.Fingerprint != nil {
					t.Error("a key of somebody who is not signed in was used")
				}
				return nil, nil
			})
	})
	if a := w.send("POST", "/api/v1/confirm", "", "Idempotency-Key: 12345678"); a.Code != 204 || a.Body.Len() > 0 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestARouteDeclaredWronglyDoesNotStart(t *testing.T) {
	for name, rt := range map[string]route{
		"a permission that is not in the table": {id: "x", summary: "x", method: "GET", path: "/x", permission: "made.up"},
		"one for operators only":                {id: "x", summary: "x", method: "GET", path: "/x", permission: access.CreateAdmin},
		"no id":                                 {summary: "x", method: "GET", path: "/x", permission: access.OwnAccount},
		"no summary":                            {id: "x", method: "GET", path: "/x", permission: access.OwnAccount},
		"an id that there is":                   {id: "staff", summary: "x", method: "GET", path: "/x", permission: access.OwnAccount},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			newWorld(t, func(a *API) {
				kinds(a)
				handle(a, rt, func(context.Context, access.Actor, *none) (*none, error) { return nil, nil })
			})
		})
	}
}
