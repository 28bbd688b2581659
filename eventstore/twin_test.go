package eventstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

// The log in memory and the one in PostgreSQL get the same random requests and
// must give the same answers and hold the same events.
func TestTheTwinsAnswerAlike(t *testing.T) {
	t.Parallel()
	clock := eventstoretest.NewClock()
	postgres, postgresKeys := open(t, pgtest.New(t), clock.Now, eventstore.NewMaster())
	memoryKeys := eventstore.NewMemoryKeys()
	memory := eventstore.NewMemory(clock.Now, memoryKeys)
	ctx := t.Context()
	var round atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		n := round.Add(1) // names of its own: the logs are shared by all rounds
		streams := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("s%d-%d", n, rapid.IntRange(1, 4).Draw(t, "stream")) })
		people := make([]uuid.UUID, 3)
		for i := range people {
			people[i] = uuid.New()
			for _, keys := range []eventstore.Keys{postgresKeys, memoryKeys} {
				if i == 0 {
					continue // never has a key
				}
				if _, err := keys.EnsureKeys(ctx, people[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		persons := rapid.SampledFrom(people)
		claims := rapid.Custom(func(t *rapid.T) eventstore.Claim {
			return eventstore.Claim{
				Kind:   rapid.SampledFrom([]string{"email", "code"}).Draw(t, "kind"),
				Value:  fmt.Sprintf("%d/%d", n, rapid.IntRange(1, 2).Draw(t, "value")),
				Stream: streams.Draw(t, "holder"),
			}
		})
		commands := make([]uuid.UUID, 3)
		for i := range commands {
			commands[i] = uuid.New()
		}
		few := func(t *rapid.T, name string, chance int) int { // mostly none
			return max(0, rapid.IntRange(-chance, 2).Draw(t, name))
		}
		for range rapid.IntRange(1, 15).Draw(t, "requests") {
			clock.Advance(time.Duration(rapid.IntRange(-2, 5).Draw(t, "passed")) * time.Second)
			var r eventstore.Request
			for range rapid.IntRange(0, 2).Draw(t, "writes") {
				stream := streams.Draw(t, "stream")
				expected := rapid.IntRange(eventstore.Any, 3).Draw(t, "expected")
				if rapid.Bool().Draw(t, "right") {
					versions, _ := memory.Versions(ctx, stream)
					expected = versions[0]
				}
				r.Writes = append(r.Writes, eventstoretest.Write(stream, expected, rapid.IntRange(1, 3).Draw(t, "events")))
			}
			if len(r.Writes) == 0 || rapid.Bool().Draw(t, "command") {
				r.Command = rapid.SampledFrom(commands).Draw(t, "id")
				r.Fingerprint = rapid.SampledFrom([][]byte{nil, {1}}).Draw(t, "fingerprint")
			}
			for range few(t, "guards", 3) {
				r.Guards = append(r.Guards, eventstore.Guard{Stream: streams.Draw(t, "guard"), Version: rapid.IntRange(0, 2).Draw(t, "version")})
			}
			for range few(t, "takes", 2) {
				r.Take = append(r.Take, claims.Draw(t, "take"))
			}
			for range few(t, "releases", 2) {
				r.Release = append(r.Release, claims.Draw(t, "release"))
			}
			for range few(t, "subjects", 3) {
				r.Subjects = append(r.Subjects, persons.Draw(t, "subject"))
			}
			for range few(t, "erasures", 6) {
				r.Erase = append(r.Erase, persons.Draw(t, "erased"))
			}
			want, wantErr := memory.Append(ctx, r)
			got, gotErr := postgres.Append(ctx, r)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
				t.Fatalf("%+v\nmemory:   %+v %v\npostgres: %+v %v", r, want, wantErr, got, gotErr)
			}
		}
		same(t, "heads", func(l eventstore.Log) (any, error) { return l.Head(ctx) }, memory, postgres)
		same(t, "holders", func(l eventstore.Log) (any, error) {
			return l.Holders(ctx, "email", []string{fmt.Sprintf("%d/1", n), fmt.Sprintf("%d/2", n)})
		}, memory, postgres)
		same(t, "positions at a time", func(l eventstore.Log) (any, error) { return l.PositionAt(ctx, clock.Now().Add(-3*time.Second)) }, memory, postgres)
	})
	want, err := eventstore.Collect(memory.ReadAll(ctx, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := eventstore.Collect(postgres.ReadAll(ctx, 0, 0))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the logs differ: %v %s", err, diff)
	}
	t.Logf("%d events", len(got))
}

func same(t *rapid.T, what string, ask func(eventstore.Log) (any, error), logs ...eventstore.Log) {
	want, err := ask(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs[1:] {
		if got, err := ask(log); err != nil || !cmp.Equal(got, want) {
			t.Fatalf("%s: %v %v, want %v", what, got, err, want)
		}
	}
}
