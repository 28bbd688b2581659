package identity

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
)

// Terms of what somebody does with the own account.
const (
	ResetLifetime = time.Hour // of a link to choose another password (S-07)
	ResetsMax     = 5         // such links within ResetsWithin
	ResetsWithin  = time.Hour
	FreshFor      = time.Hour // how long after signing in risky steps are allowed
)

// Refusals of what somebody does with the own account.
var (
	ErrResetExpired  = domain.Refuse(domain.Gone, "identity.reset_expired", "the link has expired: ask for a new one")
	ErrResetReplaced = domain.Refuse(domain.Gone, "identity.reset_replaced", "the link no longer works: use the newest one")
	ErrResetUsed     = domain.Refuse(domain.Gone, "identity.reset_used", "the link was used: sign in")
	ErrResets        = domain.Refuse(domain.TooMany, "identity.too_many_resets", "too many links were sent: try again later")
	ErrLanguage      = domain.Refuse(domain.Invalid, "identity.language", "no such language: lv or en")
	ErrNotFresh      = domain.Refuse(domain.Forbidden, "session.reauthenticate", "the sign-in is too long ago for this: give the password again")
	ErrStale         = domain.Refuse(domain.Stale, "version.stale", "it has been changed since it was read")
)

// CheckFresh refuses a risky step when the person has signed in too long ago.
func CheckFresh(signedIn, at time.Time) error {
	if at.Sub(signedIn) > FreshFor {
		return ErrNotFresh
	}
	return nil
}

// A PasswordResetID is a link to choose another password.
type PasswordResetID struct{ uuid.UUID }

// A Language is one that somebody is written to in.
type Language string

const (
	Latvian Language = "lv"
	English Language = "en"
)

type (
	// ChangeNames corrects the name of a person. Expected is the edition of the
	// profile that was seen, zero for any.
	ChangeNames struct {
		Account               domain.AccountID
		GivenName, FamilyName string
		Expected              int
	}

	// ChooseLanguage says in which language somebody wants letters and answers.
	ChooseLanguage struct {
		Account  domain.AccountID
		Language Language
	}

	// ChangePassword replaces the password, by who knows the one before. All
	// sessions end; Session begins in the place of the one that asks.
	ChangePassword struct {
		Account    domain.AccountID
		Credential domain.CredentialID
		Session    domain.SessionID
	}

	// AskPasswordReset has a link mailed to choose another password by.
	AskPasswordReset struct {
		Account domain.AccountID
		Reset   PasswordResetID
		At      time.Time
	}

	// ResetPassword follows that link. All sessions end.
	ResetPassword struct {
		Account    domain.AccountID
		Reset      PasswordResetID
		Credential domain.CredentialID
		At         time.Time
	}

	// Reauthenticate begins a session in the place of one, for who has given the
	// password again.
	Reauthenticate struct {
		Account domain.AccountID
		Session domain.SessionID
	}

	// DeleteAccount deletes the account, by the own wish only (EMU-052).
	DeleteAccount struct{ Account domain.AccountID }

	// DeleteAgain deletes an account that was deleted before the log was restored
	// from an older copy, whatever it was when that was made.
	DeleteAgain struct{ Account domain.AccountID }
)

func (ChangeNames) accountCommand()      {}
func (ChooseLanguage) accountCommand()   {}
func (ChangePassword) accountCommand()   {}
func (AskPasswordReset) accountCommand() {}
func (ResetPassword) accountCommand()    {}
func (Reauthenticate) accountCommand()   {}
func (DeleteAccount) accountCommand()    {}
func (DeleteAgain) accountCommand()      {}

type reset struct {
	id      PasswordResetID
	expires time.Time
	used    bool
}

// Language returns the language chosen, "" if none was.
func (a Account) Language() Language { return a.language }

// EverSignedIn says whether the person has signed in before.
func (a Account) EverSignedIn() bool { return a.signedIn }

// Person returns who the account is for.
func (a Account) Person() Person {
	return Person{GivenName: a.givenName, FamilyName: a.familyName, PersonalCode: a.code, Email: a.email}
}

// Edition counts the changes of name and address, for two who edit them.
func (a Account) Edition() int { return a.edition }

// CheckReset returns nil if a link to choose another password works.
func (a Account) CheckReset(id PasswordResetID, at time.Time) error {
	switch {
	case !a.Active():
		return ErrNoAccount
	case a.reset.id != id:
		return ErrResetReplaced
	case a.reset.used:
		return ErrResetUsed
	case !at.Before(a.reset.expires):
		return ErrResetExpired
	}
	return nil
}

func (a Account) changeNames(cmd ChangeNames) ([]AccountEvent, error) {
	given, err := domain.Line(cmd.GivenName, NameMax)
	var check domain.Check
	check.Field("given_name", err)
	family, err := domain.Line(cmd.FamilyName, NameMax)
	check.Field("family_name", err)
	switch {
	case !a.Exists():
		return nil, ErrNoAccount
	case check.Err() != nil:
		return nil, check.Err()
	case cmd.Expected != 0 && cmd.Expected != a.edition:
		current := strconv.Itoa(a.edition)
		return nil, ErrStale.With(domain.Detail{Field: "header.If-Match", Code: "version.current", What: current, Text: "is at version " + current})
	case given == a.givenName && family == a.familyName:
		return nil, nil
	}
	return []AccountEvent{NamesChanged{Account: cmd.Account, GivenName: given, FamilyName: family}}, nil
}

func (a Account) chooseLanguage(cmd ChooseLanguage) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case cmd.Language != Latvian && cmd.Language != English:
		return nil, ErrLanguage.In("language")
	case cmd.Language == a.language:
		return nil, nil
	}
	return []AccountEvent{LanguageChosen{Account: cmd.Account, Language: cmd.Language}}, nil
}

func (a Account) changePassword(cmd ChangePassword) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case a.credential == cmd.Credential:
		return nil, nil
	}
	return []AccountEvent{
		PasswordChanged{Account: cmd.Account, Credential: cmd.Credential, Session: cmd.Session, Email: a.email},
		SessionsEnded{Account: cmd.Account, Generation: a.generation + 1},
	}, nil
}

func (a Account) askReset(cmd AskPasswordReset) ([]AccountEvent, error) {
	switch {
	case !a.Active():
		return nil, ErrNoAccount
	case a.reset.id == cmd.Reset:
		return nil, nil
	case tooOften(a.resets, ResetsMax, cmd.At.Add(ResetLifetime-ResetsWithin)):
		return nil, ErrResets
	}
	return []AccountEvent{PasswordResetAsked{
		Account: cmd.Account, Reset: cmd.Reset, Email: a.email, ExpiresAt: cmd.At.Add(ResetLifetime),
	}}, nil
}

func (a Account) resetPassword(cmd ResetPassword) ([]AccountEvent, error) {
	if a.Active() && a.credential == cmd.Credential {
		return nil, nil
	}
	if err := a.CheckReset(cmd.Reset, cmd.At); err != nil {
		return nil, err
	}
	return []AccountEvent{
		PasswordReset{Account: cmd.Account, Reset: cmd.Reset, Credential: cmd.Credential, Email: a.email},
		SessionsEnded{Account: cmd.Account, Generation: a.generation + 1},
	}, nil
}

func (a Account) reauthenticate(cmd Reauthenticate) ([]AccountEvent, error) {
	if !a.Active() {
		return nil, ErrNoAccount
	}
	return []AccountEvent{Reauthenticated{Account: cmd.Account, Session: cmd.Session}}, nil
}

func (a Account) delete(cmd DeleteAccount) ([]AccountEvent, error) {
	switch {
	case a.status == deleted:
		return nil, nil
	case !a.Active():
		return nil, ErrNoAccount
	}
	return []AccountEvent{AccountDeleted{Account: cmd.Account, held: a.held()}}, nil
}

func (a Account) deleteAgain(cmd DeleteAgain) ([]AccountEvent, error) {
	if a.status == none || a.status == deleted {
		return nil, nil
	}
	return []AccountEvent{AccountDeleted{Account: cmd.Account, held: a.held()}}, nil
}

// held are the names that nobody else may have meanwhile.
func (a Account) held() []domain.Claim {
	held := claims(a.email, a.code)
	for _, x := range a.external {
		held = append(held, ExternalClaim(x))
	}
	return held
}

// evolveOwn is evolve for the events of the own account.
func (a Account) evolveOwn(e AccountEvent) Account {
	switch e := e.(type) {
	case NamesChanged:
		a.givenName, a.familyName = e.GivenName, e.FamilyName
		a.edition++
	case LanguageChosen:
		a.language = e.Language
	case PasswordChanged:
		a.credential, a.challenge, a.reset = e.Credential, challenge{}, reset{}
	case PasswordResetAsked:
		a.reset = reset{id: e.Reset, expires: e.ExpiresAt}
		a.resets = last(a.resets, e.ExpiresAt, ResetsMax)
	case PasswordReset:
		a.credential, a.challenge, a.reset.used = e.Credential, challenge{}, true
	case Reauthenticated:
	case AccountDeleted: // nothing of the person stays, not even in memory
		a = Account{status: deleted, generation: a.generation + 1}
	}
	return a
}
