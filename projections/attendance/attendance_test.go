package attendance_test

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
	"zurnals/domain/roster"
	"zurnals/internal/trace"
	"zurnals/projections"
	view "zurnals/projections/attendance"
	"zurnals/projections/projectiontest"
	"zurnals/projections/students"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	municipality = domain.MunicipalityID{UUID: id(1)}
	school       = domain.SchoolID{UUID: id(2)}
	class        = domain.ClassID{UUID: id(3)}
	other        = domain.ClassID{UUID: id(4)}
	register     = domain.RegisterID{UUID: id(5)}
	abandoned    = domain.RegisterID{UUID: id(6)}

	anna   = domain.StudentID{UUID: id(11)} // Āboliņa
	juris  = domain.StudentID{UUID: id(12)} // Zariņš, from the 3rd
	former = domain.StudentID{UUID: id(13)} // Bērziņa, left on the 3rd

	place = access.Scope{Municipality: municipality, School: school, Class: class, Register: register}
	set   = attendance.StatusSet{Version: 1, Statuses: attendance.DefaultStatuses()}

	teacher = access.Actor{Kind: domain.ActorAccount, ID: id(90), Active: access.Assignment{
		ID: domain.AssignmentID{UUID: id(91)}, Role: access.Instructor, Scope: place}}
	pupil = access.Actor{Kind: domain.ActorLearner, ID: id(92), School: school}
)

func lesson(n int) domain.LessonID { return domain.LessonID{UUID: uuid.UUID{14: 1, 15: byte(n)}} }

// scheduled is a lesson on the nth of September 2025, at 8:30.
func scheduled(n int) attendance.LessonScheduled {
	starts := time.Date(2025, 9, n, 5, 30, 0, 0, time.UTC)
	return attendance.LessonScheduled{
		Lesson: lesson(n), Register: register, School: school, Class: class, Audience: attendance.All,
		Date: domain.Date(fmt.Sprintf("2025-09-%02d", n)), From: "08:30", Until: "09:10", StartsAt: starts, EndsAt: starts.Add(40 * time.Minute),
		Description:   fmt.Sprintf("%d. nodarbība", n),
		SelfRecording: &attendance.SelfRecording{Generation: 1, Password: true, QR: true, AutoStatus: true, LateAfter: 10, EarlyOpen: 5},
	}
}

func taken(n int, marks ...attendance.Marked) attendance.MarksTaken {
	return attendance.MarksTaken{Lesson: lesson(n), Register: register, School: school, Class: class, Marks: marks}
}

func marked(student domain.StudentID, status, remark string) attendance.Marked {
	m := attendance.Marked{Student: student, Remark: remark, Method: attendance.Manual}
	if s, ok := set.Find(status); ok {
		m.Status, m.Set, m.Points, m.Maximum = status, 1, s.Points, set.Maximum()
	}
	return m
}

func selfRecorded(n int, student domain.StudentID, status string) attendance.SelfRecorded {
	s, _ := set.Find(status)
	return attendance.SelfRecorded{
		Lesson: lesson(n), Register: register, School: school, Class: class, Student: student,
		Status: status, Set: 1, Points: s.Points, Maximum: set.Maximum(), Method: attendance.QR,
	}
}

func opened(id domain.RegisterID, name string) attendance.RegisterOpened {
	return attendance.RegisterOpened{
		Register: id, Municipality: municipality, School: school, Class: class,
		Description: attendance.Description{Name: name, GradeType: attendance.GradePoints, GradeMaximum: 50},
		Statuses:    attendance.DefaultStatuses(),
	}
}

func student(id domain.StudentID, given, family string) roster.StudentRegistered {
	return roster.StudentRegistered{Student: id, School: school, SourceID: id.String(), Details: roster.Details{GivenName: given, FamilyName: family}}
}

func in(id domain.StudentID, class domain.ClassID, from, until domain.Date) roster.StudentEnrolled {
	return roster.StudentEnrolled{Student: id, School: school, Enrolment: roster.Enrolment{Record: id.String(), Class: class, From: from, Until: until}}
}

// pupils are the class: Anna all the time, Juris from the 3rd, and one who was
// there until then.
func pupils() []domain.Event {
	return []domain.Event{
		student(juris, "Juris", "Zariņš"), in(juris, class, "2025-09-03", ""),
		student(anna, "Anna", "Āboliņa"), in(anna, class, "2025-09-01", ""),
		student(former, "Līga", "Bērziņa"), in(former, class, "2025-09-01", "2025-09-03"),
		opened(register, "Matemātika 6.a"),
	}
}

func given(t *testing.T, events ...domain.Event) *projections.DB {
	return projectiontest.Given(t, projectiontest.Events(append(pupils(), events...)...), view.Projection, students.Projection)
}

func TestRebuild(t *testing.T) {
	changed := attendance.RegisterChanged{Register: register, School: school,
		Description: attendance.Description{Name: "Algebra 6.a", GradeType: attendance.GradeNone, GradeMaximum: 10, From: "2025-09-01", Until: "2025-12-19"}}
	endless := scheduled(4)
	endless.Until, endless.EndsAt, endless.SelfRecording = "", time.Time{}, nil
	projectiontest.Rebuild(t, view.Projection, projectiontest.Events(
		opened(register, "Matemātika 6.a"), opened(abandoned, "Ķīmija"), scheduled(1), scheduled(2), endless,
		taken(1, marked(anna, "P", ""), marked(former, "L", "autobuss"), marked(juris, "", "slims")),
		selfRecorded(2, anna, "P"), selfRecorded(1, juris, "L"), // the remark stays
		taken(2, marked(anna, "A", "aizgāja")), taken(1, attendance.Marked{Student: former}), taken(2, attendance.Marked{Student: anna}),
		attendance.StatusSetChanged{Register: register, School: school, Version: 2, Statuses: set.Statuses[:2]}, changed,
	)...)
}

// TestSheet: everybody in the class on the day by name, who has no mark as
// such, who recorded themself as such, and who has left with the mark.
func TestSheet(t *testing.T) {
	trace.Covers(t, "ATT-020", "ATT-027", "ATT-047", "ATT-048", "ATT-049")
	db := given(t, scheduled(2), scheduled(3),
		selfRecorded(3, anna, "P"), taken(3, marked(former, "L", "kļūda")),
		taken(2, marked(former, "E", "ārsts")), selfRecorded(2, anna, "L"), taken(2, func() attendance.Marked {
			m := marked(anna, "L", "bez burtnīcas")
			m.Method = attendance.QR
			return m
		}()))
	sheet := func(n int) view.Sheet {
		s, err := view.SheetOf(t.Context(), db, teacher, place, lesson(n))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tell := func(s view.Sheet) string {
		var lines []string
		for _, p := range s.Pupils {
			line := p.FamilyName + " " + p.Status
			for what, is := range map[string]bool{"unmarked": p.Unmarked, "self": p.SelfRecorded, "gone": !p.Enrolled} {
				if is {
					line += " " + what
				}
			}
			lines = append(lines, strings.TrimSpace(line+" "+p.Remark))
		}
		return strings.Join(lines, "; ")
	}
	if got := tell(sheet(2)); got != "Āboliņa L self bez burtnīcas; Bērziņa E ārsts" {
		t.Errorf("on the 2nd: %s", got)
	}
	if got := tell(sheet(3)); got != "Āboliņa P self; Bērziņa L gone kļūda; Zariņš  unmarked" {
		t.Errorf("on the 3rd: %s", got)
	}
	s := sheet(3)
	if s.Lesson.Members != 2 || s.Lesson.Marked != 2 || s.Lesson.SelfRecorded != 1 || s.Lesson.SelfRecording == nil || len(s.StatusSet.Statuses) != 4 {
		t.Errorf("lesson %+v", s.Lesson)
	}

	elsewhere := place
	elsewhere.Register = abandoned
	if _, err := view.SheetOf(t.Context(), db, teacher, elsewhere, lesson(3)); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("another register: %v", err)
	}
	if _, err := view.SheetOf(t.Context(), db, teacher, place, lesson(9)); !errors.Is(err, view.ErrNone) {
		t.Errorf("no lesson: %v", err)
	}
}

// TestReport adds up a register: who joined later is not absent before, what is
// outside the period counts for nobody, and columns and rows have one total.
func TestReport(t *testing.T) {
	trace.Covers(t, "ATT-029", "A09", "A11", "A63")
	shorter := attendance.RegisterChanged{Register: register, School: school,
		Description: attendance.Description{Name: "Matemātika 6.a", GradeType: attendance.GradePoints, GradeMaximum: 50, From: "2025-09-02"}}
	db := given(t, scheduled(1), scheduled(2), scheduled(3), scheduled(4), scheduled(5), shorter,
		taken(1, marked(anna, "A", "")),
		taken(2, marked(anna, "L", ""), marked(former, "P", "")),
		taken(3, marked(anna, "P", ""), marked(juris, "A", "")),
		taken(4, marked(anna, "", "slima"), marked(juris, "P", "")))
	r, err := view.ReportOf(t.Context(), db, teacher, place, view.Question{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Āboliņa": "2 marked of 4, 1 hidden: 3/4 75.0, 3/8 37.5, 7/8 87.5; grade 37.50: hidden marked marked unmarked unmarked",
		"Bērziņa": "1 marked of 1, 1 hidden: 2/2 100.0, 2/2 100.0, 2/2 100.0; grade 50.00: hidden marked not_enrolled not_enrolled not_enrolled",
		"Zariņš":  "2 marked of 3, 1 hidden: 2/4 50.0, 2/6 33.3, 4/6 66.7; grade 25.00: hidden not_enrolled marked marked unmarked",
	}
	var names []string
	total := 0
	for _, p := range r.Pupils {
		names = append(names, p.FamilyName)
		if got := tellRow(p); got != want[p.FamilyName] {
			t.Errorf("%s\ngot  %s\nwant %s", p.FamilyName, got, want[p.FamilyName])
		}
		total += p.Summary.Marked
	}
	if strings.Join(names, " ") != "Āboliņa Bērziņa Zariņš" {
		t.Errorf("order %v", names)
	}
	columns := 0
	for _, l := range r.Lessons {
		for _, n := range l.Statuses {
			columns += n
		}
	}
	if columns != total || r.Statuses["P"] != 3 || r.Statuses["L"] != 1 || r.Statuses["A"] != 1 || r.Statuses["E"] != 0 {
		t.Errorf("%d in columns, %d in rows, %v", columns, total, r.Statuses)
	}

	part, err := view.ReportOf(t.Context(), db, teacher, place, view.Question{Period: view.Period{From: "2025-09-03", Until: "2025-09-03"}, Student: juris})
	if err != nil || len(part.Lessons) != 1 || len(part.Pupils) != 1 || part.Pupils[0].Summary.Statuses["A"] != 1 {
		t.Errorf("one day of one pupil: %v %+v", err, part)
	}
}

func tellRow(p view.Row) string {
	s := p.Summary
	share := func(x *view.Share) string { return fmt.Sprintf("%g/%g %.1f", x.Points, x.Maximum, *x.Percentage) }
	var kinds []string
	for _, c := range p.Cells {
		kinds = append(kinds, c.Kind)
	}
	return fmt.Sprintf("%d marked of %d, %d hidden: %s, %s, %s; grade %.2f: %s",
		s.Marked, s.Lessons, s.Hidden, share(s.Taken), share(s.All), share(s.Possible), *s.Grade, strings.Join(kinds, " "))
}

// TestNoPointsWithoutGrades: a register that is not graded tells no points, and
// tells them again once it is.
func TestNoPointsWithoutGrades(t *testing.T) {
	trace.Covers(t, "ATT-006")
	ungraded := attendance.RegisterChanged{Register: register, School: school,
		Description: attendance.Description{Name: "Ekskursija", GradeType: attendance.GradeNone, GradeMaximum: 50}}
	db := given(t, scheduled(1), taken(1, marked(anna, "L", "")), ungraded)
	r, err := view.ReportOf(t.Context(), db, teacher, place, view.Question{Student: anna})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Pupils[0].Summary; s.Taken != nil || s.Grade != nil || s.Statuses["L"] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNothingTaken: of nothing there is no percentage.
func TestNothingTaken(t *testing.T) {
	trace.Covers(t, "A05")
	db := given(t, scheduled(1))
	r, err := view.ReportOf(t.Context(), db, teacher, place, view.Question{Student: anna})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Pupils[0].Summary; s.Taken.Percentage != nil || s.Grade != nil || *s.Possible.Percentage != 100 || *s.All.Percentage != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOwnLessons: a pupil sees the lessons of the own class on days of
// belonging to it, and which of them is open now.
func TestOwnLessons(t *testing.T) {
	trace.Covers(t, "ATT-040", "ATT-041", "ATT-046", "A68")
	foreign := scheduled(4)
	foreign.Class, foreign.Lesson = other, lesson(44)
	db := given(t, scheduled(2), scheduled(3), scheduled(4), scheduled(5), foreign,
		taken(3, marked(juris, "L", "")), selfRecorded(4, juris, "P"))
	own := func(now time.Time) string {
		lessons, next, err := view.OwnLessons(t.Context(), db, pupil, juris, now, view.Period{}, projections.Page{})
		if err != nil || next != "" {
			t.Fatal(err, next)
		}
		var lines []string
		for _, l := range lessons {
			line := string(l.Date[8:]) + l.Status
			if l.Open {
				line += " open"
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, ", ")
	}
	starts := scheduled(5).StartsAt
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{starts.Add(-5*time.Minute - time.Second), "03L, 04P, 05"},
		{starts.Add(-5 * time.Minute), "03L, 04P, 05 open"},
		{starts.Add(40*time.Minute - time.Second), "03L, 04P, 05 open"},
		{starts.Add(40 * time.Minute), "03L, 04P, 05"},
		{scheduled(4).StartsAt, "03L, 04P, 05"}, // recorded already
	} {
		if got := own(c.now); got != c.want {
			t.Errorf("at %s: %s, want %s", c.now, got, c.want)
		}
	}
	registers, err := view.OwnRegisters(t.Context(), db, pupil, juris)
	if err != nil || len(registers) != 1 {
		t.Fatal(err, registers)
	}
	s := registers[0].Summary
	if got := fmt.Sprintf("%d; %g / %g; %.1f; %d; %g / %g; %.1f; %g / %g; %.1f", s.Marked, s.Taken.Points, s.Taken.Maximum, *s.Taken.Percentage,
		s.Lessons, s.All.Points, s.All.Maximum, *s.All.Percentage, s.Possible.Points, s.Possible.Maximum, *s.Possible.Percentage); got != "2; 3 / 4; 75.0; 3; 3 / 6; 50.0; 5 / 6; 83.3" {
		t.Errorf("own page: %s", got)
	}

	somebody := pupil
	somebody.Kind = domain.ActorAccount
	if _, err := view.OwnRegisters(t.Context(), db, somebody, juris); err == nil {
		t.Error("staff see the page of a pupil")
	}
}

// TestRegisters: by name as Latvians sort, found without diacritics, and page
// by page.
func TestRegisters(t *testing.T) {
	db := given(t, opened(abandoned, "Ķīmija 6.a"), opened(domain.RegisterID{UUID: id(7)}, "Angļu valoda"), opened(domain.RegisterID{UUID: id(8)}, "Kultūra"), scheduled(1))
	teacher := teacher
	teacher.Active = access.Assignment{Role: access.ClassTeacher, Scope: access.Scope{Municipality: municipality, School: school, Class: class}}
	list := func(page projections.Page) (names []string) {
		for {
			all, next, err := view.Registers(t.Context(), db, teacher, teacher.Active.Scope, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				names = append(names, r.Name)
			}
			if page.Cursor = next; next == "" {
				return names
			}
		}
	}
	for _, limit := range []int{0, 1, 3} {
		if got := strings.Join(list(projections.Page{Limit: limit}), ", "); got != "Angļu valoda, Kultūra, Ķīmija 6.a, Matemātika 6.a" {
			t.Errorf("by %d: %s", limit, got)
		}
	}
	if got := strings.Join(list(projections.Page{Search: "KIM"}), ", "); got != "Ķīmija 6.a" {
		t.Errorf("search: %s", got)
	}
	if _, _, err := view.Registers(t.Context(), db, teacher, teacher.Active.Scope, projections.Page{Cursor: "WyJhIiwiYiJd"}); !errors.Is(err, projections.ErrCursor) {
		t.Errorf("a cursor that nobody gave: %v", err)
	}
	r, statuses, err := view.RegisterAt(t.Context(), db, teacher, place)
	if err != nil || r.Name != "Matemātika 6.a" || r.Lessons != 1 || len(statuses.Statuses) != 4 || statuses.Statuses[1].Points != 1 {
		t.Errorf("%v %+v %+v", err, r, statuses)
	}
	if _, err := view.StatusSetAt(t.Context(), db, teacher, place, 2); !errors.Is(err, view.ErrNone) {
		t.Errorf("no such set: %v", err)
	}
}

// TestLessonsPageByPage goes through a register.
func TestLessonsPageByPage(t *testing.T) {
	var events []domain.Event
	for n := range 7 {
		events = append(events, scheduled(n+1))
	}
	db := given(t, events...)
	for _, limit := range []int{1, 3, 7, 100} {
		var days []string
		for page := (projections.Page{Limit: limit}); ; {
			lessons, next, err := view.Lessons(t.Context(), db, teacher, place, view.Period{From: "2025-09-02"}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lessons {
				days = append(days, string(l.Date[8:]))
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(days, " "); got != "02 03 04 05 06 07" {
			t.Errorf("by %d: %s", limit, got)
		}
	}
}
