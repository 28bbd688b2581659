// Package surveys is what pupils are asked (anketas, aptaujas): the questions,
// who is asked, and what each answered. A pupil answers by a link of their own,
// without signing in, once (S-17); what is answered is sealed for the pupil, so
// that it goes with the pupil's data.
package surveys

import (
	"fmt"
	"maps"
	"time"

	"zurnals/domain"
)

// Bounds of a survey.
const (
	maxTitle     = 200
	maxQuestions = 50
	maxQuestion  = 500 // characters of one
	maxOptions   = 20
	maxOption    = 200
	maxSteps     = 10
	maxDays      = 100 // that a survey is open
	defaultDays  = 14
)

// Refusals of a survey.
var (
	ErrNoSurvey  = domain.Refuse(domain.NotFound, "surveys.no_survey", "there is no such survey")
	ErrQuestions = domain.Refuse(domain.Invalid, "surveys.questions", "a survey has 1 to 50 questions")
	ErrKind      = domain.Refuse(domain.Invalid, "surveys.kind", "a question is a choice of one or of several, a scale, or text")
	ErrOptions   = domain.Refuse(domain.Invalid, "surveys.options", "a choice has 2 to 20 options, no two the same, and no other question has any")
	ErrSteps     = domain.Refuse(domain.Invalid, "surveys.steps", "a scale has 2 to 10 steps, and no other question has any")
	ErrLastDay   = domain.Refuse(domain.Invalid, "surveys.last_day", "the last day is today or at most 100 days later")
	ErrNobody    = domain.Refuse(domain.Conflict, "surveys.nobody", "there is no pupil to be asked")
	ErrOver      = domain.Refuse(domain.Gone, "surveys.over", "the survey is over")
)

// A Kind says how a question is answered.
type Kind string

const (
	One     Kind = "one"     // of its options
	Several Kind = "several" // of its options, or none of them
	Scale   Kind = "scale"   // a step from 1 to Steps
	Words   Kind = "text"
)

// A Question is one of a survey. Questions and options are counted from 1.
type Question struct {
	Text     string   `json:"text"`
	Kind     Kind     `json:"kind"`
	Options  []string `json:"options,omitempty"`
	Steps    int      `json:"steps,omitempty"`
	Required bool     `json:"required,omitempty"`
}

// A Command asks a survey for something.
//
//sumtype:decl
type Command interface{ surveyCommand() }

type (
	// Start starts a survey of a class, or without one of a whole school.
	Start struct {
		Survey       domain.SurveyID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Class        domain.ClassID
		Year         domain.SchoolYearID // that the pupils' classes are of
		Title        string
		Questions    []Question
		LastDay      domain.Date // empty: two weeks from now
		Today        domain.Date
	}

	// IssueTokens gives a token to those who are to be asked and have none yet.
	IssueTokens struct {
		Survey domain.SurveyID
		Pupils []Pupil
		Today  domain.Date
	}

	// Close ends the survey before its last day is over.
	Close struct {
		Survey domain.SurveyID
		Today  domain.Date
	}
)

func (Start) surveyCommand()       {}
func (IssueTokens) surveyCommand() {}
func (Close) surveyCommand()       {}

// A Pupil is one who is asked. The link follows from the token and a key of the
// program: it is no secret by itself.
type Pupil struct {
	Student domain.StudentID     `json:"student_id"`
	Class   domain.ClassID       `json:"class_id"` // that the pupil is in at the time
	Token   domain.SurveyTokenID `json:"token_id"`
}

// A Survey is what decisions need to know of one.
type Survey struct {
	ID        domain.SurveyID
	School    domain.SchoolID
	Class     domain.ClassID // zero: of the whole school
	Year      domain.SchoolYearID
	Title     string
	Questions []Question
	LastDay   domain.Date

	closed bool
	tokens map[domain.SurveyTokenID]Pupil
	asked  map[domain.StudentID]bool
}

// Surveys decides for surveys.
var Surveys = domain.Decider[Survey, Command, Event]{
	Category: "survey",
	Decide:   Survey.decide,
	Evolve:   Survey.evolve,
}

// Over says whether the survey is over on a day.
func (s Survey) Over(today domain.Date) bool { return s.closed || today > s.LastDay }

// Holder returns the pupil that a token was issued to.
func (s Survey) Holder(token domain.SurveyTokenID) (Pupil, bool) {
	p, ok := s.tokens[token]
	return p, ok
}

func (s Survey) decide(cmd Command) ([]Event, error) {
	if _, starts := cmd.(Start); !starts && s.ID.IsZero() {
		return nil, ErrNoSurvey
	}
	switch cmd := cmd.(type) {
	case Start:
		return s.start(cmd)
	case IssueTokens:
		return s.issue(cmd)
	case Close:
		if s.Over(cmd.Today) {
			return nil, nil
		}
		return []Event{SurveyClosed{Survey: s.ID, School: s.School, Class: s.Class}}, nil
	}
	return nil, fmt.Errorf("surveys: no decision on %T", cmd)
}

func (s Survey) start(cmd Start) ([]Event, error) {
	if !s.ID.IsZero() {
		return nil, nil // asked twice
	}
	var check domain.Check
	var err error
	cmd.Title, err = domain.Line(cmd.Title, maxTitle)
	check.Field("title", err)
	questions := checkQuestions(&check, cmd.Questions)
	lastDay, err := checkLastDay(cmd.LastDay, cmd.Today)
	check.Field("last_day", err)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return []Event{SurveyStarted{
		Survey: cmd.Survey, Municipality: cmd.Municipality, School: cmd.School, Class: cmd.Class, Year: cmd.Year,
		Title: cmd.Title, Questions: questions, LastDay: lastDay,
	}}, nil
}

func checkLastDay(day, today domain.Date) (domain.Date, error) {
	if day == "" {
		return domain.DateOf(today.Start(time.UTC).AddDate(0, 0, defaultDays)), nil
	}
	if _, err := domain.ParseDate(string(day)); err != nil {
		return "", err
	}
	if day < today || today.DaysUntil(day) > maxDays {
		return "", ErrLastDay
	}
	return day, nil
}

// checkQuestions returns the questions as they are kept, and notes what is
// wrong with them.
func checkQuestions(check *domain.Check, asked []Question) []Question {
	if len(asked) == 0 || len(asked) > maxQuestions {
		check.Field("questions", ErrQuestions)
		return nil
	}
	questions := make([]Question, len(asked))
	for i, q := range asked {
		field := fmt.Sprintf("questions[%d].", i)
		var err error
		q.Text, err = domain.Line(q.Text, maxQuestion)
		check.Field(field+"text", err)
		switch q.Kind {
		case One, Several, Scale, Words:
		default:
			check.Field(field+"kind", ErrKind)
		}
		q.Options = q.checkOptions(check, field)
		if scale := q.Kind == Scale; scale && (q.Steps < 2 || q.Steps > maxSteps) || !scale && q.Steps != 0 {
			check.Field(field+"steps", ErrSteps)
		}
		questions[i] = q
	}
	return questions
}

func (q Question) checkOptions(check *domain.Check, field string) []string {
	if choice := q.Kind == One || q.Kind == Several; choice && (len(q.Options) < 2 || len(q.Options) > maxOptions) || !choice && len(q.Options) > 0 {
		check.Field(field+"options", ErrOptions)
		return nil
	}
	var options []string
	had := make(map[string]bool)
	for i, o := range q.Options {
		o, err := domain.Line(o, maxOption)
		if err == nil && had[o] {
			err = ErrOptions
		}
		check.Field(fmt.Sprintf("%soptions[%d]", field, i), err)
		had[o] = true
		options = append(options, o)
	}
	return options
}

func (s Survey) issue(cmd IssueTokens) ([]Event, error) {
	if s.Over(cmd.Today) {
		return nil, ErrOver
	}
	issued := make(map[domain.StudentID]bool)
	var pupils []Pupil
	for _, p := range cmd.Pupils {
		if !s.asked[p.Student] && !issued[p.Student] {
			issued[p.Student] = true
			pupils = append(pupils, p)
		}
	}
	switch {
	case len(pupils) > 0:
		return []Event{SurveyTokensIssued{Survey: s.ID, School: s.School, Class: s.Class, Pupils: pupils}}, nil
	case len(s.tokens) == 0:
		return nil, ErrNobody
	}
	return nil, nil
}

func (s Survey) evolve(e Event) Survey {
	switch e := e.(type) {
	case SurveyStarted:
		s.ID, s.School, s.Class, s.Year = e.Survey, e.School, e.Class, e.Year
		s.Title, s.Questions, s.LastDay = e.Title, e.Questions, e.LastDay
	case SurveyTokensIssued:
		tokens, asked := maps.Clone(s.tokens), maps.Clone(s.asked)
		if tokens == nil {
			tokens, asked = make(map[domain.SurveyTokenID]Pupil), make(map[domain.StudentID]bool)
		}
		for _, p := range e.Pupils {
			tokens[p.Token], asked[p.Student] = p, true
		}
		s.tokens, s.asked = tokens, asked
	case SurveyClosed:
		s.closed = true
	}
	return s
}
