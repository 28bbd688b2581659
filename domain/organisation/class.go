package organisation

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"zurnals/domain"
)

// ClassNameMax is how long the name of a class may be.
const ClassNameMax = 30

// Refusals of a class.
var (
	ErrNoClass    = domain.Refuse(domain.NotFound, "organisation.no_class", "no such class")
	ErrNoYear     = domain.Refuse(domain.NotFound, "organisation.no_school_year", "the school has no such school year")
	ErrClassName  = domain.Refuse(domain.Invalid, "organisation.class_name", "a class is called like 1.a: a grade from 1 to 12, a dot and letters")
	ErrClassTaken = domain.Refuse(domain.Conflict, "organisation.class_exists", "the school has a class of this name in this school year")
)

// An Origin says how a class came to be.
type Origin string

const (
	ByAdmin Origin = "admin" // made by an administrator
	BySync  Origin = "sync"  // came with the roster
)

// A ClassCommand asks a class for something.
//
//sumtype:decl
type ClassCommand interface{ classCommand() }

type (
	// CreateClass makes a class. That the school has the year is checked by
	// who sends it: the year is in the stream of the school.
	CreateClass struct {
		Class        domain.ClassID
		School       domain.SchoolID
		Municipality domain.MunicipalityID
		Year         domain.SchoolYearID
		Name         string
		Origin       Origin
		Source       string // sourcedId in the roster; may be empty
	}

	// AdoptClass ties a class to the one that the roster calls Source.
	AdoptClass struct {
		Class  domain.ClassID
		School domain.SchoolID
		Source string
	}
)

func (CreateClass) classCommand() {}
func (AdoptClass) classCommand()  {}

// A Class is what later decisions need to know of a class.
type Class struct {
	school domain.SchoolID
	year   domain.SchoolYearID
	name   string
	source string
}

// Created says whether there is such a class.
func (c Class) Created() bool { return c.name != "" }

// School returns the school that the class is of.
func (c Class) School() domain.SchoolID { return c.school }

// Year returns the school year that the class is of.
func (c Class) Year() domain.SchoolYearID { return c.year }

// Name returns its name, such as 6.a.
func (c Class) Name() string { return c.name }

// Source returns what the roster calls it, if it has come with one.
func (c Class) Source() string { return c.source }

// Classes decides for classes, one to a stream.
var Classes = domain.Decider[Class, ClassCommand, ClassEvent]{
	Category: "class",
	Decide:   Class.decide,
	Evolve:   Class.evolve,
}

func (c Class) decide(cmd ClassCommand) ([]ClassEvent, error) {
	switch cmd := cmd.(type) {
	case CreateClass:
		return c.create(cmd)
	case AdoptClass:
		return c.adopt(cmd)
	}
	return nil, fmt.Errorf("organisation: no decision on %T", cmd)
}

func (c Class) create(cmd CreateClass) ([]ClassEvent, error) {
	var check domain.Check
	name, grade, err := ParseClassName(cmd.Name)
	check.Field("name", err)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if c.Created() {
		return nil, nil
	}
	return []ClassEvent{ClassCreated{
		Class: cmd.Class, School: cmd.School, Municipality: cmd.Municipality, Year: cmd.Year,
		Name: name, Grade: grade, Origin: cmd.Origin, Source: cmd.Source,
	}}, nil
}

func (c Class) adopt(cmd AdoptClass) ([]ClassEvent, error) {
	switch {
	case !c.Created() || c.school != cmd.School:
		return nil, ErrNoClass
	case c.source == cmd.Source:
		return nil, nil
	case c.source != "": // two classes of the roster with one name
		return nil, ErrClassTaken
	}
	return []ClassEvent{ClassAdopted{Class: cmd.Class, School: c.school, Year: c.year, Source: cmd.Source}}, nil
}

func (c Class) evolve(e ClassEvent) Class {
	switch e := e.(type) {
	case ClassCreated:
		c.school, c.year, c.name, c.source = e.School, e.Year, e.Name, e.Source
	case ClassAdopted:
		c.source = e.Source
	}
	return c
}

// ParseClassName reads the name of a class however it is usually written:
// “1.A” and “1. a” are 1.a. Letters are kept as they are, so 1.ā is another
// class. A name that does not begin with a digit is that of a group of no
// grade, such as one of a kindergarten, and is kept.
func ParseClassName(s string) (name string, grade int, err error) {
	name, err = domain.Line(s, ClassNameMax)
	if err != nil {
		return "", 0, err
	}
	if name[0] < '0' || name[0] > '9' {
		return name, 0, nil
	}
	number, letters, ok := strings.Cut(name, ".")
	number, letters = strings.TrimSpace(number), strings.ToLower(strings.TrimSpace(letters))
	grade, err = strconv.Atoi(number)
	if !ok || err != nil || grade < 1 || grade > 12 || number[0] == '0' {
		return "", 0, ErrClassName
	}
	for i, r := range letters {
		if !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && r != '-' && r != ' ') {
			return "", 0, ErrClassName
		}
	}
	return strconv.Itoa(grade) + "." + letters, grade, nil
}
