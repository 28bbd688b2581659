package attendance

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// Refusals of queries.
var (
	ErrNone    = domain.Refuse(domain.NotFound, "attendance.not_shown", "there is no such thing, or it is not to be seen yet")
	ErrTooMany = domain.Refuse(domain.Invalid, "attendance.report_too_long", "too many lessons for one report: name a shorter period")
)

// reads are the projections that a query about pupils needs.
var reads = []string{"attendance", "students"}

const registerColumns = `r.register, r.school, r.class, r.name, r.description, r.grade_type, r.grade_maximum,
	coalesce(r.from_day::text, ''), coalesce(r.until_day::text, ''), r.set_version,
	(SELECT count(*) FROM {attendance}.lesson AS l WHERE l.register = r.register), r.version, r.opened_at, r.set_maximum`

func (r *Register) fields() []any {
	return []any{&r.ID, &r.School, &r.Class, &r.Name, &r.Description, &r.GradeType, &r.GradeMaximum,
		&r.From, &r.Until, &r.StatusSet, &r.Lessons, &r.Version, &r.OpenedAt, &r.most}
}

// Registers returns the registers of a place, a school or part of it, by name.
func Registers(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, page projections.Page) (all []Register, next string, err error) {
	after, more, err := page.After(2)
	if err == nil && more {
		_, err = domain.ParseID[domain.RegisterID](after[1])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeRegisters, place), reads[:1], func(ctx context.Context, q *projections.Querier) ([]Register, error) {
		rows, err := q.Query(ctx, `SELECT `+registerColumns+` FROM {attendance}.register AS r
			WHERE r.school = $1 AND ($2::uuid IS NULL OR r.class = $2) AND ($3::uuid IS NULL OR r.register = $3) AND r.search LIKE $4
			  AND (NOT $5 OR (r.name COLLATE "lv-x-icu", r.register) > ($6::text COLLATE "lv-x-icu", nullif($7, '')::uuid))
			ORDER BY r.name COLLATE "lv-x-icu", r.register LIMIT $8`,
			place.School, projections.Optional(place.Class), projections.Optional(place.Register), page.Pattern(), more, after[0], after[1], page.Size()+1)
		return projections.Collect(rows, err, (*Register).fields)
	})
	all, next = projections.Cut(page, all, func(r Register) []string { return []string{r.Name, r.ID.String()} })
	return all, next, err
}

// RegisterAt returns one register with the status set that marks are made with.
func RegisterAt(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope) (Register, StatusSet, error) {
	var set StatusSet
	r, err := projections.Query(ctx, db, by, access.At(access.SeeRegisters, place), reads[:1], func(ctx context.Context, q *projections.Querier) (Register, error) {
		r, err := register(ctx, q, place.Register)
		if err == nil {
			set, err = statusSet(ctx, q, place.Register, r.StatusSet)
		}
		return r, err
	})
	return r, set, err
}

// StatusSetAt returns one version of the status set of a register.
func StatusSetAt(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, version int) (StatusSet, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeRegisters, place), reads[:1], func(ctx context.Context, q *projections.Querier) (StatusSet, error) {
		return statusSet(ctx, q, place.Register, version)
	})
}

func register(ctx context.Context, q *projections.Querier, id domain.RegisterID) (r Register, err error) {
	err = q.QueryRow(ctx, `SELECT `+registerColumns+` FROM {attendance}.register AS r WHERE r.register = $1`, id).Scan(r.fields()...)
	return r, projections.OrNone(err, ErrNone)
}

func statusSet(ctx context.Context, q *projections.Querier, id domain.RegisterID, version int) (StatusSet, error) {
	rows, err := q.Query(ctx, `SELECT acronym, description, points::float8 / 100, self_limit FROM {attendance}.status
		WHERE register = $1 AND set_version = $2 ORDER BY place`, id, version)
	statuses, err := projections.Collect(rows, err, func(s *Status) []any { return []any{&s.Acronym, &s.Description, &s.Points, &s.Self} })
	if err == nil && len(statuses) == 0 {
		err = ErrNone
	}
	return StatusSet{version, statuses}, err
}

// A Period is the days that are asked for, both ends included; empty for no end.
type Period struct{ From, Until domain.Date }

const lessonColumns = `l.lesson, l.register, l.class, l.day::text, l.from_time, l.until_time, l.starts_at, l.ends_at, l.description,
	l.by_password, l.by_code, l.own_updates, l.auto_status, l.early_open, l.late_after, l.opens_at, l.closes_at,
	coalesce(l.day < r.from_day OR l.day > r.until_day, false),
	(SELECT count(DISTINCT e.student) FROM {students}.enrolment AS e
	  WHERE e.class = l.class AND e.from_day <= l.day AND (e.until_day IS NULL OR l.day < e.until_day)),
	l.marked, l.self_recorded, l.version`

// A lessonScan is where a lesson is read to.
type lessonScan struct {
	Lesson
	self          SelfRecording
	opens, closes *time.Time
}

func (l *lessonScan) fields() []any {
	return []any{&l.ID, &l.Register, &l.Class, &l.Date, &l.From, &l.Until, &l.StartsAt, &l.EndsAt, &l.Description,
		&l.self.Password, &l.self.QR, &l.self.OwnUpdates, &l.self.AutoStatus, &l.self.EarlyOpen, &l.self.LateAfter, &l.opens, &l.closes,
		&l.Hidden, &l.Members, &l.Marked, &l.SelfRecorded, &l.Version}
}

func (l *lessonScan) lesson() Lesson {
	l.Audience = string(attendance.All)
	if l.opens != nil {
		l.self.OpensAt, l.self.ClosesAt = *l.opens, *l.closes
		l.SelfRecording = &l.self
	}
	return l.Lesson
}

// Lessons returns the lessons of a register in the order of time.
func Lessons(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, period Period, page projections.Page) (all []Lesson, next string, err error) {
	after, more, err := afterLesson(page)
	if err != nil {
		return nil, "", err
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeAttendance, place), reads, func(ctx context.Context, q *projections.Querier) ([]Lesson, error) {
		rows, err := q.Query(ctx, `SELECT `+lessonColumns+` FROM {attendance}.lesson AS l JOIN {attendance}.register AS r USING (register)
			WHERE l.register = $1 AND l.day >= coalesce(nullif($2, '')::date, '-infinity') AND l.day <= coalesce(nullif($3, '')::date, 'infinity')
			  AND (NOT $4 OR (l.starts_at, l.lesson) > (nullif($5, '')::timestamptz, nullif($6, '')::uuid))
			ORDER BY l.starts_at, l.lesson LIMIT $7`,
			place.Register, period.From, period.Until, more, after[0], after[1], page.Size()+1)
		scans, err := projections.Collect(rows, err, (*lessonScan).fields)
		lessons := make([]Lesson, len(scans))
		for i := range scans {
			lessons[i] = scans[i].lesson()
		}
		return lessons, err
	})
	all, next = projections.Cut(page, all, func(l Lesson) []string { return lessonKeyOf(l.StartsAt, l.ID) })
	return all, next, err
}

// lessonKeyOf returns where a lesson stands in a list of lessons.
func lessonKeyOf(starts time.Time, id domain.LessonID) []string {
	return []string{starts.UTC().Format(time.RFC3339Nano), id.String()}
}

// afterLesson returns the key of the last lesson of the page before.
func afterLesson(page projections.Page) (key []string, more bool, err error) {
	key, more, err = page.After(2)
	if err == nil && more {
		_, err = time.Parse(time.RFC3339Nano, key[0])
	}
	if err == nil && more {
		_, err = domain.ParseID[domain.LessonID](key[1])
	}
	if err != nil {
		return nil, false, projections.ErrCursor.In("query.cursor")
	}
	return key, more, nil
}

// SheetOf returns a lesson with all who are in the class on its day, by name,
// and with those who have a mark in it all the same.
func SheetOf(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, lesson domain.LessonID) (Sheet, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeAttendance, place), reads, func(ctx context.Context, q *projections.Querier) (s Sheet, err error) {
		var l lessonScan
		err = q.QueryRow(ctx, `SELECT `+lessonColumns+` FROM {attendance}.lesson AS l JOIN {attendance}.register AS r USING (register)
			WHERE l.lesson = $1 AND l.register = $2`, lesson, place.Register).Scan(l.fields()...)
		if err != nil {
			return s, projections.OrNone(err, ErrNone)
		}
		s.Lesson = l.lesson()
		r, err := register(ctx, q, place.Register)
		if err != nil {
			return s, err
		}
		if s.StatusSet, err = statusSet(ctx, q, place.Register, r.StatusSet); err != nil {
			return s, err
		}
		rows, err := q.Query(ctx, `WITH pupil AS (
			  SELECT e.student, true AS enrolled FROM {students}.enrolment AS e
			   WHERE e.class = $2 AND e.from_day <= $3::text::date AND (e.until_day IS NULL OR $3::text::date < e.until_day)
			  UNION ALL SELECT m.student, false FROM {attendance}.mark AS m WHERE m.lesson = $1)
			SELECT p.student, coalesce(s.family_name, ''), coalesce(s.given_name, ''), p.enrolled,
			       coalesce(m.status, ''), coalesce(m.set_version, 0), coalesce(m.remark, ''), coalesce(m.method, ''), m.changed_at
			  FROM (SELECT student, bool_or(enrolled) AS enrolled FROM pupil GROUP BY student) AS p
			  LEFT JOIN {students}.student AS s USING (student)
			  LEFT JOIN {attendance}.mark AS m ON m.lesson = $1 AND m.student = p.student
			 ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", p.student`, lesson, s.Lesson.Class, s.Lesson.Date)
		s.Pupils, err = projections.Collect(rows, err, func(p *Pupil) []any {
			return []any{&p.Student, &p.FamilyName, &p.GivenName, &p.Enrolled, &p.Status, &p.StatusSet, &p.Remark, &p.Method, &p.ChangedAt}
		})
		for i := range s.Pupils {
			p := &s.Pupils[i]
			p.Unmarked, p.SelfRecorded = p.Status == "", p.Method.Self()
		}
		return s, err
	})
}
