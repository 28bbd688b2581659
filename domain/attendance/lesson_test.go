package attendance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/domain/domaintest"
	"zurnals/internal/trace"
)

var givenLesson = domaintest.Given(attendance.Lessons)

var (
	lesson  = domain.NewID[domain.LessonID]()
	anna    = domain.NewID[domain.StudentID]()
	juris   = domain.NewID[domain.StudentID]()
	starts  = time.Date(2025, 9, 1, 5, 30, 0, 0, time.UTC) // 08:30 in Riga
	members = []domain.StudentID{anna, juris}

	schedule = attendance.ScheduleLesson{
		Lesson: lesson, Register: register, School: school, Class: class,
		Date: "2025-09-01", From: "08:30", Until: "09:10", Description: "Daļskaitļi",
		SelfRecording: &attendance.SelfRecording{Password: true, QR: true, AutoStatus: true},
	}
	scheduled = attendance.LessonScheduled{
		Lesson: lesson, Register: register, School: school, Class: class, Audience: attendance.All,
		Date: "2025-09-01", From: "08:30", Until: "09:10", StartsAt: starts, EndsAt: starts.Add(40 * time.Minute),
		Description:   "Daļskaitļi",
		SelfRecording: &attendance.SelfRecording{Generation: 1, Password: true, QR: true, AutoStatus: true},
	}
	set = attendance.StatusSet{Version: 1, Statuses: attendance.DefaultStatuses()}
)

func taken(marks ...attendance.Marked) attendance.MarksTaken {
	return attendance.MarksTaken{Lesson: lesson, Register: register, School: school, Class: class, Marks: marks}
}

func marked(student domain.StudentID, status string) attendance.Marked {
	s, _ := set.Find(status)
	return attendance.Marked{Student: student, Status: status, Set: 1, Points: s.Points, Maximum: 200, Method: attendance.Manual}
}

func take(version int, marks ...attendance.MarkEntry) attendance.TakeMarks {
	return attendance.TakeMarks{Lesson: lesson, Register: register, Version: version, Marks: marks, Members: members, Statuses: set}
}

func entry(student domain.StudentID, status string) attendance.MarkEntry {
	return attendance.MarkEntry{Student: student, Status: status}
}

// TestScheduleLesson: a lesson says for whom, when and what; without an end it
// has none, and it cannot end when it starts.
func TestScheduleLesson(t *testing.T) {
	trace.Covers(t, "ATT-012", "ATT-013", "ATT-014", "ATT-016")
	givenLesson().When(schedule).Then(t, scheduled)
	givenLesson(scheduled).When(schedule).Then(t) // asked twice

	endless, open := schedule, scheduled
	endless.Until, endless.SelfRecording = "", nil
	open.Until, open.EndsAt, open.SelfRecording = "", time.Time{}, nil
	givenLesson().When(endless).Then(t, open)

	for name, c := range map[string]struct {
		change func(*attendance.ScheduleLesson)
		want   error
	}{
		"no day":            {func(c *attendance.ScheduleLesson) { c.Date = "" }, domain.ErrDate},
		"no such day":       {func(c *attendance.ScheduleLesson) { c.Date = "2025-02-30" }, domain.ErrDate},
		"no such time":      {func(c *attendance.ScheduleLesson) { c.From = "24:00" }, attendance.ErrLessonTime},
		"a short time":      {func(c *attendance.ScheduleLesson) { c.From = "8:30" }, attendance.ErrLessonTime},
		"no time":           {func(c *attendance.ScheduleLesson) { c.From = "" }, attendance.ErrLessonTime},
		"left out in March": {func(c *attendance.ScheduleLesson) { c.Date, c.From, c.Until = "2026-03-29", "03:30", "" }, attendance.ErrLessonTime},
		"ends as it starts": {func(c *attendance.ScheduleLesson) { c.Until = "08:30" }, attendance.ErrLessonTime},
		"ends before":       {func(c *attendance.ScheduleLesson) { c.Until = "08:29" }, attendance.ErrLessonTime},
		"another century":   {func(c *attendance.ScheduleLesson) { c.Date = "1999-12-31" }, attendance.ErrLessonTime},
		"for somebody":      {func(c *attendance.ScheduleLesson) { c.Audience = "girls" }, attendance.ErrAudience},
		"a long text":       {func(c *attendance.ScheduleLesson) { c.Description = strings.Repeat("a", 1001) }, domain.ErrTextLong},
		"no way to record": {func(c *attendance.ScheduleLesson) {
			c.SelfRecording = &attendance.SelfRecording{}
		}, attendance.ErrSelfRecording},
		"a code that rotates": {func(c *attendance.ScheduleLesson) {
			c.SelfRecording = &attendance.SelfRecording{QR: true, Rotate: true}
		}, attendance.ErrRotate},
		"open too early": {func(c *attendance.ScheduleLesson) {
			c.SelfRecording = &attendance.SelfRecording{QR: true, EarlyOpen: 1441}
		}, attendance.ErrMinutes},
		"late in the past": {func(c *attendance.ScheduleLesson) {
			c.SelfRecording = &attendance.SelfRecording{QR: true, LateAfter: -1}
		}, attendance.ErrMinutes},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := schedule
			c.change(&cmd)
			givenLesson().When(cmd).ThenRefused(t, c.want)
		})
	}
}

// TestLessonInWinter: 08:30 on the wall is another time of the day in UTC once
// summer time is over.
func TestLessonInWinter(t *testing.T) {
	cmd := schedule
	cmd.Date = "2025-10-27"
	happened, err := attendance.Lessons.Decide(attendance.Lesson{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	if got := happened[0].(attendance.LessonScheduled).StartsAt; !got.Equal(time.Date(2025, 10, 27, 6, 30, 0, 0, time.UTC)) {
		t.Errorf("starts at %s", got)
	}
}

// TestTakeMarks: only what changes becomes an event, at any time, and all of it
// or nothing.
func TestTakeMarks(t *testing.T) {
	trace.Covers(t, "ATT-021", "ATT-022", "ATT-023", "ATT-024", "ATT-028")
	late := marked(juris, "L")
	late.Remark = "autobuss"
	cmd := take(1, entry(anna, "P"), attendance.MarkEntry{Student: juris, Status: "L", Remark: "  autobuss "})
	givenLesson(scheduled).When(cmd).Then(t, taken(marked(anna, "P"), late))

	// Saved again as it is: nothing happens. Changed for one: one mark.
	saved := taken(marked(anna, "P"), late)
	cmd.Version = 2
	givenLesson(scheduled, saved).When(cmd).Then(t)
	givenLesson(scheduled, saved).When(take(2, entry(anna, "E"))).Then(t, taken(marked(anna, "E")))

	// A remark alone is no status.
	remark := attendance.Marked{Student: anna, Remark: "slims", Method: attendance.Manual}
	givenLesson(scheduled).When(take(1, attendance.MarkEntry{Student: anna, Remark: "slims"})).Then(t, taken(remark))

	givenLesson().When(cmd).ThenRefused(t, attendance.ErrNoLesson)
	elsewhere := cmd
	elsewhere.Register = domain.NewID[domain.RegisterID]()
	givenLesson(scheduled, saved).When(elsewhere).ThenRefused(t, attendance.ErrNoLesson)
}

func TestBadMarks(t *testing.T) {
	trace.Covers(t, "A54")
	stranger := domain.NewID[domain.StudentID]()
	cmd := take(1, entry(anna, "P"), entry(stranger, "P"))
	givenLesson(scheduled).When(cmd).ThenRefused(t, attendance.ErrNotMember)

	_, err := attendance.Lessons.Decide(attendance.Lessons.Fold([]attendance.LessonEvent{scheduled}), cmd)
	if refusal := new(domain.Error); !errors.As(err, &refusal) || len(refusal.Details) != 1 ||
		refusal.Details[0].Field != "marks[1].student" || !strings.Contains(refusal.Details[0].Text, stranger.String()) {
		t.Errorf("the pupil of another class is not named: %v", err)
	}

	givenLesson(scheduled).When(take(1)).ThenRefused(t, attendance.ErrMarks)
	givenLesson(scheduled).When(take(1, make([]attendance.MarkEntry, 501)...)).ThenRefused(t, attendance.ErrMarks)
	givenLesson(scheduled).When(take(1, entry(anna, "P"), entry(anna, "A"))).ThenRefused(t, attendance.ErrMarkedTwice)
	givenLesson(scheduled).When(take(1, entry(anna, "X"))).ThenRefused(t, attendance.ErrNoStatus)
	givenLesson(scheduled).When(take(1, attendance.MarkEntry{Student: anna, Remark: strings.Repeat("ā", 501)})).ThenRefused(t, domain.ErrTextLong)
}

// TestTwoInstructorsAtOnce: of two who saw the same, the second is refused,
// unless it is about another pupil or says the same.
func TestTwoInstructorsAtOnce(t *testing.T) {
	trace.Covers(t, "A13")
	history := []attendance.LessonEvent{scheduled, taken(marked(anna, "P"))}
	givenLesson(history...).When(take(1, entry(anna, "A"))).ThenRefused(t, attendance.ErrStale)
	givenLesson(history...).When(take(1, entry(anna, "P"))).Then(t)
	givenLesson(history...).When(take(1, entry(juris, "A"))).Then(t, taken(marked(juris, "A")))
	givenLesson(history...).When(take(2, entry(anna, "A"))).Then(t, taken(marked(anna, "A")))
	givenLesson(history...).When(take(0, entry(anna, "A"))).Then(t, taken(marked(anna, "A")))
	givenLesson(history...).When(take(3, entry(anna, "A"))).ThenRefused(t, attendance.ErrStale)

	// A mark that was taken back has changed too.
	history = append(history, taken(attendance.Marked{Student: anna}))
	givenLesson(history...).When(take(2, entry(anna, "A"))).ThenRefused(t, attendance.ErrStale)
}

// TestTakeMarkBack: a mark can be taken away again, and the history keeps it.
func TestTakeMarkBack(t *testing.T) {
	trace.Covers(t, "A58")
	history := []attendance.LessonEvent{scheduled, taken(marked(anna, "P"))}
	cleared := taken(attendance.Marked{Student: anna})
	givenLesson(history...).When(take(2, entry(anna, ""))).Then(t, cleared)
	givenLesson(append(history, cleared)...).When(take(3, entry(anna, ""))).Then(t)

	before := attendance.Lessons.Fold(history)
	changes := before.Changes(cleared)
	if len(changes) != 1 || changes[0].Was.Status != "P" || !changes[0].Is.None() {
		t.Errorf("history tells %+v", changes)
	}
}

// TestOldMarksKeepTheirStatusSet: a remark added later does not move a mark
// into the new set, and a status that the new set lacks may stay.
func TestOldMarksKeepTheirStatusSet(t *testing.T) {
	history := []attendance.LessonEvent{scheduled, taken(marked(anna, "E"))}
	cmd := take(2, attendance.MarkEntry{Student: anna, Status: "E", Remark: "zīme"}, entry(juris, "P"))
	cmd.Statuses = attendance.StatusSet{Version: 2, Statuses: []attendance.Status{{Acronym: "P", Description: "Ir", Points: 500}}}

	old := marked(anna, "E")
	old.Remark = "zīme"
	givenLesson(history...).When(cmd).Then(t, taken(old,
		attendance.Marked{Student: juris, Status: "P", Set: 2, Points: 500, Maximum: 500, Method: attendance.Manual}))

	cmd.Marks = []attendance.MarkEntry{entry(juris, "E")}
	givenLesson(history...).When(cmd).ThenRefused(t, attendance.ErrNoStatus)
}
