// Package analytics is what analysts read (analītika): counts, without personal
// data and without ids of people. Groups of fewer than five pupils are not
// told, nor what would let them be worked out.
//
// The same is in SQL as views of the schema analytics, which the database role
// zurnals_analyst reads and nothing else.
package analytics

import (
	_ "embed"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

var (
	//go:embed attendance_week.sql
	weekSQL string
	//go:embed attendance_week_view.sql
	weekView string
)

var weekSchema, weekIndexes, _ = strings.Cut(weekSQL, "-- keys")

// AttendanceWeek counts lessons, marks and points by school, week and status.
var AttendanceWeek = projections.Projection[WeekTables]{
	Name: "attendance_week", Version: 1, Schema: weekSchema, Indexes: weekIndexes, Tables: weekTables,
	On: []projections.Handler[WeekTables]{
		projections.On(registerOpened),
		projections.On(lessonScheduled),
		projections.On(marksTaken),
		projections.On(selfRecorded),
	},
	Views: []projections.View{{Name: "attendance_week", Query: weekView}},
}

// WeekTables are the tables of AttendanceWeek.
type WeekTables struct {
	Registers *projections.Table[registerKey, registerRow]
	Lessons   *projections.Table[lessonKey, lessonRow]
	Marks     *projections.Table[markKey, markRow]
	Pupils    *projections.Table[pupilKey, pupilRow]
	Weeks     *projections.Table[weekKey, weekRow]
}

type (
	registerKey struct{ Register domain.RegisterID }
	registerRow struct{ Municipality domain.MunicipalityID }

	lessonKey struct{ Lesson domain.LessonID }
	lessonRow struct {
		School domain.SchoolID
		Week   domain.Date
	}

	markKey struct {
		Lesson  domain.LessonID
		Student domain.StudentID
	}
	markRow struct {
		Status          string
		Points, Maximum int32
	}

	pupilKey struct {
		School  domain.SchoolID
		Week    domain.Date
		Status  string
		Student domain.StudentID
	}
	pupilRow struct{ Marks int32 }

	weekKey struct {
		School domain.SchoolID
		Week   domain.Date
		Status string
	}
	weekRow struct {
		Municipality           domain.MunicipalityID
		Lessons, Marks, Pupils int32
		Points, Maximum        int64
	}
)

func weekTables(s *projections.Set) *WeekTables {
	type cols = []projections.Column
	return &WeekTables{
		Registers: projections.NewTable(s, "register",
			func(k *registerKey) cols { return cols{projections.ColID("register", &k.Register)} },
			func(r *registerRow) cols { return cols{projections.ColID("municipality", &r.Municipality)} }),
		Lessons: projections.NewTable(s, "lesson",
			func(k *lessonKey) cols { return cols{projections.ColID("lesson", &k.Lesson)} },
			func(r *lessonRow) cols {
				return cols{projections.ColID("school", &r.School), projections.ColDay("week", &r.Week)}
			}),
		Marks: projections.NewTable(s, "mark",
			func(k *markKey) cols {
				return cols{projections.ColID("lesson", &k.Lesson), projections.ColID("student", &k.Student)}
			},
			func(r *markRow) cols {
				return cols{projections.ColText("status", &r.Status), projections.ColInt("points", &r.Points), projections.ColInt("maximum", &r.Maximum)}
			}),
		Pupils: projections.NewTable(s, "pupil",
			func(k *pupilKey) cols {
				return cols{projections.ColID("school", &k.School), projections.ColDay("week", &k.Week),
					projections.ColText("status", &k.Status), projections.ColID("student", &k.Student)}
			},
			func(r *pupilRow) cols { return cols{projections.ColInt("marks", &r.Marks)} }),
		Weeks: projections.NewTable(s, "week",
			func(k *weekKey) cols {
				return cols{projections.ColID("school", &k.School), projections.ColDay("week", &k.Week), projections.ColText("status", &k.Status)}
			},
			func(r *weekRow) cols {
				return cols{projections.ColID("municipality", &r.Municipality),
					projections.ColInt("lessons", &r.Lessons), projections.ColInt("marks", &r.Marks), projections.ColInt("pupils", &r.Pupils),
					projections.ColLong("points", &r.Points), projections.ColLong("maximum", &r.Maximum)}
			}),
	}
}

func registerOpened(t *WeekTables, e attendance.RegisterOpened, _ projections.Meta) {
	t.Registers.Put(registerKey{e.Register}, registerRow{e.Municipality})
}

func lessonScheduled(t *WeekTables, e attendance.LessonScheduled, _ projections.Meta) {
	lesson := lessonRow{e.School, monday(e.Date)}
	t.Lessons.Put(lessonKey{e.Lesson}, lesson)
	register, _ := t.Registers.Get(registerKey{e.Register})
	key := weekKey{e.School, lesson.Week, ""}
	week, _ := t.Weeks.Get(key)
	week.Municipality = register.Municipality
	week.Lessons++
	t.Weeks.Put(key, week)
}

func marksTaken(t *WeekTables, e attendance.MarksTaken, _ projections.Meta) {
	for _, m := range e.Marks {
		t.mark(markKey{e.Lesson, m.Student}, markRow{m.Status, int32(m.Points), int32(m.Maximum)})
	}
}

func selfRecorded(t *WeekTables, e attendance.SelfRecorded, _ projections.Meta) {
	t.mark(markKey{e.Lesson, e.Student}, markRow{e.Status, int32(e.Points), int32(e.Maximum)})
}

// mark counts a mark in the place of the one there was.
func (t *WeekTables) mark(k markKey, is markRow) {
	lesson, _ := t.Lessons.Get(lessonKey{k.Lesson})
	if was, ok := t.Marks.Get(k); ok {
		t.count(lesson, k.Student, was, -1)
		t.Marks.Delete(k)
	}
	if is.Status != "" {
		t.count(lesson, k.Student, is, 1)
		t.Marks.Put(k, is)
	}
}

// count counts a mark in the line of its status and in the one for all.
func (t *WeekTables) count(lesson lessonRow, student domain.StudentID, m markRow, n int32) {
	for _, status := range []string{m.Status, ""} {
		pupilKey := pupilKey{lesson.School, lesson.Week, status, student}
		pupil, had := t.Pupils.Get(pupilKey)
		pupil.Marks += n
		key := weekKey{lesson.School, lesson.Week, status}
		week, _ := t.Weeks.Get(key)
		switch {
		case pupil.Marks == 0:
			t.Pupils.Delete(pupilKey)
			week.Pupils--
		default:
			t.Pupils.Put(pupilKey, pupil)
			if !had {
				week.Pupils++
			}
		}
		week.Marks += n
		week.Points += int64(n) * int64(m.Points)
		week.Maximum += int64(n) * int64(m.Maximum)
		t.Weeks.Put(key, week)
	}
}

// monday returns the day that the week of a day begins with.
func monday(day domain.Date) domain.Date {
	t := day.Start(time.UTC)
	return domain.DateOf(t.AddDate(0, 0, -(int(t.Weekday())+6)%7))
}
