package trace

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// claims returns the ids that tests say they show, as a whole and in part. It
// reads the files, so that nothing need be run.
func claims(t *testing.T) (whole, inPart map[string]bool) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	whole, inPart = map[string]bool{}, map[string]bool{}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != root {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, "_test.go") || filepath.Dir(name) == filepath.Join(root, "internal", "trace") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := f.X.(*ast.Ident); !ok || x.Name != "trace" {
				return true
			}
			into := map[string]map[string]bool{"Covers": whole, "Partly": inPart}[f.Sel.Name]
			for _, arg := range call.Args {
				if id, ok := arg.(*ast.BasicLit); ok && into != nil {
					text, _ := strconv.Unquote(id.Value)
					into[text] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return whole, inPart
}

// accounts says whether an id is one that this list is about: EMU-001 to
// EMU-097, C01 to C33, and C38.
func accounts(id string) bool {
	var n int
	if _, err := fmt.Sscanf(id, "EMU-%d", &n); err == nil {
		return n <= 97
	}
	if _, err := fmt.Sscanf(id, "C%d", &n); err == nil && len(id) == 3 {
		return n <= 33 || n == 38
	}
	return false
}

// Every requirement and scenario of accounts and roles is shown by a test, or
// stands in Apart: in one of the two, and with a test of what there is of it.
func TestEveryRequirementOfAccountsIsShownOrNamed(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := Catalogue(root)
	if err != nil {
		t.Fatal(err)
	}
	whole, inPart := claims(t)
	apart := map[string]Gap{}
	for _, gap := range Apart {
		apart[gap.ID] = gap
	}
	for _, id := range ids {
		gap, named := apart[id.Name]
		switch {
		case !accounts(id.Name):
			if named {
				t.Errorf("%s is not of accounts and roles", id.Name)
			}
		case named && whole[id.Name]:
			t.Errorf("%s is shown by a test: it need not stand in Apart", id.Name)
		case named && (gap.Why == Later) != inPart[id.Name]:
			t.Errorf("%s %s: is part of it shown by a test? %v", id.Name, gap.Why, inPart[id.Name])
		case named && gap.Why != Later && strings.HasPrefix(id.Text, "[B]"):
			t.Errorf("%s is backend behaviour, and cannot be one that %s", id.Name, gap.Why)
		case !named && !whole[id.Name]:
			t.Errorf("%s is shown by no test: %s", id.Name, shorten(id.Text))
		}
		delete(apart, id.Name)
	}
	for id := range apart {
		t.Errorf("there is no %s", id)
	}
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return text
}

// Whoever adds a gap says so here too.
func TestTheListOfGapsDoesNotGrow(t *testing.T) {
	want := "EMU-003 EMU-005 EMU-014 EMU-021 EMU-062 EMU-086 EMU-039 EMU-083 EMU-088"
	var got []string
	for _, gap := range Apart {
		got = append(got, gap.ID)
		if gap.Missing == "" || !slices.Contains([]Why{Page, Staff, Later}, gap.Why) {
			t.Errorf("%s: why is not said", gap.ID)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %s", got)
	}
}
