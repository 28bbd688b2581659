package commands

import (
	"context"
	"fmt"

	"zurnals/domain"
	"zurnals/domain/access"
)

// look is the door for reading the state of one stream, without deciding
// anything. Nothing is appended.
func look[S, C any, E domain.Event](ctx context.Context, c *Commands, by access.Actor, need access.Need, d domain.Decider[S, C, E], id fmt.Stringer) (S, error) {
	var state S
	err := by.Allow(need)
	if err == nil {
		state, err = peek(&unit{c: c, ctx: ctx, by: by, at: c.Now()}, d, id)
	}
	return state, err
}
