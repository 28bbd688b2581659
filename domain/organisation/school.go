package organisation

import (
	"fmt"
	"slices"

	"zurnals/domain"
)

// Bounds of a school.
const (
	SourceMax   = 200 // characters of an id in a roster
	YearDaysMax = 400 // of one school year
	YearsMax    = 100 // of one school
)

// Refusals of a school.
var (
	ErrNoSchool    = domain.Refuse(domain.NotFound, "organisation.no_school", "no such school")
	ErrSourceTaken = domain.Refuse(domain.Conflict, "organisation.source_taken", "another school has this source id")
	ErrYear        = domain.Refuse(domain.Invalid, "organisation.year", "a school year ends after it begins, and within 400 days")
	ErrYearOverlap = domain.Refuse(domain.Conflict, "organisation.year_overlaps", "the school has a school year in these days")
	ErrYearOver    = domain.Refuse(domain.Forbidden, "organisation.year_over", "the school year of the class is over: it is only for reading")
	ErrYears       = domain.Refuse(domain.Conflict, "organisation.too_many_years", "the school has too many school years")
)

// A SchoolCommand asks a school for something.
//
//sumtype:decl
type SchoolCommand interface{ schoolCommand() }

type (
	// RegisterSchool makes a school known.
	RegisterSchool struct {
		School       domain.SchoolID
		Municipality domain.MunicipalityID
		Name         string
		Source       string // sourcedId of its org in the roster; may be empty
	}

	// OpenSchoolYear gives a school a school year.
	OpenSchoolYear struct {
		School   domain.SchoolID
		Year     domain.SchoolYearID
		From, To domain.Date
	}
)

func (RegisterSchool) schoolCommand() {}
func (OpenSchoolYear) schoolCommand() {}

// A School is what later decisions need to know of a school.
type School struct {
	municipality domain.MunicipalityID
	name         string
	source       string
	years        []SchoolYear
}

// A SchoolYear is a school year of one school.
type SchoolYear struct {
	ID       domain.SchoolYearID
	Name     string
	From, To domain.Date
}

// Registered says whether there is such a school.
func (s School) Registered() bool { return !s.municipality.IsZero() }

// Municipality returns the municipality that the school is in.
func (s School) Municipality() domain.MunicipalityID { return s.municipality }

// Name returns its name.
func (s School) Name() string { return s.name }

// Source returns what the roster calls it, if it has one.
func (s School) Source() string { return s.source }

// Years returns its school years in the order in which they were opened.
func (s School) Years() []SchoolYear { return slices.Clone(s.years) }

// Year returns one school year.
func (s School) Year(id domain.SchoolYearID) (SchoolYear, bool) {
	i := slices.IndexFunc(s.years, func(y SchoolYear) bool { return y.ID == id })
	if i < 0 {
		return SchoolYear{}, false
	}
	return s.years[i], true
}

// YearFrom returns the school year with exactly these days.
func (s School) YearFrom(from, to domain.Date) (SchoolYear, bool) {
	i := slices.IndexFunc(s.years, func(y SchoolYear) bool { return y.From == from && y.To == to })
	if i < 0 {
		return SchoolYear{}, false
	}
	return s.years[i], true
}

// YearOn returns the school year that a day is in.
func (s School) YearOn(day domain.Date) (SchoolYear, bool) {
	i := slices.IndexFunc(s.years, func(y SchoolYear) bool { return y.From <= day && day <= y.To })
	if i < 0 {
		return SchoolYear{}, false
	}
	return s.years[i], true
}

// Schools decides for schools, one to a stream.
var Schools = domain.Decider[School, SchoolCommand, SchoolEvent]{
	Category: "school",
	Decide:   School.decide,
	Evolve:   School.evolve,
}

func (s School) decide(cmd SchoolCommand) ([]SchoolEvent, error) {
	switch cmd := cmd.(type) {
	case RegisterSchool:
		return s.register(cmd)
	case OpenSchoolYear:
		return s.open(cmd)
	}
	return nil, fmt.Errorf("organisation: no decision on %T", cmd)
}

func (s School) register(cmd RegisterSchool) ([]SchoolEvent, error) {
	var check domain.Check
	name, err := domain.Line(cmd.Name, NameMax)
	check.Field("name", err)
	source := ""
	if cmd.Source != "" {
		source, err = domain.Line(cmd.Source, SourceMax)
		check.Field("source_id", err)
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.Registered() {
		return nil, nil
	}
	return []SchoolEvent{SchoolRegistered{School: cmd.School, Municipality: cmd.Municipality, Name: name, Source: source}}, nil
}

func (s School) open(cmd OpenSchoolYear) ([]SchoolEvent, error) {
	var check domain.Check
	_, err := domain.ParseDate(string(cmd.From))
	check.Field("from", err)
	_, err = domain.ParseDate(string(cmd.To))
	check.Field("to", err)
	if check.Err() == nil && (cmd.To <= cmd.From || cmd.From.DaysUntil(cmd.To) >= YearDaysMax) {
		check.Field("to", ErrYear)
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	if !s.Registered() {
		return nil, ErrNoSchool
	}
	if _, ok := s.YearFrom(cmd.From, cmd.To); ok {
		return nil, nil
	}
	for _, y := range s.years {
		if cmd.From <= y.To && y.From <= cmd.To {
			return nil, ErrYearOverlap
		}
	}
	if len(s.years) >= YearsMax {
		return nil, ErrYears
	}
	name := string(cmd.From[:4]) // as in “6.a — 2025–2026” (EMU-045)
	if end := string(cmd.To[:4]); end != name {
		name += "-" + end
	}
	return []SchoolEvent{SchoolYearOpened{School: cmd.School, Year: cmd.Year, Name: name, From: cmd.From, To: cmd.To}}, nil
}

func (s School) evolve(e SchoolEvent) School {
	switch e := e.(type) {
	case SchoolRegistered:
		s.municipality, s.name, s.source = e.Municipality, e.Name, e.Source
	case SchoolYearOpened:
		s.years = append(slices.Clip(s.years), SchoolYear{ID: e.Year, Name: e.Name, From: e.From, To: e.To})
	}
	return s
}
