package students

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/roster"
	"zurnals/projections"
)

var reads = []string{Projection.Name}

// ErrNone is answered when there is no such thing, or not there.
var ErrNone = access.ErrElsewhere

// A Student is a pupil as a list shows one.
type Student struct {
	ID         domain.StudentID `json:"id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Code       string           `json:"personal_code,omitempty" doc:"masked"`
	Grade      string           `json:"grade,omitempty"`
	Classes    []ClassName      `json:"classes" doc:"on the day asked about; two if the source says so"`
	InFile     bool             `json:"in_file" doc:"whether the last synchronisation found the pupil"`
}

// A ClassName is a class as others mention it.
type ClassName struct {
	ID   domain.ClassID `json:"id"`
	Name string         `json:"name"`
	Year string         `json:"year"`
}

const studentColumns = `s.student, s.family_name, s.given_name, s.code, s.grade,
	coalesce((SELECT json_agg(json_build_object('id', c.class, 'name', c.name, 'year', y.name) ORDER BY c.grade, c.name)
	   FROM (SELECT DISTINCT e.class FROM {students}.enrolment AS e WHERE e.student = s.student
	          AND e.from_day <= $2::text::date AND (e.until_day IS NULL OR $2::text::date < e.until_day)) AS e
	   JOIN {students}.class AS c USING (class) JOIN {students}.school_year AS y USING (year)), '[]'),
	NOT EXISTS (SELECT FROM {students}.missing AS m WHERE m.student = s.student AND m.run =
	  (SELECT r.run FROM {students}.sync_run AS r WHERE r.school = s.school AND r.state = 'completed' ORDER BY r.position DESC LIMIT 1))`

func (s *Student) scan(row pgx.Row) error {
	var classes []byte
	err := row.Scan(&s.ID, &s.FamilyName, &s.GivenName, &s.Code, &s.Grade, &classes, &s.InFile)
	if err == nil {
		err = json.Unmarshal(classes, &s.Classes)
	}
	return err
}

// InSchool returns the pupils of a school, or if the place names one, of a
// class on a day. They come in the order of the Latvian alphabet.
func InSchool(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, day domain.Date, page projections.Page) (all []Student, next string, err error) {
	after, more, err := page.After(3)
	if err == nil && more {
		_, err = domain.ParseID[domain.StudentID](after[2])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeStudents, place), reads, func(ctx context.Context, q *projections.Querier) ([]Student, error) {
		rows, err := q.Query(ctx, `SELECT `+studentColumns+` FROM {students}.student AS s
			WHERE s.school = $1 AND s.search LIKE $3
			  AND ($4::uuid IS NULL OR EXISTS (SELECT FROM {students}.enrolment AS e WHERE e.student = s.student AND e.class = $4
			       AND e.from_day <= $2::text::date AND (e.until_day IS NULL OR $2::text::date < e.until_day)))
			  AND (NOT $5 OR (s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student) > ($6, $7, nullif($8, '')::uuid))
			ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student LIMIT $9`,
			place.School, string(day), page.Pattern(), projections.Optional(place.Class), more, after[0], after[1], after[2], page.Size()+1)
		return collect(rows, err, (*Student).scan)
	})
	all, next = projections.Cut(page, all, func(s Student) []string { return []string{s.FamilyName, s.GivenName, s.ID.String()} })
	return all, next, err
}

// One returns one pupil at a place.
func One(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.StudentID, day domain.Date) (Student, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeStudents, place), reads, func(ctx context.Context, q *projections.Querier) (s Student, err error) {
		err = s.scan(q.QueryRow(ctx, `SELECT `+studentColumns+` FROM {students}.student AS s
			WHERE s.school = $1 AND s.student = $3
			  AND ($4::uuid IS NULL OR EXISTS (SELECT FROM {students}.enrolment AS e WHERE e.student = s.student AND e.class = $4
			       AND e.from_day <= $2::text::date AND (e.until_day IS NULL OR $2::text::date < e.until_day)))`,
			place.School, string(day), id, projections.Optional(place.Class)))
		return s, projections.OrNone(err, ErrNone)
	})
}

// A Class is a class as a list shows one.
type Class struct {
	ID      domain.ClassID      `json:"id"`
	Name    string              `json:"name"`
	Grade   int                 `json:"grade" doc:"0 for a group of no grade"`
	YearID  domain.SchoolYearID `json:"school_year_id"`
	Year    string              `json:"school_year"`
	Members int                 `json:"students" doc:"on the day asked about"`

	age int // of the school year: the newest first
}

// Classes returns the classes of a school: those of the newest school year
// first, 2.a before 10.a.
func Classes(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, year domain.SchoolYearID, day domain.Date, page projections.Page) (all []Class, next string, err error) {
	after, more, err := page.After(4)
	var key [2]int64
	for i := range key {
		if err == nil && more {
			key[i], err = strconv.ParseInt(after[i], 10, 32)
		}
	}
	if err == nil && more {
		_, err = domain.ParseID[domain.ClassID](after[3])
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeSchool, place), reads, func(ctx context.Context, q *projections.Querier) ([]Class, error) {
		rows, err := q.Query(ctx, `SELECT c.class, c.name, c.grade, c.year, y.name,
			  (SELECT count(DISTINCT e.student) FROM {students}.enrolment AS e WHERE e.class = c.class
			    AND e.from_day <= $2::text::date AND (e.until_day IS NULL OR $2::text::date < e.until_day)),
			  date '9999-12-31' - y.from_day
			FROM {students}.class AS c JOIN {students}.school_year AS y USING (year)
			WHERE c.school = $1 AND c.search LIKE $3 AND ($4::uuid IS NULL OR c.class = $4) AND ($5::uuid IS NULL OR c.year = $5)
			  AND (NOT $6 OR (date '9999-12-31' - y.from_day, c.grade, c.name COLLATE "lv-x-icu", c.class) > ($7, $8, $9, nullif($10, '')::uuid))
			ORDER BY date '9999-12-31' - y.from_day, c.grade, c.name COLLATE "lv-x-icu", c.class LIMIT $11`,
			place.School, string(day), page.Pattern(), projections.Optional(place.Class), projections.Optional(year),
			more, key[0], key[1], after[2], after[3], page.Size()+1)
		return collect(rows, err, func(c *Class, row pgx.Row) error {
			return row.Scan(&c.ID, &c.Name, &c.Grade, &c.YearID, &c.Year, &c.Members, &c.age)
		})
	})
	all, next = projections.Cut(page, all, func(c Class) []string {
		return []string{strconv.Itoa(c.age), strconv.Itoa(c.Grade), c.Name, c.ID.String()}
	})
	return all, next, err
}

// A Run is a synchronisation run.
type Run struct {
	ID        domain.RosterSyncID `json:"id"`
	State     roster.SyncState    `json:"state" enum:"running,completed,failed"`
	Cause     string              `json:"cause,omitempty" doc:"code of what stopped it"`
	File      string              `json:"file_sha256"`
	StartedAt time.Time           `json:"started_at"`
	EndedAt   *time.Time          `json:"ended_at,omitempty"`

	Added        int `json:"added"`
	ClassChanged int `json:"class_changed"`
	Updated      int `json:"updated"`
	Unchanged    int `json:"unchanged"`
	Damaged      int `json:"damaged"`
	Active       int `json:"active"`
	NotInFile    int `json:"not_in_file"`
	Grades       int `json:"grades"`
	Absences     int `json:"absences"`
	Classes      int `json:"classes"`
	Courses      int `json:"courses"`
	OtherSchools int `json:"other_schools"`
	OtherRoles   int `json:"other_roles"`
	Errors       int `json:"errors"`
	Warnings     int `json:"warnings"`

	Problems []roster.Problem   `json:"problems,omitempty"` // of one run that is asked for alone
	Missing  []domain.StudentID `json:"missing_ids,omitempty"`

	position int64
}

const runColumnsSQL = `r.run, r.position, r.state, r.cause, r.file, r.started_at, r.ended_at, r.added, r.class_changed, r.updated, r.unchanged,
	r.damaged, r.active, r.not_in_file, r.grades, r.absences, r.classes, r.courses, r.other_schools, r.other_roles, r.errors, r.warnings`

func (r *Run) fields() []any {
	return []any{&r.ID, &r.position, &r.State, &r.Cause, &r.File, &r.StartedAt, &r.EndedAt, &r.Added, &r.ClassChanged, &r.Updated, &r.Unchanged,
		&r.Damaged, &r.Active, &r.NotInFile, &r.Grades, &r.Absences, &r.Classes, &r.Courses, &r.OtherSchools, &r.OtherRoles, &r.Errors, &r.Warnings}
}

// Runs returns the synchronisation runs of a school, the newest first.
func Runs(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, page projections.Page) (all []Run, next string, err error) {
	after, more, err := page.After(1)
	before := int64(math.MaxInt64)
	if err == nil && more {
		before, err = strconv.ParseInt(after[0], 10, 64)
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeRosterRuns, place), reads, func(ctx context.Context, q *projections.Querier) ([]Run, error) {
		rows, err := q.Query(ctx, `SELECT `+runColumnsSQL+` FROM {students}.sync_run AS r
			WHERE r.school = $1 AND r.position < $2 ORDER BY r.position DESC LIMIT $3`, place.School, before, page.Size()+1)
		return collect(rows, err, func(r *Run, row pgx.Row) error { return row.Scan(r.fields()...) })
	})
	all, next = projections.Cut(page, all, func(r Run) []string {
		return []string{strconv.FormatInt(r.position, 10)}
	})
	return all, next, err
}

// OneRun returns one run of a school, with what was wrong with its file.
func OneRun(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.RosterSyncID) (Run, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeRosterRuns, place), reads, func(ctx context.Context, q *projections.Querier) (r Run, err error) {
		var problems []byte
		row := q.QueryRow(ctx, `SELECT `+runColumnsSQL+`, r.problems FROM {students}.sync_run AS r WHERE r.school = $1 AND r.run = $2`, place.School, id)
		if err := row.Scan(append(r.fields(), &problems)...); err != nil {
			return r, projections.OrNone(err, ErrNone)
		}
		if err := json.Unmarshal(problems, &r.Problems); err != nil {
			return r, err
		}
		rows, err := q.Query(ctx, `SELECT student FROM {students}.missing WHERE run = $1 ORDER BY student`, id)
		r.Missing, err = collect(rows, err, func(s *domain.StudentID, row pgx.Row) error { return row.Scan(s) })
		return r, err
	})
}

// collect reads rows into values. There are none rather than nil.
func collect[R any](rows pgx.Rows, err error, scan func(*R, pgx.Row) error) ([]R, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []R{}
	for rows.Next() {
		var r R
		if err := scan(&r, rows); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
