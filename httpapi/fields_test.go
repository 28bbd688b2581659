package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/unicode/norm"

	"zurnals/commands"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/texts"
)

// nasty are texts that nobody should be able to do harm with.
var nasty = []string{
	"", " ", "a b", "Liepin\u0327a", "e\u0301\u0323", "a\u202eb", "a\u200bb", "\ufeffa", "a\u00adb", "a\x7fb", "a\x00b", "a\x1bb", "a\u0085b", "a\u2028b",
	"a\nb", "a\tb", "a\r\nBcc: c@d.lv", "\ue000", "\ufffd", "👩‍👩‍👧", "𝔄𝔅", "ﬃ", "=1+1", "<script>alert(1)</script>", "../../etc/passwd", "%00%2e", "'; DROP TABLE es.event; --",
	"null", "-1", "00000000-0000-0000-0000-000000000000", strings.Repeat("ā", 300), strings.Repeat("a\u0300", 200), strings.Repeat("z", 20_000),
}

// few of them are enough where a text is not kept.
var few = []string{" ", "Liepin\u0327a", "a\u202eb", "a\x7fb", "a\u0085b", "'; DROP TABLE es.event; --", "-1", "00000000-0000-0000-0000-000000000000", strings.Repeat("ā", 300)}

// raw are values of JSON that are no text, or none that there is.
var raw = []string{`null`, `true`, `5`, `-1`, `1e999`, `123456789012345678901234567890`, `0.1`, `[]`, `[[]]`, `{}`, `{"a":1}`, `"\ud800"`, `"\udc00\ud800"`, `"\u0000"`}

// TestEveryFieldTakesWhatComes sends all of it in every field of every route
// of the OpenAPI document, by somebody who may ask. No answer is a failure of
// the server, no refusal is without a code or leaves an event, and what does
// come into the log is in NFC, without characters that cannot be
// seen but the line breaks of a remark.
func TestEveryFieldTakesWhatComes(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	cells, sent := m.all(), 0
	for _, r := range m.api.Routes() {
		c, ok := cells[r.ID]
		if !ok || strings.HasPrefix(r.Path, prefix+"/ops/") && r.Method == http.MethodPost {
			continue // they work for long, and only once
		}
		f := fields{matrix: m, c: c, as: whoMay(r, c), op: m.operation(r), used: true}
		if f.as == "departing" {
			leaver(m) // the one before may have gone
		}
		f.body()
		f.path()
		f.query()
		f.header()
		sent += f.sent
	}
	t.Logf("%d requests", sent)
}

// whoMay returns somebody who may ask a route.
func whoMay(r Route, c cell) string {
	who := askerOf(r.Permission)
	switch {
	case who.open():
		return ""
	case who.learner:
		return "learner"
	case !who.role:
		return "departing"
	}
	i := slices.IndexFunc(employees, func(e employee) bool { return c.want(e, "home", r.Permission) == http.StatusOK })
	return employees[i].name
}

// operation returns what the document says of a route.
func (m *matrix) operation(r Route) *huma.Operation {
	item := m.api.huma.OpenAPI().Paths[r.Path]
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[r.Method]
}

// fields are those of one route.
type fields struct {
	*matrix
	c    cell
	as   string
	op   *huma.Operation
	used bool // what a request needs must be made anew
	sent int
}

// send sends one request and checks what comes of it.
func (f *fields) send(what, ask, body string, headers ...string) {
	f.t.Helper()
	f.sent++
	f.api.buckets.paid = nil // it is not about how often
	f.commands.Attempts = new(commands.MemoryAttempts)
	if id := f.names[f.as+"/assignment"]; id != "" && !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Zurnals-Role") }) {
		headers = append(headers, "Zurnals-Role: "+id)
	}
	before, err := f.log.Head(f.t.Context())
	f.must(err)
	st := step{as: f.as, ask: ask, body: body, headers: append(slices.Clone(f.c.headers), headers...)}
	if f.c.form != nil {
		st.form = f.c.form(f.matrix)
	}
	a := f.matrix.send(st, before)
	name := fmt.Sprintf("%s as %q, %.200s", f.op.OperationID, f.as, what)
	switch {
	case a.Code >= 500:
		f.t.Errorf("%s: answered %d: %s", name, a.Code, a.Body)
	case a.Code >= 400 && texts.Of(texts.Latvian, a.problem.Code) == "":
		f.t.Errorf("%s: answered %d without a code: %s", name, a.Code, a.Body)
	case a.Code >= 400:
		if got := f.since(before); got != "" {
			f.t.Errorf("%s: refused with %s, yet it appended %s", name, a.problem.Code, got)
		}
	default:
		f.used = true
		f.normal(name, before)
		if f.c.ends || f.c.once {
			f.again(f.as)
		}
	}
}

// normal checks the texts of the events after a position.
func (f *fields) normal(name string, before int64) {
	f.t.Helper()
	stored, err := eventstore.Collect(f.log.ReadAll(f.t.Context(), before, 0))
	f.must(err)
	f.must(f.keys.Open(f.t.Context(), stored))
	for _, e := range stored {
		event, err := catalogue.All.Decode(e.Type, e.Schema, e.Data)
		f.must(err)
		data, err := json.Marshal(event)
		f.must(err)
		var value any
		f.must(json.Unmarshal(data, &value))
		for _, text := range textsOf(value) {
			if !norm.NFC.IsNormalString(text) || strings.ContainsFunc(text, func(r rune) bool {
				return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
			}) || strings.TrimSpace(text) != text {
				f.t.Errorf("%s: %s holds %q", name, e.Type, text)
			}
		}
	}
}

func textsOf(value any) (all []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, v := range value {
			all = append(all, textsOf(v)...)
		}
	case map[string]any:
		for _, v := range value {
			all = append(all, textsOf(v)...)
		}
	}
	return all
}

// ready makes what a request needs.
func (f *fields) ready() {
	f.at("home")
	if f.c.fresh != nil && f.used {
		f.c.fresh(f.matrix)
	}
	f.used = false
}

// body puts values into each field of the JSON body.
func (f *fields) body() {
	if f.op.RequestBody == nil || f.op.RequestBody.Content["application/json"] == nil {
		return
	}
	for _, path := range f.paths(f.op.RequestBody.Content["application/json"].Schema, nil) {
		values := slices.Clone(raw)
		for _, text := range nasty {
			quoted, err := json.Marshal(text)
			f.must(err)
			values = append(values, string(quoted))
		}
		for _, value := range values {
			f.ready()
			var body any
			f.must(json.Unmarshal([]byte(f.fill(f.c.body)), &body))
			changed, err := json.Marshal(put(body, path, json.RawMessage(value)))
			if err != nil {
				f.t.Fatal(err)
			}
			f.send(strings.Join(path, ".")+" = "+value, f.c.ask, string(changed))
		}
	}
	f.ready()
	first := strings.Replace(f.fill(f.c.body), "{", `{"a":1,"a":2,`, 1)
	f.send("a field that there is not, twice", f.c.ask, first)
}

// paths returns the fields of a schema; of a list those of its first element.
func (f *fields) paths(s *huma.Schema, at []string) (all [][]string) {
	if s.Ref != "" {
		s = f.api.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	if len(at) > 0 {
		all = append(all, at)
	}
	for name, property := range s.Properties {
		all = append(all, f.paths(property, append(slices.Clone(at), name))...)
	}
	if s.Items != nil {
		all = append(all, f.paths(s.Items, append(slices.Clone(at), "0"))...)
	}
	return all
}

// put returns a value with another one at a path of it.
func put(value any, path []string, leaf json.RawMessage) any {
	if len(path) == 0 {
		return leaf
	}
	if _, err := strconv.Atoi(path[0]); err == nil {
		list, _ := value.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		return append([]any{put(list[0], path[1:], leaf)}, list[1:]...)
	}
	object := map[string]any{}
	if given, ok := value.(map[string]any); ok {
		object = given
	}
	object[path[0]] = put(object[path[0]], path[1:], leaf)
	return object
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// path puts texts into each part of the path.
func (f *fields) path() {
	for _, name := range placeholder.FindAllString(f.c.ask, -1) {
		for _, text := range few {
			f.ready()
			f.send("path "+name+" = "+text, strings.Replace(f.c.ask, name, url.PathEscape(text), 1), f.c.body)
		}
	}
}

// query puts texts into each parameter.
func (f *fields) query() {
	for _, p := range f.op.Parameters {
		if p.In != "query" {
			continue
		}
		for _, text := range append([]string{"", "a\x00b"}, few...) {
			f.ready()
			join := "?"
			if strings.Contains(f.c.ask, "?") {
				join = "&"
			}
			f.send("query "+p.Name+" = "+text, f.c.ask+join+p.Name+"="+url.QueryEscape(text), f.c.body)
		}
	}
}

// header puts texts into each header.
func (f *fields) header() {
	var names []string
	if f.c.headers != nil {
		names = append(names, "If-Match")
	}
	if f.op.OperationID == "list-users" || f.op.OperationID == "invite-user" { // which are read alike for all routes
		names = append(names, "Zurnals-Role", "Idempotency-Key", "Zurnals-Min-Position", "Accept-Language", "Accept", "User-Agent", "X-Forwarded-For", "Cookie")
	}
	for _, name := range names {
		for _, text := range few {
			f.ready()
			f.send("header "+name+" = "+text, f.c.ask, f.c.body, name+": "+text)
		}
	}
}
