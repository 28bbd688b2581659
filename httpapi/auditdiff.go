package httpapi

import (
	"context"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
)

type (
	auditDiffIn struct {
		Account string `path:"account" maxLength:"36"`
		From    string `query:"from" required:"true" maxLength:"40" doc:"a position of the log, a time (2025-09-01T08:40:00Z) or the end of a day (2025-09-01)"`
		Until   string `query:"until" maxLength:"40" doc:"the same; now if absent"`
	}
	auditDiffOut struct {
		Body struct {
			From     int64           `json:"from" doc:"position of the log"`
			Until    int64           `json:"until"`
			Changes  []historyChange `json:"changes" nullable:"false" doc:"of the account itself"`
			Withheld bool            `json:"withheld,omitempty" doc:"what changed in the account itself is not told: the person works at places that the asker may not read of"`
			Given    []roleHeld      `json:"roles_given" nullable:"false"`
			Taken    []roleHeld      `json:"roles_taken" nullable:"false"`
			Joined   []workplace     `json:"workplaces_joined" nullable:"false"`
			Left     []workplace     `json:"workplaces_left" nullable:"false"`
			Erased   bool            `json:"erased,omitempty" doc:"data of the person is missing, because it was erased"`
		}
	}
	workplace struct {
		Municipality domain.MunicipalityID `json:"municipality_id,omitzero"`
		School       domain.SchoolID       `json:"school_id,omitzero"`
	}
)

func (a *API) auditDiff(ctx context.Context, by access.Actor, in *auditDiffIn) (*auditDiffOut, error) {
	account, err := domain.ParseID[domain.AccountID](in.Account)
	if err != nil {
		return nil, access.ErrElsewhere
	}
	from, err := commands.ParseAsOf(in.From)
	if err != nil {
		return nil, commands.ErrAsOf.In("query.from")
	}
	until, err := commands.ParseAsOf(in.Until)
	if err != nil {
		return nil, commands.ErrAsOf.In("query.until")
	}
	d, err := a.Commands.AccountDiff(ctx, by, account, from, until)
	if err != nil {
		return nil, err
	}
	out := new(auditDiffOut)
	b := &out.Body
	b.From, b.Until, b.Withheld, b.Erased = d.From, d.Until, d.Withheld, d.Erased
	b.Changes, b.Given, b.Taken = []historyChange{}, rolesHeld(d.Given), rolesHeld(d.Taken)
	for _, c := range d.Changes {
		b.Changes = append(b.Changes, historyChange(c))
	}
	b.Joined, b.Left = workplaces(d.Joined), workplaces(d.Left)
	return out, nil
}

func rolesHeld(roles []access.Assignment) []roleHeld {
	all := []roleHeld{}
	for _, r := range roles {
		s := r.Scope
		all = append(all, roleHeld{r.ID, r.Role, s.Municipality, s.School, s.Class, s.Register})
	}
	return all
}

func workplaces(places []access.Scope) []workplace {
	all := []workplace{}
	for _, p := range places {
		all = append(all, workplace{p.Municipality, p.School})
	}
	return all
}
