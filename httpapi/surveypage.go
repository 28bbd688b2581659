package httpapi

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/texts"
)

type surveyFormOut struct {
	Body struct {
		Title     string           `json:"title"`
		LastDay   domain.Date      `json:"last_day" format:"date" doc:"included"`
		Questions []surveyQuestion `json:"questions" nullable:"false"`
	}
}

type surveyQuestion struct {
	Text     string   `json:"text"`
	Kind     string   `json:"kind" enum:"one,several,scale,text"`
	Options  []string `json:"options,omitempty"`
	Steps    int      `json:"steps,omitempty" doc:"of a scale from 1"`
	Required bool     `json:"required"`
}

func (a *API) surveyForm(ctx context.Context, by access.Actor, in *tokenIn) (*surveyFormOut, error) {
	form, err := a.Commands.SurveyForm(ctx, by, in.Token)
	if err != nil {
		return nil, err
	}
	out := new(surveyFormOut)
	out.Body.Title, out.Body.LastDay = form.Title, form.LastDay
	for _, q := range form.Questions {
		out.Body.Questions = append(out.Body.Questions, surveyQuestion{q.Text, string(q.Kind), q.Options, q.Steps, q.Required})
	}
	return out, nil
}

type answerSurveyIn struct {
	Token string `path:"token" maxLength:"100"`
	Body  struct {
		Answers []struct {
			Question int    `json:"question" minimum:"1" maximum:"50" doc:"counted from 1"`
			Numbers  []int  `json:"numbers,omitempty" maxItems:"20" doc:"of the options chosen, or the step of the scale"`
			Text     string `json:"text,omitempty" maxLength:"2000"`
		} `json:"answers" maxItems:"50" doc:"questions that are not required may be left out"`
	}
}

func (a *API) answerSurvey(ctx context.Context, by access.Actor, in *answerSurveyIn) (*none, error) {
	cmd := commands.AnswerSurvey{Token: in.Token}
	for _, g := range in.Body.Answers {
		cmd.Answers = append(cmd.Answers, commands.SurveyGiven{Question: g.Question, Numbers: g.Numbers, Text: g.Text})
	}
	return nil, a.Commands.AnswerSurvey(ctx, by, cmd)
}

//go:embed surveypage.html
var surveyPageHTML string

var surveyPageTemplate = pageWith(surveyPageHTML)

// A surveyView is what the page of a pupil's link shows. It names nobody.
type surveyView struct {
	frame
	LastDay   domain.Date
	Questions []askedQuestion // none: there is nothing to fill in
}

// An askedQuestion is a question on the page.
type askedQuestion struct {
	Name     string // of its fields
	Number   int
	Text     string
	Required bool
	Hint     string // code of a text
	Wrong    string // what is wrong with the answer that was sent

	Input   string // radio or checkbox; empty: words
	Choices []choice
	Said    string // words
}

type choice struct {
	Value   int
	Text    string
	Checked bool
}

// surveyPage is what a printed link opens on a pupil's phone. It works without
// scripts, and GET uses nothing up.
func (a *API) surveyPage() {
	a.pages.Get("/s/{token}", func(w http.ResponseWriter, r *http.Request) { a.fillIn(w, r, false) })
	a.pages.Post("/s/{token}", func(w http.ResponseWriter, r *http.Request) { a.fillIn(w, r, true) })
}

// surveyLink has refusals of the page noted and counted as those of the routes
// of the API that do the same.
var surveyLink = &route{limit: limitSurvey, asker: asker{token: true}}

func (a *API) fillIn(w http.ResponseWriter, r *http.Request, post bool) {
	q := asked(r.Context())
	q.route, q.w, q.r = surveyLink, w, r
	q.by = access.Actor{Kind: domain.ActorToken, Request: q.id}
	r.Body = http.MaxBytesReader(w, r.Body, maxJSON)
	err, token := a.limited(q), chi.URLParam(r, "token")
	if err == nil && post && r.ParseForm() != nil {
		err = errMalformed
	}
	var form commands.SurveyForm
	if err == nil {
		form, err = a.Commands.SurveyForm(r.Context(), q.by, token)
	}
	if err == nil && post {
		err = a.Commands.AnswerSurvey(r.Context(), q.by, commands.AnswerSurvey{Token: token, Answers: filledInForm(form, r)})
	}
	a.showSurvey(q, form, err, post)
}

// filledInForm returns what was posted, one answer for each question.
func filledInForm(form commands.SurveyForm, r *http.Request) []commands.SurveyGiven {
	given := make([]commands.SurveyGiven, len(form.Questions))
	for i, q := range form.Questions {
		given[i].Question = i + 1
		values := r.PostForm[fieldOf(i)]
		if len(q.Options) == 0 && q.Steps == 0 {
			given[i].Text = strings.Join(values, "\n")
			continue
		}
		for _, value := range values {
			n, err := strconv.Atoi(value)
			if err != nil {
				n = 0 // which is no option
			}
			given[i].Numbers = append(given[i].Numbers, n)
		}
	}
	return given
}

func fieldOf(i int) string { return "q" + strconv.Itoa(i+1) }

// showSurvey answers with the page: the questions, with what was sent if that
// was not right, or what has become of the link.
func (a *API) showSurvey(q *request, form commands.SurveyForm, err error, post bool) {
	view := surveyView{frame: frame{Language: q.language, Title: form.Title}, LastDay: form.LastDay}
	if form.Title == "" {
		view.Title = texts.Of(q.language, "page.survey_title")
	}
	status := http.StatusOK
	var refused *domain.Error
	switch {
	case err != nil:
		status = a.failed(q, &view.frame, err)
		if errors.As(err, &refused) && refused.Kind == domain.Invalid {
			view.Questions, view.Message = questionsShown(q, form, refused), texts.Of(q.language, "page.survey_wrong")
		}
	case post:
		view.Good, view.Message = true, texts.Of(q.language, "page.survey_done")
	default:
		view.Questions = questionsShown(q, form, nil)
	}
	// The form is posted to this very address: without its origin a browser
	// that sends no Sec-Fetch-Site would look like another site.
	q.w.Header().Set("Referrer-Policy", "same-origin")
	a.showPage(q, surveyPageTemplate, status, view)
}

func questionsShown(q *request, form commands.SurveyForm, refused *domain.Error) []askedQuestion {
	shown := make([]askedQuestion, len(form.Questions))
	for i, question := range form.Questions {
		s := askedQuestion{Name: fieldOf(i), Number: i + 1, Text: question.Text, Required: question.Required}
		said := q.r.PostForm[s.Name]
		options := question.Options
		for step := range question.Steps {
			options = append(options, strconv.Itoa(step+1))
		}
		switch {
		case question.Steps > 0:
			s.Input, s.Hint = "radio", "page.survey_scale"
		case question.Kind == "several":
			s.Input, s.Hint = "checkbox", "page.survey_several"
		case len(options) > 0:
			s.Input = "radio"
		default:
			s.Said = strings.Join(said, "\n")
		}
		for n, text := range options {
			s.Choices = append(s.Choices, choice{n + 1, text, slices.Contains(said, strconv.Itoa(n+1))})
		}
		s.Wrong = wrongWith(q, refused, i)
		shown[i] = s
	}
	return shown
}

// wrongWith returns what a refusal says of a question, in the language of the page.
func wrongWith(q *request, refused *domain.Error, i int) string {
	if refused == nil {
		return ""
	}
	for _, d := range refused.Details {
		if d.Field == fmt.Sprintf("answers[%d]", i) || d.Field == fmt.Sprintf("questions[%d]", i) {
			return texts.Of(q.language, d.Code)
		}
	}
	return ""
}
