package performance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/exams"
	org "zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
	"zurnals/projections"
	"zurnals/projections/organisation"
	"zurnals/projections/performance"
	"zurnals/projections/projectiontest"
	"zurnals/projections/students"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	town             = access.Scope{Municipality: domain.MunicipalityID{UUID: id(1)}}
	school           = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(2)}}
	small            = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(3)}}
	year, smallYear  = domain.SchoolYearID{UUID: id(4)}, domain.SchoolYearID{UUID: id(5)}
	former           = domain.SchoolYearID{UUID: id(6)}
	two, six, fifth  = domain.ClassID{UUID: id(7)}, domain.ClassID{UUID: id(8)}, domain.ClassID{UUID: id(9)}
	smallClass       = domain.ClassID{UUID: id(10)}
	asked            = performance.Asked{Today: "2025-12-01"}
	stranger, nobody = pupil(11), pupil(99)
)

func pupil(n int) domain.StudentID { return domain.StudentID{UUID: uuid.UUID{14: 1, 15: byte(n)}} }

func as(r access.Role, s access.Scope) access.Actor {
	return access.Actor{Kind: domain.ActorAccount, ID: id(90), Active: access.Assignment{ID: domain.AssignmentID{UUID: id(91)}, Role: r, Scope: s}}
}

func of(s access.Scope, class domain.ClassID) access.Scope { s.Class = class; return s }

func enrolled(s access.Scope, class domain.ClassID, n int, name string) []domain.Event {
	return []domain.Event{
		roster.StudentRegistered{Student: pupil(n), School: s.School, SourceID: fmt.Sprint(n), Details: roster.Details{FamilyName: name, GivenName: "A"}},
		roster.StudentEnrolled{Student: pupil(n), School: s.School, Enrolment: roster.Enrolment{Record: fmt.Sprint(n), Class: class, From: "2025-09-01"}},
	}
}

func journal(s access.Scope, n int, year domain.SchoolYearID) roster.Source {
	return roster.Source{Journal: roster.JournalOf(pupil(n), year), Student: pupil(n), School: s.School, Year: year, System: "E-klase"}
}

func ten(item, subject, term, value string) roster.Grade {
	return roster.Grade{Item: item, Subject: subject, Title: "Darbs " + item, Term: term, Date: "2025-10-01", Scale: roster.ScaleTen, Value: value}
}

func absent(day domain.Date, lesson int, kind roster.AbsenceKind) roster.Absence {
	return roster.Absence{Lesson: roster.Lesson{Date: day, Number: lesson}, Subject: "Sports", Kind: kind}
}

// story is 6.a with five pupils, of whom all have grades in mathematics and four
// in sports; 2.a with one; and a small school beside it.
func story() []projections.Event {
	var all []domain.Event
	add := func(events ...domain.Event) { all = append(all, events...) }
	add(org.MunicipalityRegistered{Municipality: town.Municipality, Name: "Parauga novads"},
		org.SchoolRegistered{School: school.School, Municipality: town.Municipality, Name: "Parauga vidusskola"},
		org.SchoolRegistered{School: small.School, Municipality: town.Municipality, Name: "Maza skola"},
		org.SchoolYearOpened{School: school.School, Year: former, Name: "2024-2025", From: "2024-09-01", To: "2025-08-31"},
		org.SchoolYearOpened{School: school.School, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.SchoolYearOpened{School: small.School, Year: smallYear, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.ClassCreated{Class: fifth, School: school.School, Year: former, Name: "5.a", Grade: 5},
		org.ClassCreated{Class: six, School: school.School, Year: year, Name: "6.a", Grade: 6},
		org.ClassCreated{Class: two, School: school.School, Year: year, Name: "2.a", Grade: 2},
		org.ClassCreated{Class: smallClass, School: small.School, Year: smallYear, Name: "1.a", Grade: 1})
	for i, name := range []string{"Āboliņa", "Bērziņa", "Celms", "Čakste", "Dumpe"} {
		add(enrolled(school, six, i+1, name)...)
		add(roster.GradesSynced{Source: journal(school, i+1, year), Grades: []roster.Grade{ten("m1", "Matemātika", "1. semestris", fmt.Sprint(5+i))}})
		if i < 4 {
			add(roster.GradesSynced{Source: journal(school, i+1, year), Grades: []roster.Grade{ten("s1", "Sports", "1. semestris", "10")}})
		}
		add(exams.ResultRecorded{Result: exams.ResultOf(pupil(i+1), "Matemātika", "2025-11-03"), Student: pupil(i + 1), School: school.School, Exam: "Matemātika", Date: "2025-11-03", Percent: fmt.Sprintf("%d.5", 60+i)})
	}
	add(enrolled(school, two, 11, "Eglīte")...)
	add(enrolled(small, smallClass, 21, "Fišere")...)
	add(roster.GradesSynced{Source: journal(small, 21, smallYear), Grades: []roster.Grade{ten("m1", "Matemātika", "", "4")}},
		// Āboliņa: a grade put right, one taken back, and some of other scales.
		roster.GradesSynced{Source: journal(school, 1, year), Grades: []roster.Grade{ten("m1", "Matemātika", "1. semestris", "8"), ten("m2", "Matemātika", "2. semestris", "9"),
			ten("m9", "Matemātika", "2. semestris", "1"), {Item: "m3", Subject: "Matemātika", Term: "2. semestris", Scale: roster.ScalePercent, Value: "87.5"},
			{Item: "m4", Subject: "Matemātika", Term: "2. semestris", Scale: roster.ScalePass, Value: "i"}, {Item: "m5", Subject: "Matemātika", Term: "2. semestris", Scale: roster.ScaleTen, Value: "nv"}}},
		roster.GradesSynced{Source: journal(school, 1, year), Gone: []string{"m9", "never"}},
		roster.GradesSynced{Source: journal(school, 1, former), Grades: []roster.Grade{ten("o1", "Vēsture", "", "3")}},
		roster.AbsencesSynced{Source: journal(school, 1, year), Absences: []roster.Absence{
			absent("2025-10-01", 1, roster.Unexcused), absent("2025-10-01", 2, roster.Unexcused), absent("2025-10-02", 0, roster.UnknownKind), absent("2025-10-03", 1, roster.Excused)}},
		roster.AbsencesSynced{Source: journal(school, 1, year), Absences: []roster.Absence{absent("2025-10-01", 1, roster.Excused)}, Gone: []roster.Lesson{{Date: "2025-10-03", Number: 1}, {Date: "2025-10-04"}}},
		// One result is put right; one of the former year is of no interest to the summary.
		exams.ResultRecorded{Result: exams.ResultOf(pupil(1), "Matemātika", "2025-11-03"), Student: pupil(1), School: school.School, Exam: "Matemātika", Date: "2025-11-03", Percent: "80.0"},
		exams.ResultRecorded{Result: exams.ResultOf(pupil(1), "Fizika", "2025-11-04"), Student: pupil(1), School: school.School, Exam: "Fizika", Date: "2025-11-04", Percent: "33.3"},
		exams.ResultRecorded{Result: exams.ResultOf(pupil(1), "Matemātika", "2025-05-03"), Student: pupil(1), School: school.School, Exam: "Matemātika", Date: "2025-05-03", Percent: "1.0"})
	return projectiontest.Events(all...)
}

func TestRebuild(t *testing.T) {
	var mine []projections.Event
	for _, e := range story() {
		switch e.Event.(type) {
		case roster.JournalEvent, exams.ResultEvent:
			e.Position = int64(len(mine) + 1)
			mine = append(mine, e)
		}
	}
	projectiontest.Rebuild(t, performance.Projection, mine...)
}

func given(t *testing.T) *projections.DB {
	return projectiontest.Given(t, story(), performance.Projection, students.Projection, organisation.Projection)
}

func said(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A pupil by subject and term: of the own class for its teacher, and of no other;
// of any for support staff.
func TestHowAPupilDoes(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069", "EMU-070", "EMU-072", "EMU-077")
	db := given(t)
	teacher, support := as(access.ClassTeacher, of(school, six)), as(access.SupportStaff, school)
	p, err := performance.Of(t.Context(), db, teacher, of(school, six), pupil(1), asked)
	if err != nil {
		t.Fatal(err)
	}
	grade := func(item, value string) string {
		return `{"title":"Darbs ` + item + `","date":"2025-10-01","scale":"ten","value":"` + value + `","source":"E-klase"}`
	}
	other := func(scale, value string) string {
		return `{"date":null,"scale":"` + scale + `","value":"` + value + `","source":"E-klase"}`
	}
	want := `{"school_year":{"id":"` + year.String() + `","name":"2025-2026"},"student_id":"` + pupil(1).String() + `","family_name":"Āboliņa","given_name":"A","subjects":[` +
		`{"name":"Matemātika","average":8.5,"terms":[{"name":"1. semestris","average":8,"grades":[` + grade("m1", "8") + `]},` +
		`{"name":"2. semestris","average":9,"grades":[` + strings.Join([]string{grade("m2", "9"), other("percent", "87.5"), other("pass", "i"), other("ten", "nv")}, ",") + `]}]},` +
		`{"name":"Sports","average":10,"terms":[{"name":"1. semestris","average":10,"grades":[` + grade("s1", "10") + `]}]}],` +
		`"absences":{"excused":1,"unexcused":1,"unknown":1,"items":[` +
		`{"date":"2025-10-02","subject":"Sports","kind":"unknown","source":"E-klase"},` +
		`{"date":"2025-10-01","lesson":1,"subject":"Sports","kind":"excused","source":"E-klase"},` +
		`{"date":"2025-10-01","lesson":2,"subject":"Sports","kind":"unexcused","source":"E-klase"}]}}`
	if got := said(t, p); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	before := asked
	before.Year = former
	for name, c := range map[string]struct {
		by      access.Actor
		at      access.Scope
		student domain.StudentID
		ask     performance.Asked
		want    error
		has     string
	}{
		"another class":             {teacher, of(school, two), stranger, asked, access.ErrForbidden, ""},
		"a pupil of another class":  {teacher, of(school, six), stranger, asked, performance.ErrNone, ""},
		"the whole school":          {teacher, school, pupil(1), asked, access.ErrForbidden, ""},
		"another year of the class": {teacher, of(school, six), pupil(1), before, performance.ErrNone, ""},
		"another school":            {teacher, of(small, smallClass), pupil(21), asked, access.ErrElsewhere, ""},
		"the management":            {as(access.SchoolManagement, school), school, pupil(1), asked, access.ErrForbidden, ""},
		"the administrator":         {as(access.SchoolAdmin, school), school, pupil(1), asked, access.ErrForbidden, ""},
		"the municipality":          {as(access.MunicipalityAnalyst, town), school, pupil(1), asked, access.ErrForbidden, ""},
		"the instructor":            {as(access.Instructor, of(school, six)), of(school, six), pupil(1), asked, access.ErrForbidden, ""},
		"support staff":             {support, school, stranger, asked, nil, `"subjects":[]`},
		"the former year":           {support, school, pupil(1), before, nil, "Vēsture"},
		"a year of another school":  {support, school, pupil(1), performance.Asked{Year: smallYear, Today: asked.Today}, performance.ErrNone, ""},
		"a pupil of another school": {support, school, pupil(21), asked, performance.ErrNone, ""},
		"no such pupil":             {support, school, nobody, asked, performance.ErrNone, ""},
		"before there is a year":    {support, school, pupil(1), performance.Asked{Today: "2024-01-01"}, nil, `"school_year":null`},
		"after the year is over":    {teacher, of(school, six), pupil(1), performance.Asked{Today: "2026-11-01"}, nil, "Matemātika"},
	} {
		p, err := performance.Of(t.Context(), db, c.by, c.at, c.student, c.ask)
		if !errors.Is(err, c.want) || !strings.Contains(said(t, p), c.has) {
			t.Errorf("%s: %v %s", name, err, said(t, p))
		}
	}
}

// Pupils in the order of the Latvian alphabet, page by page.
func TestHowPupilsDo(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069", "EMU-070")
	db := given(t)
	list := func(by access.Actor, at access.Scope, page projections.Page) string {
		t.Helper()
		var told []string
		for {
			all, next, err := performance.Pupils(t.Context(), db, by, at, asked, page)
			if err != nil {
				return err.Error()
			}
			for _, p := range all {
				average := "–"
				if p.Average != nil {
					average = fmt.Sprint(*p.Average)
				}
				told = append(told, fmt.Sprintf("%s %s %d %s %d+%d+%d", p.FamilyName, strings.Join(p.Classes, "/"), p.Grades, average, p.Absences.Excused, p.Absences.Unexcused, p.Absences.Unknown))
			}
			if page.Cursor = next; next == "" {
				return strings.Join(told, ", ")
			}
		}
	}
	const mine = "Āboliņa 6.a 6 9 1+1+1, Bērziņa 6.a 2 8 0+0+0, Celms 6.a 2 8.5 0+0+0, Čakste 6.a 2 9 0+0+0, Dumpe 6.a 1 9 0+0+0"
	teacher, support := as(access.ClassTeacher, of(school, six)), as(access.SupportStaff, school)
	for name, c := range map[string]struct {
		by   access.Actor
		at   access.Scope
		page projections.Page
		want string
	}{
		"the own class":     {teacher, of(school, six), projections.Page{Limit: 2}, mine},
		"the whole school":  {support, school, projections.Page{Limit: 1}, mine + ", Eglīte 2.a 0 – 0+0+0"},
		"one class":         {support, of(school, two), projections.Page{}, "Eglīte 2.a 0 – 0+0+0"},
		"by name":           {support, school, projections.Page{Search: "cakste"}, "Čakste 6.a 2 9 0+0+0"},
		"a class elsewhere": {support, of(school, smallClass), projections.Page{}, performance.ErrNone.Error()},
		"another class":     {teacher, of(school, two), projections.Page{}, access.ErrForbidden.Error()},
		"the administrator": {as(access.SchoolAdmin, school), school, projections.Page{}, access.ErrForbidden.Error()},
		"the management":    {as(access.SchoolManagement, school), school, projections.Page{}, access.ErrForbidden.Error()},
		"a made-up cursor":  {support, school, projections.Page{Cursor: "WyJhIiwiYiIsImMiXQ"}, projections.ErrCursor.In("query.cursor").Error()},
	} {
		if got := list(c.by, c.at, c.page); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

// Results of exams of one pupil: for support staff alone.
func TestResultsOfAPupil(t *testing.T) {
	trace.Partly(t, "EMU-069", "EMU-072")
	db := given(t)
	all, err := performance.Results(t.Context(), db, as(access.SupportStaff, school), school, pupil(1))
	if want := `[{"exam":"Fizika","date":"2025-11-04","percentage":33.3},{"exam":"Matemātika","date":"2025-11-03","percentage":80},{"exam":"Matemātika","date":"2025-05-03","percentage":1}]`; err != nil || said(t, all) != want {
		t.Errorf("%v %s", err, said(t, all))
	}
	for name, c := range map[string]struct {
		by      access.Actor
		student domain.StudentID
		want    error
	}{
		"the class teacher":         {as(access.ClassTeacher, of(school, six)), pupil(1), access.ErrForbidden},
		"the administrator":         {as(access.SchoolAdmin, school), pupil(1), access.ErrForbidden},
		"the management":            {as(access.SchoolManagement, school), pupil(1), access.ErrForbidden},
		"a pupil of another school": {as(access.SupportStaff, school), pupil(21), performance.ErrNone},
	} {
		if _, err := performance.Results(t.Context(), db, c.by, school, c.student); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The management: classes, subjects and exams, no pupil, and nothing that is
// about fewer than five.
func TestHowASchoolDoes(t *testing.T) {
	trace.Covers(t, "EMU-066")
	db, by := given(t), as(access.SchoolManagement, school)
	s, err := performance.OfSchool(t.Context(), db, by, school, asked)
	if err != nil {
		t.Fatal(err)
	}
	// In mathematics 8 9 6 7 8 9 of five pupils; results 80 61.5 62.5 63.5 64.5.
	want := `{"school_year":{"id":"` + year.String() + `","name":"2025-2026"},"classes":[` +
		`{"id":"` + two.String() + `","name":"2.a","pupils":1,"suppressed":true,"absences":null,"subjects":[]},` +
		`{"id":"` + six.String() + `","name":"6.a","pupils":5,"suppressed":false,"absences":{"excused":1,"unexcused":1,"unknown":1},"subjects":[` +
		`{"name":"Matemātika","suppressed":false,"pupils":5,"grades":6,"average":7.83},` +
		`{"name":"Sports","suppressed":true,"pupils":null,"grades":null,"average":null}]}],` +
		`"exams":[{"exam":"Fizika","suppressed":true,"pupils":null,"percentage":null},{"exam":"Matemātika","suppressed":false,"pupils":5,"percentage":66.4}]}`
	if got := said(t, s); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	before := asked
	before.Year = former
	if s, err = performance.OfSchool(t.Context(), db, by, school, before); err != nil || len(s.Classes) != 1 || s.Classes[0].Pupils != 0 || !s.Exams[0].Suppressed {
		t.Errorf("the former year: %v %s", err, said(t, s))
	}
	if s, err = performance.OfSchool(t.Context(), db, by, school, performance.Asked{Today: "2024-01-01"}); err != nil || s.Year != nil || len(s.Classes)+len(s.Exams) != 0 {
		t.Errorf("before there is a year: %v %s", err, said(t, s))
	}
	for _, r := range []access.Role{access.ClassTeacher, access.SupportStaff, access.SchoolAdmin} {
		if _, err := performance.OfSchool(t.Context(), db, as(r, school), school, asked); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: %v", r, err)
		}
	}
	if _, err := performance.OfSchool(t.Context(), db, by, small, asked); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another school: %v", err)
	}
}

// The municipality: its schools beside each other.
func TestHowSchoolsDo(t *testing.T) {
	trace.Partly(t, "EMU-073")
	db, by := given(t), as(access.MunicipalityAnalyst, town)
	all, err := performance.OfMunicipality(t.Context(), db, by, town, asked)
	want := `[{"id":"` + small.School.String() + `","name":"Maza skola","suppressed":true,"pupils":null,"grades":null,"average":null,"absences":null,"exams":[]},` +
		`{"id":"` + school.School.String() + `","name":"Parauga vidusskola","suppressed":false,"pupils":5,"grades":10,"average":8.7,"absences":{"excused":1,"unexcused":1,"unknown":1},` +
		`"exams":[{"exam":"Fizika","suppressed":true,"pupils":null,"percentage":null},{"exam":"Matemātika","suppressed":false,"pupils":5,"percentage":66.4}]}]`
	if got := said(t, all); err != nil || got != want {
		t.Errorf("%v %s\nwant\n%s", err, got, want)
	}
	if _, err := performance.OfMunicipality(t.Context(), db, as(access.MunicipalityAdmin, town), town, asked); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("who manages the users of the municipality: %v", err)
	}
	if _, err := performance.OfMunicipality(t.Context(), db, by, access.Scope{Municipality: domain.MunicipalityID{UUID: id(99)}}, asked); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another municipality: %v", err)
	}
}

// Of somebody whose data was erased nothing is known any more.
func TestNothingIsKnownOfWhomIsErased(t *testing.T) {
	events := story()
	for i := range events {
		events[i].Erased = true
		switch e := events[i].Event.(type) {
		case roster.StudentRegistered:
			events[i].Erased = false
		case roster.GradesSynced:
			for j := range e.Grades {
				e.Grades[j].Value = ""
			}
		case roster.AbsencesSynced:
			for j := range e.Absences {
				e.Absences[j].Kind = ""
			}
		case exams.ResultRecorded:
			e.Percent = ""
			events[i].Event = e
		}
	}
	db := projectiontest.Given(t, events, performance.Projection, students.Projection, organisation.Projection)
	p, err := performance.Of(t.Context(), db, as(access.SupportStaff, school), school, pupil(1), asked)
	if err != nil || len(p.Subjects)+len(p.Absences.Items) != 0 {
		t.Errorf("%v %s", err, said(t, p))
	}
	if all, err := performance.Results(t.Context(), db, as(access.SupportStaff, school), school, pupil(1)); err != nil || len(all) != 0 {
		t.Errorf("%v %s", err, said(t, all))
	}
}
