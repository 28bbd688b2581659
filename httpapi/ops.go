package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ops is what operators ask a server on its private port. It has no rights of
// its own: whoever reaches the port may ask.
type Ops struct {
	API    *API
	Checks []Check // all must pass for the server to be ready
}

// A Check is something that a server needs to be of use.
type Check struct {
	Name string

	// Check returns an error while the server is not ready because of it, and
	// otherwise what an operator should know, if anything.
	Check func(context.Context) (warning string, err error)
}

// Handler returns the routes of the private port.
func (o *Ops) Handler() http.Handler {
	o.API.metrics.init()
	r := chi.NewRouter()
	r.Get("/healthz", healthy)
	r.Get("/readyz", o.ready)
	r.Method("GET", "/metrics", promhttp.HandlerFor(o.API.metrics.registry, promhttp.HandlerOpts{}))
	r.Get("/debug/pprof/*", pprof.Index)
	r.Get("/debug/pprof/cmdline", pprof.Cmdline)
	r.Get("/debug/pprof/profile", pprof.Profile)
	r.Get("/debug/pprof/symbol", pprof.Symbol)
	r.Get("/debug/pprof/trace", pprof.Trace)
	return r
}

// healthy says that the process is alive. It asks nothing else: a database
// that is away is no reason to restart the server.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the client has gone
}

type readiness struct {
	Ready    bool              `json:"ready"`
	NotReady map[string]string `json:"not_ready,omitempty"`
	Warnings map[string]string `json:"warnings,omitempty"`
}

func (o *Ops) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	answer := readiness{Ready: true, NotReady: map[string]string{}, Warnings: map[string]string{}}
	for _, c := range o.Checks {
		warning, err := c.Check(ctx)
		if err != nil {
			answer.Ready, answer.NotReady[c.Name] = false, err.Error()
		}
		if warning != "" {
			answer.Warnings[c.Name] = warning
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	lines := json.NewEncoder(w)
	lines.SetIndent("", "  ") // a line for each thing
	lines.SetEscapeHTML(false)
	_ = lines.Encode(answer) // the client has gone
}

// Registry returns where other parts of the program add their metrics.
func (o *Ops) Registry() prometheus.Registerer {
	o.API.metrics.init()
	return o.API.metrics.registry
}

// metrics measure the requests, by route pattern: a path holds ids and tokens.
type metrics struct {
	registry  *prometheus.Registry
	durations *prometheus.HistogramVec
}

func (m *metrics) init() {
	if m.registry != nil {
		return
	}
	m.registry = prometheus.NewRegistry()
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "zurnals_http_request_seconds",
		Help:    "How long requests took.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route", "status"})
	m.registry.MustRegister(m.durations, collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func (m *metrics) observe(verb, pattern string, status int, took time.Duration) {
	m.durations.WithLabelValues(method(verb), pattern, strconv.Itoa(status)).Observe(took.Seconds())
}
