// Package trace ties tests to the requirements they show (Latvian: izsekojamība).
//
// A test that shows a requirement or an acceptance scenario says so with
// Covers. When ZURNALS_TRACE names a file, every passing test adds its ids to
// it, and the report beside this package lists what is shown and what is not.
package trace

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// FileEnv names the environment variable that holds the path of the trace file.
const FileEnv = "ZURNALS_TRACE"

// An ID is one requirement of docs/requirements.md (EMU-020) or one scenario
// of docs/scenarios.md (A03).
type ID struct {
	Name string
	Text string
}

// Covers records that t shows the requirements or scenarios named by ids. An id
// that stands in neither catalogue fails the test at once, so that a slip of
// the pen does not look like coverage. The record is written only when the
// test has passed.
func Covers(t testing.TB, ids ...string) { t.Helper(); cover(t, "", ids) }

// Partly records that t shows part of the requirements or scenarios, for those
// that Apart names with what is missing.
func Partly(t testing.TB, ids ...string) { t.Helper(); cover(t, part, ids) }

// part is written behind the id of a requirement that is shown in part.
const part = "~"

// InPart returns what stands in a trace file for an id that is shown in part.
func InPart(id string) string { return id + part }

func cover(t testing.TB, mark string, ids []string) {
	t.Helper()
	known, err := knownIDs()
	if err != nil {
		t.Fatalf("trace: %v", err)
	}
	for _, id := range ids {
		if !known[id] {
			t.Errorf("trace: %q is neither in docs/requirements.md nor in docs/scenarios.md", id)
		}
	}
	file := os.Getenv(FileEnv)
	if file == "" {
		return
	}
	_, caller, _, _ := runtime.Caller(2)
	pkg := packageOf(caller)
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		if err := record(file, pkg, t.Name(), mark, ids); err != nil {
			t.Errorf("trace: %v", err)
		}
	})
}

// record appends one line for each id. One write with O_APPEND keeps the lines
// of test processes that run at the same time apart.
func record(file, pkg, test, mark string, ids []string) error {
	var lines strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&lines, "%s%s\t%s\t%s\n", id, mark, test, pkg)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(lines.String()); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

var (
	requirementLine = regexp.MustCompile(`(?m)^- \*\*([A-Z]+-\d{3})\*\* (.*)$`)
	scenarioLine    = regexp.MustCompile(`(?m)^\| ([A-Z]\d{2}) \|[^|]*\| ([^|]*) \|`)
)

// Catalogue reads all ids from the two documents below root, in their order.
func Catalogue(root string) ([]ID, error) {
	var ids []ID
	for _, doc := range []struct {
		file string
		line *regexp.Regexp
	}{
		{"docs/requirements.md", requirementLine},
		{"docs/scenarios.md", scenarioLine},
	} {
		text, err := os.ReadFile(filepath.Join(root, doc.file))
		if err != nil {
			return nil, err
		}
		found := doc.line.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			return nil, fmt.Errorf("%s holds no ids", doc.file)
		}
		for _, m := range found {
			ids = append(ids, ID{Name: m[1], Text: strings.TrimSpace(m[2])})
		}
	}
	return ids, nil
}

// Root is the folder with go.mod above the working directory: `go test` runs
// every test in the folder of its package.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = up
	}
}

var knownIDs = sync.OnceValues(func() (map[string]bool, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	ids, err := Catalogue(root)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id.Name] = true
	}
	return known, nil
})

// packageOf turns the path of a source file into the package's path in the
// module. With -trimpath the compiler writes that path already.
func packageOf(file string) string {
	dir := path.Dir(filepath.ToSlash(file))
	if root, err := Root(); err == nil {
		if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsAbs(dir) {
			return filepath.ToSlash(rel)
		}
	}
	return strings.TrimPrefix(dir, "zurnals/")
}
