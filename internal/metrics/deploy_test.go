package metrics_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"zurnals/httpapi"
	"zurnals/internal/metrics"
)

// told are the names of all metrics that a server tells.
func told(t *testing.T) map[string]bool {
	t.Helper()
	registry, ok := (&httpapi.Ops{API: new(httpapi.API)}).Registry().(*prometheus.Registry)
	if !ok {
		t.Fatal("the registry of the server is of another kind")
	}
	registry.MustRegister(metrics.MeasureAppends(nil), new(metrics.Collector))
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	names := make(map[string]bool)
	for d := range descriptions {
		names[fqName.FindStringSubmatch(d.String())[1]] = true
	}
	return names
}

var (
	fqName = regexp.MustCompile(`fqName: "([^"]+)"`)
	metric = regexp.MustCompile(`\b(zurnals|pgxpool|process|go)_[a-z0-9_]+`)
	quoted = regexp.MustCompile(`"[^"]*"`)

	alertName = regexp.MustCompile(`\bZurnals[A-Z]\w+`)
)

// asked are the names of metrics in an expression.
func asked(expr string) (names []string) {
	for _, name := range metric.FindAllString(quoted.ReplaceAllString(expr, ""), -1) {
		for _, part := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, part); ok && strings.HasSuffix(base, "_seconds") {
				name = base
			}
		}
		names = append(names, name)
	}
	return names
}

// check says what is wrong with an expression, as far as that can be told
// without Prometheus.
func check(t *testing.T, where, expr string, names map[string]bool) {
	t.Helper()
	var open []rune
	for _, r := range quoted.ReplaceAllString(expr, "") {
		switch i := strings.IndexRune(")]}", r); {
		case strings.ContainsRune("([{", r):
			open = append(open, r)
		case i >= 0 && (len(open) == 0 || open[len(open)-1] != rune("([{"[i])):
			t.Fatalf("%s: brackets: %s", where, expr)
		case i >= 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: brackets: %s", where, expr)
	}
	for _, name := range asked(expr) {
		if !names[name] {
			t.Errorf("%s: the server tells no %s", where, name)
		}
	}
}

func TestEveryAlertAsksForWhatIsTold(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	data := read(t, "prometheus-alerts.yml")
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	names, seen := told(t), make(map[string]bool)
	for _, g := range file.Groups {
		if g.Name == "" || len(g.Rules) == 0 {
			t.Errorf("group %q is empty", g.Name)
		}
		for _, r := range g.Rules {
			if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Zurnals") {
				t.Errorf("alert %q: not a name of ours, or there twice", r.Alert)
			}
			seen[r.Alert] = true
			if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
				t.Errorf("%s: for: %v", r.Alert, err)
			}
			if !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: no severity, summary or description", r.Alert)
			}
			if r.Alert != "ZurnalsDown" && len(asked(r.Expr)) == 0 {
				t.Errorf("%s asks for nothing of ours", r.Alert)
			}
			check(t, r.Alert, r.Expr, names)
		}
	}
	// What to do about each stands in the runbook, and about nothing else.
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(runbook), "| alert |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := alertName.FindAllString(table, -1)
	for name := range seen {
		if !slices.Contains(rows, name) {
			t.Errorf("the runbook does not tell what to do about %s", name)
		}
	}
	for _, name := range rows {
		if !seen[name] {
			t.Errorf("the runbook knows an alert %s, there is none", name)
		}
	}
	// The alarm is that something stands still, for each thing that follows the log.
	for _, name := range []string{"ZurnalsProjectionStuck", "ZurnalsReactionStuck", "ZurnalsProofBehind", "ZurnalsLogTampered"} {
		if !seen[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
}

func TestTheDashboardShowsWhatIsTold(t *testing.T) {
	var board struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(read(t, "grafana-dashboard.json"), &board); err != nil {
		t.Fatal(err)
	}
	names, ids, shown := told(t), make(map[int]bool), make(map[string]bool)
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("panel %d is there twice", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(t, p.Title, target.Expr, names)
			for _, name := range asked(target.Expr) {
				shown[name] = true
			}
		}
	}
	for _, name := range []string{"zurnals_log_head_position", "zurnals_append_seconds", "zurnals_projection_lag_events",
		"zurnals_projection_lag_seconds", "zurnals_reaction_lag_events", "zurnals_jobs", "pgxpool_acquired_conns",
		"zurnals_proof_age_seconds", "zurnals_proof_lag_seconds", "zurnals_proof_tampered",
		"zurnals_replica_up", "zurnals_replica_lag_positions", "zurnals_replica_position", "zurnals_replica_queries_total"} {
		if !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// What systemd itself says of the unit, on a machine that has it.
func TestSystemdTakesTheUnit(t *testing.T) {
	unit := string(read(t, "zurnals.service"))
	const program = "ExecStart=/usr/local/bin/zurnals serve\n"
	if strings.Count(unit, program) != 1 {
		t.Fatalf("the unit does not start the program:\n%s", unit)
	}
	systemd, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("there is no systemd on this machine")
		return
	}
	file := filepath.Join(t.TempDir(), "zurnals.service")
	if err := os.WriteFile(file, []byte(strings.Replace(unit, program, "ExecStart=/bin/true serve\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(systemd, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
