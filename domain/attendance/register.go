// Package attendance is who was present in which lesson: the register of a
// class (apmeklējuma reģistrs), its status sets (statusu kopas), its lessons
// (nodarbības), the marks in them and what pupils record themselves
// (pašreģistrēšanās), and what all of it adds up to (pārskats).
//
// “Kavēts” is here the status late. It has nothing to do with the kavējumi
// that other systems count, which are absences (C-15).
package attendance

import (
	"fmt"
	"slices"
	"strconv"

	"zurnals/domain"
)

// A GradeType says whether a register counts points.
type GradeType string

const (
	GradePoints GradeType = "points" // by default (ATT-004)
	GradeNone   GradeType = "none"   // points stay with the statuses, and are not used (C-19)
)

// A Description is what the one who opens a register says of it.
type Description struct {
	Name         string      `json:"name"`
	Description  string      `json:"description,omitempty"`
	GradeType    GradeType   `json:"grade_type"`
	GradeMaximum int         `json:"grade_maximum"` // grade that all points give
	From         domain.Date `json:"from,omitempty"`
	Until        domain.Date `json:"until,omitempty"`
}

// Bounds of a register.
const (
	maxName  = 200
	maxText  = 2000
	maxGrade = 1000
)

// Refusals of a register.
var (
	ErrNoRegister   = domain.Refuse(domain.NotFound, "attendance.no_register", "there is no such register")
	ErrGradeType    = domain.Refuse(domain.Invalid, "attendance.grade_type", "the grade type is points or none")
	ErrGradeMaximum = domain.Refuse(domain.Invalid, "attendance.grade_maximum", "the highest grade is from 1 to 1000")
	ErrPeriod       = domain.Refuse(domain.Invalid, "attendance.period", "a period does not end before it begins")
	ErrSetVersion   = domain.Refuse(domain.Stale, "attendance.status_set_version", "the status set has another version by now")
	ErrStale        = domain.Refuse(domain.Stale, "version.stale", "it has been changed since it was read")
)

// A RegisterCommand asks a register for something.
//
//sumtype:decl
type RegisterCommand interface{ registerCommand() }

type (
	// OpenRegister opens a register for a class, with the default statuses.
	OpenRegister struct {
		Register     domain.RegisterID
		Municipality domain.MunicipalityID
		School       domain.SchoolID
		Class        domain.ClassID
		Description
	}

	// ChangeRegister describes it anew.
	ChangeRegister struct {
		Register domain.RegisterID
		Description
		Version int // the register was read at, 0 for any
	}

	// ChangeStatuses makes a new version of its status set.
	ChangeStatuses struct {
		Register domain.RegisterID
		Version  int // that the new set shall have: one more than there is
		Statuses []Status
	}
)

func (OpenRegister) registerCommand()   {}
func (ChangeRegister) registerCommand() {}
func (ChangeStatuses) registerCommand() {}

// A Register is what decisions need to know of one.
type Register struct {
	ID           domain.RegisterID
	Municipality domain.MunicipalityID
	School       domain.SchoolID
	Class        domain.ClassID
	Statuses     StatusSet // that marks are made with now

	Described Description

	version int
}

// Registers decides for registers.
var Registers = domain.Decider[Register, RegisterCommand, RegisterEvent]{
	Category: "attendance_register",
	Decide:   Register.decide,
	Evolve:   Register.evolve,
}

func (r Register) decide(cmd RegisterCommand) ([]RegisterEvent, error) {
	if _, opens := cmd.(OpenRegister); !opens && r.ID.IsZero() {
		return nil, ErrNoRegister
	}
	switch cmd := cmd.(type) {
	case OpenRegister:
		return r.open(cmd)
	case ChangeRegister:
		return r.change(cmd)
	case ChangeStatuses:
		return r.changeStatuses(cmd)
	}
	return nil, fmt.Errorf("attendance: no decision on %T", cmd)
}

func (r Register) open(cmd OpenRegister) ([]RegisterEvent, error) {
	if !r.ID.IsZero() {
		return nil, nil // asked twice
	}
	d, err := cmd.Description.check()
	if err != nil {
		return nil, err
	}
	return []RegisterEvent{RegisterOpened{
		Register: cmd.Register, Municipality: cmd.Municipality, School: cmd.School, Class: cmd.Class,
		Description: d, Statuses: DefaultStatuses(),
	}}, nil
}

func (r Register) change(cmd ChangeRegister) ([]RegisterEvent, error) {
	d, err := cmd.Description.check()
	switch {
	case err != nil:
		return nil, err
	case d == r.Described:
		return nil, nil
	case cmd.Version != 0 && cmd.Version != r.version:
		return nil, staleAt(r.version)
	}
	return []RegisterEvent{RegisterChanged{Register: r.ID, School: r.School, Description: d}}, nil
}

func (r Register) changeStatuses(cmd ChangeStatuses) ([]RegisterEvent, error) {
	statuses, err := checkStatuses(cmd.Statuses)
	if err != nil {
		return nil, err
	}
	switch {
	case cmd.Version == r.Statuses.Version && slices.Equal(statuses, r.Statuses.Statuses):
		return nil, nil // asked twice
	case cmd.Version != r.Statuses.Version+1:
		return nil, ErrSetVersion.With(domain.Detail{Field: "n", Code: ErrSetVersion.Code,
			Text: fmt.Sprintf("is at version %d", r.Statuses.Version)})
	}
	return []RegisterEvent{StatusSetChanged{Register: r.ID, School: r.School, Version: cmd.Version, Statuses: statuses}}, nil
}

func (r Register) evolve(e RegisterEvent) Register {
	r.version++
	switch e := e.(type) {
	case RegisterOpened:
		r.ID, r.Municipality, r.School, r.Class = e.Register, e.Municipality, e.School, e.Class
		r.Described, r.Statuses = e.Description, StatusSet{1, e.Statuses}
	case RegisterChanged:
		r.Described = e.Description
	case StatusSetChanged:
		r.Statuses = StatusSet{e.Version, e.Statuses}
	}
	return r
}

// check returns the description as it is kept, or what is wrong with it.
func (d Description) check() (Description, error) {
	if d.GradeType == "" {
		d.GradeType = GradePoints
	}
	if d.GradeMaximum == 0 {
		d.GradeMaximum = 100
	}
	var check domain.Check
	var err error
	d.Name, err = domain.Line(d.Name, maxName)
	check.Field("name", err)
	d.Description, err = domain.Text(d.Description, maxText)
	check.Field("description", err)
	if d.GradeType != GradePoints && d.GradeType != GradeNone {
		check.Field("grade_type", ErrGradeType)
	}
	if d.GradeMaximum < 1 || d.GradeMaximum > maxGrade {
		check.Field("grade_maximum", ErrGradeMaximum)
	}
	check.Field("from", day(d.From))
	check.Field("until", day(d.Until))
	if d.Until != "" && d.Until < d.From {
		check.Field("until", ErrPeriod)
	}
	return d, check.Err()
}

// day says whether d, if there is one, is a day of the calendar.
func day(d domain.Date) error {
	if d == "" {
		return nil
	}
	_, err := domain.ParseDate(string(d))
	return err
}

// Holds says whether a day lies in the period of the register. A lesson on
// another day is hidden: it counts for nobody (A09).
func (d Description) Holds(day domain.Date) bool {
	return d.From <= day && (d.Until == "" || day <= d.Until)
}

// staleAt refuses a change of what is at another version by now.
func staleAt(version int) *domain.Error {
	return ErrStale.With(domain.Detail{Field: "header.If-Match", Code: "version.current", What: strconv.Itoa(version), Text: fmt.Sprintf("is at version %d", version)})
}
