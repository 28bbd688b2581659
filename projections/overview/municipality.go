package overview

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/projections"
)

// An Institution is a school as its municipality sees it, beside the others
// (EMU-073). What is about fewer than five pupils is not told (S-56).
type Institution struct {
	ID         domain.SchoolID `json:"id"`
	Name       string          `json:"name"`
	Classes    int             `json:"classes" doc:"of the school year that has begun last"`
	Pupils     int             `json:"pupils" doc:"in them today"`
	Lessons    int             `json:"lessons" doc:"that have begun"`
	Suppressed bool            `json:"suppressed" doc:"fewer than five pupils have a mark"`
	Marks      *int            `json:"marks" doc:"null where suppressed"`
	Percentage *float64        `json:"percentage" doc:"of the points that were possible in the marks; null for nothing"`
}

// OfMunicipality compares the schools of a municipality, for its employees.
func OfMunicipality(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, ask Asked) ([]Institution, error) {
	reads := []string{"attendance", "students", "organisation"}
	return projections.Query(ctx, db, by, access.At(access.SeeMunicipalityOverview, place), reads, func(ctx context.Context, q *projections.Querier) ([]Institution, error) {
		type sums struct {
			Institution
			marks, marked int
			sum, most     attendance.Points
		}
		rows, err := q.Query(ctx, `
			SELECT o.school, o.name, c.classes, c.pupils, a.lessons, a.marks, a.marked, a.points, a.maximum
			  FROM {organisation}.school AS o
			  LEFT JOIN LATERAL (SELECT y.year FROM {students}.school_year AS y
			       WHERE y.school = o.school AND y.from_day <= $4::text::date ORDER BY y.from_day DESC LIMIT 1) AS y ON true
			  CROSS JOIN LATERAL (SELECT count(DISTINCT c.class) AS classes, count(DISTINCT e.student) AS pupils
			       FROM {students}.class AS c LEFT JOIN {students}.enrolment AS e ON e.class = c.class
			         AND e.from_day <= $4::text::date AND (e.until_day IS NULL OR $4::text::date < e.until_day)
			       WHERE c.school = o.school AND c.year = y.year) AS c
			  CROSS JOIN LATERAL (SELECT count(DISTINCT l.lesson) FILTER (WHERE l.starts_at <= $5) AS lessons, count(m.student) AS marks, count(DISTINCT m.student) AS marked,
			         `+points+`
			       FROM {students}.class AS c JOIN {attendance}.register AS r ON r.class = c.class JOIN {attendance}.lesson AS l ON l.register = r.register
			       LEFT JOIN {attendance}.mark AS m ON m.lesson = l.lesson AND m.status <> ''
			       WHERE c.school = o.school AND c.year = y.year
			         AND `+inPeriod+`) AS a
			 WHERE o.municipality = $1 ORDER BY o.name COLLATE "lv-x-icu", o.school`,
			place.Municipality, ask.From, ask.Until, string(ask.Today), ask.Now)
		found, err := projections.Collect(rows, err, func(s *sums) []any {
			return []any{&s.ID, &s.Name, &s.Classes, &s.Pupils, &s.Lessons, &s.marks, &s.marked, &s.sum, &s.most}
		})
		if err != nil {
			return nil, err
		}
		all := make([]Institution, len(found))
		for i, s := range found {
			all[i] = s.Institution
			if all[i].Suppressed = s.marked < projections.Fewest; all[i].Suppressed {
				continue
			}
			all[i].Marks = &s.marks
			all[i].Percentage = attendance.Percent(s.sum, s.most).Number()
		}
		return all, nil
	})
}
