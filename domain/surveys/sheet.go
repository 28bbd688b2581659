package surveys

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zurnals/domain"
)

// maxWords is how many characters an answer in words has at most.
const maxWords = 2000

// Refusals of a sheet.
var (
	ErrAnswered   = domain.Refuse(domain.Gone, "surveys.answered", "the survey has been answered by this link already")
	ErrNoQuestion = domain.Refuse(domain.Invalid, "surveys.no_question", "the survey has no such question, or it is answered twice")
	ErrRequired   = domain.Refuse(domain.Invalid, "surveys.required", "this question needs an answer")
	ErrAnswer     = domain.Refuse(domain.Invalid, "surveys.answer", "this does not answer the question")
)

// A Given is what a pupil says to one question: numbers of options, the step of
// a scale, or words.
type Given struct {
	Question int
	Numbers  []int
	Text     string
}

// Answer fills in a sheet. That the pupil may do so now is checked by who sends
// it: it is in the streams of the survey and of the pupil.
type Answer struct {
	Survey  Survey
	Pupil   Pupil
	Answers []Given
}

// A Sheet is what one pupil has answered: a stream of its own, so that a whole
// school that answers at once is in nobody's way.
type Sheet struct{ answered bool }

// Sheets decides for sheets, one for each token.
var Sheets = domain.Decider[Sheet, Answer, Event]{
	Category: "survey_sheet",
	Decide:   Sheet.decide,
	Evolve: func(s Sheet, e Event) Sheet {
		if _, ok := e.(SurveyAnswered); ok {
			s.answered = true
		}
		return s
	},
}

// Open returns nil if the sheet can still be filled in.
func (s Sheet) Open() error {
	if s.answered {
		return ErrAnswered
	}
	return nil
}

// A sheet that is sent again is refused even if it says the same: otherwise
// whoever has the printed links could find out what a pupil said by trying.
func (s Sheet) decide(cmd Answer) ([]Event, error) {
	if err := s.Open(); err != nil {
		return nil, err
	}
	answers, err := checkAnswers(cmd.Survey.Questions, cmd.Answers)
	if err != nil {
		return nil, err
	}
	return []Event{SurveyAnswered{
		Survey: cmd.Survey.ID, School: cmd.Survey.School, Class: cmd.Pupil.Class,
		Student: cmd.Pupil.Student, Token: cmd.Pupil.Token, Answers: answers,
	}}, nil
}

// checkAnswers returns the answers as they are kept, in the order of the
// questions.
func checkAnswers(questions []Question, given []Given) ([]Answered, error) {
	var check domain.Check
	values, had := make([]string, len(questions)), make([]bool, len(questions))
	for i, g := range given {
		field := fmt.Sprintf("answers[%d]", i)
		n := g.Question - 1
		if n < 0 || n >= len(questions) || had[n] {
			check.Field(field+".question", ErrNoQuestion)
			continue
		}
		had[n] = true
		value, err := questions[n].value(g)
		check.Field(field, err)
		if values[n] = value; err != nil {
			values[n] = "?" // that it is wrong has been said
		}
	}
	var answers []Answered
	for n, q := range questions {
		if values[n] != "" {
			answers = append(answers, Answered{Question: n + 1, Value: values[n]})
		} else if q.Required {
			check.Field(fmt.Sprintf("questions[%d]", n), ErrRequired)
		}
	}
	return answers, check.Err()
}

// value returns an answer as it is kept: words, or numbers with commas. It is
// empty for none.
func (q Question) value(g Given) (string, error) {
	if q.Kind == Words {
		if len(g.Numbers) > 0 {
			return "", ErrAnswer
		}
		return domain.Text(g.Text, maxWords)
	}
	most, many := q.Steps, false
	if q.Kind != Scale {
		most, many = len(q.Options), q.Kind == Several
	}
	if g.Text != "" || len(g.Numbers) > 1 && !many {
		return "", ErrAnswer
	}
	numbers := slices.Sorted(slices.Values(g.Numbers))
	var all []string
	for i, n := range numbers {
		if n < 1 || n > most || i > 0 && numbers[i-1] == n {
			return "", ErrAnswer
		}
		all = append(all, strconv.Itoa(n))
	}
	return strings.Join(all, ","), nil
}
