package main

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"zurnals/internal/metrics"
	"zurnals/internal/proof"
)

// measure adds to /metrics what is not about requests.
func (a *app) measure(registry prometheus.Registerer) {
	sources := metrics.Sources{
		Pool: a.pool, Now: a.clock.Now, Waiting: a.log.Waiting,
		Head:        func() int64 { head, _ := a.log.Changes(); return head },
		Projections: a.projectionStages,
		Reactions:   a.reactionStages,
		Replica:     a.replicaStage,
		Tampered:    func() bool { return errors.Is(a.sealer.Err(), proof.ErrRewritten) },
		Disk:        a.cfg.DataDir,
	}
	registry.MustRegister(a.appends, &metrics.Collector{Sources: sources})
}

func (a *app) projectionStages() (all []metrics.Stage) {
	for _, s := range a.engine.Status() {
		all = append(all, metrics.Stage{Name: s.Name, Position: s.Position, State: string(s.State), Parked: s.Parked})
	}
	return all
}

func (a *app) reactionStages(ctx context.Context) (all []metrics.Stage, err error) {
	statuses, err := a.reacting.engine.Status(ctx, operator())
	for _, s := range statuses {
		all = append(all, metrics.Stage{Name: s.Name, Position: s.Position, Parked: s.Parked})
	}
	return all, err
}
