package analytics

import (
	"context"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections"
)

// A Week is one line of attendance_week.
type Week struct {
	Municipality domain.MunicipalityID `json:"municipality_id"`
	School       domain.SchoolID       `json:"school_id"`
	Week         domain.Date           `json:"week" doc:"its Monday"`
	ISOWeek      string                `json:"iso_week"`
	Status       string                `json:"status" doc:"empty: all together"`
	Lessons      int                   `json:"lessons"`
	Marks        *int                  `json:"marks" doc:"null where suppressed"`
	Pupils       *int                  `json:"pupils"`
	Points       *float64              `json:"points"`
	Maximum      *float64              `json:"maximum"`
	Suppressed   bool                  `json:"suppressed" doc:"about fewer than five pupils, or would tell of such"`
}

// Weeks are lines with how fresh they are.
type Weeks struct {
	Position int64 // of the log, all up to it is counted
	Lines    []Week
}

// weeksMost is how many lines are answered at most: a municipality's year.
const weeksMost = 50_000

// ErrTooMuch refuses a question about more than is answered at once.
var ErrTooMuch = domain.Refuse(domain.Invalid, "analytics.too_much", "too many lines: name a shorter period")

// AttendanceWeeks returns the weeks of a place from one day to another, both
// included; empty for no end.
func AttendanceWeeks(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, from, until domain.Date) (Weeks, error) {
	return projections.Query(ctx, db, by, access.At(access.ReadAnalytics, place), []string{"attendance_week"}, func(ctx context.Context, q *projections.Querier) (w Weeks, err error) {
		w.Position, w.Lines = q.Position(), []Week{}
		rows, err := q.Query(ctx, `SELECT municipality, school, week, iso_week, status, lessons, marks, pupils, points::float8, maximum::float8, suppressed
			FROM (`+weekView+`) AS v
			WHERE ($1::uuid IS NULL OR municipality = $1) AND ($2::uuid IS NULL OR school = $2)
			  AND week >= date_trunc('week', coalesce(nullif($3, '')::date, '0001-01-01')) AND week <= coalesce(nullif($4, '')::date, 'infinity')
			ORDER BY municipality, school, week, status LIMIT $5`,
			projections.Optional(place.Municipality), projections.Optional(place.School), from, until, weeksMost+1)
		if err != nil {
			return w, err
		}
		defer rows.Close()
		for rows.Next() {
			var l Week
			var week time.Time
			if err := rows.Scan(&l.Municipality, &l.School, &week, &l.ISOWeek, &l.Status, &l.Lessons, &l.Marks, &l.Pupils, &l.Points, &l.Maximum, &l.Suppressed); err != nil {
				return w, err
			}
			l.Week = domain.DateOf(week)
			w.Lines = append(w.Lines, l)
		}
		if len(w.Lines) > weeksMost {
			return Weeks{}, ErrTooMuch
		}
		return w, rows.Err()
	})
}
