package organisation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	org "zurnals/domain/organisation"
	"zurnals/projections"
	"zurnals/projections/organisation"
	"zurnals/projections/projectiontest"
)

var (
	parauga = domain.MunicipalityID{UUID: uuid.UUID{1}}
	cesu    = domain.MunicipalityID{UUID: uuid.UUID{2}}
	first   = domain.SchoolID{UUID: uuid.UUID{3}}
	second  = domain.SchoolID{UUID: uuid.UUID{4}}
	third   = domain.SchoolID{UUID: uuid.UUID{5}}
)

func story() []projections.Event {
	return projectiontest.Events(
		org.MunicipalityRegistered{Municipality: parauga, Name: "Parauga novads"},
		org.MunicipalityRegistered{Municipality: cesu, Name: "Cēsu novads"},
		org.SchoolRegistered{School: first, Municipality: parauga, Name: "Šķeltovas skola", Source: "s1"},
		org.SchoolRegistered{School: second, Municipality: parauga, Name: "Parauga vidusskola"},
		org.SchoolRegistered{School: third, Municipality: cesu, Name: "Cēsu skola"},
	)
}

func TestRebuild(t *testing.T) { projectiontest.Rebuild(t, organisation.Projection, story()...) }

func TestSchoolsOfAMunicipality(t *testing.T) {
	db := projectiontest.Given(t, story(), organisation.Projection)
	platform := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.PlatformAdmin}}
	here := access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.MunicipalityAdmin, Scope: access.Scope{Municipality: parauga}}}
	schools := func(by access.Actor, m domain.MunicipalityID, page projections.Page) (string, string, error) {
		all, next, err := organisation.Schools(t.Context(), db, by, access.Scope{Municipality: m}, page)
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return strings.Join(names, ", "), next, err
	}
	if got, _, err := schools(here, parauga, projections.Page{}); err != nil || got != "Parauga vidusskola, Šķeltovas skola" {
		t.Errorf("%s %v", got, err)
	}
	got, next, err := schools(here, parauga, projections.Page{Limit: 1})
	if err != nil || got != "Parauga vidusskola" {
		t.Errorf("%s %v", got, err)
	}
	if got, next, err := schools(here, parauga, projections.Page{Limit: 1, Cursor: next}); err != nil || got != "Šķeltovas skola" || next != "" {
		t.Errorf("%s %v %s", got, err, next)
	}
	if got, _, err := schools(platform, parauga, projections.Page{Search: "skeltovas"}); err != nil || got != "Šķeltovas skola" {
		t.Errorf("%s %v", got, err)
	}
	if _, _, err := schools(here, cesu, projections.Page{}); !errors.Is(err, access.ErrElsewhere) {
		t.Error(err)
	}
	if _, _, err := schools(here, parauga, projections.Page{Cursor: "WyIxIiwiMiJd"}); !errors.Is(err, projections.ErrCursor) {
		t.Error(err)
	}
	for by, want := range map[*access.Actor]int{&platform: 2, &here: 1} {
		all, _, err := organisation.Municipalities(t.Context(), db, *by, access.Scope{Municipality: by.Active.Scope.Municipality}, projections.Page{})
		if err != nil || len(all) != want {
			t.Errorf("%v %+v", err, all)
		}
	}
}
