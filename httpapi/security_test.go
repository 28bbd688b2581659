package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/pgtest"
	"zurnals/internal/securitylog"
)

func TestRefusalsAreNotedWithoutPersonalData(t *testing.T) {
	refused := domain.Refuse(domain.NotFound, "x", "x")
	w := newWorld(t, func(a *API) {
		echo(func(context.Context, access.Actor) error { return refused })(a)
		type in struct {
			Token string `path:"token"`
		}
		handle(a, route{id: "confirm", method: "POST", path: "/registrations/{token}", summary: "Confirm", permission: access.Register},
			func(context.Context, access.Actor, *in) (*none, error) { return nil, refused })
	})
	token := "Authorization: Bearer " + w.signIn(admin)
	post := func(path, header string) []securitylog.Entry {
		w.security.entries = nil
		w.send("POST", path, `{"email":"a@b.lv"}`, header)
		return w.security.entries
	}
	for _, c := range []struct {
		name   string
		err    *domain.Error
		path   string
		header string
		kind   string
	}{
		{"forbidden", access.ErrForbidden, echoPath, token, "access.forbidden"},
		{"of another school", access.ErrElsewhere, echoPath, token, "access.not_found"},
		{"too often", domain.Refuse(domain.TooMany, "x.tries", "x"), echoPath, token, "x.tries"},
		{"not signed in", nil, echoPath, "X: x", "session.sign_in"},
		{"from another site", nil, echoPath, "Sec-Fetch-Site: cross-site", "http.cross_origin"},
		{"a dead link", domain.Refuse(domain.Gone, "identity.link_used", "x"), "/api/v1/registrations/geheim", "X: x", "identity.link_used"},
		{"a link made up", domain.Refuse(domain.NotFound, "identity.link_unknown", "x"), "/api/v1/registrations/geheim", "X: x", "identity.link_unknown"},
		{"not there", domain.Refuse(domain.NotFound, "x.none", "x"), echoPath, token, "x.none"},
		{"no id at all", domain.ErrID, echoPath, token, ""},
		{"a mistake", domain.Refuse(domain.Invalid, "x.wrong", "x"), echoPath, token, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.err != nil {
				refused = c.err
			}
			got := post(c.path, c.header)
			if c.kind == "" {
				if len(got) != 0 {
					t.Errorf("noted: %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Kind != c.kind || got[0].Request == "" || len(got[0].Address) == 0 || got[0].Actor == "" {
				t.Fatalf("%+v", got)
			}
			if c.header == token {
				e := got[0]
				if e.Actor != domain.ActorAccount || e.ActorID == uuid.Nil || e.Role != string(access.SchoolAdmin) || e.School != admin.Scope.School ||
					len(e.Objects) != 1 || e.Objects[0].String() != "0198f5e2-0000-7000-8000-0000000005c1" {
					t.Errorf("%+v", e)
				}
			}
			all, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			for _, personal := range []string{"192.0.2.1", "geheim", "a@b.lv"} {
				if strings.Contains(string(all), personal) {
					t.Errorf("%q is in the log: %s", personal, all)
				}
			}
		})
	}
}

func TestTheSecurityLogIsReadThroughTheRole(t *testing.T) {
	now := monday
	w := newWorld(t, (*API).securityRoutes)
	w.api.Security = &securitylog.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return now }}
	school := admin.Scope
	other := access.Scope{Municipality: domain.NewID[domain.MunicipalityID](), School: domain.NewID[domain.SchoolID]()}
	for i, scope := range []access.Scope{school, school, school, other} {
		err := w.api.Security.Record(t.Context(), securitylog.Entry{
			Kind: fmt.Sprintf("access.kind%d", i), Route: "GET /x", Actor: domain.ActorAccount, ActorID: uuid.New(),
			Role: string(access.SchoolAdmin), School: scope.School, Municipality: scope.Municipality, Request: "r",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(role access.Role, scope access.Scope, query string) (kinds []string, next string) {
		t.Helper()
		token := w.signIn(access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: role, Scope: scope})
		a := w.send("GET", "/api/v1/security-log"+query, "", "Authorization: Bearer "+token)
		if a.Code != 200 {
			return []string{a.problem.Code}, ""
		}
		var page struct {
			Items []struct{ Kind string }
			Next  string
		}
		if err := json.Unmarshal(a.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			kinds = append(kinds, e.Kind)
		}
		return kinds, page.Next
	}
	for _, c := range []struct {
		name  string
		role  access.Role
		scope access.Scope
		query string
		want  string
	}{
		{"auditor of everything", access.Auditor, access.Scope{}, "", "access.kind3 access.kind2 access.kind1 access.kind0"},
		{"platform administrator", access.PlatformAdmin, access.Scope{}, "?kind=access.kind3", "access.kind3"},
		{"auditor of a school", access.Auditor, school, "", "access.kind2 access.kind1 access.kind0"},
		{"auditor of a municipality", access.Auditor, access.Scope{Municipality: other.Municipality}, "", "access.kind3"},
		{"school administrator", access.SchoolAdmin, school, "", "access.forbidden"},
		{"not a cursor", access.Auditor, school, "?cursor=x", "http.invalid"},
		{"a cursor beyond numbers", access.Auditor, school, "?cursor=99999999999999999999", "http.invalid"},
		{"too many", access.Auditor, school, "?limit=201", "http.invalid"},
	} {
		if got, _ := read(c.role, c.scope, c.query); strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v; want %s", c.name, got, c.want)
		}
	}
	// What was refused to the administrator above is noted too, so there are four.
	first, next := read(access.Auditor, school, "?limit=2")
	rest, end := read(access.Auditor, school, "?limit=2&cursor="+next)
	if len(first) != 2 || next == "" || len(rest) != 2 || end != "" {
		t.Errorf("pages: %v %q, %v %q", first, next, rest, end)
	}
}
