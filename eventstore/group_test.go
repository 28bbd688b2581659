package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

// together sends requests so that they wait at once and go in as few groups as
// they can.
func together(t *testing.T, db *pgtest.DB, requests []eventstore.Request) (results []eventstore.Result, errs []error) {
	t.Helper()
	keys, err := eventstore.OpenKeys(t.Context(), db.App, time.Now, groupMaster)
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(t.Context(), db.App, time.Now, keys)
	if err != nil {
		t.Fatal(err)
	}
	results, errs = make([]eventstore.Result, len(requests)), make([]error, len(requests))
	done := make(chan struct{})
	for i, r := range requests {
		go func() {
			results[i], errs[i] = log.Append(context.Background(), r)
			done <- struct{}{}
		}()
	}
	until(t, "all are waiting", func() bool { return log.Waiting() == len(requests) })
	go log.Run(context.Background())
	defer log.Close()
	for range requests {
		<-done
	}
	return results, errs
}

var groupMaster = eventstore.NewMaster()

// In one group each request gets its own verdict, and a refused one leaves no trace.
func TestVerdictsInAGroup(t *testing.T) {
	db := pgtest.New(t)
	log, keys := open(t, db, time.Now, groupMaster)
	anna, known := uuid.New(), uuid.New()
	first := request(eventstoretest.Write("old-1", 0, 3))
	first.Command, first.Take = known, []eventstore.Claim{{Kind: "email", Value: "taken", Stream: "old-1"}}
	appended(t, log, first)
	if _, err := keys.EnsureKeys(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	var requests []eventstore.Request
	var want []string
	add := func(outcome string, change func(r *eventstore.Request)) {
		r := request(eventstoretest.Write(fmt.Sprintf("new-%d", len(requests)), 0, 2))
		change(&r)
		requests, want = append(requests, r), append(want, outcome)
	}
	for i := range 10 {
		stranger := uuid.New()
		add("", func(*eventstore.Request) {})
		add("stream old-1 is at version 3", func(r *eventstore.Request) {
			r.Writes = []eventstore.Write{eventstoretest.Write(fmt.Sprintf("x-%d", i), 0, 1), eventstoretest.Write("old-1", i%3, 1)}
		})
		add("guard old-1 is at version 3", func(r *eventstore.Request) {
			r.Guards = []eventstore.Guard{{Stream: "new-0", Version: 0}, {Stream: "old-1", Version: 2}}
		})
		add("subject "+stranger.String()+" has no key", func(r *eventstore.Request) { r.Subjects = []uuid.UUID{anna, stranger} })
		add("", func(r *eventstore.Request) {
			r.Subjects, r.Take = []uuid.UUID{anna}, []eventstore.Claim{{Kind: "email", Value: fmt.Sprint(i), Stream: r.Writes[0].Stream}}
		})
		add("email is held by old-1", func(r *eventstore.Request) {
			r.Take = []eventstore.Claim{{Kind: "email", Value: fmt.Sprint("free", i), Stream: "new"}, {Kind: "email", Value: "taken", Stream: "new"}}
		})
		add("command id was used with other content", func(r *eventstore.Request) { r.Command, r.Fingerprint = known, []byte("other") })
		add("again", func(r *eventstore.Request) { r.Command = known })
	}
	requests = append(requests[1:], requests[0]) // a guard of new-0 comes before its write, or after
	want = append(want[1:], want[0])
	results, errs := together(t, db, requests)
	accepted := 0
	for i, r := range results {
		got := ""
		if errs[i] != nil {
			got = errs[i].Error()
		} else if r.Duplicate {
			got = "again"
		} else if accepted++; r.Last != r.First+1 || r.Versions[0] != 2 {
			t.Errorf("request %d: %+v", i, r)
		}
		if got != want[i] && !(want[i] == "guard old-1 is at version 3" && got == "guard new-0 is at version 2") {
			t.Errorf("request %d: %q, want %q", i, got, want[i])
		}
		if errs[i] == nil && !r.Duplicate {
			stream := requests[i].Writes[0].Stream
			events, err := eventstore.Collect(log.ReadStream(t.Context(), stream, 1))
			if err != nil || len(events) != 2 || events[0].Position != r.First || events[1].ID != requests[i].Writes[0].Events[1].ID {
				t.Errorf("request %d: %v %v", i, events, err)
			}
		}
	}
	events, err := eventstore.Collect(log.ReadAll(t.Context(), 0, 0))
	if err != nil || len(events) != 3+2*accepted {
		t.Errorf("%d events, %d accepted, %v", len(events), accepted, err)
	}
	if stream, found, _ := log.Holder(t.Context(), "email", "free1"); found {
		t.Errorf("a refused request took a claim for %s", stream)
	}
}

// When the database refuses a whole group, the others in it do not suffer for
// the one that is to blame.
func TestAGroupThatFailsAsAWhole(t *testing.T) {
	db := pgtest.New(t)
	if _, err := db.Owner.Exec(t.Context(), `ALTER TABLE es.event ADD CONSTRAINT no_bad CHECK (type <> 'test.bad')`); err != nil {
		t.Fatal(err)
	}
	var requests []eventstore.Request
	for i := range 20 {
		r := request(eventstoretest.Write(fmt.Sprintf("s-%d", i), 0, 1))
		if i == 7 {
			r.Writes[0].Events[0].Type = "test.bad"
		}
		requests = append(requests, r)
	}
	results, errs := together(t, db, requests)
	for i, err := range errs {
		switch {
		case i == 7 && (err == nil || code(err) != "23514" || errors.Is(err, eventstore.ErrUnavailable)):
			t.Errorf("the bad one: %+v %v", results[i], err)
		case i != 7 && err != nil:
			t.Errorf("request %d: %v", i, err)
		}
	}
}
