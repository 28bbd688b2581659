package commands

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/learner"
	"zurnals/domain/roster"
)

// What can be asked of learner accounts.
type (
	IssueLearnerCode struct {
		School  domain.SchoolID
		Student domain.StudentID
	}

	ActivateLearner struct{ Code, Username, Password string }

	SignInLearner struct{ Username, Password string }
)

// A LearnerCode is what is printed for a pupil.
type LearnerCode struct {
	Learner   domain.LearnerID
	Code      string // XXXX-XXXX-XXXX
	ExpiresAt time.Time
}

// ErrLearnerSignIn is the one answer to a user name that nobody has, a wrong
// password, and too many of them.
var ErrLearnerSignIn = domain.Refuse(domain.Unauthenticated, "learner.sign_in", "the user name or the password is wrong")

// ErrUsernameTaken refuses a user name that another pupil has.
var ErrUsernameTaken = domain.Refuse(domain.Conflict, "learner.username_taken", "another pupil has this user name")

// ErrLearnerUsed is answered when a repeated request asks for a code that has
// been used meanwhile.
var ErrLearnerUsed = domain.Refuse(domain.Conflict, "learner.code_used", "the code has been used: ask for a new one")

// IssueLearnerCode gives a pupil a code to activate an account with. The code
// given before no longer works.
func (c *Commands) IssueLearnerCode(ctx context.Context, by access.Actor, cmd IssueLearnerCode) (LearnerCode, error) {
	place, err := c.pupilPlace(ctx, by, cmd.School, cmd.Student)
	if err != nil {
		return LearnerCode{}, err
	}
	var id domain.LearnerID
	err = c.do(ctx, by, access.At(access.IssueLearnerCode, place), func(u *unit) error {
		if err := inYear(u); err != nil {
			return err
		}
		student, err := peek(u, roster.Students, cmd.Student)
		if err != nil {
			return err
		}
		if student.School != cmd.School {
			return roster.ErrNoStudent
		}
		if id, err = u.c.learnerOf(ctx, learner.ClaimStudent, cmd.Student.String()); err != nil {
			return err
		}
		if id.IsZero() {
			id = newID[domain.LearnerID](by, "learner")
		}
		account, err := load(u, learner.Accounts, id)
		if err != nil {
			return err
		}
		issue := learner.IssueCode{Learner: id, Student: cmd.Student, School: cmd.School, At: u.at}
		if issue.Code, err = c.learnerCode(ctx, id, account.Next(u.at)); err != nil {
			return err
		}
		if current, open := account.Current(); open {
			if issue.Old, err = c.learnerCode(ctx, id, current); err != nil {
				return err
			}
		}
		_, err = decide(u, learner.Accounts, id, learner.Command(issue))
		return err
	})
	switch {
	case taken(err, learner.ClaimStudent): // somebody else has just opened the account
		return LearnerCode{}, ErrBusy
	case err != nil:
		return LearnerCode{}, err
	case id.IsZero(): // carried out before
		if id, err = c.learnerOf(ctx, learner.ClaimStudent, cmd.Student.String()); err != nil {
			return LearnerCode{}, err
		}
	}
	account, err := c.learner(ctx, id)
	if err != nil {
		return LearnerCode{}, err
	}
	issue, open := account.Current()
	if !open {
		return LearnerCode{}, ErrLearnerUsed
	}
	code, err := c.learnerCode(ctx, id, issue)
	return LearnerCode{Learner: id, Code: code, ExpiresAt: issue.ExpiresAt}, err
}

// pupilPlace returns the place where a need about a pupil is had: the class in
// which who asks teaches the pupil today, or else the school. So a class
// teacher reaches the own class only.
func (c *Commands) pupilPlace(ctx context.Context, by access.Actor, school domain.SchoolID, student domain.StudentID) (access.Scope, error) {
	place, err := c.SchoolScope(ctx, school)
	if err != nil || by.Active.Scope.Class.IsZero() {
		return place, err
	}
	u := &unit{c: c, ctx: ctx, by: by, at: c.Now()}
	state, err := peek(u, roster.Students, student)
	if err != nil {
		return place, err
	}
	if state.School != school {
		return place, roster.ErrNoStudent
	}
	if state.In(by.Active.Scope.Class, attendance.Day(u.at)) {
		place.Class = by.Active.Scope.Class
	}
	return place, nil
}

// ActivateLearner uses a code: from now on the pupil signs in with the user
// name and the password. Sessions begun before are over.
func (c *Commands) ActivateLearner(ctx context.Context, by access.Actor, cmd ActivateLearner) (domain.LearnerID, error) {
	need := access.At(access.ActivateLearner, access.Scope{})
	if err := by.Allow(need); err != nil {
		return domain.LearnerID{}, err
	}
	var check domain.Check
	username, err := learner.Username(cmd.Username)
	check.Field("username", err)
	password, err := learner.ParsePassword(cmd.Password, username)
	check.Field("password", err)
	if err := check.Err(); err != nil {
		return domain.LearnerID{}, err
	}
	code := normalCode(cmd.Code)
	if code == "" {
		return domain.LearnerID{}, learner.ErrCode
	}
	id, err := c.learnerOf(ctx, learner.ClaimCode, code)
	if err != nil {
		return id, err
	}
	if id.IsZero() {
		return id, learner.ErrCode
	}
	by.ID = id.UUID
	var before domain.CredentialID
	err = c.do(ctx, by, need, func(u *unit) error {
		credential := domain.NewID[domain.CredentialID]()
		account, err := load(u, learner.Accounts, id)
		if err != nil {
			return err
		}
		before = account.Credential
		issue, _ := account.Current()
		if current, err := c.learnerCode(ctx, id, issue); err != nil || current != code {
			return orElse(err, learner.ErrCode) // it was replaced between the two looks
		}
		_, err = decide(u, learner.Accounts, id, learner.Command(learner.Activate{
			Code: code, Username: username, Credential: credential, At: u.at,
		}))
		if err != nil {
			return err
		}
		// It means nothing until the event names it, and is swept away if that
		// never comes.
		return c.Credentials.Create(ctx, credential, learner.Accounts.Stream(id), password)
	})
	switch {
	case err == nil:
		c.discard(ctx, before)
	case taken(err, learner.ClaimUsername):
		err = ErrUsernameTaken.In("username")
	}
	return id, err
}

// OpenLearnerSession keeps a session outside the log, before the event that
// makes it count.
type OpenLearnerSession func(ctx context.Context, session domain.SessionID, learner domain.LearnerID, generation int) error

// SignInLearner begins a session for a pupil who knows the password. A user
// name that nobody has gets the same answer as a wrong password, after the
// same work.
func (c *Commands) SignInLearner(ctx context.Context, by access.Actor, cmd SignInLearner, open OpenLearnerSession) (domain.LearnerID, error) {
	need := access.At(access.SignIn, access.Scope{})
	if err := by.Allow(need); err != nil {
		return domain.LearnerID{}, err
	}
	username, nameErr := learner.Username(cmd.Username)
	password, passwordErr := learner.ParsePassword(cmd.Password, "")
	tried := "learner/" + username
	wait, err := c.Attempts.Try(ctx, tried, c.Now(), passwordTries)
	if err != nil {
		return domain.LearnerID{}, err
	}
	id, err := c.learnerOf(ctx, learner.ClaimUsername, username)
	if err != nil {
		return domain.LearnerID{}, err
	}
	account, err := toSignIn(ctx, c, learner.Accounts, id)
	if err != nil {
		return domain.LearnerID{}, err
	}
	right, err := c.Credentials.Verify(ctx, account.Credential, password)
	if err != nil {
		return domain.LearnerID{}, err
	}
	if !right || wait > 0 || nameErr != nil || passwordErr != nil || account.Credential.IsZero() {
		return domain.LearnerID{}, ErrLearnerSignIn
	}
	by.ID = id.UUID
	err = c.do(ctx, by, need, func(u *unit) error {
		now, err := load(u, learner.Accounts, id)
		if err != nil {
			return err
		}
		if now.Credential != account.Credential { // changed since it was compared
			return ErrLearnerSignIn
		}
		session := domain.NewID[domain.SessionID]()
		if _, err := decide(u, learner.Accounts, id, learner.Command(learner.SignIn{Session: session})); err != nil {
			return err
		}
		return open(ctx, session, id, now.Generation)
	})
	if err != nil {
		return domain.LearnerID{}, err
	}
	return id, c.Attempts.Forget(ctx, tried)
}

// WhoLearner returns the pupil of a session as the actor of one request.
func (c *Commands) WhoLearner(ctx context.Context, id domain.LearnerID, generation int) (access.Actor, error) {
	account, err := c.learner(ctx, id)
	if err != nil {
		return access.Actor{}, err
	}
	if account.Credential.IsZero() || account.Generation != generation {
		return access.Actor{}, ErrSignIn
	}
	return access.Actor{Kind: domain.ActorLearner, ID: id.UUID, School: account.School}, nil
}

// LearnerStudent returns the pupil that the learner who asks is.
func (c *Commands) LearnerStudent(ctx context.Context, by access.Actor) (domain.StudentID, error) {
	account, err := c.learner(ctx, by.Learner())
	if err == nil && account.Student.IsZero() {
		err = access.ErrElsewhere
	}
	return account.Student, err
}

// learner returns the state that a learner account is in now.
func (c *Commands) learner(ctx context.Context, id domain.LearnerID) (learner.Account, error) {
	versions, err := c.Log.Versions(ctx, learner.Accounts.Stream(id))
	if err != nil {
		return learner.Account{}, refusal(err)
	}
	return c.states.learners.of(ctx, c, learner.Accounts, id, versions[0])
}

// learnerOf returns the learner account that holds a claim, zero if none does.
func (c *Commands) learnerOf(ctx context.Context, kind, value string) (domain.LearnerID, error) {
	stream, found, err := c.Log.Holder(ctx, kind, value)
	if err != nil || !found {
		return domain.LearnerID{}, refusal(err)
	}
	id, err := domain.ParseID[domain.LearnerID](strings.TrimPrefix(stream, learner.Accounts.Category+"-"))
	if err != nil {
		return id, fmt.Errorf("claim %s is held by %s, which is no learner account", kind, stream)
	}
	return id, nil
}

// codeLetters are those of a printed code: none that look like another of
// them. Twelve are 59 bits.
const codeLetters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

// learnerCode returns the code of an issue. It follows from the account, the
// issue and a key of the program, and stands in no event and no table.
func (c *Commands) learnerCode(ctx context.Context, id domain.LearnerID, issue learner.Issue) (string, error) {
	key, err := c.Keys.Derive(ctx, "learner-codes")
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	h.Write(id.UUID[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(issue.Number)))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(issue.ExpiresAt.Unix())))
	mac := h.Sum(nil)
	var code strings.Builder
	for i := range 12 {
		if i > 0 && i%4 == 0 {
			code.WriteByte('-')
		}
		code.WriteByte(codeLetters[binary.BigEndian.Uint16(mac[2*i:])%uint16(len(codeLetters))])
	}
	return code.String(), nil
}

// normalCode returns a code as it was printed, however it was typed.
func normalCode(s string) string {
	if len(s) > 100 {
		return ""
	}
	var code strings.Builder
	n := 0
	for _, r := range strings.ToUpper(s) {
		if !strings.ContainsRune(codeLetters, r) {
			continue
		}
		if n > 0 && n%4 == 0 {
			code.WriteByte('-')
		}
		code.WriteRune(r)
		n++
	}
	return code.String()
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
