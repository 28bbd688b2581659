package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/staff"
)

// Reactions looks after what follows from events, such as mail. Its methods ask
// for the right to, except LastLetters, which wants it asked for.
type Reactions interface {
	Status(ctx context.Context, by access.Actor) ([]ReactionStatus, error)
	Parked(ctx context.Context, by access.Actor, name string) ([]ParkedEvent, error)
	Settled(ctx context.Context, by access.Actor, name string) ([]SettledEvent, error)
	Replay(ctx context.Context, by access.Actor, name string, position int64) error
	Skip(ctx context.Context, by access.Actor, name string, position int64, reason string) error

	// LastLetters returns, of some accounts, the last letter that was sent or
	// given up.
	LastLetters(ctx context.Context, accounts ...domain.AccountID) (map[domain.AccountID]LastLetter, error)
}

// A ReactionStatus is how far a reaction has come.
type ReactionStatus struct {
	Name     string    `json:"name"`
	Position int64     `json:"position" doc:"last event handled"`
	Head     int64     `json:"head" doc:"last event of the log"`
	Parked   int64     `json:"parked" doc:"events put aside"`
	MovedAt  time.Time `json:"moved_at"`
}

// A ParkedEvent is one that a reaction could not handle.
type ParkedEvent struct {
	Position int64     `json:"position"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
}

// A SettledEvent is one that was parked, and what was decided.
type SettledEvent struct {
	Position  int64            `json:"position"`
	How       string           `json:"how" enum:"replayed,skipped"`
	Reason    string           `json:"reason,omitempty" doc:"why it was skipped"`
	Fault     string           `json:"fault" doc:"why it had been put aside"`
	ParkedAt  time.Time        `json:"parked_at"`
	ActorKind domain.ActorKind `json:"actor_kind"`
	Actor     *uuid.UUID       `json:"actor,omitempty"`
	At        time.Time        `json:"at"`
}

// A LastLetter is what became of the last letter to somebody.
type LastLetter struct {
	State  string    `json:"state" enum:"sent,undelivered" doc:"sent: the mail server took it; undelivered: it was given up"`
	Reason string    `json:"reason,omitempty" doc:"why it was given up: what the mail server said, without the address"`
	At     time.Time `json:"at"`
}

// noReactions is a server on which nothing follows from events.
type noReactions struct{}

func (noReactions) Status(context.Context, access.Actor) ([]ReactionStatus, error) { return nil, nil }
func (noReactions) Parked(context.Context, access.Actor, string) ([]ParkedEvent, error) {
	return nil, errNoRoute
}
func (noReactions) Settled(context.Context, access.Actor, string) ([]SettledEvent, error) {
	return nil, errNoRoute
}
func (noReactions) Replay(context.Context, access.Actor, string, int64) error { return errNoRoute }
func (noReactions) Skip(context.Context, access.Actor, string, int64, string) error {
	return errNoRoute
}
func (noReactions) LastLetters(context.Context, ...domain.AccountID) (map[domain.AccountID]LastLetter, error) {
	return nil, nil
}

// reactionRoutes are for those who keep the reactions running.
func (a *API) reactionRoutes() {
	if a.Reactions == nil {
		a.Reactions = noReactions{}
	}
	handle(a, route{
		id: "list-reactions", method: "GET", path: "/ops/reactions", permission: access.OperateViews,
		summary: "What follows from events: how far it is, what was put aside",
	}, func(ctx context.Context, by access.Actor, _ *none) (*list[ReactionStatus], error) {
		all, err := a.Reactions.Status(ctx, by)
		return pageOf(all, err)
	})
	handle(a, route{
		id: "list-parked-events", method: "GET", path: "/ops/reactions/{name}/parked", permission: access.OperateViews,
		summary: "Events that a reaction could not handle", about: "The oldest first, at most 200.",
	}, func(ctx context.Context, by access.Actor, in *reactionIn) (*list[ParkedEvent], error) {
		all, err := a.Reactions.Parked(ctx, by, in.Name)
		return pageOf(all, err)
	})
	handle(a, route{
		id: "list-settled-events", method: "GET", path: "/ops/reactions/{name}/settled", permission: access.OperateViews,
		summary: "What became of events that had been put aside, and by whose decision", about: "The newest first, at most 200.",
	}, func(ctx context.Context, by access.Actor, in *reactionIn) (*list[SettledEvent], error) {
		all, err := a.Reactions.Settled(ctx, by, in.Name)
		return pageOf(all, err)
	})
	handle(a, route{
		id: "replay-event", method: "POST", path: "/ops/reactions/{name}/replay", permission: access.OperateViews, status: http.StatusNoContent,
		summary: "Handle an event that was put aside", about: "When the program can by now. An event that was handled is never handled again.",
	}, func(ctx context.Context, by access.Actor, in *replayIn) (*none, error) {
		return nil, a.Reactions.Replay(ctx, by, in.Name, in.Body.Position)
	})
	handle(a, route{
		id: "skip-event", method: "POST", path: "/ops/reactions/{name}/skip", permission: access.OperateViews, status: http.StatusNoContent,
		summary: "Give up an event that was put aside", about: "The reason is kept, with who gave it.",
	}, func(ctx context.Context, by access.Actor, in *skipIn) (*none, error) {
		return nil, a.Reactions.Skip(ctx, by, in.Name, in.Body.Position, in.Body.Reason)
	})
}

type (
	reactionIn struct {
		Name string `path:"name" maxLength:"60"`
	}
	replayIn struct {
		Name string `path:"name" maxLength:"60"`
		Body struct {
			Position int64 `json:"position" minimum:"1" doc:"of the event in the log"`
		}
	}
	skipIn struct {
		Name string `path:"name" maxLength:"60"`
		Body struct {
			Position int64  `json:"position" minimum:"1" doc:"of the event in the log"`
			Reason   string `json:"reason" maxLength:"2000" doc:"one line, at most 500 characters"`
		}
	}
)

func pageOf[T any](items []T, err error) (*list[T], error) {
	if err != nil {
		return nil, err
	}
	return listOf(items, ""), nil
}

// A memberShown is a line of the staff directory with what happened to the mail
// of its person, which no event tells.
type memberShown struct {
	staff.Member
	Letter *LastLetter `json:"letter,omitempty" doc:"what became of the last letter to this person; absent as long as none was sent or given up"`
}

// A userShown is the same with more about the person.
type userShown struct {
	staff.User
	Letter *LastLetter `json:"letter,omitempty" doc:"what became of the last letter to this person; absent as long as none was sent or given up"`
}

// withLetters adds to people what happened to their mail.
func (a *API) withLetters(ctx context.Context, members []staff.Member) ([]memberShown, error) {
	ids := make([]domain.AccountID, len(members))
	for i, m := range members {
		ids[i] = m.Account
	}
	letters, err := a.Reactions.LastLetters(ctx, ids...)
	if err != nil {
		return nil, err
	}
	shown := make([]memberShown, len(members))
	for i, m := range members {
		shown[i].Member = m
		if l, ok := letters[m.Account]; ok {
			shown[i].Letter = &l
		}
	}
	return shown, nil
}
