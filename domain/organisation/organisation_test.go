package organisation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/domaintest"
	"zurnals/domain/organisation"
	"zurnals/internal/trace"
)

var (
	givenMunicipality = domaintest.Given(organisation.Municipalities)
	givenSchool       = domaintest.Given(organisation.Schools)
	givenClass        = domaintest.Given(organisation.Classes)

	parauga = domain.NewID[domain.MunicipalityID]()
	school  = domain.NewID[domain.SchoolID]()
	other   = domain.NewID[domain.SchoolID]()
	year    = domain.NewID[domain.SchoolYearID]()
	class   = domain.NewID[domain.ClassID]()

	registered = organisation.SchoolRegistered{School: school, Municipality: parauga, Name: "Parauga vidusskola", Source: "org-skola"}
	opened     = organisation.SchoolYearOpened{School: school, Year: year, Name: "2025-2026", From: "2025-09-01", To: "2026-08-31"}
	created    = organisation.ClassCreated{
		Class: class, School: school, Municipality: parauga, Year: year, Name: "6.a", Grade: 6, Origin: organisation.ByAdmin,
	}
)

func TestMunicipalityIsRegistered(t *testing.T) {
	register := organisation.RegisterMunicipality{Municipality: parauga, Name: "  Parauga   novads "}
	happened := organisation.MunicipalityRegistered{Municipality: parauga, Name: "Parauga novads"}
	givenMunicipality().When(register).Then(t, happened)
	givenMunicipality(happened).When(register).Then(t) // asked twice

	for name, want := range map[string]error{
		"":                       domain.ErrTextMissing,
		strings.Repeat("a", 201): domain.ErrTextLong,
		"Rīga\r\nBcc: x@y.lv":    domain.ErrTextCharacters,
	} {
		register.Name = name
		givenMunicipality().When(register).ThenRefused(t, want, "name")
	}
	register.Name = strings.Repeat("ā", 200)
	givenMunicipality().When(register).Then(t, organisation.MunicipalityRegistered{Municipality: parauga, Name: register.Name})
}

func TestSchoolIsRegistered(t *testing.T) {
	register := organisation.RegisterSchool{School: school, Municipality: parauga, Name: "Parauga vidusskola", Source: "org-skola"}
	givenSchool().When(register).Then(t, registered)
	givenSchool(registered).When(register).Then(t) // asked twice

	register.Name, register.Source = "", strings.Repeat("x", 201)
	givenSchool().When(register).ThenRefused(t, domain.ErrFields, "name", "source_id")

	if claims := registered.Claims(); !slices.Equal(claims, []domain.Claim{organisation.SchoolSource("org-skola")}) {
		t.Error(claims)
	}
	if claims := (organisation.SchoolRegistered{School: school}).Claims(); claims != nil {
		t.Errorf("a school without roster claims %v", claims)
	}
}

func TestSchoolYearIsOpened(t *testing.T) {
	open := func(from, to domain.Date) organisation.OpenSchoolYear {
		return organisation.OpenSchoolYear{School: school, Year: year, From: from, To: to}
	}
	givenSchool(registered).When(open("2025-09-01", "2026-08-31")).Then(t, opened)
	givenSchool(registered, opened).When(open("2025-09-01", "2026-08-31")).Then(t) // asked twice
	givenSchool().When(open("2025-09-01", "2026-08-31")).ThenRefused(t, organisation.ErrNoSchool)

	// The days before and after are free, those at the ends are not.
	before, after := opened, opened
	before.From, before.To, before.Name = "2024-09-01", "2025-08-31", "2024-2025"
	after.From, after.To, after.Name = "2026-09-01", "2026-12-31", "2026"
	givenSchool(registered, opened).When(open(before.From, before.To)).Then(t, before)
	givenSchool(registered, opened).When(open(after.From, after.To)).Then(t, after)
	givenSchool(registered, opened).When(open("2024-09-01", "2025-09-01")).ThenRefused(t, organisation.ErrYearOverlap)
	givenSchool(registered, opened).When(open("2026-08-31", "2027-06-30")).ThenRefused(t, organisation.ErrYearOverlap)

	// A year lasts from 2 to 400 days, the first and the last counted.
	givenSchool(registered).When(open("2025-09-01", "2025-09-01")).ThenRefused(t, organisation.ErrYear, "to")
	givenSchool(registered).When(open("2025-09-02", "2025-09-01")).ThenRefused(t, organisation.ErrYear, "to")
	givenSchool(registered).When(open("2025-01-01", "2026-02-05")).ThenRefused(t, organisation.ErrYear, "to")
	longest := opened
	longest.From, longest.To = "2025-01-01", "2026-02-04"
	givenSchool(registered).When(open("2025-01-01", "2026-02-04")).Then(t, longest)
	givenSchool(registered).When(open("1. septembris", "2026-02-30")).ThenRefused(t, domain.ErrFields, "from", "to")

	state := organisation.Schools.Fold([]organisation.SchoolEvent{registered, opened})
	for day, want := range map[domain.Date]bool{"2025-08-31": false, "2025-09-01": true, "2026-08-31": true, "2026-09-01": false} {
		if _, ok := state.YearOn(day); ok != want {
			t.Errorf("%s is in the year: %v", day, ok)
		}
	}
}

func TestClassIsCreated(t *testing.T) {
	create := organisation.CreateClass{
		Class: class, School: school, Municipality: parauga, Year: year, Name: "6. A", Origin: organisation.ByAdmin,
	}
	givenClass().When(create).Then(t, created)
	givenClass(created).When(create).Then(t) // asked twice

	create.Name = "13.a"
	givenClass().When(create).ThenRefused(t, organisation.ErrClassName, "name")

	// However the name is written, and whoever made it, the claim is the same (C-08).
	synced := created
	synced.Origin, synced.Source = organisation.BySync, "kl-6a"
	if a, b := created.Claims()[0], synced.Claims()[0]; a != b {
		t.Errorf("%v is not %v", a, b)
	}
}

func TestRosterAdoptsClass(t *testing.T) {
	adopt := organisation.AdoptClass{Class: class, School: school, Source: "kl-6a"}
	adopted := organisation.ClassAdopted{Class: class, School: school, Year: year, Source: "kl-6a"}
	givenClass(created).When(adopt).Then(t, adopted)
	givenClass(created, adopted).When(adopt).Then(t) // asked twice
	givenClass().When(adopt).ThenRefused(t, organisation.ErrNoClass)

	another := adopt
	another.Source = "kl-6a-2"
	givenClass(created, adopted).When(another).ThenRefused(t, organisation.ErrClassTaken)

	elsewhere := adopt
	elsewhere.School = other
	givenClass(created).When(elsewhere).ThenRefused(t, organisation.ErrNoClass)
}

func TestClassNames(t *testing.T) {
	trace.Covers(t, "R21")
	for in, want := range map[string]string{
		"1.a": "1.a", "1.A": "1.a", "1. a": "1.a", "1.ā": "1.ā", "1.Ā": "1.ā", "12.c": "12.c", " 6 . b ": "6.b",
		"10.DIT1": "10.dit1", "6.": "6.", "Zīlēni": "Zīlēni", "1.a\u0304": "1.ā",
	} {
		if got, _, err := organisation.ParseClassName(in); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"13.a", "0.a", "01.a", "6a", "6.-", "6.7", "6.a;", "99999999999999999999.a", "1.a.b"} {
		if got, _, err := organisation.ParseClassName(in); !errors.Is(err, organisation.ErrClassName) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func FuzzClassName(f *testing.F) {
	for _, s := range []string{"1.a", "1. Ā", "13.a", "0.a", "Zīlēni", "1.İ", "7.a-1 b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, grade, err := organisation.ParseClassName(s)
		if err != nil {
			return
		}
		if again, g, err := organisation.ParseClassName(name); again != name || g != grade || err != nil {
			t.Errorf("%q: %q, and that again %q, %v", s, name, again, err)
		}
	})
}
