package domain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// An Event is a fact: something that has happened and is kept for good.
//
// EventType is the name it is stored under, "context.fact". It is chosen once
// and outlives every rename of the Go type.
type Event interface {
	EventType() string
}

// A Claim is a name that only one stream may hold at a time, such as an e-mail
// address. The log stores it as a keyed hash, never as it is.
type Claim struct {
	Kind  string // "email", "personal_code", …
	Value string // normalised: equal names are equal strings
}

// A Claimer is an event that takes names. The append is refused if another
// stream holds one of them.
type Claimer interface {
	Claims() []Claim
}

// A Releaser is an event that gives names back.
type Releaser interface {
	Releases() []Claim
}

// A SubjectID is a person whose data is sealed with a key of their own. It is
// the id of the account, the student or the learner, whichever is the person.
type SubjectID uuid.UUID

// A PersonalField is one piece of personal data in an event.
type PersonalField struct {
	Subject SubjectID
	Tag     string  // name of the field, part of what the seal proves
	Value   *string // in the event
}

// A Personal event holds data about people. The method has a pointer receiver
// and returns pointers into the receiver; where the data is in a slice, it
// first replaces the slice by a clone, because the receiver is a shallow copy.
type Personal interface {
	PersonalFields() []PersonalField
}

// An Eraser is an event after which the data of some people can no longer be
// read by anybody: their keys are destroyed in the same transaction.
type Eraser interface {
	Erases() []SubjectID
}

// A Seal makes plain text readable only while the key of its subject exists.
type Seal func(event uuid.UUID, subject SubjectID, tag, plain string) string

// A Definition is what there is to know about storing one type of event.
type Definition struct {
	Type    string // as stored
	Version int    // of the JSON written today

	upcasts  []Upcaster // upcasts[i] reads version i+1 as version i+2
	decode   func([]byte) (Event, error)
	encode   func(e Event, id uuid.UUID, seal Seal) ([]byte, error)
	subjects func(Event) []SubjectID
}

// Define defines how E is stored. Each upcast raises its version by one, so
// that a version cannot change without saying how the older JSON is read.
func Define[E Event](upcasts ...Upcaster) Definition {
	var zero E
	return Definition{
		Type:    zero.EventType(),
		Version: 1 + len(upcasts),
		upcasts: upcasts,
		decode: func(data []byte) (Event, error) {
			var e E
			err := json.Unmarshal(data, &e)
			return e, err
		},
		encode: func(event Event, id uuid.UUID, seal Seal) ([]byte, error) {
			e := event.(E) // a copy: sealing must not change what the caller holds
			if p, ok := any(&e).(Personal); ok {
				for _, f := range p.PersonalFields() {
					if *f.Value != "" {
						*f.Value = seal(id, f.Subject, f.Tag, *f.Value)
					}
				}
			}
			return json.Marshal(e)
		},
		subjects: func(event Event) (all []SubjectID) {
			e := event.(E)
			if p, ok := any(&e).(Personal); ok {
				for _, f := range p.PersonalFields() {
					if *f.Value != "" && !slices.Contains(all, f.Subject) {
						all = append(all, f.Subject)
					}
				}
			}
			return all
		},
	}
}

// An Upcaster reads the JSON of one version of an event as that of the next.
type Upcaster func([]byte) ([]byte, error)

// Upcast makes an Upcaster of a function between the old Go type and the new.
func Upcast[Old, New any](f func(Old) New) Upcaster {
	return func(data []byte) ([]byte, error) {
		var old Old
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, err
		}
		return json.Marshal(f(old))
	}
}

// A Catalogue holds the definitions of all events there are.
type Catalogue struct {
	byType map[string]Definition
}

// NewCatalogue returns a catalogue of the given definitions. It panics if two
// have the same type: that is a mistake in the program.
func NewCatalogue(contexts ...[]Definition) *Catalogue {
	c := &Catalogue{byType: make(map[string]Definition)}
	for _, d := range slices.Concat(contexts...) {
		if _, ok := c.byType[d.Type]; ok {
			panic(fmt.Sprintf("event type %q is defined twice", d.Type))
		}
		c.byType[d.Type] = d
	}
	return c
}

// Definitions returns all definitions in the order of their types.
func (c *Catalogue) Definitions() []Definition {
	var all []Definition
	for _, d := range c.byType {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Definition) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// Encode returns e as it is to be stored under id, personal fields sealed.
func (c *Catalogue) Encode(e Event, id uuid.UUID, seal Seal) (version int, data []byte, err error) {
	d, ok := c.byType[e.EventType()]
	if !ok {
		return 0, nil, fmt.Errorf("encode %s: not in the catalogue", e.EventType())
	}
	data, err = d.encode(e, id, seal)
	return d.Version, data, err
}

// Subjects returns the people of whom e holds data.
func (c *Catalogue) Subjects(e Event) []SubjectID {
	if d, ok := c.byType[e.EventType()]; ok {
		return d.subjects(e)
	}
	return nil
}

// Decode returns the event stored under typ with the JSON of the given
// version, personal fields already opened.
func (c *Catalogue) Decode(typ string, version int, data []byte) (Event, error) {
	d, ok := c.byType[typ]
	if !ok {
		return nil, fmt.Errorf("decode %s: not in the catalogue", typ)
	}
	if version < 1 || version > d.Version {
		return nil, fmt.Errorf("decode %s: version %d is not known, only 1 to %d", typ, version, d.Version)
	}
	for v, up := range d.upcasts[version-1:] {
		var err error
		if data, err = up(data); err != nil {
			return nil, fmt.Errorf("decode %s: from version %d: %w", typ, version+v, err)
		}
	}
	e, err := d.decode(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	return e, nil
}
