package attendance

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"zurnals/domain"
)

// Points are counted in hundredths: 1.5 points are 150.
type Points int

// A Limit is how long after the start of a lesson a pupil may still take a
// status for themself, in minutes, inclusive.
type Limit int

// Limits that are not a number of minutes.
const (
	Never  Limit = 0  // only the instructor gives it
	Always Limit = -1 // as long as the lesson is open
)

// A Status is one way of having attended or not (statuss).
type Status struct {
	Acronym     string `json:"acronym"`     // P
	Description string `json:"description"` // Apmeklēts
	Points      Points `json:"points"`
	Self        Limit  `json:"self"`
}

// DefaultStatuses are those a register begins with (ATT-009).
func DefaultStatuses() []Status {
	return []Status{
		{Acronym: "P", Description: "Apmeklēts", Points: 200, Self: Always},
		{Acronym: "L", Description: "Kavēts", Points: 100, Self: Always},
		{Acronym: "E", Description: "Attaisnots", Points: 100, Self: Never},
		{Acronym: "A", Description: "Neieradās", Points: 0, Self: Never},
	}
}

// A StatusSet is the statuses of a register in one version (statusu kopa).
// Marks keep the version they were made with, so that a report does not change
// when the set does (S-24).
type StatusSet struct {
	Version  int      `json:"version"`
	Statuses []Status `json:"statuses"`
}

// Find returns the status with that acronym.
func (s StatusSet) Find(acronym string) (Status, bool) {
	for _, status := range s.Statuses {
		if status.Acronym == acronym {
			return status, true
		}
	}
	return Status{}, false
}

// Maximum is the most points that one lesson can bring.
func (s StatusSet) Maximum() Points {
	var most Points
	for _, status := range s.Statuses {
		most = max(most, status.Points)
	}
	return most
}

// Bounds of a status set.
const (
	maxStatuses    = 20
	maxAcronym     = 4
	maxStatusText  = 60
	maxPoints      = 1_000_00
	maxSelfMinutes = 24 * 60
)

// Refusals of a status set.
var (
	ErrStatuses     = domain.Refuse(domain.Invalid, "attendance.statuses", "a status set has 1 to 20 statuses")
	ErrAcronym      = domain.Refuse(domain.Invalid, "attendance.status_acronym", "an acronym is of letters and digits, and no two are the same")
	ErrStatusPoints = domain.Refuse(domain.Invalid, "attendance.status_points", "points are from -1000 to 1000")
	ErrStatusSelf   = domain.Refuse(domain.Invalid, "attendance.status_self", "the limit is never, always, or up to 1440 minutes")
)

// checkStatuses returns the statuses as they are kept, or what is wrong with
// them and where.
func checkStatuses(statuses []Status) ([]Status, error) {
	if len(statuses) == 0 || len(statuses) > maxStatuses {
		return nil, ErrStatuses.In("statuses")
	}
	statuses = slices.Clone(statuses)
	seen := make(map[string]bool, len(statuses))
	var check domain.Check
	for i := range statuses {
		s := &statuses[i]
		note := func(name string, err error) { check.Field(fmt.Sprintf("statuses[%d].%s", i, name), err) }
		var err error
		s.Acronym, err = domain.Line(s.Acronym, maxAcronym)
		note("acronym", err)
		if err == nil && (seen[s.Acronym] || strings.ContainsFunc(s.Acronym, notInAcronym)) {
			note("acronym", ErrAcronym)
		}
		seen[s.Acronym] = true
		s.Description, err = domain.Line(s.Description, maxStatusText)
		note("description", err)
		if s.Points < -maxPoints || s.Points > maxPoints {
			note("points", ErrStatusPoints)
		}
		if s.Self < Always || s.Self > maxSelfMinutes {
			note("self", ErrStatusSelf)
		}
	}
	return statuses, check.Err()
}

func notInAcronym(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
