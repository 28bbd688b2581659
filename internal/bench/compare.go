package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zurnals/internal/embedpg"
	"zurnals/internal/peers"
)

type bench struct {
	settings
	server *embedpg.Server
	cpu    *postgresCPU
}

// A comparison is a table of the report: candidates that do the same work, of
// which the first is what the others are measured by.
type comparison struct {
	name       string
	writers    int
	events     int // in one append
	candidates []candidate
}

// A candidate is one way to append.
type candidate struct {
	name string
	open func(ctx context.Context, b *bench, c comparison) (contender, error)
}

// A contender is a candidate with a database of its own.
type contender struct {
	appendOnce func(ctx context.Context, writer int) error // one append of comparison.events
	group      func() float64                              // events in one commit, nil: always those of one append
	close      func()
}

// A sample is what one candidate did in one round.
type sample struct {
	rate float64 // events a second
	cpu  float64 // µs of PostgreSQL an event
}

func (b *bench) compare(ctx context.Context, c comparison) (string, error) {
	contenders := make([]contender, 0, len(c.candidates))
	names := make([]string, 0, len(c.candidates))
	defer func() {
		for _, k := range contenders {
			k.close()
		}
	}()
	for _, candidate := range c.candidates {
		k, err := candidate.open(ctx, b, c)
		if errors.Is(err, peers.ErrMissing) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", candidate.name, err)
		}
		contenders, names = append(contenders, k), append(names, candidate.name)
	}
	samples := make([][]sample, len(contenders))
	for round := range b.rounds + 1 {
		for i := range contenders {
			n := (i + round) % len(contenders) // nobody is always the first
			s, err := b.measure(ctx, c, contenders[n])
			if err != nil {
				return "", fmt.Errorf("%s: %w", names[n], err)
			}
			if round > 0 { // the first one warms up
				samples[n] = append(samples[n], s)
			}
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n### %s\n\n| | events/s | ratio | PostgreSQL CPU per event | events per commit |\n|---|---|---|---|---|\n", c.name)
	for i, k := range contenders {
		group := "–"
		if k.group != nil {
			group = fmt.Sprintf("%.1f", k.group())
		}
		rate, ratio, cpu := make([]float64, b.rounds), make([]float64, b.rounds), make([]float64, b.rounds)
		for r, s := range samples[i] {
			rate[r], ratio[r], cpu[r] = s.rate, s.rate/samples[0][r].rate, s.cpu
		}
		fmt.Fprintf(&out, "| %s | %.0f | %.2f | %.0f µs | %s |\n", names[i], median(rate), median(ratio), median(cpu), group)
	}
	return out.String(), nil
}

// measure lets the writers append for a while, and counts what was acknowledged.
func (b *bench) measure(ctx context.Context, c comparison, k contender) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stop atomic.Bool
	var done atomic.Int64
	var all sync.WaitGroup
	before, start := b.cpu.read(), time.Now()
	for w := range c.writers {
		all.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				if err := k.appendOnce(ctx, w); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	select {
	case <-time.After(b.each):
	case <-ctx.Done():
	}
	stop.Store(true)
	all.Wait()
	took, used := time.Since(start), b.cpu.read()-before
	if ctx.Err() != nil {
		return sample{}, context.Cause(ctx)
	}
	events := float64(done.Load()) * float64(c.events)
	return sample{rate: events / took.Seconds(), cpu: float64(used.Microseconds()) / events}, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
