package organisation

import (
	"strings"

	"zurnals/domain"
)

// Events of municipalities, schools and classes. Their types and JSON are in
// the log for good: to change or drop a field, add an upcast here and a golden
// file in domain/catalogue/testdata.
var Events = []domain.Definition{
	domain.Define[MunicipalityRegistered](),
	domain.Define[SchoolRegistered](),
	domain.Define[SchoolYearOpened](),
	domain.Define[ClassCreated](),
	domain.Define[ClassAdopted](),
}

// A MunicipalityEvent is something that has happened to a municipality.
//
//sumtype:decl
type MunicipalityEvent interface {
	domain.Event
	municipality()
}

// A SchoolEvent is something that has happened to a school.
//
//sumtype:decl
type SchoolEvent interface {
	domain.Event
	school()
}

// A ClassEvent is something that has happened to a class.
//
//sumtype:decl
type ClassEvent interface {
	domain.Event
	class()
}

type (
	// MunicipalityRegistered makes a municipality known.
	MunicipalityRegistered struct {
		Municipality domain.MunicipalityID `json:"municipality_id"`
		Name         string                `json:"name"`
	}

	// SchoolRegistered makes a school known, for good in one municipality.
	// Source is what the roster of its e-journal calls it, if it has one.
	SchoolRegistered struct {
		School       domain.SchoolID       `json:"school_id"`
		Municipality domain.MunicipalityID `json:"municipality_id"`
		Name         string                `json:"name"`
		Source       string                `json:"source_id,omitempty"`
	}

	// SchoolYearOpened gives a school a school year, of which both days are
	// part. Years of one school do not overlap.
	SchoolYearOpened struct {
		School domain.SchoolID     `json:"school_id"`
		Year   domain.SchoolYearID `json:"school_year_id"`
		Name   string              `json:"name"`
		From   domain.Date         `json:"from"`
		To     domain.Date         `json:"to"`
	}

	// ClassCreated makes a class for one school year. Grade is 0 for a group
	// that is of no grade.
	ClassCreated struct {
		Class        domain.ClassID        `json:"class_id"`
		School       domain.SchoolID       `json:"school_id"`
		Municipality domain.MunicipalityID `json:"municipality_id"`
		Year         domain.SchoolYearID   `json:"school_year_id"`
		Name         string                `json:"name"`
		Grade        int                   `json:"grade"`
		Origin       Origin                `json:"origin"`
		Source       string                `json:"source_id,omitempty"`
	}

	// ClassAdopted says that a class which was made by hand is the one that
	// the roster calls Source.
	ClassAdopted struct {
		Class  domain.ClassID      `json:"class_id"`
		School domain.SchoolID     `json:"school_id"`
		Year   domain.SchoolYearID `json:"school_year_id"`
		Source string              `json:"source_id"`
	}
)

func (MunicipalityRegistered) EventType() string { return "organisation.municipality_registered" }
func (SchoolRegistered) EventType() string       { return "organisation.school_registered" }
func (SchoolYearOpened) EventType() string       { return "organisation.school_year_opened" }
func (ClassCreated) EventType() string           { return "organisation.class_created" }
func (ClassAdopted) EventType() string           { return "organisation.class_adopted" }

func (MunicipalityRegistered) municipality() {}
func (SchoolRegistered) school()             {}
func (SchoolYearOpened) school()             {}
func (ClassCreated) class()                  {}
func (ClassAdopted) class()                  {}

// Claims keeps a municipality from being registered twice.
func (e MunicipalityRegistered) Claims() []domain.Claim {
	return []domain.Claim{MunicipalityName(e.Name)}
}

// Claims keeps two schools from being the same school of the roster.
func (e SchoolRegistered) Claims() []domain.Claim {
	if e.Source == "" {
		return nil
	}
	return []domain.Claim{SchoolSource(e.Source)}
}

// Claims keeps a school from having two classes of one name in one year.
func (e ClassCreated) Claims() []domain.Claim {
	claims := []domain.Claim{ClassKey(e.School, e.Year, e.Name)}
	if e.Source != "" {
		claims = append(claims, ClassSource(e.School, e.Year, e.Source))
	}
	return claims
}

// Claims keeps two classes from being the same class of the roster.
func (e ClassAdopted) Claims() []domain.Claim {
	return []domain.Claim{ClassSource(e.School, e.Year, e.Source)}
}

// MunicipalityName is the claim to the name of a municipality. The name is
// normalised as by domain.Line.
func MunicipalityName(name string) domain.Claim {
	return domain.Claim{Kind: "municipality", Value: strings.ToLower(name)}
}

// SchoolSource is the claim to a school of the roster, by its sourcedId.
func SchoolSource(source string) domain.Claim {
	return domain.Claim{Kind: "school_source", Value: source}
}

// ClassKey is the claim to the name of a class in a school year (C-08). The
// name is as ParseClassName returns it.
func ClassKey(school domain.SchoolID, year domain.SchoolYearID, name string) domain.Claim {
	return domain.Claim{Kind: "class", Value: school.String() + "/" + year.String() + "/" + name}
}

// ClassSource is the claim to a class of the roster, by its sourcedId. Rosters
// that call next year's class the same mean another class.
func ClassSource(school domain.SchoolID, year domain.SchoolYearID, source string) domain.Claim {
	return domain.Claim{Kind: "class_source", Value: school.String() + "/" + year.String() + "/" + source}
}
