// Package eventstoretest holds the tests that every log must pass, and what
// tests of other packages need to work with one.
package eventstoretest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/eventstore"
)

// Start is when the clock of tests starts: Monday 2025-09-01 08:00 in Riga.
var Start = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

// Clock is a clock that stands still until it is told otherwise.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now is the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Fixture is an empty log with its keys and its clock.
type Fixture struct {
	Log   eventstore.Log
	Keys  eventstore.Keys
	Clock *Clock
}

// Event makes an event with a text in it.
func Event(kind, text string) eventstore.NewEvent {
	return eventstore.NewEvent{ID: uuid.New(), Type: kind, Schema: 1, Meta: []byte(`{}`), Data: fmt.Appendf(nil, `{"text":%q}`, text)}
}

// Write makes a write of n events.
func Write(stream string, expected, n int) eventstore.Write {
	w := eventstore.Write{Stream: stream, Expected: expected}
	for i := range n {
		w.Events = append(w.Events, Event("test.happened", fmt.Sprint(i)))
	}
	return w
}

// Stream makes a name that no other test uses.
func Stream(category string) string { return category + "-" + uuid.NewString() }

// Suite runs all tests on logs made by open.
func Suite(t *testing.T, open func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"append and read back":                       appendAndRead,
		"expected version, one below and above":      expectedVersions,
		"several streams at once or none":            severalStreams,
		"guards":                                     guards,
		"claims are taken, released, kept, moved":    claims,
		"a command answers the same again":           commandAgain,
		"a command id with other content":            commandReused,
		"a command without events":                   commandWithoutEvents,
		"commands are forgotten after seven days":    commandForgotten,
		"bounds of an append":                        bounds,
		"malformed requests":                         malformed,
		"recorded_at never goes back":                recordedAt,
		"position at a time":                         positionAt,
		"readers can stop, and stop at the head":     readers,
		"waiting for a position":                     waiting,
		"the end of the context":                     contextEnds,
		"sealed and opened":                          sealed,
		"a seal nobody could open is refused":        sealRefused,
		"erasure":                                    erasure,
		"secrets of the program":                     secrets,
		"the first reason to refuse is the one told": firstReason,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}
