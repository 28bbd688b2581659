package httpapi

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/attendance"
	"zurnals/projections/overview"
)

// overviewRoutes are for looking at attendance from above, each role through
// its own lens (EMU-064 to EMU-073).
func (a *API) overviewRoutes() {
	const tag = "overview"
	handle(a, route{
		id: "get-class-overview", method: "GET", path: "/schools/{school}/classes/{class}/overview", tag: tag, permission: access.SeeAttendance,
		summary: "A class by subject and pupil by pupil", about: "For the class teacher of this class, and for support staff.",
	}, a.classOverview)
	handle(a, route{
		id: "get-student-attendance", method: "GET", path: "/schools/{school}/students/{student}/attendance", tag: tag, permission: access.SeeAttendance,
		summary: "One pupil by subject", about: "For support staff; a class teacher sees the pupils of the own class, and what was in it.",
	}, a.studentAttendance)
	handle(a, route{
		id: "get-school-overview", method: "GET", path: "/schools/{school}/overview", tag: tag, permission: access.SeeSchoolOverview,
		summary: "All classes and subjects of a school", about: "Of the school year that has begun last. No pupil is named.",
	}, a.schoolOverview)
	handle(a, route{
		id: "get-teacher-analysis", method: "GET", path: "/schools/{school}/teacher-analysis", tag: tag, permission: access.SeeTeachers,
		summary: "What the registers of each teacher add up to (Skolotāju analīze)",
	}, a.teacherAnalysis)
	handle(a, route{
		id: "get-municipality-overview", method: "GET", path: "/municipalities/{municipality}/overview", tag: tag, permission: access.SeeMunicipalityOverview,
		summary: "The schools of a municipality beside each other", about: "What is about fewer than five pupils is suppressed.",
	}, a.municipalityOverview)
}

type (
	classOverviewIn struct {
		School string `path:"school" maxLength:"36"`
		Class  string `path:"class" maxLength:"36"`
		PeriodIn
	}
	classOverviewOut struct{ Body overview.Class }

	studentAttendanceOut struct {
		Body struct {
			Registers []attendance.OwnRegister `json:"registers" nullable:"false"`
		}
	}

	schoolOverviewIn struct {
		School string `path:"school" maxLength:"36"`
		PeriodIn
	}
	schoolOverviewOut struct{ Body overview.School }

	teacherAnalysisOut struct {
		Body struct {
			Items []overview.Teacher `json:"items" nullable:"false"`
		}
	}

	municipalityOverviewIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		PeriodIn
	}
	municipalityOverviewOut struct {
		Body struct {
			Items []overview.Institution `json:"items" nullable:"false"`
		}
	}
)

// of returns what an overview adds up.
func (a *API) of(p PeriodIn) overview.Asked {
	return overview.Asked{From: domain.Date(p.From), Until: domain.Date(p.Until), Today: a.Commands.Today(), Now: a.Now()}
}

func (a *API) classOverview(ctx context.Context, by access.Actor, in *classOverviewIn) (*classOverviewOut, error) {
	place, err := a.school(ctx, in.School)
	if err == nil {
		place, err = a.classOf(ctx, place, in.Class)
	}
	if err != nil {
		return nil, err
	}
	class, err := overview.OfClass(ctx, a.Views, by, place, a.of(in.PeriodIn))
	return &classOverviewOut{class}, err
}

func (a *API) studentAttendance(ctx context.Context, by access.Actor, in *studentIn) (*studentAttendanceOut, error) {
	place, student, err := a.student(ctx, in.School, in.Student)
	if err != nil {
		return nil, err
	}
	out := new(studentAttendanceOut)
	out.Body.Registers, err = attendance.OfPupil(ctx, a.Views, by, within(by, place), student)
	return out, err
}

func (a *API) schoolOverview(ctx context.Context, by access.Actor, in *schoolOverviewIn) (*schoolOverviewOut, error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	school, err := overview.OfSchool(ctx, a.Views, by, place, a.of(in.PeriodIn))
	return &schoolOverviewOut{school}, err
}

func (a *API) teacherAnalysis(ctx context.Context, by access.Actor, in *schoolOverviewIn) (*teacherAnalysisOut, error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	out := new(teacherAnalysisOut)
	out.Body.Items, err = overview.Teachers(ctx, a.Views, by, place, a.of(in.PeriodIn))
	return out, err
}

func (a *API) municipalityOverview(ctx context.Context, by access.Actor, in *municipalityOverviewIn) (*municipalityOverviewOut, error) {
	place, err := a.municipality(ctx, in.Municipality)
	if err != nil {
		return nil, err
	}
	out := new(municipalityOverviewOut)
	out.Body.Items, err = overview.OfMunicipality(ctx, a.Views, by, place, a.of(in.PeriodIn))
	return out, err
}
