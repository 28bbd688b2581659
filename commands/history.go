package commands

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/audit"
	"zurnals/domain/identity"
	"zurnals/domain/roster"
	"zurnals/eventstore"
)

// A HistoryPage is which part of a history is asked for.
type HistoryPage struct {
	AsOf  AsOf
	After int64 // position that the page begins after
	Limit int   // entries, zero for the usual number

	Refusals     Refusals // told beside the events of an account; nil: they are not
	AfterRefusal RefusalMark
}

// Most entries on one page, and how many where nobody says.
const (
	historyDefault = 50
	historyMost    = 200
)

func (p HistoryPage) size() int {
	if p.Limit <= 0 {
		return historyDefault
	}
	return min(p.Limit, historyMost)
}

// A History is one page of what has happened, the oldest first.
type History struct {
	Entries []Entry
	AsOf    int64 // position that it is told up to

	Next        int64       // position that the next page begins after
	NextRefusal RefusalMark // and the refusal that it does; both zero: this is the last
}

// cut takes the entry too many off a page, and returns the position of the last
// event on it.
func (h *History) cut(page HistoryPage) (last int64) {
	more := len(h.Entries) > page.size()
	if more {
		h.Entries = h.Entries[:page.size()]
	}
	next, refusal := page.After, page.AfterRefusal
	for _, e := range h.Entries {
		if e.Refusal != nil {
			refusal = e.Refusal.mark()
		} else {
			next, last = e.Position, e.Position
		}
	}
	if more {
		h.Next, h.NextRefusal = next, refusal
	}
	return last
}

// tell is the door to histories: whoever has what is needed reads, and that it
// was read is appended to the log before anything is answered.
func (c *Commands) tell(ctx context.Context, by access.Actor, need access.Need, page HistoryPage, reading audit.ReadHistory, read func(*teller, *History) error) (History, error) {
	var h History
	if err := by.Allow(need); err != nil {
		return h, err
	}
	var err error
	if h.AsOf, err = c.Position(ctx, page.AsOf); err != nil {
		return h, err
	}
	t := &teller{c: c, ctx: ctx, by: by}
	if err := read(t, &h); err != nil {
		return History{}, refusal(err)
	}
	last := h.cut(page)
	if err := t.name(h.Entries); err != nil {
		return History{}, err
	}
	reading.Municipality, reading.School = need.Place.Municipality, need.Place.School
	reading.AsOf, reading.After, reading.Entries, reading.Last = h.AsOf, page.After, len(h.Entries), last
	err = c.do(ctx, by, need, func(u *unit) error {
		u.blind(audit.Readings.Stream(by.ID))
		_, err := decide(u, audit.Readings, by.ID, reading)
		return err
	})
	if err != nil {
		return History{}, err
	}
	return h, nil
}

// blind lets a unit add to a stream without reading it: one from which nothing
// follows, and which grows long.
func (u *unit) blind(name string) {
	if u.streams == nil {
		u.streams = make(map[string]*stream)
	}
	u.streams[name] = &stream{name: name, version: eventstore.Any}
}

// StudentScope returns the place that a pupil is: the school.
func (c *Commands) StudentScope(ctx context.Context, id domain.StudentID) (access.Scope, error) {
	return c.place(ctx, roster.Students.Stream(id), func(e domain.Event) (access.Scope, error) {
		if e, ok := e.(roster.StudentRegistered); ok {
			return c.SchoolScope(ctx, e.School)
		}
		return access.Scope{}, access.ErrElsewhere
	})
}

// A MarkPlace is where in the log something has happened to a mark of a pupil.
type MarkPlace struct {
	Lesson   domain.LessonID
	Position int64
}

// AttendanceHistory tells what has happened to the marks of a pupil (ATT-024,
// ATT-050): who made them, how, and what they were before. A read model has
// found them, up to a position and one more than the page wants; what is told
// is what the log says.
func (c *Commands) AttendanceHistory(ctx context.Context, by access.Actor, student domain.StudentID, page HistoryPage, found []MarkPlace) (History, error) {
	place, err := c.StudentScope(ctx, student)
	if err != nil {
		return History{}, err
	}
	reading := audit.ReadHistory{Student: student}
	return c.tell(ctx, by, access.At(access.ReadHistory, place), page, reading, func(t *teller, h *History) error {
		t.student = student
		var streams []string
		wanted := make(map[int64]bool)
		for _, f := range found[:min(len(found), page.size()+1)] {
			wanted[f.Position] = f.Position > page.After && f.Position <= h.AsOf
			if name := attendance.Lessons.Stream(f.Lesson); !slices.Contains(streams, name) {
				streams = append(streams, name)
			}
		}
		stored, err := c.Log.ReadStreams(ctx, streams...)
		if err != nil {
			return err
		}
		for _, name := range streams {
			lesson := upTo(stored[name], h.AsOf)
			events, err := c.decode(ctx, lesson)
			if err != nil {
				return err
			}
			for i, e := range events {
				entry, _, err := t.entry(lesson[i], e)
				if err != nil {
					return err
				}
				if wanted[lesson[i].Position] {
					h.Entries = append(h.Entries, entry)
				}
			}
		}
		slices.SortFunc(h.Entries, func(a, b Entry) int { return int(a.Position - b.Position) })
		return nil
	})
}

// StreamHistory tells what has happened to one stream, whatever it is. It is
// for those who may read all of the log.
func (c *Commands) StreamHistory(ctx context.Context, by access.Actor, stream string, page HistoryPage) (History, error) {
	return c.tell(ctx, by, access.At(access.ReadHistory, access.Scope{}), page, audit.ReadHistory{Stream: stream}, func(t *teller, h *History) error {
		versions, err := c.Log.Versions(ctx, stream)
		if err != nil {
			return err
		}
		if versions[0] == 0 {
			return access.ErrElsewhere
		}
		return t.each(h.AsOf, func(stored eventstore.Event, e domain.Event) (bool, error) {
			entry, _, err := t.entry(stored, e)
			if err == nil && stored.Position > page.After {
				h.Entries = append(h.Entries, entry)
			}
			return len(h.Entries) <= page.size(), err
		}, stream)
	})
}

// LogHistory tells the log itself, event by event: old values are not told,
// because each event is of another thing. It is for those who may read all.
func (c *Commands) LogHistory(ctx context.Context, by access.Actor, page HistoryPage) (History, error) {
	if err := by.Allow(access.At(access.ReadHistory, by.Active.Scope)); err != nil {
		return History{}, err
	}
	if by.Active.Scope != (access.Scope{}) {
		return History{}, access.ErrForbidden
	}
	return c.tell(ctx, by, access.At(access.ReadHistory, access.Scope{}), page, audit.ReadHistory{}, func(t *teller, h *History) error {
		t.alone = true
		if h.AsOf == 0 { // nothing has happened yet; to ReadAll it would mean the head
			return nil
		}
		for stored, err := range c.Log.ReadAll(ctx, page.After, h.AsOf) {
			if err != nil {
				return err
			}
			events, err := c.decode(ctx, []eventstore.Event{stored})
			if err != nil {
				return err
			}
			entry, _, err := t.entry(stored, events[0])
			if err != nil {
				return err
			}
			if h.Entries = append(h.Entries, entry); len(h.Entries) > page.size() {
				break
			}
		}
		return nil
	})
}

// each calls f with the events of streams up to a position, in the order of the
// log, until f has enough. No more of them is held at once than a few.
func (t *teller) each(upto int64, f func(eventstore.Event, domain.Event) (more bool, err error), streams ...string) error {
	const together = 100 // opened with one query for all keys
	batch := make([]eventstore.Event, 0, together)
	more := true
	flush := func() error {
		events, err := t.c.decode(t.ctx, batch)
		for i := 0; err == nil && more && i < len(events); i++ {
			more, err = f(batch[i], events[i])
		}
		batch = batch[:0]
		return err
	}
	for stored, err := range merged(t.ctx, t.c.Log, streams) {
		if err != nil {
			return err
		}
		if stored.Position > upto || !more {
			break
		}
		if t.past != nil && t.past(stored) {
			continue
		}
		if batch = append(batch, stored); len(batch) == together {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// merged yields the events of streams in the order of the log.
func merged(ctx context.Context, log eventstore.Log, streams []string) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		type head struct {
			event eventstore.Event
			next  func() (eventstore.Event, error, bool)
		}
		var heads []*head
		for _, name := range streams {
			next, stop := iter.Pull2(log.ReadStream(ctx, name, 1))
			defer stop()
			h := &head{next: next}
			event, err, ok := next()
			if err != nil {
				yield(event, err)
				return
			}
			if h.event = event; ok {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			first := slices.MinFunc(heads, func(a, b *head) int { return int(a.event.Position - b.event.Position) })
			if !yield(first.event, nil) {
				return
			}
			event, err, ok := first.next()
			if err != nil {
				yield(event, err)
				return
			}
			if first.event = event; !ok {
				heads = slices.DeleteFunc(heads, func(h *head) bool { return h == first })
			}
		}
	}
}

// name tells who the members of staff in entries are, by their initials.
func (t *teller) name(entries []Entry) error {
	names := make(map[uuid.UUID]string)
	for i := range entries {
		by := entries[i].By
		if by.Actor != domain.ActorAccount {
			continue
		}
		if _, known := names[by.ActorID]; !known {
			name, err := t.initials(domain.AccountID{UUID: by.ActorID})
			if err != nil {
				return err
			}
			names[by.ActorID] = name
		}
		entries[i].Name = names[by.ActorID]
	}
	return nil
}

func (t *teller) initials(account domain.AccountID) (string, error) {
	for stored, err := range t.c.Log.ReadStream(t.ctx, identity.Accounts.Stream(account), 1) {
		if err != nil {
			return "", refusal(err)
		}
		events, err := t.c.decode(t.ctx, []eventstore.Event{stored})
		if err != nil {
			return "", err
		}
		if invited, ok := events[0].(identity.UserInvited); ok {
			return strings.TrimSpace(mask("given_name", invited.GivenName) + " " + mask("family_name", invited.FamilyName)), nil
		}
		break
	}
	return "", nil
}
