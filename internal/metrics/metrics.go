// Package metrics tells Prometheus how the program is (Latvian: rādītāji).
//
// What happens is counted where it happens (Appends). How things are is asked
// when Prometheus asks (Collector): the same numbers as in /readyz and in
// `zurnals doctor`, from the same places.
//
// The alarm is not “lag is above N”, which says nothing of a morning when all
// schools take attendance at once, but “the head moved and this did not”. So
// the head and all positions are told in one scrape.
package metrics

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Sources are where a Collector asks. All but Replica and Disk must be there.
type Sources struct {
	Pool *pgxpool.Pool
	Now  func() time.Time // the one clock

	Head        func() int64 // of the log, as this process knows it
	Waiting     func() int   // appends that wait to be sent
	Projections func() []Stage
	Reactions   func(context.Context) ([]Stage, error)
	Tampered    func() bool // the sealer has found that the log is not the one that was sealed

	Replica func() (r Replica, there bool) // for queries; nil: there is none

	Disk string // a folder on the disk that must not fill up; empty: not ours to watch
}

// A Stage is something that follows the log.
type Stage struct {
	Name     string
	Position int64  // of the last event seen; negative: it has not begun
	State    string // empty: it has none
	Parked   int64  // put aside, for the operator
}

// A Replica is the standby that answers queries of read models.
type Replica struct {
	Position, Lag              int64 // of the log, as it shows it, and how much it does not
	Up                         bool  // it answers
	Answered, Instead, Refused int64 // queries: by it, by the primary, by nobody because it was behind
}

// patience is how long the database may take: a scrape must not hang with it.
const patience = 3 * time.Second

// A Collector asks the sources at each scrape.
type Collector struct{ Sources }

type gauge = *prometheus.Desc

func describe(name, help string, labels ...string) gauge {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	headPosition = describe("zurnals_log_head_position", "Last position of the log, as this process knows it.")
	waiting      = describe("zurnals_appends_waiting", "Appends that wait to be sent to the database.")
	prepared     = describe("zurnals_log_positions_prepared", "Positions after the head that have a partition already.")
	sealed       = describe("zurnals_proof_position", "Position up to which the log was signed.")
	sealedAge    = describe("zurnals_proof_age_seconds", "Age of the newest checkpoint; one is signed only when something was appended.")
	unsealedAge  = describe("zurnals_proof_lag_seconds", "Age of the oldest event that no checkpoint has; a minute is usual.")
	tampered     = describe("zurnals_proof_tampered", "1 when the log was found not to be the one that was sealed.")

	projectionPosition = describe("zurnals_projection_position", "Last position that a read model has seen; -1 while it has no tables.", "projection")
	projectionEvents   = describe("zurnals_projection_lag_events", "Events that a read model has not seen yet.", "projection")
	projectionSeconds  = describe("zurnals_projection_lag_seconds", "Age of the oldest event that a read model has not seen.", "projection")
	projectionState    = describe("zurnals_projection_state", "1 for what a read model does: running, stopped, building …", "projection", "state")
	projectionParked   = describe("zurnals_projection_parked", "What a read model has put aside for the operator.", "projection")

	replicaPosition = describe("zurnals_replica_position", "Last position of the log that the replica for queries shows.")
	replicaLag      = describe("zurnals_replica_lag_positions", "Positions of the log that the replica for queries does not show yet.")
	replicaUp       = describe("zurnals_replica_up", "Whether the replica answers queries; if not, the primary does.")
	replicaQueries  = describe("zurnals_replica_queries_total", "Queries of read models where there is a replica, by who answers: replica, primary, or nobody in time.", "answered")

	reactionPosition = describe("zurnals_reaction_position", "Last position that a reaction is done with.", "reaction")
	reactionEvents   = describe("zurnals_reaction_lag_events", "Events that a reaction is not done with.", "reaction")
	reactionSeconds  = describe("zurnals_reaction_lag_seconds", "Age of the oldest event that a reaction is not done with.", "reaction")
	reactionParked   = describe("zurnals_reaction_parked", "Events that a reaction has put aside for the operator.", "reaction")

	jobCount      = describe("zurnals_jobs", "Jobs by state, but for those that were done.", "state")
	jobAge        = describe("zurnals_jobs_overdue_seconds", "How long the oldest job that is due has waited.")
	undelivered   = describe("zurnals_mail_undelivered", "Letters that were given up.")
	databaseUp    = describe("zurnals_database_up", "Whether the database answered in time.")
	databaseBytes = describe("zurnals_database_bytes", "Size of the database.")
	clockAhead    = describe("zurnals_clock_ahead_seconds", "How far the clock is ahead of the database server's; 0 in earnest.")
	diskFree      = describe("zurnals_disk_free_bytes", "Free on the disk of the data directory.")
	diskSize      = describe("zurnals_disk_size_bytes", "Size of the disk of the data directory.")
)

var all = []gauge{
	headPosition, waiting, prepared, sealed, sealedAge, unsealedAge, tampered,
	projectionPosition, projectionEvents, projectionSeconds, projectionState, projectionParked,
	replicaPosition, replicaLag, replicaUp, replicaQueries,
	reactionPosition, reactionEvents, reactionSeconds, reactionParked,
	jobCount, jobAge, undelivered, databaseUp, databaseBytes, clockAhead, diskFree, diskSize,
	poolAcquired, poolIdle, poolConstructing, poolTotal, poolMax,
	poolAcquires, poolAcquireTime, poolEmptyAcquires, poolCanceledAcquires, poolNew,
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range all {
		to <- d
	}
}

// Collect implements prometheus.Collector. What the database does not tell in
// time is left out; the rest is told all the same.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tell := func(d gauge, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d gauge, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	c.pool(to, tell)
	tell(waiting, float64(c.Waiting()))
	tell(tampered, truth(c.Tampered()))
	if free, size, err := Disk(c.Disk); c.Disk != "" && err == nil {
		tell(diskFree, float64(free))
		tell(diskSize, float64(size))
	}

	if c.Replica != nil {
		if r, there := c.Replica(); there {
			tell(replicaPosition, float64(r.Position))
			tell(replicaLag, float64(r.Lag))
			tell(replicaUp, truth(r.Up))
			count(replicaQueries, float64(r.Answered), "replica")
			count(replicaQueries, float64(r.Instead), "primary")
			count(replicaQueries, float64(r.Refused), "nobody")
		}
	}

	// Positions first, then the head: it is never behind them.
	projections := c.Projections()
	reactions, err := c.Reactions(ctx)
	head := c.Head()
	for _, s := range append(projections, reactions...) {
		head = max(head, s.Position)
	}
	tell(headPosition, float64(head))
	for _, s := range projections {
		tell(projectionPosition, float64(s.Position), s.Name)
		tell(projectionEvents, float64(head-max(s.Position, 0)), s.Name)
		tell(projectionParked, float64(s.Parked), s.Name)
		if s.State != "" {
			tell(projectionState, 1, s.Name, s.State)
		}
	}
	for _, s := range reactions {
		tell(reactionPosition, float64(s.Position), s.Name)
		tell(reactionEvents, float64(head-s.Position), s.Name)
		tell(reactionParked, float64(s.Parked), s.Name)
	}
	if err == nil {
		err = c.ask(ctx, tell, head, projections, reactions)
	}
	tell(databaseUp, truth(err == nil))
}

// ask tells what only the database knows, in one round trip.
func (c *Collector) ask(ctx context.Context, tell func(gauge, float64, ...string), head int64, projections, reactions []Stage) error {
	batch := new(pgx.Batch)
	one := func(d gauge, sql string, args ...any) {
		batch.Queue(sql, args...).QueryRow(func(row pgx.Row) error {
			var v float64
			err := row.Scan(&v)
			if err == nil {
				tell(d, v)
			}
			return err
		})
	}
	age := func(d gauge, stages []Stage) {
		for _, s := range stages {
			batch.Queue(`SELECT recorded_at FROM es.event WHERE position = $1`, max(s.Position, 0)+1).Query(func(rows pgx.Rows) error {
				at, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
				if err == nil {
					seconds := 0.0
					if s.Position < head && len(at) > 0 {
						seconds = max(0, c.Now().Sub(at[0]).Seconds())
					}
					tell(d, seconds, s.Name)
				}
				return err
			})
		}
	}
	age(projectionSeconds, projections)
	age(reactionSeconds, reactions)
	one(prepared, `SELECT (l.next_position - 1 - h.position)::float8 FROM es.layout l, es.head h`)
	one(sealed, `SELECT coalesce(max(size), 0)::float8 FROM proof.checkpoint`)
	one(sealedAge, `SELECT coalesce(greatest(extract(epoch FROM $1::timestamptz -
		(SELECT c.at FROM proof.checkpoint c ORDER BY c.size DESC LIMIT 1)), 0), 0)::float8`, c.Now())
	one(unsealedAge, `SELECT coalesce(greatest(extract(epoch FROM $1::timestamptz - (SELECT e.recorded_at FROM es.event e
		WHERE e.position = (SELECT coalesce(max(c.size), 0) + 1 FROM proof.checkpoint c))), 0), 0)::float8`, c.Now())
	one(undelivered, `SELECT count(*)::float8 FROM reaction.undelivered`)
	one(databaseBytes, `SELECT pg_database_size(current_database())::float8`)
	one(clockAhead, `SELECT extract(epoch FROM $1::timestamptz - clock_timestamp())::float8`, c.Now())
	one(jobAge, `SELECT coalesce(extract(epoch FROM now() - min(scheduled_at)), 0)::float8 FROM jobs.river_job WHERE state = 'available'`)
	batch.Queue(`SELECT s.state, count(j.id) AS n FROM unnest($1::text[]) s(state)
		LEFT JOIN jobs.river_job j ON j.state = s.state::jobs.river_job_state GROUP BY s.state`, jobStates).Query(func(rows pgx.Rows) error {
		var state string
		var n int64
		_, err := pgx.ForEachRow(rows, []any{&state, &n}, func() error {
			tell(jobCount, float64(n), state)
			return nil
		})
		return err
	})
	return c.Pool.SendBatch(ctx, batch).Close()
}

// jobStates are those of jobs that are not done. Those that are would be most,
// and river forgets them after a day.
var jobStates = []string{"available", "running", "retryable", "scheduled", "discarded", "cancelled"}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
