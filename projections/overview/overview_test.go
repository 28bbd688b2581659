package overview_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/identity"
	org "zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
	"zurnals/projections"
	registers "zurnals/projections/attendance"
	"zurnals/projections/organisation"
	"zurnals/projections/overview"
	"zurnals/projections/projectiontest"
	"zurnals/projections/staff"
	"zurnals/projections/students"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	town         = access.Scope{Municipality: domain.MunicipalityID{UUID: id(1)}}
	school       = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(2)}}
	small        = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(3)}}
	year         = domain.SchoolYearID{UUID: id(4)}
	smallYear    = domain.SchoolYearID{UUID: id(5)}
	former       = domain.SchoolYearID{UUID: id(6)}
	class2, six  = domain.ClassID{UUID: id(7)}, domain.ClassID{UUID: id(8)}
	smallClass   = domain.ClassID{UUID: id(9)}
	formerClass  = domain.ClassID{UUID: id(10)}
	maths, sport = domain.RegisterID{UUID: id(11)}, domain.RegisterID{UUID: id(12)}
	smallMaths   = domain.RegisterID{UUID: id(13)}
	formerMaths  = domain.RegisterID{UUID: id(14)}
	inga, zane   = domain.AccountID{UUID: id(15)}, domain.AccountID{UUID: id(16)}

	set   = attendance.StatusSet{Version: 1, Statuses: attendance.DefaultStatuses()}
	asked = overview.Asked{Today: "2025-09-10", Now: time.Date(2025, 9, 10, 12, 0, 0, 0, time.UTC)}
)

func pupil(n int) domain.StudentID { return domain.StudentID{UUID: uuid.UUID{14: 1, 15: byte(n)}} }

func as(r access.Role, s access.Scope) access.Actor {
	return access.Actor{Kind: domain.ActorAccount, ID: id(90), Active: access.Assignment{ID: domain.AssignmentID{UUID: id(91)}, Role: r, Scope: s}}
}

func of(s access.Scope, class domain.ClassID) access.Scope { s.Class = class; return s }

func opened(register domain.RegisterID, s access.Scope, class domain.ClassID, name string, grades attendance.GradeType, until domain.Date) attendance.RegisterOpened {
	return attendance.RegisterOpened{
		Register: register, Municipality: s.Municipality, School: s.School, Class: class, Statuses: attendance.DefaultStatuses(),
		Description: attendance.Description{Name: name, GradeType: grades, GradeMaximum: 10, Until: until},
	}
}

// lesson n of a register on a day of September, with a row of marks by the
// pupils from one number on; a dot for none.
func lesson(n byte, register domain.RegisterID, s access.Scope, class domain.ClassID, day, from int, row string) []domain.Event {
	of := domain.LessonID{UUID: uuid.UUID{13: 1, 15: n}}
	taken := attendance.MarksTaken{Lesson: of, Register: register, School: s.School, Class: class}
	for i, r := range row {
		m := attendance.Marked{Student: pupil(from + i), Method: attendance.Manual}
		if status, ok := set.Find(string(r)); ok {
			m.Status, m.Set, m.Points, m.Maximum = status.Acronym, 1, status.Points, set.Maximum()
		}
		taken.Marks = append(taken.Marks, m)
	}
	events := []domain.Event{attendance.LessonScheduled{
		Lesson: of, Register: register, School: s.School, Class: class, Date: domain.Date(fmt.Sprintf("2025-09-%02d", day)), From: "08:30",
		StartsAt: time.Date(2025, 9, day, 5, 30, 0, 0, time.UTC),
	}}
	if row == "" {
		return events
	}
	return append(events, taken)
}

func pupils(s access.Scope, class domain.ClassID, from int, names ...string) (events []domain.Event) {
	for i, name := range names {
		events = append(events,
			roster.StudentRegistered{Student: pupil(from + i), School: s.School, SourceID: fmt.Sprint(from + i), Details: roster.Details{FamilyName: name, GivenName: "A"}},
			roster.StudentEnrolled{Student: pupil(from + i), School: s.School, Enrolment: roster.Enrolment{Record: fmt.Sprint(from + i), Class: class, From: "2025-09-01"}})
	}
	return events
}

func teacher(account domain.AccountID, family string, n byte, register domain.RegisterID, class domain.ClassID) []domain.Event {
	s := of(school, class)
	s.Register = register
	return []domain.Event{
		identity.UserInvited{Account: account, Municipality: school.Municipality, School: school.School, GivenName: "I", FamilyName: family, Email: family + "@skola.example"},
		access.MembershipStarted{Account: account, Place: school},
		access.RoleGiven{Account: account, Assignment: domain.AssignmentID{UUID: id(n)}, Role: access.Instructor, Scope: s},
	}
}

// given is a school with two classes and a small one beside it, on Wednesday
// 2025-09-10: mathematics in 6.a, which counts points until the 8th, and sports,
// which counts none.
func given(t *testing.T) *projections.DB {
	var all []domain.Event
	add := func(events ...domain.Event) { all = append(all, events...) }
	add(org.MunicipalityRegistered{Municipality: town.Municipality, Name: "Parauga novads"},
		org.SchoolRegistered{School: school.School, Municipality: town.Municipality, Name: "Parauga vidusskola"},
		org.SchoolRegistered{School: small.School, Municipality: town.Municipality, Name: "Maza skola"},
		org.SchoolYearOpened{School: school.School, Year: former, Name: "2024-2025", From: "2024-09-01", To: "2025-08-31"},
		org.SchoolYearOpened{School: school.School, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.SchoolYearOpened{School: small.School, Year: smallYear, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.ClassCreated{Class: formerClass, School: school.School, Year: former, Name: "5.a", Grade: 5},
		org.ClassCreated{Class: six, School: school.School, Year: year, Name: "6.a", Grade: 6},
		org.ClassCreated{Class: class2, School: school.School, Year: year, Name: "2.a", Grade: 2},
		org.ClassCreated{Class: smallClass, School: small.School, Year: smallYear, Name: "1.a", Grade: 1})
	add(pupils(school, six, 1, "Āboliņa", "Bērziņa", "Celms", "Čakste", "Dumpe")...)
	add(roster.EnrolmentEnded{Student: pupil(5), School: school.School, Class: six, Began: "2025-09-01", Until: "2025-09-05"})
	add(pupils(school, class2, 11, "Eglīte")...)
	add(pupils(small, smallClass, 21, "Fišere", "Gaile", "Hermane", "Inne")...)
	add(opened(maths, school, six, "Matemātika", attendance.GradePoints, "2025-09-08"),
		opened(sport, school, six, "Sports", attendance.GradeNone, ""),
		opened(formerMaths, school, formerClass, "Matemātika", attendance.GradePoints, ""),
		opened(smallMaths, small, smallClass, "Matemātika", attendance.GradePoints, ""))
	add(lesson(1, maths, school, six, 1, 1, "PPLAP")...)
	add(lesson(2, maths, school, six, 8, 1, "P.LA")...)
	add(lesson(3, maths, school, six, 9, 1, "AAAA")...) // outside the period of the register
	add(lesson(4, maths, school, six, 3, 1, "")...)
	add(lesson(5, sport, school, six, 10, 1, "PP")...)
	add(lesson(6, sport, school, six, 11, 1, "")...) // tomorrow
	add(lesson(7, formerMaths, school, formerClass, 1, 1, "A")...)
	add(lesson(8, smallMaths, small, smallClass, 1, 21, "PPPP")...)
	add(teacher(zane, "Zariņa", 80, sport, six)...)
	add(teacher(inga, "Ādamsone", 81, maths, six)...)
	return projectiontest.Given(t, projectiontest.Events(all...), registers.Projection, students.Projection, staff.Projection, organisation.Projection)
}

func counts(c overview.Counts) string {
	return fmt.Sprintf("%d/%d ", c.Taken, c.Lessons) + sums(c.Sums)
}

func sums(s overview.Sums) string {
	percentage := "–"
	if s.Percentage != nil {
		percentage = fmt.Sprint(*s.Percentage)
	}
	return fmt.Sprintf("%d P%d L%d A%d %s", s.Marks, s.Statuses["P"], s.Statuses["L"], s.Statuses["A"], percentage)
}

// In mathematics 9 marks of 18 points: 5 P or L of full or half points.
func TestAClassByItsTeacher(t *testing.T) {
	trace.Partly(t, "EMU-064")
	db, mine := given(t), as(access.ClassTeacher, of(school, six))
	c, err := overview.OfClass(t.Context(), db, mine, of(school, six), asked)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Registers {
		got = append(got, r.Name+" "+counts(r.Counts))
	}
	for _, p := range c.Pupils {
		got = append(got, fmt.Sprintf("%s %v %s", p.FamilyName, p.Enrolled, sums(p.Sums)))
	}
	want := `Matemātika 2/3 8 P4 L2 A2 62.5
Sports 1/1 2 P2 L0 A0 –
Āboliņa true 3 P3 L0 A0 100
Bērziņa true 2 P2 L0 A0 100
Celms true 2 P0 L2 A0 50
Čakste true 2 P0 L0 A2 0
Dumpe false 1 P1 L0 A0 100`
	if strings.Join(got, "\n") != want || c.Name != "6.a" || c.Year != "2025-2026" || counts(c.Total) != "3/4 10 P6 L2 A2 62.5" {
		t.Errorf("%s %s, in all %s\n%s\nwant\n%s", c.Name, c.Year, counts(c.Total), strings.Join(got, "\n"), want)
	}
	first := asked
	first.From, first.Until = "2025-09-02", "2025-09-08"
	if c, err = overview.OfClass(t.Context(), db, mine, of(school, six), first); err != nil || counts(c.Total) != "1/2 3 P1 L1 A1 50" {
		t.Errorf("from the 2nd to the 8th: %s, %v", counts(c.Total), err)
	}
	for name, c := range map[string]struct {
		by   access.Actor
		at   access.Scope
		want error
	}{
		"another class":     {mine, of(school, class2), access.ErrForbidden},
		"another school":    {mine, of(small, smallClass), access.ErrElsewhere},
		"the management":    {as(access.SchoolManagement, school), of(school, six), access.ErrForbidden},
		"the administrator": {as(access.SchoolAdmin, school), of(school, six), access.ErrForbidden},
		"the instructor":    {as(access.Instructor, access.Scope{Municipality: town.Municipality, School: school.School, Class: six, Register: maths}), of(school, six), access.ErrForbidden},
		"support staff":     {as(access.SupportStaff, school), of(school, six), nil},
		"no such class":     {as(access.SupportStaff, school), of(school, domain.ClassID{UUID: id(99)}), overview.ErrNone},
	} {
		if _, err := overview.OfClass(t.Context(), db, c.by, c.at, asked); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// All classes and subjects of this school year, 2.a before 6.a, and no pupil.
func TestASchoolByItsManagement(t *testing.T) {
	trace.Covers(t, "EMU-066")
	db, by := given(t), as(access.SchoolManagement, school)
	s, err := overview.OfSchool(t.Context(), db, by, school, asked)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Classes {
		got = append(got, fmt.Sprintf("%s: %d pupils %s", c.Name, c.Pupils, counts(c.Counts)))
		for _, r := range c.Registers {
			got = append(got, r.Name+" "+counts(r.Counts))
		}
	}
	want := `2.a: 1 pupils 0/0 0 P0 L0 A0 –
6.a: 4 pupils 3/4 10 P6 L2 A2 62.5
Matemātika 2/3 8 P4 L2 A2 62.5
Sports 1/1 2 P2 L0 A0 –`
	if strings.Join(got, "\n") != want || s.Year.Name != "2025-2026" || counts(s.Total) != "3/4 10 P6 L2 A2 62.5" {
		t.Errorf("%v, in all %s\n%s\nwant\n%s", s.Year, counts(s.Total), strings.Join(got, "\n"), want)
	}
	for day, year := range map[domain.Date]string{"2025-08-31": "2024-2025", "2025-09-01": "2025-2026", "2027-07-01": "2025-2026"} {
		then := asked
		then.Today = day
		if s, err := overview.OfSchool(t.Context(), db, by, school, then); err != nil || s.Year.Name != year {
			t.Errorf("on %s: %v %v", day, s.Year, err)
		}
	}
	then := asked
	then.Today = "2024-08-31"
	if s, err := overview.OfSchool(t.Context(), db, by, school, then); err != nil || s.Year != nil || len(s.Classes) != 0 {
		t.Errorf("before there is a year: %+v %v", s, err)
	}
	if _, err := overview.OfSchool(t.Context(), db, by, small, asked); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another school: %v", err)
	}
	for _, r := range []access.Role{access.ClassTeacher, access.SupportStaff, access.SchoolAdmin} {
		if _, err := overview.OfSchool(t.Context(), db, as(r, school), school, asked); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: %v", r, err)
		}
	}
}

func TestTeachersByTheManagement(t *testing.T) {
	trace.Covers(t, "EMU-068")
	db := given(t)
	all, err := overview.Teachers(t.Context(), db, as(access.SchoolManagement, school), school, asked)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, teacher := range all {
		got = append(got, fmt.Sprintf("%s %s: %s %s", teacher.FamilyName, teacher.Account, teacher.Registers[0].Name, counts(teacher.Counts)))
	}
	want := "Ādamsone " + inga.String() + ": Matemātika 2/3 8 P4 L2 A2 62.5\nZariņa " + zane.String() + ": Sports 1/1 2 P2 L0 A0 –"
	if strings.Join(got, "\n") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	for _, r := range []access.Role{access.ClassTeacher, access.SupportStaff, access.SchoolAdmin, access.Instructor} {
		if _, err := overview.Teachers(t.Context(), db, as(r, school), school, asked); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: %v", r, err)
		}
	}
	if _, err := overview.Teachers(t.Context(), db, as(access.SchoolManagement, school), small, asked); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another school: %v", err)
	}
}

// Four pupils are too few to be told of, five are enough.
func TestSchoolsByTheMunicipality(t *testing.T) {
	trace.Partly(t, "EMU-073")
	db, by := given(t), as(access.MunicipalityAnalyst, town)
	all, err := overview.OfMunicipality(t.Context(), db, by, town, asked)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	little, big := all[0], all[1]
	if little.Name != "Maza skola" || little.Pupils != 4 || little.Lessons != 1 || !little.Suppressed || little.Marks != nil || little.Percentage != nil {
		t.Errorf("%+v", little)
	}
	if big.Name != "Parauga vidusskola" || big.Classes != 2 || big.Pupils != 5 || big.Lessons != 4 || big.Suppressed || *big.Marks != 10 || *big.Percentage != 62.5 {
		t.Errorf("%+v", big)
	}
	later := asked
	later.From = "2025-09-02" // only four pupils have a mark since
	if all, err = overview.OfMunicipality(t.Context(), db, by, town, later); err != nil || !all[1].Suppressed || all[1].Marks != nil {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := overview.OfMunicipality(t.Context(), db, by, access.Scope{Municipality: domain.MunicipalityID{UUID: id(99)}}, asked); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another municipality: %v", err)
	}
	if _, err := overview.OfMunicipality(t.Context(), db, as(access.MunicipalityAdmin, town), town, asked); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("the administrator of the municipality: %v", err)
	}
}

// One pupil: of the own class for its teacher, of any for support staff.
func TestOnePupilBySupportStaff(t *testing.T) {
	trace.Partly(t, "EMU-069", "EMU-070")
	db := given(t)
	told := func(by access.Actor, at access.Scope, n int) string {
		all, err := registers.OfPupil(t.Context(), db, by, at, pupil(n))
		if err != nil {
			return err.Error()
		}
		var got []string
		for _, r := range all {
			got = append(got, fmt.Sprintf("%s %d of %d %v", r.Name, r.Summary.Marked, r.Summary.Lessons, r.Summary.Statuses))
		}
		return strings.Join(got, "; ")
	}
	mine := as(access.ClassTeacher, of(school, six))
	for want, got := range map[string]string{
		"Matemātika 2 of 3 map[L:2]; Sports 0 of 2 map[]":    told(as(access.SupportStaff, school), school, 3),
		"Matemātika 2 of 3 map[P:2]; Sports 1 of 2 map[P:1]": told(mine, of(school, six), 1),
		access.ErrElsewhere.Error():                          told(mine, of(school, six), 11),
		access.ErrElsewhere.Error() + " ":                    told(as(access.SupportStaff, school), school, 21) + " ",
		access.ErrForbidden.Error():                          told(as(access.SchoolManagement, school), school, 1),
		access.ErrForbidden.Error() + " ":                    told(as(access.SchoolAdmin, school), school, 1) + " ",
		access.ErrForbidden.Error() + "  ":                   told(mine, school, 1) + "  ",
		access.ErrElsewhere.Error() + "  ":                   told(as(access.SupportStaff, small), school, 1) + "  ",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
