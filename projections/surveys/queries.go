package surveys

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/surveys"
	"zurnals/projections"
)

// ErrNone is answered when there is no such thing, or not there.
var ErrNone = access.ErrElsewhere

var reads = []string{Projection.Name, "students"}

// A Survey is a survey as a list shows one.
type Survey struct {
	ID        domain.SurveyID `json:"id"`
	Class     *domain.ClassID `json:"class_id,omitempty" doc:"absent: of the whole school"`
	Title     string          `json:"title"`
	State     string          `json:"state" enum:"open,over"`
	LastDay   domain.Date     `json:"last_day" format:"date" doc:"that it is open at the latest, included"`
	StartedAt time.Time       `json:"started_at"`
	ClosedAt  *time.Time      `json:"closed_at,omitempty" doc:"if it was closed earlier"`
	Issued    int             `json:"issued" doc:"how many pupils are asked"`
	Answered  int             `json:"answered" doc:"how many of them have answered"`

	position int64
}

// A Question is one of a survey.
type Question struct {
	Text     string       `json:"text"`
	Kind     surveys.Kind `json:"kind" enum:"one,several,scale,text"`
	Options  []string     `json:"options,omitempty"`
	Steps    int          `json:"steps,omitempty" doc:"of a scale from 1"`
	Required bool         `json:"required"`

	survey domain.SurveyID
	number int
}

// surveyColumns need today as $1.
const surveyColumns = `s.survey, s.class, s.title, CASE WHEN s.closed_at IS NOT NULL OR s.last_day < $1::text::date THEN 'over' ELSE 'open' END,
	s.last_day::text, s.started_at, s.closed_at, s.issued, s.answered, s.position`

func (s *Survey) fields() []any {
	return []any{&s.ID, &s.Class, &s.Title, &s.State, &s.LastDay, &s.StartedAt, &s.ClosedAt, &s.Issued, &s.Answered, &s.position}
}

// At returns the surveys of a school, or if the place names a class those that
// ask its pupils, the newest first.
func At(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, today domain.Date, page projections.Page) (all []Survey, next string, err error) {
	after, more, err := page.After(1)
	before := int64(math.MaxInt64)
	if err == nil && more {
		before, err = strconv.ParseInt(after[0], 10, 64)
	}
	if err != nil {
		return nil, "", projections.ErrCursor.In("query.cursor")
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeSurveys, place), reads[:1], func(ctx context.Context, q *projections.Querier) ([]Survey, error) {
		rows, err := q.Query(ctx, `SELECT `+surveyColumns+` FROM {surveys}.survey AS s
			WHERE s.school = $2 AND ($3::uuid IS NULL OR s.class IS NULL OR s.class = $3) AND s.search LIKE $4 AND s.position < $5
			ORDER BY s.position DESC LIMIT $6`,
			string(today), place.School, projections.Optional(place.Class), page.Pattern(), before, page.Size()+1)
		return projections.Collect(rows, err, (*Survey).fields)
	})
	all, next = projections.Cut(page, all, func(s Survey) []string { return []string{strconv.FormatInt(s.position, 10)} })
	return all, next, err
}

// One returns a survey with its questions.
func One(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.SurveyID, today domain.Date) (s Survey, questions []Question, err error) {
	s, err = projections.Query(ctx, db, by, access.At(access.SeeSurveys, place), reads[:1], func(ctx context.Context, q *projections.Querier) (s Survey, err error) {
		if s, err = one(ctx, q, id, today); err == nil {
			questions, err = questionsOf(ctx, q, id)
		}
		return s, err
	})
	return s, questions, err
}

func one(ctx context.Context, q *projections.Querier, id domain.SurveyID, today domain.Date) (s Survey, err error) {
	err = q.QueryRow(ctx, `SELECT `+surveyColumns+` FROM {surveys}.survey AS s WHERE s.survey = $2`, string(today), id).Scan(s.fields()...)
	return s, projections.OrNone(err, ErrNone)
}

// questionsOf returns the questions of some surveys.
func questionsOf(ctx context.Context, q *projections.Querier, ids ...domain.SurveyID) ([]Question, error) {
	type scan struct {
		Question
		options []byte
	}
	rows, err := q.Query(ctx, `SELECT survey, question, text, kind, options, steps, required FROM {surveys}.question
		WHERE survey = ANY ($1) ORDER BY survey, question`, ids)
	found, err := projections.Collect(rows, err, func(s *scan) []any {
		return []any{&s.survey, &s.number, &s.Text, &s.Kind, &s.options, &s.Steps, &s.Required}
	})
	all := make([]Question, len(found))
	for i, s := range found {
		all[i] = s.Question
		err = errors.Join(err, json.Unmarshal(s.options, &all[i].Options))
	}
	return all, err
}

// byName is how pupils p with a name s are listed, page by page: after the key
// from parameter 3 on, of which $3 says whether there is one.
const byName = `(NOT $3 OR (s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student) > ($4, $5, nullif($6, '')::uuid))
	ORDER BY s.family_name COLLATE "lv-x-icu", s.given_name COLLATE "lv-x-icu", s.student LIMIT $7`

func afterPupil(page projections.Page) (key []string, more bool, err error) {
	key, more, err = page.After(3)
	if err == nil && more {
		_, err = domain.ParseID[domain.StudentID](key[2])
	}
	if err != nil {
		return nil, false, projections.ErrCursor.In("query.cursor")
	}
	return key, more, nil
}

// A Code is what the link of a pupil follows from. Whether it has been used is
// not told: who hands out links need not know who has answered.
type Code struct {
	Student    domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Class      string           `json:"class" doc:"name of the class"`

	Token domain.SurveyTokenID `json:"-"`
}

// Codes returns who is asked, and is still at the school, by name: for who may
// start a survey there. With a class only those asked in it.
func Codes(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.SurveyID, class domain.ClassID, today domain.Date, page projections.Page) (all []Code, next string, err error) {
	after, more, err := afterPupil(page)
	if err != nil {
		return nil, "", err
	}
	all, err = projections.Query(ctx, db, by, access.At(access.StartSurvey, place), reads, func(ctx context.Context, q *projections.Querier) ([]Code, error) {
		rows, err := q.Query(ctx, `SELECT s.student, s.family_name, s.given_name, c.name, p.token
			FROM {surveys}.pupil AS p JOIN {students}.student AS s USING (student) JOIN {students}.class AS c ON c.class = p.class
			WHERE p.survey = $1 AND ($2::uuid IS NULL OR p.class = $2)
			  AND EXISTS (SELECT FROM {students}.enrolment AS e WHERE e.student = p.student AND ($8::uuid IS NULL OR e.class = $8)
			      AND e.from_day <= $9::text::date AND (e.until_day IS NULL OR $9::text::date < e.until_day))
			  AND `+byName,
			id, projections.Optional(class), more, after[0], after[1], after[2], page.Size()+1, projections.Optional(place.Class), string(today))
		return projections.Collect(rows, err, func(c *Code) []any { return []any{&c.Student, &c.FamilyName, &c.GivenName, &c.Class, &c.Token} })
	})
	all, next = projections.Cut(page, all, func(c Code) []string { return []string{c.FamilyName, c.GivenName, c.Student.String()} })
	return all, next, err
}

// A Pupil is what one pupil has answered.
type Pupil struct {
	Student    domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	AnsweredAt *time.Time       `json:"answered_at,omitempty" doc:"absent: not yet"`
	Answers    []Answer         `json:"answers" nullable:"false" doc:"in the order of the questions; those that were left out are not there"`
}

// An Answer is what a pupil said to one question.
type Answer struct {
	Question int    `json:"question" doc:"counted from 1"`
	Numbers  []int  `json:"numbers,omitempty" doc:"of the options chosen, or the step of the scale"`
	Text     string `json:"text,omitempty"`
}

// Answers returns what single pupils have answered, by name: of a class, if the
// place names one, and only one pupil if one is named.
func Answers(ctx context.Context, db *projections.DB, by access.Actor, place access.Scope, id domain.SurveyID, student domain.StudentID, page projections.Page) (all []Pupil, next string, err error) {
	after, more, err := afterPupil(page)
	if err != nil {
		return nil, "", err
	}
	all, err = projections.Query(ctx, db, by, access.At(access.SeeSurveyAnswers, place), reads, func(ctx context.Context, q *projections.Querier) ([]Pupil, error) {
		type scan struct {
			Pupil
			said []byte
		}
		rows, err := q.Query(ctx, `SELECT s.student, s.family_name, s.given_name, p.answered_at,
			  coalesce((SELECT json_agg(json_build_object('question', a.question, 'kind', q.kind, 'value', a.value) ORDER BY a.question)
			     FROM {surveys}.answer AS a JOIN {surveys}.question AS q USING (survey, question) WHERE a.survey = p.survey AND a.student = p.student), '[]')
			FROM {surveys}.pupil AS p JOIN {students}.student AS s USING (student)
			WHERE p.survey = $1 AND ($2::uuid IS NULL OR p.class = $2) AND ($8::uuid IS NULL OR p.student = $8) AND `+byName,
			id, projections.Optional(place.Class), more, after[0], after[1], after[2], page.Size()+1, projections.Optional(student))
		found, err := projections.Collect(rows, err, func(s *scan) []any { return []any{&s.Student, &s.FamilyName, &s.GivenName, &s.AnsweredAt, &s.said} })
		pupils := make([]Pupil, len(found))
		for i, s := range found {
			said, wrong := read(s.said)
			pupils[i], err = s.Pupil, errors.Join(err, wrong)
			pupils[i].Answers = said
		}
		return pupils, err
	})
	all, next = projections.Cut(page, all, func(p Pupil) []string { return []string{p.FamilyName, p.GivenName, p.Student.String()} })
	return all, next, err
}

// read reads answers as the query tells them.
func read(said []byte) ([]Answer, error) {
	var stored []struct {
		Question int
		Kind     surveys.Kind
		Value    string
	}
	if err := json.Unmarshal(said, &stored); err != nil {
		return nil, err
	}
	all := make([]Answer, len(stored))
	for i, s := range stored {
		all[i].Question = s.Question
		if s.Kind == surveys.Words {
			all[i].Text = s.Value
			continue
		}
		for part := range strings.SplitSeq(s.Value, ",") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil, err
			}
			all[i].Numbers = append(all[i].Numbers, n)
		}
	}
	return all, nil
}
