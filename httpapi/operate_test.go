package httpapi

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
	"zurnals/projections"
)

type (
	fragileKey    struct{ Class domain.ClassID }
	fragileRow    struct{ Name string }
	fragileTables struct {
		Classes *projections.Table[fragileKey, fragileRow]
	}
)

// fragile is a read model of classes that cannot handle 6.b until it is mended.
func fragile(mended *atomic.Bool) projections.Projection[fragileTables] {
	return projections.Projection[fragileTables]{
		Name: "fragile", Version: 1,
		Schema: "CREATE TABLE class (class uuid NOT NULL, name text NOT NULL);", Indexes: "ALTER TABLE class ADD PRIMARY KEY (class);",
		Tables: func(s *projections.Set) *fragileTables {
			return &fragileTables{projections.NewTable(s, "class",
				func(k *fragileKey) []projections.Column {
					return []projections.Column{projections.ColID("class", &k.Class)}
				},
				func(r *fragileRow) []projections.Column {
					return []projections.Column{projections.ColText("name", &r.Name)}
				})}
		},
		On: []projections.Handler[fragileTables]{projections.On(func(t *fragileTables, e organisation.ClassCreated, _ projections.Meta) {
			if e.Name == "6.b" && !mended.Load() {
				panic("a letter too far")
			}
			t.Classes.Put(fragileKey{e.Class}, fragileRow{e.Name})
		})},
	}
}

// Who operates the installation sees how far the read models are and what they
// have put aside, and deals with it; nobody else does.
func TestReadModelsAreOperated(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	s := newStory(t, fragile(&mended))
	s.hire("platform", post{role: access.PlatformAdmin})
	s.hire("admin", post{access.SchoolAdmin, "school"})
	settled := func(want projections.State) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for s.engine.Status()[0].State != want || s.engine.Status()[0].Rebuild != nil {
			select {
			case <-ctx.Done():
				t.Fatalf("it is never %s: %+v", want, s.engine.Status())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	head, err := s.log.Head(t.Context())
	s.must(err)
	s.must(s.engine.WaitFor(t.Context(), head))
	settled(projections.Running)
	parked, err := s.engine.Parked(t.Context(), "fragile")
	s.must(err)
	if len(parked) != 2 {
		t.Fatalf("parked: %+v", parked)
	}
	s.names["first"], s.names["second"] = parked[0].Stream, parked[1].Stream

	for _, word := range []string{"rebuild", "swap", "rollback", "pause", "resume"} {
		s.tell(
			step{as: "admin", ask: "POST /ops/projections/fragile/" + word, status: 403, code: "access.forbidden"},
			step{as: "platform", ask: "POST /ops/projections/nothing/" + word, status: 404, code: "projection.unknown"},
		)
	}
	s.tell(
		step{as: "admin", ask: "GET /ops/projections", status: 403, code: "access.forbidden"},
		step{as: "admin", ask: "GET /ops/projections/fragile/parked", status: 403, code: "access.forbidden"},
		step{as: "admin", ask: "POST /ops/projections/fragile/replay", body: `{"stream":"{first}"}`, status: 403, code: "access.forbidden"},
		step{as: "platform", ask: "GET /ops/projections/nothing/parked", status: 404, code: "projection.unknown"},
		step{as: "platform", ask: "GET /ops/projections/fragile/parked", status: 200,
			has: []string{`"stream":"{first}"`, `"stream":"{second}"`, `"version":1,"type":"organisation.class_created"`, `panic (string) at httpapi/operate_test.go:`, `"waiting":1`}, hasNot: []string{"a letter too far"}},
		step{as: "platform", ask: "POST /ops/projections/fragile/replay", body: `{"stream":"{first}"}`, status: 409, code: "projection.still_poison"},
		step{as: "platform", ask: "POST /ops/projections/fragile/replay", body: `{}`, status: 422, code: "http.invalid"},
	)
	mended.Store(true)
	s.tell(
		step{as: "platform", ask: "POST /ops/projections/fragile/replay", body: `{"stream":"{first}"}`, status: 204},
		step{as: "platform", ask: "POST /ops/projections/fragile/replay", body: `{"stream":"{first}"}`, status: 404, code: "projection.not_parked"},
		step{as: "platform", ask: "POST /ops/projections/fragile/rollback", status: 409, code: "projection.no_rollback"},
		step{as: "platform", ask: "POST /ops/projections/fragile/rebuild", status: 202},
	)
	settled(projections.Running)
	s.tell(
		step{as: "platform", ask: "GET /ops/projections/fragile/parked", status: 200, has: []string{`"items":[]`}},
		step{as: "platform", ask: "GET /ops/projections", status: 200,
			has: []string{`"name":"fragile"`, `"state":"running"`, `"last_rebuild"`, `"different":["class"]`, `"applied":{"lag":0,"lag_seconds":0}`}},
		step{as: "platform", ask: "POST /ops/projections/fragile/swap", status: 409, code: "projection.no_swap"},
		step{as: "platform", ask: "POST /ops/projections/fragile/rollback", status: 204},
		step{as: "platform", ask: "POST /ops/projections/fragile/rebuild?no_swap=true", status: 202},
	)
	settled(projections.Running)
	s.tell(
		step{as: "platform", ask: "POST /ops/projections/fragile/rollback", status: 409, code: "projection.no_rollback"},
		step{as: "platform", ask: "POST /ops/projections/fragile/swap", status: 204},
		step{as: "platform", ask: "POST /ops/projections/fragile/rollback", status: 204},
		step{as: "platform", ask: "POST /ops/projections/fragile/pause", status: 204},
	)
	settled(projections.Paused)
	s.tell(step{as: "platform", ask: "POST /ops/projections/fragile/resume", status: 204})
	settled(projections.Running)
}
