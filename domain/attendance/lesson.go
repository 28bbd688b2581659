package attendance

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"zurnals/domain"
)

// An Audience is for whom a lesson is planned (ATT-012).
type Audience string

// All is everybody who is in the class on the day of the lesson.
const All Audience = "all"

// Bounds of a lesson.
const (
	MaxMarks      = 500 // in one save
	maxRemark     = 500
	maxEarlyOpen  = 24 * 60
	maxLateAfter  = 24 * 60
	maxLessonText = 1000
)

// Refusals of a lesson.
var (
	ErrNoLesson      = domain.Refuse(domain.NotFound, "attendance.no_lesson", "there is no such lesson")
	ErrAudience      = domain.Refuse(domain.Invalid, "attendance.audience", "a lesson is for all")
	ErrLessonTime    = domain.Refuse(domain.Invalid, "attendance.lesson_time", "not a time of that day like 08:30, or a lesson that ends before it starts")
	ErrSelfRecording = domain.Refuse(domain.Invalid, "attendance.self_recording", "self-recording needs a password or a QR code")
	ErrMinutes       = domain.Refuse(domain.Invalid, "attendance.minutes", "minutes are from 0 to 1440")
	ErrRotate        = domain.Refuse(domain.Invalid, "attendance.rotate", "a QR code that changes is not offered")
	ErrMarks         = domain.Refuse(domain.Invalid, "attendance.marks", "from 1 to 500 marks are saved at once")
	ErrMarkedTwice   = domain.Refuse(domain.Invalid, "attendance.marked_twice", "the pupil is named twice")
	ErrNotMember     = domain.Refuse(domain.Invalid, "attendance.not_member", "the pupil is not in this lesson")
	ErrNoStatus      = domain.Refuse(domain.Invalid, "attendance.no_status", "the status set has no such status")
)

// A LessonCommand asks a lesson for something.
//
//sumtype:decl
type LessonCommand interface{ lessonCommand() }

type (
	// ScheduleLesson plans a lesson of a register.
	ScheduleLesson struct {
		Lesson        domain.LessonID
		Register      domain.RegisterID
		School        domain.SchoolID
		Class         domain.ClassID
		Audience      Audience // empty: all
		Date          domain.Date
		From, Until   string // 08:30, 09:10; Until may be empty
		Description   string
		SelfRecording *SelfRecording // nil: pupils may not
	}

	// TakeMarks saves the sheet of a lesson: marks that are not named stay.
	TakeMarks struct {
		Lesson   domain.LessonID
		Register domain.RegisterID
		Version  int // of the lesson that the instructor saw, 0 for any
		Marks    []MarkEntry
		Members  []domain.StudentID // those of Marks who are in the lesson
		Statuses StatusSet          // of the register now
	}

	// A MarkEntry is what the mark of one pupil shall be. With neither status
	// nor remark there shall be none.
	MarkEntry struct {
		Student domain.StudentID
		Status  string
		Remark  string
	}
)

func (ScheduleLesson) lessonCommand() {}
func (TakeMarks) lessonCommand()      {}

// A Lesson is what decisions need to know of one.
type Lesson struct {
	ID            domain.LessonID
	Register      domain.RegisterID
	School        domain.SchoolID
	Class         domain.ClassID
	Date          domain.Date
	StartsAt      time.Time
	EndsAt        time.Time // zero: not said
	SelfRecording *SelfRecording
	Marks         map[domain.StudentID]Mark
	Version       int // of its stream
}

// A Mark is how one pupil attended one lesson (atzīme par apmeklējumu).
type Mark struct {
	Status  string // empty: only a remark
	Set     int    // version of the status set
	Points  Points
	Maximum Points
	Remark  string
	Method  Method
	Version int // of the lesson that the mark came with
}

// None says whether there is neither status nor remark: no mark.
func (m Mark) None() bool { return m.Status == "" && m.Remark == "" }

// same says whether two marks say the same, whenever they were made.
func (m Mark) same(as Mark) bool {
	m.Version, as.Version = 0, 0
	return m == as
}

// Lessons decides for lessons.
var Lessons = domain.Decider[Lesson, LessonCommand, LessonEvent]{
	Category: "attendance_session",
	Decide:   Lesson.decide,
	Evolve:   Lesson.evolve,
}

func (l Lesson) decide(cmd LessonCommand) ([]LessonEvent, error) {
	switch cmd := cmd.(type) {
	case ScheduleLesson:
		return l.schedule(cmd)
	case TakeMarks:
		return l.take(cmd)
	case SelfRecord:
		return l.selfRecord(cmd)
	}
	return nil, fmt.Errorf("attendance: no decision on %T", cmd)
}

func (l Lesson) schedule(cmd ScheduleLesson) ([]LessonEvent, error) {
	if !l.ID.IsZero() {
		return nil, nil // asked twice
	}
	if cmd.Audience == "" {
		cmd.Audience = All
	}
	var check domain.Check
	if cmd.Audience != All {
		check.Field("audience", ErrAudience)
	}
	starts, ends, err := cmd.times()
	if err != nil {
		return nil, err
	}
	cmd.Description, err = domain.Text(cmd.Description, maxLessonText)
	check.Field("description", err)
	self := cmd.SelfRecording.check(&check)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return []LessonEvent{LessonScheduled{
		Lesson: cmd.Lesson, Register: cmd.Register, School: cmd.School, Class: cmd.Class,
		Audience: cmd.Audience, Date: cmd.Date, From: cmd.From, Until: cmd.Until, StartsAt: starts, EndsAt: ends,
		Description: cmd.Description, SelfRecording: self,
	}}, nil
}

// times returns when the lesson starts, and when it ends if that is said.
func (cmd ScheduleLesson) times() (starts, ends time.Time, err error) {
	if cmd.Date == "" {
		return starts, ends, domain.ErrDate.In("date")
	}
	if err := day(cmd.Date); err != nil {
		return starts, ends, domain.ErrDate.In("date")
	}
	if starts, err = at(cmd.Date, cmd.From); err != nil {
		return starts, ends, ErrLessonTime.In("from")
	}
	if cmd.Until == "" {
		return starts, ends, nil
	}
	if ends, err = at(cmd.Date, cmd.Until); err != nil || !ends.After(starts) {
		return starts, ends, ErrLessonTime.In("until")
	}
	return starts, ends, nil
}

// check returns self-recording as it is kept.
func (s *SelfRecording) check(check *domain.Check) *SelfRecording {
	if s == nil {
		return nil
	}
	kept := *s
	kept.Generation = 1
	if s.Rotate {
		check.Field("self_recording.rotate", ErrRotate)
	}
	if !s.Password && !s.QR {
		check.Field("self_recording.password", ErrSelfRecording)
	}
	if s.EarlyOpen < 0 || s.EarlyOpen > maxEarlyOpen {
		check.Field("self_recording.early_open", ErrMinutes)
	}
	if s.LateAfter < 0 || s.LateAfter > maxLateAfter {
		check.Field("self_recording.late_after", ErrMinutes)
	}
	return &kept
}

// take saves a sheet, all of it or nothing. Marks that are already so make no
// event. Two people saving at once are told apart mark by mark: who names a
// mark that has changed since they looked is refused (A13), while pupils
// recording themselves meanwhile are in nobody's way.
func (l Lesson) take(cmd TakeMarks) ([]LessonEvent, error) {
	if l.ID.IsZero() || l.Register != cmd.Register {
		return nil, ErrNoLesson
	}
	entries, err := cmd.check(l.Marks)
	if err != nil {
		return nil, err
	}
	var changed []Marked
	var stale []domain.Detail
	for i, entry := range entries {
		old := l.Marks[entry.Student]
		mark := old.become(entry, cmd.Statuses)
		if mark.same(old) {
			continue
		}
		if cmd.Version != 0 && old.Version > cmd.Version {
			stale = append(stale, domain.Detail{Field: fmt.Sprintf("marks[%d]", i), Code: ErrStale.Code,
				Text: fmt.Sprintf("the mark of pupil %s has changed", entry.Student)})
		}
		changed = append(changed, Marked{Student: entry.Student, Status: mark.Status, Set: mark.Set,
			Points: mark.Points, Maximum: mark.Maximum, Remark: mark.Remark, Method: mark.Method})
	}
	switch {
	case cmd.Version > l.Version:
		return nil, staleAt(l.Version)
	case len(stale) > 0:
		return nil, ErrStale.With(append(staleAt(l.Version).Details, stale...)...)
	case len(changed) == 0:
		return nil, nil
	}
	return []LessonEvent{MarksTaken{Lesson: l.ID, Register: l.Register, School: l.School, Class: l.Class, Marks: changed}}, nil
}

// become returns the mark that an entry makes of m. A mark whose status stays
// keeps its status set, and how it was made.
func (m Mark) become(entry MarkEntry, set StatusSet) Mark {
	is := Mark{Remark: entry.Remark}
	switch {
	case entry.Status != "" && entry.Status == m.Status:
		is.Status, is.Set, is.Points, is.Maximum, is.Method = m.Status, m.Set, m.Points, m.Maximum, m.Method
	case entry.Status != "":
		status, _ := set.Find(entry.Status)
		is.Status, is.Set, is.Points, is.Maximum, is.Method = status.Acronym, set.Version, status.Points, set.Maximum(), Manual
	case is.Remark != "":
		is.Method = Manual
	}
	return is
}

// check returns the marks as they are kept, or which cannot be and why.
func (cmd TakeMarks) check(now map[domain.StudentID]Mark) ([]MarkEntry, error) {
	if len(cmd.Marks) == 0 || len(cmd.Marks) > MaxMarks {
		return nil, ErrMarks.In("marks")
	}
	member := make(map[domain.StudentID]bool, len(cmd.Members))
	for _, id := range cmd.Members {
		member[id] = true
	}
	var check domain.Check
	entries := slices.Clone(cmd.Marks)
	seen := make(map[domain.StudentID]bool, len(entries))
	for i := range entries {
		m := &entries[i]
		note := func(name string, err error) { check.Field(fmt.Sprintf("marks[%d].%s", i, name), err) }
		switch {
		case seen[m.Student]:
			note("student", ErrMarkedTwice)
		case !member[m.Student]:
			// The code alone would not say whom of a whole class it is about.
			note("student", &domain.Error{Kind: ErrNotMember.Kind, Code: ErrNotMember.Code,
				Text: fmt.Sprintf("pupil %s is not in this lesson", m.Student)})
		}
		seen[m.Student] = true
		if _, known := cmd.Statuses.Find(m.Status); m.Status != "" && !known && m.Status != now[m.Student].Status {
			note("status", ErrNoStatus)
		}
		var err error
		m.Remark, err = domain.Text(m.Remark, maxRemark)
		note("remark", err)
	}
	return entries, check.Err()
}

func (l Lesson) evolve(e LessonEvent) Lesson {
	switch e := e.(type) {
	case LessonScheduled:
		l.ID, l.Register, l.School, l.Class = e.Lesson, e.Register, e.School, e.Class
		l.Date, l.StartsAt, l.EndsAt, l.SelfRecording = e.Date, e.StartsAt, e.EndsAt, e.SelfRecording
	default:
		changes := l.Changes(e)
		if l.Marks = maps.Clone(l.Marks); l.Marks == nil {
			l.Marks = make(map[domain.StudentID]Mark)
		}
		for _, c := range changes {
			l.Marks[c.Student] = c.Is // empty if taken back: that is a change too, with a version
		}
	}
	l.Version++
	return l
}

// A Change is what an event makes of the mark of one pupil.
type Change struct {
	Student domain.StudentID
	Was, Is Mark
}

// Changes returns what e changes when it happens to l: for the history of a
// mark, which tells the old value beside the new.
func (l Lesson) Changes(e LessonEvent) []Change {
	var all []Change
	version := l.Version + 1
	switch e := e.(type) {
	case MarksTaken:
		for _, m := range e.Marks {
			is := Mark{Status: m.Status, Set: m.Set, Points: m.Points, Maximum: m.Maximum, Remark: m.Remark, Method: m.Method, Version: version}
			all = append(all, Change{m.Student, l.Marks[m.Student], is})
		}
	case SelfRecorded:
		was := l.Marks[e.Student]
		is := Mark{Status: e.Status, Set: e.Set, Points: e.Points, Maximum: e.Maximum, Remark: was.Remark, Method: e.Method, Version: version}
		all = append(all, Change{e.Student, was, is})
	}
	return all
}
