package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"zurnals/domain"
)

var (
	errNoVersion = refusal(http.StatusPreconditionRequired, "version.required", "If-Match is required")
	errVersion   = domain.Refuse(domain.Invalid, "version.malformed", "If-Match is not a version").In("header.If-Match")
)

// etag returns the ETag of a thing at a version.
func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// ifMatch returns the version that an If-Match header names. Somebody who does
// not care says *, which is version 0.
func ifMatch(header string) (int, error) {
	switch header {
	case "":
		return 0, errNoVersion
	case "*":
		return 0, nil
	}
	quoted := strings.TrimPrefix(header, "W/")
	s, ok := strings.CutPrefix(quoted, `"`)
	s, ok2 := strings.CutSuffix(s, `"`)
	version, err := strconv.Atoi(s)
	if !ok || !ok2 || err != nil || version < 1 {
		return 0, errVersion
	}
	return version, nil
}
