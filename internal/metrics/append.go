package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"zurnals/eventstore"
)

// Appends measures what is appended to a log, from the request to the answer:
// the wait for a group and the commit are both in it.
type Appends struct {
	eventstore.Log

	seconds *prometheus.HistogramVec
	events  prometheus.Counter
}

var _ prometheus.Collector = (*Appends)(nil)

// MeasureAppends returns a log that measures. Register it too.
func MeasureAppends(log eventstore.Log) *Appends {
	a := &Appends{
		Log: log,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zurnals_append_seconds",
			Help:    "How long appends took, by what became of them.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"outcome"}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "zurnals_append_events_total",
			Help: "Events appended by this process.",
		}),
	}
	for _, outcome := range outcomes { // so that a rate is there from the first scrape on
		a.seconds.WithLabelValues(outcome)
	}
	return a
}

// Append implements eventstore.Log.
func (a *Appends) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	start := time.Now()
	result, err := a.Log.Append(ctx, r)
	a.seconds.WithLabelValues(outcomeOf(result, err)).Observe(time.Since(start).Seconds())
	if err == nil && !result.Duplicate && result.Last > 0 {
		a.events.Add(float64(result.Last - result.First + 1))
	}
	return result, err
}

// Describe implements prometheus.Collector.
func (a *Appends) Describe(to chan<- *prometheus.Desc) {
	a.seconds.Describe(to)
	a.events.Describe(to)
}

// Collect implements prometheus.Collector.
func (a *Appends) Collect(to chan<- prometheus.Metric) {
	a.seconds.Collect(to)
	a.events.Collect(to)
}

var outcomes = []string{"accepted", "duplicate", "conflict", "claimed", "erased", "refused", "gone", "unavailable"}

// outcomeOf names what became of an append.
func outcomeOf(r eventstore.Result, err error) string {
	var conflict *eventstore.ConflictError
	var claimed *eventstore.ClaimedError
	var erased *eventstore.ErasedError
	switch {
	case err == nil && r.Duplicate:
		return "duplicate"
	case err == nil:
		return "accepted"
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &claimed):
		return "claimed"
	case errors.As(err, &erased):
		return "erased"
	case errors.Is(err, eventstore.ErrInvalid), errors.Is(err, eventstore.ErrTooLarge), errors.Is(err, eventstore.ErrCommandReused):
		return "refused"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "gone" // who asked did not wait
	}
	return "unavailable"
}
