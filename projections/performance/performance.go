// Package performance is the read model of how pupils do (Skolēnu sekmes):
// grades (sekmes) and absences (kavējumi) as the e-journal has them, and results
// of exams. Class teachers and support staff see pupils, the management and the
// municipality what they add up to. An absence from here is never added to what
// attendance registers say (C-15).
package performance

import (
	_ "embed"
	"strings"

	"zurnals/domain"
	"zurnals/domain/exams"
	"zurnals/domain/roster"
	"zurnals/projections"
)

//go:embed performance.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "performance", Version: 1, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(gradesSynced),
		projections.On(absencesSynced),
		projections.On(resultRecorded),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Grades   *projections.Table[gradeKey, gradeRow]
	Absences *projections.Table[absenceKey, absenceRow]
	Totals   *projections.Table[totalKey, totalRow]
	Results  *projections.Table[resultKey, resultRow]
}

type (
	gradeKey struct {
		Student domain.StudentID
		Year    domain.SchoolYearID
		Item    string
	}
	gradeRow struct {
		Subject, Title, Term string
		Day                  domain.Date
		Scale                roster.Scale
		Value                string
		Tenths               int32
		Source               string
	}

	absenceKey struct {
		Student domain.StudentID
		Year    domain.SchoolYearID
		Day     domain.Date
		Lesson  int32
	}
	absenceRow struct {
		Subject string
		Kind    roster.AbsenceKind
		Source  string
	}

	totalKey struct {
		Student domain.StudentID
		Year    domain.SchoolYearID
	}
	totalRow struct {
		School                      domain.SchoolID
		Grades, Tens, Tenths        int32
		Excused, Unexcused, Unknown int32
	}

	resultKey struct{ Result domain.ExamResultID }
	resultRow struct {
		Student domain.StudentID
		School  domain.SchoolID
		Exam    string
		Day     domain.Date
		Tenths  int32
	}
)

func tables(s *projections.Set) *Tables {
	type cols = []projections.Column
	return &Tables{
		Grades: projections.NewTable(s, "grade",
			func(k *gradeKey) cols {
				return cols{projections.ColID("student", &k.Student), projections.ColID("year", &k.Year), projections.ColText("item", &k.Item)}
			},
			func(r *gradeRow) cols {
				return cols{
					projections.ColText("subject", &r.Subject), projections.ColText("title", &r.Title), projections.ColText("term", &r.Term),
					projections.ColDay("day", &r.Day), projections.ColText("scale", &r.Scale), projections.ColText("value", &r.Value),
					projections.ColInt("tenths", &r.Tenths), projections.ColText("source", &r.Source),
				}
			}),
		Absences: projections.NewTable(s, "absence",
			func(k *absenceKey) cols {
				return cols{
					projections.ColID("student", &k.Student), projections.ColID("year", &k.Year),
					projections.ColDay("day", &k.Day), projections.ColInt("lesson", &k.Lesson),
				}
			},
			func(r *absenceRow) cols {
				return cols{projections.ColText("subject", &r.Subject), projections.ColText("kind", &r.Kind), projections.ColText("source", &r.Source)}
			}),
		Totals: projections.NewTable(s, "total",
			func(k *totalKey) cols {
				return cols{projections.ColID("student", &k.Student), projections.ColID("year", &k.Year)}
			},
			func(r *totalRow) cols {
				return cols{
					projections.ColID("school", &r.School), projections.ColInt("grades", &r.Grades), projections.ColInt("tens", &r.Tens),
					projections.ColInt("tenths", &r.Tenths), projections.ColInt("excused", &r.Excused),
					projections.ColInt("unexcused", &r.Unexcused), projections.ColInt("unknown", &r.Unknown),
				}
			}),
		Results: projections.NewTable(s, "exam_result",
			func(k *resultKey) cols { return cols{projections.ColID("result", &k.Result)} },
			func(r *resultRow) cols {
				return cols{
					projections.ColID("student", &r.Student), projections.ColID("school", &r.School), projections.ColText("exam", &r.Exam),
					projections.ColDay("day", &r.Day), projections.ColInt("tenths", &r.Tenths),
				}
			}),
	}
}

func gradesSynced(t *Tables, e roster.GradesSynced, m projections.Meta) {
	total := t.total(e.Source)
	for _, item := range e.Gone {
		k := gradeKey{e.Student, e.Year, item}
		if old, ok := t.Grades.Get(k); ok {
			total.grade(old, -1)
			t.Grades.Delete(k)
		}
	}
	for _, g := range e.Grades {
		if m.Erased { // how the pupil did is no longer known
			break
		}
		k := gradeKey{e.Student, e.Year, g.Item}
		if old, ok := t.Grades.Get(k); ok {
			total.grade(old, -1)
		}
		row := gradeRow{g.Subject, g.Title, g.Term, g.Date, g.Scale, g.Value, tenths(g), e.System}
		total.grade(row, 1)
		t.Grades.Put(k, row)
	}
	t.Totals.Put(totalKey{e.Student, e.Year}, total)
}

func absencesSynced(t *Tables, e roster.AbsencesSynced, m projections.Meta) {
	total := t.total(e.Source)
	for _, l := range e.Gone {
		k := absenceKey{e.Student, e.Year, l.Date, int32(l.Number)}
		if old, ok := t.Absences.Get(k); ok {
			total.absence(old, -1)
			t.Absences.Delete(k)
		}
	}
	for _, a := range e.Absences {
		if m.Erased {
			break
		}
		k := absenceKey{e.Student, e.Year, a.Date, int32(a.Number)}
		if old, ok := t.Absences.Get(k); ok {
			total.absence(old, -1)
		}
		row := absenceRow{a.Subject, a.Kind, e.System}
		total.absence(row, 1)
		t.Absences.Put(k, row)
	}
	t.Totals.Put(totalKey{e.Student, e.Year}, total)
}

func resultRecorded(t *Tables, e exams.ResultRecorded, m projections.Meta) {
	percent, err := exams.ParsePercent(e.Percent)
	if m.Erased || err != nil {
		return
	}
	t.Results.Put(resultKey{e.Result}, resultRow{e.Student, e.School, e.Exam, e.Date, int32(percent)})
}

// total returns what a pupil's journal adds up to so far.
func (t *Tables) total(of roster.Source) totalRow {
	total, _ := t.Totals.Get(totalKey{of.Student, of.Year})
	total.School = of.School
	return total
}

// grade counts a grade n times.
func (r *totalRow) grade(g gradeRow, n int32) {
	r.Grades += n
	if g.Scale == roster.ScaleTen && g.Tenths >= 0 {
		r.Tens += n
		r.Tenths += n * g.Tenths
	}
}

// absence counts an absence n times.
func (r *totalRow) absence(a absenceRow, n int32) {
	switch a.Kind {
	case roster.Excused:
		r.Excused += n
	case roster.Unexcused:
		r.Unexcused += n
	case roster.UnknownKind:
		r.Unknown += n
	}
}

// tenths returns the value of a grade that is a number, and -1 of another.
func tenths(g roster.Grade) int32 {
	if g.Scale == roster.ScalePass {
		return -1
	}
	n, err := exams.ParsePercent(g.Value) // what is written so, whatever it is of
	if err != nil {
		return -1
	}
	return int32(n)
}
