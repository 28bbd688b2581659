package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// openReplica opens the standby that answers queries; nil if there is none. It
// may be away: then the primary answers.
func openReplica(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	if cfg.ReplicaURL == "" {
		return nil, nil
	}
	pool, err := pgxpool.ParseConfig(cfg.ReplicaURL)
	if err != nil {
		return nil, fmt.Errorf("replica address: %w", err)
	}
	pool.MaxConns = int32(max(16, 4*runtime.GOMAXPROCS(0)))
	pool.ConnConfig.ConnectTimeout = time.Second
	return pgxpool.NewWithConfig(ctx, pool)
}

// fewBehind is how far a replica may be behind before readiness speaks of it.
const fewBehind = 1000

// checkReplica warns only: without the replica, the primary answers.
func (a *app) checkReplica(context.Context) (warning string, err error) {
	s, there := a.engine.Replica()
	switch {
	case there && s.Problem != "":
		warning = fmt.Sprintf("the primary answers for it: %s; %d positions behind", s.Problem, s.Lag)
	case there && s.Lag > fewBehind:
		warning = fmt.Sprintf("%d positions behind", s.Lag)
	}
	return warning, nil
}

// replicaStage is what the metrics tell of the replica.
func (a *app) replicaStage() (lag int64, up, there bool) {
	s, there := a.engine.Replica()
	return s.Lag, s.Problem == "", there
}
