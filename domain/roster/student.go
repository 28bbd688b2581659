// Package roster is who learns where, as the school's own system tells it:
// pupils (skolēni), the classes and courses they are enrolled in (uzņemšana),
// and the runs (sinhronizācija) that bring the news. Nobody adds a pupil by
// hand (EMU-119).
//
// What is here only adds and corrects. A pupil who is no longer in the file is
// reported by the run, and stays as he was.
package roster

import (
	"fmt"
	"slices"

	"zurnals/domain"
)

// ErrNoStudent refuses what is asked of a pupil that the school does not have.
var ErrNoStudent = domain.Refuse(domain.NotFound, "roster.no_student", "there is no such student")

// Details are what is known of a pupil as a person.
type Details struct {
	GivenName    string              `json:"given_name"`
	FamilyName   string              `json:"family_name"`
	PersonalCode domain.PersonalCode `json:"personal_code,omitempty"` // an attribute, never a key (S-35)
	Grade        string              `json:"grade,omitempty"`         // "1" to "12", or as the source says
}

// An Enrolment is a time that a pupil is in a class, or in a course. The pupil
// is there from the day From, and no longer on the day Until.
type Enrolment struct {
	Record string          `json:"record"` // id of the record in the source
	Class  domain.ClassID  `json:"class_id,omitzero"`
	Course domain.CourseID `json:"course_id,omitzero"`
	From   domain.Date     `json:"from"`
	Until  domain.Date     `json:"until,omitempty"`
}

// on says whether the pupil is there on a day.
func (e Enrolment) on(day domain.Date) bool {
	return e.From <= day && (e.Until == "" || day < e.Until)
}

// A StudentCommand asks a pupil's record for something.
//
//sumtype:decl
type StudentCommand interface{ studentCommand() }

// FollowSource makes the record of a pupil as the source has it.
type FollowSource struct {
	Student  domain.StudentID
	School   domain.SchoolID
	SourceID string // of the pupil in the source, unique in the school
	Details

	// Enrolments are all that the source has, unless Partial says that some of
	// them could not be read.
	Enrolments []SourceEnrolment
	Partial    bool

	Today domain.Date // the last day in a class left is the day before
}

func (FollowSource) studentCommand() {}

// A SourceEnrolment is one as the source has it. If it does not say from when,
// what the record has stands, and a new one begins on the day Since.
type SourceEnrolment struct {
	Enrolment
	Since domain.Date
}

// A Student is what decisions need to know of a pupil.
type Student struct {
	ID     domain.StudentID
	School domain.SchoolID

	details    Details
	enrolments []held
}

// A held enrolment is one that the record has.
type held struct {
	Enrolment
	left bool // for another class: if the source has it again, it begins anew
}

// Students decides for pupils.
var Students = domain.Decider[Student, StudentCommand, StudentEvent]{
	Category: "student",
	Decide:   Student.decide,
	Evolve:   Student.evolve,
}

// In says whether the pupil is in a class on a day.
func (s Student) In(class domain.ClassID, day domain.Date) bool {
	return slices.ContainsFunc(s.enrolments, func(e held) bool { return e.Class == class && e.on(day) })
}

// Code returns the personal code, empty if there is none.
func (s Student) Code() domain.PersonalCode { return s.details.PersonalCode }

// Classes returns the classes that the pupil is in on a day. Two are accepted
// when the source sends both (EMU-111).
func (s Student) Classes(day domain.Date) []domain.ClassID {
	var classes []domain.ClassID
	for _, e := range s.enrolments {
		if !e.Class.IsZero() && e.on(day) && !slices.Contains(classes, e.Class) {
			classes = append(classes, e.Class)
		}
	}
	return classes
}

func (s Student) decide(cmd StudentCommand) ([]StudentEvent, error) {
	switch cmd := cmd.(type) {
	case FollowSource:
		return s.follow(cmd)
	}
	return nil, fmt.Errorf("roster: no decision on %T", cmd)
}

func (s Student) follow(cmd FollowSource) ([]StudentEvent, error) {
	var happened []StudentEvent
	switch {
	case s.ID.IsZero():
		happened = append(happened, StudentRegistered{
			Student: cmd.Student, School: cmd.School, SourceID: cmd.SourceID, Details: cmd.Details,
		})
	case s.School != cmd.School:
		return nil, ErrNoStudent
	case s.details != cmd.Details:
		happened = append(happened, StudentDetailsChanged{Student: s.ID, School: s.School, Details: cmd.Details})
	}
	return append(happened, s.enrol(cmd)...), nil
}

// enrol compares the enrolments of the source with those of the record. A
// class that the source no longer has is left only for another class: then
// the pupil has moved (EMU-106). To vanish altogether is not decided here.
func (s Student) enrol(cmd FollowSource) (happened []StudentEvent) {
	met, moved := s.match(cmd.Enrolments), false
	taken := make(map[Enrolment]bool) // place and first day, which tell enrolments apart
	for _, have := range s.enrolments {
		if !have.left {
			taken[have.key(have.From)] = true
		}
	}
	for n, want := range cmd.Enrolments {
		if met[n] < 0 {
			if want.From == "" {
				want.From = want.Since
			}
			if k := want.key(want.From); !taken[k] {
				taken[k] = true
				moved = moved || !want.Class.IsZero()
				happened = append(happened, StudentEnrolled{Student: cmd.Student, School: cmd.School, Enrolment: want.Enrolment})
			}
			continue
		}
		have := s.enrolments[met[n]].Enrolment
		if want.From == "" || want.From != have.From && taken[want.key(want.From)] {
			want.From = have.From
		}
		if want.From != have.From || want.Until != have.Until {
			taken[want.key(want.From)] = true
			happened = append(happened, EnrolmentRedated{
				Student: cmd.Student, School: cmd.School, Class: have.Class, Course: have.Course,
				Began: have.From, From: want.From, Until: want.Until,
			})
		}
	}
	if !moved || cmd.Partial {
		return happened
	}
	for i, have := range s.enrolments {
		over := have.Until != "" && have.Until <= cmd.Today
		if slices.Contains(met, i) || have.left || over || have.Class.IsZero() {
			continue
		}
		happened = append(happened, EnrolmentEnded{
			Student: cmd.Student, School: cmd.School, Class: have.Class,
			Began: have.From, Until: max(have.From, cmd.Today),
		})
	}
	return happened
}

// key is the enrolment as events of one pupil name it.
func (e Enrolment) key(from domain.Date) Enrolment {
	return Enrolment{Class: e.Class, Course: e.Course, From: from}
}

// match returns for each enrolment of the source which one of the record it
// is, or -1: that of the same record and place, or else one in the same place
// that begins on the same day, since some sources give their records new ids.
func (s Student) match(wanted []SourceEnrolment) []int {
	met := make([]int, len(wanted))
	used := make([]bool, len(s.enrolments))
	find := func(want SourceEnrolment, same func(have held) bool) int {
		for i, have := range s.enrolments {
			if !used[i] && !have.left && have.Class == want.Class && have.Course == want.Course && same(have) {
				used[i] = true
				return i
			}
		}
		return -1
	}
	for n, want := range wanted {
		met[n] = find(want, func(have held) bool { return have.Record == want.Record })
	}
	for n, want := range wanted {
		if met[n] < 0 {
			met[n] = find(want, func(have held) bool { return want.From == "" || want.From == have.From })
		}
	}
	return met
}

func (s Student) evolve(e StudentEvent) Student {
	switch e := e.(type) {
	case StudentRegistered:
		s.ID, s.School, s.details = e.Student, e.School, e.Details
	case StudentDetailsChanged:
		s.details = e.Details
	case StudentEnrolled:
		s.enrolments = append(slices.Clip(s.enrolments), held{Enrolment: e.Enrolment})
	case EnrolmentRedated:
		s.enrolments = s.changed(e.Class, e.Course, e.Began, func(h *held) { h.From, h.Until = e.From, e.Until })
	case EnrolmentEnded:
		s.enrolments = s.changed(e.Class, domain.CourseID{}, e.Began, func(h *held) { h.Until, h.left = e.Until, true })
	}
	return s
}

// changed returns the enrolments with one changed, and leaves the old ones be.
func (s Student) changed(class domain.ClassID, course domain.CourseID, began domain.Date, change func(*held)) []held {
	enrolments := slices.Clone(s.enrolments)
	for i := range enrolments {
		h := &enrolments[i]
		if h.Class == class && h.Course == course && h.From == began && !h.left {
			change(h)
			break
		}
	}
	return enrolments
}
