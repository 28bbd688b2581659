package domain

import "github.com/google/uuid"

// An ActorKind says what sort of somebody an actor is.
type ActorKind string

const (
	ActorAccount   ActorKind = "account"   // a member of staff, signed in
	ActorLearner   ActorKind = "learner"   // a pupil, signed in to the learner realm
	ActorToken     ActorKind = "token"     // whoever holds a link that was mailed or a code that was printed
	ActorAnonymous ActorKind = "anonymous" // whoever signs in
	ActorSystem    ActorKind = "system"    // the operator's command line, a job
)

// Meta is what is stored with every event besides the event: who did it, in
// which role, where, and by which request. It holds no personal data.
type Meta struct {
	Actor        ActorKind      `json:"actor"`
	ActorID      uuid.UUID      `json:"actor_id,omitzero"`
	Role         string         `json:"role,omitempty"`
	Assignment   AssignmentID   `json:"assignment,omitzero"`
	Municipality MunicipalityID `json:"municipality,omitzero"`
	School       SchoolID       `json:"school,omitzero"`
	Command      uuid.UUID      `json:"command,omitzero"`
	Request      string         `json:"request,omitempty"`
}
