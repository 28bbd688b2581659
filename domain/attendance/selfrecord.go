package attendance

import (
	"fmt"
	"time"

	"zurnals/domain"
)

// openWithoutEnd is how long a lesson is open that does not say when it ends
// (S-20).
const openWithoutEnd = time.Hour

// Refusals of self-recording.
var (
	ErrNotSelf         = domain.Refuse(domain.Conflict, "attendance.self_recording_off", "pupils do not record themselves in this lesson, or not in this way")
	ErrNotOpen         = domain.Refuse(domain.Conflict, "attendance.not_open", "the lesson is not open for recording yet")
	ErrClosed          = domain.Refuse(domain.Conflict, "attendance.closed", "the lesson is closed for recording")
	ErrNotInAudience   = domain.Refuse(domain.Forbidden, "attendance.not_in_audience", "the lesson is not for you")
	ErrAlreadyRecorded = domain.Refuse(domain.Conflict, "attendance.already_recorded", "your attendance is recorded already")
	ErrMarkStands      = domain.Refuse(domain.Conflict, "attendance.marked_by_instructor", "the instructor has marked you already")
	ErrStatusNotNow    = domain.Refuse(domain.Conflict, "attendance.status_not_allowed", "this status cannot be taken now")
	ErrStatusChosen    = domain.Refuse(domain.Invalid, "attendance.status_chosen", "the status follows from the time and is not chosen")
)

// SelfRecord is a pupil recording that they are there. That the password or
// the code is right is known already.
type SelfRecord struct {
	Lesson   domain.LessonID
	Student  domain.StudentID
	Member   bool // in the lesson's audience on its day
	Method   Method
	Status   string // empty: the best there is
	Statuses StatusSet
	Address  string
	At       time.Time
}

func (SelfRecord) lessonCommand() {}

// selfRecord lets a pupil in who belongs to the lesson, while it is open, once.
func (l Lesson) selfRecord(cmd SelfRecord) ([]LessonEvent, error) {
	if l.ID.IsZero() {
		return nil, ErrNoLesson
	}
	opens, closes := l.Window()
	old := l.Marks[cmd.Student]
	switch {
	case !cmd.Member:
		return nil, ErrNotInAudience
	case !l.lets(cmd.Method):
		return nil, ErrNotSelf
	case cmd.At.Before(opens):
		return nil, ErrNotOpen
	case !cmd.At.Before(closes):
		return nil, ErrClosed
	case old.Status != "" && !old.Method.Self():
		return nil, ErrMarkStands
	case old.Status != "" && !l.SelfRecording.OwnUpdates:
		return nil, ErrAlreadyRecorded
	}
	status, err := l.statusNow(cmd)
	if err != nil {
		return nil, err
	}
	if old.Status == status.Acronym || old.Status != "" && cmd.Status == "" && status.Points <= old.Points {
		return nil, nil // who scans again does not become late by it
	}
	return []LessonEvent{SelfRecorded{
		Lesson: l.ID, Register: l.Register, School: l.School, Class: l.Class,
		Student: cmd.Student, Status: status.Acronym, Set: cmd.Statuses.Version,
		Points: status.Points, Maximum: cmd.Statuses.Maximum(), Method: cmd.Method, Address: cmd.Address,
	}}, nil
}

// lets says whether pupils may record themselves in this way.
func (l Lesson) lets(m Method) bool {
	s := l.SelfRecording
	return s != nil && (m == Password && s.Password || m == QR && s.QR)
}

// Window returns when the lesson is open for self-recording: from opens,
// inclusive, to closes, exclusive.
func (l Lesson) Window() (opens, closes time.Time) {
	if closes = l.EndsAt; closes.IsZero() {
		closes = l.StartsAt.Add(openWithoutEnd)
	}
	opens = l.StartsAt
	if l.SelfRecording != nil {
		opens = opens.Add(-time.Duration(l.SelfRecording.EarlyOpen) * time.Minute)
	}
	return opens, closes
}

// statusNow returns the status that the pupil gets at the time: the one named,
// if pupils choose, or else the one that brings most (C-21).
func (l Lesson) statusNow(cmd SelfRecord) (Status, error) {
	if cmd.Status != "" {
		status, known := cmd.Statuses.Find(cmd.Status)
		switch {
		case !known:
			return Status{}, ErrNoStatus.In("status")
		case l.SelfRecording.AutoStatus:
			return Status{}, ErrStatusChosen.In("status")
		case !l.allows(status, cmd.Statuses, cmd.At):
			return Status{}, ErrStatusNotNow.In("status")
		}
		return status, nil
	}
	best, ok := l.best(cmd.Statuses, cmd.At)
	if !ok {
		return Status{}, ErrStatusNotNow
	}
	return best, nil
}

// best returns the status that brings most of those that pupils may take at a
// time; of equals the first.
func (l Lesson) best(set StatusSet, now time.Time) (best Status, ok bool) {
	for _, s := range set.Statuses {
		if l.allows(s, set, now) && (!ok || s.Points > best.Points) {
			best, ok = s, true
		}
	}
	return best, ok
}

// allows says whether pupils may take a status at a time. The lesson's own
// limit for being in time is a limit of the best status.
func (l Lesson) allows(s Status, set StatusSet, now time.Time) bool {
	within := func(minutes int) bool { return now.Sub(l.StartsAt) <= time.Duration(minutes)*time.Minute }
	switch {
	case s.Self == Never:
		return false
	case s.Self != Always && !within(int(s.Self)):
		return false
	case l.SelfRecording != nil && l.SelfRecording.LateAfter > 0 && s.Points == set.Maximum():
		return within(l.SelfRecording.LateAfter)
	}
	return true
}

// at returns when it is that time of that day. A time that the clock leaves
// out when summer begins is none.
func at(day domain.Date, clock string) (time.Time, error) {
	t, err := time.ParseInLocation("2006-01-02 15:04", string(day)+" "+clock, domain.Riga)
	if err == nil && t.Format("15:04") != clock || t.Year() < 2000 || t.Year() > 2099 {
		err = fmt.Errorf("there is no %s %s", day, clock)
	}
	return t.UTC(), err
}

// Day returns the day that it is in schools.
func Day(t time.Time) domain.Date { return domain.DateOf(t.In(domain.Riga)) }
