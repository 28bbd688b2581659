package demo

import (
	"context"
	"fmt"
	"time"

	"zurnals/commands"
	"zurnals/domain"
)

// Teach lets the days go by: each morning the lessons are planned, each
// afternoon the sheets are saved.
func (d *Demo) Teach(ctx context.Context) error {
	calendar, err := ReadCalendar()
	if err != nil {
		return err
	}
	for n, day := range calendar.Days(d.Days) {
		planned := make(map[*class][]domain.LessonID)
		for _, s := range d.schools {
			for _, c := range s.classes {
				if calendar.Has(c.Grade, day) {
					planned[c] = make([]domain.LessonID, len(c.Lessons(n)))
				}
			}
		}
		if err := d.until(ctx, day, 8*60); err != nil {
			return err
		}
		if err := d.eachClass(ctx, workers, func(ctx context.Context, c *class) error {
			return d.plan(ctx, c, n, day, planned[c])
		}); err != nil {
			return fmt.Errorf("%s: %w", day, err)
		}
		if err := d.until(ctx, day, 15*60+45); err != nil {
			return err
		}
		if err := d.eachClass(ctx, workers, func(ctx context.Context, c *class) error {
			return d.save(ctx, c, n, planned[c])
		}); err != nil {
			return fmt.Errorf("%s: %w", day, err)
		}
	}
	return nil
}

// until turns the clock on to a minute of a day, if it is not later already.
func (d *Demo) until(ctx context.Context, day domain.Date, minutes int) error {
	midnight, err := time.ParseInLocation(time.DateOnly, string(day), domain.Riga)
	if err != nil {
		return err
	}
	at := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, minutes, 0, 0, domain.Riga)
	if by := at.Sub(d.Clock.Now()); by > 0 {
		return d.Clock.Advance(ctx, by)
	}
	return nil
}

// plan plans the lessons of a class.
func (d *Demo) plan(ctx context.Context, c *class, n int, day domain.Date, planned []domain.LessonID) error {
	for i := range planned {
		lesson := c.Lessons(n)[i]
		t := c.registers[lesson.Subject]
		by, err := d.Commands.Who(ctx, c.teacher, 0, t.instructor)
		if err != nil {
			return err
		}
		if planned[i], err = d.Commands.ScheduleLesson(ctx, by, commands.ScheduleLesson{
			Register: t.register, Date: day, From: lesson.From, Until: lesson.Until,
		}); err != nil {
			return err
		}
	}
	return nil
}

// save saves the sheets of a class.
func (d *Demo) save(ctx context.Context, c *class, n int, planned []domain.LessonID) error {
	for i, id := range planned {
		by, err := d.Commands.Who(ctx, c.teacher, 0, c.registers[c.Lessons(n)[i].Subject].instructor)
		if err != nil {
			return err
		}
		marks := c.Marks(n, i, c.students)
		if err := d.Commands.TakeMarks(ctx, by, commands.TakeMarks{Lesson: id, Marks: marks}); err != nil {
			return err
		}
		d.counts.lessons.Add(1)
		d.counts.marks.Add(int64(len(marks)))
	}
	return nil
}
