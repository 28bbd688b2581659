// Package learner keeps the accounts that pupils sign in with to record their
// own attendance (izglītojamā konts). A pupil gets a printed code from the
// school and chooses a user name and a password; a personal code is never
// either of them.
package learner

import (
	"fmt"
	"strings"
	"time"

	"zurnals/domain"
)

// CodeLifetime is how long a printed code works.
const CodeLifetime = 14 * 24 * time.Hour

var (
	ErrNoLearner = domain.Refuse(domain.NotFound, "learner.not_found", "there is no such learner account")

	// ErrCode is the one answer to a code that was never issued, was replaced,
	// was used or is too old.
	ErrCode = domain.Refuse(domain.NotFound, "learner.code", "the code is not valid")

	ErrUsername    = domain.Refuse(domain.Invalid, "learner.username", "a user name has 3 to 32 letters a–z, digits, dots, hyphens or underscores, and begins with a letter")
	ErrNotActive   = domain.Refuse(domain.Conflict, "learner.not_active", "the account is not activated")
	errCodeMissing = fmt.Errorf("learner: a code is needed to issue it")
)

// A Command asks a learner account for something. At is when it is asked.
//
//sumtype:decl
type Command interface{ learnerCommand() }

type (
	// IssueCode gives a pupil a code to activate the account with, in the
	// place of the one given before. The account is opened by the first. A
	// pupil who forgot the password activates it again.
	IssueCode struct {
		Learner domain.LearnerID
		Student domain.StudentID
		School  domain.SchoolID
		Code    string // that follows from Account.Next
		Old     string // that follows from Account.Current
		At      time.Time
	}

	// Activate uses the code: from now on the pupil signs in with the user name
	// and the password kept under Credential.
	Activate struct {
		Code       string
		Username   string
		Credential domain.CredentialID
		At         time.Time
	}

	// SignIn notes that the pupil has signed in.
	SignIn struct{ Session domain.SessionID }
)

func (IssueCode) learnerCommand() {}
func (Activate) learnerCommand()  {}
func (SignIn) learnerCommand()    {}

// An Issue is the giving of one code, from which the code is derived.
type Issue struct {
	Number    int
	ExpiresAt time.Time
}

// An Account is what decisions need to know of a learner account.
type Account struct {
	ID      domain.LearnerID
	Student domain.StudentID
	School  domain.SchoolID

	Credential domain.CredentialID // zero: not active
	Generation int                 // of sessions: those of an older one are over

	issued   Issue
	open     bool // the code issued last can be used
	username string
}

// Accounts decides for learner accounts.
var Accounts = domain.Decider[Account, Command, Event]{
	Category: "learner",
	Decide:   Account.decide,
	Evolve:   Account.evolve,
}

// Current returns the issue of the code that can be used, if there is one.
func (a Account) Current() (Issue, bool) { return a.issued, a.open }

// Next returns the issue of the code that would be given at a time.
func (a Account) Next(at time.Time) Issue {
	return Issue{a.issued.Number + 1, at.Add(CodeLifetime).UTC().Truncate(time.Second)}
}

// Username returns a user name in the one spelling that is kept.
func Username(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) < 3 || len(s) > 32 || s[0] < 'a' || s[0] > 'z' {
		return "", ErrUsername
	}
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-", r) {
			return "", ErrUsername
		}
	}
	return s, nil
}

func (a Account) decide(cmd Command) ([]Event, error) {
	switch cmd := cmd.(type) {
	case IssueCode:
		return a.issue(cmd)
	case Activate:
		return a.activate(cmd)
	case SignIn:
		if a.Credential.IsZero() {
			return nil, ErrNotActive
		}
		return []Event{SignedIn{Learner: a.ID, Session: cmd.Session}}, nil
	}
	return nil, fmt.Errorf("learner: no decision on %T", cmd)
}

func (a Account) issue(cmd IssueCode) ([]Event, error) {
	opened := !a.ID.IsZero()
	switch {
	case opened && (a.Student != cmd.Student || a.School != cmd.School):
		return nil, ErrNoLearner
	case cmd.Code == "" || a.open != (cmd.Old != ""):
		return nil, errCodeMissing
	}
	var happened []Event
	if !opened {
		happened = append(happened, Opened{Learner: cmd.Learner, Student: cmd.Student, School: cmd.School})
	}
	return append(happened, CodeIssued{
		Learner: cmd.Learner, Student: cmd.Student, School: cmd.School,
		Number: a.Next(cmd.At).Number, ExpiresAt: a.Next(cmd.At).ExpiresAt, Code: cmd.Code, Old: cmd.Old,
	}), nil
}

func (a Account) activate(cmd Activate) ([]Event, error) {
	username, err := Username(cmd.Username)
	switch {
	case !a.open || !cmd.At.Before(a.issued.ExpiresAt):
		return nil, ErrCode
	case err != nil:
		return nil, err
	}
	return []Event{Activated{
		Learner: a.ID, Student: a.Student, School: a.School, Username: username, Credential: cmd.Credential,
		Generation: a.Generation + 1, Code: cmd.Code, Former: a.username,
	}}, nil
}

func (a Account) evolve(e Event) Account {
	switch e := e.(type) {
	case Opened:
		a.ID, a.Student, a.School = e.Learner, e.Student, e.School
	case CodeIssued:
		a.issued, a.open = Issue{e.Number, e.ExpiresAt}, true
	case Activated:
		a.username, a.Credential, a.Generation, a.open = e.Username, e.Credential, e.Generation, false
	case SignedIn:
	}
	return a
}
