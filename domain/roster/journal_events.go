package roster

import (
	"slices"

	"zurnals/domain"
)

// A JournalEvent is something that has happened to a journal.
//
//sumtype:decl
type JournalEvent interface {
	domain.Event
	journal()
}

type (
	// GradesSynced says which grades of a pupil the e-journal has anew or
	// otherwise, and which it no longer has.
	GradesSynced struct {
		Source
		Grades []Grade  `json:"grades,omitempty"`
		Gone   []string `json:"gone,omitempty"` // items
	}

	// AbsencesSynced says which absences of a pupil the e-journal has anew or
	// otherwise, and which it no longer has.
	AbsencesSynced struct {
		Source
		Absences []Absence `json:"absences,omitempty"`
		Gone     []Lesson  `json:"gone,omitempty"`
	}
)

func (GradesSynced) EventType() string   { return "roster.grades_synced" }
func (AbsencesSynced) EventType() string { return "roster.absences_synced" }

func (GradesSynced) journal()   {}
func (AbsencesSynced) journal() {}

// PersonalFields seals how the pupil did.
func (e *GradesSynced) PersonalFields() []domain.PersonalField {
	e.Grades = slices.Clone(e.Grades)
	fields := make([]domain.PersonalField, 0, len(e.Grades))
	for i := range e.Grades {
		fields = append(fields, domain.PersonalField{Subject: e.Student.Subject(), Tag: "value", Value: &e.Grades[i].Value})
	}
	return fields
}

// PersonalFields seals whether there was an excuse.
func (e *AbsencesSynced) PersonalFields() []domain.PersonalField {
	e.Absences = slices.Clone(e.Absences)
	fields := make([]domain.PersonalField, 0, len(e.Absences))
	for i := range e.Absences {
		fields = append(fields, domain.PersonalField{Subject: e.Student.Subject(), Tag: "kind", Value: (*string)(&e.Absences[i].Kind)})
	}
	return fields
}
