package audit_test

import (
	"errors"
	"testing"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
	"zurnals/projections/audit"
	"zurnals/projections/projectiontest"
)

var (
	anna, berta   = domain.NewID[domain.StudentID](), domain.NewID[domain.StudentID]()
	first, second = domain.NewID[domain.LessonID](), domain.NewID[domain.LessonID]()
	school        = access.Scope{Municipality: domain.NewID[domain.MunicipalityID](), School: domain.NewID[domain.SchoolID]()}
	elsewhere     = access.Scope{Municipality: domain.NewID[domain.MunicipalityID](), School: domain.NewID[domain.SchoolID]()}
)

func mark(student domain.StudentID, status string) attendance.Marked {
	return attendance.Marked{Student: student, Status: status, Method: attendance.Manual}
}

// Positions 1 to 4: both are marked, Anna records herself in the next lesson,
// and her first mark is taken back.
func events() []projections.Event {
	return projectiontest.Events(
		attendance.MarksTaken{Lesson: first, School: school.School, Marks: []attendance.Marked{mark(anna, "A"), mark(berta, "P")}},
		attendance.SelfRecorded{Lesson: second, School: school.School, Student: anna, Status: "P", Method: attendance.QR},
		attendance.MarksTaken{Lesson: first, School: school.School, Marks: []attendance.Marked{mark(anna, "")}},
		attendance.MarksTaken{Lesson: second, School: school.School, Marks: []attendance.Marked{mark(berta, "P")}},
	)
}

func TestTheSameHoweverItIsBuilt(t *testing.T) {
	projectiontest.Rebuild(t, audit.Projection, events()...)
}

func auditor(at access.Scope) access.Actor {
	return access.Actor{Kind: domain.ActorAccount, ID: domain.NewID[domain.AccountID]().UUID,
		Active: access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: access.Auditor, Scope: at}}
}

// What was taken back is found too: that is what an auditor looks for.
func TestNothingOfAPupilIsMissed(t *testing.T) {
	db := projectiontest.Given(t, events(), audit.Projection)
	for _, c := range []struct {
		student     domain.StudentID
		after, upto int64
		limit       int
		want        []audit.Mark
	}{
		{anna, 0, 4, 50, []audit.Mark{{first, 1}, {second, 2}, {first, 3}}},
		{anna, 0, 2, 50, []audit.Mark{{first, 1}, {second, 2}}},
		{anna, 0, 0, 50, nil},
		{anna, 2, 4, 50, []audit.Mark{{first, 3}}},
		{anna, 3, 4, 50, nil},
		{anna, 0, 4, 1, []audit.Mark{{first, 1}}},
		{berta, 0, 4, 50, []audit.Mark{{first, 1}, {second, 4}}},
	} {
		for _, by := range []access.Actor{auditor(school), auditor(access.Scope{}), auditor(access.Scope{Municipality: school.Municipality})} {
			got, err := audit.MarksOf(t.Context(), db, by, school, c.student, c.after, c.upto, c.limit)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%+v: %v %v", c, got, err)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%+v: %v", c, got)
				}
			}
		}
	}
	if got, err := audit.MarksOf(t.Context(), db, auditor(elsewhere), elsewhere, anna, 0, 4, 50); err != nil || len(got) != 0 {
		t.Errorf("found from elsewhere: %v %v", got, err)
	}
	if _, err := audit.MarksOf(t.Context(), db, auditor(elsewhere), school, anna, 0, 4, 50); !errors.Is(err, access.ErrElsewhere) {
		t.Error(err)
	}
	teacher := auditor(school)
	teacher.Active.Role = access.SchoolAdmin
	if _, err := audit.MarksOf(t.Context(), db, teacher, school, anna, 0, 4, 50); !errors.Is(err, access.ErrForbidden) {
		t.Error(err)
	}
}
