package attendance_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/domain/attendance"
	"zurnals/internal/trace"
)

func selfRecord(after time.Duration) attendance.SelfRecord {
	return attendance.SelfRecord{
		Lesson: lesson, Student: anna, Member: true, Method: attendance.Password,
		Statuses: set, Address: "192.0.2.7", At: starts.Add(after),
	}
}

func recorded(status string) attendance.SelfRecorded {
	s, _ := set.Find(status)
	return attendance.SelfRecorded{
		Lesson: lesson, Register: register, School: school, Class: class, Student: anna,
		Status: status, Set: 1, Points: s.Points, Maximum: 200, Method: attendance.Password, Address: "192.0.2.7",
	}
}

// selfLesson is the lesson with other self-recording.
func selfLesson(change func(*attendance.LessonScheduled)) attendance.LessonScheduled {
	e := scheduled
	self := *scheduled.SelfRecording
	e.SelfRecording = &self
	change(&e)
	return e
}

// TestWindow: from the start, inclusive, to the end, exclusive.
func TestWindow(t *testing.T) {
	trace.Covers(t, "A33", "A37", "ATT-041")
	const second, lasts = time.Second, 40 * time.Minute
	givenLesson(scheduled).When(selfRecord(-second)).ThenRefused(t, attendance.ErrNotOpen)
	givenLesson(scheduled).When(selfRecord(0)).Then(t, recorded("P"))
	givenLesson(scheduled).When(selfRecord(second)).Then(t, recorded("P"))
	givenLesson(scheduled).When(selfRecord(lasts-second)).Then(t, recorded("P"))
	givenLesson(scheduled).When(selfRecord(lasts)).ThenRefused(t, attendance.ErrClosed)
	givenLesson(scheduled).When(selfRecord(lasts+second)).ThenRefused(t, attendance.ErrClosed)

	early := selfLesson(func(e *attendance.LessonScheduled) { e.SelfRecording.EarlyOpen = 10 })
	givenLesson(early).When(selfRecord(-10*time.Minute-1)).ThenRefused(t, attendance.ErrNotOpen)
	givenLesson(early).When(selfRecord(-10*time.Minute)).Then(t, recorded("P"))

	endless := selfLesson(func(e *attendance.LessonScheduled) { e.Until, e.EndsAt = "", time.Time{} })
	givenLesson(endless).When(selfRecord(time.Hour-second)).Then(t, recorded("P"))
	givenLesson(endless).When(selfRecord(time.Hour)).ThenRefused(t, attendance.ErrClosed)
}

// TestWindowsOfReference compares the window and the best status with those
// measured from the reference. At the very second of the start ours is open:
// whoever is there when the bell rings is not early (S-20).
func TestWindowsOfReference(t *testing.T) {
	limited := attendance.StatusSet{Version: 1, Statuses: []attendance.Status{
		{Acronym: "P", Description: "Apmeklēts", Points: 200, Self: 10},
		{Acronym: "L", Description: "Kavēts", Points: 100, Self: 25},
		{Acronym: "E", Description: "Attaisnots", Points: 100, Self: attendance.Never},
		{Acronym: "A", Description: "Neieradās", Points: 0, Self: attendance.Always},
	}}
	endless := selfLesson(func(e *attendance.LessonScheduled) { e.Until, e.EndsAt = "", time.Time{} })
	cases := 0
	for _, c := range golden[struct {
		Offset  *int   `json:"offset_s"`
		NoEnd   *int   `json:"no_duration_offset_s"`
		Can     bool   `json:"can_mark"`
		Highest string `json:"auto_highest"`
	}](t, "windows.jsonl") {
		on, offset := scheduled, c.Offset
		if offset == nil {
			on, offset = endless, c.NoEnd
		}
		if offset == nil {
			continue // a shared network address: not decided here
		}
		cases++
		cmd := selfRecord(time.Duration(*offset) * time.Second)
		cmd.Statuses = limited
		can := c.Can || *offset == 0
		happened, err := attendance.Lessons.Decide(attendance.Lessons.Fold([]attendance.LessonEvent{on}), cmd)
		if can != (err == nil) {
			t.Errorf("after %d s: %v, want open = %v", *offset, err, can)
			continue
		}
		if can && c.Highest != "" {
			if got := happened[0].(attendance.SelfRecorded).Status; got != c.Highest {
				t.Errorf("after %d s: status %s, want %s", *offset, got, c.Highest)
			}
		}
	}
	if cases != 20 {
		t.Errorf("%d cases", cases)
	}
}

// TestLateAfter: the limit of the lesson is one of the best status, inclusive.
func TestLateAfter(t *testing.T) {
	late := selfLesson(func(e *attendance.LessonScheduled) { e.SelfRecording.LateAfter = 10 })
	givenLesson(late).When(selfRecord(10*time.Minute)).Then(t, recorded("P"))
	givenLesson(late).When(selfRecord(10*time.Minute+1)).Then(t, recorded("L"))

	never := selfRecord(time.Minute)
	never.Statuses = attendance.StatusSet{Version: 2, Statuses: []attendance.Status{{Acronym: "P", Description: "Ir", Points: 100}}}
	givenLesson(late).When(never).ThenRefused(t, attendance.ErrStatusNotNow)
}

// TestOwnLessonOnly: nobody records themself where they do not belong, or in a
// way that the instructor did not allow.
func TestOwnLessonOnly(t *testing.T) {
	trace.Covers(t, "A47", "ATT-033")
	stranger := selfRecord(time.Minute)
	stranger.Member = false
	givenLesson(scheduled).When(stranger).ThenRefused(t, attendance.ErrNotInAudience)
	givenLesson().When(selfRecord(time.Minute)).ThenRefused(t, attendance.ErrNoLesson)

	off := selfLesson(func(e *attendance.LessonScheduled) { e.SelfRecording = nil })
	givenLesson(off).When(selfRecord(time.Minute)).ThenRefused(t, attendance.ErrNotSelf)
	codeOnly := selfLesson(func(e *attendance.LessonScheduled) { e.SelfRecording.Password = false })
	givenLesson(codeOnly).When(selfRecord(time.Minute)).ThenRefused(t, attendance.ErrNotSelf)
	byCode, scanned := selfRecord(time.Minute), recorded("P")
	byCode.Method, scanned.Method = attendance.QR, attendance.QR
	givenLesson(codeOnly).When(byCode).Then(t, scanned)
	byCode.Method = attendance.Manual
	givenLesson(codeOnly).When(byCode).ThenRefused(t, attendance.ErrNotSelf)
}

// TestRecordAgain: once is enough, unless the lesson allows to record again;
// then history has both.
func TestRecordAgain(t *testing.T) {
	trace.Covers(t, "A39")
	givenLesson(scheduled, recorded("L")).When(selfRecord(time.Minute)).ThenRefused(t, attendance.ErrAlreadyRecorded)

	again := selfLesson(func(e *attendance.LessonScheduled) {
		e.SelfRecording.OwnUpdates, e.SelfRecording.AutoStatus = true, false
	})
	choose := selfRecord(time.Minute)
	choose.Status = "P"
	givenLesson(again, recorded("L")).When(choose).Then(t, recorded("P"))
	givenLesson(again, recorded("P")).When(choose).Then(t)
	choose.Status = "L"
	givenLesson(again, recorded("P")).When(choose).Then(t, recorded("L"))
	choose.Status = "E"
	givenLesson(again).When(choose).ThenRefused(t, attendance.ErrStatusNotNow)
	choose.Status = "X"
	givenLesson(again).When(choose).ThenRefused(t, attendance.ErrNoStatus)
	choose.Status = "P"
	givenLesson(scheduled).When(choose).ThenRefused(t, attendance.ErrStatusChosen)

	// Who scans again later does not become late by it.
	later := selfLesson(func(e *attendance.LessonScheduled) {
		e.SelfRecording.OwnUpdates, e.SelfRecording.LateAfter = true, 10
	})
	givenLesson(later, recorded("P")).When(selfRecord(20 * time.Minute)).Then(t)
}

// TestInstructorHasTheLastWord: a mark of the instructor stands against the
// pupil, and replaces the pupil's; that the pupil recorded themself stays in
// history, and a remark does not touch it.
func TestInstructorHasTheLastWord(t *testing.T) {
	trace.Covers(t, "A52", "ATT-048", "ATT-050")
	givenLesson(scheduled, taken(marked(anna, "A"))).When(selfRecord(time.Minute)).ThenRefused(t, attendance.ErrMarkStands)
	givenLesson(scheduled, recorded("P")).When(take(2, entry(anna, "A"))).Then(t, taken(marked(anna, "A")))

	remarked := marked(anna, "P")
	remarked.Remark, remarked.Method = "bez mājasdarba", attendance.Password
	givenLesson(scheduled, recorded("P")).
		When(take(2, attendance.MarkEntry{Student: anna, Status: "P", Remark: "bez mājasdarba"})).
		Then(t, taken(remarked))

	// A remark alone is in nobody's way, and stays.
	note := attendance.Marked{Student: anna, Remark: "kavēs", Method: attendance.Manual}
	givenLesson(scheduled, taken(note)).When(selfRecord(time.Minute)).Then(t, recorded("P"))
	after := attendance.Lessons.Fold([]attendance.LessonEvent{scheduled, taken(note), recorded("P")})
	if m := after.Marks[anna]; m.Remark != "kavēs" || m.Status != "P" || !m.Method.Self() {
		t.Errorf("mark is %+v", m)
	}
}

// TestStateIsNotShared: a state that somebody keeps does not change when events
// are folded onto it.
func TestStateIsNotShared(t *testing.T) {
	kept := attendance.Lessons.Fold([]attendance.LessonEvent{scheduled, recorded("P")})
	attendance.Lessons.Evolve(kept, taken(marked(anna, "A"), marked(juris, "A")))
	if len(kept.Marks) != 1 || kept.Marks[anna].Status != "P" {
		t.Errorf("kept state has changed: %+v", kept.Marks)
	}
}

// golden reads the cases of a file of testdata.
func golden[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c T
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// FuzzSchedule has any day and time put into a lesson: it is refused as a
// person's mistake, or kept as it was written.
func FuzzSchedule(f *testing.F) {
	f.Add("2025-09-01", "08:30", "09:10")
	f.Add("2025-10-26", "03:30", "03:31")
	f.Add("2026-03-29", "03:30", "")
	f.Add("0000-00-00", "99:99", "\xff")
	f.Fuzz(func(t *testing.T, date, from, until string) {
		cmd := schedule
		cmd.Date, cmd.From, cmd.Until = domain.Date(date), from, until
		happened, err := attendance.Lessons.Decide(attendance.Lesson{}, cmd)
		if err != nil {
			if refusal := new(domain.Error); !errors.As(err, &refusal) || refusal.Kind != domain.Invalid {
				t.Fatalf("%q %q %q: %v", date, from, until, err)
			}
			return
		}
		e := happened[0].(attendance.LessonScheduled)
		if got := e.StartsAt.In(domain.Riga).Format("2006-01-02 15:04"); got != date+" "+from {
			t.Fatalf("%q %q starts %s", date, from, got)
		}
		if !e.EndsAt.IsZero() && !e.EndsAt.After(e.StartsAt) {
			t.Fatalf("%q %q %q ends before it starts", date, from, until)
		}
	})
}
