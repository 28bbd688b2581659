package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/securitylog"
)

// record notes a refusal that has to do with security. Nothing of the request
// is kept but ids: a token in a path is not one.
func (a *API) record(q *request, err error) {
	kind := suspicious(q, err)
	if kind == "" {
		return
	}
	e := securitylog.Entry{
		Kind: kind, Route: method(q.r.Method) + " " + q.pattern(), Request: q.id, Address: q.addressHash(),
		Actor: q.by.Kind, ActorID: q.by.ID, Role: string(q.by.Active.Role),
		Municipality: q.by.Active.Scope.Municipality, School: q.by.Active.Scope.School,
	}
	if e.Actor == "" {
		e.Actor = domain.ActorAnonymous
	}
	// Somebody unknown could fill the log with ids made up.
	if c := chi.RouteContext(q.r.Context()); c != nil && q.by.ID != uuid.Nil {
		for _, value := range c.URLParams.Values {
			if id, err := domain.ParseID[struct{ uuid.UUID }](value); err == nil {
				e.Objects = append(e.Objects, id.UUID)
			}
		}
	}
	if q.about != uuid.Nil {
		e.Objects = append(e.Objects, q.about)
	}
	// The answer does not depend on it, nor on the client's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.r.Context()), time.Second)
	defer cancel()
	if err := a.Security.Record(ctx, e); err != nil {
		a.Log.ErrorContext(ctx, "security log not written", "request", q.id, "kind", kind, "err", err)
	}
}

// suspicious returns under which kind a refusal is noted, "" for not at all.
func suspicious(q *request, err error) string {
	var refused *domain.Error
	var fault *fault
	switch {
	case errors.As(err, &refused):
		switch refused.Kind {
		case domain.Unauthenticated, domain.Forbidden, domain.TooMany:
			return refused.Code
		case domain.NotFound, domain.Gone, domain.Conflict:
			// A thing of another school, or a link that is dead or made up. What
			// cannot be an id at all is a mistake in writing.
			elsewhere := refused.Kind == domain.NotFound && q.by.ID != uuid.Nil && refused.Code != domain.ErrID.Code
			if elsewhere || q.route != nil && q.route.asker.token {
				return refused.Code
			}
		}
	case errors.As(err, &fault) && fault.status == http.StatusForbidden:
		return fault.code
	}
	return ""
}

type securityEntry struct {
	ID           int64       `json:"id"`
	Kind         string      `json:"kind" doc:"code of the refusal"`
	Route        string      `json:"route"`
	Actor        string      `json:"actor" doc:"account, learner, token, anonymous"`
	ActorID      string      `json:"actor_id,omitempty"`
	Role         string      `json:"role,omitempty"`
	Municipality string      `json:"municipality,omitempty" doc:"of the role"`
	School       string      `json:"school,omitempty" doc:"of the role"`
	Objects      []uuid.UUID `json:"objects" doc:"what was asked for"`
	Address      string      `json:"address" doc:"keyed hash of the network address"`
	Request      string      `json:"request"`
	At           time.Time   `json:"at"`
	LastAt       time.Time   `json:"last_at"`
	Count        int         `json:"count" doc:"repeats within the same minute"`
}

type securityLogIn struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"20" pattern:"^[0-9]*$"`
	Kind   string `query:"kind" maxLength:"100" doc:"only this code"`
	Actor  string `query:"actor" maxLength:"36" doc:"only of this account"`
}

func (a *API) securityRoutes() {
	handle(a, route{
		id: "read-security-log", method: "GET", path: "/security-log", permission: access.ReadSecurityLog, tag: "audit",
		summary: "What was refused, the newest first",
		about:   "A role held in a school or municipality sees what was refused to roles held there.",
	}, a.readSecurityLog)
}

func (a *API) readSecurityLog(ctx context.Context, by access.Actor, in *securityLogIn) (*list[securityEntry], error) {
	if err := by.Allow(access.At(access.ReadSecurityLog, by.Active.Scope)); err != nil {
		return nil, err
	}
	question := securitylog.Question{
		Municipality: by.Active.Scope.Municipality, School: by.Active.Scope.School,
		Kind: in.Kind, Limit: in.Limit + 1,
	}
	if in.Actor != "" {
		actor, err := domain.ParseID[domain.AccountID](in.Actor)
		if err != nil {
			return nil, err
		}
		question.ActorID = actor.UUID
	}
	if in.Cursor != "" {
		before, err := strconv.ParseInt(in.Cursor, 10, 64)
		if err != nil {
			return nil, errInvalid
		}
		question.Before = before
	}
	entries, err := a.Security.List(ctx, question)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		next = strconv.FormatInt(entries[len(entries)-1].ID, 10)
	}
	items := make([]securityEntry, len(entries))
	for i, e := range entries {
		items[i] = shown(e)
	}
	return listOf(items, next), nil
}

func shown(e securitylog.Entry) securityEntry {
	s := securityEntry{
		ID: e.ID, Kind: e.Kind, Route: e.Route, Actor: string(e.Actor), Role: e.Role, Objects: e.Objects,
		ActorID: idText(e.ActorID), Municipality: idText(e.Municipality.UUID), School: idText(e.School.UUID),
		Address: hex.EncodeToString(e.Address), Request: e.Request, At: e.At, LastAt: e.LastAt, Count: e.Count,
	}
	if s.Objects == nil {
		s.Objects = []uuid.UUID{}
	}
	return s
}

// idText returns an id as text, "" for none.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
