package access

import (
	"fmt"
	"slices"

	"zurnals/domain"
)

// ErrLastAdministrator refuses to leave a school without administrator (S-10).
var ErrLastAdministrator = domain.Refuse(domain.Conflict, "access.last_administrator", "this is the last administrator of the school")

// An AdministratorCommand asks for a change of the administrators of a school.
//
//sumtype:decl
type AdministratorCommand interface{ administratorCommand() }

type (
	// AddAdministrator counts somebody as administrator of a school.
	AddAdministrator struct {
		School  domain.SchoolID
		Account domain.AccountID
	}

	// RemoveAdministrator no longer counts somebody as administrator. Gone says
	// that the account is deleted: then the last one may go too, because the
	// right to be forgotten prevails (S-10).
	RemoveAdministrator struct {
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Account      domain.AccountID
		Gone         bool
	}
)

func (AddAdministrator) administratorCommand()    {}
func (RemoveAdministrator) administratorCommand() {}

// AdministratorList is who the administrators of one school are.
type AdministratorList struct{ accounts []domain.AccountID }

// Accounts returns the administrators in the order in which they became it.
func (l AdministratorList) Accounts() []domain.AccountID { return slices.Clone(l.accounts) }

// Administrators decides for the administrators of schools, one school to a
// stream. It is written together with every grant or removal of the role, in
// one append: that is why two administrators who remove each other at the same
// time cannot both succeed, although each changes another account.
var Administrators = domain.Decider[AdministratorList, AdministratorCommand, AdministratorEvent]{
	Category: "administrators",
	Decide:   AdministratorList.decide,
	Evolve:   AdministratorList.evolve,
}

func (l AdministratorList) decide(cmd AdministratorCommand) ([]AdministratorEvent, error) {
	switch cmd := cmd.(type) {
	case AddAdministrator:
		if slices.Contains(l.accounts, cmd.Account) {
			return nil, nil
		}
		return []AdministratorEvent{AdministratorAdded{School: cmd.School, Account: cmd.Account}}, nil
	case RemoveAdministrator:
		switch {
		case !slices.Contains(l.accounts, cmd.Account):
			return nil, nil
		case len(l.accounts) == 1 && !cmd.Gone:
			return nil, ErrLastAdministrator
		}
		events := []AdministratorEvent{AdministratorRemoved{School: cmd.School, Account: cmd.Account}}
		if len(l.accounts) == 1 {
			events = append(events, AdministratorsGone{Municipality: cmd.Municipality, School: cmd.School})
		}
		return events, nil
	}
	return nil, fmt.Errorf("access: no decision on %T", cmd)
}

func (l AdministratorList) evolve(e AdministratorEvent) AdministratorList {
	switch e := e.(type) {
	case AdministratorAdded:
		l.accounts = append(slices.Clip(l.accounts), e.Account)
	case AdministratorRemoved:
		l.accounts = without(l.accounts, func(a domain.AccountID) bool { return a == e.Account })
	}
	return l
}
