package commands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/roster"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// A lessons is a class with a register, and a lesson that is open now.
type lessons struct {
	*pupils
	instructor access.Actor
	class      access.Scope
	students   []domain.StudentID // of the class
	register   domain.RegisterID
	lesson     domain.LessonID
}

func newLessons(t *testing.T) *lessons {
	t.Helper()
	l := &lessons{pupils: newPupils(t)}
	l.class = l.teacher.Active.Scope
	for stored, err := range l.log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := e.(roster.StudentEnrolled); ok && e.Class == l.class.Class {
			l.students = append(l.students, e.Student)
		}
	}
	admitted, err := l.InviteUser(t.Context(), operator, commands.InviteUser{
		Place: l.class.Workplace(), GivenName: "Inga", FamilyName: "Ozola", PersonalCode: "32000000001", Email: "inga@skola.lv",
	})
	if err == nil {
		_, err = l.GiveRole(t.Context(), operator, commands.GiveRole{Account: admitted.Account, Role: access.ClassTeacher, Place: l.class})
	}
	teacher := access.Actor{Kind: domain.ActorAccount, ID: admitted.Account.UUID}
	if err == nil {
		teacher = l.as(t, teacher, access.ClassTeacher)
		l.register, err = l.OpenRegister(t.Context(), teacher, commands.OpenRegister{
			School: l.school, Class: l.class.Class, RegisterDescription: commands.RegisterDescription{Name: "Matemātika"},
		})
	}
	if err == nil {
		l.instructor = l.as(t, teacher, access.Instructor)
		l.lesson, err = l.ScheduleLesson(t.Context(), l.instructor, commands.ScheduleLesson{
			Register: l.register, Date: "2025-09-01", From: "08:00", Until: "08:40",
			SelfRecording: &commands.SelfRecording{Password: true, QR: true, AutoStatus: true},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// as returns somebody acting in a role that they hold.
func (l *lessons) as(t *testing.T, by access.Actor, role access.Role) access.Actor {
	t.Helper()
	held, err := l.Held(t.Context(), by.Account())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if h.Role == role {
			by.Active = h
		}
	}
	versions, err := l.log.Versions(t.Context(), access.Assignments.Stream(by.Account()))
	if err != nil || by.Active.Role != role {
		t.Fatalf("%s is not held: %v, %v", role, held, err)
	}
	by.Version = versions[0]
	return by
}

// learner gives a pupil an account and returns the pupil as one who asks.
func (l *lessons) learner(t *testing.T, n int, student domain.StudentID) access.Actor {
	t.Helper()
	name := fmt.Sprintf("skolens%d", n)
	if err := l.activate(t, l.issue(t, l.administrator, student).Code, name); err != nil {
		t.Fatal(err)
	}
	id, generation, err := l.signIn(t, name, "zaļa zāle")
	if err != nil {
		t.Fatal(err)
	}
	by, err := l.WhoLearner(t.Context(), id, generation)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func (l *lessons) secret(t *testing.T) commands.LessonSecret {
	t.Helper()
	secret, err := l.LessonSecret(t.Context(), l.instructor, l.lesson)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// present marks pupils as present.
func present(students ...domain.StudentID) (all []commands.MarkEntry) {
	for _, s := range students {
		all = append(all, commands.MarkEntry{Student: s, Status: "P"})
	}
	return all
}

// counting counts the questions that the log is asked.
type counting struct {
	eventstore.Log
	asked []string
}

func (c *counting) ReadStreams(ctx context.Context, streams ...string) (map[string][]eventstore.Event, error) {
	c.asked = append(c.asked, fmt.Sprintf("ReadStreams of %d", len(streams)))
	return c.Log.ReadStreams(ctx, streams...)
}

func (c *counting) Versions(ctx context.Context, streams ...string) ([]int, error) {
	c.asked = append(c.asked, fmt.Sprintf("Versions of %d", len(streams)))
	return c.Log.Versions(ctx, streams...)
}

// TestOneQuestionForAWholeClass: who is in the lesson is asked once, not pupil
// by pupil.
func TestOneQuestionForAWholeClass(t *testing.T) {
	l := newLessons(t)
	count := &counting{Log: l.log}
	l.Log = count
	if err := l.TakeMarks(t.Context(), l.instructor, commands.TakeMarks{Lesson: l.lesson, Marks: present(l.students...)}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("ReadStreams of %d", 2+len(l.students)); strings.Join(count.asked, ", ") != want {
		t.Errorf("asked %v", count.asked)
	}
}

// TestNobodyFromElsewhere: pupils of another class, also one who left this one
// before, are not in the lesson, and nothing is saved.
func TestNobodyFromElsewhere(t *testing.T) {
	trace.Covers(t, "A54")
	l := newLessons(t)
	before, _ := l.log.Head(t.Context())
	for _, stranger := range []domain.StudentID{l.other, domain.NewID[domain.StudentID]()} {
		err := l.TakeMarks(t.Context(), l.instructor, commands.TakeMarks{Lesson: l.lesson, Marks: present(append(l.students, stranger)...)})
		if !errors.Is(err, attendance.ErrNotMember) || !strings.Contains(err.Error(), stranger.String()) {
			t.Errorf("%v", err)
		}
	}
	if after, _ := l.log.Head(t.Context()); after != before {
		t.Errorf("%d events", after-before)
	}
}

// TestAClassRecordsItselfAtOnce: everybody gets in, each once, though each
// sends twice and the instructor saves meanwhile.
func TestAClassRecordsItselfAtOnce(t *testing.T) {
	l := newLessons(t)
	code := l.secret(t).Code
	var learners []access.Actor
	for i, s := range l.students {
		learners = append(learners, l.learner(t, i, s))
	}
	var wg sync.WaitGroup
	var already atomic.Int32
	for _, by := range learners {
		for range 2 {
			wg.Go(func() {
				_, err := l.SelfRecord(t.Context(), by, commands.SelfRecord{Code: code})
				if errors.Is(err, attendance.ErrAlreadyRecorded) {
					already.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Go(func() {
		for _, s := range l.students {
			err := l.TakeMarks(t.Context(), l.instructor, commands.TakeMarks{Lesson: l.lesson, Marks: []commands.MarkEntry{{Student: s, Remark: "klāt"}}})
			if err != nil && !errors.Is(err, attendance.ErrStale) {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	recorded := 0
	for stored, err := range l.log.ReadStream(t.Context(), attendance.Lessons.Stream(l.lesson), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if stored.Type == (attendance.SelfRecorded{}).EventType() {
			recorded++
		}
	}
	// The instructor, who does not say what was seen, may take a mark away that
	// was just made; then the second try of the pupil is recorded too.
	if recorded < len(l.students) || recorded+int(already.Load()) != 2*len(l.students) {
		t.Errorf("%d recorded, %d told that they are, of %d", recorded, already.Load(), len(l.students))
	}
}

// TestSecretsOfALesson: each lesson has its own, always the same, and a made-up
// code of it is worth nothing.
func TestSecretsOfALesson(t *testing.T) {
	trace.Covers(t, "A40", "ATT-017")
	l := newLessons(t)
	secret := l.secret(t)
	if again := l.secret(t); again != secret || len(secret.Password) != 8 || len(secret.Code) != 43 {
		t.Errorf("%+v, then %+v", secret, again)
	}
	next, err := l.ScheduleLesson(t.Context(), l.instructor, commands.ScheduleLesson{
		Register: l.register, Date: "2025-09-02", From: "08:00", SelfRecording: &commands.SelfRecording{Password: true, QR: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := l.LessonSecret(t.Context(), l.instructor, next); err != nil || other.Password == secret.Password || other.Code == secret.Code {
		t.Errorf("%+v, %v", other, err)
	}
	if _, err := l.LessonSecret(t.Context(), l.teacher, l.lesson); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("the class teacher is told: %v", err)
	}

	by := l.learner(t, 1, l.students[0])
	before, _ := l.log.Head(t.Context())
	for _, code := range []string{
		"", "x", secret.Code + "x", secret.Code[1:], strings.Repeat("A", 43),
		secret.Code[:42] + map[bool]string{true: "A", false: "E"}[secret.Code[42] != 'A'], secret.Code[:21] + "A" + secret.Code[22:],
	} {
		_, err := l.SelfRecord(t.Context(), by, commands.SelfRecord{Lesson: l.lesson, Code: code, Password: "nepareiza"})
		if refusal := new(domain.Error); !errors.As(err, &refusal) {
			t.Errorf("%q: %v", code, err)
		}
	}
	l.now = l.now.Add(time.Minute)
	stranger := l.learner(t, 2, l.other)
	mid, _ := l.log.Head(t.Context())
	if _, err := l.SelfRecord(t.Context(), stranger, commands.SelfRecord{Code: secret.Code}); !errors.Is(err, attendance.ErrNotInAudience) {
		t.Errorf("a pupil of another class: %v", err)
	}
	elsewhere := by
	elsewhere.School = domain.NewID[domain.SchoolID]()
	if _, err := l.SelfRecord(t.Context(), elsewhere, commands.SelfRecord{Code: secret.Code}); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("a pupil of another school: %v", err)
	}
	if after, _ := l.log.Head(t.Context()); after != mid || mid != before+4 { // the stranger's account
		t.Errorf("refused, but %d and %d events were appended", mid-before, after-mid)
	}
}

// FuzzLessonCode: whatever is scanned is refused or recorded, and never fails.
func FuzzLessonCode(f *testing.F) {
	for _, code := range []string{"", "AZkABcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_abcd", strings.Repeat("A", 43), "\x00", "https://zurnals.example/a/x"} {
		f.Add(code)
	}
	w := newRosterWorld(f, "org-skola")
	by := access.Actor{Kind: domain.ActorLearner, ID: domain.NewID[domain.LearnerID]().UUID, School: w.school}
	f.Fuzz(func(t *testing.T, code string) {
		_, err := w.SelfRecord(t.Context(), by, commands.SelfRecord{Code: code})
		if refusal := new(domain.Error); !errors.As(err, &refusal) {
			t.Fatalf("%q: %v", code, err)
		}
	})
}

// TestARoleTakenAwayIsRefusedAtOnce: the instructor whose role was taken can no
// longer save, also with a request that was on its way.
func TestARoleTakenAwayIsRefusedAtOnce(t *testing.T) {
	l := newLessons(t)
	scope, err := l.RegisterScope(t.Context(), l.register)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.TakeRole(t.Context(), operator, commands.TakeRole{Account: l.instructor.Account(), Role: access.Instructor, Place: scope}); err != nil {
		t.Fatal(err)
	}
	err = l.TakeMarks(t.Context(), l.instructor, commands.TakeMarks{Lesson: l.lesson, Marks: present(l.students[0])})
	if !errors.Is(err, access.ErrNoRole) {
		t.Errorf("%v", err)
	}
}
