// Package organisation keeps what schools there are and how they are divided:
// municipality (pašvaldība), school (skola), school year (mācību gads) and
// class (klase).
package organisation

import (
	"fmt"

	"zurnals/domain"
)

// NameMax is how long the name of a municipality or a school may be.
const NameMax = 200

// A MunicipalityCommand asks a municipality for something.
//
//sumtype:decl
type MunicipalityCommand interface{ municipalityCommand() }

// RegisterMunicipality makes a municipality known.
type RegisterMunicipality struct {
	Municipality domain.MunicipalityID
	Name         string
}

func (RegisterMunicipality) municipalityCommand() {}

// A Municipality is what later decisions need to know of a municipality.
type Municipality struct{ name string }

// Registered says whether there is such a municipality.
func (m Municipality) Registered() bool { return m.name != "" }

// Name returns its name.
func (m Municipality) Name() string { return m.name }

// Municipalities decides for municipalities, one to a stream.
var Municipalities = domain.Decider[Municipality, MunicipalityCommand, MunicipalityEvent]{
	Category: "municipality",
	Decide:   Municipality.decide,
	Evolve:   Municipality.evolve,
}

func (m Municipality) decide(cmd MunicipalityCommand) ([]MunicipalityEvent, error) {
	switch cmd := cmd.(type) {
	case RegisterMunicipality:
		name, err := domain.Line(cmd.Name, NameMax)
		var check domain.Check
		check.Field("name", err)
		if err := check.Err(); err != nil {
			return nil, err
		}
		if m.Registered() {
			return nil, nil
		}
		return []MunicipalityEvent{MunicipalityRegistered{Municipality: cmd.Municipality, Name: name}}, nil
	}
	return nil, fmt.Errorf("organisation: no decision on %T", cmd)
}

func (m Municipality) evolve(e MunicipalityEvent) Municipality {
	switch e := e.(type) {
	case MunicipalityRegistered:
		m.name = e.Name
	}
	return m
}
