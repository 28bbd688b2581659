package commands

import (
	"context"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/organisation"
)

// What can be asked of the organisation.
type (
	RegisterMunicipality struct{ Name string }

	RegisterSchool struct {
		Municipality domain.MunicipalityID
		Name         string
		Source       string // sourcedId of its org in the roster; may be empty
	}

	OpenSchoolYear struct {
		School   domain.SchoolID
		From, To domain.Date
	}

	CreateClass struct {
		School domain.SchoolID
		Year   domain.SchoolYearID
		Name   string
	}
)

// ErrMunicipalityTaken refuses a second municipality of one name.
var ErrMunicipalityTaken = domain.Refuse(domain.Conflict, "organisation.municipality_exists", "there is a municipality of this name")

// RegisterMunicipality makes a municipality known.
func (c *Commands) RegisterMunicipality(ctx context.Context, by access.Actor, cmd RegisterMunicipality) (domain.MunicipalityID, error) {
	id := newID[domain.MunicipalityID](by, "municipality")
	err := c.do(ctx, by, access.At(access.ManageMunicipality, access.Scope{}), func(u *unit) error {
		_, err := decide(u, organisation.Municipalities, id,
			organisation.MunicipalityCommand(organisation.RegisterMunicipality{Municipality: id, Name: cmd.Name}))
		return err
	})
	if taken(err, organisation.MunicipalityName("").Kind) {
		err = ErrMunicipalityTaken.In("name")
	}
	return id, err
}

// RegisterSchool makes a school of a municipality known.
func (c *Commands) RegisterSchool(ctx context.Context, by access.Actor, cmd RegisterSchool) (domain.SchoolID, error) {
	id := newID[domain.SchoolID](by, "school")
	place, err := c.MunicipalityScope(ctx, cmd.Municipality)
	if err != nil {
		return id, err
	}
	err = c.do(ctx, by, access.At(access.ManageSchools, place), func(u *unit) error {
		_, err := decide(u, organisation.Schools, id, organisation.SchoolCommand(organisation.RegisterSchool{
			School: id, Municipality: cmd.Municipality, Name: cmd.Name, Source: cmd.Source,
		}))
		return err
	})
	if taken(err, organisation.SchoolSource("").Kind) {
		err = organisation.ErrSourceTaken.In("source_id")
	}
	return id, err
}

// OpenSchoolYear gives a school a school year, and returns the one with these
// days if there is one.
func (c *Commands) OpenSchoolYear(ctx context.Context, by access.Actor, cmd OpenSchoolYear) (domain.SchoolYearID, error) {
	id := newID[domain.SchoolYearID](by, "school year")
	place, err := c.SchoolScope(ctx, cmd.School)
	if err != nil {
		return id, err
	}
	err = c.do(ctx, by, access.At(access.ManageClasses, place), func(u *unit) error {
		id, err = openYear(u, cmd.School, cmd.From, cmd.To)
		return err
	})
	return id, err
}

// openYear returns the school year with these days within a unit, and opens it
// if there is none.
func openYear(u *unit, school domain.SchoolID, from, to domain.Date) (domain.SchoolYearID, error) {
	id := newID[domain.SchoolYearID](u.by, "school year")
	_, err := decide(u, organisation.Schools, school,
		organisation.SchoolCommand(organisation.OpenSchoolYear{School: school, Year: id, From: from, To: to}))
	if err != nil {
		return id, err
	}
	state, err := peek(u, organisation.Schools, school)
	year, _ := state.YearFrom(from, to)
	return year.ID, err
}

// CreateClass makes a class by hand (EMU-071). One of the same name in the same
// school year, whoever made it, is a conflict.
func (c *Commands) CreateClass(ctx context.Context, by access.Actor, cmd CreateClass) (domain.ClassID, error) {
	id := newID[domain.ClassID](by, "class")
	place, err := c.SchoolScope(ctx, cmd.School)
	if err != nil {
		return id, err
	}
	err = c.do(ctx, by, access.At(access.ManageClasses, place), func(u *unit) error {
		school, err := peek(u, organisation.Schools, cmd.School)
		if err != nil {
			return err
		}
		if _, ok := school.Year(cmd.Year); !ok {
			return organisation.ErrNoYear
		}
		_, err = decide(u, organisation.Classes, id, organisation.ClassCommand(organisation.CreateClass{
			Class: id, School: cmd.School, Municipality: place.Municipality, Year: cmd.Year,
			Name: cmd.Name, Origin: organisation.ByAdmin,
		}))
		return err
	})
	if taken(err, classClaim) {
		err = organisation.ErrClassTaken.In("name")
	}
	return id, err
}

// inYear refuses what a class teacher would change in a class whose school year
// is over. The role stays until it is taken, but only for reading (S-12).
func inYear(u *unit) error {
	if u.by.Active.Role != access.ClassTeacher {
		return nil
	}
	class, err := peek(u, organisation.Classes, u.by.Active.Scope.Class)
	if err != nil {
		return err
	}
	school, err := peek(u, organisation.Schools, class.School())
	if err != nil {
		return err
	}
	if year, ok := school.Year(class.Year()); ok && attendance.Day(u.at) > year.To {
		return organisation.ErrYearOver
	}
	return nil
}

// classClaim is the kind of claim to the name of a class.
var classClaim = organisation.ClassKey(domain.SchoolID{}, domain.SchoolYearID{}, "").Kind

// Municipality returns what is known of a municipality.
func (c *Commands) Municipality(ctx context.Context, by access.Actor, id domain.MunicipalityID) (organisation.Municipality, error) {
	place, err := c.MunicipalityScope(ctx, id)
	if err != nil {
		return organisation.Municipality{}, err
	}
	return look(ctx, c, by, access.At(access.SeeMunicipality, place), organisation.Municipalities, id)
}

// School returns what is known of a school. Who has a role in a class of it
// may know too.
func (c *Commands) School(ctx context.Context, by access.Actor, id domain.SchoolID) (organisation.School, error) {
	place, err := c.SchoolScope(ctx, id)
	if err != nil {
		return organisation.School{}, err
	}
	if by.Active.Scope.School == id {
		place.Class = by.Active.Scope.Class
	}
	return look(ctx, c, by, access.At(access.SeeSchool, place), organisation.Schools, id)
}

// Class returns what is known of a class.
func (c *Commands) Class(ctx context.Context, by access.Actor, id domain.ClassID) (organisation.Class, error) {
	place, err := c.ClassScope(ctx, id)
	if err != nil {
		return organisation.Class{}, err
	}
	return look(ctx, c, by, access.At(access.SeeSchool, place), organisation.Classes, id)
}
