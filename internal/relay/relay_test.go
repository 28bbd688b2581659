package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zurnals/eventstore"
	"zurnals/internal/relay"
	"zurnals/projections/analytics"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
)

// Everything that is in the log is in the stream, byte by byte, and what is
// sealed is sealed there too. Two relays are no more than one.
func TestTheStreamIsTheLog(t *testing.T) {
	w := newWorld(t)
	_, url := cluster(t, 1)
	if err := w.live(t.Context(), 600); err != nil {
		t.Fatal(err)
	}
	one, two := w.relayed(url), w.relayed(url)
	if err := w.live(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	const all = 1_400
	until(t, "both relays see the end", func() bool {
		a, _ := one.Position()
		b, _ := two.Position()
		return a == all && b == all
	})
	s := follow(t, url)
	want, err := eventstore.Collect(w.log.ReadAll(t.Context(), 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range [][2]int64{{0, 0}, {0, all}, {all - 1, all}, {all, all}, {999, 1_001}, {0, all + 5}} {
		got, err := eventstore.Collect(s.ReadAll(t.Context(), span[0], span[1]))
		if err != nil {
			t.Fatal(err)
		}
		upto := span[1]
		if upto == 0 || upto > all {
			upto = all
		}
		same(t, want[span[0]:upto], got)
	}
}

// A relay stands by while another publishes, and goes on when that is gone.
func TestARelayThatIsGoneIsReplaced(t *testing.T) {
	w := newWorld(t)
	_, url := cluster(t, 1)
	var relays []*relay.Relay
	var stops []func()
	for range 3 {
		r, stop := w.stoppable(url)
		relays, stops = append(relays, r), append(stops, stop)
	}
	for i, stop := range stops {
		if err := w.live(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		head := int64(200 * (i + 1))
		for _, r := range relays[i:] {
			until(t, "all that are left see the end", func() bool { at, _ := r.Position(); return at == head })
		}
		stop()
	}
	if got, err := eventstore.Collect(follow(t, url).ReadAll(t.Context(), 0, 0)); err != nil || len(got) != 600 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// A read model elsewhere is the same as here: with the keys over a connection
// that only reads, all of it; without, those that need none.
func TestAReadModelElsewhereIsTheSame(t *testing.T) {
	w := newWorld(t)
	_, url := cluster(t, 1)
	w.relayed(url)
	if err := w.live(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	here, there, blind := w.db.App, other(t), other(t)
	keys, err := eventstore.ReadKeys(t.Context(), w.readOnly(), now, w.master)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eventstore.ReadKeys(t.Context(), w.readOnly(), now, eventstore.NewMaster()); !errors.Is(err, eventstore.ErrWrongMaster) {
		t.Errorf("with another master key: %v", err)
	}
	source := follow(t, url)
	engines := []interface {
		WaitFor(context.Context, int64, ...string) error
	}{
		readModels(t, here, w.log, w.keys, organisation.Projection, staff.Projection, analytics.AttendanceWeek),
		readModels(t, there, source, keys, organisation.Projection, staff.Projection),
		readModels(t, blind, source, eventstore.NoKeys{}, organisation.Projection, analytics.AttendanceWeek),
	}
	if err := w.live(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		if err := e.WaitFor(t.Context(), 200); err != nil {
			t.Fatal(err)
		}
	}
	municipality, person := schemaOf(t, here, "organisation")+".municipality", schemaOf(t, here, "staff")+".person"
	want := rows(t, here, municipality, person)
	if len(want) != 200 {
		t.Fatalf("%d rows", len(want))
	}
	if diff := cmp.Diff(want, rows(t, there, municipality, person)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(rows(t, here, municipality), rows(t, blind, municipality)); diff != "" {
		t.Error(diff)
	}
}

// A stream of another log is not added to, nor one that has more than the log,
// as after a restore.
func TestAStreamOfAnotherLogIsLeftAlone(t *testing.T) {
	_, url := cluster(t, 1)
	w := newWorld(t)
	if err := w.live(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	first := w.relayed(url)
	until(t, "the log is in the stream", func() bool { at, _ := first.Position(); return at == 6 })
	for _, c := range []struct {
		name   string
		events int
		want   error
	}{{"another log", 4, relay.ErrOtherLog}, {"a shorter log", 1, relay.ErrAhead}} {
		foreign := newWorld(t)
		if err := foreign.live(t.Context(), c.events); err != nil {
			t.Fatal(err)
		}
		r, err := relay.Open(relay.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}, foreign.log)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		r.Close()
	}
	if head, err := follow(t, url).Head(t.Context()); err != nil || head != 6 {
		t.Errorf("the stream ends at %d, %v", head, err)
	}
}
