package commands

import (
	"context"
	"fmt"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/audit"
)

// stood returns the state of one stream as it stood at a position. It is read
// from the log: no read model knows the past.
func stood[S, C any, E domain.Event](ctx context.Context, c *Commands, d domain.Decider[S, C, E], id fmt.Stringer, position int64) (S, error) {
	var zero S
	name := d.Stream(id)
	streams, err := c.Log.ReadStreams(ctx, name)
	if err != nil {
		return zero, refusal(err)
	}
	history, err := c.decode(ctx, upTo(streams[name], position))
	if err != nil {
		return zero, refusal(err)
	}
	return fold(d, name, history)
}

// LessonAsOf returns a lesson with its marks as they stood. Those may see it
// who see them as they are.
func (c *Commands) LessonAsOf(ctx context.Context, by access.Actor, place access.Scope, id domain.LessonID, asOf AsOf) (attendance.Lesson, error) {
	if err := by.Allow(access.At(access.SeeAttendance, place)); err != nil {
		return attendance.Lesson{}, err
	}
	position, err := c.Position(ctx, asOf)
	if err != nil {
		return attendance.Lesson{}, err
	}
	lesson, err := stood(ctx, c, attendance.Lessons, id, position)
	if err == nil && (lesson.ID.IsZero() || lesson.Register != place.Register) {
		err = attendance.ErrNoLesson
	}
	return lesson, err
}

// RolesAsOf returns the roles that somebody held, as far as the asker may read
// of the places, and up to which position that is. That it was read is recorded.
func (c *Commands) RolesAsOf(ctx context.Context, by access.Actor, account domain.AccountID, asOf AsOf) (roles []access.Assignment, position int64, err error) {
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return nil, 0, err
	}
	need, err := c.historyNeed(ctx, by, account)
	if err != nil {
		return nil, 0, err
	}
	h, err := c.tell(ctx, by, need, HistoryPage{AsOf: asOf}, audit.ReadHistory{Account: account}, func(_ *teller, h *History) error {
		held, err := stood(ctx, c, access.Assignments, account, h.AsOf)
		if err != nil {
			return err
		}
		for _, a := range held.Held() {
			if by.Allow(access.At(access.ReadHistory, a.Scope)) == nil {
				roles = append(roles, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return roles, h.AsOf, nil
}
