package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"zurnals/internal/clock"
)

func TestReadinessSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t, echo(fine))
	var database error
	ops := (&Ops{API: w.api, Checks: []Check{
		{"database", func(context.Context) (string, error) { return "", database }},
		{"roles", func(context.Context) (string, error) { return "both URLs name the same role", nil }},
	}}).Handler()
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		ops.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec.Code, rec.Body.String()
	}
	if code, body := get("/readyz"); code != 200 || !strings.Contains(body, `"ready": true`) || !strings.Contains(body, "same role") {
		t.Errorf("%d %s", code, body)
	}
	database = errors.New("connection refused")
	code, body := get("/readyz")
	var answer readiness
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != 503 || answer.Ready || answer.NotReady["database"] != "connection refused" {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("a server whose database is away is still alive: %d %s", code, body)
	}
	w.send("POST", echoPath, `{"email":"a"}`)
	if code, body := get("/metrics"); code != 200 ||
		!strings.Contains(body, `zurnals_http_request_seconds_count{method="POST",route="/api/v1/schools/{school}/echo",status="401"} 1`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get("/debug/pprof/"); code != 200 {
		t.Error(code)
	}
	// None of it is public.
	for _, path := range []string{"/metrics", "/readyz", "/debug/pprof/"} {
		w.send("GET", path, "").wants(t, 404, "http.no_route")
	}
	if a := w.send("GET", "/healthz", ""); a.Code != 200 {
		t.Error(a.Code)
	}
}

type fakeJobs struct{ due int }

func (f *fakeJobs) RunDue(context.Context) (int, error) { return f.due, nil }

func TestDevelopmentRoutes(t *testing.T) {
	w := newWorld(t, echo(fine))
	head := int64(0)
	w.api.Dev = &Dev{
		Clock: clock.Stopped(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)),
		Jobs:  &fakeJobs{due: 3},
		Head:  func(context.Context) (int64, error) { return head, nil },
		Mail: func(context.Context) ([]Mail, error) {
			return []Mail{{ID: 1, To: "anna@skola.lv", Subject: "Uzaicinājums <b>", Text: "https://…"}}, nil
		},
	}
	w.handler = w.api.handler(func() { echo(fine)(w.api) })
	ask := func(method, path, body string, headers ...string) answer {
		t.Helper()
		r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:5"
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		return w.do(r)
	}
	says := func(a answer, want string) {
		t.Helper()
		if a.Code != 200 || !strings.Contains(a.Body.String(), want) {
			t.Errorf("%d %s; want %s", a.Code, a.Body, want)
		}
	}
	says(ask("GET", "/dev/clock", ""), "2031-01-01T00:00:00Z")
	says(ask("POST", "/dev/clock", `{"set":"2025-09-01T08:00:00+03:00"}`), "2025-09-01T05:00:00Z")
	head = 1
	ask("POST", "/dev/clock", `{"set":"2025-09-02T08:00:00+03:00"}`).wants(t, 409, "dev.clock_set")
	says(ask("POST", "/dev/clock", `{"advance":"120h"}`), "2025-09-06T05:00:00Z")
	ask("POST", "/dev/clock", `{"advance":"-1h"}`).wants(t, 422, "dev.clock_advance")
	ask("POST", "/dev/clock", `{"advance":"soon"}`).wants(t, 422, "dev.clock_advance")
	ask("POST", "/dev/clock", `{`).wants(t, 400, "http.malformed")
	says(ask("GET", "/dev/clock", ""), "2025-09-06T05:00:00Z")
	says(ask("POST", "/dev/jobs/run", ""), `{"done":3}`)
	says(ask("GET", "/dev/mail", ""), `"to":"anna@skola.lv"`)
	says(ask("GET", "/dev/mail", "", "Accept: text/html"), "Uzaicinājums &lt;b&gt;")

	// From elsewhere, or by another name for this computer, nothing is shown.
	r := httptest.NewRequest("GET", "http://localhost:8080/dev/mail", nil)
	r.RemoteAddr = "192.0.2.1:5"
	w.do(r).wants(t, 403, "http.loopback_only")
	r = httptest.NewRequest("GET", "http://rebound.example/dev/mail", nil)
	r.RemoteAddr = "127.0.0.1:5"
	w.do(r).wants(t, 403, "http.loopback_only")

	// A server in earnest has none of it.
	w = newWorld(t, echo(fine))
	ask("GET", "/dev/mail", "").wants(t, 404, "http.no_route")
}
