package httpapi

import (
	"context"
	"net/http"

	"zurnals/commands"
	"zurnals/domain/access"
)

// correctionRoutes are for the support of the platform, which alone corrects a
// personal code that a form or a file had wrong (EMU-097). A wrong address it
// corrects as administrators do: see emailRoutes.
func (a *API) correctionRoutes() {
	const tag = "users"
	const about = "The reason is told to the auditors, and the person is told by a letter. All sessions end, and e-paraksts is disconnected: it vouched for the wrong code."
	handle(a, route{
		id: "correct-personal-code", method: "PUT", path: "/schools/{school}/users/{account}/personal-code", tag: tag, permission: access.CorrectCode, status: http.StatusNoContent, limit: limitMail,
		summary: "Correct the personal code of a user", about: about,
	}, func(ctx context.Context, by access.Actor, in *schoolCodeIn) (*none, error) {
		place, err := a.school(ctx, in.School)
		return a.correctCode(ctx, by, place, err, in.Account, in.Body)
	})
	handle(a, route{
		id: "correct-municipality-code", method: "PUT", path: "/municipalities/{municipality}/users/{account}/personal-code", tag: tag, permission: access.CorrectCode, status: http.StatusNoContent, limit: limitMail,
		summary: "Correct the personal code of a user of a municipality", about: about,
	}, func(ctx context.Context, by access.Actor, in *municipalityCodeIn) (*none, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.correctCode(ctx, by, place, err, in.Account, in.Body)
	})
}

type (
	codeCorrection struct {
		PersonalCode string `json:"personal_code" maxLength:"20" doc:"eleven digits, with or without hyphen"`
		Reason       string `json:"reason" maxLength:"500" doc:"told to the auditors"`
	}
	schoolCodeIn struct {
		School  string `path:"school" maxLength:"36"`
		Account string `path:"account" maxLength:"36"`
		Body    codeCorrection
	}
	municipalityCodeIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Account      string `path:"account" maxLength:"36"`
		Body         codeCorrection
	}
)

func (a *API) correctCode(ctx context.Context, by access.Actor, place access.Scope, err error, id string, in codeCorrection) (*none, error) {
	account, err := accountAt(id, err)
	if err != nil {
		return nil, err
	}
	return nil, a.Commands.CorrectPersonalCode(ctx, by, commands.CorrectPersonalCode{
		Place: place, Account: account, PersonalCode: in.PersonalCode, Reason: in.Reason,
	})
}
