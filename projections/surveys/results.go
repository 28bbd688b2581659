package surveys

import (
	"context"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/surveys"
	"zurnals/projections"
)

// Refusals of results.
var (
	// ErrOpen refuses the results of a survey that still goes on: whoever looked
	// before and after one more answer would know what was in it.
	ErrOpen = domain.Refuse(domain.Conflict, "surveys.still_open", "results are shown when the survey is over")

	ErrTooMany = domain.Refuse(domain.Invalid, "surveys.too_many", "too many surveys: name a shorter period")
)

// Results are what a survey adds up to, without names.
type Results struct {
	Survey
	Suppressed bool     `json:"suppressed" doc:"fewer than five pupils have answered: nothing else is told"`
	Questions  []Result `json:"questions" nullable:"false"`
}

// A Result is what one question adds up to. What was said in words is not told:
// the words, or a hand that is known, would tell whose they are.
type Result struct {
	Question
	Suppressed bool     `json:"suppressed" doc:"fewer than five pupils have answered this question"`
	Answered   *int     `json:"answered" doc:"null where suppressed"`
	Counts     []int    `json:"counts,omitempty" doc:"how many chose each option, or each step of the scale"`
	Mean       *float64 `json:"mean,omitempty" doc:"of a scale, two decimals"`
}

// ResultsOf adds up one survey, for the management of its school.
func ResultsOf(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.SurveyID, today domain.Date) (Results, error) {
	return projections.Query(ctx, db, by, access.At(access.SeeSurveyResults, place), reads[:1], func(ctx context.Context, q *projections.Querier) (Results, error) {
		s, err := one(ctx, q, id, today)
		if err == nil && s.State == "open" {
			err = ErrOpen
		}
		if err != nil {
			return Results{}, err
		}
		all, err := addUp(ctx, q, s)
		if err != nil {
			return Results{}, err
		}
		return all[0], nil
	})
}

// addUp adds up surveys that are over.
func addUp(ctx context.Context, q *projections.Querier, over ...Survey) ([]Results, error) {
	all := make([]Results, len(over))
	at := make(map[domain.SurveyID]*Results, len(over))
	ids := make([]domain.SurveyID, len(over))
	for i, s := range over {
		ids[i], all[i] = s.ID, Results{Survey: s, Suppressed: s.Answered < projections.Fewest, Questions: []Result{}}
		at[s.ID] = &all[i]
	}
	questions, err := questionsOf(ctx, q, ids...)
	if err != nil {
		return nil, err
	}
	for _, question := range questions {
		r := at[question.survey]
		r.Questions = append(r.Questions, Result{Question: question, Suppressed: true})
	}
	var id domain.SurveyID
	var number, n int
	rows, err := q.Query(ctx, `SELECT survey, question, count(*) FROM {surveys}.answer WHERE survey = ANY ($1) GROUP BY survey, question`, ids)
	if err != nil {
		return nil, err
	}
	_, err = pgx.ForEachRow(rows, []any{&id, &number, &n}, func() error {
		if n < projections.Fewest || at[id].Suppressed {
			return nil
		}
		r, answered := &at[id].Questions[number-1], n
		r.Suppressed, r.Answered = false, &answered
		switch r.Kind {
		case surveys.One, surveys.Several:
			r.Counts = make([]int, len(r.Options))
		case surveys.Scale:
			r.Counts = make([]int, r.Steps)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err = q.Query(ctx, `SELECT a.survey, a.question, chosen, count(*)
		FROM {surveys}.answer AS a JOIN {surveys}.question AS q USING (survey, question), string_to_table(a.value, ',') AS chosen
		WHERE a.survey = ANY ($1) AND q.kind <> 'text' GROUP BY a.survey, a.question, chosen`, ids)
	if err != nil {
		return nil, err
	}
	var chosen string
	_, err = pgx.ForEachRow(rows, []any{&id, &number, &chosen, &n}, func() error {
		if r := &at[id].Questions[number-1]; !r.Suppressed {
			i, err := strconv.Atoi(chosen)
			if err != nil {
				return err
			}
			r.Counts[i-1] = n
		}
		return nil
	})
	for i := range all {
		for j := range all[i].Questions {
			all[i].Questions[j].average()
		}
	}
	return all, err
}

// average works out the mean of a scale.
func (r *Result) average() {
	if r.Kind != surveys.Scale || r.Suppressed {
		return
	}
	sum, n := 0, 0
	for i, count := range r.Counts {
		sum, n = sum+(i+1)*count, n+count
	}
	mean := math.Round(100*float64(sum)/float64(n)) / 100
	r.Mean = &mean
}

// A School is what the surveys of a school add up to, as its municipality sees
// it beside the others.
type School struct {
	ID         domain.SchoolID `json:"id"`
	Name       string          `json:"name"`
	Surveys    int             `json:"surveys" doc:"that are over"`
	Issued     int             `json:"issued" doc:"how many were asked in them, each time counted"`
	Suppressed bool            `json:"suppressed" doc:"fewer than five answers"`
	Answered   *int            `json:"answered" doc:"null where suppressed"`
	Percentage *float64        `json:"percentage" doc:"of those asked, one decimal; null for nothing"`
	SchoolWide []Results       `json:"school_wide" nullable:"false" doc:"surveys of the whole school, the newest first: those of single classes, and those with fewer than five answers, are not told"`
}

// mostSurveys is how many surveys of whole schools one summary adds up.
const mostSurveys = 200

// Summary adds up the surveys of the schools of a municipality whose last day
// lies in a period; empty for no end.
func Summary(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, from, until, today domain.Date) ([]School, error) {
	names := []string{Projection.Name, "organisation"}
	return projections.Query(ctx, db, by, access.At(access.SeeSurveySummary, place), names, func(ctx context.Context, q *projections.Querier) ([]School, error) {
		const over = `s.municipality = $2 AND s.last_day >= coalesce(nullif($3, '')::date, '-infinity') AND s.last_day <= coalesce(nullif($4, '')::date, 'infinity')
			AND (s.closed_at IS NOT NULL OR s.last_day < $1::text::date)`
		rows, err := q.Query(ctx, `SELECT o.school, o.name, count(s.survey), coalesce(sum(s.issued), 0), coalesce(sum(s.answered), 0)
			FROM {organisation}.school AS o LEFT JOIN {surveys}.survey AS s ON s.school = o.school AND `+over+`
			WHERE o.municipality = $2 GROUP BY o.school, o.name ORDER BY o.name COLLATE "lv-x-icu", o.school`,
			string(today), place.Municipality, from, until)
		type counted struct {
			School
			answered int
		}
		found, err := projections.Collect(rows, err, func(c *counted) []any { return []any{&c.ID, &c.Name, &c.Surveys, &c.Issued, &c.answered} })
		if err != nil {
			return nil, err
		}
		schools := make([]School, len(found))
		at := make(map[domain.SchoolID]*School, len(found))
		for i, c := range found {
			schools[i] = c.School
			schools[i].SchoolWide = []Results{}
			schools[i].count(c.answered)
			at[c.ID] = &schools[i]
		}
		type wide struct {
			Survey
			school domain.SchoolID
		}
		rows, err = q.Query(ctx, `SELECT `+surveyColumns+`, s.school FROM {surveys}.survey AS s
			WHERE s.class IS NULL AND `+over+` ORDER BY s.position DESC LIMIT $5`, string(today), place.Municipality, from, until, mostSurveys+1)
		all, err := projections.Collect(rows, err, func(w *wide) []any { return append(w.fields(), &w.school) })
		if err == nil && len(all) > mostSurveys {
			err = ErrTooMany.In("query.from")
		}
		if err != nil {
			return nil, err
		}
		ended := make([]Survey, len(all))
		for i, w := range all {
			ended[i] = w.Survey
		}
		results, err := addUp(ctx, q, ended...)
		for i, r := range results {
			if s := at[all[i].school]; s != nil && !r.Suppressed {
				s.SchoolWide = append(s.SchoolWide, r)
			}
		}
		return schools, err
	})
}

// count says how many have answered, if there are enough of them.
func (s *School) count(answered int) {
	if s.Suppressed = answered < projections.Fewest; s.Suppressed {
		return
	}
	share := math.Round(1000*float64(answered)/float64(s.Issued)) / 10
	s.Answered, s.Percentage = &answered, &share
}
