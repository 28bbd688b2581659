package attendance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/projections"
	view "zurnals/projections/attendance"
	"zurnals/projections/projectiontest"
	"zurnals/projections/students"
)

// BenchmarkReport reads the report of a class of 30 after a year of 200 lessons.
func BenchmarkReport(b *testing.B) {
	events := []domain.Event{opened(register, "Matemātika 6.a")}
	var all []attendance.Marked
	for n := range 30 {
		pupil := domain.StudentID{UUID: uuid.UUID{14: 7, 15: byte(n)}}
		events = append(events, student(pupil, "Vārds", fmt.Sprintf("Uzvārds%02d", n)), in(pupil, class, "2025-09-01", ""))
		all = append(all, marked(pupil, "P", ""))
	}
	start := time.Date(2025, 9, 1, 5, 30, 0, 0, time.UTC)
	for n := range 200 {
		lesson, day := domain.LessonID{UUID: uuid.UUID{13: byte(n), 15: 1}}, start.AddDate(0, 0, n)
		events = append(events, attendance.LessonScheduled{Lesson: lesson, Register: register, School: school, Class: class,
			Audience: attendance.All, Date: domain.DateOf(day), From: "08:30", StartsAt: day},
			attendance.MarksTaken{Lesson: lesson, Register: register, School: school, Class: class, Marks: all})
	}
	db := projectiontest.Given(b, projectiontest.Events(events...), view.Projection, students.Projection)
	b.Run("report", func(b *testing.B) {
		for b.Loop() {
			if r, err := view.ReportOf(b.Context(), db, teacher, place, view.Question{}); err != nil || len(r.Pupils) != 30 {
				b.Fatal(err, len(r.Pupils))
			}
		}
	})
	b.Run("sheet", func(b *testing.B) {
		for b.Loop() {
			if s, err := view.SheetOf(b.Context(), db, teacher, place, domain.LessonID{UUID: uuid.UUID{13: 9, 15: 1}}); err != nil || len(s.Pupils) != 30 {
				b.Fatal(err, len(s.Pupils))
			}
		}
	})
	b.Run("lessons", func(b *testing.B) {
		for b.Loop() {
			if l, _, err := view.Lessons(b.Context(), db, teacher, place, view.Period{}, projections.Page{}); err != nil || len(l) != 50 {
				b.Fatal(err, len(l))
			}
		}
	})
}
