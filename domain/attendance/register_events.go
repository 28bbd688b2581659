package attendance

import "zurnals/domain"

// Events are all events of attendance.
var Events = []domain.Definition{
	domain.Define[RegisterOpened](),
	domain.Define[RegisterChanged](),
	domain.Define[StatusSetChanged](),
	domain.Define[LessonScheduled](),
	domain.Define[MarksTaken](),
	domain.Define[SelfRecorded](),
}

// A RegisterEvent is something that has happened to a register.
//
//sumtype:decl
type RegisterEvent interface {
	domain.Event
	registerEvent()
}

type (
	// RegisterOpened opens a register for a class, with version 1 of its status set.
	RegisterOpened struct {
		Register     domain.RegisterID     `json:"register_id"`
		Municipality domain.MunicipalityID `json:"municipality_id"`
		School       domain.SchoolID       `json:"school_id"`
		Class        domain.ClassID        `json:"class_id"`
		Description
		Statuses []Status `json:"statuses"`
	}

	// RegisterChanged describes a register anew.
	RegisterChanged struct {
		Register domain.RegisterID `json:"register_id"`
		School   domain.SchoolID   `json:"school_id"`
		Description
	}

	// StatusSetChanged makes a new version of the status set. Marks made before keep theirs.
	StatusSetChanged struct {
		Register domain.RegisterID `json:"register_id"`
		School   domain.SchoolID   `json:"school_id"`
		Version  int               `json:"version"`
		Statuses []Status          `json:"statuses"`
	}
)

func (RegisterOpened) EventType() string   { return "attendance.register_opened" }
func (RegisterChanged) EventType() string  { return "attendance.register_changed" }
func (StatusSetChanged) EventType() string { return "attendance.status_set_changed" }

func (RegisterOpened) registerEvent()   {}
func (RegisterChanged) registerEvent()  {}
func (StatusSetChanged) registerEvent() {}
