package overview

import (
	"context"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// A Class is a class as its teacher sees it: by subject, and pupil by pupil.
type Class struct {
	ID        domain.ClassID `json:"id"`
	Name      string         `json:"name"`
	Year      string         `json:"school_year"`
	Total     Counts         `json:"total"`
	Registers []Register     `json:"registers" nullable:"false" doc:"subjects, by name"`
	Pupils    []Pupil        `json:"pupils" nullable:"false" doc:"in the class today or with a mark in it, in the order of the Latvian alphabet"`
}

// A Pupil is one pupil of a class.
type Pupil struct {
	ID         domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Enrolled   bool             `json:"enrolled" doc:"in the class today"`
	Sums
}

// OfClass adds up a class: for its teacher, and for those who support pupils.
func OfClass(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) (Class, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeAttendance, place), []string{"attendance", "students"}, func(ctx context.Context, q *projections.Querier) (c Class, err error) {
		err = q.QueryRow(ctx, `SELECT c.class, c.name, y.name FROM {students}.class AS c JOIN {students}.school_year AS y USING (year) WHERE c.class = $1`, place.Class).
			Scan(&c.ID, &c.Name, &c.Year)
		if err != nil {
			return c, projections.OrNone(err, ErrNone)
		}
		all, err := subjects(ctx, q, "r.class = $1", place.Class, ask)
		if err != nil {
			return c, err
		}
		c.Registers = []Register{}
		for _, s := range all {
			c.Registers = append(c.Registers, s.Register)
			c.Total.merge(s.Counts)
		}
		c.Total.finish()
		c.Pupils, err = pupils(ctx, q, place.Class, ask)
		return c, err
	})
}

func pupils(ctx context.Context, q *projections.Querier, class domain.ClassID, ask Asked) ([]Pupil, error) {
	rows, err := q.Query(ctx, `
		WITH m AS (
		  SELECT m.student, m.status, count(*) AS marks, `+points+`
		    FROM {attendance}.register AS r JOIN {attendance}.lesson AS l USING (register) JOIN {attendance}.mark AS m USING (lesson)
		   WHERE r.class = $1 AND m.status <> '' AND `+inPeriod+`
		   GROUP BY m.student, m.status),
		e AS (
		  SELECT DISTINCT student FROM {students}.enrolment WHERE class = $1
		     AND from_day <= $4::text::date AND (until_day IS NULL OR $4::text::date < until_day))
		SELECT p.student, coalesce(s.family_name, ''), coalesce(s.given_name, ''), EXISTS (SELECT FROM e WHERE e.student = p.student),
		       coalesce(m.status, ''), coalesce(m.marks, 0), coalesce(m.points, 0), coalesce(m.maximum, 0)
		  FROM (SELECT student FROM e UNION SELECT student FROM m) AS p
		  LEFT JOIN {students}.student AS s USING (student) LEFT JOIN m USING (student)
		 ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", p.student`, class, ask.From, ask.Until, string(ask.Today))
	if err != nil {
		return nil, err
	}
	all := []Pupil{}
	var one Pupil
	var status string
	var marks int
	var sum, most attendance.Points
	_, err = pgx.ForEachRow(rows, []any{&one.ID, &one.FamilyName, &one.GivenName, &one.Enrolled, &status, &marks, &sum, &most}, func() error {
		if len(all) == 0 || all[len(all)-1].ID != one.ID {
			all = append(all, one)
		}
		if marks > 0 {
			all[len(all)-1].add(status, marks, sum, most)
		}
		return nil
	})
	for i := range all {
		all[i].finish()
	}
	return all, err
}
