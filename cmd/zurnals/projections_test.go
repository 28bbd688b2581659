package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/domain/roster"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
)

// A school writes what happens in it into the log of an installation, as fast
// as it is asked to.
type school struct {
	*app
	t testing.TB
	n atomic.Int64
}

func newSchool(t testing.TB, i *installation) *school {
	t.Helper()
	var cfg Config
	flags := cfg.flags("test")
	if _, err := parse(&cfg, flags, i.flags); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	s := &school{app: a, t: t}
	s.add("municipality-1", organisation.MunicipalityRegistered{Municipality: town, Name: "Parauga novads"})
	s.add("school-2", organisation.SchoolRegistered{School: place.School, Municipality: town, Name: "Parauga vidusskola"})
	s.add("register-5", attendance.RegisterOpened{Register: place.Register, Municipality: town, School: place.School, Class: place.Class,
		Description: attendance.Description{Name: "Matemātika", GradeType: attendance.GradePoints, GradeMaximum: 50}, Statuses: attendance.DefaultStatuses()})
	for n := range pupils {
		pupil := domain.StudentID{UUID: numbered(11, n)}
		s.add("student-"+pupil.String(),
			roster.StudentRegistered{Student: pupil, School: place.School, SourceID: fmt.Sprint(n), Details: roster.Details{GivenName: "Anna", FamilyName: fmt.Sprintf("Āboliņa %d", n)}},
			roster.StudentEnrolled{Student: pupil, School: place.School, Enrolment: roster.Enrolment{Record: fmt.Sprint(n), Class: place.Class, From: "2025-09-01"}})
	}
	for n := range people {
		account := domain.AccountID{UUID: numbered(13, n)}
		s.add("account-"+account.String(), identity.UserInvited{Account: account, Municipality: town, School: place.School, GivenName: "Juris", FamilyName: "Celms",
			PersonalCode: "32000000001", Email: fmt.Sprintf("juris%d@skola.example", n), LinkExpiresAt: s.clock.Now().Add(identity.LinkLifetime)})
		s.add("access-"+account.String(), access.MembershipStarted{Account: account, Place: access.Scope{Municipality: town, School: place.School}})
	}
	for n := range lessons {
		starts := time.Date(2025, 9, 1+n%28, 5, 30, 0, 0, time.UTC)
		s.add(lesson(n), attendance.LessonScheduled{Lesson: domain.LessonID{UUID: numbered(12, n)}, Register: place.Register, School: place.School, Class: place.Class,
			Audience: attendance.All, Date: domain.DateOf(starts), From: "08:30", Until: "09:10", StartsAt: starts, EndsAt: starts.Add(40 * time.Minute)})
	}
	return s
}

const pupils, lessons, people = 60, 40, 10

var (
	town  = domain.MunicipalityID{UUID: uuid.UUID{15: 1}}
	place = access.Scope{Municipality: town, School: domain.SchoolID{UUID: uuid.UUID{15: 2}},
		Class: domain.ClassID{UUID: uuid.UUID{15: 3}}, Register: domain.RegisterID{UUID: uuid.UUID{15: 5}}}
)

func numbered(kind byte, n int) (id uuid.UUID) {
	id[0] = kind
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

func lesson(n int) string { return "attendance_session-" + numbered(12, n).String() }

// add appends events to a stream and returns the position of the last.
func (s *school) add(stream string, events ...domain.Event) int64 {
	s.t.Helper()
	w := eventstore.Write{Stream: stream, Expected: eventstore.Any}
	var subjects []uuid.UUID
	for _, e := range events {
		for _, subject := range catalogue.All.Subjects(e) {
			subjects = append(subjects, uuid.UUID(subject))
		}
	}
	sealer, err := s.keys.EnsureKeys(context.Background(), subjects...)
	if err != nil {
		s.t.Error(err)
		return 0
	}
	for _, e := range events {
		id := uuid.New()
		schema, data, err := catalogue.All.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
			sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
			if err != nil {
				s.t.Error(err)
			}
			return sealed
		})
		if err != nil {
			s.t.Error(err)
			return 0
		}
		w.Events = append(w.Events, eventstore.NewEvent{ID: id, Type: e.EventType(), Schema: schema, Meta: []byte(`{"actor":"system"}`), Data: data})
	}
	r, err := s.log.Append(context.Background(), eventstore.Request{Subjects: subjects, Writes: []eventstore.Write{w}})
	if err != nil {
		s.t.Error(err)
		return 0
	}
	s.n.Add(int64(len(events)))
	return r.Last
}

// day appends what happens next: marks, mostly.
func (s *school) day(i int) int64 {
	n := i % lessons
	l := domain.LessonID{UUID: numbered(12, n)}
	pupil := domain.StudentID{UUID: numbered(11, i*7%pupils)}
	account := domain.AccountID{UUID: numbered(13, i/10%people)}
	switch i % 10 {
	case 3:
		return s.add(lesson(n), attendance.SelfRecorded{Lesson: l, Register: place.Register, School: place.School, Class: place.Class,
			Student: pupil, Status: "P", Set: 1, Points: 1, Maximum: 2, Method: attendance.QR})
	case 5:
		return s.add("student-"+pupil.String(), roster.StudentDetailsChanged{Student: pupil, School: place.School, Details: roster.Details{GivenName: "Anna", FamilyName: fmt.Sprintf("Bērziņa %d", i)}})
	case 7:
		return s.add("access-"+account.String(), access.RoleGiven{Account: account, Assignment: domain.AssignmentID{UUID: numbered(14, i)},
			Role: access.SupportStaff, Scope: access.Scope{Municipality: town, School: place.School}})
	default:
		var marks []attendance.Marked
		for k := range 3 {
			marks = append(marks, attendance.Marked{Student: domain.StudentID{UUID: numbered(11, (i*3+k)%pupils)}, Status: []string{"P", "L"}[i%2], Set: 1,
				Points: attendance.DefaultStatuses()[0].Points, Maximum: 2, Method: attendance.Manual})
		}
		return s.add(lesson(n), attendance.MarksTaken{Lesson: l, Register: place.Register, School: place.School, Class: place.Class, Marks: marks})
	}
}

// works writes so many times a second until stop is called, which returns the
// last position and how many events a second there were.
func (s *school) works(rate int) (stop func() (int64, float64)) {
	done := make(chan struct{})
	var writers sync.WaitGroup
	var last, next atomic.Int64
	before, began := s.n.Load(), time.Now()
	for range 16 {
		writers.Go(func() {
			for {
				i := next.Add(1)
				due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
				select {
				case <-time.After(time.Until(due)):
				case <-done:
					return
				}
				at := s.day(int(i))
				for {
					seen := last.Load()
					if at <= seen || last.CompareAndSwap(seen, at) {
						break
					}
				}
			}
		})
	}
	over := sync.OnceFunc(func() { close(done); writers.Wait() })
	s.t.Cleanup(over)
	return func() (int64, float64) {
		over()
		return last.Load(), float64(s.n.Load()-before) / time.Since(began).Seconds()
	}
}

// all says that all read models have tables that have seen a position.
func (s *school) all(position int64) bool {
	seen, err := s.engine.Look(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range seen {
		if m.Position < position {
			return false
		}
	}
	return true
}

// right checks that all read models are what the log makes of them.
func (s *school) right() {
	s.t.Helper()
	for _, m := range s.engine.Status() {
		report, err := s.engine.Rebuild(s.t.Context(), m.Name)
		if err != nil {
			s.t.Errorf("%s: %v", m.Name, err)
		} else if !report.Compared || len(report.Different) > 0 {
			s.t.Errorf("%s: compared %t, different %v", m.Name, report.Compared, report.Different)
		}
	}
}

// All read models of the program are rebuilt, one after the other, while 500
// events a second are written: nothing is lost and nothing doubled.
func TestRebuildsWhileTheSchoolWorks(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	s := newSchool(t, i)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.engine.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := s.engine.WaitFor(ctx, s.n.Load()); err != nil {
		t.Fatal(err)
	}
	stop := s.works(500)
	var blocked time.Duration
	for round := range 2 {
		for _, m := range s.engine.Status() {
			report, err := s.engine.Rebuild(ctx, m.Name)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Different) > 0 {
				t.Errorf("%s, round %d: different %v", m.Name, round, report.Different)
			}
			blocked = max(blocked, report.Blocked)
		}
	}
	last, rate := stop()
	waiting, stopWaiting := context.WithTimeout(ctx, 20*time.Second)
	defer stopWaiting()
	if err := s.engine.WaitFor(waiting, last); err != nil {
		t.Fatalf("%v: %+v", err, s.engine.Status())
	}
	s.right()
	t.Logf("%.0f events/s, queries blocked for %v at most", rate, blocked)
}

// A rebuild is killed with -9 at three moments: it has begun, has filled the new
// tables, waits to swap them in. The server goes on with the
// tables that it has, and the next rebuild is as if nothing had been.
func TestRebuildIsKilled(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	s := newSchool(t, i)
	for range 20 {
		var many []domain.Event
		for range 500 {
			many = append(many, roster.StudentDetailsChanged{Student: domain.StudentID{UUID: numbered(11, 1)}, School: place.School})
			many = append(many, attendance.SelfRecorded{Lesson: domain.LessonID{UUID: numbered(12, len(many)%lessons)}, Register: place.Register, School: place.School, Class: place.Class,
				Student: domain.StudentID{UUID: numbered(11, len(many)%pupils)}, Status: "P", Set: 1, Points: 1, Maximum: 2, Method: attendance.QR})
		}
		s.add(lesson(0), many...)
	}
	_, server := i.serves()
	ready := func() {
		eventually(t, "the server is ready", func() bool {
			answer, err := patient.Get(server.Private + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
	ready()
	stop := s.works(100)
	for n, moment := range []struct{ name, sql string }{
		{"it has begun", "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = hashtext('zurnals projection')::oid AND objid = hashtext('attendance')::oid)"},
		{"the new tables are filled", "SELECT EXISTS (SELECT FROM projection.checkpoint WHERE schema = 'rm_attendance_v1_new')"},
		{"it waits to swap", "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'rm_attendance_v1.gate'::regclass)"},
	} {
		// Somebody reads all the time, so that the swap has to wait.
		reader, err := s.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Exec(t.Context(), "LOCK TABLE rm_attendance_v1.gate IN ACCESS SHARE MODE"); err != nil {
			t.Fatal(err)
		}
		rebuild := i.beside().starts("projections", "rebuild", "attendance")
		eventually(t, moment.name, func() (now bool) {
			if err := s.pool.QueryRow(t.Context(), moment.sql).Scan(&now); err != nil {
				t.Fatal(err)
			}
			return now
		})
		rebuild.kill()
		if err := reader.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
		at := s.day(n)
		eventually(t, "the old tables follow", func() bool { return s.all(at) })
		ready()
	}
	last, _ := stop()
	eventually(t, "all is seen", func() bool { return s.all(last) })
	eventually(t, "nothing is left of the rebuild", func() bool {
		var left bool
		if err := s.pool.QueryRow(t.Context(), "SELECT to_regnamespace('rm_attendance_v1_new') IS NOT NULL OR EXISTS (SELECT FROM projection.build)").Scan(&left); err != nil {
			t.Fatal(err)
		}
		return !left
	})
	s.right()
}

// Two servers share the read models. Each is killed with -9 in turn: the other
// takes its part over, and nothing happens twice.
func TestServersShareAndTakeOver(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	s := newSchool(t, i)
	both := []*installation{i.beside(), i.beside()}
	servers := make([]*process, 2)
	for n := range both {
		servers[n], _ = both[n].serves()
	}
	holders := func() (n int) {
		if err := s.pool.QueryRow(t.Context(), "SELECT count(DISTINCT holder) FROM projection.checkpoint WHERE retired_at IS NULL AND holder IN (SELECT id FROM projection.node WHERE seen > clock_timestamp() - interval '1 second')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	whose := func() (n int) {
		if err := s.pool.QueryRow(t.Context(), "SELECT count(DISTINCT holder) FROM projection.checkpoint WHERE retired_at IS NULL").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	stop := s.works(100)
	var pauses []time.Duration
	for n := range 4 {
		eventually(t, "they share the work", func() bool { return holders() == 2 })
		servers[n%2].kill()
		pauses = append(pauses, eventually(t, "the other has taken all over", func() bool { return whose() == 1 }))
		at := s.day(n)
		eventually(t, "all is seen", func() bool { return s.all(at) })
		servers[n%2], _ = both[n%2].serves()
	}
	// One hangs, as a machine that swaps does: it is missed after a second, and
	// when it wakes up, it finds that it has nothing to do.
	eventually(t, "they share the work", func() bool { return holders() == 2 })
	hung := servers[0].cmd.Process
	if err := hung.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "the other has taken all over", func() bool { return whose() == 1 })
	at := s.day(5)
	eventually(t, "all is seen", func() bool { return s.all(at) })
	if err := hung.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they share the work again", func() bool { return holders() == 2 })
	t.Logf("from the one that hung after %v", took)

	slices.Sort(pauses)
	t.Logf("taken over after %v", pauses)
	// Half of them: a machine that does much else may stop everybody for a while.
	if pauses[(len(pauses)-1)/2] > time.Second {
		t.Errorf("it takes too long: %v", pauses)
	}
	last, _ := stop()
	eventually(t, "all is seen", func() bool { return s.all(last) })
	s.right()
}

// The command line beside a server: what it says is done there.
func TestProjectionCommands(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	s := newSchool(t, i)
	if out := i.does("projections", "prepare"); !strings.Contains(out, "attendance: version 1 built up to") {
		t.Errorf("prepare: %s", out)
	}
	if out := i.does("projections", "prepare"); !strings.Contains(out, "attendance: version 1 is there") {
		t.Errorf("prepare again: %s", out)
	}
	if out := i.does("projections", "list"); strings.Count(out, "idle") != len(readModels) {
		t.Errorf("without a server: %s", out)
	}
	i.serves()
	beside := i.beside()
	says := func(part string, words ...string) {
		t.Helper()
		if out := beside.does(words...); !strings.Contains(out, part) {
			t.Errorf("zurnals %s: %s", strings.Join(words, " "), out)
		}
	}
	says("stands still", "projections", "pause", "attendance")
	at := s.day(1)
	eventually(t, "the others go on", func() bool {
		out := []byte(beside.does("projections", "list"))
		return bytes.Count(out, []byte("running")) == len(readModels)-1 && bytes.Contains(out, []byte("paused"))
	})
	if s.all(at) {
		t.Error("it does not stand still")
	}
	says("goes on", "projections", "resume", "attendance")
	eventually(t, "it goes on", func() bool { return s.all(at) })
	says("They equal those", "projections", "rebuild", "attendance")
	says("former tables", "projections", "rollback", "attendance")
	says("swap attendance` puts them in use", "projections", "rebuild", "-no-swap", "attendance")
	at = s.day(4)
	eventually(t, "it follows on", func() bool { return s.all(at) })
	says("new tables are in use", "projections", "swap", "attendance")
	says("former tables", "projections", "rollback", "attendance")
	at = s.day(2)
	eventually(t, "it follows on", func() bool { return s.all(at) })
	says("waiting", "projections", "parked")
	for words, want := range map[string]string{
		"rebuild nothing": "no such projection", "pause nothing": "no such projection", "swap staff": "no new tables", "rollback staff": "no former version",
		"replay staff account-1": "not parked", "parked nothing": "no such projection", "resume": "usage",
	} {
		if out, err := beside.run(append([]string{"projections"}, strings.Fields(words)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("projections %s: %s, %v", words, out, err)
		}
	}
}
