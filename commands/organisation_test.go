package commands_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
)

func TestOrganisationIsBuilt(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	_, err := w.CreateClass(t.Context(), admin, commands.CreateClass{School: w.school, Year: w.year, Name: "6. B"})
	w.must(err)

	school, err := w.School(t.Context(), admin, w.school)
	if err != nil || school.Name() != "Parauga vidusskola" || len(school.Years()) != 1 || school.Years()[0].Name != "2025-2026" {
		t.Errorf("%+v, %v", school, err)
	}
	class, err := w.Class(t.Context(), admin, w.class)
	if err != nil || class.Name() != "6.a" || class.Year() != w.year {
		t.Errorf("%+v, %v", class, err)
	}
	if scope, err := w.ClassScope(t.Context(), w.class); err != nil || scope != (access.Scope{Municipality: w.municipality, School: w.school, Class: w.class}) {
		t.Errorf("%+v, %v", scope, err)
	}

	// The same year asked for again is the same year.
	again, err := w.OpenSchoolYear(t.Context(), admin, commands.OpenSchoolYear{School: w.school, From: "2025-09-01", To: "2026-08-31"})
	if err != nil || again != w.year {
		t.Error(again, err)
	}

	// Other schools are not there, and schools are not hers to make.
	w.refused(access.ErrElsewhere, func() error { return failure(w.School(t.Context(), admin, w.other)) })
	w.refused(access.ErrElsewhere, func() error { return failure(w.School(t.Context(), admin, domain.NewID[domain.SchoolID]())) })
	w.refused(access.ErrElsewhere, func() error {
		return failure(w.CreateClass(t.Context(), admin, commands.CreateClass{School: w.other, Year: w.year, Name: "1.a"}))
	})
	w.refused(organisation.ErrNoYear, func() error { // of another school
		return failure(w.CreateClass(t.Context(), operator, commands.CreateClass{School: w.other, Year: w.year, Name: "1.a"}))
	})
	w.refused(access.ErrForbidden, func() error {
		return failure(w.RegisterSchool(t.Context(), admin, commands.RegisterSchool{Municipality: w.municipality, Name: "Mana skola"}))
	})
	w.refused(access.ErrElsewhere, func() error {
		return failure(w.RegisterSchool(t.Context(), operator, commands.RegisterSchool{Municipality: domain.NewID[domain.MunicipalityID](), Name: "Skola"}))
	})
}

// However its name is written and whoever makes it, a class is there once.
func TestOneClassOfAName(t *testing.T) {
	w := newStaffWorld(t)
	var wg sync.WaitGroup
	var taken atomic.Int64
	for i := range 20 {
		name := []string{"7.c", "7.C", "7. c"}[i%3]
		wg.Go(func() {
			_, err := w.CreateClass(t.Context(), operator, commands.CreateClass{School: w.school, Year: w.year, Name: name})
			if errors.Is(err, organisation.ErrClassTaken) {
				taken.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.happened("organisation.class_created"); n != 2 || taken.Load() != 19 {
		t.Errorf("%d classes, %d refused", n, taken.Load())
	}
}

func TestNamesAndSourcesAreTakenOnce(t *testing.T) {
	w := newStaffWorld(t)
	w.refused(commands.ErrMunicipalityTaken, func() error {
		return failure(w.RegisterMunicipality(t.Context(), operator, commands.RegisterMunicipality{Name: "PARAUGA  novads"}))
	})
	register := commands.RegisterSchool{Municipality: w.municipality, Name: "Jaunā skola", Source: "org-skola"}
	_, err := w.RegisterSchool(t.Context(), operator, register)
	w.must(err)
	w.refused(organisation.ErrSourceTaken, func() error { return failure(w.RegisterSchool(t.Context(), operator, register)) })
	w.refused(organisation.ErrYearOverlap, func() error {
		return failure(w.OpenSchoolYear(t.Context(), operator, commands.OpenSchoolYear{School: w.school, From: "2026-08-31", To: "2027-05-31"}))
	})
	w.refused(domain.ErrDate, func() error {
		return failure(w.OpenSchoolYear(t.Context(), operator, commands.OpenSchoolYear{School: w.school, From: "2026-08-31", To: "31.05.2027"}))
	})
}
