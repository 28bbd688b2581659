package texts_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zurnals/internal/texts"
	"zurnals/internal/trace"
)

// TestEveryCodeHasBothTexts reads the source of the program: whatever it can
// refuse with must be told in Latvian and in English.
func TestEveryCodeHasBothTexts(t *testing.T) {
	root, err := trace.Root()
	if err != nil {
		t.Fatal(err)
	}
	codes := texts.Codes()
	declared := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		for code, at := range declaredIn(t, path) {
			declared++
			text, ok := codes[code]
			if !ok || text.LV == "" || text.EN == "" {
				t.Errorf("%s: code %q has no text in both languages", at, code)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if declared < 40 {
		t.Errorf("only %d codes were found: is the source read rightly?", declared)
	}
}

// declaredIn returns the codes in one file: the second argument of Refuse (and
// of refusal, for HTTP alone), and the Code of a Detail.
func declaredIn(t *testing.T, path string) map[string]token.Position {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	codes := make(map[string]token.Position)
	add := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			code, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Error(err)
			}
			codes[code] = files.Position(literal.Pos())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := named(n.Fun); (name == "Refuse" || name == "refusal") && len(n.Args) == 3 {
				if _, ok := n.Args[1].(*ast.BasicLit); !ok {
					t.Errorf("%s: a code must be written out, so that it can be found", files.Position(n.Pos()))
				}
				add(n.Args[1])
			}
		case *ast.CompositeLit:
			if named(n.Type) != "Detail" {
				break
			}
			for _, e := range n.Elts {
				if pair, ok := e.(*ast.KeyValueExpr); ok && named(pair.Key) == "Code" {
					add(pair.Value)
				}
			}
		}
		return true
	})
	return codes
}

func named(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func TestTextsNameTheSameThing(t *testing.T) {
	for code, text := range texts.Codes() {
		if strings.Count(text.LV, "%s") != strings.Count(text.EN, "%s") || strings.Count(text.EN, "%s") > 1 {
			t.Errorf("%s: %q and %q do not name the same", code, text.LV, text.EN)
		}
	}
	if got := texts.Format(texts.Latvian, "field.too_long", "20"); got != "Garāks par 20 zīmēm" {
		t.Error(got)
	}
}

// What is expected of a field is told in the language of the rest.
func TestTypesAreNamedInBothLanguages(t *testing.T) {
	for what, want := range map[string]texts.Text{
		"boolean": {LV: "Gaidītais veids: true vai false", EN: "expected: true or false"},
		"integer": {LV: "Gaidītais veids: vesels skaitlis", EN: "expected: a whole number"},
		"number":  {LV: "Gaidītais veids: skaitlis", EN: "expected: a number"},
		"string":  {LV: "Gaidītais veids: teksts", EN: "expected: a text"},
		"array":   {LV: "Gaidītais veids: saraksts", EN: "expected: a list"},
		"object":  {LV: "Gaidītais veids: objekts", EN: "expected: an object"},
	} {
		if got := (texts.Text{LV: texts.Format(texts.Latvian, "field.type", what), EN: texts.Format(texts.English, "field.type", what)}); got != want || !texts.IsType(what) {
			t.Errorf("%s is %+v", what, got)
		}
	}
	if texts.IsType("string to be base64 encoded") {
		t.Error("that is no type")
	}
}

func FuzzChoose(f *testing.F) {
	for _, s := range []string{"", "lv", "en", "en-GB;q=0.5, lv;q=0.9", "*", "de,fr", "x;q=zz", strings.Repeat("en,", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if l := texts.Choose(accept); l != texts.Latvian && l != texts.English {
			t.Error(l)
		}
	})
}
