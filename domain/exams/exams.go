// Package exams is how pupils did in the state's exams (valsts pārbaudes darbi).
// Whoever runs the exams delivers the results; the school only has them.
package exams

import (
	"fmt"
	"strconv"
	"strings"

	"zurnals/domain"
)

// ExamMax is how many characters the name of an exam may have.
const ExamMax = 200

// Refusals of a result.
var (
	ErrPercent = domain.Refuse(domain.Invalid, "exams.percent", "not a percentage from 0 to 100 with at most one decimal")
	ErrFuture  = domain.Refuse(domain.Invalid, "exams.future", "the exam has not been yet")
	ErrNoOne   = domain.Refuse(domain.NotFound, "exams.no_student", "the school has no such student")
)

// A Percent is in tenths: 875 is 87.5 %.
type Percent int

// ParsePercent reads a percentage such as 87.5, 87,5 or 87, with or without the
// sign behind it.
func ParsePercent(s string) (Percent, error) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	whole, decimal, found := strings.Cut(strings.Replace(s, ",", ".", 1), ".")
	if !found {
		decimal = "0"
	}
	if len(whole) < 1 || len(whole) > 3 || len(decimal) != 1 || strings.Trim(whole+decimal, "0123456789") != "" {
		return 0, ErrPercent
	}
	n, err := strconv.Atoi(whole + decimal)
	if err != nil || n > 1000 {
		return 0, ErrPercent
	}
	return Percent(n), nil
}

// String returns the percentage with its decimal, such as 87.5.
func (p Percent) String() string { return fmt.Sprintf("%d.%d", p/10, p%10) }

// A ResultCommand asks a result for something.
//
//sumtype:decl
type ResultCommand interface{ resultCommand() }

// RecordResult has a pupil reach a percentage in an exam on a day.
type RecordResult struct {
	Result  domain.ExamResultID
	Student domain.StudentID
	School  domain.SchoolID // that the pupil is of
	Exam    string
	Date    domain.Date
	Percent Percent
}

func (RecordResult) resultCommand() {}

// ResultOf returns the id of a result: a pupil has one of an exam on a day.
func ResultOf(student domain.StudentID, exam string, date domain.Date) domain.ExamResultID {
	return domain.DerivedID[domain.ExamResultID](student.UUID, string(date)+" "+exam)
}

// A Result is what decisions need to know of a result.
type Result struct {
	student domain.StudentID
	percent string
}

// Results decides for results.
var Results = domain.Decider[Result, ResultCommand, ResultEvent]{
	Category: "exam_result",
	Decide:   Result.decide,
	Evolve:   Result.evolve,
}

// decide: the same result again is nothing new, another percentage corrects it.
func (r Result) decide(cmd ResultCommand) ([]ResultEvent, error) {
	record, ok := cmd.(RecordResult)
	switch {
	case !ok:
		return nil, fmt.Errorf("exams: no decision on %T", cmd)
	case !r.student.IsZero() && r.student != record.Student:
		return nil, ErrNoOne
	case r.percent == record.Percent.String():
		return nil, nil
	}
	return []ResultEvent{ResultRecorded{
		Result: record.Result, Student: record.Student, School: record.School,
		Exam: record.Exam, Date: record.Date, Percent: record.Percent.String(),
	}}, nil
}

func (r Result) evolve(e ResultEvent) Result {
	if e, ok := e.(ResultRecorded); ok {
		r.student, r.percent = e.Student, e.Percent
	}
	return r
}
