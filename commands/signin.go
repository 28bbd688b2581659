package commands

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// What somebody asks who is not signed in.
type (
	ConfirmRegistration struct{ Token, Password string }

	// SignIn may name the device, by the token that Device has given it.
	SignIn struct{ Email, Password, Device string }

	SignInWithCode struct{ Challenge, Code string }
)

// OpenSession keeps a session outside the log, before the event that makes it
// count. It may be called again under another id if the account changes
// meanwhile: only the session that is returned in the end counts.
type OpenSession func(ctx context.Context, session domain.SessionID, account domain.AccountID, generation int) error

// Bounds of a password, in characters.
const (
	PasswordMin = identity.PasswordMin
	PasswordMax = identity.PasswordMax
)

// A SignedIn is how a sign-in went on: with a session, or with a challenge to
// answer by the code that was mailed.
type SignedIn struct {
	Account     domain.AccountID // also of one that was refused, for the security log; zero: there is none
	Session     domain.SessionID // zero: a code is needed first
	Challenge   string
	CodeExpires time.Time
}

// Refusals of links and codes.
var (
	ErrLink       = domain.Refuse(domain.NotFound, "identity.link_unknown", "there is no such link")
	ErrChallenge  = domain.Refuse(domain.NotFound, "identity.challenge_unknown", "there is no such sign-in")
	ErrCode       = domain.Refuse(domain.Unauthenticated, "identity.code_wrong", "the code is wrong")
	ErrCodesTried = domain.Refuse(domain.Gone, "identity.code_tried_out", "too many wrong codes: sign in again")
)

var (
	// passwordTries at one address: after each five wrong ones a wait of 30 s,
	// then of 60 s, and so on up to 15 minutes (C26).
	passwordTries = Limit{Tries: 5, Wait: 30 * time.Second, MaxWait: 15 * time.Minute, Reset: 12 * time.Hour}

	// codeTries at one code: then it is of no use any more.
	codeTries = Limit{Tries: identity.CodeTries, Wait: time.Hour, MaxWait: time.Hour, Reset: time.Hour}
)

// CheckRegistration returns nil if a registration link works. It uses nothing
// up, so mail scanners that open links do no harm (C04), and it does not tell
// whose link it is.
func (c *Commands) CheckRegistration(ctx context.Context, by access.Actor, token string) error {
	if err := by.Allow(access.At(access.Register, access.Scope{})); err != nil {
		return err
	}
	id, invitation, err := c.registration(token)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, id)
	if err != nil {
		return err
	}
	return account.CheckLink(invitation, c.Now())
}

func (c *Commands) registration(token string) (domain.AccountID, domain.InvitationID, error) {
	account, invitation, ok := c.Links.registration(token)
	if !ok {
		return account, invitation, ErrLink
	}
	return account, invitation, nil
}

// ConfirmRegistration follows a registration link with a password.
func (c *Commands) ConfirmRegistration(ctx context.Context, by access.Actor, cmd ConfirmRegistration) (domain.AccountID, error) {
	account, invitation, err := c.registration(cmd.Token)
	if err != nil {
		return account, err
	}
	var check domain.Check
	password, err := identity.ChoosePassword(cmd.Password)
	check.Field("password", err)
	if err := check.Err(); err != nil {
		return account, err
	}
	by.ID = account.UUID
	err = c.do(ctx, by, access.At(access.Register, access.Scope{}), func(u *unit) error {
		credential := domain.NewID[domain.CredentialID]()
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.ConfirmRegistration{
			Account: account, Invitation: invitation, Credential: credential, At: u.at,
		}))
		if err != nil {
			return err
		}
		// It means nothing until the event names it: if we stop here, it is
		// swept away one day, and the link still works.
		return c.Credentials.Create(ctx, credential, identity.Accounts.Stream(account), password)
	})
	return account, err
}

// SignIn begins a session for who knows the password, or mails a code first. An
// address without account, one that is not registered yet, a wrong password and
// too many of them get the same answer, after the same work (C28).
func (c *Commands) SignIn(ctx context.Context, by access.Actor, cmd SignIn, open OpenSession) (SignedIn, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return SignedIn{}, err
	}
	email, emailErr := identity.ParseEmail(cmd.Email)
	password, passwordErr := identity.ParsePassword(cmd.Password)
	id, err := c.holder(ctx, identity.EmailClaim(email))
	if err != nil {
		return SignedIn{}, err
	}
	tried := c.triesAt(email, id, cmd.Device)
	wait, err := c.Attempts.Try(ctx, tried, c.Now(), passwordTries)
	if err != nil {
		return SignedIn{}, err
	}
	account, err := toSignIn(ctx, c, identity.Accounts, id)
	if err != nil {
		return SignedIn{}, err
	}
	right, err := c.Credentials.Verify(ctx, account.Credential(), password)
	if err != nil {
		return SignedIn{}, err
	}
	if !right || wait > 0 || emailErr != nil || passwordErr != nil || !account.Active() {
		return SignedIn{Account: id}, identity.ErrSignIn
	}
	by.ID = id.UUID
	signedIn := SignedIn{Account: id}
	err = c.do(ctx, by, access.At(access.SignIn, access.Scope{}), func(u *unit) error {
		now, err := load(u, identity.Accounts, id)
		if err != nil {
			return err
		}
		if now.Credential() != account.Credential() { // changed since it was compared
			return identity.ErrSignIn
		}
		happened, err := decide(u, identity.Accounts, id, identity.AccountCommand(identity.SignIn{
			Account: id, Session: domain.NewID[domain.SessionID](), Challenge: domain.NewID[identity.ChallengeID](),
			AlwaysCode: c.AlwaysCode, At: u.at,
		}))
		if err != nil {
			return err
		}
		return signedIn.follow(ctx, c, now.Generation(), happened, open)
	})
	if err != nil {
		return SignedIn{}, err
	}
	return signedIn, c.Attempts.Forget(ctx, tried)
}

// SignInWithCode begins a session for who gives the mailed code too.
func (c *Commands) SignInWithCode(ctx context.Context, by access.Actor, cmd SignInWithCode, open OpenSession) (SignedIn, error) {
	if err := by.Allow(access.At(access.SignIn, access.Scope{})); err != nil {
		return SignedIn{}, err
	}
	id, challenge, ok := c.Links.challenge(cmd.Challenge)
	if !ok {
		return SignedIn{}, ErrChallenge
	}
	account, err := c.account(ctx, id)
	if err != nil {
		return SignedIn{}, err
	}
	if err := account.CheckCode(challenge, c.Now()); err != nil {
		return SignedIn{}, err
	}
	tried := "code/" + challenge.String()
	wait, err := c.Attempts.Try(ctx, tried, c.Now(), codeTries)
	switch {
	case err != nil:
		return SignedIn{}, err
	case wait > 0:
		return SignedIn{Account: id}, ErrCodesTried
	case subtle.ConstantTimeCompare([]byte(strings.TrimSpace(cmd.Code)), []byte(c.Links.LoginCode(challenge))) != 1:
		return SignedIn{Account: id}, ErrCode.In("code")
	}
	by.ID = id.UUID
	signedIn := SignedIn{Account: id}
	err = c.do(ctx, by, access.At(access.SignIn, access.Scope{}), func(u *unit) error {
		now, err := load(u, identity.Accounts, id)
		if err != nil {
			return err
		}
		happened, err := decide(u, identity.Accounts, id, identity.AccountCommand(identity.AcceptCode{
			Account: id, Challenge: challenge, Session: domain.NewID[domain.SessionID](), At: u.at,
		}))
		if err != nil {
			return err
		}
		return signedIn.follow(ctx, c, now.Generation(), happened, open)
	})
	if err != nil {
		return SignedIn{}, err
	}
	return signedIn, c.Attempts.Forget(ctx, tried)
}

// follow notes what a sign-in has come to, and keeps the session it begins.
func (s *SignedIn) follow(ctx context.Context, c *Commands, generation int, happened []identity.AccountEvent, open OpenSession) error {
	for _, e := range happened {
		switch e := e.(type) {
		case identity.SignedIn:
			s.Session = e.Session
			return open(ctx, e.Session, e.Account, generation)
		case identity.LoginCodeIssued:
			s.Challenge, s.CodeExpires = c.Links.Challenge(e.Account, e.Challenge), e.ExpiresAt
		}
	}
	return nil
}

// EndSessions ends all sessions of who asks, this one too.
func (c *Commands) EndSessions(ctx context.Context, by access.Actor) error {
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, account.UUID), func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.EndSessions{Account: account}))
		return err
	})
}
