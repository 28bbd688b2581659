package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/metrics"
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
func (a *app) replicaStage() (metrics.Replica, bool) {
	s, there := a.engine.Replica()
	return metrics.Replica{
		Position: s.Head, Lag: s.Lag, Up: s.Problem == "", Answered: s.Answered, Instead: s.Instead, Refused: s.Refused,
	}, there
}

// replica looks at the standby that is to answer queries, if there is one.
func (d *doctor) replica(ctx context.Context, primary *pgxpool.Pool) {
	if d.cfg.ReplicaURL == "" {
		return
	}
	pool, err := openReplica(ctx, d.cfg)
	if err != nil {
		d.fail("replica", "%v", err)
		return
	}
	defer pool.Close()
	const ask = "SELECT pg_is_in_recovery(), system_identifier, position FROM pg_control_system(), es.head"
	var follows, ignored bool
	var ours, theirs, there, here int64
	if err := pool.QueryRow(ctx, ask).Scan(&follows, &theirs, &there); err != nil {
		d.warn("replica", "the primary answers for it: %v", err)
		return
	}
	if err := primary.QueryRow(ctx, ask).Scan(&ignored, &ours, &here); err != nil {
		d.fail("replica", "the primary does not say what it is: %v", err)
		return
	}
	switch {
	case ours != theirs:
		d.fail("replica", "it is no copy of this database: the primary answers for it")
	case !follows:
		d.warn("replica", "it follows nobody: the primary answers for it")
	default:
		d.ok("replica", "a standby of this database, %d positions behind", max(here-there, 0))
	}
}
