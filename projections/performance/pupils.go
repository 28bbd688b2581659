package performance

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/roster"
	"zurnals/projections"
)

var reads = []string{Projection.Name, "students"}

// ErrNone is answered when there is no such thing, or not there.
var ErrNone = access.ErrElsewhere

// An Asked says which school year is meant: the one that has begun last if it
// names none, and of a class the one that the class is of (S-12).
type Asked struct {
	Year  domain.SchoolYearID
	Today domain.Date
}

// A SchoolYear is the one that is told of.
type SchoolYear struct {
	ID   domain.SchoolYearID `json:"id"`
	Name string              `json:"name"`

	day domain.Date // that classes are looked at: today, or its last one if it is over
}

// A Pupil is how one pupil does, in short.
type Pupil struct {
	ID         domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Classes    []string         `json:"classes" nullable:"false"`
	Grades     int              `json:"grades" doc:"of every scale"`
	Average    *float64         `json:"average" doc:"of grades from 1 to 10, two decimals; null for none"`
	Absences   AbsenceCounts    `json:"absences"`

	sum
}

// AbsenceCounts are lessons that the e-journal says a pupil was not in. To be
// late is not among them.
type AbsenceCounts struct {
	Excused   int `json:"excused"`
	Unexcused int `json:"unexcused"`
	Unknown   int `json:"unknown" doc:"the e-journal does not say, or in a way of its own"`
}

// A Performance is how one pupil does in a school year.
type Performance struct {
	Year       *SchoolYear      `json:"school_year" doc:"null before there is one"`
	ID         domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Subjects   []Subject        `json:"subjects" nullable:"false" doc:"by name"`
	Absences   Absences         `json:"absences"`
}

// A Subject is the grades of one subject (mācību priekšmets).
type Subject struct {
	Name    string   `json:"name"`
	Average *float64 `json:"average" doc:"of grades from 1 to 10, two decimals; null for none"`
	Terms   []Term   `json:"terms" nullable:"false"`

	sum
}

// A Term is the grades of one term in it.
type Term struct {
	Name    string   `json:"name,omitempty"`
	Average *float64 `json:"average" doc:"of grades from 1 to 10, two decimals; null for none"`
	Grades  []Grade  `json:"grades" nullable:"false"`

	sum
}

// A Grade is one assessment.
type Grade struct {
	Title  string       `json:"title,omitempty" doc:"of what was graded"`
	Date   *domain.Date `json:"date"`
	Scale  roster.Scale `json:"scale" enum:"ten,percent,pass"`
	Value  string       `json:"value" doc:"1 to 10; 0 to 100; i or ni; on any scale nv"`
	Source string       `json:"source" doc:"the e-journal that says so"`

	tenths int
}

// Absences are all of a school year.
type Absences struct {
	AbsenceCounts
	Items []Absence `json:"items" nullable:"false" doc:"the latest first"`
}

// An Absence is a lesson that the pupil was not in.
type Absence struct {
	Date    domain.Date        `json:"date"`
	Lesson  int                `json:"lesson,omitempty" doc:"its number on that day"`
	Subject string             `json:"subject,omitempty"`
	Kind    roster.AbsenceKind `json:"kind" enum:"excused,unexcused,unknown"`
	Source  string             `json:"source" doc:"the e-journal that says so"`
}

// A sum adds up grades from 1 to 10.
type sum struct{ count, tenths int }

func (s *sum) add(g Grade) {
	if g.Scale == roster.ScaleTen && g.tenths >= 0 {
		s.count, s.tenths = s.count+1, s.tenths+g.tenths
	}
}

// average returns the average with two decimals, half up; nil of nothing.
func (s sum) average() *float64 {
	if s.count == 0 {
		return nil
	}
	a := float64((20*s.tenths+s.count)/(2*s.count)) / 100
	return &a
}

// inClass says that a pupil s is in the class that $4 may name, on a day $3.
const inClass = `($4::uuid IS NULL OR EXISTS (SELECT FROM {students}.enrolment AS e WHERE e.student = s.student AND e.class = $4
	AND e.from_day <= $3::text::date AND (e.until_day IS NULL OR $3::text::date < e.until_day)))`

// yearOf returns the school year that is asked about, nil if there is none yet.
func yearOf(ctx context.Context, q *projections.Querier, place access.Scope, ask Asked) (*SchoolYear, error) {
	var y SchoolYear
	err := q.QueryRow(ctx, `SELECT y.year, y.name, least($3::text::date, y.to_day)::text FROM {students}.school_year AS y
		WHERE y.school = $1 AND ($2::uuid IS NULL OR y.year = $2)
		  AND ($4::uuid IS NULL OR y.year = (SELECT c.year FROM {students}.class AS c WHERE c.class = $4 AND c.school = $1))
		  AND ($2::uuid IS NOT NULL OR $4::uuid IS NOT NULL OR y.from_day <= $3::text::date)
		ORDER BY y.from_day DESC LIMIT 1`,
		place.School, projections.Optional(ask.Year), string(ask.Today), projections.Optional(place.Class)).Scan(&y.ID, &y.Name, &y.day)
	switch {
	case err == nil:
		return &y, nil
	case errors.Is(err, pgx.ErrNoRows) && ask.Year.IsZero() && place.Class.IsZero():
		return nil, nil
	}
	return nil, projections.OrNone(err, ErrNone)
}

// Pupils returns how the pupils of a school do, or if the place names one, of a
// class. They come in the order of the Latvian alphabet.
func Pupils(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked, page projections.Page) (all []Pupil, next string, err error) {
	after, more, err := page.After(3)
	if err == nil && more {
		_, err = domain.ParseID[domain.StudentID](after[2])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeGrades, place), reads, func(ctx context.Context, q *projections.Querier) ([]Pupil, error) {
		year, err := yearOf(ctx, q, place, ask)
		if year == nil || err != nil {
			return []Pupil{}, err
		}
		rows, err := q.Query(ctx, `
			SELECT s.student, s.family_name, s.given_name,
			       array(SELECT DISTINCT c.name FROM {students}.enrolment AS e JOIN {students}.class AS c USING (class) WHERE e.student = s.student AND c.year = $2
			          AND e.from_day <= $3::text::date AND (e.until_day IS NULL OR $3::text::date < e.until_day) ORDER BY c.name),
			       coalesce(t.grades, 0), coalesce(t.tens, 0), coalesce(t.tenths, 0), coalesce(t.excused, 0), coalesce(t.unexcused, 0), coalesce(t.unknown, 0)
			  FROM (SELECT * FROM {students}.student AS s
			         WHERE s.school = $1 AND s.search LIKE $5 AND `+inClass+`
			           AND (NOT $6 OR (s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student) > ($7, $8, nullif($9, '')::uuid))
			         ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student LIMIT $10) AS s
			  LEFT JOIN {performance}.total AS t ON t.student = s.student AND t.year = $2
			 ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student`,
			place.School, year.ID, string(year.day), projections.Optional(place.Class), page.Pattern(), more, after[0], after[1], after[2], page.Size()+1)
		return projections.Collect(rows, err, func(p *Pupil) []any {
			return []any{&p.ID, &p.FamilyName, &p.GivenName, &p.Classes, &p.Grades, &p.count, &p.tenths,
				&p.Absences.Excused, &p.Absences.Unexcused, &p.Absences.Unknown}
		})
	})
	for i := range all {
		all[i].Average = all[i].average()
	}
	all, next = projections.Cut(page, all, func(p Pupil) []string { return []string{p.FamilyName, p.GivenName, p.ID.String()} })
	return all, next, err
}

// Of returns how one pupil at a place does.
func Of(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, student domain.StudentID, ask Asked) (Performance, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeGrades, place), reads, func(ctx context.Context, q *projections.Querier) (p Performance, err error) {
		p.Subjects, p.Absences.Items = []Subject{}, []Absence{}
		if p.Year, err = yearOf(ctx, q, place, ask); err != nil {
			return p, err
		}
		day := ask.Today
		if p.Year != nil {
			day = p.Year.day
		}
		err = q.QueryRow(ctx, `SELECT s.student, s.family_name, s.given_name FROM {students}.student AS s WHERE s.school = $1 AND s.student = $2 AND `+inClass,
			place.School, student, string(day), projections.Optional(place.Class)).Scan(&p.ID, &p.FamilyName, &p.GivenName)
		if err != nil || p.Year == nil {
			return p, projections.OrNone(err, ErrNone)
		}
		if err := p.grades(ctx, q); err != nil {
			return p, err
		}
		rows, err := q.Query(ctx, `SELECT day::text, lesson, subject, kind, source FROM {performance}.absence
			WHERE student = $1 AND year = $2 ORDER BY day DESC, lesson`, student, p.Year.ID)
		p.Absences.Items, err = projections.Collect(rows, err, func(a *Absence) []any { return []any{&a.Date, &a.Lesson, &a.Subject, &a.Kind, &a.Source} })
		for _, a := range p.Absences.Items {
			p.Absences.count(a.Kind)
		}
		return p, err
	})
}

// grades reads the grades, by subject and term.
func (p *Performance) grades(ctx context.Context, q *projections.Querier) error {
	rows, err := q.Query(ctx, `SELECT subject, term, title, day::text, scale, value, tenths, source FROM {performance}.grade
		WHERE student = $1 AND year = $2 ORDER BY subject COLLATE "lv-x-icu", subject, term COLLATE "lv-x-icu", term, day, item`, p.ID, p.Year.ID)
	if err != nil {
		return err
	}
	var subject, term string
	var g Grade
	_, err = pgx.ForEachRow(rows, []any{&subject, &term, &g.Title, &g.Date, &g.Scale, &g.Value, &g.tenths, &g.Source}, func() error {
		if n := len(p.Subjects); n == 0 || p.Subjects[n-1].Name != subject {
			p.Subjects = append(p.Subjects, Subject{Name: subject})
		}
		s := &p.Subjects[len(p.Subjects)-1]
		if n := len(s.Terms); n == 0 || s.Terms[n-1].Name != term {
			s.Terms = append(s.Terms, Term{Name: term})
		}
		t := &s.Terms[len(s.Terms)-1]
		t.Grades = append(t.Grades, g)
		s.add(g)
		t.add(g)
		return nil
	})
	for i := range p.Subjects {
		s := &p.Subjects[i]
		s.Average = s.average()
		for j := range s.Terms {
			s.Terms[j].Average = s.Terms[j].average()
		}
	}
	return err
}

// count counts an absence of a kind.
func (c *AbsenceCounts) count(kind roster.AbsenceKind) {
	switch kind {
	case roster.Excused:
		c.Excused++
	case roster.Unexcused:
		c.Unexcused++
	case roster.UnknownKind:
		c.Unknown++
	}
}

// A Result is how a pupil did in an exam.
type Result struct {
	Exam       string      `json:"exam"`
	Date       domain.Date `json:"date"`
	Percentage float64     `json:"percentage" doc:"one decimal"`
}

// Results returns how a pupil of a school did in exams, the latest first.
func Results(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, student domain.StudentID) ([]Result, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeExamResults, place), reads, func(ctx context.Context, q *projections.Querier) ([]Result, error) {
		var there bool
		err := q.QueryRow(ctx, `SELECT true FROM {students}.student WHERE school = $1 AND student = $2`, place.School, student).Scan(&there)
		if err != nil {
			return nil, projections.OrNone(err, ErrNone)
		}
		rows, err := q.Query(ctx, `SELECT exam, day::text, tenths / 10.0::float8 FROM {performance}.exam_result
			WHERE student = $1 AND school = $2 ORDER BY day DESC, exam COLLATE "lv-x-icu", exam`, student, place.School)
		return projections.Collect(rows, err, func(r *Result) []any { return []any{&r.Exam, &r.Date, &r.Percentage} })
	})
}
