package metrics

import "github.com/prometheus/client_golang/prometheus"

// The names are those under which dashboards know pgx's pool.
var (
	poolAcquired     = describe("pgxpool_acquired_conns", "Connections in use.")
	poolIdle         = describe("pgxpool_idle_conns", "Connections that wait to be used.")
	poolConstructing = describe("pgxpool_constructing_conns", "Connections that are being made.")
	poolTotal        = describe("pgxpool_total_conns", "Connections there are.")
	poolMax          = describe("pgxpool_max_conns", "Connections there may be.")

	poolAcquires         = describe("pgxpool_acquire_count", "Connections taken from the pool.")
	poolAcquireTime      = describe("pgxpool_acquire_duration_ns", "How long that took in all, in nanoseconds.")
	poolEmptyAcquires    = describe("pgxpool_empty_acquire", "How often one had to be waited for.")
	poolCanceledAcquires = describe("pgxpool_canceled_acquire_count", "How often the wait was given up.")
	poolNew              = describe("pgxpool_new_conns_count", "Connections made.")
)

func (c *Collector) pool(to chan<- prometheus.Metric, tell func(gauge, float64, ...string)) {
	s := c.Pool.Stat()
	tell(poolAcquired, float64(s.AcquiredConns()))
	tell(poolIdle, float64(s.IdleConns()))
	tell(poolConstructing, float64(s.ConstructingConns()))
	tell(poolTotal, float64(s.TotalConns()))
	tell(poolMax, float64(s.MaxConns()))
	count := func(d gauge, v int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	count(poolAcquires, s.AcquireCount())
	count(poolAcquireTime, s.AcquireDuration().Nanoseconds())
	count(poolEmptyAcquires, s.EmptyAcquireCount())
	count(poolCanceledAcquires, s.CanceledAcquireCount())
	count(poolNew, s.NewConnsCount())
}
