package attendance

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// concerns joins the lessons l that concern the pupil $1: those of the classes
// that he was in on the day (C-18), and those he has a mark in.
const concerns = `{attendance}.lesson AS l
	JOIN {attendance}.register AS r USING (register)
	LEFT JOIN {attendance}.mark AS m ON m.lesson = l.lesson AND m.student = $1
	WHERE l.class IN (SELECT e.class FROM {students}.enrolment AS e WHERE e.student = $1)
	  AND (m.status <> '' OR EXISTS (SELECT FROM {students}.enrolment AS e WHERE e.student = $1 AND e.class = l.class
	       AND e.from_day <= l.day AND (e.until_day IS NULL OR l.day < e.until_day)))`

// OwnLessons returns the lessons that concern the pupil of the learner account
// that asks. Now is when it is asked.
func OwnLessons(ctx context.Context, db *projections.DB, by access.Actor, student domain.StudentID, now time.Time, period Period, page projections.Page) (all []OwnLesson, next string, err error) {
	after, more, err := afterLesson(page)
	if err != nil {
		return nil, "", err
	}
	all, err = projections.Query(ctx, db, by, access.Own(access.OwnLessons, by.ID), reads, func(ctx context.Context, q *projections.Querier) ([]OwnLesson, error) {
		rows, err := q.Query(ctx, `SELECT l.lesson, l.register, r.name, l.day::text, l.from_time, l.until_time, l.starts_at, l.description,
			  coalesce(m.remark, ''), coalesce(m.status, ''), coalesce(m.method, ''), m.changed_at, l.by_password, l.by_code,
			  coalesce(l.opens_at <= $7 AND $7 < l.closes_at, false)
			    AND (coalesce(m.status, '') = '' OR l.own_updates AND m.method IN ('password', 'qr')),
			  l.closes_at
			FROM `+concerns+`
			  AND l.day >= coalesce(nullif($2, '')::date, '-infinity') AND l.day <= coalesce(nullif($3, '')::date, 'infinity')
			  AND (NOT $4 OR (l.starts_at, l.lesson) > (nullif($5, '')::timestamptz, nullif($6, '')::uuid))
			ORDER BY l.starts_at, l.lesson LIMIT $8`,
			student, period.From, period.Until, more, after[0], after[1], now, page.Size()+1)
		return projections.Collect(rows, err, func(l *OwnLesson) []any {
			return []any{&l.ID, &l.Register, &l.Name, &l.Date, &l.From, &l.Until, &l.StartsAt, &l.Description,
				&l.Remark, &l.Status, &l.Method, &l.ChangedAt, &l.Password, &l.QR, &l.Open, &l.ClosesAt}
		})
	})
	for i := range all {
		all[i].SelfRecorded = all[i].Method.Self()
	}
	all, next = projections.Cut(page, all, func(l OwnLesson) []string { return lessonKeyOf(l.StartsAt, l.ID) })
	return all, next, err
}

// OwnRegisters returns what the registers of the pupil's classes add up to.
func OwnRegisters(ctx context.Context, db *projections.DB, by access.Actor, student domain.StudentID) ([]OwnRegister, error) {
	return projections.Query(ctx, db, by, access.Own(access.OwnLessons, by.ID), reads, func(ctx context.Context, q *projections.Querier) ([]OwnRegister, error) {
		return registersOf(ctx, q, student, domain.ClassID{})
	})
}

// OfPupil returns what the registers of one pupil of a school add up to, or if
// the place names a class, those of the class: for its teacher, and for those
// who support pupils.
func OfPupil(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, student domain.StudentID) ([]OwnRegister, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeAttendance, place), reads, func(ctx context.Context, q *projections.Querier) ([]OwnRegister, error) {
		var here bool
		err := q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM {students}.student WHERE student = $1 AND school = $2)
			AND ($3::uuid IS NULL OR EXISTS (SELECT FROM {students}.enrolment WHERE student = $1 AND class = $3))`,
			student, place.School, projections.Optional(place.Class)).Scan(&here)
		if err == nil && !here {
			err = access.ErrElsewhere
		}
		if err != nil {
			return nil, err
		}
		return registersOf(ctx, q, student, place.Class)
	})
}

func registersOf(ctx context.Context, q *projections.Querier, student domain.StudentID, class domain.ClassID) ([]OwnRegister, error) {
	rows, err := q.Query(ctx, `SELECT r.register, r.name, r.grade_type, r.grade_maximum, r.set_maximum,
		  coalesce(l.day < r.from_day OR l.day > r.until_day, false), coalesce(m.status, ''), coalesce(m.points, 0), coalesce(m.maximum, 0)
		FROM `+concerns+` AND ($2::uuid IS NULL OR l.class = $2)
		ORDER BY r.name COLLATE "lv-x-icu", r.register`, student, projections.Optional(class))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	own := []OwnRegister{}
	var all []attendance.Cell
	var grades attendance.GradeType
	var highest int
	finish := func() {
		if len(own) > 0 {
			own[len(own)-1].Summary = summary(attendance.Summarise(all, highest), grades)
		}
	}
	for rows.Next() {
		c := cellScan{enrolled: true}
		var r OwnRegister
		var graded attendance.GradeType
		var most int
		if err := rows.Scan(&r.Register, &r.Name, &graded, &most, &c.whole, &c.hidden, &c.status, &c.points, &c.maximum); err != nil {
			return nil, err
		}
		if len(own) == 0 || own[len(own)-1].Register != r.Register {
			finish()
			own, all = append(own, r), nil
			grades, highest = graded, most
		}
		all = append(all, c.cell())
	}
	finish()
	return own, rows.Err()
}
