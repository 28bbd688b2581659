package surveys

import (
	"slices"

	"zurnals/domain"
)

// Events are all events of surveys.
var Events = []domain.Definition{
	domain.Define[SurveyStarted](),
	domain.Define[SurveyTokensIssued](),
	domain.Define[SurveyAnswered](),
	domain.Define[SurveyClosed](),
}

// An Event is something that has happened to a survey.
//
//sumtype:decl
type Event interface {
	domain.Event
	surveyEvent()
}

// Answered is what a pupil said to one question: words, or numbers of options
// or of a step with commas between.
type Answered struct {
	Question int    `json:"question"`
	Value    string `json:"value"`
}

type (
	// SurveyStarted asks the pupils of a class, or without one of a school. It
	// is open on LastDay too.
	SurveyStarted struct {
		Survey       domain.SurveyID       `json:"survey_id"`
		Municipality domain.MunicipalityID `json:"municipality_id"`
		School       domain.SchoolID       `json:"school_id"`
		Class        domain.ClassID        `json:"class_id,omitzero"`
		Year         domain.SchoolYearID   `json:"school_year_id"`
		Title        string                `json:"title"`
		Questions    []Question            `json:"questions"`
		LastDay      domain.Date           `json:"last_day"`
	}

	// SurveyTokensIssued gives pupils what their links are derived from.
	SurveyTokensIssued struct {
		Survey domain.SurveyID `json:"survey_id"`
		School domain.SchoolID `json:"school_id"`
		Class  domain.ClassID  `json:"class_id,omitzero"`
		Pupils []Pupil         `json:"pupils"`
	}

	// SurveyAnswered is what one pupil said, who was in Class at the time.
	SurveyAnswered struct {
		Survey  domain.SurveyID      `json:"survey_id"`
		School  domain.SchoolID      `json:"school_id"`
		Class   domain.ClassID       `json:"class_id"`
		Student domain.StudentID     `json:"student_id"`
		Token   domain.SurveyTokenID `json:"token_id"`
		Answers []Answered           `json:"answers"`
	}

	// SurveyClosed ends a survey before its last day is over.
	SurveyClosed struct {
		Survey domain.SurveyID `json:"survey_id"`
		School domain.SchoolID `json:"school_id"`
		Class  domain.ClassID  `json:"class_id,omitzero"`
	}
)

func (SurveyStarted) EventType() string      { return "surveys.started" }
func (SurveyTokensIssued) EventType() string { return "surveys.tokens_issued" }
func (SurveyAnswered) EventType() string     { return "surveys.answered" }
func (SurveyClosed) EventType() string       { return "surveys.closed" }

func (SurveyStarted) surveyEvent()      {}
func (SurveyTokensIssued) surveyEvent() {}
func (SurveyAnswered) surveyEvent()     {}
func (SurveyClosed) surveyEvent()       {}

// PersonalFields seals every answer for the pupil, the chosen ones too.
func (e *SurveyAnswered) PersonalFields() []domain.PersonalField {
	e.Answers = slices.Clone(e.Answers)
	fields := make([]domain.PersonalField, 0, len(e.Answers))
	for i := range e.Answers {
		fields = append(fields, domain.PersonalField{Subject: e.Student.Subject(), Tag: "answer", Value: &e.Answers[i].Value})
	}
	return fields
}
