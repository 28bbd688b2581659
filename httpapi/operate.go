package httpapi

import (
	"context"
	"net/http"
	"time"

	"zurnals/domain/access"
	"zurnals/projections"
)

// operateRoutes are for those who keep the read models running.
func (a *API) operateRoutes() {
	handle(a, route{
		id: "list-projections", method: "GET", path: "/ops/projections", permission: access.OperateViews,
		summary: "Read models: how far they are, what is wrong with them",
	}, a.listProjections)
	for _, do := range []struct {
		id, word, summary, about string
		status                   int
		f                        func(context.Context, string) error
	}{
		{"rebuild-projection", "rebuild", "Build a read model anew while people work",
			"Answers at once; GET /ops/projections shows how far it is. The former tables are kept for a rollback.", http.StatusAccepted,
			func(ctx context.Context, name string) error { return a.Engine.StartRebuild(ctx, name) }},
		{"rollback-projection", "rollback", "Put back the tables that the last rebuild replaced", "", http.StatusNoContent,
			func(ctx context.Context, name string) error { return a.Engine.Rollback(ctx, name) }},
		{"resume-projection", "resume", "Let a read model that stopped try again", "", http.StatusNoContent,
			func(_ context.Context, name string) error { return a.Engine.Resume(name) }},
	} {
		handle(a, route{
			id: do.id, method: "POST", path: "/ops/projections/{name}/" + do.word, permission: access.OperateViews,
			summary: do.summary, about: do.about, status: do.status,
		}, func(ctx context.Context, by access.Actor, in *projectionIn) (*none, error) {
			if err := by.Allow(access.At(access.OperateViews, access.Scope{})); err != nil {
				return nil, err
			}
			return nil, do.f(ctx, in.Name)
		})
	}
}

type projectionIn struct {
	Name string `path:"name" maxLength:"60"`
}

type projectionStatus struct {
	Name     string            `json:"name"`
	Version  int               `json:"version"`
	Schema   string            `json:"schema"`
	State    projections.State `json:"state" doc:"starting, building, running, following, retrying, stopped"`
	Position int64             `json:"position" doc:"last event seen; -1: there are no tables yet"`
	Head     int64             `json:"head" doc:"last event of the log"`
	Lag      int64             `json:"lag"`
	Error    string            `json:"error,omitempty"`
	Rebuild  *rebuildProgress  `json:"rebuild,omitempty" doc:"under way"`
	Last     *rebuildReport    `json:"last_rebuild,omitempty" doc:"since the server started"`
}

type rebuildProgress struct {
	Phase   string    `json:"phase"`
	Done    int64     `json:"done"`
	Total   int64     `json:"total"`
	Started time.Time `json:"started"`
	ETA     float64   `json:"eta_seconds,omitempty"`
}

type rebuildReport struct {
	Position  int64    `json:"position"`
	Events    int64    `json:"events"`
	Rows      int64    `json:"rows"`
	Compared  bool     `json:"compared" doc:"with the tables it replaced, at one position"`
	Different []string `json:"different,omitempty" doc:"tables that were not equal"`
	Seconds   float64  `json:"seconds"`
	Blocked   float64  `json:"blocked_seconds" doc:"how long queries waited for the swap"`
}

func (a *API) listProjections(_ context.Context, by access.Actor, _ *none) (*list[projectionStatus], error) {
	if err := by.Allow(access.At(access.OperateViews, access.Scope{})); err != nil {
		return nil, err
	}
	var items []projectionStatus
	for _, s := range a.Engine.Status() {
		item := projectionStatus{
			Name: s.Name, Version: s.Version, Schema: s.Schema, State: s.State,
			Position: s.Position, Head: s.Head, Lag: s.Lag, Error: s.Error,
		}
		if p := s.Rebuild; p != nil {
			item.Rebuild = &rebuildProgress{Phase: p.Phase, Done: p.Done, Total: p.Total, Started: p.Started.UTC(), ETA: p.ETA.Seconds()}
		}
		if r := s.Last; r != nil {
			item.Last = &rebuildReport{
				Position: r.Position, Events: r.Events, Rows: r.Rows, Compared: r.Compared, Different: r.Different,
				Seconds: r.Total.Seconds(), Blocked: r.Blocked.Seconds(),
			}
		}
		items = append(items, item)
	}
	return listOf(items, ""), nil
}
