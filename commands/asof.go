package commands

import (
	"context"
	"strconv"
	"time"

	"zurnals/domain"
)

// An AsOf is the moment that a history is asked for: it ends there. The zero
// value is now.
type AsOf struct {
	position int64
	at       time.Time
	given    bool
}

// AsOfPosition returns the moment at which a position was the last.
func AsOfPosition(position int64) AsOf { return AsOf{position: position, given: true} }

// ErrAsOf refuses a moment that is none.
var ErrAsOf = domain.Refuse(domain.Invalid, "audit.as_of", "not a position, a time or a day")

// ParseAsOf reads a position of the log, a time such as 2025-09-01T08:40:00Z,
// or a day such as 2025-09-01, which means its end. Nothing is now.
func ParseAsOf(s string) (AsOf, error) {
	if s == "" {
		return AsOf{}, nil
	}
	if position, err := strconv.ParseInt(s, 10, 64); err == nil && position >= 0 {
		return AsOfPosition(position), nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return AsOf{at: at, given: true}, nil
	}
	if day, err := domain.ParseDate(s); err == nil {
		return AsOf{at: day.Start(domain.Riga).AddDate(0, 0, 1).Add(-time.Microsecond), given: true}, nil
	}
	return AsOf{}, ErrAsOf.In("query.as_of")
}

// Position returns the last position of the log at a moment.
func (c *Commands) Position(ctx context.Context, asOf AsOf) (int64, error) {
	head, err := c.Log.Head(ctx)
	position := head
	switch {
	case err != nil:
	case asOf.given && !asOf.at.IsZero():
		position, err = c.Log.PositionAt(ctx, asOf.at)
	case asOf.given:
		position = asOf.position
	}
	return min(position, head), refusal(err)
}
