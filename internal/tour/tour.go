// Package tour does the program's main job once, from the outside (Latvian:
// iepazīšanās apgaita): it starts the server on an empty database, works with
// it over HTTP as the people of a school would, and checks what comes back.
// Where anything differs from what it should be, the tour ends and says so.
//
// Nothing here depends on the day or the hour: the server's clock is set to
// Monday 2025-09-01 08:00 in Rīga.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Options say what a tour needs.
type Options struct {
	Binary string    // the program
	Dir    string    // an empty directory for its data; the caller removes it
	Out    io.Writer // the account

	School, EdFi []byte // archives of rosters: of Parauga vidusskola and of Ed-Fi's sample school
}

// Run takes the tour. It returns the first difference.
func Run(ctx context.Context, options Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	t := &tour{ctx: ctx, out: options.Out, server: &server{binary: options.Binary, dir: options.Dir},
		sampleSchool: options.School, sampleEdFi: options.EdFi}
	defer func() {
		if stopped := t.server.stop(); err == nil && stopped != nil {
			err = stopped
		}
		if t.eklase != nil {
			err = errors.Join(err, t.eklase.Close())
		}
		if err != nil {
			err = fmt.Errorf("%w\nthe end of the server's log:\n%s", err, t.server.tail())
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = errors.New(string(failed))
		}
	}()
	began := time.Now()
	for i, s := range steps {
		t.step = s.title
		start := time.Now()
		told := s.take(t)
		t.tell(i+1, s.title, told, time.Since(start))
	}
	fmt.Fprintf(t.out, "\nThe tour is over: %d steps, %d requests, %d checks, nothing amiss, in %v.\n", len(steps), t.requests.Load(), t.checks, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// A step is one part of the tour. It returns what there is to tell of it.
type step struct {
	title string
	take  func(*tour) string
}

// A tour is one under way, with what later steps need of earlier ones.
type tour struct {
	ctx    context.Context
	out    io.Writer
	server *server
	step   string

	checks int

	sampleSchool, sampleEdFi []byte // roster archives
	world
}

// A failure is a difference that ends the tour.
type failure string

// fail ends the tour.
func (t *tour) fail(format string, args ...any) {
	panic(failure(t.step + ": " + fmt.Sprintf(format, args...)))
}

// check ends the tour unless ok.
func (t *tour) check(ok bool, format string, args ...any) {
	t.checks++
	if !ok {
		t.fail(format, args...)
	}
}

// same ends the tour unless both are equal.
func same[T comparable](t *tour, what string, got, want T) {
	t.check(got == want, "%s: %v, but it should be %v", what, got, want)
}

// must ends the tour with an error.
func (t *tour) must(err error) {
	if err != nil {
		t.fail("%v", err)
	}
}

func (t *tour) tell(n int, title, told string, took time.Duration) {
	fmt.Fprintf(t.out, "%2d. %-52s %6.1f s\n", n, title, took.Seconds())
	for line := range strings.SplitSeq(strings.TrimSpace(told), "\n") {
		if line != "" {
			fmt.Fprintf(t.out, "      %s\n", line)
		}
	}
}
