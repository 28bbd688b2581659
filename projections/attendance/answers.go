package attendance

import (
	"time"

	"zurnals/domain"
	"zurnals/domain/attendance"
)

// A Register is a register as it is shown.
type Register struct {
	ID           domain.RegisterID    `json:"id"`
	School       domain.SchoolID      `json:"school_id"`
	Class        domain.ClassID       `json:"class_id"`
	Name         string               `json:"name"`
	Description  string               `json:"description"`
	GradeType    attendance.GradeType `json:"grade_type" enum:"points,none"`
	GradeMaximum int                  `json:"grade_maximum" doc:"the grade for all points"`
	From         domain.Date          `json:"from,omitempty" doc:"lessons outside the period count for nobody"`
	Until        domain.Date          `json:"until,omitempty"`
	StatusSet    int                  `json:"status_set" doc:"version that marks are made with now"`
	Lessons      int                  `json:"lessons"`
	Version      int                  `json:"version"`
	OpenedAt     time.Time            `json:"opened_at"`

	most int32 // points of a lesson in the status set of now, hundredths
}

// A StatusSet is one version of the statuses of a register.
type StatusSet struct {
	Version  int      `json:"version"`
	Statuses []Status `json:"statuses"`
}

// A Status is one of a set.
type Status struct {
	Acronym     string  `json:"acronym"`
	Description string  `json:"description"`
	Points      float64 `json:"points"`
	Self        int     `json:"self" doc:"minutes after the start that pupils may take it; 0 never, -1 as long as the lesson is open"`
}

// A Lesson is a lesson in a list.
type Lesson struct {
	ID            domain.LessonID   `json:"id"`
	Register      domain.RegisterID `json:"register_id"`
	Class         domain.ClassID    `json:"class_id"`
	Audience      string            `json:"audience"`
	Date          domain.Date       `json:"date"`
	From          string            `json:"from"`
	Until         string            `json:"until,omitempty"`
	StartsAt      time.Time         `json:"starts_at"`
	EndsAt        *time.Time        `json:"ends_at,omitempty"`
	Description   string            `json:"description"`
	SelfRecording *SelfRecording    `json:"self_recording,omitempty"`
	Hidden        bool              `json:"hidden" doc:"outside the period of the register"`
	Members       int               `json:"members" doc:"pupils in the class on the day"`
	Marked        int               `json:"marked" doc:"pupils with a status"`
	SelfRecorded  int               `json:"self_recorded" doc:"of them by themselves"`
	Version       int               `json:"version"`
}

// SelfRecording says how and when pupils may record themselves.
type SelfRecording struct {
	Password   bool      `json:"password"`
	QR         bool      `json:"qr"`
	OwnUpdates bool      `json:"own_updates"`
	AutoStatus bool      `json:"auto_status"`
	EarlyOpen  int       `json:"early_open"`
	LateAfter  int       `json:"late_after"`
	OpensAt    time.Time `json:"opens_at"`
	ClosesAt   time.Time `json:"closes_at" doc:"from here on it is closed"`
}

// A Sheet is a lesson with all its pupils.
type Sheet struct {
	Lesson    Lesson    `json:"lesson"`
	StatusSet StatusSet `json:"status_set"`
	Pupils    []Pupil   `json:"pupils"`
}

// A Pupil is one line of a sheet.
type Pupil struct {
	Student      domain.StudentID  `json:"student_id"`
	FamilyName   string            `json:"family_name"`
	GivenName    string            `json:"given_name"`
	Enrolled     bool              `json:"enrolled" doc:"in the class on the day; who is not any more keeps the mark"`
	Status       string            `json:"status" doc:"empty without a mark"`
	StatusSet    int               `json:"status_set,omitempty" doc:"version that the mark was made with"`
	Remark       string            `json:"remark"`
	Method       attendance.Method `json:"method,omitempty" enum:"manual,password,qr"`
	SelfRecorded bool              `json:"self_recorded"`
	Unmarked     bool              `json:"unmarked" doc:"without a status: shown red"`
	ChangedAt    *time.Time        `json:"changed_at,omitempty"`
}

// A Share is points of a maximum.
type Share struct {
	Lessons    int      `json:"lessons"`
	Points     float64  `json:"points"`
	Maximum    float64  `json:"maximum"`
	Percentage *float64 `json:"percentage" doc:"one decimal; null for nothing"`
}

// A Summary is what the lessons of one pupil add up to.
type Summary struct {
	Statuses map[string]int `json:"statuses" doc:"lessons by status"`
	Lessons  int            `json:"lessons" doc:"that concern the pupil"`
	Marked   int            `json:"marked" doc:"with a status"`
	Hidden   int            `json:"hidden" doc:"outside the period of the register, not counted"`
	Taken    *Share         `json:"taken" doc:"lessons with a status; null, as are the next three, when the register counts no points"`
	All      *Share         `json:"all" doc:"as if what is not marked brought nothing"`
	Possible *Share         `json:"possible" doc:"as if what is not marked brought everything"`
	Grade    *float64       `json:"grade" doc:"of the grade maximum, never below 0; null for nothing"`
}

// A Report is a register added up.
type Report struct {
	Register  Register       `json:"register"`
	StatusSet StatusSet      `json:"status_set"`
	Lessons   []Column       `json:"lessons"`
	Pupils    []Row          `json:"pupils"`
	Statuses  map[string]int `json:"statuses" doc:"marks of all pupils by status"`
}

// A Column is one lesson of a report.
type Column struct {
	ID          domain.LessonID `json:"id"`
	Date        domain.Date     `json:"date"`
	From        string          `json:"from"`
	Until       string          `json:"until,omitempty"`
	Description string          `json:"description"`
	Hidden      bool            `json:"hidden"`
	Statuses    map[string]int  `json:"statuses" doc:"pupils by status"`
}

// A Row is one pupil of a report.
type Row struct {
	Student    domain.StudentID `json:"student_id"`
	FamilyName string           `json:"family_name"`
	GivenName  string           `json:"given_name"`
	Cells      []Cell           `json:"cells" doc:"as lessons"`
	Summary    Summary          `json:"summary"`
}

// A Cell is one pupil in one lesson.
type Cell struct {
	Kind    string            `json:"kind" enum:"marked,unmarked,not_enrolled,hidden"`
	Status  string            `json:"status,omitempty"`
	Points  float64           `json:"points"`
	Maximum float64           `json:"maximum"`
	Remark  string            `json:"remark,omitempty"`
	Method  attendance.Method `json:"method,omitempty"`
}

// An OwnLesson is a lesson as the pupil sees it.
type OwnLesson struct {
	ID           domain.LessonID   `json:"id"`
	Register     domain.RegisterID `json:"register_id"`
	Name         string            `json:"name" doc:"of the register"`
	Date         domain.Date       `json:"date"`
	From         string            `json:"from"`
	Until        string            `json:"until,omitempty"`
	StartsAt     time.Time         `json:"starts_at"`
	Description  string            `json:"description"`
	Remark       string            `json:"remark"`
	Status       string            `json:"status" doc:"empty without a mark"`
	Method       attendance.Method `json:"method,omitempty"`
	SelfRecorded bool              `json:"self_recorded"`
	ChangedAt    *time.Time        `json:"changed_at,omitempty"`
	Password     bool              `json:"password" doc:"the password can be typed"`
	QR           bool              `json:"qr" doc:"the code can be scanned"`
	Open         bool              `json:"open" doc:"the pupil can record now"`
	ClosesAt     *time.Time        `json:"closes_at,omitempty"`
}

// An OwnRegister is what one register adds up to for one pupil.
type OwnRegister struct {
	Register domain.RegisterID `json:"register_id"`
	Name     string            `json:"name"`
	Summary  Summary           `json:"summary"`
}

// decimal returns hundredths as a number.
func decimal[N ~int | ~int32](hundredths N) float64 { return float64(hundredths) / 100 }

// summary returns a summary as it is shown. A register that counts no points
// tells only how often there was which status (C-19).
func summary(s attendance.Summary, grades attendance.GradeType) Summary {
	shown := Summary{Statuses: s.Statuses, Lessons: s.All, Marked: s.Taken, Hidden: s.Hidden}
	if grades != attendance.GradePoints {
		return shown
	}
	share := func(lessons int, points, maximum attendance.Points, percent *attendance.Tenths) *Share {
		return &Share{lessons, decimal(points), decimal(maximum), percent.Number()}
	}
	shown.Taken = share(s.Taken, s.Points, s.TakenMaximum, s.TakenPercent)
	shown.All = share(s.All, s.Points, s.AllMaximum, s.AllPercent)
	shown.Possible = share(s.All, s.Possible, s.AllMaximum, s.PossiblePercent)
	if s.Grade != nil {
		grade := decimal(*s.Grade)
		shown.Grade = &grade
	}
	return shown
}
