package domain

import "github.com/google/uuid"

// Each kind of thing has its own type of ID, so that they cannot be mixed up.
type (
	AccountID      struct{ uuid.UUID } // a member of staff
	InvitationID   struct{ uuid.UUID }
	CredentialID   struct{ uuid.UUID } // a password or passkey, kept outside the log
	SessionID      struct{ uuid.UUID } // a sign-in, kept outside the log
	AssignmentID   struct{ uuid.UUID } // a role somebody holds somewhere
	UserImportID   struct{ uuid.UUID }
	MunicipalityID struct{ uuid.UUID }
	SchoolID       struct{ uuid.UUID }
	SchoolYearID   struct{ uuid.UUID }
	ClassID        struct{ uuid.UUID }
	CourseID       struct{ uuid.UUID }
	StudentID      struct{ uuid.UUID }
	RosterSyncID   struct{ uuid.UUID }
	JournalID      struct{ uuid.UUID } // grades and absences of a student in a school year
	ExamResultID   struct{ uuid.UUID }
	LearnerID      struct{ uuid.UUID } // the account of a student
	RegisterID     struct{ uuid.UUID } // attendance register
	LessonID       struct{ uuid.UUID } // attendance session: one lesson
	SurveyID       struct{ uuid.UUID }
	SurveyTokenID  struct{ uuid.UUID } // what the link of one student to one survey is derived from
)

// Subject returns the person that the account belongs to.
func (id AccountID) Subject() SubjectID { return SubjectID(id.UUID) }

// Subject returns the person that the student is.
func (id StudentID) Subject() SubjectID { return SubjectID(id.UUID) }

// Subject returns the person that the learner account belongs to.
func (id LearnerID) Subject() SubjectID { return SubjectID(id.UUID) }

// The IsZero methods let encoding/json leave out an ID that is not there
// (omitzero).
func isZero(id uuid.UUID) bool { return id == uuid.Nil }

func (id AccountID) IsZero() bool      { return isZero(id.UUID) }
func (id InvitationID) IsZero() bool   { return isZero(id.UUID) }
func (id CredentialID) IsZero() bool   { return isZero(id.UUID) }
func (id SessionID) IsZero() bool      { return isZero(id.UUID) }
func (id AssignmentID) IsZero() bool   { return isZero(id.UUID) }
func (id UserImportID) IsZero() bool   { return isZero(id.UUID) }
func (id MunicipalityID) IsZero() bool { return isZero(id.UUID) }
func (id SchoolID) IsZero() bool       { return isZero(id.UUID) }
func (id SchoolYearID) IsZero() bool   { return isZero(id.UUID) }
func (id ClassID) IsZero() bool        { return isZero(id.UUID) }
func (id CourseID) IsZero() bool       { return isZero(id.UUID) }
func (id StudentID) IsZero() bool      { return isZero(id.UUID) }
func (id RosterSyncID) IsZero() bool   { return isZero(id.UUID) }
func (id JournalID) IsZero() bool      { return isZero(id.UUID) }
func (id ExamResultID) IsZero() bool   { return isZero(id.UUID) }
func (id LearnerID) IsZero() bool      { return isZero(id.UUID) }
func (id RegisterID) IsZero() bool     { return isZero(id.UUID) }
func (id LessonID) IsZero() bool       { return isZero(id.UUID) }
func (id SurveyID) IsZero() bool       { return isZero(id.UUID) }
func (id SurveyTokenID) IsZero() bool  { return isZero(id.UUID) }

// DerivedID returns the ID that a command gives to the thing it makes, so that
// the same command sent twice makes one thing. Role tells apart the things that
// one command makes.
func DerivedID[ID ~struct{ uuid.UUID }](command uuid.UUID, role string) ID {
	return ID{uuid.NewSHA1(command, []byte(role))}
}

// NewID returns an ID that nothing has yet. IDs made later sort later.
func NewID[ID ~struct{ uuid.UUID }]() ID { return ID{uuid.Must(uuid.NewV7())} }

// ErrID refuses a thing whose ID cannot be one: there is no such thing.
var ErrID = Refuse(NotFound, "id.malformed", "not an id")

// ParseID reads an ID as String writes it.
func ParseID[ID ~struct{ uuid.UUID }](s string) (ID, error) {
	if len(s) != 36 { // uuid.Parse takes other forms too; one thing has one name
		return ID{}, ErrID
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return ID{}, ErrID
	}
	return ID{id}, nil
}
