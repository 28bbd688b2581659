package httpapi

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"zurnals/domain/access"
	"zurnals/internal/texts"
)

//go:embed docs.css
var stylesheet []byte

// documents serves what describes the API: the OpenAPI document, a page made
// from the routes, and the list of problems that answers link to. Nothing of
// it comes from another site.
func (a *API) documents(r chi.Router) {
	openapi, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		panic("OpenAPI document: " + err.Error())
	}
	routes, problems := render(routesPage, a.Routes()), render(problemsPage, problemTexts())
	for path, doc := range map[string]struct {
		kind string
		body []byte
	}{
		"/openapi.json": {"application/vnd.oai.openapi+json", openapi},
		"/docs":         {"text/html; charset=utf-8", routes},
		"/problems":     {"text/html; charset=utf-8", problems},
		"/docs.css":     {"text/css; charset=utf-8", stylesheet},
	} {
		r.Get(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", doc.kind)
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = w.Write(doc.body) // the client has gone
		})
	}
}

// A Route is what documents say of a route.
type Route struct {
	ID, Method, Path, Summary, About, Tag string
	Permission                            access.Permission
	Roles                                 []access.Role
}

// Routes returns all routes that Handler has declared, in the order of their
// paths.
func (a *API) Routes() []Route {
	all := make([]Route, 0, len(a.table))
	for _, r := range a.table {
		all = append(all, Route{
			ID: r.id, Method: r.method, Path: prefix + r.path, Summary: r.summary, About: r.about, Tag: r.tag,
			Permission: r.permission, Roles: access.Holders(r.permission),
		})
	}
	slices.SortFunc(all, func(x, y Route) int { return strings.Compare(x.Path+" "+x.Method, y.Path+" "+y.Method) })
	return all
}

type problemText struct {
	Code string
	texts.Text
}

func problemTexts() (all []problemText) {
	codes := texts.Codes()
	for _, code := range sorted(codes) {
		all = append(all, problemText{code, codes[code]})
	}
	return all
}

func render(page *template.Template, data any) []byte {
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		panic("page: " + err.Error())
	}
	return b.Bytes()
}

func newPage(title, body string) *template.Template {
	return template.Must(template.New(title).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Žurnāls: ` + title + `</title>
<link rel="stylesheet" href="/docs.css">
<h1>Žurnāls: ` + title + `</h1>
` + body + `</html>
`))
}

var routesPage = newPage("API", `<p>The contract is <a href="/openapi.json">openapi.json</a>. What is refused is told as
<a href="/problems">problems</a>.</p>
<table>
<tr><th>Request<th>What it does<th>Permission<th>Roles</tr>
{{range .}}<tr id="{{.ID}}"><td><code>{{.Method}} {{.Path}}</code><td>{{.Summary}}{{with .About}}<br><small>{{.}}</small>{{end}}<td><code>{{.Permission}}</code><td>{{range .Roles}}<code>{{.}}</code> {{end}}</tr>
{{end}}</table>
`)

var problemsPage = newPage("problems", `<p>Every refusal names a code. It is stable; the text is not.</p>
<table>
<tr><th>Code<th>Latviski<th>English</tr>
{{range .}}<tr id="{{.Code}}"><td><code>{{.Code}}</code><td lang="lv">{{.LV}}<td>{{.EN}}</tr>
{{end}}</table>
`)

// wantsPage says whether a browser asks, which would rather have a page.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
