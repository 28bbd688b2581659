// Package surveys is the read model of surveys (anketas): which there are, who
// is asked, and what was answered: by single pupils for their class teacher and
// those who support pupils, without names for the management of the school, and
// added up for the municipality (C-16).
package surveys

import (
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/surveys"
	"zurnals/projections"
)

//go:embed surveys.sql
var sql string

var schema, indexes, _ = strings.Cut(sql, "-- keys")

// Projection fills the tables.
var Projection = projections.Projection[Tables]{
	Name: "surveys", Version: 1, Schema: schema, Indexes: indexes, Tables: tables,
	On: []projections.Handler[Tables]{
		projections.On(started),
		projections.On(issued),
		projections.On(answered),
		projections.On(closed),
	},
}

// Tables are the tables of the projection.
type Tables struct {
	Surveys   *projections.Table[surveyKey, surveyRow]
	Questions *projections.Table[questionKey, questionRow]
	Pupils    *projections.Table[pupilKey, pupilRow]
	Answers   *projections.Table[answerKey, answerRow]
}

type (
	surveyKey struct{ Survey domain.SurveyID }
	surveyRow struct {
		Municipality     domain.MunicipalityID
		School           domain.SchoolID
		Class            domain.ClassID
		Title, Search    string
		LastDay          domain.Date
		Position         int64
		Started, Closed  time.Time
		Issued, Answered int32
	}

	questionKey struct {
		Survey   domain.SurveyID
		Question int32
	}
	questionRow struct {
		Text     string
		Kind     surveys.Kind
		Options  string
		Steps    int32
		Required bool
	}

	pupilKey struct {
		Survey  domain.SurveyID
		Student domain.StudentID
	}
	pupilRow struct {
		Class    domain.ClassID
		Token    domain.SurveyTokenID
		Answered time.Time
	}

	answerKey struct {
		Survey   domain.SurveyID
		Student  domain.StudentID
		Question int32
	}
	answerRow struct{ Value string }
)

func tables(s *projections.Set) *Tables {
	type cols = []projections.Column
	return &Tables{
		Surveys: projections.NewTable(s, "survey",
			func(k *surveyKey) cols { return cols{projections.ColID("survey", &k.Survey)} },
			func(r *surveyRow) cols {
				return cols{
					projections.ColID("municipality", &r.Municipality), projections.ColID("school", &r.School), projections.ColID("class", &r.Class),
					projections.ColText("title", &r.Title), projections.ColText("search", &r.Search), projections.ColDay("last_day", &r.LastDay),
					projections.ColLong("position", &r.Position), projections.ColTime("started_at", &r.Started), projections.ColTime("closed_at", &r.Closed),
					projections.ColInt("issued", &r.Issued), projections.ColInt("answered", &r.Answered),
				}
			}),
		Questions: projections.NewTable(s, "question",
			func(k *questionKey) cols {
				return cols{projections.ColID("survey", &k.Survey), projections.ColInt("question", &k.Question)}
			},
			func(r *questionRow) cols {
				return cols{
					projections.ColText("text", &r.Text), projections.ColText("kind", &r.Kind), projections.ColText("options", &r.Options),
					projections.ColInt("steps", &r.Steps), projections.ColBool("required", &r.Required),
				}
			}),
		Pupils: projections.NewTable(s, "pupil",
			func(k *pupilKey) cols {
				return cols{projections.ColID("survey", &k.Survey), projections.ColID("student", &k.Student)}
			},
			func(r *pupilRow) cols {
				return cols{projections.ColID("class", &r.Class), projections.ColID("token", &r.Token), projections.ColTime("answered_at", &r.Answered)}
			}),
		Answers: projections.NewTable(s, "answer",
			func(k *answerKey) cols {
				return cols{projections.ColID("survey", &k.Survey), projections.ColID("student", &k.Student), projections.ColInt("question", &k.Question)}
			},
			func(r *answerRow) cols { return cols{projections.ColText("value", &r.Value)} }),
	}
}

func started(t *Tables, e surveys.SurveyStarted, m projections.Meta) {
	t.Surveys.Put(surveyKey{e.Survey}, surveyRow{
		Municipality: e.Municipality, School: e.School, Class: e.Class, Title: e.Title, Search: projections.Searchable(e.Title),
		LastDay: e.LastDay, Position: m.Position, Started: m.RecordedAt,
	})
	for i, q := range e.Questions {
		options, err := json.Marshal(append([]string{}, q.Options...))
		if err != nil {
			panic(err) // strings can always be written
		}
		t.Questions.Put(questionKey{e.Survey, int32(i + 1)}, questionRow{q.Text, q.Kind, string(options), int32(q.Steps), q.Required})
	}
}

func issued(t *Tables, e surveys.SurveyTokensIssued, _ projections.Meta) {
	survey, _ := t.Surveys.Get(surveyKey{e.Survey})
	survey.Issued += int32(len(e.Pupils))
	t.Surveys.Put(surveyKey{e.Survey}, survey)
	for _, p := range e.Pupils {
		t.Pupils.Put(pupilKey{e.Survey, p.Student}, pupilRow{Class: p.Class, Token: p.Token})
	}
}

// answered notes what a pupil said. Of one whose data was erased it is known
// only that there was an answer.
func answered(t *Tables, e surveys.SurveyAnswered, m projections.Meta) {
	survey, _ := t.Surveys.Get(surveyKey{e.Survey})
	survey.Answered++
	t.Surveys.Put(surveyKey{e.Survey}, survey)
	t.Pupils.Put(pupilKey{e.Survey, e.Student}, pupilRow{Class: e.Class, Token: e.Token, Answered: m.RecordedAt})
	for _, a := range e.Answers {
		if !m.Erased {
			t.Answers.Put(answerKey{e.Survey, e.Student, int32(a.Question)}, answerRow{a.Value})
		}
	}
}

func closed(t *Tables, e surveys.SurveyClosed, m projections.Meta) {
	survey, _ := t.Surveys.Get(surveyKey{e.Survey})
	survey.Closed = m.RecordedAt
	t.Surveys.Put(surveyKey{e.Survey}, survey)
}
