package httpapi

import (
	_ "embed"
	"html/template"
	"net/http"

	"zurnals/internal/texts"
)

var (
	//go:embed scan.html
	scanHTML string
	//go:embed scan.js
	scanScript []byte
	//go:embed scan.css
	scanStyle []byte

	scanTemplate = template.Must(template.New("scan").Parse(scanHTML))
)

// scanPage is what the QR code of a lesson opens: GET records nothing. A pupil
// who signs in on it is recorded without typing the lesson's password (ATT-036,
// ATT-037). It is the same whatever the code, which only its script reads.
func (a *API) scanPage() {
	pages := map[texts.Language][]byte{}
	for _, l := range []texts.Language{texts.Latvian, texts.English} {
		pages[l] = render(scanTemplate, map[string]string{
			"Lang": string(l), "Title": texts.Of(l, "page.scan_title"), "SignIn": texts.Of(l, "page.scan_sign_in"),
			"Username": texts.Of(l, "page.username"), "Password": texts.Of(l, "page.password"),
			"Submit": texts.Of(l, "page.scan_submit"), "NoScript": texts.Of(l, "page.no_script"),
		})
	}
	serve := func(kind string, body func(*http.Request) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body(r)) // the client has gone
		}
	}
	a.pages.Get("/a/{code}", serve("text/html; charset=utf-8", func(r *http.Request) []byte { return pages[asked(r.Context()).language] }))
	a.pages.Get("/scan.js", serve("text/javascript; charset=utf-8", func(*http.Request) []byte { return scanScript }))
	a.pages.Get("/scan.css", serve("text/css; charset=utf-8", func(*http.Request) []byte { return scanStyle }))
}
