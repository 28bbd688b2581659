// Package projections builds the read models (lasīšanas modeļi) and is the
// only door to them. A projection is a set of tables made from the log alone.
// How events fill them is said once, in Go, as a fold over rows by key; the
// live runner and a rebuild use the same fold.
//
// A view package declares a Projection and functions that call Query. The
// Engine keeps the tables up to date, builds them anew while people work, and
// says how far they are.
package projections

import (
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
)

// A Projection says which tables there are and how events fill them. T is a
// struct of its Tables and Groups.
type Projection[T any] struct {
	Name    string // of the schema too: rm_<name>_v<version>
	Version int    // raised with any change to what follows, except Views

	Schema  string // creates the tables, without keys
	Indexes string // adds primary keys and indexes, once a rebuild has filled them; unique is the key only

	Tables func(*Set) *T
	On     []Handler[T]

	Views []View
}

// A View is a table for analysts, analytics.<name>: no personal data, no ids
// of people. It is made anew when a projection it reads is swapped.
type View struct {
	Name  string
	Query string // names the schema of a projection as {name}, as Query does
}

// Meta is what the log knows of an event besides the event.
type Meta struct {
	Position    int64
	RecordedAt  time.Time
	EventID     uuid.UUID
	Stream      string
	Version     int  // in the stream
	Erased      bool // fields of somebody whose data was erased are empty
	domain.Meta      // who, in which role
}

// An Event is one entry of the log, decoded.
type Event struct {
	Meta
	Event domain.Event
	err   error // it could not be opened or decoded
	alien bool  // its type is in no catalogue: it concerns every projection
	later bool  // it is of a later version of the program
}

// unread stands for an event that could not be decoded.
type unread string

func (t unread) EventType() string { return string(t) }

// A Handler folds one type of event.
type Handler[T any] struct {
	Type string
	fold func(*T, Event)
}

// On makes a Handler of f. What f puts may depend on the event, its Meta and
// the rows that it gets, and on nothing else: f may be called several times for
// one event, and in a rehearsal sees rows as absent that are not.
func On[T any, E domain.Event](f func(*T, E, Meta)) Handler[T] {
	var zero E
	return Handler[T]{zero.EventType(), func(t *T, e Event) { f(t, e.Event.(E), e.Meta) }}
}

// Fold returns the tables as events leave them, in memory: for tests.
func (p Projection[T]) Fold(events ...Event) (*T, error) {
	f := p.folder("", true).(*folding[T])
	return f.tables, f.fold(events).orNil()
}

// Any is a Projection of any T.
type Any interface {
	declared() declaration
	folder(schema string, whole bool) folder
}

// A declaration is what there is to know of a projection whatever its tables.
type declaration struct {
	name            string
	version         int
	schema, indexes string
	views           []View
	types           map[string]bool // of events that it handles
}

// live returns the schema that queries read.
func (d declaration) live() string { return fmt.Sprintf("rm_%s_v%d", d.name, d.version) }

var names = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (p Projection[T]) declared() declaration {
	d := declaration{p.Name, p.Version, p.Schema, p.Indexes, p.Views, make(map[string]bool)}
	for _, h := range p.On {
		d.types[h.Type] = true
	}
	return d
}

// A folder is the tables of one projection in memory, for one runner.
type folder interface {
	fold([]Event) *poison
	set() *Set
}

type folding[T any] struct {
	tables *T
	all    *Set
	on     map[string]func(*T, Event)
}

func (p Projection[T]) folder(schema string, whole bool) folder {
	f := &folding[T]{all: &Set{schema: schema, whole: whole}, on: make(map[string]func(*T, Event), len(p.On))}
	f.tables = p.Tables(f.all)
	for _, h := range p.On {
		f.on[h.Type] = h.fold
	}
	return f
}

func (f *folding[T]) set() *Set { return f.all }

// fold folds events, from the first that has not been. A panic is the fault of
// one event; the rest is folded all the same, so that a rehearsal asks for what
// the rest needs too. The first fault is returned.
func (f *folding[T]) fold(events []Event) (first *poison) {
	for i := 0; i < len(events); {
		func() {
			defer func() {
				if r := recover(); r != nil && first == nil {
					first = poisonOf(events[i-1], r)
					first.why += " at " + panicked()
				}
			}()
			for i < len(events) {
				e := events[i]
				i++
				if e.err != nil {
					if first == nil {
						first = poisonOf(e, e.err)
					}
				} else if handle, ok := f.on[e.Event.EventType()]; ok {
					handle(f.tables, e)
				}
			}
		}()
	}
	return first
}
