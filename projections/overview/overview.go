// Package overview adds up attendance as each role is to see it (kopsavilkumi):
// class teachers their class pupil by pupil, the management of a school all
// classes and subjects and the work of its teachers, a municipality its schools
// beside each other. It keeps no tables of its own: what is told is added up
// from those of other read models, so that nothing can be counted twice.
package overview

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// ErrNone is answered when there is no such thing, or not there.
var ErrNone = access.ErrElsewhere

// An Asked says what is added up: lessons from one day to another, both
// included, empty for no end; Now is when it is asked.
type Asked struct {
	From, Until domain.Date
	Today       domain.Date
	Now         time.Time
}

// Sums are what marks add up to. Those of lessons outside the period of their
// register are not counted, and points only where the register counts them.
type Sums struct {
	Marks      int            `json:"marks"`
	Statuses   map[string]int `json:"statuses" doc:"marks by status"`
	Percentage *float64       `json:"percentage" doc:"of the points that were possible in the marks, one decimal; null for nothing"`

	points, maximum attendance.Points
}

// Counts are what lessons and the marks in them add up to.
type Counts struct {
	Lessons int `json:"lessons" doc:"that have begun"`
	Taken   int `json:"taken" doc:"lessons with a mark"`
	Sums
}

// add counts marks of one status.
func (s *Sums) add(status string, marks int, points, maximum attendance.Points) {
	if s.Statuses == nil {
		s.Statuses = make(map[string]int)
	}
	s.Statuses[status] += marks
	s.Marks += marks
	s.points, s.maximum = s.points+points, s.maximum+maximum
}

// merge counts what another has counted.
func (c *Counts) merge(d Counts) {
	c.Lessons, c.Taken = c.Lessons+d.Lessons, c.Taken+d.Taken
	for status, marks := range d.Statuses {
		c.add(status, marks, 0, 0)
	}
	c.points, c.maximum = c.points+d.points, c.maximum+d.maximum
}

// finish works out the percentage.
func (s *Sums) finish() {
	if s.Statuses == nil {
		s.Statuses = map[string]int{}
	}
	s.Percentage = attendance.Percent(s.points, s.maximum).Number()
}

// A Register is one register of a class: a subject.
type Register struct {
	ID   domain.RegisterID `json:"id"`
	Name string            `json:"name"`
	Counts
}

const (
	// inPeriod says which lessons l of a register r count: of the days from $2
	// to $3, and in the period of the register.
	inPeriod = `l.day >= coalesce(r.from_day, '-infinity') AND l.day <= coalesce(r.until_day, 'infinity')
		AND l.day >= coalesce(nullif($2, '')::date, '-infinity') AND l.day <= coalesce(nullif($3, '')::date, 'infinity')`

	// points are those of the marks m in them, had and possible.
	points = `coalesce(sum(m.points) FILTER (WHERE r.grade_type = 'points'), 0)::bigint AS points,
		coalesce(sum(m.maximum) FILTER (WHERE r.grade_type = 'points'), 0)::bigint AS maximum`
)

// A subject is a register with the class that it is of.
type subject struct {
	Register
	class domain.ClassID
}

// subjects returns the registers that a condition on r is true of, with $1 as
// its argument, by name.
func subjects(ctx context.Context, q *projections.Querier, where string, id any, ask Asked) ([]subject, error) {
	rows, err := q.Query(ctx, `SELECT r.register, r.name, r.class,
		  count(l.lesson) FILTER (WHERE l.starts_at <= $4), count(l.lesson) FILTER (WHERE l.marked > 0)
		FROM {attendance}.register AS r LEFT JOIN {attendance}.lesson AS l ON l.register = r.register AND `+inPeriod+`
		WHERE `+where+` GROUP BY r.register ORDER BY r.name COLLATE "lv-x-icu", r.register`, id, ask.From, ask.Until, ask.Now)
	all, err := projections.Collect(rows, err, func(s *subject) []any { return []any{&s.ID, &s.Name, &s.class, &s.Lessons, &s.Taken} })
	if err != nil {
		return nil, err
	}
	at := make(map[domain.RegisterID]*subject, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	rows, err = q.Query(ctx, `SELECT r.register, m.status, count(*), `+points+`
		FROM {attendance}.register AS r JOIN {attendance}.lesson AS l USING (register) JOIN {attendance}.mark AS m USING (lesson)
		WHERE `+where+` AND m.status <> '' AND `+inPeriod+` GROUP BY r.register, m.status`, id, ask.From, ask.Until)
	if err != nil {
		return nil, err
	}
	var register domain.RegisterID
	var status string
	var marks int
	var sum, most attendance.Points
	_, err = pgx.ForEachRow(rows, []any{&register, &status, &marks, &sum, &most}, func() error {
		if s := at[register]; s != nil {
			s.add(status, marks, sum, most)
		}
		return nil
	})
	for i := range all {
		all[i].finish()
	}
	return all, err
}
