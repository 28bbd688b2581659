package learner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/learner"
)

var given = domaintest.Given(learner.Accounts)

var (
	anna       = domain.NewID[domain.LearnerID]()
	student    = domain.NewID[domain.StudentID]()
	school     = domain.NewID[domain.SchoolID]()
	credential = domain.NewID[domain.CredentialID]()
	session    = domain.NewID[domain.SessionID]()
	monday     = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	expires    = monday.AddDate(0, 0, 14)

	issue     = learner.IssueCode{Learner: anna, Student: student, School: school, Code: "C1", At: monday}
	opened    = learner.Opened{Learner: anna, Student: student, School: school}
	issued    = learner.CodeIssued{Learner: anna, Student: student, School: school, Number: 1, ExpiresAt: expires}
	activate  = learner.Activate{Code: "C1", Username: "Anna.B", Credential: credential, At: monday}
	activated = learner.Activated{Learner: anna, Student: student, School: school, Username: "anna.b", Credential: credential, Generation: 1}
)

func TestACodeIsIssued(t *testing.T) {
	given().When(issue).Then(t, opened, issued)

	again := issue
	again.Code, again.Old, again.At = "C2", "C1", monday.Add(time.Hour)
	second := issued
	second.Number, second.ExpiresAt = 2, expires.Add(time.Hour)
	given(opened, issued).When(again).Then(t, second)
	second.Code, second.Old = "C2", "C1"
	if claims, releases := second.Claims(), second.Releases(); claims[0].Value != "C2" || releases[0].Value != "C1" {
		t.Error(claims, releases)
	}

	elsewhere := again
	elsewhere.School = domain.NewID[domain.SchoolID]()
	given(opened, issued).When(elsewhere).ThenRefused(t, learner.ErrNoLearner)
	somebody := again
	somebody.Student = domain.NewID[domain.StudentID]()
	given(opened, issued).When(somebody).ThenRefused(t, learner.ErrNoLearner)
}

func TestACodeWorksOnceAndForTwoWeeks(t *testing.T) {
	given(opened, issued).When(activate).Then(t, activated)
	last := activate
	last.At = expires.Add(-1)
	given(opened, issued).When(last).Then(t, activated)
	last.At = expires
	given(opened, issued).When(last).ThenRefused(t, learner.ErrCode)
	given(opened, issued, activated).When(activate).ThenRefused(t, learner.ErrCode)
	given().When(activate).ThenRefused(t, learner.ErrCode)

	// A second time it ends the sessions begun before, and gives the name back.
	second := activated
	second.Username, second.Generation, second.Former = "zane", 2, "anna.b"
	again := activate
	again.Username = "zane"
	given(opened, issued, activated, issued).When(again).Then(t, second)
}

func TestSigningIn(t *testing.T) {
	given(opened, issued, activated).When(learner.SignIn{Session: session}).Then(t, learner.SignedIn{Learner: anna, Session: session})
	given(opened, issued).When(learner.SignIn{Session: session}).ThenRefused(t, learner.ErrNotActive)
}

func TestUsernames(t *testing.T) {
	for s, want := range map[string]string{
		" Anna.B ": "anna.b", "abc": "abc", "a23": "a23", strings.Repeat("a", 32): strings.Repeat("a", 32), "a-b_c": "a-b_c",
	} {
		if got, err := learner.Username(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "ab", strings.Repeat("a", 33), "1ab", "320492-70712", "32049270712", "āboli", "a b", "anna@skola.lv", "a\x00b"} {
		if _, err := learner.Username(s); !errors.Is(err, learner.ErrUsername) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzUsername(f *testing.F) {
	f.Add("Anna.B")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := learner.Username(s)
		if err != nil {
			return
		}
		if again, err := learner.Username(name); err != nil || again != name {
			t.Errorf("%q, then %q: %v", name, again, err)
		}
	})
}

func TestPasswords(t *testing.T) {
	const decomposed = "za\u006c\u0327a za\u0304le"
	if got, err := learner.ParsePassword(decomposed, "anna"); err != nil || got != "zaļa zāle" {
		t.Errorf("%q, %v", got, err)
	}
	for s, want := range map[string]bool{
		strings.Repeat("ā", 7): false, strings.Repeat("ā", 8): true, strings.Repeat("ā", 200): true, strings.Repeat("ā", 201): false,
		"\xff2345678": false, "anna.bbb": false,
	} {
		if _, err := learner.ParsePassword(s, "anna.bbb"); (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
	}
}
