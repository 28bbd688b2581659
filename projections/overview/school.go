package overview

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections"
)

// A School is a school as its management sees it: all classes and subjects of a
// school year (EMU-066). No pupil is named.
type School struct {
	Year    *SchoolYear   `json:"school_year" doc:"null before there is one"`
	Total   Counts        `json:"total"`
	Classes []SchoolClass `json:"classes" nullable:"false" doc:"2.a before 10.a"`
}

// A SchoolYear is the one that is added up.
type SchoolYear struct {
	ID   domain.SchoolYearID `json:"id"`
	Name string              `json:"name"`
}

// A SchoolClass is a class of a school.
type SchoolClass struct {
	ID        domain.ClassID `json:"id"`
	Name      string         `json:"name"`
	Pupils    int            `json:"pupils" doc:"in the class today"`
	Registers []Register     `json:"registers" nullable:"false" doc:"subjects, by name"`
	Counts
}

// latest is the school year of a school $1 that has begun last by a day $2:
// in summer still the one that is over.
const latest = `SELECT y.year, y.name FROM {students}.school_year AS y
	WHERE y.school = $1 AND y.from_day <= $2::text::date ORDER BY y.from_day DESC LIMIT 1`

// OfSchool adds up a school, for its management.
func OfSchool(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) (School, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeSchoolOverview, place), []string{"attendance", "students"}, func(ctx context.Context, q *projections.Querier) (s School, err error) {
		s.Classes = []SchoolClass{}
		defer func() { s.Total.finish() }()
		var year SchoolYear
		err = q.QueryRow(ctx, latest, place.School, string(ask.Today)).Scan(&year.ID, &year.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		s.Year = &year
		rows, err := q.Query(ctx, `SELECT c.class, c.name, (SELECT count(DISTINCT e.student) FROM {students}.enrolment AS e
			  WHERE e.class = c.class AND e.from_day <= $3::text::date AND (e.until_day IS NULL OR $3::text::date < e.until_day))
			FROM {students}.class AS c WHERE c.school = $1 AND c.year = $2 ORDER BY c.grade, c.name COLLATE "lv-x-icu"`,
			place.School, year.ID, string(ask.Today))
		s.Classes, err = projections.Collect(rows, err, func(c *SchoolClass) []any { return []any{&c.ID, &c.Name, &c.Pupils} })
		if err != nil {
			return s, err
		}
		all, err := subjects(ctx, q, "r.school = $1", place.School, ask)
		if err != nil {
			return s, err
		}
		for i := range s.Classes {
			c := &s.Classes[i]
			c.Registers = []Register{}
			for _, r := range all {
				if r.class == c.ID {
					c.Registers = append(c.Registers, r.Register)
					c.merge(r.Counts)
				}
			}
			c.finish()
			s.Total.merge(c.Counts)
		}
		return s, nil
	})
}

// A Teacher is what the registers of one teacher add up to (skolotāju analīze).
type Teacher struct {
	Account    domain.AccountID `json:"account_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Registers  []Register       `json:"registers" nullable:"false" doc:"that he is instructor of, by name"`
	Counts
}

// Teachers adds up the work of the instructors of a school, for its management
// (EMU-068), in the order of the Latvian alphabet.
func Teachers(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) ([]Teacher, error) {
	reads := []string{"attendance", "students", "staff"}
	return projections.Query(ctx, db, by, access.At(access.SeeTeachers, place), reads, func(ctx context.Context, q *projections.Querier) ([]Teacher, error) {
		all, err := subjects(ctx, q, "r.school = $1", place.School, ask)
		if err != nil {
			return nil, err
		}
		at := make(map[domain.RegisterID]Register, len(all))
		for _, s := range all {
			at[s.ID] = s.Register
		}
		type instructor struct {
			Teacher
			register domain.RegisterID
		}
		rows, err := q.Query(ctx, `SELECT p.account, p.family_name, p.given_name, g.register
			FROM {staff}.staff AS w JOIN {staff}.role AS g ON g.account = w.account AND g.place = w.place
			JOIN {staff}.person AS p ON p.account = w.account
			JOIN {attendance}.register AS r ON r.register = g.register
			WHERE w.place = $1 AND g.role = $2
			ORDER BY p.family_name COLLATE "lv-x-icu", p.given_name COLLATE "lv-x-icu", p.account, r.name COLLATE "lv-x-icu", r.register`,
			place.School, string(access.Instructor))
		found, err := projections.Collect(rows, err, func(i *instructor) []any { return []any{&i.Account, &i.FamilyName, &i.GivenName, &i.register} })
		if err != nil {
			return nil, err
		}
		teachers := []Teacher{}
		for _, f := range found {
			if len(teachers) == 0 || teachers[len(teachers)-1].Account != f.Account {
				teachers = append(teachers, f.Teacher)
			}
			t := &teachers[len(teachers)-1]
			t.Registers = append(t.Registers, at[f.register])
			t.merge(at[f.register].Counts)
		}
		for i := range teachers {
			teachers[i].finish()
		}
		return teachers, nil
	})
}
