package attendance

import (
	"slices"
	"time"

	"zurnals/domain"
)

// A LessonEvent is something that has happened to a lesson.
//
//sumtype:decl
type LessonEvent interface {
	domain.Event
	lessonEvent()
}

// SelfRecording says how pupils may record themselves in a lesson. The
// password and the QR code are derived from the lesson and Generation; they
// stand in no event (S-23).
type SelfRecording struct {
	Generation int  `json:"generation"`
	Password   bool `json:"password"` // the password may be typed
	QR         bool `json:"qr"`       // the QR code may be scanned
	Rotate     bool `json:"rotate"`   // the QR code changes all the time: off so far (C-20)

	EarlyOpen  int  `json:"early_open"`  // minutes that it opens before the lesson starts
	LateAfter  int  `json:"late_after"`  // minutes, inclusive, that the best status can be had for; 0: as the status set says
	OwnUpdates bool `json:"own_updates"` // a pupil may record again
	AutoStatus bool `json:"auto_status"` // the best status there is at the time; otherwise the pupil may choose
}

// Values of Method.
const (
	Manual   Method = "manual"   // by the instructor
	Password Method = "password" // by the pupil, who typed the password
	QR       Method = "qr"       // by the pupil, who scanned the code
)

// A Method is how a mark came to be, and so who made it: it is kept apart from
// the remark, so that a remark cannot erase that a pupil recorded themself
// (C-17).
type Method string

// Self says whether the pupil made the mark.
func (m Method) Self() bool { return m == Password || m == QR }

// A Marked is what one save makes of the mark of one pupil. Without status and
// remark there is no mark any more.
type Marked struct {
	Student domain.StudentID `json:"student_id"`
	Status  string           `json:"status,omitempty"`
	Set     int              `json:"set,omitempty"` // version of the status set
	Points  Points           `json:"points"`        // that the status brings in that version
	Maximum Points           `json:"maximum"`       // that the best one would
	Remark  string           `json:"remark,omitempty"`
	Method  Method           `json:"method"`
}

type (
	// LessonScheduled puts a lesson into a register. Date, From and Until are as
	// the clock on the wall shows; StartsAt and EndsAt the same in UTC.
	LessonScheduled struct {
		Lesson        domain.LessonID   `json:"lesson_id"`
		Register      domain.RegisterID `json:"register_id"`
		School        domain.SchoolID   `json:"school_id"`
		Class         domain.ClassID    `json:"class_id"`
		Audience      Audience          `json:"audience"`
		Date          domain.Date       `json:"date"`
		From          string            `json:"from"`
		Until         string            `json:"until,omitempty"`
		StartsAt      time.Time         `json:"starts_at"`
		EndsAt        time.Time         `json:"ends_at,omitzero"`
		Description   string            `json:"description,omitempty"`
		SelfRecording *SelfRecording    `json:"self_recording,omitempty"`
	}

	// MarksTaken is one save of the sheet: the marks that it changed.
	MarksTaken struct {
		Lesson   domain.LessonID   `json:"lesson_id"`
		Register domain.RegisterID `json:"register_id"`
		School   domain.SchoolID   `json:"school_id"`
		Class    domain.ClassID    `json:"class_id"`
		Marks    []Marked          `json:"marks"`
	}

	// SelfRecorded is a pupil recording themself. A remark of the instructor stays.
	SelfRecorded struct {
		Lesson   domain.LessonID   `json:"lesson_id"`
		Register domain.RegisterID `json:"register_id"`
		School   domain.SchoolID   `json:"school_id"`
		Class    domain.ClassID    `json:"class_id"`
		Student  domain.StudentID  `json:"student_id"`
		Status   string            `json:"status"`
		Set      int               `json:"set"`
		Points   Points            `json:"points"`
		Maximum  Points            `json:"maximum"`
		Method   Method            `json:"method"`
		Address  string            `json:"address,omitempty"` // network address it came from
	}
)

func (LessonScheduled) EventType() string { return "attendance.lesson_scheduled" }
func (MarksTaken) EventType() string      { return "attendance.marks_taken" }
func (SelfRecorded) EventType() string    { return "attendance.self_recorded" }

func (LessonScheduled) lessonEvent() {}
func (MarksTaken) lessonEvent()      {}
func (SelfRecorded) lessonEvent()    {}

// PersonalFields seals each remark for the pupil it is about: it may say why
// somebody was ill.
func (e *MarksTaken) PersonalFields() []domain.PersonalField {
	e.Marks = slices.Clone(e.Marks)
	fields := make([]domain.PersonalField, 0, len(e.Marks))
	for i := range e.Marks {
		fields = append(fields, domain.PersonalField{Subject: e.Marks[i].Student.Subject(), Tag: "remark", Value: &e.Marks[i].Remark})
	}
	return fields
}

// PersonalFields seals where the pupil was.
func (e *SelfRecorded) PersonalFields() []domain.PersonalField {
	return []domain.PersonalField{{Subject: e.Student.Subject(), Tag: "address", Value: &e.Address}}
}
