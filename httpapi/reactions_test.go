package httpapi

import (
	"context"
	"log/slog"
	"testing"

	"github.com/riverqueue/river"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
	"zurnals/internal/reactions"
	"zurnals/internal/sessions"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

// kept is the reactions of a story: real ones, whose letters nobody sends.
type kept struct {
	*reactions.Engine
	letters map[domain.AccountID]LastLetter // nil: those there really are
}

func (k *kept) Status(ctx context.Context, by access.Actor) (all []ReactionStatus, err error) {
	found, err := k.Engine.Status(ctx, by)
	for _, s := range found {
		all = append(all, ReactionStatus(s))
	}
	return all, err
}

func (k *kept) Parked(ctx context.Context, by access.Actor, name string) (all []ParkedEvent, err error) {
	found, err := k.Engine.Parked(ctx, by, name)
	for _, p := range found {
		all = append(all, ParkedEvent(p))
	}
	return all, err
}

func (k *kept) Settled(ctx context.Context, by access.Actor, name string) (all []SettledEvent, err error) {
	found, err := k.Engine.Settled(ctx, by, name)
	for _, s := range found {
		all = append(all, SettledEvent(s))
	}
	return all, err
}

func (k *kept) LastLetters(ctx context.Context, accounts ...domain.AccountID) (map[domain.AccountID]LastLetter, error) {
	if k.letters != nil {
		return k.letters, nil
	}
	found, err := k.Engine.LastLetters(ctx, accounts...)
	all := make(map[domain.AccountID]LastLetter)
	for account, l := range found {
		all[account] = LastLetter{State: string(l.State), Reason: l.Reason, At: l.At.UTC()}
	}
	return all, err
}

// An operator sees what a reaction has put aside, has it handled or gives it up
// for a reason, and both are shown afterwards.
func TestAnOperatorSettlesWhatWasPutAside(t *testing.T) {
	t.Parallel()
	s := newStory(t, organisation.Projection, staff.Projection, students.Projection)
	s.hire("platform", post{access.PlatformAdmin, ""})
	admin := s.hire("admin", post{access.SchoolAdmin, "school"})
	laura := s.hire("laura", post{access.ClassTeacher, "class"})

	pool := s.api.Sessions.(*sessions.Store).Pool
	open := func(r reactions.Reaction) *reactions.Engine {
		e, err := reactions.Open(t.Context(), reactions.Config{
			Pool: pool, Log: s.log, Now: s.clock.Now, Dev: true, Reactions: []reactions.Reaction{r},
			Workers: river.NewWorkers(), Logger: slog.New(slog.DiscardHandler),
		})
		s.must(err)
		return e
	}
	easy := reactions.Reaction{Name: "letters", React: func(eventstore.Event) ([]river.InsertManyParams, error) { return nil, nil }}
	e := open(easy)
	for position := range 2 { // as a window does that finds an event it cannot handle
		_, err := pool.Exec(t.Context(), `INSERT INTO reaction.parked VALUES ('letters', $1, 'too difficult', $2)`, position+1, s.clock.Now())
		s.must(err)
	}
	s.api.Reactions = &kept{Engine: e, letters: map[domain.AccountID]LastLetter{
		laura: {State: "undelivered", Reason: "refused by the mail server: 550 5.1.1", At: s.clock.Now()},
		admin: {State: "sent", At: s.clock.Now()},
	}}
	s.names["laura"] = laura.String()

	s.tell(
		step{as: "admin", ask: "GET /ops/reactions/letters/parked", status: 403, code: "access.forbidden"},
		step{as: "platform", ask: "GET /ops/reactions", status: 200, has: []string{`"name":"letters"`, `"parked":2`}},
		step{as: "platform", ask: "GET /ops/reactions/letters/parked", status: 200, has: []string{`"position":1,"reason":"too difficult","at":"2025-09-01T`, `"position":2`}},
		step{as: "platform", ask: "GET /ops/reactions/nothing/parked", status: 404, code: "reaction.unknown"},
		step{as: "platform", ask: "POST /ops/reactions/letters/skip", body: `{"position":1,"reason":" "}`, status: 422, code: "text.missing", fields: []string{"reason"}},
		step{as: "platform", ask: "POST /ops/reactions/letters/skip", body: `{"position":1}`, status: 422, code: "http.invalid"},
		step{as: "admin", ask: "POST /ops/reactions/letters/skip", body: `{"position":1,"reason":"mine"}`, status: 403, code: "access.forbidden"},
		step{as: "platform", ask: "POST /ops/reactions/letters/skip", body: `{"position":1,"reason":"the address is of nobody"}`, status: 204},
		step{as: "platform", ask: "POST /ops/reactions/letters/skip", body: `{"position":1,"reason":"again"}`, status: 404, code: "reaction.not_parked"},
		step{as: "platform", ask: "POST /ops/reactions/letters/replay", body: `{"position":2}`, status: 204},
		step{as: "platform", ask: "POST /ops/reactions/letters/replay", body: `{"position":0}`, status: 422, code: "http.invalid"},
		step{as: "platform", ask: "GET /ops/reactions/letters/parked", status: 200, has: []string{`"items":[]`}},
		step{as: "platform", ask: "GET /ops/reactions/letters/settled", status: 200,
			has: []string{`"how":"skipped","reason":"the address is of nobody","fault":"too difficult"`, `"how":"replayed","fault"`, `"actor":"`}},
		// The directory shows whose mail does not arrive.
		step{as: "admin", ask: "GET /schools/{school}/users?q=laura", status: 200, has: []string{`"letter":{"state":"undelivered","reason":"refused by the mail server: 550 5.1.1","at":"2025-09-01T05:00:00Z"}`}},
		step{as: "admin", ask: "GET /schools/{school}/users?q=admin", status: 200, has: []string{`"letter":{"state":"sent","at":"2025-09-01T05:00:00Z"}`}},
		step{as: "admin", ask: "GET /schools/{school}/users/{laura}", status: 200, has: []string{`"letter":{"state":"undelivered","reason":"refused`}},
	)
}
