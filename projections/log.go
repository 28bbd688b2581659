package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"zurnals/domain"
	"zurnals/eventstore"
)

// A Log is where events come from, decoded. Its methods are called from several
// goroutines.
type Log interface {
	// Head returns the last position.
	Head(context.Context) (int64, error)

	// Changes returns the head as it is known, and a channel that is closed
	// when it moves on.
	Changes() (head int64, moved <-chan struct{})

	// Read returns the events after one position up to and with another, of
	// the types that are wanted.
	Read(ctx context.Context, after, upto int64, want map[string]bool) ([]Event, error)
}

// A Source is a log as far as read models need it. An eventstore.Log is one.
type Source interface {
	Head(context.Context) (int64, error)
	Changes() (head int64, moved <-chan struct{})
	ReadAll(ctx context.Context, after, upto int64) iter.Seq2[eventstore.Event, error]
}

// An Opener opens what is sealed in events. An eventstore.Keys is one.
type Opener interface {
	Open(context.Context, []eventstore.Event) error
}

// Decoded returns the events of a log, opened and decoded. An event that cannot
// be is returned all the same, so that only the projections that it concerns
// stop there.
func Decoded(log Source, keys Opener, catalogue *domain.Catalogue) Log {
	d := decoded{log, keys, catalogue, make(map[string]int)}
	for _, definition := range catalogue.Definitions() {
		d.known[definition.Type] = definition.Version
	}
	return d
}

type decoded struct {
	Source
	keys      Opener
	catalogue *domain.Catalogue
	known     map[string]int // versions of types
}

func (d decoded) Read(ctx context.Context, after, upto int64, want map[string]bool) ([]Event, error) {
	if upto <= after {
		return nil, nil
	}
	var stored []eventstore.Event
	last := after
	for e, err := range d.ReadAll(ctx, after, upto) {
		if err != nil {
			return nil, err
		}
		if e.Position != last+1 {
			return nil, fmt.Errorf("%w: position %d follows %d", eventstore.ErrGap, e.Position, last)
		}
		if last++; want[e.Type] || d.known[e.Type] == 0 {
			stored = append(stored, e)
		}
	}
	if last != upto {
		return nil, fmt.Errorf("%w: the log ends at %d, not at %d", eventstore.ErrGap, last, upto)
	}
	faults, err := d.open(ctx, stored)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(stored))
	for i, e := range stored {
		var before *Event
		if i > 0 && bytes.Equal(e.Meta, stored[i-1].Meta) { // as often: one request, one import
			before = &events[i-1]
		}
		events[i] = d.decode(e, faults[e.Position], before)
	}
	return events, nil
}

// open opens sealed fields. If some event is at fault, it is found by opening
// each alone.
func (d decoded) open(ctx context.Context, stored []eventstore.Event) (faults map[int64]error, err error) {
	if len(stored) == 0 {
		return nil, nil
	}
	if err = d.keys.Open(ctx, stored); err == nil || transient(err) {
		return nil, err
	}
	faults = make(map[int64]error)
	for i := range stored {
		switch err := d.keys.Open(ctx, stored[i:i+1]); {
		case err == nil:
		case transient(err):
			return nil, err
		default:
			faults[stored[i].Position] = err
		}
	}
	return faults, nil
}

// decode decodes an event. That before it, if given, has the same meta.
func (d decoded) decode(e eventstore.Event, fault error, before *Event) Event {
	out := Event{Event: unread(e.Type), err: fault, alien: d.known[e.Type] == 0, later: e.Schema > d.known[e.Type], Meta: Meta{
		Position: e.Position, RecordedAt: e.RecordedAt, EventID: e.ID, Stream: e.Stream, Version: e.Version, Erased: e.Erased,
	}}
	switch {
	case out.err != nil:
	case out.alien:
		out.err = unknown("not in the catalogue")
	case out.later:
		out.err = unknown(fmt.Sprintf("version %d is not known, only 1 to %d", e.Schema, d.known[e.Type]))
	case before != nil && before.err == nil:
		out.Meta.Meta = before.Meta.Meta
	default:
		out.err = json.Unmarshal(e.Meta, &out.Meta.Meta)
	}
	if out.err == nil {
		var event domain.Event
		if event, out.err = d.catalogue.Decode(e.Type, e.Schema, e.Data); out.err == nil {
			out.Event = event
		}
	}
	return out
}

// concerning returns the events that a projection must see.
func concerning(events []Event, types map[string]bool) []Event {
	var some []Event
	for _, e := range events {
		if e.alien || types[e.Event.EventType()] {
			some = append(some, e)
		}
	}
	return some
}

// transient says that an error is of the connection or the machine, and that
// the same may succeed later.
func transient(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || lost(err)
}
