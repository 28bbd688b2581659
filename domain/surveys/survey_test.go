package surveys_test

import (
	"fmt"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/surveys"
	"zurnals/internal/trace"
)

var (
	given      = domaintest.Given(surveys.Surveys)
	givenSheet = domaintest.Given(surveys.Sheets)
)

var (
	survey = domain.NewID[domain.SurveyID]()
	school = domain.NewID[domain.SchoolID]()
	class  = domain.NewID[domain.ClassID]()
	year   = domain.NewID[domain.SchoolYearID]()
	town   = domain.NewID[domain.MunicipalityID]()

	anna, juris, late = pupil(), pupil(), pupil()

	questions = []surveys.Question{
		{Text: "Vai skolā jūties droši?", Kind: surveys.One, Options: []string{"jā", "nē"}, Required: true},
		{Text: "Kas tev patīk?", Kind: surveys.Several, Options: []string{"sports", "mūzika", "matemātika"}},
		{Text: "Cik labi klājas?", Kind: surveys.Scale, Steps: 5},
		{Text: "Ko vēl vēlies teikt?", Kind: surveys.Words},
	}

	start = surveys.Start{
		Survey: survey, Municipality: town, School: school, Class: class, Year: year,
		Title: " Kā   tev klājas? ", Questions: questions, Today: "2025-09-01",
	}
	started = surveys.SurveyStarted{
		Survey: survey, Municipality: town, School: school, Class: class, Year: year,
		Title: "Kā tev klājas?", Questions: questions, LastDay: "2025-09-15",
	}
	issued = surveys.SurveyTokensIssued{Survey: survey, School: school, Class: class, Pupils: []surveys.Pupil{anna, juris}}
	closed = surveys.SurveyClosed{Survey: survey, School: school, Class: class}
)

func pupil() surveys.Pupil {
	return surveys.Pupil{Student: domain.NewID[domain.StudentID](), Class: class, Token: domain.NewID[domain.SurveyTokenID]()}
}

// TestStart: a survey is open for two weeks unless it is said until when.
func TestStart(t *testing.T) {
	given().When(start).Then(t, started)
	given(started).When(start).Then(t) // asked twice

	lastDay := func(day domain.Date) surveys.Start {
		cmd := start
		cmd.LastDay = day
		return cmd
	}
	today, longest := started, started
	today.LastDay, longest.LastDay = "2025-09-01", "2025-12-10" // 100 days
	given().When(lastDay("2025-09-01")).Then(t, today)
	given().When(lastDay("2025-12-10")).Then(t, longest)
	for _, day := range []domain.Date{"2025-08-31", "2025-12-11"} {
		given().When(lastDay(day)).ThenRefused(t, surveys.ErrLastDay, "last_day")
	}
	given().When(lastDay("2025-02-29")).ThenRefused(t, domain.ErrDate, "last_day")

	untitled := start
	untitled.Title, untitled.Questions = " ", nil
	given().When(untitled).ThenRefused(t, domain.ErrFields, "title", "questions")
}

// TestQuestions: as many as fit, and each of a kind that can be answered.
func TestQuestions(t *testing.T) {
	with := func(asked ...surveys.Question) surveys.Start {
		cmd := start
		cmd.Questions = asked
		return cmd
	}
	many := func(n int) (all []surveys.Question) {
		for range n {
			all = append(all, questions[3])
		}
		return all
	}
	options := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint(i))
		}
		return all
	}
	fifty := started
	fifty.Questions = many(50)
	given().When(with(many(50)...)).Then(t, fifty)
	given().When(with(many(51)...)).ThenRefused(t, surveys.ErrQuestions, "questions")

	for name, c := range map[string]struct {
		question surveys.Question
		want     error
		field    string
	}{
		"no text":           {surveys.Question{Kind: surveys.Words}, domain.ErrTextMissing, "text"},
		"a long text":       {surveys.Question{Text: strings.Repeat("ā", 501), Kind: surveys.Words}, domain.ErrTextLong, "text"},
		"no kind":           {surveys.Question{Text: "a"}, surveys.ErrKind, "kind"},
		"one option":        {surveys.Question{Text: "a", Kind: surveys.One, Options: options(1)}, surveys.ErrOptions, "options"},
		"21 options":        {surveys.Question{Text: "a", Kind: surveys.Several, Options: options(21)}, surveys.ErrOptions, "options"},
		"an option twice":   {surveys.Question{Text: "a", Kind: surveys.One, Options: []string{"jā", " jā"}}, surveys.ErrOptions, "options[1]"},
		"an empty option":   {surveys.Question{Text: "a", Kind: surveys.One, Options: []string{"jā", ""}}, domain.ErrTextMissing, "options[1]"},
		"options of words":  {surveys.Question{Text: "a", Kind: surveys.Words, Options: options(2)}, surveys.ErrOptions, "options"},
		"a scale of one":    {surveys.Question{Text: "a", Kind: surveys.Scale, Steps: 1}, surveys.ErrSteps, "steps"},
		"a scale of eleven": {surveys.Question{Text: "a", Kind: surveys.Scale, Steps: 11}, surveys.ErrSteps, "steps"},
		"steps of a choice": {surveys.Question{Text: "a", Kind: surveys.One, Options: options(2), Steps: 2}, surveys.ErrSteps, "steps"},
	} {
		given().Named(name).When(with(questions[0], c.question)).ThenRefused(t, c.want, "questions[1]."+c.field)
	}
	bounds := started
	bounds.Questions = []surveys.Question{
		{Text: strings.Repeat("ā", 500), Kind: surveys.One, Options: options(2)}, {Text: "a", Kind: surveys.Several, Options: options(20)},
		{Text: "a", Kind: surveys.Scale, Steps: 2}, {Text: "a", Kind: surveys.Scale, Steps: 10},
	}
	given().When(with(bounds.Questions...)).Then(t, bounds)
}

// TestTokens: each pupil gets one, who comes later too, as long as the survey
// is open.
func TestTokens(t *testing.T) {
	issue := func(day domain.Date, pupils ...surveys.Pupil) surveys.IssueTokens {
		return surveys.IssueTokens{Survey: survey, Pupils: pupils, Today: day}
	}
	given(started).When(issue("2025-09-01", anna, juris, anna)).Then(t, issued)
	given(started, issued).When(issue("2025-09-01", anna, juris)).Then(t) // asked twice
	again := anna
	again.Token = late.Token
	given(started, issued).When(issue("2025-09-15", again, late)).
		Then(t, surveys.SurveyTokensIssued{Survey: survey, School: school, Class: class, Pupils: []surveys.Pupil{late}})

	given(started).When(issue("2025-09-01")).ThenRefused(t, surveys.ErrNobody)
	given(started, issued).When(issue("2025-09-16", late)).ThenRefused(t, surveys.ErrOver)
	given(started, issued, closed).When(issue("2025-09-01", late)).ThenRefused(t, surveys.ErrOver)
	given().When(issue("2025-09-01", anna)).ThenRefused(t, surveys.ErrNoSurvey)
}

func TestClose(t *testing.T) {
	given(started).When(surveys.Close{Survey: survey, Today: "2025-09-15"}).Then(t, closed)
	given(started, closed).When(surveys.Close{Survey: survey, Today: "2025-09-15"}).Then(t) // asked twice
	given(started).When(surveys.Close{Survey: survey, Today: "2025-09-16"}).Then(t)         // it is over
	given().When(surveys.Close{Survey: survey}).ThenRefused(t, surveys.ErrNoSurvey)
}

// TestAnswer: what is said is kept in the order of the questions, and only once.
func TestAnswer(t *testing.T) {
	trace.Partly(t, "EMU-058")
	asked := surveys.Surveys.Fold([]surveys.Event{started, issued})
	fill := func(answers ...surveys.Given) surveys.Answer {
		return surveys.Answer{Survey: asked, Pupil: anna, Answers: answers}
	}
	answered := surveys.SurveyAnswered{
		Survey: survey, School: school, Class: class, Student: anna.Student, Token: anna.Token,
		Answers: []surveys.Answered{{Question: 1, Value: "2"}, {Question: 2, Value: "1,3"}, {Question: 3, Value: "5"}, {Question: 4, Value: "Paldies!\nViss."}},
	}
	all := fill(
		surveys.Given{Question: 4, Text: " Paldies!\r\n Viss. "}, surveys.Given{Question: 3, Numbers: []int{5}},
		surveys.Given{Question: 2, Numbers: []int{3, 1}}, surveys.Given{Question: 1, Numbers: []int{2}})
	givenSheet().When(all).Then(t, answered)
	givenSheet(answered).When(all).ThenRefused(t, surveys.ErrAnswered)

	least := answered
	least.Answers = answered.Answers[:1]
	yes := surveys.Given{Question: 1, Numbers: []int{2}}
	givenSheet().When(fill(yes)).Then(t, least)
	givenSheet().When(fill(yes, surveys.Given{Question: 2}, surveys.Given{Question: 4, Text: " "})).Then(t, least)

	for name, c := range map[string]struct {
		given []surveys.Given
		want  error
		field string
	}{
		"nothing":              {nil, surveys.ErrRequired, "questions[0]"},
		"nothing said":         {[]surveys.Given{{Question: 1}}, surveys.ErrRequired, "questions[0]"},
		"before the first":     {[]surveys.Given{yes, {Question: 0}}, surveys.ErrNoQuestion, "answers[1].question"},
		"after the last":       {[]surveys.Given{yes, {Question: 5}}, surveys.ErrNoQuestion, "answers[1].question"},
		"one question twice":   {[]surveys.Given{yes, yes}, surveys.ErrNoQuestion, "answers[1].question"},
		"option 0":             {[]surveys.Given{{Question: 1, Numbers: []int{0}}}, surveys.ErrAnswer, "answers[0]"},
		"one too many":         {[]surveys.Given{{Question: 1, Numbers: []int{3}}}, surveys.ErrAnswer, "answers[0]"},
		"two of one":           {[]surveys.Given{{Question: 1, Numbers: []int{1, 2}}}, surveys.ErrAnswer, "answers[0]"},
		"an option twice":      {[]surveys.Given{yes, {Question: 2, Numbers: []int{1, 1}}}, surveys.ErrAnswer, "answers[1]"},
		"above the scale":      {[]surveys.Given{yes, {Question: 3, Numbers: []int{6}}}, surveys.ErrAnswer, "answers[1]"},
		"words for a number":   {[]surveys.Given{yes, {Question: 3, Text: "5"}}, surveys.ErrAnswer, "answers[1]"},
		"a number for words":   {[]surveys.Given{yes, {Question: 4, Numbers: []int{1}}}, surveys.ErrAnswer, "answers[1]"},
		"too many words":       {[]surveys.Given{yes, {Question: 4, Text: strings.Repeat("ā", 2001)}}, domain.ErrTextLong, "answers[1]"},
		"words not to be seen": {[]surveys.Given{yes, {Question: 4, Text: "a\u202eb"}}, domain.ErrTextCharacters, "answers[1]"},
	} {
		givenSheet().Named(name).When(fill(c.given...)).ThenRefused(t, c.want, c.field)
	}
	givenSheet().When(fill(surveys.Given{Question: 1, Numbers: []int{3}}, surveys.Given{Question: 9})).
		ThenRefused(t, domain.ErrFields, "answers[0]", "answers[1].question")
}
