package httpapi

import (
	"context"
	"net/http"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sessions"
)

// learnerRoutes are for the accounts of pupils.
func (a *API) learnerRoutes() {
	const tag = "learner"
	handle(a, route{
		id: "issue-learner-code", method: "POST", path: "/schools/{school}/students/{student}/learner-account", tag: tag, permission: access.IssueLearnerCode, status: http.StatusCreated,
		summary: "Make a code to be printed, by which a pupil activates an account",
		about:   "It works once and for 14 days. Asking again replaces it; a pupil who forgot the password gets a new one. A class teacher may do so for the own class.",
	}, a.issueLearnerCode)
	handle(a, route{
		id: "activate-learner", method: "POST", path: "/learner/activations/{code}", tag: tag, permission: access.ActivateLearner, status: http.StatusCreated, limit: limitLearner,
		summary: "Use a printed code: choose a user name and a password",
	}, a.activateLearner)
	handle(a, route{
		id: "sign-in-learner", method: "POST", path: "/learner/sessions", tag: tag, permission: access.SignIn, status: http.StatusCreated, limit: limitLearner,
		summary: "Begin a session of a pupil", about: "An unknown user name gets the same answer as a wrong password.",
	}, a.signInLearner)
	handle(a, route{
		id: "sign-out-learner", method: "DELETE", path: "/learner/sessions/current", tag: tag, permission: access.OwnLearner, status: http.StatusNoContent,
		summary: "End the session of the pupil who asks",
	}, a.signOutLearner)
}

type learnerCodeOut struct {
	Body struct {
		ID        string    `json:"id" format:"uuid" doc:"of the learner account"`
		Code      string    `json:"code" doc:"to be printed; upper and lower case and hyphens do not matter"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

func (a *API) issueLearnerCode(ctx context.Context, by access.Actor, in *studentIn) (*learnerCodeOut, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	student, err := domain.ParseID[domain.StudentID](in.Student)
	if err != nil {
		return nil, err
	}
	code, err := a.Commands.IssueLearnerCode(ctx, by, commands.IssueLearnerCode{School: school, Student: student})
	if err != nil {
		return nil, err
	}
	out := new(learnerCodeOut)
	out.Body.ID, out.Body.Code, out.Body.ExpiresAt = code.Learner.String(), code.Code, code.ExpiresAt
	return out, nil
}

type activateLearnerIn struct {
	Code string `path:"code" maxLength:"100"`
	Body struct {
		Username string `json:"username" maxLength:"100" doc:"3 to 32 letters a–z, digits, dots, hyphens or underscores, the first a letter"`
		Password string `json:"password" maxLength:"200" doc:"8 characters or more"`
	}
}

type learnerOut struct {
	Body struct {
		ID string `json:"id" format:"uuid" doc:"of the learner account"`
	}
}

func (a *API) activateLearner(ctx context.Context, by access.Actor, in *activateLearnerIn) (*learnerOut, error) {
	id, err := a.Commands.ActivateLearner(ctx, by, commands.ActivateLearner{
		Code: in.Code, Username: in.Body.Username, Password: in.Body.Password,
	})
	out := new(learnerOut)
	out.Body.ID = id.String()
	return out, err
}

type signInLearnerIn struct {
	Body struct {
		Username string `json:"username" maxLength:"100"`
		Password string `json:"password" maxLength:"200"`
	}
}

type learnerSessionOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      struct {
		ID    string `json:"id" format:"uuid" doc:"of the learner account"`
		Token string `json:"token" doc:"for programs; browsers have the cookie"`
	}
}

func (a *API) signInLearner(ctx context.Context, by access.Actor, in *signInLearnerIn) (*learnerSessionOut, error) {
	out := new(learnerSessionOut)
	id, err := a.Commands.SignInLearner(ctx, by, commands.SignInLearner{Username: in.Body.Username, Password: in.Body.Password},
		func(_ context.Context, session domain.SessionID, learner domain.LearnerID, generation int) (err error) {
			out.Body.Token, out.SetCookie, err = a.startSession(asked(ctx), session, sessions.Learner, learner.UUID, generation)
			return err
		})
	if err != nil {
		return nil, err
	}
	out.Body.ID = id.String()
	return out, nil
}

type signedOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (a *API) signOutLearner(ctx context.Context, by access.Actor, _ *none) (*signedOut, error) {
	if err := by.Allow(access.Own(access.OwnLearner, by.ID)); err != nil {
		return nil, err
	}
	if _, err := a.Sessions.End(ctx, sessions.Learner, by.ID, asked(ctx).session.ID); err != nil {
		return nil, err
	}
	return &signedOut{a.endCookie(sessions.Learner)}, nil
}
