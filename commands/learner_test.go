package commands_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/learner"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/internal/trace"
)

var (
	token     = access.Actor{Kind: domain.ActorToken}
	anonymous = access.Actor{Kind: domain.ActorAnonymous}
)

// A pupils is a school with the made-up pupils, and some of them.
type pupils struct {
	*rosterWorld
	administrator, teacher access.Actor // of the school; of the class of mine
	mine, other            domain.StudentID
}

func newPupils(t *testing.T) *pupils {
	t.Helper()
	p := &pupils{rosterWorld: newRosterWorld(t, "org-skola")}
	p.mustLoad(t, rosterFile(t, "01_initial"))
	place, err := p.SchoolScope(t.Context(), p.school)
	if err != nil {
		t.Fatal(err)
	}
	classes := make(map[domain.ClassID]string)
	for stored, err := range p.log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case organisation.ClassCreated:
			classes[e.Class] = e.Name
		case roster.StudentEnrolled:
			switch {
			case classes[e.Class] == "1.a" && p.mine.IsZero():
				p.mine = e.Student
				p.teacher = staff(access.ClassTeacher, access.Scope{Municipality: place.Municipality, School: p.school, Class: e.Class})
			case classes[e.Class] == "1.b" && p.other.IsZero():
				p.other = e.Student
			}
		}
	}
	p.administrator = staff(access.SchoolAdmin, place)
	return p
}

// staff is somebody who holds one role. The stream of assignments is empty, and
// is guarded as that.
func staff(role access.Role, scope access.Scope) access.Actor {
	return access.Actor{
		Kind: domain.ActorAccount, ID: domain.NewID[domain.AccountID]().UUID,
		Active: access.Assignment{ID: domain.NewID[domain.AssignmentID](), Role: role, Scope: scope},
	}
}

func (p *pupils) issue(t *testing.T, by access.Actor, student domain.StudentID) commands.LearnerCode {
	t.Helper()
	code, err := p.IssueLearnerCode(t.Context(), by, commands.IssueLearnerCode{School: p.school, Student: student})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (p *pupils) activate(t *testing.T, code, username string) error {
	t.Helper()
	_, err := p.ActivateLearner(t.Context(), token, commands.ActivateLearner{Code: code, Username: username, Password: "zaļa zāle"})
	return err
}

func (p *pupils) signIn(t *testing.T, username, password string) (id domain.LearnerID, generation int, err error) {
	t.Helper()
	id, err = p.SignInLearner(t.Context(), anonymous, commands.SignInLearner{Username: username, Password: password},
		func(_ context.Context, _ domain.SessionID, _ domain.LearnerID, g int) error {
			generation = g
			return nil
		})
	return id, generation, err
}

func TestAPupilGetsAnAccount(t *testing.T) {
	p := newPupils(t)
	code := p.issue(t, p.teacher, p.mine)
	if len(code.Code) != 14 || strings.ContainsAny(code.Code, "01OIL") || !code.ExpiresAt.Equal(p.now.AddDate(0, 0, 14)) {
		t.Errorf("%+v", code)
	}
	if err := p.activate(t, " "+strings.ToLower(strings.ReplaceAll(code.Code, "-", " ")), "Anna.B"); err != nil {
		t.Fatal(err)
	}
	id, generation, err := p.signIn(t, "ANNA.b ", "zaļa zāle")
	if err != nil || id != code.Learner {
		t.Fatal(err)
	}
	by, err := p.WhoLearner(t.Context(), id, generation)
	if err != nil || by.School != p.school || by.Learner() != id {
		t.Errorf("%v %+v", err, by)
	}
	if student, err := p.LearnerStudent(t.Context(), by); err != nil || student != p.mine {
		t.Errorf("%v %v", err, student)
	}
	if err := p.activate(t, code.Code, "anna.c"); !errors.Is(err, learner.ErrCode) {
		t.Errorf("a code works once: %v", err)
	}

	// The password was forgotten: with a new code the pupil chooses another, and
	// sessions begun before are over.
	again := p.issue(t, p.administrator, p.mine)
	if again.Learner != id {
		t.Error("a second account")
	}
	if err := p.activate(t, again.Code, "anna.b"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WhoLearner(t.Context(), id, generation); !errors.Is(err, commands.ErrSignIn) {
		t.Error(err)
	}
}

func TestNoSecretIsInTheLog(t *testing.T) {
	p := newPupils(t)
	code := p.issue(t, p.teacher, p.mine)
	if err := p.activate(t, code.Code, "annina"); err != nil {
		t.Fatal(err)
	}
	for e, err := range p.log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{code.Code, strings.ReplaceAll(code.Code, "-", ""), "annina", "zaļa zāle", "Liepiņa", "320492", "ek-s-0001"} {
			if strings.Contains(string(e.Data), secret) {
				t.Errorf("%s says %q", e.Type, secret)
			}
		}
	}
}

func TestCodesThatDoNotWork(t *testing.T) {
	p := newPupils(t)
	old := p.issue(t, p.teacher, p.mine)
	code := p.issue(t, p.teacher, p.mine)
	for name, c := range map[string]string{"replaced": old.Code, "made up": "AAAA-BBBB-CCCC", "empty": "", "long": strings.Repeat("A", 5000), "not letters": "ā\x00"} {
		if err := p.activate(t, c, "anna.b"); !errors.Is(err, learner.ErrCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.now = code.ExpiresAt
	if err := p.activate(t, code.Code, "anna.b"); !errors.Is(err, learner.ErrCode) {
		t.Errorf("expired: %v", err)
	}
	p.now = code.ExpiresAt.Add(-time.Second)
	if err := p.activate(t, code.Code, "anna.b"); err != nil {
		t.Errorf("in the last second: %v", err)
	}

	// One user name, one pupil.
	other := p.issue(t, p.administrator, p.other)
	if err := p.activate(t, other.Code, "Anna.B"); !errors.Is(err, commands.ErrUsernameTaken) {
		t.Error(err)
	}
	if err := p.activate(t, other.Code, "zane"); err != nil {
		t.Error(err)
	}
}

func TestWhoMayIssueCodes(t *testing.T) {
	p := newPupils(t)
	elsewhere := staff(access.SchoolAdmin, access.Scope{School: domain.NewID[domain.SchoolID]()})
	for name, c := range map[string]struct {
		by      access.Actor
		student domain.StudentID
		want    error
	}{
		"the teacher of another class":    {p.teacher, p.other, access.ErrForbidden},
		"management":                      {staff(access.SchoolManagement, p.administrator.Active.Scope), p.mine, access.ErrForbidden},
		"another school":                  {elsewhere, p.mine, access.ErrElsewhere},
		"a pupil there is not":            {p.administrator, domain.NewID[domain.StudentID](), roster.ErrNoStudent},
		"a pupil there is not, a teacher": {p.teacher, domain.NewID[domain.StudentID](), roster.ErrNoStudent},
	} {
		before, _ := p.log.Head(t.Context())
		if _, err := p.IssueLearnerCode(t.Context(), c.by, commands.IssueLearnerCode{School: p.school, Student: c.student}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if events := p.since(t, before); len(events) > 0 {
			t.Errorf("%s: events %v", name, events)
		}
	}
}

func TestTheSameRequestForACode(t *testing.T) {
	p := newPupils(t)
	by := p.teacher
	by.Command, by.Fingerprint = domain.NewID[domain.StudentID]().UUID, []byte("request")
	first := p.issue(t, by, p.mine)
	before, _ := p.log.Head(t.Context())
	if again := p.issue(t, by, p.mine); again != first || len(p.since(t, before)) > 0 {
		t.Errorf("%+v, then %+v", first, again)
	}
}

func TestSignInTellsNothing(t *testing.T) {
	trace.Covers(t, "C28")
	p := newPupils(t)
	code := p.issue(t, p.teacher, p.mine)
	if _, _, err := p.signIn(t, "anna.b", "zaļa zāle"); !errors.Is(err, commands.ErrLearnerSignIn) {
		t.Error(err)
	}
	p.now = p.now.Add(time.Hour)
	if err := p.activate(t, code.Code, "anna.b"); err != nil {
		t.Fatal(err)
	}
	verified := func() int { return p.Credentials.(*passwords).compared }
	for _, c := range [][2]string{{"anna.b", "zila zāle"}, {"nobody", "zaļa zāle"}, {"Ā", "zaļa zāle"}, {"anna.b", "x"}, {"anna.b", strings.Repeat("x", 5000)}} {
		before := verified()
		_, _, err := p.signIn(t, c[0], c[1])
		if !errors.Is(err, commands.ErrLearnerSignIn) || err.Error() != commands.ErrLearnerSignIn.Error() || verified() != before+1 {
			t.Errorf("%q: %v after %d comparisons", c, err, verified()-before)
		}
	}
	for range 2 { // with those before, five wrong ones
		p.signIn(t, "anna.b", "zila zāle")
	}
	if _, _, err := p.signIn(t, "anna.b", "zaļa zāle"); !errors.Is(err, commands.ErrLearnerSignIn) {
		t.Errorf("the right one at once: %v", err)
	}
	p.now = p.now.Add(30 * time.Second)
	if _, _, err := p.signIn(t, "anna.b", "zaļa zāle"); err != nil {
		t.Errorf("the right one after 30 s: %v", err)
	}
}

// A pupil who forgot the password activates the account again: the former
// password is thrown away.
func TestOnlyTheNewPasswordOfAPupilIsKept(t *testing.T) {
	p := newPupils(t)
	kept := p.Credentials.(*passwords)
	for range 2 {
		if err := p.activate(t, p.issue(t, p.administrator, p.mine).Code, "anna.b"); err != nil {
			t.Fatal(err)
		}
		if len(kept.kept) != 1 {
			t.Errorf("%d passwords are kept", len(kept.kept))
		}
	}
	if err := p.SweepCredentials(t.Context()); err != nil || len(kept.kept) != 1 {
		t.Errorf("%d passwords are kept after a sweep, %v", len(kept.kept), err)
	}
	if _, _, err := p.signIn(t, "anna.b", "zaļa zāle"); err != nil {
		t.Error(err)
	}
}
