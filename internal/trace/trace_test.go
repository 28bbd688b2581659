package trace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTest stands in for a test whose end we decide.
type fakeTest struct {
	testing.TB
	failed   bool
	messages []string
	cleanups []func()
}

func (f *fakeTest) Helper()                   {}
func (f *fakeTest) Name() string              { return "TestOfSomeone" }
func (f *fakeTest) Failed() bool              { return f.failed }
func (f *fakeTest) Skipped() bool             { return false }
func (f *fakeTest) Cleanup(end func())        { f.cleanups = append(f.cleanups, end) }
func (f *fakeTest) Errorf(m string, _ ...any) { f.failed = true; f.messages = append(f.messages, m) }
func (f *fakeTest) end() {
	for _, c := range f.cleanups {
		c()
	}
}

func TestAPassingTestIsRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	t.Setenv(FileEnv, file)
	passing, failing := &fakeTest{}, &fakeTest{}
	Covers(passing, "EMU-001", "A03")
	Covers(failing, "EMU-002")
	failing.failed = true
	passing.end()
	failing.end()

	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "EMU-001\tTestOfSomeone\tinternal/trace\nA03\tTestOfSomeone\tinternal/trace\n"
	if string(got) != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestAnUnknownIDFailsTheTest(t *testing.T) {
	t.Setenv(FileEnv, "")
	wrong := &fakeTest{}
	Covers(wrong, "EMU-999")
	if !wrong.failed || !strings.Contains(wrong.messages[0], "neither in") {
		t.Errorf("an unknown id went through: %v", wrong.messages)
	}
}

func TestTheCatalogueIsWhole(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := Catalogue(root)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id.Name] {
			t.Errorf("%s stands twice", id.Name)
		}
		seen[id.Name] = true
		prefix, _, isRequirement := strings.Cut(id.Name, "-")
		if !isRequirement {
			prefix = "scenario"
		}
		count[prefix]++
	}
	for prefix, want := range map[string]int{"EMU": 125, "ATT": 50, "CERT": 16, "PORTAL": 264, "REG": 22, "scenario": 105} {
		if count[prefix] != want {
			t.Errorf("%s: %d ids, want %d", prefix, count[prefix], want)
		}
	}
}
