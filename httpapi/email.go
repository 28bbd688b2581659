package httpapi

import (
	"context"
	"net/http"

	"zurnals/commands"
	"zurnals/domain/access"
)

// emailRoutes are for changing the address of an account: by the person, with
// two mailed links, or by who administers the place (EMU-024 to EMU-031).
func (a *API) emailRoutes() {
	const me = "me"
	handle(a, route{
		id: "start-email-change", method: "POST", path: "/me/email-change", tag: me, permission: access.OwnAccount, status: http.StatusAccepted, limit: limitMail,
		summary: "Begin to change the own e-mail address (Mainīt)",
		about:   "A link goes to the present address. It and the second link work for 24 hours from now, for who is signed in. " + freshAbout,
	}, a.startEmailChange)
	handle(a, route{
		id: "stop-own-email-change", method: "DELETE", path: "/me/email-change", tag: me, permission: access.OwnAccount, status: http.StatusNoContent,
		summary: "Stop the change of the own address",
	}, a.stopOwnEmailChange)
	handle(a, route{
		id: "check-email-change", method: "GET", path: "/me/email-change/{token}/address", tag: me, permission: access.OwnAccount, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Whether the link to the present address works",
	}, a.checkEmailChange)
	handle(a, route{
		id: "give-email", method: "POST", path: "/me/email-change/{token}/address", tag: me, permission: access.OwnAccount, status: http.StatusAccepted, limit: limitMail,
		summary: "Follow the link to the present address: give the new one", about: "A second link goes there. The answer does not tell whether somebody has the address.",
	}, a.giveEmail)
	handle(a, route{
		id: "check-email-confirmation", method: "GET", path: "/me/email-change/{token}/confirmation", tag: me, permission: access.OwnAccount, limit: limitRegistration,
		summary: "Whether the link to the new address works, and which it is",
	}, a.checkEmailConfirmation)
	handle(a, route{
		id: "confirm-email", method: "POST", path: "/me/email-change/{token}/confirmation", tag: me, permission: access.OwnAccount, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Follow the link to the new address: it is the one from now on", about: "All sessions end, this one too.",
	}, a.confirmEmail)

	handle(a, route{
		id: "check-email-recovery", method: "GET", path: "/email-recoveries/{token}", tag: "sessions", permission: access.FollowLink, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Whether the link works by which a change that an administrator has begun is stopped",
	}, a.checkStop)
	handle(a, route{
		id: "stop-email-recovery", method: "DELETE", path: "/email-recoveries/{token}", tag: "sessions", permission: access.FollowLink, status: http.StatusNoContent, limit: limitRegistration,
		summary: "Follow that link: the address stays as it is",
	}, a.stopRecovery)

	const users = "users"
	const corrects = "Only before the person has registered, else identity.email_is_self_managed. Earlier links no longer work; a new one goes to the new address."
	const recovers = "For who has lost the mailbox. Nothing changes until the person, signed in, confirms the new address within 24 hours; the present one is told, and can stop it. " +
		"Who has never signed in is invited again instead."
	handle(a, route{
		id: "correct-email", method: "PUT", path: "/schools/{school}/users/{account}/email", tag: users, permission: access.ManageUsers, status: http.StatusNoContent, limit: limitMail,
		summary: "Correct the address of who has not registered yet (Mainīt e-pastu)", about: corrects,
	}, func(ctx context.Context, by access.Actor, in *schoolEmailIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.correctEmail(ctx, by, place, err, in.Account, in.Body.Email)
	})
	handle(a, route{
		id: "recover-email", method: "POST", path: "/schools/{school}/users/{account}/email-recovery", tag: users, permission: access.ManageUsers, status: http.StatusAccepted, limit: limitMail,
		summary: "Begin to change the address of who has lost the mailbox", about: recovers,
	}, func(ctx context.Context, by access.Actor, in *schoolRecoveryIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.recoverEmail(ctx, by, place, err, in.Account, in.Body)
	})
	handle(a, route{
		id: "change-user", method: "PATCH", path: "/schools/{school}/users/{account}", tag: users, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "Correct the name of a user", about: "Needs If-Match.",
	}, func(ctx context.Context, by access.Actor, in *schoolNamesIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.changeUser(ctx, by, place, err, in.Account, in.NamesIn)
	})
	handle(a, route{
		id: "correct-municipality-email", method: "PUT", path: "/municipalities/{municipality}/users/{account}/email", tag: users, permission: access.ManageUsers, status: http.StatusNoContent, limit: limitMail,
		summary: "Correct the address of who has not registered yet", about: corrects,
	}, func(ctx context.Context, by access.Actor, in *municipalityEmailIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.correctEmail(ctx, by, place, err, in.Account, in.Body.Email)
	})
	handle(a, route{
		id: "recover-municipality-email", method: "POST", path: "/municipalities/{municipality}/users/{account}/email-recovery", tag: users, permission: access.ManageUsers, status: http.StatusAccepted, limit: limitMail,
		summary: "Begin to change the address of who has lost the mailbox", about: recovers,
	}, func(ctx context.Context, by access.Actor, in *municipalityRecoveryIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.recoverEmail(ctx, by, place, err, in.Account, in.Body)
	})
	handle(a, route{
		id: "change-municipality-user", method: "PATCH", path: "/municipalities/{municipality}/users/{account}", tag: users, permission: access.ManageUsers, status: http.StatusNoContent,
		summary: "Correct the name of a user", about: "Needs If-Match.",
	}, func(ctx context.Context, by access.Actor, in *municipalityNamesIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.changeUser(ctx, by, place, err, in.Account, in.NamesIn)
	})
}

type (
	newEmail struct {
		Email string `json:"email" maxLength:"254"`
	}
	recovery struct {
		Email  string `json:"email" maxLength:"254"`
		Reason string `json:"reason" maxLength:"500" doc:"told to the auditors"`
	}

	schoolEmailIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		Body    newEmail
	}
	municipalityEmailIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
		Body         newEmail
	}
	schoolRecoveryIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		Body    recovery
	}
	municipalityRecoveryIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
		Body         recovery
	}
	schoolNamesIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		NamesIn
	}
	municipalityNamesIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
		NamesIn
	}

	// NamesIn corrects a name.
	NamesIn struct {
		IfMatch string `header:"If-Match" maxLength:"40"`
		Body    struct {
			GivenName  *string `json:"given_name,omitempty" maxLength:"100"`
			FamilyName *string `json:"family_name,omitempty" maxLength:"100"`
		}
	}
)

func (a *API) startEmailChange(ctx context.Context, by access.Actor, _ *none) (*none, error) {
	return nil, a.Commands.StartEmailChange(ctx, by, commands.StartEmailChange{SignedIn: asked(ctx).session.CreatedAt})
}

func (a *API) stopOwnEmailChange(ctx context.Context, by access.Actor, _ *none) (*none, error) {
	return nil, a.Commands.StopOwnEmailChange(ctx, by)
}

func (a *API) checkEmailChange(ctx context.Context, by access.Actor, in *tokenIn) (*none, error) {
	return nil, a.Commands.CheckEmailChange(ctx, by, in.Token)
}

type giveEmailIn struct {
	Token string `path:"token" maxLength:"100"`
	Body  newEmail
}

func (a *API) giveEmail(ctx context.Context, by access.Actor, in *giveEmailIn) (*none, error) {
	return nil, a.Commands.GiveEmail(ctx, by, commands.GiveEmail{Token: in.Token, Email: in.Body.Email})
}

type newEmailOut struct{ Body newEmail }

func (a *API) checkEmailConfirmation(ctx context.Context, by access.Actor, in *tokenIn) (*newEmailOut, error) {
	email, err := a.Commands.CheckConfirmation(ctx, by, in.Token)
	if err != nil {
		return nil, err
	}
	return &newEmailOut{newEmail{email}}, nil
}

func (a *API) confirmEmail(ctx context.Context, by access.Actor, in *tokenIn) (*signedOutOut, error) {
	if err := a.Commands.ConfirmEmail(ctx, by, in.Token); err != nil {
		return nil, err
	}
	return a.signedOut(ctx, by), nil
}

func (a *API) checkStop(ctx context.Context, by access.Actor, in *tokenIn) (*none, error) {
	return nil, a.Commands.CheckStop(ctx, by, in.Token)
}

func (a *API) stopRecovery(ctx context.Context, by access.Actor, in *tokenIn) (*none, error) {
	return nil, a.Commands.StopEmailChange(ctx, by, in.Token)
}

func (a *API) correctEmail(ctx context.Context, by access.Actor, place access.Scope, err error, id, email string) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.CorrectEmail(ctx, by, commands.CorrectEmail{Place: place, Account: account, Email: email})
}

func (a *API) recoverEmail(ctx context.Context, by access.Actor, place access.Scope, err error, id string, in recovery) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.RecoverEmail(ctx, by, commands.RecoverEmail{Place: place, Account: account, Email: in.Email, Reason: in.Reason})
}

func (a *API) changeUser(ctx context.Context, by access.Actor, place access.Scope, err error, id string, in NamesIn) (*none, error) {
	account, err := accountAt(id, err)
	if err == nil {
		err = by.Allow(access.At(access.ManageUsers, place)) // before a version is asked for
	}
	if err != nil {
		return nil, err
	}
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.ChangeNames(ctx, by, commands.ChangeNames{
		Place: place, Account: account, GivenName: in.Body.GivenName, FamilyName: in.Body.FamilyName, Expected: version,
	})
}
