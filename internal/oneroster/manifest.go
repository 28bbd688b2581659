package oneroster

import (
	"strings"

	"zurnals/domain"
)

// A mode is what the manifest says of a file.
type mode string

const (
	absent mode = "absent"
	bulk   mode = "bulk"
	delta  mode = "delta"
)

var manifestColumns = layout{required: []string{"propertyName", "value"}}

// manifest reads the manifest and returns the modes of the files by name.
func (a *Archive) manifest(content []byte) (map[string]mode, error) {
	const file = "manifest.csv"
	refuse := func(refusal *domain.Error, line int, field, text string) error {
		return refusal.With(domain.Detail{File: file, Row: line, Column: field, Code: refusal.Code, Text: text})
	}
	if content == nil {
		return nil, refuse(ErrManifest, 0, "", "is missing")
	}
	t, err := parse(file, content, manifestColumns)
	if err != nil {
		return nil, err
	}
	modes, seen := make(map[string]mode), make(map[string]bool)
	for _, r := range t.rows {
		name, value := r.get("propertyName"), r.get("value")
		if seen[name] {
			return nil, refuse(ErrManifest, r.line, shown(name), "stands there twice")
		}
		seen[name] = true
		switch f, isFile := strings.CutPrefix(name, "file."); {
		case isFile:
			switch modes[f] = mode(value); modes[f] {
			case absent, bulk, delta:
			default:
				return nil, refuse(ErrManifest, r.line, shown(name), "is neither bulk nor delta nor absent")
			}
		case name == "source.systemName":
			a.system, _ = domain.Line(value, maxName) // one that is no name is none
		case name == "manifest.version" && value == "1": // a spreadsheet has written it so
			a.warnings = append(a.warnings, Problem{File: file, Row: r.line, Field: name, Code: "oneroster.manifest_version", Warning: true})
		case name == "manifest.version" && value != "1.0":
			return nil, refuse(ErrVersion, r.line, name, "is not 1.0")
		case name == "oneroster.version" && value != "1.1":
			return nil, refuse(ErrVersion, r.line, name, "is not 1.1")
		}
	}
	for _, name := range []string{"manifest.version", "oneroster.version"} {
		if !seen[name] {
			return nil, refuse(ErrManifest, 0, name, "is missing")
		}
	}
	for _, f := range []string{"academicSessions", "orgs", "classes", "courses", "users", "enrollments", "lineItems", "results", "absences"} {
		if modes[f] == "" {
			modes[f] = absent
		}
	}
	return modes, nil
}

// checkMode refuses a file whose rows are not as its mode wants them. A file of
// changes is checked too, so that its sender learns all, but is not taken yet.
func (t *table) checkMode(m mode) error {
	refuse := func(refusal *domain.Error, line int, column string) error {
		return refusal.With(domain.Detail{File: t.file, Row: line, Column: column, Code: refusal.Code, Text: refusal.Text})
	}
	for _, r := range t.rows {
		switch {
		case m == bulk && r.get("status") != "":
			return refuse(ErrStatus, r.line, "status")
		case m == delta && r.get("status") == "":
			return refuse(ErrModified, r.line, "status")
		case m == delta && r.get("dateLastModified") == "":
			return refuse(ErrModified, r.line, "dateLastModified")
		}
	}
	if m == delta {
		return refuse(ErrDelta, 0, "")
	}
	return nil
}
