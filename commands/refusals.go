package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
)

// A Refusal is an entry of the security log: something that was refused, and
// how often within one minute.
type Refusal struct {
	ID      int64
	Kind    string // code of the refusal
	Route   string
	By      domain.Meta // who asked, and in which role; of the first request
	Objects []uuid.UUID // what was asked for
	Address string      // keyed hash of the network address
	At      time.Time   // of the first
	LastAt  time.Time
	Count   int
}

// A RefusalMark is where a page of refusals begins: after this one.
type RefusalMark struct {
	At time.Time
	ID int64
}

// Refusals finds what was refused to an account, or when it was asked for the
// account: after a mark and before a moment, the oldest first.
type Refusals func(ctx context.Context, after RefusalMark, until time.Time, limit int) ([]Refusal, error)

func (r *Refusal) mark() RefusalMark { return RefusalMark{At: r.At, ID: r.ID} }

// entry tells a refusal among events. It has no position: it is not in the log.
func (r *Refusal) entry() Entry { return Entry{At: r.At, Type: r.Kind, By: r.By, Refusal: r} }

// concerns says whether who reads a history is told of a refusal: of one to
// somebody in a role, by where that is held; of one to somebody without, as of
// an event that names no place.
func (r *Refusal) concerns(by access.Actor, elsewhere bool) bool {
	place := by.Active.Scope
	if r.By.Role != "" {
		place = access.Scope{Municipality: r.By.Municipality, School: r.By.School}
	} else if elsewhere {
		return false
	}
	return by.Allow(access.At(access.ReadSecurityLog, place)) == nil
}

// besides are refusals while a history is told, read page by page.
type besides struct {
	find  Refusals
	mark  RefusalMark
	until time.Time
	page  []Refusal
	over  bool
}

// before returns the next refusal before a moment, nil if there is none.
func (b *besides) before(ctx context.Context, moment time.Time) (*Refusal, error) {
	if len(b.page) == 0 && !b.over && b.find != nil {
		const together = 100
		page, err := b.find(ctx, b.mark, b.until, together)
		if err != nil {
			return nil, err
		}
		b.page, b.over = page, len(page) < together
		if len(page) > 0 {
			b.mark = page[len(page)-1].mark()
		}
	}
	if len(b.page) == 0 || !b.page[0].At.Before(moment) {
		return nil, nil
	}
	r := &b.page[0]
	b.page = b.page[1:]
	return r, nil
}

// until returns the moment before which a refusal belongs to a history that is
// told up to a position: the next event is after it.
func (c *Commands) until(ctx context.Context, asOf AsOf, position int64) (time.Time, error) {
	if !asOf.at.IsZero() {
		return asOf.at.Add(time.Microsecond), nil
	}
	head, err := c.Log.Head(ctx)
	if err != nil {
		return time.Time{}, refusal(err)
	}
	if position < head {
		for next, err := range c.Log.ReadAll(ctx, position, position+1) {
			return next.RecordedAt, refusal(err)
		}
	}
	return c.Now().Add(time.Microsecond), nil
}
