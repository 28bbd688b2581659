package roster_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
)

var given = domaintest.Given(roster.Students)

var (
	anna     = domain.NewID[domain.StudentID]()
	school   = domain.NewID[domain.SchoolID]()
	other    = domain.NewID[domain.SchoolID]()
	first    = domain.NewID[domain.ClassID]()
	second   = domain.NewID[domain.ClassID]()
	maths    = domain.NewID[domain.CourseID]()
	anyone   = roster.Details{GivenName: "Anna", FamilyName: "Liepa", PersonalCode: "32049270712", Grade: "1"}
	start    = domain.Date("2025-09-01")
	later    = domain.Date("2025-10-01")
	records  = map[domain.ClassID]string{first: "e-1", second: "e-2"}
	enlisted = roster.StudentRegistered{Student: anna, School: school, SourceID: "a", Details: anyone}
)

// file is what the source says on a day, with these enrolments.
func file(today domain.Date, enrolments ...roster.SourceEnrolment) roster.FollowSource {
	return roster.FollowSource{Student: anna, School: school, SourceID: "a", Details: anyone, Enrolments: enrolments, Today: today}
}

// class is an enrolment as the source has it, which begins on a day, or if that
// is empty on since.
func class(id domain.ClassID, from, until, since domain.Date) roster.SourceEnrolment {
	return roster.SourceEnrolment{Enrolment: roster.Enrolment{Record: records[id], Class: id, From: from, Until: until}, Since: since}
}

func enrolled(id domain.ClassID, from, until domain.Date) roster.StudentEnrolled {
	return roster.StudentEnrolled{Student: anna, School: school, Enrolment: roster.Enrolment{Record: records[id], Class: id, From: from, Until: until}}
}

func left(id domain.ClassID, began, until domain.Date) roster.EnrolmentEnded {
	return roster.EnrolmentEnded{Student: anna, School: school, Class: id, Began: began, Until: until}
}

func TestAPupilComes(t *testing.T) {
	given().When(file(start, class(first, "", "", start))).Then(t, enlisted, enrolled(first, start, ""))
	given(enlisted, enrolled(first, start, "")).When(file(later, class(first, "", "", later))).Then(t) // the same file again
	given().When(file(start)).Then(t, enlisted)                                                        // without a class, without a code
	given(enlisted).When(file(later, class(first, "", "", later))).Then(t, enrolled(first, later, ""))

	elsewhere := file(start)
	elsewhere.School = other
	given(enlisted).When(elsewhere).ThenRefused(t, roster.ErrNoStudent)
}

func TestAPupilIsDescribedAnew(t *testing.T) {
	married := file(later)
	married.FamilyName = "Bērziņa"
	married.PersonalCode = ""
	details := married.Details
	given(enlisted).When(married).Then(t, roster.StudentDetailsChanged{Student: anna, School: school, Details: details})
	given(enlisted, roster.StudentDetailsChanged{Student: anna, School: school, Details: details}).When(married).Then(t)
}

func TestAPupilMoves(t *testing.T) {
	trace.Covers(t, "EMU-106", "EMU-111")
	there := given(enlisted, enrolled(first, start, ""))
	there.When(file(later, class(second, "", "", later))).Then(t, enrolled(second, later, ""), left(first, start, later))

	// The source sends both classes: so be it.
	there.When(file(later, class(first, "", "", later), class(second, "", "", later))).Then(t, enrolled(second, later, ""))

	// It sends none: that is for whoever decides about those who vanish.
	there.When(file(later)).Then(t)

	// It sends another, but some of its rows are wrong: perhaps this one too.
	partial := file(later, class(second, "", "", later))
	partial.Partial = true
	there.When(partial).Then(t, enrolled(second, later, ""))

	// What was over is over.
	given(enlisted, enrolled(first, start, later)).When(file(later, class(second, "", "", later))).Then(t, enrolled(second, later, ""))

	// And back again.
	moved := there.And(enrolled(second, later, ""), left(first, start, later))
	moved.When(file(later, class(second, "", "", later))).Then(t)
	moved.When(file("2025-11-01", class(first, "", "", "2025-11-01"))).
		Then(t, enrolled(first, "2025-11-01", ""), left(second, later, "2025-11-01"))
	// On the same day it is as if it had never been.
	moved.When(file(later, class(first, "", "", later))).Then(t, enrolled(first, later, ""), left(second, later, later))
}

func TestDaysAreCorrected(t *testing.T) {
	there := given(enlisted, enrolled(first, start, ""))
	redated := roster.EnrolmentRedated{Student: anna, School: school, Class: first, Began: start, From: "2025-09-02", Until: "2026-06-01"}
	corrected := file(later, class(first, "2025-09-02", "2026-06-01", later))
	there.When(corrected).Then(t, redated)
	there.And(redated).When(corrected).Then(t)
	there.And(redated).When(file(later, class(first, "", "2026-06-01", later))).Then(t) // it no longer says from when
}

func TestRecordsOfTheSource(t *testing.T) {
	// Two terms in one course are two enrolments.
	term := func(record string, from, until domain.Date) roster.SourceEnrolment {
		return roster.SourceEnrolment{Enrolment: roster.Enrolment{Record: record, Course: maths, From: from, Until: until}}
	}
	in := func(e roster.SourceEnrolment) roster.StudentEnrolled {
		return roster.StudentEnrolled{Student: anna, School: school, Enrolment: e.Enrolment}
	}
	autumn, spring := term("x", "2025-09-01", "2025-12-20"), term("y", "2026-01-05", "2026-06-01")
	given(enlisted).When(file(start, autumn, spring)).Then(t, in(autumn), in(spring))
	given(enlisted, in(autumn), in(spring)).When(file(start, spring, autumn)).Then(t)

	// Sources that give records new ids each time mean the same.
	renamed := []roster.SourceEnrolment{term("p", "2025-09-01", "2025-12-20"), term("q", "2026-01-05", "2026-06-01")}
	given(enlisted, in(autumn), in(spring)).When(file(start, renamed...)).Then(t)

	// One that is there twice is one.
	given(enlisted).When(file(start, autumn, term("z", "2025-09-01", ""))).Then(t, in(autumn))
}

func TestMembership(t *testing.T) {
	student := roster.Students.Fold([]roster.StudentEvent{
		enlisted, enrolled(first, start, ""), enrolled(second, later, ""), left(first, start, later),
	})
	for _, c := range []struct {
		class domain.ClassID
		day   domain.Date
		want  bool
	}{
		{first, "2025-08-31", false}, {first, start, true}, {first, "2025-09-30", true}, {first, later, false},
		{second, "2025-09-30", false}, {second, later, true}, {second, "2026-06-01", true},
		{domain.NewID[domain.ClassID](), later, false},
	} {
		if got := student.In(c.class, c.day); got != c.want {
			t.Errorf("%v on %s: %t", c.class == first, c.day, got)
		}
	}
	if classes := student.Classes(later); len(classes) != 1 || classes[0] != second {
		t.Error(classes)
	}
}
