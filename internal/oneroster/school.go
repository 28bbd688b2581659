package oneroster

import (
	"slices"
	"strings"

	"zurnals/domain"
)

// A School is what an archive says about one school.
type School struct {
	Name     string
	Years    []Year
	Classes  []Group // homeroom: klases
	Courses  []Group // scheduled: mācību grupas
	Students []Student

	// System is what the source of grades and absences calls itself. The years
	// are those that the file has grades or absences of: of others it says
	// nothing.
	System                    string
	GradedYears, AbsenceYears []string

	// Damaged are the pupils whose own row is wrong. They are not in Students,
	// and are not missing either.
	Damaged []string

	Errors, Warnings int
	Problems         []Problem // the first errors, then the first warnings

	OtherSchools int // rows of other schools
	OtherRoles   int // rows of teachers and others
}

// A Year is a school year; both days are part of it.
type Year struct {
	SourceID string
	From, To domain.Date
	row      row
}

// A Group is a class or a course.
type Group struct {
	SourceID, Title string
	Year            string // id of the Year; a course may be of none
	row             row
}

// A Student is a pupil.
type Student struct {
	SourceID              string
	GivenName, FamilyName string
	PersonalCode          domain.PersonalCode
	Grade                 string
	Enrolments            []Enrolment
	Partial               bool // some row about the enrolments is wrong

	Grades          []Grade
	GradesPartial   bool // some row about the grades is wrong
	Absences        []Absence
	AbsencesPartial bool // some row about the absences is wrong
}

// An Enrolment is a time in a group, from From until the day before Until.
// Either may be empty.
type Enrolment struct {
	SourceID    string
	Group       string // id of a class or a course
	From, Until domain.Date
}

// Bounds of values.
const (
	maxID    = 200
	maxName  = 100
	maxTitle = 200
	maxGrade = 10

	maxProblems = 1000 // of each kind, kept

	// MaxEnrolments is how many one pupil may have.
	MaxEnrolments = 200
)

// Problem returns what is wrong with a group as a whole: for who gives groups
// their meaning, such as a name that a class must have.
func (g Group) Problem(field, code string, warning bool) Problem {
	p := g.row.problem(field, code)
	p.Warning = warning
	return p
}

// Problem returns what is wrong with a school year as a whole.
func (y Year) Problem(field, code string) Problem { return y.row.problem(field, code) }

// School returns what the archive says about the school with a source id. It
// is refused if there is no such school in it; rows of others are counted only.
func (a *Archive) School(sourceID string) (*School, error) {
	s := &reading{School: &School{System: a.system}, id: sourceID, groups: make(map[string]place), damaged: make(map[string]bool)}
	if err := s.orgs(a.orgs); err != nil {
		return nil, err
	}
	for _, p := range a.warnings {
		s.note(p)
	}
	for _, t := range []*table{a.sessions, a.orgs, a.classes, a.courses, a.users, a.enrolments, a.lineItems, a.results, a.absences} {
		for _, column := range t.unknown {
			s.warn(row{table: t, line: 1}, column, "oneroster.column_unknown")
		}
	}
	s.sessions(a.sessions)
	s.classes(a.classes)
	s.readUsers(a.users)
	s.enrol(a.enrolments)
	s.readGrades(a.lineItems, a.results)
	s.readAbsences(a.absences)
	for i, student := range s.Students {
		if !student.Partial && !slices.ContainsFunc(student.Enrolments, func(e Enrolment) bool { return s.groups[e.Group].class }) {
			s.warn(s.rows[i], "sourcedId", "roster.no_class")
		}
	}
	s.Problems = append(s.errors, s.warnings...)
	return s.School, nil
}

// reading is a School being read.
type reading struct {
	*School
	id               string
	schools          map[string]bool   // all organisations, true if it is this one
	years            map[string]string // id of the year that a session is in, by id of the session
	terms            map[string]string // title of a session that is no school year, by its id
	groups           map[string]place
	users            map[string]user
	rows             []row // of Students
	damaged          map[string]bool
	errors, warnings []Problem
}

// A place is where a class or course of the file is.
type place struct {
	here, class, wrong bool
	subject            string // of what is graded in it
}

// A user is one of the file.
type user struct {
	index int // in Students, -1 if not there
	here  bool
}

func (s *reading) fail(r row, field, code string) { s.note(r.problem(field, code)) }

func (s *reading) warn(r row, field, code string) {
	p := r.problem(field, code)
	p.Warning = true
	s.note(p)
}

// note counts a problem and keeps it, if there are not too many.
func (s *reading) note(p Problem) {
	count, kept := &s.Errors, &s.errors
	if p.Warning {
		count, kept = &s.Warnings, &s.warnings
	}
	if *count++; len(*kept) < maxProblems {
		*kept = append(*kept, p)
	}
}

// Codes of problems with a value.
const (
	codeRequired  = "oneroster.required"
	codeValue     = "oneroster.value"
	codeDuplicate = "oneroster.duplicate"
	codeReference = "oneroster.reference"
	codeFields    = "oneroster.fields"
	codeTooMany   = "oneroster.too_many"
)

// line returns a value as a line of text.
func (s *reading) line(r row, field string, max int, needed bool) (string, bool) {
	v := r.get(field)
	if v == "" && !needed {
		return "", true
	}
	line, err := domain.Line(v, max)
	switch {
	case v == "":
		s.fail(r, field, codeRequired)
	case err != nil:
		s.fail(r, field, codeValue)
	}
	return line, err == nil
}

// sourceID returns the id of a row, which no row before it has.
func (s *reading) sourceID(r row, seen map[string]bool) (string, bool) {
	if r.ragged {
		s.fail(r, "", codeFields)
		return "", false
	}
	id, ok := s.line(r, "sourcedId", maxID, true)
	if ok && seen[id] {
		s.fail(r, "sourcedId", codeDuplicate)
		ok = false
	}
	seen[id] = true
	return id, ok
}

func (s *reading) date(r row, field string, needed bool) (domain.Date, bool) {
	v := r.get(field)
	if v == "" {
		if needed {
			s.fail(r, field, codeRequired)
		}
		return "", !needed
	}
	d, err := domain.ParseDate(v)
	if err != nil {
		s.fail(r, field, codeValue)
	}
	return d, err == nil
}

// list returns the ids in a value such as "s1,s2".
func list(v string) (ids []string) {
	for id := range strings.SplitSeq(v, ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *reading) orgs(t *table) error {
	s.schools = make(map[string]bool)
	seen := make(map[string]bool)
	for _, r := range t.rows {
		id, ok := s.sourceID(r, seen)
		if !ok {
			continue
		}
		s.schools[id] = id == s.id
		if id != s.id {
			continue
		}
		if r.get("type") != "school" {
			return ErrNotSchool.With(domain.Detail{File: t.file, Row: r.line, Column: "type", Code: ErrNotSchool.Code, Text: ErrNotSchool.Text})
		}
		s.Name, _ = s.line(r, "name", maxTitle, true)
	}
	if s.id == "" || !s.schools[s.id] {
		return ErrForeign.With(domain.Detail{File: t.file, Column: "sourcedId", Code: ErrForeign.Code, Text: ErrForeign.Text})
	}
	return nil
}

// sessions finds the school years and which of them each term is in: the one
// above it, or else the one of the same schoolYear, or else the only one.
func (s *reading) sessions(t *table) {
	seen, rows := make(map[string]bool), make(map[string]row)
	years, byNumber := make(map[string]bool), make(map[string]string)
	for _, r := range t.rows {
		id, ok := s.sourceID(r, seen)
		if !ok {
			continue
		}
		if rows[id] = r; r.get("type") != "schoolYear" {
			continue
		}
		from, ok1 := s.date(r, "startDate", true)
		to, ok2 := s.date(r, "endDate", true)
		switch {
		case !ok1 || !ok2:
		case to <= from:
			s.fail(r, "endDate", codeValue)
		default:
			s.Years = append(s.Years, Year{SourceID: id, From: from, To: to, row: r})
			years[id], byNumber[r.get("schoolYear")] = true, id
		}
	}
	s.years, s.terms = make(map[string]string), make(map[string]string)
	for id, r := range rows {
		if !years[id] {
			s.terms[id], _ = domain.Line(r.get("title"), maxTitle)
		}
		up := id
		for depth := 0; depth < 5 && up != "" && !years[up]; depth++ {
			above, ok := rows[up]
			if up = ""; ok {
				up = above.get("parentSourcedId")
			}
		}
		if !years[up] {
			up = ""
			if n := r.get("schoolYear"); n != "" {
				up = byNumber[n]
			}
		}
		if up == "" && len(s.Years) == 1 {
			up = s.Years[0].SourceID
		}
		s.years[id] = up
	}
}

func (s *reading) classes(t *table) {
	seen := make(map[string]bool)
	for _, r := range t.rows {
		id, ok := s.sourceID(r, seen)
		if !ok {
			continue
		}
		school := r.get("schoolSourcedId")
		kind := r.get("classType")
		p := place{here: school == s.id, class: kind == "homeroom"}
		if here, known := s.schools[school]; !known {
			s.fail(r, "schoolSourcedId", codeReference)
			p.here, p.wrong = true, true
		} else if !here {
			s.OtherSchools++
		} else {
			p.wrong = !s.group(r, id, kind)
			p.subject = subject(r)
		}
		s.groups[id] = p
	}
}

func (s *reading) group(r row, id, kind string) bool {
	title, ok := s.line(r, "title", maxTitle, true)
	g := Group{SourceID: id, Title: title, row: r}
	for _, term := range list(r.get("termSourcedIds")) {
		if g.Year = s.years[term]; g.Year != "" {
			break
		}
	}
	switch kind {
	case "scheduled":
		if ok {
			s.Courses = append(s.Courses, g)
		}
		return ok
	case "homeroom":
	default:
		s.fail(r, "classType", codeValue)
		return false
	}
	if g.Year == "" {
		s.fail(r, "termSourcedIds", codeReference)
		return false
	}
	if ok {
		s.Classes = append(s.Classes, g)
	}
	return ok
}
