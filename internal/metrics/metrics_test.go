package metrics_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"zurnals/eventstore"
	"zurnals/internal/metrics"
	"zurnals/internal/pgtest"
)

// monday is 08:00 in Rīga.
var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

// A world is a log on a database, measured.
type world struct {
	t        *testing.T
	log      *metrics.Appends
	sources  metrics.Sources
	registry *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := context.Background()
	db := pgtest.New(t)
	now := monday
	clock := func() time.Time { return now }
	keys, err := eventstore.OpenKeys(ctx, db.App, clock, eventstore.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventstore.Open(ctx, db.App, clock, keys)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	t.Cleanup(func() {
		log.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, log: metrics.MeasureAppends(log), registry: prometheus.NewRegistry()}
	w.sources = metrics.Sources{
		Pool: db.App, Now: clock, Waiting: log.Waiting, Disk: t.TempDir(),
		Head:        func() int64 { head, _ := log.Changes(); return head },
		Projections: func() []metrics.Stage { return nil },
		Reactions:   func(context.Context) ([]metrics.Stage, error) { return nil, nil },
		Tampered:    func() bool { return false },
	}
	w.registry.MustRegister(w.log)
	return w
}

// append adds an event to a stream, which must be at a version.
func (w *world) append(stream string, version int) error {
	_, err := w.log.Append(context.Background(), eventstore.Request{Writes: []eventstore.Write{{
		Stream: stream, Expected: version,
		Events: []eventstore.NewEvent{{ID: uuid.New(), Type: "test.happened", Schema: 1, Meta: []byte("{}"), Data: []byte("{}")}},
	}}})
	return err
}

// scrape returns what is told, by name and labels.
func (w *world) scrape() map[string]float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	told := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			told[name(f, m)] = value(m)
		}
	}
	return told
}

func name(f *dto.MetricFamily, m *dto.Metric) string {
	s := f.GetName()
	for _, l := range m.GetLabel() {
		s += " " + l.GetName() + "=" + l.GetValue()
	}
	return s
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetHistogram() != nil:
		return float64(m.GetHistogram().GetSampleCount())
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	}
	return m.GetGauge().GetValue()
}

func TestAStageThatStandsStillIsSeen(t *testing.T) {
	w := newWorld(t)
	stages := []metrics.Stage{{Name: "staff", Position: -1, State: "building"}, {Name: "students", Position: 2, State: "running"}}
	w.sources.Projections = func() []metrics.Stage { return stages }
	w.sources.Reactions = func(context.Context) ([]metrics.Stage, error) {
		return []metrics.Stage{{Name: "mail", Position: 1, Parked: 3}}, nil
	}
	w.sources.Replica = func() (metrics.Replica, bool) {
		return metrics.Replica{Position: 5, Lag: 7, Up: true, Answered: 30, Instead: 2, Refused: 1}, true
	}
	now := monday
	w.sources.Now = func() time.Time { return now }
	w.registry.MustRegister(&metrics.Collector{Sources: w.sources})
	for i := range 2 {
		if err := w.append("thing-1", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.append("thing-1", 0); err == nil {
		t.Fatal("a stale append was taken")
	}
	now = monday.Add(30 * time.Second)
	told := w.scrape()
	for what, want := range map[string]float64{
		"zurnals_log_head_position":                                2,
		"zurnals_append_seconds outcome=accepted":                  2,
		"zurnals_append_seconds outcome=conflict":                  1,
		"zurnals_append_seconds outcome=unavailable":               0,
		"zurnals_append_events_total":                              2,
		"zurnals_appends_waiting":                                  0,
		"zurnals_projection_position projection=staff":             -1,
		"zurnals_projection_lag_events projection=staff":           2,
		"zurnals_projection_lag_seconds projection=staff":          30,
		"zurnals_projection_state projection=staff state=building": 1,
		"zurnals_projection_position projection=students":          2,
		"zurnals_projection_lag_events projection=students":        0,
		"zurnals_replica_position":                                 5,
		"zurnals_replica_queries_total answered=replica":           30,
		"zurnals_replica_queries_total answered=primary":           2,
		"zurnals_replica_queries_total answered=nobody":            1,
		"zurnals_replica_lag_positions":                            7,
		"zurnals_replica_up":                                       1,
		"zurnals_reaction_position reaction=mail":                  1,
		"zurnals_reaction_lag_events reaction=mail":                1,
		"zurnals_reaction_lag_seconds reaction=mail":               30,
		"zurnals_reaction_parked reaction=mail":                    3,
		"zurnals_jobs state=available":                             0,
		"zurnals_jobs state=retryable":                             0,
		"zurnals_jobs_overdue_seconds":                             0,
		"zurnals_proof_position":                                   0,
		"zurnals_proof_age_seconds":                                0, // there is none
		"zurnals_proof_lag_seconds":                                30,
		"zurnals_proof_tampered":                                   0,
		"zurnals_database_up":                                      1,
		"pgxpool_max_conns":                                        8,
	} {
		if got, ok := told[what]; !ok || got != want {
			t.Errorf("%s: %v (told: %v), want %v", what, got, ok, want)
		}
	}
	for _, what := range []string{"zurnals_log_positions_prepared", "zurnals_disk_free_bytes", "zurnals_database_bytes", "pgxpool_acquire_count"} {
		if told[what] <= 0 {
			t.Errorf("%s: %v", what, told[what])
		}
	}
	if lag, ok := told["zurnals_projection_lag_seconds projection=students"]; ok && lag != 0 {
		t.Errorf("nothing is behind, and yet %v seconds", lag)
	}
}

// How old the newest checkpoint is, and the oldest event that it has not.
func TestALogThatIsNotSignedIsSeen(t *testing.T) {
	w := newWorld(t)
	now, tampered := monday, false
	w.sources.Now = func() time.Time { return now }
	w.sources.Tampered = func() bool { return tampered }
	w.registry.MustRegister(&metrics.Collector{Sources: w.sources})
	told := func(position, age, lag, found float64) {
		t.Helper()
		got := w.scrape()
		for name, want := range map[string]float64{"position": position, "age_seconds": age, "lag_seconds": lag, "tampered": found} {
			if have, ok := got["zurnals_proof_"+name]; !ok || have != want {
				t.Errorf("%s: %v (told: %v), want %v", name, have, ok, want)
			}
		}
	}
	told(0, 0, 0, 0) // nothing to sign
	for i := range 2 {
		if err := w.append("thing-1", i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.sources.Pool.Exec(t.Context(), `INSERT INTO proof.checkpoint (size, at, note) VALUES (1, $1, '')`, monday); err != nil {
		t.Fatal(err)
	}
	now = monday.Add(time.Minute)
	told(1, 60, 60, 0) // the second is not signed
	if _, err := w.sources.Pool.Exec(t.Context(), `INSERT INTO proof.checkpoint (size, at, note) VALUES (2, $1, '')`, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	told(2, 3600, 0, 0) // an old one, and all is signed
	tampered = true
	told(2, 3600, 0, 1)
}

func TestWithoutTheDatabaseTheRestIsTold(t *testing.T) {
	w := newWorld(t)
	w.sources.Projections = func() []metrics.Stage { return []metrics.Stage{{Name: "staff", Position: 5}} }
	w.sources.Reactions = func(context.Context) ([]metrics.Stage, error) { return nil, errors.New("the database is away") }
	w.registry.MustRegister(&metrics.Collector{Sources: w.sources})
	told := w.scrape()
	if up, ok := told["zurnals_database_up"]; !ok || up != 0 {
		t.Errorf("database up: %v %v", up, ok)
	}
	// The head is never told to be behind what has seen it.
	if told["zurnals_log_head_position"] != 5 || told["zurnals_projection_lag_events projection=staff"] != 0 {
		t.Errorf("%v", told)
	}
}
