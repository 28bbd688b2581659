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
	handle(a, route{
		id: "list-parked-streams", method: "GET", path: "/ops/projections/{name}/parked", permission: access.OperateViews,
		summary: "Streams that a read model has put aside, each at an event that it could not handle",
	}, a.listParkedStreams)
	handle(a, route{
		id: "replay-stream", method: "POST", path: "/ops/projections/{name}/replay", permission: access.OperateViews, status: http.StatusNoContent,
		summary: "Let a read model handle a stream that it has put aside",
		about:   "After its program was mended. If what it makes of the stream depends on other streams, rebuild it instead.",
	}, func(ctx context.Context, by access.Actor, in *replayStream) (*none, error) {
		if err := mayOperate(by); err != nil {
			return nil, err
		}
		return nil, a.Engine.Replay(ctx, in.Name, in.Body.Stream)
	})
	handle(a, route{
		id: "rebuild-projection", method: "POST", path: "/ops/projections/{name}/rebuild", permission: access.OperateViews, status: http.StatusAccepted,
		summary: "Build a read model anew while people work",
		about: "Answers at once; GET /ops/projections shows how far it is. The former tables are kept for a rollback. " +
			"With no_swap the new tables follow the log beside those in use, for a day or until they are swapped in; there is nothing to roll back to then.",
	}, func(ctx context.Context, by access.Actor, in *rebuildIn) (*none, error) {
		if err := mayOperate(by); err != nil {
			return nil, err
		}
		if in.NoSwap {
			return nil, a.Engine.StartBuild(ctx, in.Name)
		}
		return nil, a.Engine.StartRebuild(ctx, in.Name)
	})
	for _, do := range []struct {
		id, word, summary, about string
		status                   int
		f                        func(context.Context, string) error
	}{
		{"swap-projection", "swap", "Put the tables of a read model in use that were built with no_swap",
			"They have been kept up to date. Those that were in use are kept for a rollback.", http.StatusNoContent,
			func(ctx context.Context, name string) error { return a.Engine.Swap(ctx, name) }},
		{"rollback-projection", "rollback", "Put back the tables that were last replaced",
			"They have been kept up to date. Those in use take their place: a second rollback undoes the first.", http.StatusNoContent,
			func(ctx context.Context, name string) error { return a.Engine.Rollback(ctx, name) }},
		{"pause-projection", "pause", "Let a read model stand still, on all nodes", "", http.StatusNoContent,
			func(ctx context.Context, name string) error { return a.Engine.Pause(ctx, name) }},
		{"resume-projection", "resume", "Let a read model go on that was paused, or try again that stopped", "", http.StatusNoContent,
			func(ctx context.Context, name string) error { return a.Engine.Resume(ctx, name) }},
	} {
		handle(a, route{
			id: do.id, method: "POST", path: "/ops/projections/{name}/" + do.word, permission: access.OperateViews,
			summary: do.summary, about: do.about, status: do.status,
		}, func(ctx context.Context, by access.Actor, in *projectionIn) (*none, error) {
			if err := mayOperate(by); err != nil {
				return nil, err
			}
			return nil, do.f(ctx, in.Name)
		})
	}
}

func mayOperate(by access.Actor) error {
	return by.Allow(access.At(access.OperateViews, access.Scope{}))
}

type projectionIn struct {
	Name string `path:"name" maxLength:"60"`
}

type rebuildIn struct {
	Name   string `path:"name" maxLength:"60"`
	NoSwap bool   `query:"no_swap" doc:"build the tables only"`
}

type projectionStatus struct {
	Name     string            `json:"name"`
	Version  int               `json:"version"`
	Schema   string            `json:"schema"`
	State    projections.State `json:"state" doc:"starting, building, running, following (another node keeps it), paused, retrying, stopped"`
	Position int64             `json:"position" doc:"last event seen; -1: there are no tables yet"`
	Head     int64             `json:"head" doc:"last event of the log"`
	Lag      int64             `json:"lag" doc:"events not seen yet"`
	Read     stage             `json:"read" doc:"from the log into the memory of this server"`
	Applied  stage             `json:"applied" doc:"from there into the tables"`
	Parked   int64             `json:"parked" doc:"streams put aside at an event that could not be handled"`
	Error    string            `json:"error,omitempty"`
	Rebuild  *rebuildProgress  `json:"rebuild,omitempty" doc:"under way"`
	Last     *rebuildReport    `json:"last_rebuild,omitempty" doc:"since the server started"`
}

// A stage is how far behind one stage on the way of an event is.
type stage struct {
	Events  int64   `json:"lag"`
	Seconds float64 `json:"lag_seconds" doc:"since the first event that is behind was recorded"`
}

type replayStream struct {
	Name string `path:"name" maxLength:"60"`
	Body struct {
		Stream string `json:"stream" minLength:"1" maxLength:"200"`
	}
}

type parkedStream struct {
	Stream   string    `json:"stream"`
	Position int64     `json:"position" doc:"of the event that could not be handled"`
	Version  int       `json:"version" doc:"of the stream, with the event"`
	Type     string    `json:"type"`
	Problem  string    `json:"problem"`
	Since    time.Time `json:"since"`
	Waiting  int       `json:"waiting" doc:"events of the stream that are not seen"`
}

func (a *API) listParkedStreams(ctx context.Context, by access.Actor, in *projectionIn) (*list[parkedStream], error) {
	if err := mayOperate(by); err != nil {
		return nil, err
	}
	parked, err := a.Engine.Parked(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	var items []parkedStream
	for _, p := range parked {
		items = append(items, parkedStream{p.Stream, p.Position, p.Version, p.Type, p.Problem, p.At.UTC(), p.Waiting})
	}
	return listOf(items, ""), nil
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
	if err := mayOperate(by); err != nil {
		return nil, err
	}
	var items []projectionStatus
	for _, s := range a.Engine.Status() {
		item := projectionStatus{
			Name: s.Name, Version: s.Version, Schema: s.Schema, State: s.State,
			Position: s.Position, Head: s.Head, Lag: s.Lag, Error: s.Error, Parked: s.Parked,
			Read:    stage{s.Read.Events, s.Read.For.Seconds()},
			Applied: stage{s.Applied.Events, s.Applied.For.Seconds()},
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
