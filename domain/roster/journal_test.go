package roster_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
)

// What the e-journal says of grades becomes what is known of them: told once,
// corrected, and taken back.
func TestGradesFollowTheEJournal(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069")
	given := domaintest.Given(roster.Journals)
	year := domain.NewID[domain.SchoolYearID]()
	source := roster.Source{Journal: roster.JournalOf(anna, year), Student: anna, School: school, Year: year, System: "E-klase"}
	maths := roster.Grade{Item: "l1", Subject: "Matemātika", Title: "Daļskaitļi", Date: "2025-09-12", Scale: roster.ScaleTen, Value: "9"}
	sport := roster.Grade{Item: "l2", Subject: "Sports", Date: "2025-09-15", Scale: roster.ScalePass, Value: "i"}
	better := maths
	better.Value = "10"
	follow := func(grades ...roster.Grade) roster.FollowGrades {
		return roster.FollowGrades{Source: source, Grades: grades}
	}
	partly := follow(maths)
	partly.Partial = true
	both := roster.GradesSynced{Source: source, Grades: []roster.Grade{maths, sport}}

	given().When(follow(maths, sport)).Then(t, both)
	given().When(follow()).Then(t)
	given(both).When(follow(sport, maths)).Then(t) // the same file again
	given(both).When(follow(better, sport)).Then(t, roster.GradesSynced{Source: source, Grades: []roster.Grade{better}})
	given(both).When(follow(maths)).Then(t, roster.GradesSynced{Source: source, Gone: []string{"l2"}})
	given(both).When(follow()).Then(t, roster.GradesSynced{Source: source, Gone: []string{"l1", "l2"}})
	given(both).When(partly).Then(t) // what could not be read is not gone
	given(both, roster.GradesSynced{Source: source, Gone: []string{"l2"}}).When(follow(maths, sport)).
		Then(t, roster.GradesSynced{Source: source, Grades: []roster.Grade{sport}})

	elsewhere := follow(better)
	elsewhere.School = domain.NewID[domain.SchoolID]()
	given(both).When(elsewhere).ThenRefused(t, roster.ErrNoStudent)
}

// An absence is known by its lesson: an excuse that comes later changes it.
func TestAbsencesFollowTheEJournal(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069")
	given := domaintest.Given(roster.Journals)
	year := domain.NewID[domain.SchoolYearID]()
	source := roster.Source{Journal: roster.JournalOf(anna, year), Student: anna, School: school, Year: year, System: "E-klase"}
	first := roster.Absence{Lesson: roster.Lesson{Date: "2025-09-12", Number: 1}, Subject: "Sports", Kind: roster.Unexcused}
	second := roster.Absence{Lesson: roster.Lesson{Date: "2025-09-12", Number: 2}, Kind: roster.UnknownKind}
	excused := first
	excused.Kind = roster.Excused
	follow := func(absences ...roster.Absence) roster.FollowAbsences {
		return roster.FollowAbsences{Source: source, Absences: absences}
	}
	both := roster.AbsencesSynced{Source: source, Absences: []roster.Absence{first, second}}
	grades := roster.GradesSynced{Source: source, Grades: []roster.Grade{{Item: "l1", Subject: "Sports", Scale: roster.ScaleTen, Value: "nv"}}}

	given().When(follow(first, second)).Then(t, both)
	given(both, grades).When(follow(second, first)).Then(t)
	given(both).When(follow(excused, second)).Then(t, roster.AbsencesSynced{Source: source, Absences: []roster.Absence{excused}})
	given(both).When(follow()).Then(t, roster.AbsencesSynced{Source: source, Gone: []roster.Lesson{first.Lesson, second.Lesson}})
	given(grades).When(follow(second)).Then(t, roster.AbsencesSynced{Source: source, Absences: []roster.Absence{second}})

	elsewhere := follow(first)
	elsewhere.Student = domain.NewID[domain.StudentID]()
	given(both).When(elsewhere).ThenRefused(t, roster.ErrNoStudent)
}

// Each year of each pupil is a journal of its own.
func TestJournalsAreOfAPupilAndAYear(t *testing.T) {
	year := domain.NewID[domain.SchoolYearID]()
	one := roster.JournalOf(anna, year)
	if one != roster.JournalOf(anna, year) || one == roster.JournalOf(anna, domain.NewID[domain.SchoolYearID]()) || one == roster.JournalOf(domain.NewID[domain.StudentID](), year) {
		t.Error("a journal is not known by pupil and year")
	}
}
