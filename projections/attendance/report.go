package attendance

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// reportMost is how many lessons one report has at most.
const reportMost = 1000

// A Question says what a report is about.
type Question struct {
	Period
	Student domain.StudentID // zero: everybody
}

// A Heading is what is known of a report before its first row.
type Heading struct {
	Register  Register
	StatusSet StatusSet
	Lessons   []Column
}

// Walk reads a report: the heading once, and then one row after another by
// name, so that a report of any size needs room for one row. Who is in the
// report was in the class on the day of one of the lessons, or has a mark.
func Walk(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Question, head func(Heading) error, row func(Row) error) error {
	_, err := projections.Query(ctx, db, by, access.At(access.SeeAttendance, place), reads, func(ctx context.Context, q *projections.Querier) (struct{}, error) {
		return struct{}{}, walk(ctx, q, place, ask, head, row)
	})
	return err
}

// ReportOf returns a whole report.
func ReportOf(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Question) (Report, error) {
	report := Report{Pupils: []Row{}, Statuses: make(map[string]int)}
	err := Walk(ctx, db, by, place, ask,
		func(h Heading) error {
			report.Register, report.StatusSet, report.Lessons = h.Register, h.StatusSet, h.Lessons
			return nil
		},
		func(r Row) error {
			for i, c := range r.Cells {
				if c.Kind == kinds[attendance.Taken] {
					report.Lessons[i].Statuses[c.Status]++
					report.Statuses[c.Status]++
				}
			}
			report.Pupils = append(report.Pupils, r)
			return nil
		})
	return report, err
}

// kinds are the names of the kinds of cells.
var kinds = map[attendance.CellKind]string{
	attendance.Taken: "marked", attendance.Unmarked: "unmarked",
	attendance.NotEnrolled: "not_enrolled", attendance.Hidden: "hidden",
}

// A cellScan is where one pupil in one lesson is read to.
type cellScan struct {
	student                domain.StudentID
	family, given          string
	hidden, enrolled       bool
	status, remark         string
	points, maximum, whole int32 // whole: the most in the status set of now
	method                 attendance.Method
}

func (c *cellScan) fields() []any {
	return []any{&c.student, &c.family, &c.given, &c.hidden, &c.enrolled, &c.status, &c.remark, &c.points, &c.maximum, &c.method}
}

// cell returns what the domain makes of it. A mark counts wherever it is: who
// was marked was there.
func (c *cellScan) cell() attendance.Cell {
	switch {
	case c.hidden:
		return attendance.Cell{Kind: attendance.Hidden}
	case c.status != "":
		return attendance.Cell{Kind: attendance.Taken, Status: c.status, Points: attendance.Points(c.points), Maximum: attendance.Points(c.maximum)}
	case !c.enrolled:
		return attendance.Cell{Kind: attendance.NotEnrolled}
	}
	return attendance.Cell{Kind: attendance.Unmarked, Maximum: attendance.Points(c.whole)}
}

func walk(ctx context.Context, q *projections.Querier, place access.Scope, ask Question, head func(Heading) error, row func(Row) error) error {
	r, err := register(ctx, q, place.Register)
	if err != nil {
		return err
	}
	set, err := statusSet(ctx, q, place.Register, r.StatusSet)
	if err != nil {
		return err
	}
	rows, err := q.Query(ctx, `SELECT l.lesson, l.day::text, l.from_time, l.until_time, l.description, coalesce(l.day < r.from_day OR l.day > r.until_day, false)
		FROM {attendance}.lesson AS l JOIN {attendance}.register AS r USING (register)
		WHERE l.register = $1 AND l.day >= coalesce(nullif($2, '')::date, '-infinity') AND l.day <= coalesce(nullif($3, '')::date, 'infinity')
		ORDER BY l.starts_at, l.lesson LIMIT $4`, r.ID, ask.From, ask.Until, reportMost+1)
	lessons, err := projections.Collect(rows, err, func(c *Column) []any {
		c.Statuses = make(map[string]int)
		return []any{&c.ID, &c.Date, &c.From, &c.Until, &c.Description, &c.Hidden}
	})
	if err != nil {
		return err
	}
	if len(lessons) > reportMost {
		return ErrTooMany
	}
	if err := head(Heading{r, set, lessons}); err != nil || len(lessons) == 0 {
		return err
	}
	return cells(ctx, q, r, lessons, ask, row)
}

// cells reads all cells, pupil by pupil and in each in the order of lessons.
func cells(ctx context.Context, q *projections.Querier, r Register, lessons []Column, ask Question, row func(Row) error) error {
	ids := make([]string, len(lessons))
	for i, l := range lessons {
		ids[i] = l.ID.String()
	}
	rows, err := q.Query(ctx, `
		WITH l AS (
		  SELECT l.lesson, l.day, l.starts_at, coalesce(l.day < r.from_day OR l.day > r.until_day, false) AS hidden
		    FROM {attendance}.lesson AS l JOIN {attendance}.register AS r USING (register) WHERE l.lesson = any($1::text[]::uuid[])),
		e AS (
		  SELECT student, from_day, until_day FROM {students}.enrolment WHERE class = $2),
		p AS (
		  SELECT DISTINCT e.student FROM e JOIN l ON e.from_day <= l.day AND (e.until_day IS NULL OR l.day < e.until_day)
		  UNION SELECT m.student FROM {attendance}.mark AS m JOIN l USING (lesson))
		SELECT p.student, coalesce(s.family_name, ''), coalesce(s.given_name, ''), l.hidden,
		       EXISTS (SELECT FROM e WHERE e.student = p.student AND e.from_day <= l.day AND (e.until_day IS NULL OR l.day < e.until_day)),
		       coalesce(m.status, ''), coalesce(m.remark, ''), coalesce(m.points, 0), coalesce(m.maximum, 0), coalesce(m.method, '')
		  FROM p CROSS JOIN l
		  LEFT JOIN {students}.student AS s ON s.student = p.student
		  LEFT JOIN {attendance}.mark AS m ON m.lesson = l.lesson AND m.student = p.student
		 WHERE $3::uuid IS NULL OR p.student = $3
		 ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", p.student, l.starts_at, l.lesson`, ids, r.Class, projections.Optional(ask.Student))
	if err != nil {
		return err
	}
	defer rows.Close()
	var one Row
	var all []attendance.Cell
	for rows.Next() {
		c := cellScan{whole: r.most}
		if err := rows.Scan(c.fields()...); err != nil {
			return err
		}
		if len(all) == 0 {
			one = Row{Student: c.student, FamilyName: c.family, GivenName: c.given, Cells: make([]Cell, 0, len(lessons))}
		}
		cell := c.cell()
		all = append(all, cell)
		one.Cells = append(one.Cells, Cell{
			Kind: kinds[cell.Kind], Status: c.status, Points: decimal(cell.Points), Maximum: decimal(cell.Maximum), Remark: c.remark, Method: c.method,
		})
		if len(all) == len(lessons) {
			one.Summary = summary(attendance.Summarise(all, r.GradeMaximum), r.GradeType)
			if err := row(one); err != nil {
				return err
			}
			all = all[:0]
		}
	}
	return rows.Err()
}
