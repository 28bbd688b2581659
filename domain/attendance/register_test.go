package attendance_test

import (
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/domain/domaintest"
	"zurnals/internal/trace"
)

var givenRegister = domaintest.Given(attendance.Registers)

var (
	register     = domain.NewID[domain.RegisterID]()
	municipality = domain.NewID[domain.MunicipalityID]()
	school       = domain.NewID[domain.SchoolID]()
	class        = domain.NewID[domain.ClassID]()

	open = attendance.OpenRegister{
		Register: register, Municipality: municipality, School: school, Class: class,
		Description: attendance.Description{Name: " Matemātika   6.a "},
	}
	described = attendance.Description{Name: "Matemātika 6.a", GradeType: attendance.GradePoints, GradeMaximum: 100}
	opened    = attendance.RegisterOpened{
		Register: register, Municipality: municipality, School: school, Class: class,
		Description: described, Statuses: attendance.DefaultStatuses(),
	}
)

// TestOpenRegister: a name is needed, the grade type is points, and the four
// statuses are there before the first lesson.
func TestOpenRegister(t *testing.T) {
	trace.Covers(t, "ATT-003", "ATT-004", "ATT-008", "ATT-009")
	givenRegister().When(open).Then(t, opened)
	givenRegister(opened).When(open).Then(t) // asked twice

	with := func(change func(*attendance.Description)) attendance.OpenRegister {
		cmd := open
		change(&cmd.Description)
		return cmd
	}
	name := func(s string) attendance.OpenRegister {
		return with(func(d *attendance.Description) { d.Name = s })
	}
	givenRegister().When(name("")).ThenRefused(t, domain.ErrTextMissing)
	givenRegister().When(name("a\u202eb")).ThenRefused(t, domain.ErrTextCharacters)
	givenRegister().When(name(strings.Repeat("ā", 201))).ThenRefused(t, domain.ErrTextLong)

	longest := opened
	longest.Name = strings.Repeat("ā", 200)
	givenRegister().When(name(longest.Name)).Then(t, longest)

	ungraded := opened
	ungraded.GradeType = attendance.GradeNone
	givenRegister().When(with(func(d *attendance.Description) { d.GradeType = attendance.GradeNone })).Then(t, ungraded)
	givenRegister().When(with(func(d *attendance.Description) { d.GradeType = "marks" })).ThenRefused(t, attendance.ErrGradeType)

	givenRegister().When(with(func(d *attendance.Description) { d.GradeMaximum = 1001 })).ThenRefused(t, attendance.ErrGradeMaximum)
	givenRegister().When(with(func(d *attendance.Description) { d.GradeMaximum = -1 })).ThenRefused(t, attendance.ErrGradeMaximum)
	givenRegister().When(with(func(d *attendance.Description) { d.From = "2025-02-29" })).ThenRefused(t, domain.ErrDate)
	givenRegister().When(with(func(d *attendance.Description) { d.From, d.Until = "2025-09-02", "2025-09-01" })).ThenRefused(t, attendance.ErrPeriod)

	oneDay := opened
	oneDay.From, oneDay.Until = "2025-09-01", "2025-09-01"
	givenRegister().When(with(func(d *attendance.Description) { d.From, d.Until = "2025-09-01", "2025-09-01" })).Then(t, oneDay)

	everything := with(func(d *attendance.Description) { d.Name, d.GradeType = "", "?" })
	givenRegister().When(everything).ThenRefused(t, domain.ErrFields)
}

func TestChangeRegister(t *testing.T) {
	renamed := described
	renamed.Name = "Algebra 6.a"
	change := attendance.ChangeRegister{Register: register, Description: renamed, Version: 1}
	changed := attendance.RegisterChanged{Register: register, School: school, Description: renamed}

	givenRegister(opened).When(change).Then(t, changed)
	givenRegister(opened, changed).When(change).Then(t) // asked twice
	givenRegister().When(change).ThenRefused(t, attendance.ErrNoRegister)

	other := change
	other.Name = "Ģeometrija 6.a"
	givenRegister(opened, changed).When(other).ThenRefused(t, attendance.ErrStale)
	other.Version = 2
	givenRegister(opened, changed).When(other).
		Then(t, attendance.RegisterChanged{Register: register, School: school, Description: other.Description})
}

// TestStatusesHaveVersions: who changes the statuses says which version it
// becomes, so that of two at once the second is told.
func TestStatusesHaveVersions(t *testing.T) {
	trace.Covers(t, "ATT-010", "ATT-011")
	half := []attendance.Status{
		{Acronym: "P", Description: "Piedalās", Points: 150, Self: attendance.Always},
		{Acronym: "L", Description: "Kavēts", Points: 75, Self: 10},
	}
	change := attendance.ChangeStatuses{Register: register, Version: 2, Statuses: half}
	changed := attendance.StatusSetChanged{Register: register, School: school, Version: 2, Statuses: half}

	givenRegister(opened).When(change).Then(t, changed)
	givenRegister(opened, changed).When(change).Then(t) // asked twice
	givenRegister().When(change).ThenRefused(t, attendance.ErrNoRegister)

	another := change
	another.Statuses = half[:1]
	givenRegister(opened, changed).When(another).ThenRefused(t, attendance.ErrSetVersion)
	another.Version = 4
	givenRegister(opened, changed).When(another).ThenRefused(t, attendance.ErrSetVersion)

	for name, c := range map[string]struct {
		status attendance.Status
		want   error
	}{
		"no acronym":      {attendance.Status{Acronym: "", Description: "x"}, domain.ErrTextMissing},
		"a long one":      {attendance.Status{Acronym: "ABCDE", Description: "x"}, domain.ErrTextLong},
		"a formula":       {attendance.Status{Acronym: "=1", Description: "x"}, attendance.ErrAcronym},
		"taken":           {attendance.Status{Acronym: "P", Description: "x"}, attendance.ErrAcronym},
		"no description":  {attendance.Status{Acronym: "X"}, domain.ErrTextMissing},
		"too many points": {attendance.Status{Acronym: "X", Description: "x", Points: 1000_01}, attendance.ErrStatusPoints},
		"too few":         {attendance.Status{Acronym: "X", Description: "x", Points: -1000_01}, attendance.ErrStatusPoints},
		"before always":   {attendance.Status{Acronym: "X", Description: "x", Self: -2}, attendance.ErrStatusSelf},
		"after a day":     {attendance.Status{Acronym: "X", Description: "x", Self: 1441}, attendance.ErrStatusSelf},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := change
			cmd.Statuses = append([]attendance.Status{half[0]}, c.status)
			givenRegister(opened).When(cmd).ThenRefused(t, c.want)
		})
	}
	cmd := change
	cmd.Statuses = nil
	givenRegister(opened).When(cmd).ThenRefused(t, attendance.ErrStatuses)
	cmd.Statuses = make([]attendance.Status, 21)
	givenRegister(opened).When(cmd).ThenRefused(t, attendance.ErrStatuses)
}
