package students_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
	"zurnals/projections"
	"zurnals/projections/projectiontest"
	"zurnals/projections/students"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	school, other  = domain.SchoolID{UUID: id(1)}, domain.SchoolID{UUID: id(2)}
	year, lastYear = domain.SchoolYearID{UUID: id(3)}, domain.SchoolYearID{UUID: id(4)}
	first, second  = domain.ClassID{UUID: id(5)}, domain.ClassID{UUID: id(6)}
	tenth, former  = domain.ClassID{UUID: id(7)}, domain.ClassID{UUID: id(8)}
	maths          = domain.CourseID{UUID: id(9)}
	run, nextRun   = domain.RosterSyncID{UUID: id(10)}, domain.RosterSyncID{UUID: id(11)}
	anna, zane     = domain.StudentID{UUID: id(20)}, domain.StudentID{UUID: id(21)}
	celms, janis   = domain.StudentID{UUID: id(22)}, domain.StudentID{UUID: id(23)}
	stranger       = domain.StudentID{UUID: id(24)}
	brokenRun      = domain.RosterSyncID{UUID: id(12)}

	place = access.Scope{School: school}
	admin = access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.SchoolAdmin, Scope: place}}
)

func student(id domain.StudentID, given, family string, code domain.PersonalCode) roster.StudentRegistered {
	return roster.StudentRegistered{Student: id, School: school, SourceID: given,
		Details: roster.Details{GivenName: given, FamilyName: family, PersonalCode: code, Grade: "1"}}
}

func in(id domain.StudentID, class domain.ClassID, from, until domain.Date) roster.StudentEnrolled {
	return roster.StudentEnrolled{Student: id, School: school, Enrolment: roster.Enrolment{Class: class, From: from, Until: until}}
}

func story() []projections.Event {
	return projectiontest.Events(
		organisation.SchoolYearOpened{School: school, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		organisation.SchoolYearOpened{School: school, Year: lastYear, Name: "2024-2025", From: "2024-09-01", To: "2025-08-31"},
		organisation.ClassCreated{School: school, Year: year, Class: tenth, Name: "10.a", Grade: 10},
		organisation.ClassCreated{School: school, Year: year, Class: second, Name: "2.a", Grade: 2},
		organisation.ClassCreated{School: school, Year: year, Class: first, Name: "1.a", Grade: 1},
		organisation.ClassCreated{School: school, Year: lastYear, Class: former, Name: "1.a", Grade: 1},
		roster.SyncStarted{Run: run, School: school, File: "f1"},
		roster.CourseRegistered{Course: maths, School: school, SourceID: "m", Title: "Matemātika"},
		roster.CourseRenamed{Course: maths, School: school, Title: "Matemātika I"},
		student(anna, "Anna", "Liepa", "24046712345"),
		student(zane, "Zane", "Bērziņa", ""),
		student(celms, "Jānis", "Čakste", ""),
		student(janis, "Jānis", "Celms", ""),
		roster.StudentRegistered{Student: stranger, School: other, SourceID: "s", Details: roster.Details{GivenName: "Anna", FamilyName: "Liepa"}},
		roster.StudentDetailsChanged{Student: anna, School: school, Details: roster.Details{GivenName: "Anna", FamilyName: "Liepiņa", PersonalCode: "24046712345"}},
		in(anna, first, "2025-09-01", ""),
		in(zane, first, "2025-09-01", ""),
		in(zane, former, "2024-09-01", "2025-06-01"),
		roster.EnrolmentEnded{Student: zane, School: school, Class: first, Began: "2025-09-01", Until: "2025-09-10"},
		in(zane, second, "2025-09-10", ""),
		roster.EnrolmentRedated{Student: zane, School: school, Class: second, Began: "2025-09-10", From: "2025-09-11", Until: "2026-01-01"},
		roster.StudentEnrolled{Student: anna, School: school, Enrolment: roster.Enrolment{Course: maths, From: "2025-09-01"}},
		roster.EnrolmentRedated{Student: anna, School: school, Course: maths, Began: "2025-09-01", From: "2025-09-02"},
		roster.SyncCompleted{Run: run, School: school, File: "f1", Report: roster.Report{Changes: roster.Changes{Added: 4, Grades: 7, Absences: 2}, Active: 4, NotInFile: 1, Missing: []domain.StudentID{anna}}},
		roster.SyncCompleted{Run: nextRun, School: school, File: "f2", Report: roster.Report{
			Unchanged: 3, Active: 4, NotInFile: 1, Errors: 1, Missing: []domain.StudentID{celms},
			Problems: []roster.Problem{{File: "users.csv", Row: 2, Field: "givenName", Code: "oneroster.required"}},
		}},
		roster.SyncStarted{Run: brokenRun, School: school, File: "f3"},
		roster.SyncFailed{Run: brokenRun, School: school, Cause: "roster.taken_over"},
	)
}

func TestRebuild(t *testing.T) { projectiontest.Rebuild(t, students.Projection, story()...) }

func TestPupilsOfASchool(t *testing.T) {
	trace.Covers(t, "EMU-101", "EMU-106")
	db := projectiontest.Given(t, story(), students.Projection)
	ask := func(by access.Actor, place access.Scope, day domain.Date, page projections.Page) string {
		t.Helper()
		all, _, err := students.InSchool(t.Context(), db, by, place, day, page)
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, s := range all {
			name := s.FamilyName
			for _, c := range s.Classes {
				name += " " + c.Name
			}
			if !s.InFile {
				name += " ?"
			}
			names = append(names, name)
		}
		return strings.Join(names, ", ")
	}
	inClass := func(class domain.ClassID) access.Scope { return access.Scope{School: school, Class: class} }
	teacher := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.ClassTeacher, Scope: inClass(first)}}
	for _, c := range []struct {
		name  string
		by    access.Actor
		place access.Scope
		day   domain.Date
		page  projections.Page
		want  string
	}{
		{"Latvian order", admin, place, "2025-09-01", projections.Page{}, "Bērziņa 1.a, Celms, Čakste ?, Liepiņa 1.a"},
		{"moved", admin, place, "2025-09-11", projections.Page{}, "Bērziņa 2.a, Celms, Čakste ?, Liepiņa 1.a"},
		{"between two classes", admin, place, "2025-09-10", projections.Page{Search: "zane"}, "Bērziņa"},
		{"last year", admin, place, "2025-05-31", projections.Page{Search: "BERZINA"}, "Bērziņa 1.a"},
		{"without diacritics", admin, place, "2025-09-01", projections.Page{Search: "liepina"}, "Liepiņa 1.a"},
		{"given name first", admin, place, "2025-09-01", projections.Page{Search: "janis cak"}, "Čakste ?"},
		{"not a pattern", admin, place, "2025-09-01", projections.Page{Search: "%"}, ""},
		{"a class", admin, inClass(first), "2025-09-09", projections.Page{}, "Bērziņa 1.a, Liepiņa 1.a"},
		{"who left is gone", admin, inClass(first), "2025-09-10", projections.Page{}, "Liepiņa 1.a"},
		{"the own class", teacher, inClass(first), "2025-09-01", projections.Page{}, "Bērziņa 1.a, Liepiņa 1.a"},
		{"another class", teacher, inClass(second), "2025-09-11", projections.Page{}, access.ErrForbidden.Error()},
		{"the whole school", teacher, place, "2025-09-01", projections.Page{}, access.ErrForbidden.Error()},
		{"another school", admin, access.Scope{School: other}, "2025-09-01", projections.Page{}, access.ErrElsewhere.Error()},
	} {
		if got := ask(c.by, c.place, c.day, c.page); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}

	var paged []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := students.InSchool(t.Context(), db, admin, place, "2025-09-01", page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		paged = append(paged, all[0].FamilyName)
		if page.Cursor = next; next == "" {
			break
		}
	}
	if want := []string{"Bērziņa", "Celms", "Čakste", "Liepiņa"}; !slices.Equal(paged, want) {
		t.Errorf("page by page: %v", paged)
	}

	one, err := students.One(t.Context(), db, admin, place, anna, "2025-09-01")
	if err != nil || one.Code != "240467-*****" || one.GivenName != "Anna" || !one.InFile {
		t.Errorf("%v %+v", err, one)
	}
	if _, err := students.One(t.Context(), db, admin, place, stranger, "2025-09-01"); !errors.Is(err, students.ErrNone) {
		t.Errorf("a pupil of another school: %v", err)
	}
	if _, err := students.One(t.Context(), db, teacher, inClass(first), celms, "2025-09-01"); !errors.Is(err, students.ErrNone) {
		t.Errorf("a pupil of another class: %v", err)
	}
}

func TestClassesOfASchool(t *testing.T) {
	db := projectiontest.Given(t, story(), students.Projection)
	var names []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := students.Classes(t.Context(), db, admin, place, domain.SchoolYearID{}, "2025-09-01", page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		names = append(names, fmt.Sprint(all[0].Name, " ", all[0].Year, " ", all[0].Members))
		if page.Cursor = next; next == "" {
			break
		}
	}
	if want := "1.a 2025-2026 2, 2.a 2025-2026 0, 10.a 2025-2026 0, 1.a 2024-2025 0"; strings.Join(names, ", ") != want {
		t.Errorf("%v", names)
	}
	all, _, err := students.Classes(t.Context(), db, admin, place, lastYear, "2025-05-31", projections.Page{Search: "1."})
	if err != nil || len(all) != 1 || all[0].ID != former || all[0].Members != 1 {
		t.Errorf("%v %+v", err, all)
	}
}

func TestRunsOfASchool(t *testing.T) {
	db := projectiontest.Given(t, story(), students.Projection)
	var states []string
	for page := (projections.Page{Limit: 1}); ; {
		all, next, err := students.Runs(t.Context(), db, admin, place, page)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		states = append(states, fmt.Sprint(all[0].State, all[0].Cause, all[0].Added))
		if page.Cursor = next; next == "" {
			break
		}
	}
	if want := "failedroster.taken_over0 completed0 completed4"; strings.Join(states, " ") != want {
		t.Errorf("%v", states)
	}
	one, err := students.OneRun(t.Context(), db, admin, place, nextRun)
	if err != nil || len(one.Problems) != 1 || one.Problems[0].Row != 2 || !slices.Equal(one.Missing, []domain.StudentID{celms}) || one.EndedAt == nil {
		t.Errorf("%v %+v", err, one)
	}
	elsewhere := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.SchoolAdmin, Scope: access.Scope{School: other}}}
	if _, err := students.OneRun(t.Context(), db, elsewhere, access.Scope{School: other}, nextRun); !errors.Is(err, students.ErrNone) {
		t.Errorf("a run of another school: %v", err)
	}
}

func TestCursorsThatNobodyGave(t *testing.T) {
	db := projectiontest.Given(t, story(), students.Projection)
	// ["a","b","c"], ["1","1","a","x"], ["x"] and nonsense
	for _, cursor := range []string{"WyJhIiwiYiIsImMiXQ", "WyIxIiwiMSIsImEiLCJ4Il0", "WyJ4Il0", "!", "AAAA", "WyI5OTk5OTk5OTk5OTkiLCIxIiwiYSIsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwNSJd"} {
		page := projections.Page{Cursor: cursor}
		_, _, err1 := students.InSchool(t.Context(), db, admin, place, "2025-09-01", page)
		_, _, err2 := students.Classes(t.Context(), db, admin, place, year, "2025-09-01", page)
		_, _, err3 := students.Runs(t.Context(), db, admin, place, page)
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, projections.ErrCursor) {
				t.Errorf("%s: %v", cursor, err)
			}
		}
	}
}
