package commands

import (
	"context"
	"slices"
	"strconv"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/audit"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// ErrOrder refuses a span that ends before it begins.
var ErrOrder = domain.Refuse(domain.Invalid, "audit.order", "the beginning must be before the end")

// An AccountDiff is what an account was at one moment and is not at another: it
// tells the difference, not the way.
type AccountDiff struct {
	From, Until int64 // positions

	Changes      []Change // of the account itself, personal data as the asker sees it
	Withheld     bool     // Changes are not told: they concern other workplaces too
	Given, Taken []access.Assignment
	Joined, Left []access.Scope
	Erased       bool // data of the person is missing, because it was erased
}

// AccountDiff tells what changed in an account, its roles and classes between
// two moments, as far as the asker may read of the places. That it was read is
// recorded.
func (c *Commands) AccountDiff(ctx context.Context, by access.Actor, account domain.AccountID, from, until AsOf) (AccountDiff, error) {
	var d AccountDiff
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return d, err
	}
	need, err := c.historyNeed(ctx, by, account)
	if err != nil {
		return d, err
	}
	if d.From, err = c.Position(ctx, from); err != nil {
		return d, err
	}
	page := HistoryPage{AsOf: until, After: d.From}
	_, err = c.tell(ctx, by, need, page, audit.ReadHistory{Account: account}, func(t *teller, h *History) error {
		if d.Until = h.AsOf; d.Until < d.From {
			return ErrOrder.In("query.until")
		}
		return t.compare(account, &d)
	})
	if err != nil {
		return AccountDiff{}, err
	}
	return d, nil
}

// compare fills in what is different.
func (t *teller) compare(account domain.AccountID, d *AccountDiff) error {
	streams, err := t.c.Log.ReadStreams(t.ctx, identity.Accounts.Stream(account), accessStream(account))
	if err != nil {
		return err
	}
	name := accessStream(account)
	stored := upTo(streams[name], d.Until)
	joined, err := t.c.decode(t.ctx, stored)
	if err != nil {
		return err
	}
	wasHeld, isHeld, err := between(access.Assignments, name, joined, len(upTo(stored, d.From)))
	if err != nil {
		return err
	}
	readable := func(s access.Scope) bool { return t.by.Allow(access.At(access.ReadHistory, s)) == nil }
	d.Given = only(isHeld.Held(), wasHeld.Held(), func(a access.Assignment) bool { return readable(a.Scope) })
	d.Taken = only(wasHeld.Held(), isHeld.Held(), func(a access.Assignment) bool { return readable(a.Scope) })
	d.Joined = only(isHeld.Workplaces(), wasHeld.Workplaces(), readable)
	d.Left = only(wasHeld.Workplaces(), isHeld.Workplaces(), readable)

	d.Withheld = slices.ContainsFunc(joined, func(e domain.Event) bool {
		m, ok := e.(access.MembershipStarted)
		return ok && !readable(m.Place)
	})
	if d.Withheld {
		return nil
	}
	name = identity.Accounts.Stream(account)
	stored = upTo(streams[name], d.Until)
	happened, err := t.c.decode(t.ctx, stored)
	if err != nil {
		return err
	}
	was, is, err := between(identity.Accounts, name, happened, len(upTo(stored, d.From)))
	d.Erased = slices.ContainsFunc(stored, func(e eventstore.Event) bool { return e.Erased })
	d.Changes = t.differences(was, is)
	return err
}

// differences compares two states of an account. Personal data is told to who
// sees it outside of any history, and masked for others.
func (t *teller) differences(was, is identity.Account) (all []Change) {
	sees := t.by.Allow(access.At(access.SeeUsers, t.by.Active.Scope)) == nil
	show := func(tag, plain string) string {
		if sees && tag != "personal_code" {
			return plain
		}
		return mask(tag, plain)
	}
	add := func(name, old, now string, show func(tag, plain string) string) {
		if old != now {
			all = append(all, Change{name, show(name, old), show(name, now)})
		}
	}
	plain := func(_, s string) string { return s }
	p, q := was.Person(), is.Person()
	add("state", was.State(), is.State(), plain)
	add("given_name", p.GivenName, q.GivenName, show)
	add("family_name", p.FamilyName, q.FamilyName, show)
	add("personal_code", string(p.PersonalCode), string(q.PersonalCode), show)
	add("email", p.Email, q.Email, show)
	add("language", string(was.Language()), string(is.Language()), plain)
	for _, provider := range identity.Providers {
		_, old := was.Connected(provider)
		_, now := is.Connected(provider)
		add("external_logins."+string(provider), connected(old), connected(now), plain)
	}
	if was.Credential() != is.Credential() {
		secret := func(id domain.CredentialID) string {
			if id.IsZero() {
				return ""
			}
			return mask("password", id.String())
		}
		all = append(all, Change{"password", secret(was.Credential()), secret(is.Credential())})
	}
	add("session_generation", strconv.Itoa(was.Generation()), strconv.Itoa(is.Generation()), plain)
	return all
}

func connected(is bool) string {
	if is {
		return "connected"
	}
	return ""
}

// between returns the state of a stream after some of its events, and after all.
func between[S, C any, E domain.Event](d domain.Decider[S, C, E], stream string, history []domain.Event, some int) (was, is S, err error) {
	if was, err = fold(d, stream, history[:some]); err != nil {
		return was, is, err
	}
	is, err = fold(d, stream, history)
	return was, is, err
}

// upTo returns the events of a stream up to a position.
func upTo(stored []eventstore.Event, position int64) []eventstore.Event {
	if i := slices.IndexFunc(stored, func(e eventstore.Event) bool { return e.Position > position }); i >= 0 {
		return stored[:i]
	}
	return stored
}

// only returns what is in one list and not in the other.
func only[T comparable](in, notIn []T, wanted func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(in), func(one T) bool { return slices.Contains(notIn, one) || !wanted(one) })
}
