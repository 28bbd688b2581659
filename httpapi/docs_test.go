package httpapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zurnals/domain/access"
	"zurnals/internal/trace"
)

//go:generate go test -run ^TestThePermissionsAreDocumented$ -update .

var update = flag.Bool("update", false, "write docs/permissions.md")

// TestThePermissionsAreDocumented compares docs/permissions.md with the routes
// and the table of rights.
func TestThePermissionsAreDocumented(t *testing.T) {
	root, err := trace.Root()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, (*API).routes)
	want := permissions(w.api.Routes())
	file := filepath.Join(root, "docs", "permissions.md")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/permissions.md is not current (%v): run go generate ./httpapi", err)
	}
}

// permissions returns the document.
func permissions(routes []Route) string {
	var b strings.Builder
	b.WriteString("# Who may do what\n\nGenerated from the routes (httpapi) and the table of rights (domain/access) by `go generate ./httpapi`.\n\n" +
		"A request acts in one role assignment; the place that it is about must lie in the scope of the assignment.\n" +
		"`self` is any member of staff about the own things, `learner` a pupil about the own things, `token` whoever holds a\n" +
		"mailed link or a printed code, `anonymous` whoever is not signed in, `operator` the command line on the server.\n\n" +
		"## Routes\n\n| request | what it does | permission | roles |\n|---|---|---|---|\n")
	for _, r := range routes {
		fmt.Fprintf(&b, "| `%s %s` | %s | `%s` | %s |\n", r.Method, r.Path, r.Summary, r.Permission, roles(r.Roles))
	}
	b.WriteString("\n## Permissions\n\n| permission | roles | routes |\n|---|---|---|\n")
	for _, p := range access.All() {
		var ids []string
		for _, r := range routes {
			if r.Permission == p {
				ids = append(ids, r.ID)
			}
		}
		slices.Sort(ids)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p, roles(access.Holders(p)), strings.Join(ids, ", "))
	}
	return b.String()
}

func roles(all []access.Role) string {
	quoted := make([]string, len(all))
	for i, r := range all {
		quoted[i] = "`" + string(r) + "`"
	}
	return strings.Join(quoted, " ")
}

func TestTheDocumentOfTheAPI(t *testing.T) {
	w := newWorld(t, (*API).routes)
	a := w.send("GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string   `json:"operationId"`
			Permission  string   `json:"x-permission"`
			Roles       []string `json:"x-roles"`
		}
	}
	if err := json.Unmarshal(a.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%v %s", err, a.Body)
	}
	operations := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			operations++
			if !access.Known(access.Permission(op.Permission)) || len(op.Roles) == 0 || op.OperationID == "" || !strings.HasPrefix(path, prefix) {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	if operations != len(w.api.Routes()) {
		t.Errorf("%d operations in the document, %d routes", operations, len(w.api.Routes()))
	}
}

// Pages about the API load nothing from elsewhere.
func TestPagesAreOurOwn(t *testing.T) {
	w := newWorld(t, (*API).routes)
	for path, holds := range map[string]string{"/docs": "/api/v1/security-log", "/problems": "role.choose", "/docs.css": "body {"} {
		a := w.send("GET", path, "")
		body := a.Body.String()
		if a.Code != 200 || !strings.Contains(body, holds) {
			t.Errorf("%s: %d %s", path, a.Code, body)
		}
		if strings.Contains(body, "http://") || strings.Contains(body, "https://") || strings.Contains(body, "<script") {
			t.Errorf("%s is not ours alone", path)
		}
	}
}
