// Package domaintest lets tests of deciders read as stories: given what has
// happened, when something is asked, then this happens.
package domaintest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"zurnals/domain"
)

// A Story is a decider and what has happened so far.
type Story[S, C any, E domain.Event] struct {
	decider domain.Decider[S, C, E]
	name    string
	given   []E
	when    C
}

// Given returns a function to begin stories about d with.
func Given[S, C any, E domain.Event](d domain.Decider[S, C, E]) func(history ...E) Story[S, C, E] {
	return func(history ...E) Story[S, C, E] {
		return Story[S, C, E]{decider: d, given: history}
	}
}

// Named gives the story a name, for those that are told in a loop.
func (s Story[S, C, E]) Named(name string) Story[S, C, E] {
	s.name = name
	return s
}

// And goes on with what happened next.
func (s Story[S, C, E]) And(history ...E) Story[S, C, E] {
	s.given = slices.Concat(s.given, history)
	return s
}

// When goes on with a command.
func (s Story[S, C, E]) When(cmd C) Story[S, C, E] {
	s.when = cmd
	return s
}

// Then ends the story with events; with none, nothing may happen.
func (s Story[S, C, E]) Then(t *testing.T, want ...E) {
	t.Helper()
	got, err := s.decide(t)
	if err != nil || tell(got) != tell(want) {
		t.Errorf("%s\nthen\n%s\nbut got %v\n%s", s, tell(want), err, tell(got))
	}
}

// ThenRefused ends the story with a refusal. If fields are named, its details
// must be about these, in this order.
func (s Story[S, C, E]) ThenRefused(t *testing.T, want error, fields ...string) {
	t.Helper()
	got, err := s.decide(t)
	if !errors.Is(err, want) || len(got) > 0 {
		t.Errorf("%s\nthen refused: %v\nbut got %v\n%s", s, want, err, tell(got))
		return
	}
	if len(fields) == 0 {
		return
	}
	var refusal *domain.Error
	errors.As(err, &refusal)
	var about []string
	for _, d := range refusal.Details {
		about = append(about, d.Field)
	}
	if !slices.Equal(about, fields) {
		t.Errorf("%s\nthen refused because of %q, but it was because of %q", s, fields, about)
	}
}

// decide also checks what every decider owes: the history that was folded is
// not changed by folding it again, or on in two directions.
func (s Story[S, C, E]) decide(t *testing.T) ([]E, error) {
	t.Helper()
	before := tell(s.given)
	state := s.decider.Fold(s.given)
	happened, err := s.decider.Decide(state, s.when)
	s.decider.FoldFrom(state, happened)
	again, errAgain := s.decider.Decide(state, s.when)
	if tell(again) != tell(happened) || fmt.Sprint(errAgain) != fmt.Sprint(err) {
		t.Errorf("%s\ndecided twice on one state: first %v\n%s\nthen %v\n%s", s, err, tell(happened), errAgain, tell(again))
	}
	if tell(s.given) != before {
		t.Errorf("%s\nhistory was changed from\n%s", s, before)
	}
	return happened, err
}

func (s Story[S, C, E]) String() string {
	cmd, _ := json.Marshal(s.when)
	return fmt.Sprintf("%s\ngiven\n%s\nwhen\n\t%T %s", s.name, tell(s.given), s.when, cmd)
}

// tell writes events as they are stored, one to a line. Two events are the
// same if they are stored the same.
func tell[E domain.Event](events []E) string {
	var b strings.Builder
	for _, e := range events {
		data, _ := json.Marshal(e)
		fmt.Fprintf(&b, "\t%s %s\n", e.EventType(), data)
	}
	return b.String()
}
