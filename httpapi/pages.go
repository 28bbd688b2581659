package httpapi

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"

	"zurnals/internal/texts"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageStyle []byte
	//go:embed page.js
	pageScript []byte

	pageLayout = template.Must(template.New("page").Parse(pageHTML))
)

// pageWith returns the template of a page: the layout that all have, with the
// content of this one. What it shows begins with a frame.
func pageWith(content string) *template.Template {
	t := template.Must(pageLayout.Clone())
	template.Must(t.New("content").Parse(content))
	return t
}

// A frame is what every page has around its content.
type frame struct {
	Language texts.Language
	Title    string
	Message  string // what has become of what was asked
	Good     bool   // it was done
	Script   string // path of the module that does what the page is for
}

// Text returns a text in the language of the page.
func (f frame) Text(code string) (string, error) {
	if text := texts.Of(f.Language, code); text != "" {
		return text, nil
	}
	return "", fmt.Errorf("%q has no text", code)
}

// failed puts on a page why something was refused, and returns the status.
func (a *API) failed(q *request, f *frame, err error) int {
	p := a.problem(q, err)
	f.Message = p.Title
	if len(p.Errors) > 0 && p.Errors[0].Detail != "" {
		f.Message = p.Errors[0].Detail
	}
	for name, values := range p.GetHeaders() {
		q.w.Header()[name] = values
	}
	return p.Status
}

// showPage answers with a page.
func (a *API) showPage(q *request, t *template.Template, status int, view any) {
	q.w.Header().Set("Content-Type", kindHTML)
	q.w.WriteHeader(status)
	if _, err := q.w.Write(render(t, view)); err != nil {
		a.Log.DebugContext(q.r.Context(), "page not sent", "request", q.id, "err", err)
	}
}

const kindHTML = "text/html; charset=utf-8"

// scripted serves a page that is the same for everybody: what it does, its script
// asks of the API. View returns what the content shows, if that is more than texts.
func (a *API) scripted(path, title, content, script string, view func(frame) any) {
	t, written := pageWith(content), make(map[texts.Language][]byte)
	for _, l := range []texts.Language{texts.Latvian, texts.English} {
		written[l] = render(t, view(frame{Language: l, Title: texts.Of(l, title), Script: script}))
	}
	a.pages.Get(path, serve(kindHTML, func(r *http.Request) []byte { return written[asked(r.Context()).language] }))
}

// onlyTexts is for content that shows nothing but texts.
func onlyTexts(f frame) any { return f }

// assets are what pages have in common.
func (a *API) assets() {
	a.pages.Get("/page.css", serve("text/css; charset=utf-8", func(*http.Request) []byte { return pageStyle }))
	a.script("/page.js", pageScript)
}

// script serves the script of a page.
func (a *API) script(path string, body []byte) {
	a.pages.Get(path, serve("text/javascript; charset=utf-8", func(*http.Request) []byte { return body }))
}

func serve(kind string, body func(*http.Request) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body(r)) // the client has gone
	}
}
