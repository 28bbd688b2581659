package surveys_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	org "zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/domain/surveys"
	"zurnals/internal/trace"
	"zurnals/projections"
	"zurnals/projections/organisation"
	"zurnals/projections/projectiontest"
	"zurnals/projections/students"
	view "zurnals/projections/surveys"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

var (
	town   = access.Scope{Municipality: domain.MunicipalityID{UUID: id(1)}}
	school = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(2)}}
	small  = access.Scope{Municipality: town.Municipality, School: domain.SchoolID{UUID: id(3)}}
	sixA   = of(school, 4)
	sixB   = of(school, 5)
	year   = domain.SchoolYearID{UUID: id(6)}

	inClass, wide, elsewhere = domain.SurveyID{UUID: id(11)}, domain.SurveyID{UUID: id(12)}, domain.SurveyID{UUID: id(13)}

	questions = []surveys.Question{
		{Text: "Droši?", Kind: surveys.One, Options: []string{"jā", "nē"}, Required: true},
		{Text: "Patīk?", Kind: surveys.Several, Options: []string{"sports", "mūzika"}},
		{Text: "Klājas?", Kind: surveys.Scale, Steps: 5},
		{Text: "Vēl?", Kind: surveys.Words},
	}
)

func of(s access.Scope, class byte) access.Scope {
	s.Class = domain.ClassID{UUID: id(class)}
	return s
}

func as(role access.Role, at access.Scope) access.Actor {
	return access.Actor{Kind: domain.ActorAccount, ID: id(90), Active: access.Assignment{ID: domain.AssignmentID{UUID: id(91)}, Role: role, Scope: at}}
}

func student(n int) domain.StudentID { return domain.StudentID{UUID: uuid.UUID{14: 1, 15: byte(n)}} }

func pupil(n int, class access.Scope) surveys.Pupil {
	return surveys.Pupil{Student: student(n), Class: class.Class, Token: domain.SurveyTokenID{UUID: uuid.UUID{14: 2, 15: byte(n)}}}
}

func started(survey domain.SurveyID, at access.Scope, title string) surveys.SurveyStarted {
	return surveys.SurveyStarted{Survey: survey, Municipality: at.Municipality, School: at.School, Class: at.Class, Year: year,
		Title: title, Questions: questions, LastDay: "2025-09-15"}
}

func issued(survey domain.SurveyID, at access.Scope, pupils ...surveys.Pupil) surveys.SurveyTokensIssued {
	return surveys.SurveyTokensIssued{Survey: survey, School: at.School, Class: at.Class, Pupils: pupils}
}

// answered is what a pupil said to the questions in turn, with bars between;
// nothing where there is nothing.
func answered(survey domain.SurveyID, p surveys.Pupil, said string) surveys.SurveyAnswered {
	e := surveys.SurveyAnswered{Survey: survey, School: school.School, Class: p.Class, Student: p.Student, Token: p.Token}
	for i, value := range strings.Split(said, "|") {
		if value != "" {
			e.Answers = append(e.Answers, surveys.Answered{Question: i + 1, Value: value})
		}
	}
	return e
}

// everything is a school with four pupils in 6.a and three in 6.b: 6.a is asked
// alone, and with 6.b as the school. A small school beside it asks four.
func everything() (all []domain.Event) {
	add := func(events ...domain.Event) { all = append(all, events...) }
	add(org.SchoolRegistered{School: school.School, Municipality: town.Municipality, Name: "Parauga vidusskola"},
		org.SchoolRegistered{School: small.School, Municipality: town.Municipality, Name: "Maza skola"},
		org.SchoolYearOpened{School: school.School, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"},
		org.ClassCreated{Class: sixA.Class, School: school.School, Year: year, Name: "6.a", Grade: 6},
		org.ClassCreated{Class: sixB.Class, School: school.School, Year: year, Name: "6.b", Grade: 6})
	var a, b, c []surveys.Pupil
	for n, name := range []string{"Zariņš", "Āboliņa", "Bērziņa", "Celms", "Dumpe", "Eglīte", "Fišere"} {
		class := sixA
		if n > 3 {
			class = sixB
		}
		add(roster.StudentRegistered{Student: student(n), School: school.School, SourceID: name, Details: roster.Details{FamilyName: name, GivenName: "A"}},
			roster.StudentEnrolled{Student: student(n), School: school.School, Enrolment: roster.Enrolment{Record: name, Class: class.Class, From: "2025-09-01"}})
		if n <= 3 {
			a = append(a, pupil(n, class))
		} else {
			b = append(b, pupil(n, class))
		}
	}
	for n := range 4 {
		c = append(c, pupil(20+n, of(small, 7)))
	}
	add(started(inClass, sixA, "Klases gars"), issued(inClass, sixA, a...),
		started(wide, school, "Skolas gars"), issued(wide, school, append(a, b[:2]...)...), issued(wide, school, b[2]),
		started(elsewhere, small, "Cits"), issued(elsewhere, small, c...))
	for n, said := range []string{"1|1,2|5|Anna dara pāri", "2||4|", "1|2|5|", "1|1|2|viss labi"} {
		add(answered(inClass, a[n], said), answered(wide, a[n], said), answered(elsewhere, c[n], said))
	}
	add(answered(wide, b[0], "2||1|"), answered(wide, b[1], "2|||"), surveys.SurveyClosed{Survey: wide, School: school.School})
	return all
}

func given(t *testing.T) *projections.DB {
	return projectiontest.Given(t, projectiontest.Events(everything()...), view.Projection, students.Projection, organisation.Projection)
}

func TestRebuild(t *testing.T) {
	projectiontest.Rebuild(t, view.Projection, projectiontest.Events(everything()...)...)
}

// TestErasedAnswersAreGone: what somebody whose data was erased said is not made
// again; that there was an answer is.
func TestErasedAnswersAreGone(t *testing.T) {
	events := projectiontest.Events(everything()...)
	for i, e := range events {
		if said, ok := e.Event.(surveys.SurveyAnswered); ok && said.Student == student(0) {
			events[i].Erased = true
		}
	}
	tables, err := view.Projection.Fold(events...)
	if err != nil {
		t.Fatal(err)
	}
	for k := range tables.Answers.All() {
		if k.Student == student(0) {
			t.Errorf("answer to %d is still there", k.Question)
		}
	}
	for k, r := range tables.Surveys.All() {
		if k.Survey == inClass && r.Answered != 4 {
			t.Errorf("%d have answered", r.Answered)
		}
	}
}

// TestSinglePupils: the class teacher sees the pupils of the own class, also in
// a survey of the school; who supports pupils sees all of the school.
func TestSinglePupils(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069")
	db := given(t)
	tell := func(by access.Actor, place access.Scope, survey domain.SurveyID, only domain.StudentID) string {
		pupils, _, err := view.Answers(t.Context(), db, by, place, survey, only, projections.Page{})
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, p := range pupils {
			said := p.FamilyName
			for _, a := range p.Answers {
				said += fmt.Sprintf(" %d:%v%s", a.Question, a.Numbers, a.Text)
			}
			if p.AnsweredAt == nil {
				said += " nothing"
			}
			all = append(all, said)
		}
		return strings.Join(all, "; ")
	}
	const ofSixA = "Āboliņa 1:[2] 3:[4]; Bērziņa 1:[1] 2:[2] 3:[5]; Celms 1:[1] 2:[1] 3:[2] 4:[]viss labi; Zariņš 1:[1] 2:[1 2] 3:[5] 4:[]Anna dara pāri"
	teacher, support := as(access.ClassTeacher, sixA), as(access.SupportStaff, school)
	for _, c := range []struct {
		by     access.Actor
		place  access.Scope
		survey domain.SurveyID
		only   domain.StudentID
		want   string
	}{
		{by: teacher, place: sixA, survey: inClass, want: ofSixA},
		{by: teacher, place: sixA, survey: wide, want: ofSixA},
		{by: support, place: school, survey: wide, want: strings.Replace(ofSixA, "; Zariņš", "; Dumpe 1:[2] 3:[1]; Eglīte 1:[2]; Fišere nothing; Zariņš", 1)},
		{by: support, place: school, survey: wide, only: student(4), want: "Dumpe 1:[2] 3:[1]"},
		{by: teacher, place: school, survey: wide, want: access.ErrForbidden.Text},
		{by: as(access.ClassTeacher, sixB), place: sixA, survey: inClass, want: access.ErrForbidden.Text},
		{by: as(access.SchoolManagement, school), place: school, survey: wide, want: access.ErrForbidden.Text},
		{by: as(access.SchoolAdmin, school), place: school, survey: wide, want: access.ErrForbidden.Text},
		{by: as(access.MunicipalityAnalyst, town), place: school, survey: wide, want: access.ErrForbidden.Text},
	} {
		if got := tell(c.by, c.place, c.survey, c.only); got != c.want {
			t.Errorf("%s at %v:\ngot  %s\nwant %s", c.by.Active.Role, c.place, got, c.want)
		}
	}
	first, next, err := view.Answers(t.Context(), db, support, school, wide, domain.StudentID{}, projections.Page{Limit: 5})
	rest, end, errRest := view.Answers(t.Context(), db, support, school, wide, domain.StudentID{}, projections.Page{Limit: 5, Cursor: next})
	if err != nil || errRest != nil || len(first) != 5 || len(rest) != 2 || end != "" {
		t.Errorf("%v %v, %d and %d", err, errRest, len(first), len(rest))
	}
}

func show(r view.Result) string {
	if r.Suppressed {
		return "–"
	}
	said := fmt.Sprintf("%d: %v", *r.Answered, r.Counts)
	if r.Mean != nil {
		said += fmt.Sprint(" ", *r.Mean)
	}
	return said
}

// TestResultsWithoutNames: the management sees counts of five answers and more,
// of each question too, once the survey is over, and no words.
func TestResultsWithoutNames(t *testing.T) {
	trace.Partly(t, "EMU-067")
	db, by := given(t), as(access.SchoolManagement, school)
	r, err := view.ResultsOf(t.Context(), db, by, school, wide, "2025-09-02")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, q := range r.Questions {
		all = append(all, show(q))
	}
	if got, want := strings.Join(all, ", "), "6: [3 3], –, 5: [1 1 0 1 2] 3.4, –"; got != want || r.Suppressed || r.Issued != 7 || r.Answered != 6 {
		t.Errorf("got %s, want %s: %+v", got, want, r.Survey)
	}
	if told := fmt.Sprintf("%+v", r); strings.Contains(told, "Anna") || strings.Contains(told, student(1).String()) {
		t.Error("words or persons are told")
	}

	if _, err := view.ResultsOf(t.Context(), db, by, sixA, inClass, "2025-09-15"); !errors.Is(err, view.ErrOpen) {
		t.Errorf("on the last day: %v", err)
	}
	r, err = view.ResultsOf(t.Context(), db, by, sixA, inClass, "2025-09-16")
	if err != nil || !r.Suppressed {
		t.Errorf("four answers: %v %+v", err, r)
	}
	for _, q := range r.Questions {
		if show(q) != "–" {
			t.Errorf("four answers: %s", show(q))
		}
	}
	for _, other := range []access.Actor{as(access.ClassTeacher, sixA), as(access.SupportStaff, school), as(access.SchoolAdmin, school), as(access.MunicipalityAnalyst, town)} {
		if _, err := view.ResultsOf(t.Context(), db, other, school, wide, "2025-09-16"); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: %v", other.Active.Role, err)
		}
	}
}

// TestSummary: a municipality sees its schools beside each other, and nothing
// of classes, or of fewer than five answers.
func TestSummary(t *testing.T) {
	trace.Partly(t, "EMU-073")
	db, by := given(t), as(access.MunicipalityAnalyst, town)
	tell := func(from, until, today domain.Date) string {
		schools, err := view.Summary(t.Context(), db, by, town, from, until, today)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range schools {
			said := fmt.Sprintf("%s %d of %d", s.Name, s.Surveys, s.Issued)
			if !s.Suppressed {
				said += fmt.Sprintf(" %d %v%%", *s.Answered, *s.Percentage)
			}
			for _, r := range s.SchoolWide {
				said += " " + r.Title + " " + show(r.Questions[0])
			}
			all = append(all, said)
		}
		return strings.Join(all, "; ")
	}
	for _, c := range []struct {
		from, until, today domain.Date
		want               string
	}{
		{"", "", "2025-09-15", "Maza skola 0 of 0; Parauga vidusskola 1 of 7 6 85.7% Skolas gars 6: [3 3]"},
		{"", "", "2025-09-16", "Maza skola 1 of 4; Parauga vidusskola 2 of 11 10 90.9% Skolas gars 6: [3 3]"},
		{"2025-09-15", "2025-09-15", "2025-09-16", "Maza skola 1 of 4; Parauga vidusskola 2 of 11 10 90.9% Skolas gars 6: [3 3]"},
		{"2025-09-16", "", "2025-10-01", "Maza skola 0 of 0; Parauga vidusskola 0 of 0"},
		{"", "2025-09-14", "2025-10-01", "Maza skola 0 of 0; Parauga vidusskola 0 of 0"},
	} {
		if got := tell(c.from, c.until, c.today); got != c.want {
			t.Errorf("from %q until %q on %s:\ngot  %s\nwant %s", c.from, c.until, c.today, got, c.want)
		}
	}
}

// TestLists: a class teacher sees the surveys that ask the own class, and who
// starts one whom it asks.
func TestLists(t *testing.T) {
	db := given(t)
	list := func(by access.Actor, place access.Scope, page projections.Page) (string, string) {
		all, next, err := view.At(t.Context(), db, by, place, "2025-09-15", page)
		if err != nil {
			t.Fatal(err)
		}
		var titles []string
		for _, s := range all {
			titles = append(titles, fmt.Sprintf("%s %s %d/%d", s.Title, s.State, s.Answered, s.Issued))
		}
		return strings.Join(titles, ", "), next
	}
	admin := as(access.SchoolAdmin, school)
	if got, _ := list(admin, school, projections.Page{}); got != "Skolas gars over 6/7, Klases gars open 4/4" {
		t.Error(got)
	}
	first, next := list(admin, school, projections.Page{Limit: 1})
	if second, end := list(admin, school, projections.Page{Limit: 1, Cursor: next}); first+", "+second != "Skolas gars over 6/7, Klases gars open 4/4" || end != "" {
		t.Error(first, second)
	}
	if got, _ := list(as(access.ClassTeacher, sixB), sixB, projections.Page{Search: "GĀRS"}); got != "Skolas gars over 6/7" {
		t.Error(got)
	}
	codes, _, err := view.Codes(t.Context(), db, admin, school, wide, sixB.Class, "2025-09-02", projections.Page{})
	if err != nil || len(codes) != 3 || codes[0].FamilyName != "Dumpe" || codes[0].Class != "6.b" || codes[0].Token != pupil(4, sixB).Token {
		t.Errorf("%v %+v", err, codes)
	}
	s, asked, err := view.One(t.Context(), db, admin, sixA, inClass, "2025-09-02")
	if err != nil || s.Title != "Klases gars" || len(asked) != 4 || asked[0].Options[1] != "nē" || asked[2].Steps != 5 {
		t.Errorf("%v %+v", err, asked)
	}
	if _, _, err := view.One(t.Context(), db, admin, school, domain.SurveyID{UUID: id(99)}, "2025-09-02"); !errors.Is(err, view.ErrNone) {
		t.Error(err)
	}
}
