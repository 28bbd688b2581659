// Package catalogue lists the events of all contexts.
package catalogue

import (
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/audit"
	"zurnals/domain/exams"
	"zurnals/domain/identity"
	"zurnals/domain/learner"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/domain/surveys"
)

// All is every event that this program can read or write. A context is one
// line.
var All = domain.NewCatalogue(
	access.Events,
	identity.Events,
	organisation.Events,
	attendance.Events,
	roster.Events,
	exams.Events,
	surveys.Events,
	learner.Events,
	audit.Events,
)
