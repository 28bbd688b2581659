package roster

import "zurnals/domain"

// Events are the definitions of all events of the roster. Their types and JSON
// are in the log for good: add fields freely, but to change or drop one, add
// an upcast.
var Events = []domain.Definition{
	domain.Define[StudentRegistered](),
	domain.Define[StudentDetailsChanged](),
	domain.Define[StudentEnrolled](),
	domain.Define[EnrolmentRedated](),
	domain.Define[EnrolmentEnded](),
	domain.Define[GradesSynced](),
	domain.Define[AbsencesSynced](),
	domain.Define[CourseRegistered](),
	domain.Define[CourseRenamed](),
	domain.Define[RunBegan](),
	domain.Define[ChunkApplied](),
	domain.Define[RunEnded](),
	domain.Define[SyncStarted](),
	domain.Define[SyncCompleted](),
	domain.Define[SyncFailed](),
}

// A StudentEvent is something that has happened to a pupil's record.
//
//sumtype:decl
type StudentEvent interface {
	domain.Event
	student()
}

type (
	// StudentRegistered says that the source has a pupil who was not known.
	StudentRegistered struct {
		Student  domain.StudentID `json:"student_id"`
		School   domain.SchoolID  `json:"school_id"`
		SourceID string           `json:"source_id"`
		Details
	}

	// StudentDetailsChanged says how a pupil is described now.
	StudentDetailsChanged struct {
		Student domain.StudentID `json:"student_id"`
		School  domain.SchoolID  `json:"school_id"`
		Details
	}

	// StudentEnrolled says that the source has a pupil in a class or a course.
	StudentEnrolled struct {
		Student domain.StudentID `json:"student_id"`
		School  domain.SchoolID  `json:"school_id"`
		Enrolment
	}

	// EnrolmentRedated corrects the days of the enrolment that began on Began.
	EnrolmentRedated struct {
		Student domain.StudentID `json:"student_id"`
		School  domain.SchoolID  `json:"school_id"`
		Class   domain.ClassID   `json:"class_id,omitzero"`
		Course  domain.CourseID  `json:"course_id,omitzero"`
		Began   domain.Date      `json:"began"`
		From    domain.Date      `json:"from"`
		Until   domain.Date      `json:"until,omitempty"`
	}

	// EnrolmentEnded says that a pupil left a class for another one.
	EnrolmentEnded struct {
		Student domain.StudentID `json:"student_id"`
		School  domain.SchoolID  `json:"school_id"`
		Class   domain.ClassID   `json:"class_id"`
		Began   domain.Date      `json:"began"`
		Until   domain.Date      `json:"until"`
	}
)

func (StudentRegistered) EventType() string     { return "roster.student_registered" }
func (StudentDetailsChanged) EventType() string { return "roster.student_details_changed" }
func (StudentEnrolled) EventType() string       { return "roster.student_enrolled" }
func (EnrolmentRedated) EventType() string      { return "roster.enrolment_redated" }
func (EnrolmentEnded) EventType() string        { return "roster.enrolment_ended" }

func (StudentRegistered) student()     {}
func (StudentDetailsChanged) student() {}
func (StudentEnrolled) student()       {}
func (EnrolmentRedated) student()      {}
func (EnrolmentEnded) student()        {}

// ClaimSource is the kind of claim that a pupil's id in the source is: by it a
// run finds the pupil again.
const ClaimSource = "roster_source"

// SourceClaim returns the claim of a pupil of a school.
func SourceClaim(school domain.SchoolID, sourceID string) domain.Claim {
	return domain.Claim{Kind: ClaimSource, Value: school.String() + "/" + sourceID}
}

// Claims keeps one pupil of a school from being registered twice.
func (e StudentRegistered) Claims() []domain.Claim {
	return []domain.Claim{SourceClaim(e.School, e.SourceID)}
}

func (d *Details) personal(of domain.StudentID) []domain.PersonalField {
	return []domain.PersonalField{
		{Subject: of.Subject(), Tag: "given_name", Value: &d.GivenName},
		{Subject: of.Subject(), Tag: "family_name", Value: &d.FamilyName},
		{Subject: of.Subject(), Tag: "personal_code", Value: (*string)(&d.PersonalCode)},
	}
}

// PersonalFields: the id in the source may be made of a name or a code.
func (e *StudentRegistered) PersonalFields() []domain.PersonalField {
	return append(e.personal(e.Student),
		domain.PersonalField{Subject: e.Student.Subject(), Tag: "source_id", Value: &e.SourceID})
}

func (e *StudentDetailsChanged) PersonalFields() []domain.PersonalField {
	return e.personal(e.Student)
}

// PersonalFields: the id of a record is often made of the id of the pupil.
func (e *StudentEnrolled) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Student.Subject(), Tag: "record", Value: &e.Record}}
}
