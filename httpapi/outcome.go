package httpapi

import "context"

type outcome struct {
	Position int64
	Repeated bool
}

func withOutcome(ctx context.Context) (context.Context, *outcome) { return ctx, new(outcome) }
