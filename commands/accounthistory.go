package commands

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/audit"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// AccountHistory tells what has happened to an account and to its roles
// (EMU-043), and beside it what was refused to it, in the order of time. An
// auditor of a school reads of everybody who works there or has worked there,
// but only what concerns the school: what names another place is left out, and
// what names none (a sign-in) if the account had come to work elsewhere too by
// then.
func (c *Commands) AccountHistory(ctx context.Context, by access.Actor, account domain.AccountID, page HistoryPage) (History, error) {
	// First whether the role reads histories at all: who does not is told that,
	// and not whether there is such an account.
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return History{}, err
	}
	need, err := c.historyNeed(ctx, by, account)
	if err != nil {
		return History{}, err
	}
	return c.tell(ctx, by, need, page, audit.ReadHistory{Account: account}, func(t *teller, h *History) error {
		until, err := c.until(ctx, page.AsOf, h.AsOf)
		if err != nil {
			return err
		}
		refused := besides{find: page.Refusals, mark: page.AfterRefusal, until: until}
		elsewhere := false
		// beside tells what was refused before a moment.
		beside := func(moment time.Time) error {
			for len(h.Entries) <= page.size() {
				r, err := refused.before(ctx, moment)
				if err != nil || r == nil {
					return err
				}
				if r.concerns(by, elsewhere) {
					h.Entries = append(h.Entries, r.entry())
				}
			}
			return nil
		}
		t.past = func(stored eventstore.Event) bool { return stored.Position <= page.After && alone[stored.Type] }
		err = t.each(h.AsOf, func(stored eventstore.Event, e domain.Event) (bool, error) {
			if err := beside(stored.RecordedAt); err != nil {
				return false, err
			}
			entry, place, err := t.entry(stored, e)
			if err != nil {
				return false, err
			}
			here := !elsewhere
			if place.named {
				here = by.Allow(access.At(access.ReadHistory, place.scope)) == nil
			}
			if _, joined := e.(access.MembershipStarted); joined && !here {
				elsewhere = true
			}
			if here && stored.Position > page.After {
				h.Entries = append(h.Entries, entry)
			}
			return len(h.Entries) <= page.size(), nil
		}, identity.Accounts.Stream(account), accessStream(account))
		if err != nil {
			return err
		}
		return beside(until)
	})
}

// historyNeed returns what is needed to read of an account: the right at one
// of the places where it works or has worked.
func (c *Commands) historyNeed(ctx context.Context, by access.Actor, account domain.AccountID) (access.Need, error) {
	streams, err := c.Log.ReadStreams(ctx, accessStream(account))
	if err != nil {
		return access.Need{}, refusal(err)
	}
	events, err := c.decodeSealed(streams[accessStream(account)]) // nothing in it is sealed
	if err != nil {
		return access.Need{}, err
	}
	for _, e := range events {
		if joined, ok := e.(access.MembershipStarted); ok {
			if need := access.At(access.ReadHistory, joined.Place); by.Allow(need) == nil {
				return need, nil
			}
		}
	}
	return access.Need{}, access.ErrElsewhere
}
