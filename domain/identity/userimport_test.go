package identity_test

import (
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/identity"
)

func TestUsersAreLoadedRowByRow(t *testing.T) {
	given := domaintest.Given(identity.UserImports)
	id, school, other := domain.NewID[domain.UserImportID](), domain.NewID[domain.SchoolID](), domain.NewID[domain.SchoolID]()
	town := domain.NewID[domain.MunicipalityID]()
	start := identity.StartUserImport{Import: id, Municipality: town, School: school, File: "sum", Rows: 30}
	started := identity.UserImportStarted{Import: id, Municipality: town, School: school, File: "sum", Rows: 30}
	take := func(school domain.SchoolID, from, rows int) identity.TakeUserRows {
		return identity.TakeUserRows{Import: id, Municipality: town, School: school, From: from, Rows: rows, UserCounts: identity.UserCounts{Invited: rows}}
	}
	taken := func(rows int) identity.UserRowsTaken {
		return identity.UserRowsTaken{Import: id, School: school, Rows: rows, UserCounts: identity.UserCounts{Invited: rows}}
	}

	given().When(start).Then(t, started)
	given(started).When(start).Then(t) // sent again: it goes on
	start.File = "another"
	given(started).When(start).ThenRefused(t, identity.ErrImportOver)
	start.School = other
	given(started).When(start).ThenRefused(t, identity.ErrNoImport)

	start.School = domain.SchoolID{}
	given(started).When(start).ThenRefused(t, identity.ErrNoImport) // of the municipality itself
	ofTown := identity.UserImportStarted{Import: id, Municipality: town, File: "another", Rows: 30}
	given().When(start).Then(t, ofTown)
	given(ofTown).When(take(domain.SchoolID{}, 0, 30)).Then(t,
		identity.UserRowsTaken{Import: id, Rows: 30, UserCounts: identity.UserCounts{Invited: 30}})
	given(ofTown).When(take(school, 0, 30)).ThenRefused(t, identity.ErrNoImport)

	given(started).When(take(school, 0, 20)).Then(t, taken(20))
	given(started, taken(20)).When(take(school, 20, 10)).Then(t, taken(10))
	given(started, taken(20)).When(take(school, 20, 11)).ThenRefused(t, identity.ErrImportOver) // more than there are
	given(started, taken(20)).When(take(school, 20, 0)).ThenRefused(t, identity.ErrImportOver)
	given(started, taken(20)).When(take(school, 0, 20)).ThenRefused(t, identity.ErrImportOver) // somebody else has
	given(started, taken(20)).When(take(other, 20, 10)).ThenRefused(t, identity.ErrNoImport)
	given().When(take(school, 0, 1)).ThenRefused(t, identity.ErrNoImport)

	for history, completed := range map[int]bool{29: false, 30: true} {
		if got := identity.UserImports.Fold([]identity.UserImportEvent{started, taken(history)}).Completed(); got != completed {
			t.Errorf("%d of 30 rows: completed is %t", history, got)
		}
	}
}
