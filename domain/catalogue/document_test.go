package catalogue_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/catalogue"
)

const document = "../../docs/events.md"

// TestDocument compares docs/events.md with the source it is made of.
func TestDocument(t *testing.T) {
	want := describe(t)
	if *update {
		if err := os.WriteFile(document, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("docs/events.md is not current: run go test ./domain/catalogue -update")
	}
}

// A fact is what the source says about one event.
type fact struct {
	doc    string
	fields []field
}

type field struct{ name, typ, doc string }

func describe(t *testing.T) []byte {
	var b bytes.Buffer
	b.WriteString(`# Events

Everything that has ever happened is one of these. This page is made from the source by
` + "`go test ./domain/catalogue -update`" + `; what stands here is in the log for good.
Fields marked *personal* are sealed with the key of the person they are about. Who did it, in
which role and by which request is stored beside every event, and is not repeated here.
`)
	definitions := catalogue.All.Definitions()
	dirs, err := filepath.Glob("../*/*_events.go")
	if err != nil {
		t.Fatal(err)
	}
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	described := 0
	for _, dir := range slices.Compact(dirs) {
		intro, facts := read(t, dir)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", filepath.Base(dir), intro)
		for _, d := range definitions {
			f, ok := facts[d.Type]
			if !ok {
				continue
			}
			described++
			fmt.Fprintf(&b, "\n### `%s` (version %d)\n\n%s\n\n", d.Type, d.Version, f.doc)
			if len(f.fields) == 0 {
				continue
			}
			b.WriteString("| field | type | |\n|---|---|---|\n")
			tags := personalTags(t, d)
			for _, field := range f.fields {
				note := field.doc
				if tags[field.name[strings.LastIndex(field.name, ".")+1:]] {
					note = strings.TrimSpace("*personal* " + note)
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", field.name, field.typ, note)
			}
		}
	}
	if described != len(definitions) {
		t.Errorf("%d events are in the catalogue, but only %d in ../*/*_events.go", len(definitions), described)
	}
	return b.Bytes()
}

// personalTags returns the tags under which an event seals.
func personalTags(t *testing.T, d domain.Definition) map[string]bool {
	e := reflect.New(reflect.TypeOf(sample(t, d)))
	e.Elem().Set(reflect.ValueOf(sample(t, d)))
	tags := make(map[string]bool)
	if p, ok := e.Interface().(domain.Personal); ok {
		for _, f := range p.PersonalFields() {
			tags[f.Tag] = true
		}
	}
	return tags
}

// read returns what the source of one context says about its events, by type.
func read(t *testing.T, dir string) (intro string, facts map[string]fact) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	structs := make(map[string]*ast.StructType)
	docs := make(map[string]string)
	names := make(map[string]string) // of the Go type, by stored type
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil {
			intro = doc.Synopsis(file.Doc.Text())
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Name.Name == "EventType" && decl.Recv != nil {
					names[returned(decl)] = types.ExprString(decl.Recv.List[0].Type)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					spec, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if s, ok := spec.Type.(*ast.StructType); ok {
						structs[spec.Name.Name] = s
					}
					text := spec.Doc.Text()
					if text == "" {
						text = decl.Doc.Text()
					}
					docs[spec.Name.Name] = oneLine(text)
				}
			}
		}
	}
	facts = make(map[string]fact)
	for stored, name := range names {
		if docs[name] == "" {
			t.Errorf("%s: %s has no doc comment", dir, name)
		}
		facts[stored] = fact{doc: docs[name], fields: fields(structs, structs[name], "")}
	}
	return intro, facts
}

// fields lists the fields of a struct as they are stored, and after each those
// of the struct of the same context that it is or lists.
func fields(structs map[string]*ast.StructType, s *ast.StructType, within string) (all []field) {
	if s == nil {
		return nil
	}
	for _, f := range s.Fields.List {
		tag := ""
		if f.Tag != nil {
			unquoted, _ := strconv.Unquote(f.Tag.Value)
			tag, _, _ = strings.Cut(reflect.StructTag(unquoted).Get("json"), ",")
		}
		if tag == "-" {
			continue
		}
		typ := types.ExprString(f.Type)
		inner := structs[strings.TrimLeft(typ, "[]*")]
		if tag == "" { // embedded
			all = append(all, fields(structs, inner, within)...)
			continue
		}
		all = append(all, field{name: within + tag, typ: strings.ReplaceAll(typ, "domain.", ""), doc: oneLine(f.Comment.Text() + f.Doc.Text())})
		if inner != nil {
			list := strings.Repeat("[]", strings.Count(typ, "[]"))
			all = append(all, fields(structs, inner, within+tag+list+".")...)
		}
	}
	return all
}

func returned(f *ast.FuncDecl) string {
	if f.Body != nil && len(f.Body.List) == 1 {
		if r, ok := f.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			if lit, ok := r.Results[0].(*ast.BasicLit); ok {
				s, _ := strconv.Unquote(lit.Value)
				return s
			}
		}
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
