package performance

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections"
)

// A School is how a school does, as its management sees it: all classes and
// subjects of a school year, and exams. No pupil is named. What is about fewer
// than projections.Fewest is left out, and there are no sums of such figures, from
// which it could be worked out.
type School struct {
	Year    *SchoolYear `json:"school_year" doc:"null before there is one"`
	Classes []Class     `json:"classes" nullable:"false" doc:"2.a before 10.a"`
	Exams   []Exam      `json:"exams" nullable:"false" doc:"of the school year, by name"`
}

// A Class is how a class of the school does.
type Class struct {
	ID         domain.ClassID `json:"id"`
	Name       string         `json:"name"`
	Pupils     int            `json:"pupils" doc:"in the class"`
	Suppressed bool           `json:"suppressed" doc:"there are fewer than five"`
	Absences   *AbsenceCounts `json:"absences" doc:"that the e-journal has; null where suppressed"`
	Subjects   []ClassSubject `json:"subjects" nullable:"false" doc:"by name"`
}

// A ClassSubject is how a class does in a subject.
type ClassSubject struct {
	Name       string   `json:"name"`
	Suppressed bool     `json:"suppressed" doc:"fewer than five pupils have a grade from 1 to 10"`
	Pupils     *int     `json:"pupils" doc:"with such a grade; null where suppressed"`
	Grades     *int     `json:"grades" doc:"such grades; null where suppressed"`
	Average    *float64 `json:"average" doc:"two decimals; null where suppressed"`
}

// An Exam is how a school did in an exam.
type Exam struct {
	Name       string   `json:"exam"`
	Suppressed bool     `json:"suppressed" doc:"fewer than five pupils have a result"`
	Pupils     *int     `json:"pupils" doc:"with a result; null where suppressed"`
	Percentage *float64 `json:"percentage" doc:"their average, one decimal; null where suppressed"`
}

// OfSchool adds up how a school does, for its management.
func OfSchool(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) (School, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeSchoolOverview, place), reads, func(ctx context.Context, q *projections.Querier) (s School, err error) {
		s.Classes, s.Exams = []Class{}, []Exam{}
		if s.Year, err = yearOf(ctx, q, access.Scope{School: place.School}, ask); s.Year == nil || err != nil {
			return s, err
		}
		if s.Classes, err = classes(ctx, q, place.School, *s.Year); err != nil {
			return s, err
		}
		if err := subjects(ctx, q, place.School, *s.Year, s.Classes); err != nil {
			return s, err
		}
		found, err := examsOf(ctx, q, `SELECT y.school, y.from_day, y.to_day FROM {students}.school_year AS y WHERE y.school = $1 AND y.year = $2`, place.School, s.Year.ID)
		for _, e := range found {
			s.Exams = append(s.Exams, e.Exam)
		}
		return s, err
	})
}

// members are the pupils of each class of a school $1 and a year $2 on a day $3.
const members = `SELECT DISTINCT c.class, e.student FROM {students}.class AS c JOIN {students}.enrolment AS e USING (class)
	WHERE c.school = $1 AND c.year = $2 AND e.from_day <= $3::text::date AND (e.until_day IS NULL OR $3::text::date < e.until_day)`

// classes returns the classes of a school with their absences.
func classes(ctx context.Context, q *projections.Querier, school domain.SchoolID, year SchoolYear) ([]Class, error) {
	type counted struct {
		Class
		absences AbsenceCounts
	}
	rows, err := q.Query(ctx, `WITH m AS (`+members+`)
		SELECT c.class, c.name, count(m.student), coalesce(sum(t.excused), 0), coalesce(sum(t.unexcused), 0), coalesce(sum(t.unknown), 0)
		  FROM {students}.class AS c LEFT JOIN m USING (class) LEFT JOIN {performance}.total AS t ON t.student = m.student AND t.year = $2
		 WHERE c.school = $1 AND c.year = $2 GROUP BY c.class, c.grade, c.name ORDER BY c.grade, c.name COLLATE "lv-x-icu", c.class`,
		school, year.ID, string(year.day))
	found, err := projections.Collect(rows, err, func(c *counted) []any {
		return []any{&c.ID, &c.Name, &c.Pupils, &c.absences.Excused, &c.absences.Unexcused, &c.absences.Unknown}
	})
	all := make([]Class, len(found))
	for i := range found {
		all[i] = found[i].Class
		all[i].Subjects = []ClassSubject{}
		if all[i].Suppressed = all[i].Pupils < projections.Fewest; !all[i].Suppressed {
			all[i].Absences = &found[i].absences
		}
	}
	return all, err
}

// subjects adds to classes how they do in each subject.
func subjects(ctx context.Context, q *projections.Querier, school domain.SchoolID, year SchoolYear, classes []Class) error {
	type graded struct {
		class  domain.ClassID
		name   string
		pupils int
		sum
	}
	rows, err := q.Query(ctx, `WITH m AS (`+members+`)
		SELECT m.class, g.subject, count(DISTINCT g.student), count(*), sum(g.tenths)
		  FROM m JOIN {performance}.grade AS g ON g.student = m.student AND g.year = $2 AND g.scale = 'ten' AND g.tenths >= 0
		 GROUP BY m.class, g.subject ORDER BY g.subject COLLATE "lv-x-icu", g.subject`, school, year.ID, string(year.day))
	found, err := projections.Collect(rows, err, func(g *graded) []any { return []any{&g.class, &g.name, &g.pupils, &g.count, &g.tenths} })
	at := make(map[domain.ClassID]*Class, len(classes))
	for i := range classes {
		at[classes[i].ID] = &classes[i]
	}
	for _, g := range found {
		s := ClassSubject{Name: g.name, Suppressed: g.pupils < projections.Fewest}
		if !s.Suppressed {
			s.Pupils, s.Grades, s.Average = &g.pupils, &g.count, g.average()
		}
		at[g.class].Subjects = append(at[g.class].Subjects, s)
	}
	return err
}

// An examOf is an exam of one of several schools.
type examOf struct {
	Exam
	school domain.SchoolID
}

// examsOf returns how pupils did in exams, for schools and days that a query
// with its arguments returns.
func examsOf(ctx context.Context, q *projections.Querier, schools string, args ...any) ([]examOf, error) {
	type results struct {
		examOf
		pupils, count, tenths int
	}
	rows, err := q.Query(ctx, `SELECT r.school, r.exam, count(DISTINCT r.student), count(*), sum(r.tenths)
		  FROM (`+schools+`) AS y JOIN {performance}.exam_result AS r ON r.school = y.school AND r.day BETWEEN y.from_day AND y.to_day
		 GROUP BY r.school, r.exam ORDER BY r.exam COLLATE "lv-x-icu", r.exam`, args...)
	found, err := projections.Collect(rows, err, func(r *results) []any { return []any{&r.school, &r.Name, &r.pupils, &r.count, &r.tenths} })
	all := make([]examOf, len(found))
	for i, r := range found {
		all[i] = r.examOf
		if all[i].Suppressed = r.pupils < projections.Fewest; !all[i].Suppressed {
			percentage := float64((2*r.tenths+r.count)/(2*r.count)) / 10
			all[i].Pupils, all[i].Percentage = &r.pupils, &percentage
		}
	}
	return all, err
}

// An Institution is how a school does, as its municipality sees it beside the
// others (EMU-073): by school only.
type Institution struct {
	ID         domain.SchoolID `json:"id"`
	Name       string          `json:"name"`
	Suppressed bool            `json:"suppressed" doc:"fewer than five pupils have a grade from 1 to 10"`
	Pupils     *int            `json:"pupils" doc:"with such a grade; null where suppressed"`
	Grades     *int            `json:"grades" doc:"such grades; null where suppressed"`
	Average    *float64        `json:"average" doc:"two decimals; null where suppressed"`
	Absences   *AbsenceCounts  `json:"absences" doc:"that the e-journals have; null where fewer than five pupils have a grade or an absence"`
	Exams      []Exam          `json:"exams" nullable:"false" doc:"of the school year, by name"`
}

// OfMunicipality compares the schools of a municipality, for its employees: each
// in the school year that has begun last there.
func OfMunicipality(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) ([]Institution, error) {
	const years = `SELECT o.school, o.name, y.year, y.from_day, y.to_day FROM {organisation}.school AS o
		LEFT JOIN LATERAL (SELECT y.year, y.from_day, y.to_day FROM {students}.school_year AS y
		  WHERE y.school = o.school AND y.from_day <= $2::text::date ORDER BY y.from_day DESC LIMIT 1) AS y ON true
		WHERE o.municipality = $1`
	need := access.At(access.SeeMunicipalityOverview, place)
	return projections.Query(ctx, db, by, need, append(reads, "organisation"), func(ctx context.Context, q *projections.Querier) ([]Institution, error) {
		type counted struct {
			Institution
			graded, known int
			sum
			absences AbsenceCounts
		}
		rows, err := q.Query(ctx, `SELECT y.school, y.name, t.graded, t.known, t.tens, t.tenths, t.excused, t.unexcused, t.unknown
			  FROM (`+years+`) AS y CROSS JOIN LATERAL (
			    SELECT count(*) FILTER (WHERE t.tens > 0) AS graded, count(*) AS known, coalesce(sum(t.tens), 0) AS tens, coalesce(sum(t.tenths), 0) AS tenths,
			           coalesce(sum(t.excused), 0) AS excused, coalesce(sum(t.unexcused), 0) AS unexcused, coalesce(sum(t.unknown), 0) AS unknown
			      FROM {performance}.total AS t WHERE t.school = y.school AND t.year = y.year
			       AND t.grades + t.excused + t.unexcused + t.unknown > 0) AS t
			 ORDER BY y.name COLLATE "lv-x-icu", y.school`, place.Municipality, string(ask.Today))
		found, err := projections.Collect(rows, err, func(c *counted) []any {
			return []any{&c.ID, &c.Name, &c.graded, &c.known, &c.count, &c.tenths, &c.absences.Excused, &c.absences.Unexcused, &c.absences.Unknown}
		})
		if err != nil {
			return nil, err
		}
		exams, err := examsOf(ctx, q, years, place.Municipality, string(ask.Today))
		all := make([]Institution, len(found))
		for i := range found {
			c := &found[i]
			all[i], all[i].Exams = c.Institution, []Exam{}
			if all[i].Suppressed = c.graded < projections.Fewest; !all[i].Suppressed {
				all[i].Pupils, all[i].Grades, all[i].Average = &c.graded, &c.count, c.average()
			}
			if c.known >= projections.Fewest {
				all[i].Absences = &c.absences
			}
			for _, e := range exams {
				if e.school == c.ID {
					all[i].Exams = append(all[i].Exams, e.Exam)
				}
			}
		}
		return all, err
	})
}
