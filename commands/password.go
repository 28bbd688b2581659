package commands

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
)

// What can be asked about a password.
type (
	ChangePassword struct{ Current, New string }

	AskPasswordReset struct{ Email string }

	ResetPassword struct{ Token, Password string }
)

// Refusals of proving a password again.
var (
	ErrPassword      = domain.Refuse(domain.Forbidden, "identity.password_wrong", "the password is wrong")
	ErrPasswordTries = domain.Refuse(domain.TooMany, "identity.password_tries", "too many wrong passwords: try again later")
)

// prove refuses who does not know the password of the own account, and counts
// the tries: a session left open must not let somebody guess.
func (c *Commands) prove(ctx context.Context, by access.Actor, password string) (domain.CredentialID, error) {
	if err := by.Allow(access.Own(access.OwnAccount, by.ID)); err != nil {
		return domain.CredentialID{}, err
	}
	tried := "password/" + by.ID.String()
	wait, err := c.Attempts.Try(ctx, tried, c.Now(), passwordTries)
	switch {
	case err != nil:
		return domain.CredentialID{}, err
	case wait > 0:
		return domain.CredentialID{}, ErrPasswordTries
	}
	account, err := c.account(ctx, by.Account())
	if err != nil {
		return domain.CredentialID{}, err
	}
	given, parseErr := identity.ParsePassword(password) // one that cannot be kept is compared all the same
	right, err := c.Credentials.Verify(ctx, account.Credential(), given)
	switch {
	case err != nil:
		return domain.CredentialID{}, err
	case !right || parseErr != nil:
		return domain.CredentialID{}, ErrPassword
	}
	return account.Credential(), c.Attempts.Forget(ctx, tried)
}

// stillProved refuses a password that was changed after it was proved.
func stillProved(u *unit, account domain.AccountID, proved domain.CredentialID) (identity.Account, error) {
	now, err := load(u, identity.Accounts, account)
	if err == nil && now.Credential() != proved {
		err = ErrPassword
	}
	return now, err
}

// ChangePassword replaces the own password. All other sessions end; the one
// that asks goes on under another id (C30).
func (c *Commands) ChangePassword(ctx context.Context, by access.Actor, cmd ChangePassword, open OpenSession) error {
	proved, err := c.prove(ctx, by, cmd.Current)
	if err != nil {
		if errors.Is(err, ErrPassword) {
			err = ErrPassword.In("current_password")
		}
		return err
	}
	var check domain.Check
	password, err := identity.ChoosePassword(cmd.New)
	check.Field("new_password", err)
	if err := check.Err(); err != nil {
		return err
	}
	account := by.Account()
	err = c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		now, err := stillProved(u, account, proved)
		if err != nil {
			return err
		}
		credential := domain.NewID[domain.CredentialID]()
		session := domain.NewID[domain.SessionID]()
		_, err = decide(u, identity.Accounts, account, identity.AccountCommand(identity.ChangePassword{Account: account, Credential: credential, Session: session}))
		if err == nil {
			err = c.Credentials.Create(ctx, credential, identity.Accounts.Stream(account), password)
		}
		if err == nil {
			err = open(ctx, session, account, now.Generation()+1)
		}
		return err
	})
	if err == nil {
		c.discard(ctx, proved)
	}
	return err
}

// discard throws passwords and passkeys away that count no longer. No event
// names them any more, so it does not matter should that fail: they are swept.
func (c *Commands) discard(ctx context.Context, ids ...domain.CredentialID) {
	for _, id := range ids {
		if id.IsZero() {
			continue
		}
		if err := c.Credentials.Delete(ctx, id); err != nil {
			slog.WarnContext(ctx, "a credential that counts no longer is still kept", "err", err)
		}
	}
}

// Reauthenticate proves the password again, for risky steps. The session goes
// on under another id.
func (c *Commands) Reauthenticate(ctx context.Context, by access.Actor, password string, open OpenSession) error {
	proved, err := c.prove(ctx, by, password)
	if err != nil {
		if errors.Is(err, ErrPassword) {
			err = ErrPassword.In("password")
		}
		return err
	}
	account := by.Account()
	return c.do(ctx, by, access.Own(access.OwnAccount, by.ID), func(u *unit) error {
		now, err := stillProved(u, account, proved)
		if err != nil {
			return err
		}
		session := domain.NewID[domain.SessionID]()
		_, err = decide(u, identity.Accounts, account, identity.AccountCommand(identity.Reauthenticate{Account: account, Session: session}))
		if err == nil {
			err = open(ctx, session, account, now.Generation())
		}
		return err
	})
}

// resetTries at one address: more are answered alike and come to nothing.
var resetTries = Limit{Tries: identity.ResetsMax, Wait: identity.ResetsWithin, MaxWait: identity.ResetsWithin, Reset: identity.ResetsWithin}

// decoys are nobody: 256 of them, made when first needed. The key of an account
// is read for the letter; where there is no account, that of a decoy is read in
// its place. Keys stay in memory for some seconds: with one decoy for all, who
// asks for many addresses would see it in memory, and that of an account not.
func decoyOf(email string) uuid.UUID {
	decoy := uuid.MustParse("00000000-0000-7000-8000-00000000de00")
	decoy[15] = sha256.Sum256([]byte(strings.ToLower(email)))[0]
	return decoy
}

// AskPasswordReset mails a link to choose another password by, if the address
// is of an account that is in use. Whether it is nobody is told: the answer is
// the same, and so is the work (C28).
func (c *Commands) AskPasswordReset(ctx context.Context, by access.Actor, cmd AskPasswordReset) error {
	need := access.At(access.ForgotPassword, access.Scope{})
	if err := by.Allow(need); err != nil {
		return err
	}
	var check domain.Check
	email, err := identity.ParseEmail(cmd.Email)
	check.Field("email", err)
	if err := check.Err(); err != nil {
		return err
	}
	wait, err := c.Attempts.Try(ctx, "reset/"+strings.ToLower(email), c.Now(), resetTries)
	if err != nil || wait > 0 {
		return err
	}
	account, err := c.holder(ctx, identity.EmailClaim(email))
	if err != nil {
		return err
	}
	by.ID = account.UUID
	ctx, _ = WithOutcome(ctx) // of our own: the position of the append would tell
	return c.do(ctx, by, need, func(u *unit) error {
		_, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.AskPasswordReset{
			Account: account, Reset: newID[identity.PasswordResetID](by, "reset"), At: u.at,
		}))
		if !errors.Is(err, identity.ErrNoAccount) && !errors.Is(err, identity.ErrResets) {
			return err
		}
		if account.IsZero() {
			if _, err := c.Keys.EnsureKeys(ctx, decoyOf(email)); err != nil {
				return err
			}
		}
		_, err = load(u, identity.Accounts, account) // to be guarded, as if something was appended
		u.always = true
		return err
	})
}

// CheckReset returns nil if a link to choose another password works. It uses
// nothing up, and does not tell whose link it is.
func (c *Commands) CheckReset(ctx context.Context, by access.Actor, token string) error {
	if err := by.Allow(access.At(access.FollowLink, access.Scope{})); err != nil {
		return err
	}
	id, reset, err := c.reset(token)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, id)
	if err != nil {
		return err
	}
	return account.CheckReset(reset, c.Now())
}

func (c *Commands) reset(token string) (account domain.AccountID, id identity.PasswordResetID, err error) {
	a, b, ok := c.Links.open("password-reset", token)
	if !ok {
		return account, id, ErrLink
	}
	return domain.AccountID{UUID: a}, identity.PasswordResetID{UUID: b}, nil
}

// ResetPassword follows such a link. All sessions end; who guessed before no
// longer keeps the person out.
func (c *Commands) ResetPassword(ctx context.Context, by access.Actor, cmd ResetPassword) (domain.AccountID, error) {
	account, id, err := c.reset(cmd.Token)
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
	var email string
	var before domain.CredentialID
	err = c.do(ctx, by, access.At(access.FollowLink, access.Scope{}), func(u *unit) error {
		state, err := load(u, identity.Accounts, account)
		if err != nil {
			return err
		}
		before = state.Credential()
		credential := domain.NewID[domain.CredentialID]()
		happened, err := decide(u, identity.Accounts, account, identity.AccountCommand(identity.ResetPassword{
			Account: account, Reset: id, Credential: credential, At: u.at,
		}))
		if err != nil {
			return err
		}
		for _, e := range happened {
			if e, ok := e.(identity.PasswordReset); ok {
				email = e.Email
			}
		}
		return c.Credentials.Create(ctx, credential, identity.Accounts.Stream(account), password)
	})
	if err != nil {
		return account, err
	}
	c.discard(ctx, before)
	return account, c.Attempts.Forget(ctx, "sign-in/"+strings.ToLower(email))
}
