// Package catalogue lists the events of all contexts.
package catalogue

import (
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
)

// All is every event that this program can read or write. A context is one
// line.
var All = domain.NewCatalogue(
	access.Events,
	identity.Events,
	organisation.Events,
	attendance.Events,
)
