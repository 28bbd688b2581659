package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/projections/organisation"
)

// organisationRoutes are for municipalities, schools, school years and classes.
func (a *API) organisationRoutes() {
	const tag = "organisation"
	handle(a, route{
		id: "register-municipality", method: "POST", path: "/municipalities", tag: tag, permission: access.ManageMunicipality, status: http.StatusCreated,
		summary: "Make a municipality known",
	}, a.registerMunicipality)
	handle(a, route{
		id: "list-municipalities", method: "GET", path: "/municipalities", tag: tag, permission: access.SeeMunicipality,
		summary: "Municipalities, in the order of the Latvian alphabet", about: "A role held in a municipality sees that one.",
	}, a.listMunicipalities)
	handle(a, route{
		id: "get-municipality", method: "GET", path: "/municipalities/{municipality}", tag: tag, permission: access.SeeMunicipality,
		summary: "One municipality",
	}, a.getMunicipality)
	handle(a, route{
		id: "register-school", method: "POST", path: "/municipalities/{municipality}/schools", tag: tag, permission: access.ManageSchools, status: http.StatusCreated,
		summary: "Make a school of a municipality known",
	}, a.registerSchool)
	handle(a, route{
		id: "list-schools", method: "GET", path: "/municipalities/{municipality}/schools", tag: tag, permission: access.SeeMunicipality,
		summary: "Schools of a municipality, in the order of the Latvian alphabet",
	}, a.listSchools)
	handle(a, route{
		id: "get-school", method: "GET", path: "/schools/{school}", tag: tag, permission: access.SeeSchool,
		summary: "One school with its school years, the newest first",
	}, a.getSchool)
	handle(a, route{
		id: "open-school-year", method: "POST", path: "/schools/{school}/school-years", tag: tag, permission: access.ManageClasses, status: http.StatusCreated,
		summary: "Give a school a school year", about: "One with the same days is answered again.",
	}, a.openSchoolYear)
	handle(a, route{
		id: "create-class", method: "POST", path: "/schools/{school}/classes", tag: tag, permission: access.ManageClasses, status: http.StatusCreated,
		summary: "Make a class by hand", about: "“1.A” and “1. a” are 1.a. A name that the school year has already is refused.",
	}, a.createClass)
}

type registerMunicipalityIn struct {
	Body struct {
		Name string `json:"name" maxLength:"200"`
	}
}

func (a *API) registerMunicipality(ctx context.Context, by access.Actor, in *registerMunicipalityIn) (*made, error) {
	id, err := a.Commands.RegisterMunicipality(ctx, by, commands.RegisterMunicipality{Name: in.Body.Name})
	if err != nil {
		return nil, err
	}
	return madeAt("/municipalities", id), nil
}

type listMunicipalitiesIn struct{ Page }

func (a *API) listMunicipalities(ctx context.Context, by access.Actor, in *listMunicipalitiesIn) (*list[organisation.Municipality], error) {
	place := access.Scope{Municipality: by.Active.Scope.Municipality}
	all, next, err := organisation.Municipalities(ctx, a.Views, by, place, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(all, next), nil
}

type municipalityIn struct {
	Municipality string `path:"municipality" maxLength:"36"`
}

type municipalityOut struct{ Body organisation.Municipality }

func (a *API) getMunicipality(ctx context.Context, by access.Actor, in *municipalityIn) (*municipalityOut, error) {
	id, err := domain.ParseID[domain.MunicipalityID](in.Municipality)
	if err != nil {
		return nil, err
	}
	m, err := a.Commands.Municipality(ctx, by, id)
	if err != nil {
		return nil, err
	}
	return &municipalityOut{organisation.Municipality{ID: id, Name: m.Name()}}, nil
}

type registerSchoolIn struct {
	Municipality string `path:"municipality" maxLength:"36"`
	Body         struct {
		Name   string `json:"name" maxLength:"200"`
		Source string `json:"source_id,omitempty" maxLength:"200" doc:"sourcedId of its org in the roster"`
	}
}

func (a *API) registerSchool(ctx context.Context, by access.Actor, in *registerSchoolIn) (*made, error) {
	municipality, err := domain.ParseID[domain.MunicipalityID](in.Municipality)
	if err != nil {
		return nil, err
	}
	id, err := a.Commands.RegisterSchool(ctx, by, commands.RegisterSchool{Municipality: municipality, Name: in.Body.Name, Source: in.Body.Source})
	if err != nil {
		return nil, err
	}
	return madeAt("/schools", id), nil
}

type listSchoolsIn struct {
	Municipality string `path:"municipality" maxLength:"36"`
	Page
}

func (a *API) listSchools(ctx context.Context, by access.Actor, in *listSchoolsIn) (*list[organisation.School], error) {
	place, err := a.municipality(ctx, in.Municipality)
	if err != nil {
		return nil, err
	}
	all, next, err := organisation.Schools(ctx, a.Views, by, place, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(all, next), nil
}

// municipality returns the place that a municipality in a path is.
func (a *API) municipality(ctx context.Context, id string) (access.Scope, error) {
	municipality, err := domain.ParseID[domain.MunicipalityID](id)
	if err != nil {
		return access.Scope{}, err
	}
	return a.Commands.MunicipalityScope(ctx, municipality)
}

type schoolIn struct {
	School string `path:"school" maxLength:"36"`
}

type schoolYear struct {
	ID   domain.SchoolYearID `json:"id"`
	Name string              `json:"name"`
	From domain.Date         `json:"from" format:"date"`
	To   domain.Date         `json:"to" format:"date" doc:"the last day"`
}

type schoolOut struct {
	Body struct {
		organisation.School
		Years []schoolYear `json:"school_years"`
	}
}

func (a *API) getSchool(ctx context.Context, by access.Actor, in *schoolIn) (*schoolOut, error) {
	id, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	school, err := a.Commands.School(ctx, by, id)
	if err != nil {
		return nil, err
	}
	out := new(schoolOut)
	out.Body.School = organisation.School{ID: id, Name: school.Name(), Municipality: school.Municipality(), Source: school.Source()}
	out.Body.Years = []schoolYear{}
	for _, y := range school.Years() {
		out.Body.Years = append(out.Body.Years, schoolYear(y))
	}
	slices.SortFunc(out.Body.Years, func(x, y schoolYear) int { return cmp.Compare(y.From, x.From) })
	return out, nil
}

type openSchoolYearIn struct {
	School string `path:"school" maxLength:"36"`
	Body   struct {
		From string `json:"from" format:"date"`
		To   string `json:"to" format:"date" doc:"the last day"`
	}
}

func (a *API) openSchoolYear(ctx context.Context, by access.Actor, in *openSchoolYearIn) (*made, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	id, err := a.Commands.OpenSchoolYear(ctx, by, commands.OpenSchoolYear{School: school, From: domain.Date(in.Body.From), To: domain.Date(in.Body.To)})
	if err != nil {
		return nil, err
	}
	m := madeAt("/schools", school) // which tells its school years
	m.Body.ID = id.String()
	return m, nil
}

type createClassIn struct {
	School string `path:"school" maxLength:"36"`
	Body   struct {
		Year string `json:"school_year_id" format:"uuid"`
		Name string `json:"name" maxLength:"30" doc:"such as 6.a"`
	}
}

func (a *API) createClass(ctx context.Context, by access.Actor, in *createClassIn) (*made, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	year, err := domain.ParseID[domain.SchoolYearID](in.Body.Year)
	if err != nil {
		return nil, err
	}
	id, err := a.Commands.CreateClass(ctx, by, commands.CreateClass{School: school, Year: year, Name: in.Body.Name})
	if err != nil {
		return nil, err
	}
	m := madeAt("/schools", school) // which has the list of them
	m.Location += "/classes"
	m.Body.ID = id.String()
	return m, nil
}
