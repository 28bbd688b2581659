package commands

import (
	"context"
	"errors"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/domain/surveys"
)

// SurveyScope returns the place that a survey is: a class or a school.
func (c *Commands) SurveyScope(ctx context.Context, id domain.SurveyID) (access.Scope, error) {
	return c.place(ctx, surveys.Surveys.Stream(id), func(e domain.Event) (access.Scope, error) {
		started, ok := e.(surveys.SurveyStarted)
		if !ok {
			return access.Scope{}, access.ErrElsewhere
		}
		return access.Scope{Municipality: started.Municipality, School: started.School, Class: started.Class}, nil
	})
}

// The parts of the commands below that are as the domain has them.
type (
	SurveyQuestion = surveys.Question
	SurveyKind     = surveys.Kind
	SurveyGiven    = surveys.Given
)

type (
	// StartSurvey asks the pupils of a class, or without one of a whole school.
	StartSurvey struct {
		School    domain.SchoolID
		Class     domain.ClassID // zero: all classes of this school year
		Title     string
		Questions []SurveyQuestion
		LastDay   domain.Date // empty: two weeks from now
	}

	// AnswerSurvey is a pupil answering by a link.
	AnswerSurvey struct {
		Token   string
		Answers []SurveyGiven
	}
)

// A SurveyForm is what a pupil is asked.
type SurveyForm struct {
	Title     string
	LastDay   domain.Date
	Questions []SurveyQuestion
}

var (
	// ErrSurveyLink is the one answer to a link that was made up, or that was
	// revoked because the pupil is no longer in the class or the school (S-17).
	ErrSurveyLink = domain.Refuse(domain.NotFound, "surveys.link", "this link to a survey is not valid")

	// ErrSurveyYear refuses a survey of a whole school between school years.
	ErrSurveyYear = domain.Refuse(domain.Conflict, "surveys.no_year", "the school has no school year today")
)

// StartSurvey starts a survey, with a token for each pupil who is to be asked.
func (c *Commands) StartSurvey(ctx context.Context, by access.Actor, cmd StartSurvey) (domain.SurveyID, error) {
	id := newID[domain.SurveyID](by, "survey")
	place, err := c.SchoolScope(ctx, cmd.School)
	if err == nil && !cmd.Class.IsZero() {
		place, err = c.ClassScope(ctx, cmd.Class)
	}
	if err == nil && place.School != cmd.School {
		err = access.ErrElsewhere
	}
	if err != nil {
		return id, err
	}
	return id, c.do(ctx, by, access.At(access.StartSurvey, place), func(u *unit) error {
		today := attendance.Day(u.at)
		year, err := surveyYear(u, place, today)
		if err != nil {
			return err
		}
		_, err = decide(u, surveys.Surveys, id, surveys.Command(surveys.Start{
			Survey: id, Municipality: place.Municipality, School: place.School, Class: place.Class, Year: year,
			Title: cmd.Title, Questions: cmd.Questions, LastDay: cmd.LastDay, Today: today,
		}))
		if err != nil {
			return err
		}
		return issueTokens(u, id)
	})
}

// surveyYear returns the school year of who is asked. One that is over is only
// for reading, for the administrator too: its classes have no pupils any more.
func surveyYear(u *unit, place access.Scope, today domain.Date) (domain.SchoolYearID, error) {
	school, err := peek(u, organisation.Schools, place.School)
	if err != nil {
		return domain.SchoolYearID{}, err
	}
	if place.Class.IsZero() {
		year, ok := school.YearOn(today)
		if !ok {
			return year.ID, ErrSurveyYear
		}
		return year.ID, nil
	}
	class, err := peek(u, organisation.Classes, place.Class)
	if err != nil {
		return domain.SchoolYearID{}, err
	}
	if year, ok := school.Year(class.Year()); ok && today > year.To {
		return year.ID, organisation.ErrYearOver
	}
	return class.Year(), nil
}

// IssueSurveyTokens gives tokens to pupils who have come since the survey was
// started. The others keep theirs.
func (c *Commands) IssueSurveyTokens(ctx context.Context, by access.Actor, id domain.SurveyID) error {
	place, err := c.SurveyScope(ctx, id)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.At(access.StartSurvey, place), func(u *unit) error {
		if err := inYear(u); err != nil {
			return err
		}
		return issueTokens(u, id)
	})
}

// issueTokens issues tokens to all who are to be asked and have none. Nobody is
// guarded: who comes or goes meanwhile is as good as just after.
func issueTokens(u *unit, id domain.SurveyID) error {
	survey, err := peek(u, surveys.Surveys, id)
	if err != nil {
		return err
	}
	school, err := peek(u, roster.Rosters, survey.School)
	if err != nil {
		return err
	}
	students := school.Students()
	if err := readAll(u, roster.Students, students); err != nil {
		return err
	}
	today := attendance.Day(u.at)
	var there []roster.Student
	var classes []domain.ClassID
	for _, s := range students {
		student, err := peek(u, roster.Students, s)
		if err != nil {
			return err
		}
		there = append(there, student)
		classes = append(classes, student.Classes(today)...)
	}
	if err := readAll(u, organisation.Classes, classes); err != nil {
		return err
	}
	var pupils []surveys.Pupil
	for _, student := range there {
		class, err := askedIn(u, survey, student, today)
		if err != nil {
			return err
		}
		if !class.IsZero() {
			pupils = append(pupils, surveys.Pupil{Student: student.ID, Class: class, Token: domain.NewID[domain.SurveyTokenID]()})
		}
	}
	_, err = decide(u, surveys.Surveys, id, surveys.Command(surveys.IssueTokens{Survey: id, Pupils: pupils, Today: today}))
	return err
}

// askedIn returns the class in which a survey asks a pupil on a day, zero if it
// does not: the class of the survey, or any of its school year.
func askedIn(u *unit, survey surveys.Survey, student roster.Student, today domain.Date) (domain.ClassID, error) {
	for _, id := range student.Classes(today) {
		if id == survey.Class {
			return id, nil
		}
		if !survey.Class.IsZero() {
			continue
		}
		class, err := peek(u, organisation.Classes, id)
		if err != nil {
			return domain.ClassID{}, err
		}
		if class.Year() == survey.Year {
			return id, nil
		}
	}
	return domain.ClassID{}, nil
}

// CloseSurvey ends a survey before its last day is over.
func (c *Commands) CloseSurvey(ctx context.Context, by access.Actor, id domain.SurveyID) error {
	place, err := c.SurveyScope(ctx, id)
	if err != nil {
		return err
	}
	return c.do(ctx, by, access.At(access.StartSurvey, place), func(u *unit) error {
		if err := inYear(u); err != nil {
			return err
		}
		_, err := decide(u, surveys.Surveys, id, surveys.Command(surveys.Close{Survey: id, Today: attendance.Day(u.at)}))
		return err
	})
}

// SurveyLinks returns the tokens of links to a survey, to be handed out by who
// may start one there.
func (c *Commands) SurveyLinks(ctx context.Context, by access.Actor, id domain.SurveyID, tokens []domain.SurveyTokenID) ([]string, error) {
	place, err := c.SurveyScope(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := by.Allow(access.At(access.StartSurvey, place)); err != nil {
		return nil, err
	}
	all := make([]string, len(tokens))
	for i, token := range tokens {
		all[i] = c.Links.Survey(id, token)
	}
	return all, nil
}

// SurveyForm returns what the pupil who has a link is asked. It uses nothing up
// and does not tell whose link it is.
func (c *Commands) SurveyForm(ctx context.Context, by access.Actor, token string) (form SurveyForm, err error) {
	err = c.do(ctx, by, access.At(access.AnswerSurvey, access.Scope{}), func(u *unit) error {
		survey, _, err := openSheet(u, token)
		form = SurveyForm{Title: survey.Title, LastDay: survey.LastDay, Questions: survey.Questions}
		return err
	})
	if err != nil {
		return SurveyForm{}, err
	}
	return form, nil
}

// AnswerSurvey fills in the sheet of the pupil who has the link. It opens no
// session (C-10), and can be done once.
func (c *Commands) AnswerSurvey(ctx context.Context, by access.Actor, cmd AnswerSurvey) error {
	err := c.do(ctx, by, access.At(access.AnswerSurvey, access.Scope{}), func(u *unit) error {
		survey, pupil, err := openSheet(u, cmd.Token)
		if err != nil {
			return err
		}
		u.by.ID = pupil.Student.UUID
		_, err = decide(u, surveys.Sheets, pupil.Token, surveys.Answer{Survey: survey, Pupil: pupil, Answers: cmd.Answers})
		return err
	})
	if errors.Is(err, ErrErased) { // nobody holds the link any more
		return ErrSurveyLink
	}
	return err
}

// openSheet returns the survey that a link is to, and whom it asks, if the sheet
// can be filled in now. An answer stands only if the survey is still open and
// the pupil still there when it is appended.
func openSheet(u *unit, token string) (survey surveys.Survey, pupil surveys.Pupil, err error) {
	id, tokenID, ok := u.c.Links.survey(token)
	if !ok {
		return survey, pupil, ErrSurveyLink
	}
	if err := u.read(surveys.Surveys.Stream(id), surveys.Sheets.Stream(tokenID)); err != nil {
		return survey, pupil, err
	}
	if survey, err = load(u, surveys.Surveys, id); err != nil {
		return survey, pupil, err
	}
	if pupil, ok = survey.Holder(tokenID); !ok {
		return survey, pupil, ErrSurveyLink
	}
	today := attendance.Day(u.at)
	student, err := load(u, roster.Students, pupil.Student)
	if err != nil {
		return survey, pupil, err
	}
	class, err := askedIn(u, survey, student, today)
	switch {
	case err != nil:
		return survey, pupil, err
	case class.IsZero():
		return survey, pupil, ErrSurveyLink
	case survey.Over(today):
		return survey, pupil, surveys.ErrOver
	}
	pupil.Class = class // since the link was issued it may have become another
	sheet, err := peek(u, surveys.Sheets, tokenID)
	if err == nil {
		err = sheet.Open()
	}
	return survey, pupil, err
}
