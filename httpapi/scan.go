package httpapi

import _ "embed"

var (
	//go:embed scan.html
	scanHTML string
	//go:embed scan.js
	scanScript []byte
)

// scanPage is what the QR code of a lesson opens: GET records nothing. A pupil
// who signs in on it is recorded without typing the lesson's password (ATT-036,
// ATT-037). It is the same whatever the code, which only its script reads.
func (a *API) scanPage() {
	a.scripted("/a/{code}", "page.scan_title", scanHTML, "/scan.js", onlyTexts)
	a.script("/scan.js", scanScript)
}
