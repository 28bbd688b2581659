package exams_test

import (
	"errors"
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/exams"
	"zurnals/internal/trace"
)

func TestAResultIsRecordedOnceAndCorrected(t *testing.T) {
	trace.Partly(t, "EMU-073")
	given := domaintest.Given(exams.Results)
	student, school := domain.NewID[domain.StudentID](), domain.NewID[domain.SchoolID]()
	record := func(percent exams.Percent) exams.RecordResult {
		return exams.RecordResult{
			Result: exams.ResultOf(student, "Matemātika 9. klasei", "2026-05-26"), Student: student, School: school,
			Exam: "Matemātika 9. klasei", Date: "2026-05-26", Percent: percent,
		}
	}
	recorded := func(percent string) exams.ResultRecorded {
		c := record(0)
		return exams.ResultRecorded{Result: c.Result, Student: student, School: school, Exam: c.Exam, Date: c.Date, Percent: percent}
	}
	given().When(record(0)).Then(t, recorded("0.0")) // nothing reached is a result too
	given().When(record(875)).Then(t, recorded("87.5"))
	given(recorded("87.5")).When(record(875)).Then(t)
	given(recorded("87.5")).When(record(880)).Then(t, recorded("88.0"))
	given(recorded("87.5"), recorded("88.0")).When(record(875)).Then(t, recorded("87.5"))

	other := record(900)
	other.Student = domain.NewID[domain.StudentID]()
	given(recorded("87.5")).When(other).ThenRefused(t, exams.ErrNoOne)

	a, b := exams.ResultOf(student, "Fizika", "2026-05-26"), exams.ResultOf(student, "Fizika", "2026-06-02")
	if a == b || a == exams.ResultOf(other.Student, "Fizika", "2026-05-26") || a != exams.ResultOf(student, "Fizika", "2026-05-26") {
		t.Error("a result is not known by pupil, exam and day")
	}
}

func TestPercentages(t *testing.T) {
	for text, want := range map[string]exams.Percent{"0": 0, "100": 1000, "100,0": 1000, "87.5": 875, " 87,5 % ": 875, "7": 70, "007": 70, "0.1": 1} {
		if got, err := exams.ParsePercent(text); err != nil || got != want {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "100.1", "101", "-1", "+1", "87.55", "87.", ".5", "1e1", "8 7", "87,5,1", "٣", "9999999999999999999"} {
		if got, err := exams.ParsePercent(text); !errors.Is(err, exams.ErrPercent) {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
}

// FuzzParsePercent: what is taken is from 0 to 100, and is read again as it is written.
func FuzzParsePercent(f *testing.F) {
	f.Add("87,5 %")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := exams.ParsePercent(text)
		if err != nil {
			return
		}
		if again, err := exams.ParsePercent(p.String()); err != nil || again != p || p < 0 || p > 1000 {
			t.Errorf("%q is %d, written %s, and then %d %v", text, p, p, again, err)
		}
	})
}
