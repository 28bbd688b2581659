package eventstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// asks makes appends from short texts: "w:a" writes stream a, "g:a" guards it,
// "t:x" takes a claim, "r:x" releases it, "s:1" uses a subject, "x:1" erases it,
// "c:1" is a command.
func asks(texts ...string) (waiting []*pending) {
	id := func(s string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(s)) }
	for i, text := range texts {
		r := Request{Command: id(fmt.Sprint("own", i))}
		for _, word := range strings.Fields(text) {
			kind, name, _ := strings.Cut(word, ":")
			switch kind {
			case "w":
				r.Writes = append(r.Writes, Write{Stream: name, Events: make([]NewEvent, 1)})
			case "W":
				r.Writes = append(r.Writes, Write{Stream: name, Events: make([]NewEvent, 600)})
			case "g":
				r.Guards = append(r.Guards, Guard{Stream: name})
			case "t":
				r.Take = append(r.Take, Claim{Kind: "k", Value: name})
			case "r":
				r.Release = append(r.Release, Claim{Kind: "k", Value: name})
			case "s":
				r.Subjects = append(r.Subjects, id(name))
			case "x":
				r.Erase = append(r.Erase, id(name))
			case "c":
				r.Command = id(name)
			}
		}
		waiting = append(waiting, new(Postgres).newPending(context.Background(), &r))
	}
	return waiting
}

func TestWhoSharesAGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		asks []string
		want string // groups in which they go
	}{
		{"strangers", []string{"w:a", "w:b", "w:c"}, "[0 1 2]"},
		{"one stream", []string{"w:a", "w:a", "w:a"}, "[0] [1] [2]"},
		{"one of several streams", []string{"w:a w:b", "w:b w:c", "w:d"}, "[0 2] [1]"},
		{"guards of one stream", []string{"w:a g:x", "w:b g:x"}, "[0 1]"},
		{"a guard of what is written", []string{"w:a", "w:b g:a"}, "[0] [1]"},
		{"a write of what is guarded", []string{"w:b g:a", "w:a"}, "[0] [1]"},
		{"one claim", []string{"w:a t:x", "w:b t:x", "w:c t:y"}, "[0 2] [1]"},
		{"released and taken", []string{"w:a r:x", "w:b t:x"}, "[0] [1]"},
		{"one subject", []string{"w:a s:1", "w:b s:1"}, "[0 1]"},
		{"used and erased", []string{"w:a s:1", "w:b x:1", "w:c s:1"}, "[0] [1] [2]"},
		{"erased twice", []string{"w:a x:1", "w:b x:1"}, "[0] [1]"},
		{"one command", []string{"w:a c:1", "w:b c:1"}, "[0] [1]"},
		{"nobody overtakes who was put off", []string{"w:a", "w:a w:b", "w:b", "w:b g:a", "w:c"}, "[0 4] [1] [2] [3]"},
		{"nobody overtakes a guard that was put off", []string{"w:a", "w:a g:b", "w:b"}, "[0] [1] [2]"},
		{"too many events", []string{"W:a", "W:b", "w:c"}, "[0] [1 2]"},
	} {
		waiting := asks(c.asks...)
		number := make(map[*pending]int)
		for i, a := range waiting {
			number[a] = i
		}
		var got []string
		for len(waiting) > 0 {
			var group []*pending
			group, waiting = choose(waiting)
			var numbers []int
			for _, a := range group {
				numbers = append(numbers, number[a])
			}
			got = append(got, fmt.Sprint(numbers))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// An append whose caller has gone is not sent, and its place is free.
func TestWhoIsGoneIsDropped(t *testing.T) {
	waiting := asks("w:a", "w:a", "w:b")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	waiting[0].ctx = gone
	group, rest := choose(waiting)
	if len(group) != 2 || len(rest) != 0 {
		t.Errorf("%d go, %d wait", len(group), len(rest))
	}
	waiting = asks("w:a")
	waiting[0].ctx = gone
	if group, rest := choose(waiting); len(group)+len(rest) != 0 {
		t.Errorf("%d go, %d wait", len(group), len(rest))
	}
}

// Readers of the ring get events that follow each other, whatever is added.
func TestRing(t *testing.T) {
	r := new(ring)
	add := func(first, n int64) {
		events := make([]Event, n)
		for i := range events {
			events[i] = Event{Position: first + int64(i), Data: make([]byte, 1000)}
		}
		r.add(events)
	}
	expect := func(after, upto, first, n int64) {
		t.Helper()
		got := r.read(after, upto)
		if int64(len(got)) != n || n > 0 && got[0].Position != first {
			t.Errorf("after %d up to %d: %d events", after, upto, len(got))
		}
	}
	expect(0, 10, 0, 0)
	add(5, 3)
	expect(0, 10, 0, 0)
	expect(3, 10, 0, 0)
	expect(4, 10, 5, 3)
	expect(4, 6, 5, 2)
	expect(6, 6, 0, 0)
	expect(7, 9, 0, 0)
	kept := r.read(4, 10)
	add(8, 1)
	expect(4, 10, 5, 4)
	add(20, 1) // somebody else appended 9 to 19
	expect(4, 30, 0, 0)
	expect(19, 30, 20, 1)
	for p := int64(21); p < 6000; p += 10 {
		add(p, 10)
	}
	if len(r.events) != ringEvents {
		t.Errorf("%d events are kept", len(r.events))
	}
	expect(6000-ringEvents, 7000, 6001-ringEvents, ringEvents)
	if len(kept) != 3 || kept[0].Position != 5 || kept[2].Position != 7 {
		t.Errorf("what a reader holds has changed: %v", kept)
	}
	for p := int64(10_000); p < 10_010; p++ {
		r.add([]Event{{Position: p, Data: make([]byte, 1<<20)}})
	}
	if len(r.events) != 7 || r.size > ringBytes {
		t.Errorf("%d events, %d bytes are kept", len(r.events), r.size)
	}
}

// The lane waits a moment for those it has answered, and for nobody else: it
// goes on when all are back, or when the moment is over.
func TestTheLaneGathersWhoWasAnswered(t *testing.T) {
	log := &Postgres{queue: make(chan *pending, 10)}
	ask := func(n int) {
		for range n {
			log.queue <- new(pending)
		}
	}
	gathered := func(l lane, there int) int {
		waiting := make([]*pending, there)
		l.gather(&waiting)
		return len(waiting)
	}
	ask(2)
	if n := gathered(lane{log: log}, 1); n != 3 {
		t.Errorf("at first %d", n)
	}
	if n := gathered(lane{log: log, company: 3, answered: time.Now(), took: time.Hour}, 1); n != 1 {
		t.Errorf("nobody comes back: %d", n)
	}
	ask(4)
	if n := gathered(lane{log: log, company: 3, answered: time.Now(), took: time.Hour}, 1); n != 5 {
		t.Errorf("more than were there: %d", n)
	}
	// As long as they may take, in case the machine is busy.
	back := make(chan int)
	l := lane{log: log, company: 3, answered: time.Now().Add(time.Hour), took: time.Hour}
	go func() { back <- gathered(l, 1) }()
	ask(1)
	ask(1)
	if n := <-back; n != 3 {
		t.Errorf("all are back: %d", n)
	}
}
