package httpapi

import (
	"context"
	"errors"
	"time"

	"zurnals/commands"
	"zurnals/domain/access"
	"zurnals/internal/proof"
)

// Proofs prove the log. *proof.Sealer does.
type Proofs interface {
	Key() proof.Key
	Checkpoint(ctx context.Context, size int64) (proof.Checkpoint, error)
	Include(ctx context.Context, position int64) (proof.Inclusion, error)
	Continue(ctx context.Context, from, to int64) (proof.Consistency, error)
}

// proofRoutes are for auditors who do not want to take the server's word. What
// they get can be checked without it: zurnals audit verify.
func (a *API) proofRoutes() {
	handle(a, route{
		id: "get-checkpoint", method: "GET", path: "/audit/checkpoint", permission: access.ReadHistory,
		summary: "The signed size and root hash of the log",
		about:   "One is signed every minute in which something happened. Keep them: they show later that nothing before was changed.",
	}, a.getCheckpoint)
	handle(a, route{
		id: "prove-inclusion", method: "GET", path: "/audit/proofs/inclusion", permission: access.ReadHistory,
		summary: "Proof that an event is in the signed log",
		about: "With the event as it is stored: for those who may read the whole log. That it was read is recorded. " +
			"503 proof.not_sealed for what happened within the last minute.",
	}, a.proveInclusion)
	handle(a, route{
		id: "prove-consistency", method: "GET", path: "/audit/proofs/consistency", permission: access.ReadHistory,
		summary: "Proof that the signed log continues an earlier one",
	}, a.proveConsistency)
}

type checkpointIn struct {
	Size int64 `query:"size" minimum:"1" doc:"of which checkpoint; the newest if none is named"`
}

type checkpointOut struct {
	Body struct {
		Size int64     `json:"size" doc:"events, the last one is at this position"`
		Root string    `json:"root" doc:"hash of the tree (RFC 6962), base64"`
		At   time.Time `json:"at"`
		Note string    `json:"note" doc:"the same as text, signed"`
		Key  string    `json:"key" doc:"public key; to be trusted it must have come another way once"`
	}
}

func (a *API) getCheckpoint(ctx context.Context, by access.Actor, in *checkpointIn) (*checkpointOut, error) {
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return nil, err
	}
	c, err := a.Proofs.Checkpoint(ctx, in.Size)
	if err != nil {
		return nil, err
	}
	out := new(checkpointOut)
	out.Body.Size, out.Body.Root, out.Body.At, out.Body.Note, out.Body.Key = c.Size, c.Root.String(), c.At, c.Note, a.Proofs.Key().String()
	return out, nil
}

type inclusionIn struct {
	Position int64 `query:"position" required:"true" minimum:"1"`
}

type inclusionOut struct{ Body proof.Inclusion }

func (a *API) proveInclusion(ctx context.Context, by access.Actor, in *inclusionIn) (*inclusionOut, error) {
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return nil, err
	}
	if by.Active.Scope != (access.Scope{}) {
		return nil, access.ErrForbidden
	}
	p, err := a.Proofs.Include(ctx, in.Position)
	if err != nil {
		return nil, err
	}
	// The event is in the proof: to get it is to read the log, and is recorded.
	if _, err := a.Commands.LogHistory(ctx, by, commands.HistoryPage{After: in.Position - 1, Limit: 1}); err != nil {
		return nil, err
	}
	return &inclusionOut{p}, nil
}

type consistencyIn struct {
	From int64 `query:"from" required:"true" minimum:"1" doc:"size of the earlier checkpoint"`
	To   int64 `query:"to" minimum:"1" doc:"size of the later one; the newest if none is named"`
}

type consistencyOut struct{ Body proof.Consistency }

func (a *API) proveConsistency(ctx context.Context, by access.Actor, in *consistencyIn) (*consistencyOut, error) {
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return nil, err
	}
	p, err := a.Proofs.Continue(ctx, in.From, in.To)
	if errors.Is(err, proof.ErrSizes) {
		err = proof.ErrSizes.In("query.from")
	}
	if err != nil {
		return nil, err
	}
	return &consistencyOut{p}, nil
}
