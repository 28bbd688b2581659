package learner

import (
	"time"

	"zurnals/domain"
)

// Events are the definitions of all events of learner accounts.
var Events = []domain.Definition{
	domain.Define[Opened](),
	domain.Define[CodeIssued](),
	domain.Define[Activated](),
	domain.Define[SignedIn](),
}

// An Event is something that has happened to a learner account.
//
//sumtype:decl
type Event interface {
	domain.Event
	learner()
}

type (
	// Opened says that a pupil has an account, which cannot be used yet.
	Opened struct {
		Learner domain.LearnerID `json:"learner_id"`
		Student domain.StudentID `json:"student_id"`
		School  domain.SchoolID  `json:"school_id"`
	}

	// CodeIssued says that a code was given to a pupil, to activate the account
	// with. The code itself is not kept: it is derived when it is shown, and
	// the log has only its claim.
	CodeIssued struct {
		Learner   domain.LearnerID `json:"learner_id"`
		Student   domain.StudentID `json:"student_id"`
		School    domain.SchoolID  `json:"school_id"`
		Number    int              `json:"number"`
		ExpiresAt time.Time        `json:"expires_at"`

		Code string `json:"-"` // claimed
		Old  string `json:"-"` // given back
	}

	// Activated says that a pupil has chosen a user name and a password, the
	// latter kept under Credential. Sessions of earlier generations are over.
	Activated struct {
		Learner    domain.LearnerID    `json:"learner_id"`
		Student    domain.StudentID    `json:"student_id"`
		School     domain.SchoolID     `json:"school_id"`
		Username   string              `json:"username"`
		Credential domain.CredentialID `json:"credential_id"`
		Generation int                 `json:"generation"`

		Code   string `json:"-"` // given back
		Former string `json:"-"` // user name, given back
	}

	// SignedIn says that a pupil has signed in.
	SignedIn struct {
		Learner domain.LearnerID `json:"learner_id"`
		Session domain.SessionID `json:"session_id"`
	}
)

func (Opened) EventType() string     { return "learner.opened" }
func (CodeIssued) EventType() string { return "learner.code_issued" }
func (Activated) EventType() string  { return "learner.activated" }
func (SignedIn) EventType() string   { return "learner.signed_in" }

func (Opened) learner()     {}
func (CodeIssued) learner() {}
func (Activated) learner()  {}
func (SignedIn) learner()   {}

// Kinds of claims that learner accounts hold.
const (
	ClaimStudent  = "learner_student" // one account to a pupil
	ClaimCode     = "learner_code"    // by which the account is found when the code is used
	ClaimUsername = "username"        // by which it is found when the pupil signs in
)

// Claims keeps a pupil from having two accounts.
func (e Opened) Claims() []domain.Claim {
	return []domain.Claim{{Kind: ClaimStudent, Value: e.Student.String()}}
}

// Claims lets the account be found by the code.
func (e CodeIssued) Claims() []domain.Claim {
	return []domain.Claim{{Kind: ClaimCode, Value: e.Code}}
}

// Releases gives back the code that is replaced.
func (e CodeIssued) Releases() []domain.Claim { return some(ClaimCode, e.Old) }

// Claims keeps two pupils from having the same user name.
func (e Activated) Claims() []domain.Claim {
	return []domain.Claim{{Kind: ClaimUsername, Value: e.Username}}
}

// Releases gives back the code, and the user name chosen before.
func (e Activated) Releases() []domain.Claim {
	return append(some(ClaimCode, e.Code), some(ClaimUsername, e.Former)...)
}

func some(kind, value string) []domain.Claim {
	if value == "" {
		return nil
	}
	return []domain.Claim{{Kind: kind, Value: value}}
}

// PersonalFields: the person is the student, so what erases the student erases this.
func (e *Activated) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Student.Subject(), Tag: "username", Value: &e.Username}}
}
