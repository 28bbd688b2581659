package commands

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/eventstore"
)

// A unit is one use case while it is decided: the streams it has read, each
// once, and what is to be appended to them together.
type unit struct {
	c   *Commands
	ctx context.Context
	by  access.Actor
	at  time.Time // of the command, the same for all its deciders

	streams map[string]*stream
	changed []*stream // in the order in which they were first added to
	guards  map[string]int
	always  bool // go to the log even with nothing to append, so that it takes as long
}

// A stream is what a unit knows of one stream.
type stream struct {
	name    string
	version int            // as read
	history []domain.Event // what was read and what was added
	added   []domain.Event
}

// stream returns a stream, reading it if the unit has not.
func (u *unit) stream(name string) (*stream, error) {
	if s, ok := u.streams[name]; ok {
		return s, nil
	}
	if err := u.read(name); err != nil {
		return nil, err
	}
	return u.streams[name], nil
}

// read reads streams together, in one query, those that the unit has not yet.
func (u *unit) read(names ...string) error {
	if u.streams == nil {
		u.streams = make(map[string]*stream)
	}
	var missing []string
	for _, name := range names {
		if _, ok := u.streams[name]; !ok {
			u.streams[name] = &stream{name: name}
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	stored, err := u.c.Log.ReadStreams(u.ctx, missing...)
	if err != nil {
		return refusal(err)
	}
	var all []eventstore.Event // opened together: one query for all keys
	for _, name := range missing {
		all = append(all, stored[name]...)
	}
	events, err := u.c.decode(u.ctx, all)
	if err != nil {
		return err
	}
	for i, e := range all {
		s := u.streams[e.Stream]
		s.version, s.history = e.Version, append(s.history, events[i])
	}
	return nil
}

// guard has the append refused, and the use case decided anew, if a stream is
// no longer at a version by then.
func (u *unit) guard(stream string, version int) {
	if u.guards == nil {
		u.guards = make(map[string]int)
	}
	if _, ok := u.guards[stream]; !ok {
		u.guards[stream] = version
	}
}

// expect refuses the command if a stream is not at the version that the person
// saw; zero means that any will do.
func (u *unit) expect(stream string, version int) error {
	if version == 0 {
		return nil
	}
	s, err := u.stream(stream)
	if err != nil {
		return err
	}
	if s.version != version {
		return ErrStale.With(domain.Detail{Field: "header.If-Match", Code: "version.current", What: strconv.Itoa(s.version), Text: fmt.Sprintf("is at version %d", s.version)})
	}
	return nil
}

// ErrStale refuses a change of something that has changed since it was read.
var ErrStale = domain.Refuse(domain.Stale, "version.stale", "it has been changed since it was read")

// load returns the state that a stream is in. What is decided on it holds only
// as long as the stream stays as it is, so the append is guarded by it.
func load[S, C any, E domain.Event](u *unit, d domain.Decider[S, C, E], id fmt.Stringer) (S, error) {
	var zero S
	s, err := u.stream(d.Stream(id))
	if err != nil {
		return zero, err
	}
	u.guard(s.name, s.version)
	return fold(d, s.name, s.history)
}

// peek is load without the guard: for facts that never change, such as the
// school that a class is in.
func peek[S, C any, E domain.Event](u *unit, d domain.Decider[S, C, E], id fmt.Stringer) (S, error) {
	var zero S
	s, err := u.stream(d.Stream(id))
	if err != nil {
		return zero, err
	}
	return fold(d, s.name, s.history)
}

// decide has cmd decided and adds what happens to the unit, which it returns.
func decide[S, C any, E domain.Event](u *unit, d domain.Decider[S, C, E], id fmt.Stringer, cmd C) ([]E, error) {
	s, err := u.stream(d.Stream(id))
	if err != nil {
		return nil, err
	}
	state, err := fold(d, s.name, s.history)
	if err != nil {
		return nil, err
	}
	happened, err := d.Decide(state, cmd)
	if err != nil {
		return nil, err
	}
	if len(happened) > 0 && len(s.added) == 0 {
		u.changed = append(u.changed, s)
	}
	for _, e := range happened {
		s.history, s.added = append(s.history, e), append(s.added, e)
	}
	return happened, nil
}

func fold[S, C any, E domain.Event](d domain.Decider[S, C, E], stream string, history []domain.Event) (S, error) {
	var state S
	for i, event := range history {
		e, ok := event.(E)
		if !ok {
			return state, fmt.Errorf("%s@%d: %s does not belong here", stream, i+1, event.EventType())
		}
		state = d.Evolve(state, e)
	}
	return state, nil
}

// newID returns the id of a thing that the command makes: the same each time
// the same command is sent. Role tells apart what one command makes.
func newID[ID ~struct{ uuid.UUID }](by access.Actor, role string) ID {
	if by.Command == uuid.Nil {
		return domain.NewID[ID]()
	}
	return domain.DerivedID[ID](by.Command, role)
}

// step returns the actor for one of several appends that a command makes: each
// is carried out once. Name is the same whenever the command is sent again.
func step(by access.Actor, name string) access.Actor {
	if by.Command != uuid.Nil {
		by.Command = uuid.NewSHA1(by.Command, []byte(name))
	}
	return by
}

// decode opens and decodes stored events.
func (c *Commands) decode(ctx context.Context, stored []eventstore.Event) ([]domain.Event, error) {
	if err := c.Keys.Open(ctx, stored); err != nil {
		return nil, err
	}
	return c.decodeSealed(stored)
}

// decodeSealed decodes stored events as they are: what is sealed in them stays
// sealed.
func (c *Commands) decodeSealed(stored []eventstore.Event) ([]domain.Event, error) {
	events := make([]domain.Event, len(stored))
	for i, e := range stored {
		var err error
		if events[i], err = c.Catalogue.Decode(e.Type, e.Schema, e.Data); err != nil {
			return nil, fmt.Errorf("%s@%d: %w", e.Stream, e.Version, err)
		}
	}
	return events, nil
}

// readAll is read for the streams of many things of one kind, such as the
// pupils of a lesson.
func readAll[S, C any, E domain.Event, ID fmt.Stringer](u *unit, d domain.Decider[S, C, E], ids []ID) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = d.Stream(id)
	}
	return u.read(names...)
}
