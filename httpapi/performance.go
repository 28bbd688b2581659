package httpapi

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/performance"
)

// performanceRoutes are for how pupils do: grades and absences of the e-journal
// and results of exams, each role through its own lens. Absences from the
// e-journal are told apart from the marks of attendance (C-15), and say whose
// they are.
func (a *API) performanceRoutes() {
	const tag = "performance"
	handle(a, route{
		id: "list-performance", method: "GET", path: "/schools/{school}/performance", tag: tag, permission: access.SeeGrades,
		summary: "Grades and absences of pupils, in short (Skolēnu sekmes)",
		about:   "As the e-journal has them, in the order of the Latvian alphabet. A class teacher sees the own class in its school year.",
	}, a.listPerformance)
	handle(a, route{
		id: "get-student-performance", method: "GET", path: "/schools/{school}/students/{student}/performance", tag: tag, permission: access.SeeGrades,
		summary: "Grades of one pupil by subject and term, and absences", about: "For support staff; a class teacher sees the pupils of the own class in its school year.",
	}, a.studentPerformance)
	handle(a, route{
		id: "list-student-exam-results", method: "GET", path: "/schools/{school}/students/{student}/exam-results", tag: tag, permission: access.SeeExamResults,
		summary: "How one pupil did in exams, the latest first",
	}, a.studentExamResults)
	handle(a, route{
		id: "get-school-performance", method: "GET", path: "/schools/{school}/performance-summary", tag: tag, permission: access.SeeSchoolOverview,
		summary: "How all classes of a school do, by subject, and in exams", about: "No pupil is named. What is about fewer than five pupils is suppressed.",
	}, a.schoolPerformance)
	handle(a, route{
		id: "get-municipality-performance", method: "GET", path: "/municipalities/{municipality}/performance-summary", tag: tag, permission: access.SeeMunicipalityOverview,
		summary: "How the schools of a municipality do, beside each other, also in exams", about: "By school only. What is about fewer than five pupils is suppressed.",
	}, a.municipalityPerformance)
}

type (
	// InYear asks about a school year.
	InYear struct {
		Year string `query:"school_year" maxLength:"36" doc:"its id; the one that has begun last if absent, and of a class the one that it is of"`
	}

	listPerformanceIn struct {
		School string `path:"school" maxLength:"36"`
		Class  string `query:"class" maxLength:"36" doc:"only pupils of this class"`
		InYear
		Page
	}

	studentPerformanceIn struct {
		School  string `path:"school" maxLength:"36"`
		Student string `path:"student" maxLength:"36"`
		InYear
	}
	studentPerformanceOut struct{ Body performance.Performance }

	studentExamResultsOut struct {
		Body struct {
			Items []performance.Result `json:"items" nullable:"false"`
		}
	}

	schoolPerformanceIn struct {
		School string `path:"school" maxLength:"36"`
		InYear
	}
	schoolPerformanceOut struct{ Body performance.School }

	municipalityPerformanceOut struct {
		Body struct {
			Items []performance.Institution `json:"items" nullable:"false"`
		}
	}
)

// inYear returns what is asked about.
func (a *API) inYear(in InYear) (ask performance.Asked, err error) {
	if ask.Today = a.Commands.Today(); in.Year != "" {
		ask.Year, err = domain.ParseID[domain.SchoolYearID](in.Year)
	}
	return ask, err
}

func (a *API) listPerformance(ctx context.Context, by access.Actor, in *listPerformanceIn) (*list[performance.Pupil], error) {
	place, err := a.school(ctx, in.School)
	if err == nil && in.Class != "" {
		place, err = a.classOf(ctx, place, in.Class)
	}
	if err != nil {
		return nil, err
	}
	ask, err := a.inYear(in.InYear)
	if err != nil {
		return nil, err
	}
	items, next, err := performance.Pupils(ctx, a.Views, by, within(by, place), ask, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

func (a *API) studentPerformance(ctx context.Context, by access.Actor, in *studentPerformanceIn) (*studentPerformanceOut, error) {
	place, student, err := a.student(ctx, in.School, in.Student)
	if err != nil {
		return nil, err
	}
	ask, err := a.inYear(in.InYear)
	if err != nil {
		return nil, err
	}
	out, err := performance.Of(ctx, a.Views, by, within(by, place), student, ask)
	return &studentPerformanceOut{out}, err
}

func (a *API) studentExamResults(ctx context.Context, by access.Actor, in *studentIn) (*studentExamResultsOut, error) {
	place, student, err := a.student(ctx, in.School, in.Student)
	if err != nil {
		return nil, err
	}
	out := new(studentExamResultsOut)
	out.Body.Items, err = performance.Results(ctx, a.Views, by, place, student)
	return out, err
}

func (a *API) schoolPerformance(ctx context.Context, by access.Actor, in *schoolPerformanceIn) (*schoolPerformanceOut, error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	ask, err := a.inYear(in.InYear)
	if err != nil {
		return nil, err
	}
	out, err := performance.OfSchool(ctx, a.Views, by, place, ask)
	return &schoolPerformanceOut{out}, err
}

func (a *API) municipalityPerformance(ctx context.Context, by access.Actor, in *municipalityIn) (*municipalityPerformanceOut, error) {
	place, err := a.municipality(ctx, in.Municipality)
	if err != nil {
		return nil, err
	}
	out := new(municipalityPerformanceOut)
	out.Body.Items, err = performance.OfMunicipality(ctx, a.Views, by, place, performance.Asked{Today: a.Commands.Today()})
	return out, err
}
