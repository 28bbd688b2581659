// Package domain is the language of the whole program: events, deciders,
// refusals and the values they are made of. It is pure. It reads no clock, no
// database and no network, and imports nothing of this module but itself.
package domain

import "fmt"

// A Decider is the rules for one kind of stream. The zero S is the state of a
// stream in which nothing has happened.
type Decider[S, C any, E Event] struct {
	// Category is the first part of the names of its streams.
	Category string

	// Decide returns what happens when cmd meets state: new events, none if
	// there is nothing left to do, or a refusal.
	Decide func(state S, cmd C) ([]E, error)

	// Evolve returns the state after e. It never refuses: e has happened.
	// It only assigns, and never changes what the old state shares with it.
	Evolve func(state S, e E) S
}

// Stream returns the name of the stream with the given id.
func (d Decider[S, C, E]) Stream(id fmt.Stringer) string {
	return d.Category + "-" + id.String()
}

// Fold returns the state that history leaves behind.
func (d Decider[S, C, E]) Fold(history []E) S {
	var s S
	return d.FoldFrom(s, history)
}

// FoldFrom returns the state that history leaves behind when it goes on from s.
func (d Decider[S, C, E]) FoldFrom(s S, history []E) S {
	for _, e := range history {
		s = d.Evolve(s, e)
	}
	return s
}
