package commands

import (
	"context"
	"fmt"
	"sync"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/domain/learner"
	"zurnals/eventstore"
)

// ErrSignIn asks somebody who is not signed in, or no longer, to sign in.
var ErrSignIn = domain.Refuse(domain.Unauthenticated, "session.sign_in", "sign in first")

// Who returns the member of staff of a session as the actor of one request, in
// the role assignment wanted. With several and none wanted it is
// access.ErrChooseRole with the assignments held as details; without any the
// actor has no role and reaches only the own things (EMU-048).
//
// Rights are never read from a read model: one query asks the log for the
// versions of the two streams they follow from, and states are kept by version.
func (c *Commands) Who(ctx context.Context, account domain.AccountID, generation int, wanted domain.AssignmentID) (access.Actor, error) {
	versions, err := c.Log.Versions(ctx, identity.Accounts.Stream(account), accessStream(account))
	if err != nil {
		return access.Actor{}, refusal(err)
	}
	state, err := c.states.accounts.of(ctx, c, identity.Accounts, account, versions[0])
	if err != nil {
		return access.Actor{}, err
	}
	if !state.Active() || state.Generation() != generation {
		return access.Actor{}, ErrSignIn
	}
	roles, err := c.states.assignments.of(ctx, c, access.Assignments, account, versions[1])
	if err != nil {
		return access.Actor{}, err
	}
	by := access.Actor{Kind: domain.ActorAccount, ID: account.UUID, Version: versions[1], Language: string(state.Language())}
	held := roles.Held()
	switch {
	case !wanted.IsZero():
		active, ok := find(held, wanted)
		if !ok {
			return by, access.ErrNoRole
		}
		by.Active = active
	case len(held) == 1:
		by.Active = held[0]
	case len(held) > 1:
		return by, access.ErrChooseRole
	}
	return by, nil
}

// assignments returns the roles that an account holds now, and the version of
// the stream they were read at.
func (c *Commands) assignments(ctx context.Context, account domain.AccountID) ([]access.Assignment, int, error) {
	versions, err := c.Log.Versions(ctx, accessStream(account))
	if err != nil {
		return nil, 0, refusal(err)
	}
	roles, err := c.states.assignments.of(ctx, c, access.Assignments, account, versions[0])
	return roles.Held(), versions[0], err
}

// Held returns the roles that an account holds, for it to choose one.
func (c *Commands) Held(ctx context.Context, account domain.AccountID) ([]access.Assignment, error) {
	held, _, err := c.assignments(ctx, account)
	return held, err
}

func accessStream(account domain.AccountID) string { return access.Assignments.Stream(account) }

// states are the folded streams that every request asks for.
type states struct {
	accounts    kept[identity.Account, identity.AccountCommand, identity.AccountEvent]
	assignments kept[access.Held, access.AssignmentCommand, access.AssignmentEvent]
	learners    kept[learner.Account, learner.Command, learner.Event]
}

// keep is how many states of one kind are kept at most.
const keep = 20_000

// kept remembers states of streams by version: a state is folded on from the
// version it was kept at, and never older than the version asked for.
type kept[S, C any, E domain.Event] struct {
	mu     sync.Mutex
	states map[string]versioned[S]
}

type versioned[S any] struct {
	version int
	state   S
}

// of returns the state that the stream has at a version.
func (k *kept[S, C, E]) of(ctx context.Context, c *Commands, d domain.Decider[S, C, E], id fmt.Stringer, version int) (S, error) {
	stream := d.Stream(id)
	k.mu.Lock()
	have := k.states[stream]
	k.mu.Unlock()
	if have.version == version {
		return have.state, nil
	}
	if have.version > version { // another request has read on: fold anew, this is rare
		have = versioned[S]{}
	}
	for stored, err := range c.Log.ReadStream(ctx, stream, have.version+1) {
		if err != nil {
			return have.state, refusal(err)
		}
		events, err := c.decode(ctx, []eventstore.Event{stored})
		if err != nil {
			return have.state, err
		}
		e, ok := events[0].(E)
		if !ok {
			return have.state, fmt.Errorf("%s@%d: %s does not belong here", stream, stored.Version, stored.Type)
		}
		have.version, have.state = stored.Version, d.Evolve(have.state, e)
		if have.version == version {
			break
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.states == nil || len(k.states) >= keep { // forgetting all now and then is simpler than choosing
		k.states = make(map[string]versioned[S])
	}
	if have.version > k.states[stream].version {
		k.states[stream] = have
	}
	return have.state, nil
}
