package oneroster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"zurnals/domain"
)

// A layout is the columns that a file must have, and those that it may have.
type layout struct{ required, optional []string }

var (
	always = []string{"sourcedId", "status", "dateLastModified"}

	sessionColumns = layout{
		[]string{"sourcedId", "title", "type", "startDate", "endDate"},
		[]string{"parentSourcedId", "schoolYear"},
	}
	orgColumns = layout{
		[]string{"sourcedId", "name", "type"},
		[]string{"identifier", "parentSourcedId"},
	}
	classColumns = layout{
		[]string{"sourcedId", "title", "classType", "schoolSourcedId", "termSourcedIds"},
		[]string{"grades", "courseSourcedId", "classCode", "location", "subjects", "subjectCodes", "periods"},
	}
	courseColumns = layout{
		[]string{"sourcedId", "title"},
		[]string{"schoolYearSourcedId", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"},
	}
	userColumns = layout{
		[]string{"sourcedId", "orgSourcedIds", "role", "givenName", "familyName", "identifier"},
		[]string{"enabledUser", "username", "userIds", "middleName", "email", "sms", "phone", "agentSourcedIds", "grades", "password"},
	}
	enrolmentColumns = layout{
		[]string{"sourcedId", "classSourcedId", "schoolSourcedId", "userSourcedId", "role"},
		[]string{"primary", "beginDate", "endDate"},
	}
	lineItemColumns = layout{
		[]string{"sourcedId", "title", "classSourcedId", "gradingPeriodSourcedId"},
		[]string{"description", "assignDate", "dueDate", "categorySourcedId", "resultValueMin", "resultValueMax"},
	}
	resultColumns = layout{
		[]string{"sourcedId", "lineItemSourcedId", "studentSourcedId", "scoreStatus", "score", "scoreDate"},
		[]string{"comment"},
	}
	absenceColumns = layout{
		[]string{"studentSourcedId", "date", "kind"},
		[]string{"lesson", "subject"},
	}
)

// A table is one CSV file.
type table struct {
	file    string
	columns map[string]int // by name in lower case
	rows    []row
	unknown []string // columns that OneRoster does not have
}

// A row is one line of a table.
type row struct {
	table  *table
	line   int
	values []string
	ragged bool // it has another number of values than the heading
}

// get returns a value without spaces around it; empty if the file has no such
// column.
func (r row) get(column string) string {
	i, ok := r.table.columns[strings.ToLower(column)]
	if !ok || i >= len(r.values) {
		return ""
	}
	return strings.TrimSpace(r.values[i])
}

// problem returns what is wrong with a value.
func (r row) problem(field, code string) Problem {
	return Problem{File: r.table.file, Row: r.line, Field: field, Code: code}
}

// parse reads a CSV file. Names of columns are compared without case; columns
// called metadata.… may be added by anybody, and are dropped.
func parse(file string, content []byte, want layout) (*table, error) {
	content = bytes.TrimPrefix(content, []byte("\uFEFF"))
	refuse := func(refusal *domain.Error, line int, column, format string, args ...any) error {
		return refusal.With(domain.Detail{File: file, Row: line, Column: column, Code: refusal.Code, Text: fmt.Sprintf(format, args...)})
	}
	if i := invalid(content); i >= 0 {
		return nil, refuse(ErrCSV, 1+bytes.Count(content[:i], []byte("\n")), "", "is not UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord, r.ReuseRecord = -1, false
	heading, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, refuse(ErrHeader, 1, want.required[0], "the file is empty")
	}
	if err == nil && len(heading) > maxColumns {
		return nil, refuse(ErrHeader, 1, "", "has more than %d columns", maxColumns)
	}
	t := &table{file: file, columns: make(map[string]int)}
	for i, name := range heading {
		name = strings.TrimSpace(name)
		lower := strings.ToLower(name)
		if _, twice := t.columns[lower]; twice {
			return nil, refuse(ErrHeader, 1, shown(name), "stands there twice")
		}
		t.columns[lower] = i
		if !want.has(lower) && !strings.HasPrefix(lower, "metadata.") {
			t.unknown = append(t.unknown, shown(name))
		}
	}
	for _, name := range want.required {
		if _, ok := t.columns[strings.ToLower(name)]; !ok && err == nil {
			return nil, refuse(ErrHeader, 1, name, "is missing")
		}
	}
	for err == nil {
		var values []string
		if values, err = r.Read(); err != nil {
			break
		}
		line, _ := r.FieldPos(0)
		if len(t.rows) == maxRows {
			return nil, refuse(ErrTooLarge, line, "", "has more than %d rows", maxRows)
		}
		for i, v := range values {
			if len(v) > maxValue {
				return nil, refuse(ErrTooLarge, line, at(heading, i), "has more than %d bytes", maxValue)
			}
		}
		for len(values) > len(heading) && values[len(values)-1] == "" { // some exports put commas at the end
			values = values[:len(values)-1]
		}
		t.rows = append(t.rows, row{t, line, values, len(values) != len(heading)})
	}
	var damaged *csv.ParseError
	if errors.As(err, &damaged) {
		return nil, refuse(ErrCSV, damaged.Line, "", "a quotation mark is out of place")
	}
	return t, nil
}

func (l layout) has(lower string) bool {
	for _, names := range [][]string{always, l.required, l.optional} {
		if slices.ContainsFunc(names, func(name string) bool { return strings.ToLower(name) == lower }) {
			return true
		}
	}
	return false
}

func at(heading []string, i int) string {
	if i < len(heading) {
		return shown(heading[i])
	}
	return ""
}

// invalid returns where content stops being UTF-8, or -1.
func invalid(content []byte) int {
	if utf8.Valid(content) {
		return -1
	}
	for i := 0; i < len(content); {
		r, n := utf8.DecodeRune(content[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
