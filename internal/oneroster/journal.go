package oneroster

import (
	"slices"
	"strconv"
	"strings"

	"zurnals/domain"
)

// A Grade is one assessment of a pupil.
type Grade struct {
	Item                 string // id of what was graded
	Year                 string // id of the Year
	Subject, Title, Term string
	Date                 domain.Date // may be empty
	Scale                string      // ten, percent or pass
	Value                string      // 1 to 10; 0 to 100 with at most one decimal; i or ni; on any scale nv
}

// An Absence is a lesson that a pupil was not in.
type Absence struct {
	Year    string // id of the Year
	Date    domain.Date
	Lesson  int // its number on that day, 0 for none
	Subject string
	Kind    string // excused, unexcused or unknown
}

// Bounds of what one pupil may have in one school year.
const (
	MaxGrades   = 600
	MaxAbsences = 1500

	maxLesson = 20 // of a day
)

// Scales and values of grades.
const (
	scaleTen, scalePercent, scalePass = "ten", "percent", "pass"

	passed, failed, noValue = "i", "ni", "nv"
)

// words are values of grades that are no numbers.
var words = map[string]string{
	"i": passed, "ieskaitīts": passed, "ni": failed, "neieskaitīts": failed, "nv": noValue, "n/v": noValue,
}

// kinds are the words for kinds of absences.
var kinds = map[string]string{
	"excused": "excused", "attaisnots": "excused", "unexcused": "unexcused", "neattaisnots": "unexcused",
	"unknown": "unknown", "nezināms": "unknown", "": "unknown",
}

// subject returns what is taught in a class or course: as it says, or else its title.
func subject(r row) string {
	for _, name := range append(list(r.get("subjects")), r.get("title")) {
		if line, err := domain.Line(name, maxTitle); err == nil {
			return line
		}
	}
	return ""
}

// A lineItem is what pupils are graded for, such as a test.
type lineItem struct {
	Grade      // of a pupil, but for the value
	here       bool
	wrong      bool
	only       string // the scale that numbers are of
	gradedHere map[int]bool
}

// readGrades reads what was graded, and how.
func (s *reading) readGrades(lineItems, results *table) {
	items, seen := make(map[string]*lineItem), make(map[string]bool)
	for _, r := range lineItems.rows {
		if id, ok := s.sourceID(r, seen); ok {
			items[id] = s.lineItem(r, id)
		}
	}
	seen = make(map[string]bool)
	many := make(map[inYear]int)
	for _, r := range results.rows {
		_, ok := s.sourceID(r, seen)
		student, here := s.pupilOf(r)
		item := items[r.get("lineItemSourcedId")]
		switch {
		case !here:
			continue
		case item != nil && !item.here:
			s.OtherSchools++
			continue
		case !ok:
		case item == nil:
			s.fail(r, "lineItemSourcedId", codeReference)
		case item.wrong: // told with the line item
		case item.gradedHere[student]:
			s.fail(r, "lineItemSourcedId", codeDuplicate)
		case many[inYear{student, item.Year}] == MaxGrades:
			s.fail(r, "studentSourcedId", codeTooMany)
		default:
			item.gradedHere[student] = true
			g, good, none := s.grade(r, item)
			if good && !none {
				many[inYear{student, item.Year}]++
				s.Students[student].Grades = append(s.Students[student].Grades, g)
				if !slices.Contains(s.GradedYears, g.Year) {
					s.GradedYears = append(s.GradedYears, g.Year)
				}
			}
			if good {
				continue
			}
		}
		s.Students[student].GradesPartial = true
	}
}

// inYear is a pupil in a school year.
type inYear struct {
	student int
	year    string
}

// lineItem reads what pupils of a class are graded for.
func (s *reading) lineItem(r row, id string) *lineItem {
	item := &lineItem{gradedHere: make(map[int]bool)}
	class, known := s.groups[r.get("classSourcedId")]
	if item.here = !known || class.here; !item.here {
		s.OtherSchools++
		return item
	}
	item.wrong = !known || class.wrong
	if !known {
		s.fail(r, "classSourcedId", codeReference)
	}
	period := r.get("gradingPeriodSourcedId")
	item.Item, item.Subject, item.Year, item.Term = id, class.subject, s.years[period], s.terms[period]
	if item.Year == "" {
		s.fail(r, "gradingPeriodSourcedId", codeReference)
		item.wrong = true
	}
	var ok bool
	if item.Title, ok = s.line(r, "title", maxTitle, false); !ok {
		item.wrong = true
	}
	switch most, ok := tenths(r.get("resultValueMax")); {
	case r.get("resultValueMax") == "", ok && most == 100:
		item.only = scaleTen
	case ok && most == 1000:
		item.only = scalePercent
	case ok && most == 10:
		item.only = scalePass
	default:
		s.fail(r, "resultValueMax", codeValue)
		item.wrong = true
	}
	return item
}

// grade reads how a pupil did. There may be none yet.
func (s *reading) grade(r row, item *lineItem) (g Grade, good, none bool) {
	g = item.Grade
	date, ok := s.date(r, "scoreDate", false)
	if !ok {
		return g, false, false
	}
	g.Date, g.Scale = date, item.only
	score := r.get("score")
	switch status := strings.ToLower(r.get("scoreStatus")); {
	case status == "":
		s.fail(r, "scoreStatus", codeRequired)
		return g, false, false
	case !slices.Contains([]string{"exempt", "fully graded", "not submitted", "partially graded", "submitted"}, status):
		s.fail(r, "scoreStatus", codeValue)
		return g, false, false
	case score == "" && status == "submitted":
		return g, true, true
	case score == "" && (status == "exempt" || status == "not submitted"):
		g.Value = noValue
		return g, true, false
	case score == "":
		s.fail(r, "score", codeRequired)
		return g, false, false
	}
	if word, ok := words[plain(score)]; ok {
		if g.Value = word; word != noValue {
			g.Scale = scalePass
		}
		return g, true, false
	}
	if g.Value, ok = number(score, item.only); !ok {
		s.fail(r, "score", codeValue)
	}
	return g, ok, false
}

// plain returns a word in the form in which words are compared.
func plain(v string) string {
	line, err := domain.Line(v, maxName)
	if v != "" && err != nil {
		return "?" // no word at all
	}
	return strings.ToLower(line)
}

// number returns a number as a value of a scale.
func number(v, scale string) (string, bool) {
	n, ok := tenths(v)
	switch {
	case !ok:
	case scale == scaleTen && n%10 == 0 && 10 <= n && n <= 100:
		return strconv.Itoa(n / 10), true
	case scale == scalePercent && n <= 1000 && n%10 == 0:
		return strconv.Itoa(n / 10), true
	case scale == scalePercent && n <= 1000:
		return strconv.Itoa(n/10) + "." + strconv.Itoa(n%10), true
	case scale == scalePass && n == 10:
		return passed, true
	case scale == scalePass && n == 0:
		return failed, true
	}
	return "", false
}

// tenths reads a number such as 7, 7.00 or 87,5, with at most one decimal that
// is not zero.
func tenths(v string) (int, bool) {
	whole, decimals, _ := strings.Cut(strings.Replace(v, ",", ".", 1), ".")
	if decimals = strings.TrimRight(decimals, "0"); decimals == "" {
		decimals = "0"
	}
	if len(whole) < 1 || len(whole) > 4 || len(decimals) > 1 || strings.Trim(whole+decimals, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(whole + decimals)
	return n, err == nil
}

// pupilOf returns the pupil of this school that a row is about. Whom the file
// does not have is told.
func (s *reading) pupilOf(r row) (student int, here bool) {
	id := r.get("studentSourcedId")
	u, known := s.users[id]
	switch {
	case known && u.index >= 0:
		return u.index, true
	case s.damaged[id]: // told with the row of the user
	case known && !u.here:
		s.OtherSchools++
	default:
		s.fail(r, "studentSourcedId", codeReference)
	}
	return 0, false
}

// readAbsences reads which lessons pupils were not in.
func (s *reading) readAbsences(t *table) {
	type lesson struct {
		student, number int
		date            domain.Date
	}
	seen, many := make(map[lesson]bool), make(map[inYear]int)
	for _, r := range t.rows {
		student, here := s.pupilOf(r)
		if !here {
			continue
		}
		a, good := s.absence(r)
		key := lesson{student, a.Lesson, a.Date}
		switch {
		case !good:
		case seen[key]:
			s.fail(r, "lesson", codeDuplicate)
			good = false
		case many[inYear{student, a.Year}] == MaxAbsences:
			s.fail(r, "studentSourcedId", codeTooMany)
			good = false
		}
		if !good {
			s.Students[student].AbsencesPartial = true
			continue
		}
		seen[key] = true
		many[inYear{student, a.Year}]++
		s.Students[student].Absences = append(s.Students[student].Absences, a)
		if !slices.Contains(s.AbsenceYears, a.Year) {
			s.AbsenceYears = append(s.AbsenceYears, a.Year)
		}
	}
}

// absence reads one row about a pupil.
func (s *reading) absence(r row) (a Absence, good bool) {
	if r.ragged {
		s.fail(r, "", codeFields)
		return a, false
	}
	date, ok1 := s.date(r, "date", true)
	if year := slices.IndexFunc(s.Years, func(y Year) bool { return y.From <= date && date <= y.To }); ok1 && year < 0 {
		s.fail(r, "date", codeValue) // in no school year of the file
		ok1 = false
	} else if ok1 {
		a.Date, a.Year = date, s.Years[year].SourceID
	}
	ok2 := true
	if v := r.get("lesson"); v != "" {
		n, ok := tenths(v)
		if ok2 = ok && n%10 == 0 && 10 <= n && n <= 10*maxLesson; !ok2 {
			s.fail(r, "lesson", codeValue)
		}
		a.Lesson = n / 10
	}
	var ok3, known bool
	a.Subject, ok3 = s.line(r, "subject", maxTitle, false)
	if a.Kind, known = kinds[plain(r.get("kind"))]; !known {
		s.warn(r, "kind", "oneroster.absence_kind")
		a.Kind = "unknown"
	}
	return a, ok1 && ok2 && ok3
}
