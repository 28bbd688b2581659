package relay_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"zurnals/eventstore"
	"zurnals/projections/organisation"
	"zurnals/projections/staff"
)

// Three nodes keep the stream, two relays publish, people work. One node after
// the other is killed at some moment, among them the one that leads, and comes
// back later. Nothing is lost and nothing is there twice: neither in the stream
// nor in the read model that is made from it elsewhere.
func TestNodesAreKilledAndNothingIsLost(t *testing.T) {
	w := newWorld(t)
	nodes, url := cluster(t, 3)
	one, two := w.relayed(url), w.relayed(url)
	if err := w.live(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster has elected its leaders", func() bool { at, _ := one.Position(); return at == 40 })

	source := follow(t, url)
	keys, err := eventstore.ReadKeys(t.Context(), w.readOnly(), now, w.master)
	if err != nil {
		t.Fatal(err)
	}
	there := other(t)
	elsewhere := readModels(t, there, source, keys, organisation.Projection, staff.Projection)
	here := readModels(t, w.db.App, w.log, w.keys, organisation.Projection, staff.Projection)

	stop := background(t, func(ctx context.Context) error { // people work
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := w.live(context.WithoutCancel(ctx), 2); err != nil { // when stop returns, all is known
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
	for _, leads := range []bool{true, false} {
		seen := elsewhere.Position()
		until(t, "the read model elsewhere moves on", func() bool { return elsewhere.Position() > seen+50+rand.Int64N(100) })
		leader := leaderOf(t, url)
		var victim *node
		for _, n := range nodes {
			if (n.Name == leader) == leads {
				victim = n
			}
		}
		began := time.Now()
		victim.process.Kill()
		head, err := w.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		until(t, "two nodes go on", func() bool { return elsewhere.Position() > head })
		t.Logf("%s (of leader %s) killed at %d: what was appended afterwards is elsewhere after %v", victim.Name, leader, head, time.Since(began).Round(time.Millisecond))
		victim.start(t)
		until(t, "the third is back", func() bool { return current(url) })
	}
	stop()

	head, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "all is relayed", func() bool {
		a, _ := one.Position()
		b, _ := two.Position()
		return max(a, b) == head
	})
	if err := elsewhere.WaitFor(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if err := here.WaitFor(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	want, err := eventstore.Collect(w.log.ReadAll(t.Context(), 0, head))
	if err != nil {
		t.Fatal(err)
	}
	got, err := eventstore.Collect(source.ReadAll(t.Context(), 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, got)
	tables := []string{schemaOf(t, there, "organisation") + ".municipality", schemaOf(t, there, "staff") + ".person"}
	if diff := cmp.Diff(rows(t, w.db.App, tables...), rows(t, there, tables...)); diff != "" {
		t.Error(diff)
	}
	t.Logf("%d events", head)
}

// info asks the cluster about the stream.
func info(url string) (*jetstream.StreamInfo, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := js.Stream(ctx, "zurnals")
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// leaderOf returns the node that leads the stream.
func leaderOf(t *testing.T, url string) (name string) {
	until(t, "the stream has a leader", func() bool {
		i, err := info(url)
		if err != nil || i.Cluster == nil {
			return false
		}
		name = i.Cluster.Leader
		return name != ""
	})
	return name
}

// current says whether all three nodes have all of the stream.
func current(url string) bool {
	i, err := info(url)
	if err != nil || i.Cluster == nil || len(i.Cluster.Replicas) != 2 {
		return false
	}
	for _, r := range i.Cluster.Replicas {
		if !r.Current || r.Offline {
			return false
		}
	}
	return true
}
