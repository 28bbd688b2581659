package commands_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
	"zurnals/domain/surveys"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// A surveyed is a school whose class teacher has started a survey.
type surveyed struct {
	*pupils
	survey domain.SurveyID
}

var feelings = []commands.SurveyQuestion{
	{Text: "Kā klājas?", Kind: surveys.Scale, Steps: 5, Required: true}, {Text: "Kāpēc?", Kind: surveys.Words},
}

func newSurvey(t *testing.T) *surveyed {
	t.Helper()
	s := &surveyed{pupils: newPupils(t)}
	s.survey = s.start(t, s.teacher, s.teacher.Active.Scope.Class)
	return s
}

func (s *surveyed) start(t *testing.T, by access.Actor, class domain.ClassID) domain.SurveyID {
	t.Helper()
	id, err := s.StartSurvey(t.Context(), by, commands.StartSurvey{School: s.school, Class: class, Title: "Pašsajūta", Questions: feelings})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// issued returns whom a survey asks, with the links.
func (s *surveyed) issued(t *testing.T, id domain.SurveyID) map[domain.StudentID]string {
	t.Helper()
	var tokens []domain.SurveyTokenID
	var students []domain.StudentID
	for stored, err := range s.log.ReadStream(t.Context(), surveys.Surveys.Stream(id), 1) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := e.(surveys.SurveyTokensIssued); ok {
			for _, p := range e.Pupils {
				tokens, students = append(tokens, p.Token), append(students, p.Student)
			}
		}
	}
	links, err := s.SurveyLinks(t.Context(), s.administrator, id, tokens)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[domain.StudentID]string)
	for i, student := range students {
		all[student] = links[i]
	}
	return all
}

func (s *surveyed) answer(t *testing.T, link string) error {
	t.Helper()
	return s.AnswerSurvey(t.Context(), token, commands.AnswerSurvey{Token: link, Answers: []commands.SurveyGiven{
		{Question: 1, Numbers: []int{4}}, {Question: 2, Text: "Rīt ekskursija"},
	}})
}

// refused checks that nothing is appended by what is refused.
func (s *surveyed) refused(t *testing.T, want error, f func() error) {
	t.Helper()
	before, _ := s.log.Head(t.Context())
	if err := f(); !errors.Is(err, want) {
		t.Errorf("refused because of %v, want %v", err, want)
	}
	if after, _ := s.log.Head(t.Context()); after != before {
		t.Errorf("refused because of %v, but %d events were appended", want, after-before)
	}
}

// TestASurveyOfAClass: everybody in the class today has a link, and answers
// once; nothing of the answer can be read in the log.
func TestASurveyOfAClass(t *testing.T) {
	trace.Partly(t, "EMU-058", "EMU-065")
	s := newSurvey(t)
	links := s.issued(t, s.survey)
	if len(links) == 0 || links[s.mine] == "" || links[s.other] != "" {
		t.Fatalf("%d links", len(links))
	}
	form, err := s.SurveyForm(t.Context(), token, links[s.mine])
	if err != nil || form.Title != "Pašsajūta" || len(form.Questions) != 2 || form.LastDay != "2025-09-15" {
		t.Errorf("%v %+v", err, form)
	}
	if err := s.answer(t, links[s.mine]); err != nil {
		t.Fatal(err)
	}
	s.refused(t, surveys.ErrAnswered, func() error { return s.answer(t, links[s.mine]) })
	_, err = s.SurveyForm(t.Context(), token, links[s.mine])
	if !errors.Is(err, surveys.ErrAnswered) {
		t.Error(err)
	}
	var answered eventstore.Event
	for stored, err := range s.log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if answered = stored; strings.Contains(string(stored.Data)+string(stored.Meta), links[s.mine]) {
			t.Errorf("the link stands in %s", stored.Type)
		}
	}
	if strings.Contains(string(answered.Data), "ekskursija") || strings.Contains(string(answered.Data), `"value":"4"`) {
		t.Errorf("the answer can be read: %s", answered.Data)
	}
	for _, by := range []access.Actor{s.teacher, s.administrator, anonymous, operator} {
		s.refused(t, access.ErrForbidden, func() error {
			return s.AnswerSurvey(t.Context(), by, commands.AnswerSurvey{Token: links[s.mine]})
		})
	}
}

// TestWhoStartsASurvey: a class teacher for the own class in its school year,
// the administrator for any class and for the school.
func TestWhoStartsASurvey(t *testing.T) {
	trace.Partly(t, "EMU-065", "EMU-071")
	s := newSurvey(t)
	start := func(by access.Actor, cmd commands.StartSurvey) func() error {
		cmd.Title, cmd.Questions = "Pašsajūta", feelings
		return func() error {
			_, err := s.StartSurvey(t.Context(), by, cmd)
			return err
		}
	}
	class := s.teacher.Active.Scope.Class
	whole := len(s.issued(t, s.start(t, s.administrator, domain.ClassID{})))
	if one := len(s.issued(t, s.start(t, s.administrator, class))); one < 2 || whole < 5*one {
		t.Errorf("%d are asked in a class, %d in the school", one, whole)
	}
	s.refused(t, access.ErrForbidden, start(s.teacher, commands.StartSurvey{School: s.school}))
	s.refused(t, access.ErrElsewhere, start(s.teacher, commands.StartSurvey{School: domain.NewID[domain.SchoolID](), Class: class}))
	s.refused(t, access.ErrElsewhere, start(s.teacher, commands.StartSurvey{School: s.school, Class: domain.NewID[domain.ClassID]()}))
	for _, role := range []access.Role{access.SchoolManagement, access.SupportStaff} {
		s.refused(t, access.ErrForbidden, start(staff(role, s.administrator.Active.Scope), commands.StartSurvey{School: s.school, Class: class}))
	}
	empty, err := s.CreateClass(t.Context(), s.administrator, commands.CreateClass{School: s.school, Year: s.yearOf(t, class), Name: "12.z"})
	if err != nil {
		t.Fatal(err)
	}
	s.refused(t, surveys.ErrNobody, start(s.administrator, commands.StartSurvey{School: s.school, Class: empty}))

	s.now = time.Date(2027, 1, 11, 6, 0, 0, 0, time.UTC) // when the school year is over
	s.refused(t, organisation.ErrYearOver, start(s.teacher, commands.StartSurvey{School: s.school, Class: class}))
	s.refused(t, organisation.ErrYearOver, start(s.administrator, commands.StartSurvey{School: s.school, Class: class}))
	s.refused(t, commands.ErrSurveyYear, start(s.administrator, commands.StartSurvey{School: s.school}))
	s.refused(t, organisation.ErrYearOver, func() error { return s.CloseSurvey(t.Context(), s.teacher, s.survey) })
	s.refused(t, organisation.ErrYearOver, func() error { return s.IssueSurveyTokens(t.Context(), s.teacher, s.survey) })
}

func (s *surveyed) yearOf(t *testing.T, class domain.ClassID) domain.SchoolYearID {
	t.Helper()
	c, err := s.Class(t.Context(), s.administrator, class)
	if err != nil {
		t.Fatal(err)
	}
	return c.Year()
}

// TestLinksThatDoNotWork: one made up and one of a pupil who is no longer there
// are told alike; a survey that is over says so.
func TestLinksThatDoNotWork(t *testing.T) {
	s := newSurvey(t)
	links := s.issued(t, s.survey)
	link := links[s.mine]
	other := s.issued(t, s.start(t, s.administrator, s.teacher.Active.Scope.Class))[s.mine]
	for _, made := range []string{
		"", "a", link[:len(link)-1], strings.Repeat("A", len(link)), link[:30] + other[30:],
		s.Links.Registration(domain.AccountID{UUID: s.survey.UUID}, domain.InvitationID{UUID: s.mine.UUID}),
		s.Links.Survey(s.survey, domain.NewID[domain.SurveyTokenID]()), s.Links.Survey(domain.NewID[domain.SurveyID](), domain.NewID[domain.SurveyTokenID]()),
	} {
		s.refused(t, commands.ErrSurveyLink, func() error { return s.answer(t, made) })
		if _, err := s.SurveyForm(t.Context(), token, made); !errors.Is(err, commands.ErrSurveyLink) {
			t.Errorf("%q: %v", made, err)
		}
	}

	s.now = time.Date(2025, 9, 15, 20, 59, 0, 0, time.UTC) // the last minute in Riga
	if err := s.answer(t, link); err != nil {
		t.Error(err)
	}
	s.now = s.now.Add(time.Minute)
	for student, link := range links {
		if student != s.mine {
			s.refused(t, surveys.ErrOver, func() error { return s.answer(t, link) })
			break
		}
	}
	s.refused(t, surveys.ErrOver, func() error { return s.IssueSurveyTokens(t.Context(), s.teacher, s.survey) })

	if err := s.CloseSurvey(t.Context(), s.administrator, s.start(t, s.administrator, domain.ClassID{})); err != nil {
		t.Error(err)
	}
}

// TestARosterChangesWhoIsAsked: who has left the class can no longer answer for
// it; who has come gets a link when asked for, and the others keep theirs.
func TestARosterChangesWhoIsAsked(t *testing.T) {
	s := newSurvey(t)
	school := s.start(t, s.administrator, domain.ClassID{})
	before, ofSchool := s.issued(t, s.survey), s.issued(t, school)
	s.now = s.now.Add(24 * time.Hour)
	s.mustLoad(t, rosterFile(t, "02_normal_day")) // one leaves 1.a for 1.b, one comes from there, and three are new
	s.refused(t, access.ErrForbidden, func() error {
		return s.IssueSurveyTokens(t.Context(), staff(access.SupportStaff, s.administrator.Active.Scope), s.survey)
	})
	if err := s.IssueSurveyTokens(t.Context(), s.teacher, s.survey); err != nil {
		t.Fatal(err)
	}
	s.refused(t, nil, func() error { return s.IssueSurveyTokens(t.Context(), s.teacher, s.survey) }) // nobody has come since
	after := s.issued(t, s.survey)
	if len(after) != len(before)+4 {
		t.Errorf("%d links, %d before", len(after), len(before))
	}
	gone := 0
	for student, link := range after {
		if old := before[student]; old != "" && old != link {
			t.Errorf("%s has another link", student)
		}
		switch err := s.answer(t, link); {
		case errors.Is(err, commands.ErrSurveyLink):
			gone++
			if err := s.answer(t, ofSchool[student]); err != nil {
				t.Errorf("who has moved is still at the school: %v", err)
			}
		case err != nil:
			t.Error(err)
		}
	}
	if gone != 1 {
		t.Errorf("%d have left the class", gone)
	}
}

// TestAClassAnswersAtOnce: everybody's answer is kept, each once.
func TestAClassAnswersAtOnce(t *testing.T) {
	s := newSurvey(t)
	links := s.issued(t, s.survey)
	var wg sync.WaitGroup
	var kept, already atomic.Int32
	for _, link := range links {
		for range 2 {
			wg.Go(func() {
				switch err := s.answer(t, link); {
				case err == nil:
					kept.Add(1)
				case errors.Is(err, surveys.ErrAnswered):
					already.Add(1)
				default:
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if int(kept.Load()) != len(links) || int(already.Load()) != len(links) {
		t.Errorf("%d kept, %d refused, of %d", kept.Load(), already.Load(), len(links))
	}
}
