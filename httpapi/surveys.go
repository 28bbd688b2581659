package httpapi

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/qr"
	"zurnals/internal/texts"
	"zurnals/projections"
	"zurnals/projections/surveys"
)

// surveyRoutes are for those who ask pupils something, for the pupils, who are
// not signed in, and for those who see what was answered.
func (a *API) surveyRoutes() {
	const tag = "surveys"
	handle(a, route{
		id: "start-survey", method: "POST", path: "/schools/{school}/surveys", tag: tag, permission: access.StartSurvey, status: http.StatusCreated,
		summary: "Ask the pupils of a class, or of the whole school (Uzsākt aptauju)", about: "A class teacher asks the own class. Each pupil who is there today gets a link.",
	}, a.startSurvey)
	handle(a, route{
		id: "list-surveys", method: "GET", path: "/schools/{school}/surveys", tag: tag, permission: access.SeeSurveys,
		summary: "Surveys, the newest first", about: "A class teacher sees those that ask the own class.",
	}, a.listSurveys)
	handle(a, route{
		id: "get-survey", method: "GET", path: "/surveys/{survey}", tag: tag, permission: access.SeeSurveys,
		summary: "One survey with its questions",
	}, a.getSurvey)
	handle(a, route{
		id: "close-survey", method: "POST", path: "/surveys/{survey}/closure", tag: tag, permission: access.StartSurvey, status: http.StatusNoContent,
		summary: "End a survey before its last day is over",
	}, a.closeSurvey)
	handle(a, route{
		id: "issue-survey-codes", method: "POST", path: "/surveys/{survey}/codes", tag: tag, permission: access.StartSurvey, status: http.StatusNoContent,
		summary: "Give links to pupils who have come since", about: "The others keep theirs. Who has left can no longer answer.",
	}, a.issueSurveyCodes)
	handle(a, route{
		id: "list-survey-codes", method: "GET", path: "/surveys/{survey}/codes", tag: tag, permission: access.StartSurvey,
		summary: "The links of the pupils, by name", about: "Who has answered is not told. A link works once, and until the survey is over.",
	}, a.listSurveyCodes)
	handle(a, route{
		id: "print-survey-codes", method: "GET", path: "/surveys/{survey}/codes/print", tag: tag, permission: access.StartSurvey,
		summary: "The links with QR pictures, to be printed and handed out", about: "For at most 200 pupils: of a whole school, class by class.", produces: []string{"text/html"},
	}, a.printSurveyCodes)
	handle(a, route{
		id: "get-survey-answers", method: "GET", path: "/surveys/{survey}/answers", tag: tag, permission: access.SeeSurveyAnswers,
		summary: "What single pupils have answered, by name", about: "For support staff; a class teacher sees the own class.",
	}, a.surveyAnswers)
	handle(a, route{
		id: "get-survey-results", method: "GET", path: "/surveys/{survey}/results", tag: tag, permission: access.SeeSurveyResults,
		summary: "What a survey adds up to, without names",
		about:   "Once it is over. What is about fewer than five answers is suppressed, and what was said in words is not told.",
	}, a.surveyResults)
	handle(a, route{
		id: "get-survey-summary", method: "GET", path: "/municipalities/{municipality}/survey-summary", tag: tag, permission: access.SeeSurveySummary,
		summary: "What the surveys of the schools of a municipality add up to", about: "Of surveys that are over and whose last day lies in the period. What is about fewer than five answers is suppressed.",
	}, a.surveySummary)
	handle(a, route{
		id: "get-survey-form", method: "GET", path: "/survey-links/{token}", tag: tag, permission: access.AnswerSurvey, limit: limitSurvey,
		summary: "What the pupil who has a link is asked", about: "It uses nothing up, and does not tell whose link it is.",
	}, a.surveyForm)
	handle(a, route{
		id: "answer-survey", method: "POST", path: "/survey-links/{token}", tag: tag, permission: access.AnswerSurvey, status: http.StatusNoContent, limit: limitSurvey,
		summary: "Answer a survey, once", about: "It opens no session. A link that was made up and one that was revoked get the same answer.",
	}, a.answerSurvey)
	a.surveyPage()
}

type (
	SurveyIn struct {
		Survey string `path:"survey" maxLength:"36"`
	}

	startSurveyIn struct {
		School string `path:"school" maxLength:"36"`
		Body   struct {
			Class     string `json:"class_id,omitempty" format:"uuid" doc:"absent: the whole school"`
			Title     string `json:"title" minLength:"1" maxLength:"200"`
			LastDay   string `json:"last_day,omitempty" format:"date" doc:"included; in two weeks if absent, in 100 days at most"`
			Questions []struct {
				Text     string   `json:"text" minLength:"1" maxLength:"500"`
				Kind     string   `json:"kind" enum:"one,several,scale,text"`
				Options  []string `json:"options,omitempty" maxItems:"20" doc:"2 to 20, of a choice"`
				Steps    int      `json:"steps,omitempty" minimum:"0" maximum:"10" doc:"of a scale, from 2"`
				Required bool     `json:"required,omitempty"`
			} `json:"questions" minItems:"1" maxItems:"50"`
		}
	}

	listSurveysIn struct {
		School string `path:"school" maxLength:"36"`
		Page
	}

	surveyOut struct {
		Body struct {
			surveys.Survey
			Questions []surveys.Question `json:"questions" nullable:"false"`
		}
	}

	listSurveyCodesIn struct {
		SurveyIn
		PageOnly
		Class string `query:"class" maxLength:"36" doc:"only those who were asked in this class"`
	}

	surveyCode struct {
		surveys.Code
		Address string `json:"address" doc:"of the page that the pupil fills in"`
	}

	printSurveyCodesIn struct {
		SurveyIn
		Class string `query:"class" maxLength:"36" doc:"only those who were asked in this class"`
	}

	surveyAnswersIn struct {
		SurveyIn
		OnlyIn
		PageOnly
	}

	surveyResultsOut struct{ Body surveys.Results }

	surveySummaryIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		PeriodIn
	}

	surveySummaryOut struct {
		Body struct {
			Items []surveys.School `json:"items" nullable:"false"`
		}
	}
)

// survey returns a survey in a path, and the place that it is.
func (a *API) survey(ctx context.Context, id string) (domain.SurveyID, access.Scope, error) {
	survey, err := domain.ParseID[domain.SurveyID](id)
	if err != nil {
		return survey, access.Scope{}, err
	}
	place, err := a.Commands.SurveyScope(ctx, survey)
	return survey, place, err
}

func (a *API) startSurvey(ctx context.Context, by access.Actor, in *startSurveyIn) (*made, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	class, err := optionalClass(in.Body.Class)
	if err != nil {
		return nil, err
	}
	cmd := commands.StartSurvey{School: school, Class: class, Title: in.Body.Title, LastDay: domain.Date(in.Body.LastDay)}
	for _, q := range in.Body.Questions {
		cmd.Questions = append(cmd.Questions, commands.SurveyQuestion{
			Text: q.Text, Kind: commands.SurveyKind(q.Kind), Options: q.Options, Steps: q.Steps, Required: q.Required,
		})
	}
	id, err := a.Commands.StartSurvey(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	return madeAt("/surveys", id), nil
}

// optionalClass reads the id of a class that need not be named.
func optionalClass(s string) (domain.ClassID, error) {
	if s == "" {
		return domain.ClassID{}, nil
	}
	return domain.ParseID[domain.ClassID](s)
}

func (a *API) listSurveys(ctx context.Context, by access.Actor, in *listSurveysIn) (*list[surveys.Survey], error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	items, next, err := surveys.At(ctx, a.Views, by, within(by, place), a.Commands.Today(), in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

func (a *API) getSurvey(ctx context.Context, by access.Actor, in *SurveyIn) (*surveyOut, error) {
	id, place, err := a.survey(ctx, in.Survey)
	if err != nil {
		return nil, err
	}
	out := new(surveyOut)
	out.Body.Survey, out.Body.Questions, err = surveys.One(ctx, a.Views, by, within(by, place), id, a.Commands.Today())
	return out, err
}

func (a *API) closeSurvey(ctx context.Context, by access.Actor, in *SurveyIn) (*none, error) {
	id, err := domain.ParseID[domain.SurveyID](in.Survey)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.CloseSurvey(ctx, by, id)
}

func (a *API) issueSurveyCodes(ctx context.Context, by access.Actor, in *SurveyIn) (*none, error) {
	id, err := domain.ParseID[domain.SurveyID](in.Survey)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.IssueSurveyTokens(ctx, by, id)
}

func (a *API) listSurveyCodes(ctx context.Context, by access.Actor, in *listSurveyCodesIn) (*list[surveyCode], error) {
	items, next, err := a.surveyCodes(ctx, by, in.Survey, in.Class, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

// surveyCodes returns one page of the links to a survey.
func (a *API) surveyCodes(ctx context.Context, by access.Actor, survey, of string, page projections.Page) ([]surveyCode, string, error) {
	id, place, err := a.survey(ctx, survey)
	if err != nil {
		return nil, "", err
	}
	class, err := optionalClass(of)
	if err != nil {
		return nil, "", err
	}
	codes, next, err := surveys.Codes(ctx, a.Views, by, place, id, class, a.Commands.Today(), page)
	if err != nil {
		return nil, "", err
	}
	tokens := make([]domain.SurveyTokenID, len(codes))
	for i, c := range codes {
		tokens[i] = c.Token
	}
	links, err := a.Commands.SurveyLinks(ctx, by, id, tokens)
	items := make([]surveyCode, len(links))
	for i, link := range links {
		items[i] = surveyCode{codes[i], a.PublicURL + "/s/" + link}
	}
	return items, next, err
}

// A printed view is the page of links to be cut up and handed out.
type printedView struct {
	frame
	Codes []printedCode
}

type printedCode struct {
	surveyCode
	Picture template.HTML // of our own making
}

//go:embed surveycodes.html
var surveyCodesHTML string

var surveyCodesTemplate = pageWith(surveyCodesHTML)

// errPrint refuses more pictures than fit on a page that anybody would print.
var errPrint = domain.Refuse(domain.Invalid, "surveys.print_class", "too many pupils for one page: name a class").In("query.class")

func (a *API) printSurveyCodes(ctx context.Context, by access.Actor, in *printSurveyCodesIn) (*pictureOut, error) {
	items, next, err := a.surveyCodes(ctx, by, in.Survey, in.Class, projections.Page{Limit: 200})
	if err == nil && next != "" {
		err = errPrint
	}
	if err != nil {
		return nil, err
	}
	language := asked(ctx).language
	view := printedView{frame: frame{Language: language, Title: texts.Of(language, "page.survey_codes")}}
	for _, item := range items {
		picture, err := qr.SVG(item.Address)
		if err != nil {
			return nil, err
		}
		view.Codes = append(view.Codes, printedCode{item, template.HTML(picture)})
	}
	return &pictureOut{kindHTML, render(surveyCodesTemplate, view)}, nil
}

func (a *API) surveyAnswers(ctx context.Context, by access.Actor, in *surveyAnswersIn) (*list[surveys.Pupil], error) {
	id, place, err := a.survey(ctx, in.Survey)
	if err != nil {
		return nil, err
	}
	var student domain.StudentID
	if in.Student != "" {
		if student, err = domain.ParseID[domain.StudentID](in.Student); err != nil {
			return nil, err
		}
	}
	items, next, err := surveys.Answers(ctx, a.Views, by, within(by, place), id, student, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

func (a *API) surveyResults(ctx context.Context, by access.Actor, in *SurveyIn) (*surveyResultsOut, error) {
	id, place, err := a.survey(ctx, in.Survey)
	if err != nil {
		return nil, err
	}
	results, err := surveys.ResultsOf(ctx, a.Views, by, place, id, a.Commands.Today())
	return &surveyResultsOut{results}, err
}

func (a *API) surveySummary(ctx context.Context, by access.Actor, in *surveySummaryIn) (*surveySummaryOut, error) {
	place, err := a.municipality(ctx, in.Municipality)
	if err != nil {
		return nil, err
	}
	out := new(surveySummaryOut)
	out.Body.Items, err = surveys.Summary(ctx, a.Views, by, place, domain.Date(in.From), domain.Date(in.Until), a.Commands.Today())
	return out, err
}
