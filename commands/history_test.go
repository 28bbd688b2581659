package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/domain/audit"
	"zurnals/eventstore"
	"zurnals/internal/trace"
)

// auditor is somebody who may read histories at a place.
func auditor(at access.Scope) access.Actor { return staff(access.Auditor, at) }

// told writes entries in short: the type, and what has changed.
func told(entries []commands.Entry, fields ...string) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Type)
		for _, c := range e.Changes {
			for _, f := range fields {
				if c.Field == f {
					fmt.Fprintf(&b, " %s:%s>%s", f, c.Old, c.New)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (w *staffWorld) head() int64 {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	w.must(err)
	return head
}

func (w *staffWorld) accountHistory(by access.Actor, account domain.AccountID, page commands.HistoryPage) commands.History {
	w.t.Helper()
	h, err := w.AccountHistory(w.t.Context(), by, account, page)
	w.must(err)
	return h
}

// Who was it, when, in which role, what was it before: of a member of staff who
// is invited, gets a role from an administrator and loses it again.
func TestHistoryOfAnAccount(t *testing.T) {
	trace.Covers(t, "EMU-043")
	w := newStaffWorld(t)
	here := w.at(w.school)
	_, admin := w.registered(here, commands.NewRole{Role: access.SchoolAdmin})
	laura, err := w.InviteUser(t.Context(), admin, w.newcomer(here))
	w.must(err)
	w.wait(time.Minute)
	give := commands.GiveRole{Account: laura.Account, Role: access.ClassTeacher, Place: access.Scope{Class: w.class}}
	assignment, err := w.GiveRole(t.Context(), admin, give)
	w.must(err)
	w.wait(time.Minute)
	w.must(w.TakeRole(t.Context(), admin, commands.TakeRole(give)))

	h := w.accountHistory(auditor(here), laura.Account, commands.HistoryPage{})
	class := w.class.String()
	want := `identity.user_invited given_name:>A. email:>a***@skola.lv
access.membership_started
access.role_given role:>emu.class_teacher scope.class:>` + class + `
access.role_taken role:emu.class_teacher> scope.class:` + class + `>
access.membership_ended
`
	if got := told(h.Entries, "given_name", "email", "role", "scope.class"); got != want || h.Next != 0 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	given := h.Entries[2]
	if given.By.ActorID != admin.ID || given.By.Actor != domain.ActorAccount || given.By.Role != string(access.SchoolAdmin) ||
		given.By.Assignment != admin.Active.ID || given.Name != "A. B." || !given.At.Equal(w.now.Add(-time.Minute)) {
		t.Errorf("%+v", given)
	}
	if e := h.Entries[3]; e.Changes[len(e.Changes)-1].Old == "" && !strings.Contains(fmt.Sprint(e.Changes), assignment.String()) {
		t.Errorf("%+v", e)
	}
	for _, personal := range []string{"Anna", "Bērziņa", "anna1@", "anna2@", fmt.Sprintf("32%09d", w.people)} {
		if strings.Contains(fmt.Sprintf("%+v", h), personal) {
			t.Errorf("%s is told", personal)
		}
	}
	if !strings.Contains(fmt.Sprint(h.Entries[0].Changes), "320000-*****") {
		t.Errorf("the code is not masked as everywhere: %+v", h.Entries[0].Changes)
	}
}

// The reading is an event of its own, each time; a refused one is not.
func TestReadingIsRecorded(t *testing.T) {
	w := newStaffWorld(t)
	here := w.at(w.school)
	laura, _ := w.registered(here)
	by := auditor(here)
	before := w.head()
	first := w.accountHistory(by, laura, commands.HistoryPage{Limit: 2})
	w.accountHistory(by, laura, commands.HistoryPage{Limit: 2})
	if first.AsOf != before || len(first.Entries) != 2 || w.head() != before+2 {
		t.Errorf("%d entries as of %d, head %d", len(first.Entries), first.AsOf, w.head())
	}
	stored, err := eventstore.Collect(w.log.ReadStream(t.Context(), audit.Readings.Stream(by.ID), 1))
	w.must(err)
	e, err := w.Catalogue.Decode(stored[0].Type, stored[0].Schema, stored[0].Data)
	w.must(err)
	want := audit.HistoryRead{Account: laura, Municipality: w.municipality, School: w.school, AsOf: before, Entries: 2, Last: first.Next}
	if e != want || !strings.Contains(string(stored[0].Meta), string(access.Auditor)) {
		t.Errorf("%+v, want %+v, by %s", e, want, stored[0].Meta)
	}

	by.Command = uuid.New() // one request sent twice
	before = w.head()
	w.accountHistory(by, laura, commands.HistoryPage{})
	w.accountHistory(by, laura, commands.HistoryPage{})
	if w.head() != before+1 {
		t.Errorf("%d events of one command", w.head()-before)
	}

	for name, c := range map[string]struct {
		by      access.Actor
		account domain.AccountID
		want    error
	}{
		"another school":                      {auditor(w.at(w.other)), laura, access.ErrElsewhere},
		"another municipality":                {auditor(access.Scope{Municipality: domain.NewID[domain.MunicipalityID]()}), laura, access.ErrElsewhere},
		"nobody":                              {auditor(here), domain.NewID[domain.AccountID](), access.ErrElsewhere},
		"an administrator":                    {staff(access.SchoolAdmin, here), laura, access.ErrForbidden},
		"an administrator, whom there is not": {staff(access.SchoolAdmin, here), domain.NewID[domain.AccountID](), access.ErrForbidden},
		"a pupil":                             {access.Actor{Kind: domain.ActorLearner, ID: uuid.New()}, laura, access.ErrForbidden},
	} {
		w.refused(c.want, func() error {
			_, err := w.AccountHistory(t.Context(), c.by, c.account, commands.HistoryPage{})
			if err == nil {
				t.Errorf("%s was answered", name)
			}
			return err
		})
	}
	w.refused(access.ErrForbidden, func() error { _, err := w.LogHistory(t.Context(), auditor(here), commands.HistoryPage{}); return err })
	w.refused(access.ErrForbidden, func() error {
		_, err := w.StreamHistory(t.Context(), auditor(here), "school-"+w.school.String(), commands.HistoryPage{})
		return err
	})
	w.refused(access.ErrElsewhere, func() error {
		_, err := w.StreamHistory(t.Context(), operator, "school-"+uuid.NewString(), commands.HistoryPage{})
		return err
	})
}

// An auditor of one school reads of somebody who works at two what concerns
// this school. A sign-in concerns it only until the other one knew the person.
func TestAuditorReadsWhatConcernsTheSchool(t *testing.T) {
	w := newStaffWorld(t)
	laura, _ := w.registered(w.at(w.school), commands.NewRole{Role: access.SupportStaff})
	other := w.at(w.other)
	invite := w.newcomer(other)
	invite.Email, invite.PersonalCode = "anna1@skola.lv", "32000000001"
	_, err := w.InviteUser(t.Context(), operator, invite)
	w.must(err)
	_, err = w.GiveRole(t.Context(), operator, commands.GiveRole{Account: laura, Role: access.SchoolManagement, Place: other})
	w.must(err)
	w.signIn("anna1@skola.lv")

	const mine = `identity.user_invited
access.membership_started
access.role_given role:>emu.support_staff
`
	const signs = `identity.registration_confirmed
identity.login_code_issued
identity.login_code_accepted
identity.signed_in
`
	const theirs = `identity.user_attached
access.membership_started
access.role_given role:>emu.school_management
`
	for name, c := range map[string]struct {
		by   access.Actor
		want string
	}{
		"the first school":  {auditor(w.at(w.school)), mine + signs},
		"the second school": {auditor(other), theirs},
		"the municipality":  {auditor(access.Scope{Municipality: w.municipality}), mine + signs + theirs + "identity.signed_in\n"},
		"the installation":  {auditor(access.Scope{}), mine + signs + theirs + "identity.signed_in\n"},
	} {
		got := told(w.accountHistory(c.by, laura, commands.HistoryPage{}).Entries, "role")
		if got != c.want {
			t.Errorf("%s reads\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// As of a position or a time: the event at the boundary is there, the next not.
func TestAsOf(t *testing.T) {
	w := newStaffWorld(t)
	here := w.at(w.school)
	invited, err := w.InviteUser(t.Context(), operator, w.newcomer(here))
	w.must(err)
	position, at := w.head(), w.now
	w.wait(time.Hour)
	_, err = w.GiveRole(t.Context(), operator, commands.GiveRole{Account: invited.Account, Role: access.SupportStaff, Place: here})
	w.must(err)

	for asOf, want := range map[string]int{
		"":                       3,
		"0":                      0,
		fmt.Sprint(position - 1): 1,
		fmt.Sprint(position):     2,
		fmt.Sprint(position + 1): 3,
		"9223372036854775807":    3,
		at.Format(time.RFC3339):  2,
		at.Add(-time.Second).Format(time.RFC3339):            0,
		at.Add(time.Hour - time.Second).Format(time.RFC3339): 2,
		"2025-09-01T09:00:00+03:00":                          3,
		"2025-08-31":                                         0,
		"2025-09-01":                                         3,
		"0001-01-01T00:00:00Z":                               0,
		"9999-12-31T23:59:59Z":                               3,
	} {
		moment, err := commands.ParseAsOf(asOf)
		w.must(err)
		h := w.accountHistory(auditor(here), invited.Account, commands.HistoryPage{AsOf: moment})
		if len(h.Entries) != want {
			t.Errorf("as of %q: %d events, want %d", asOf, len(h.Entries), want)
		}
	}
	for _, bad := range []string{"-1", "yesterday", "2025-02-30", "2025-09-01 08:00", "1e3", "9223372036854775808"} {
		if _, err := commands.ParseAsOf(bad); !errors.Is(err, commands.ErrAsOf) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseAsOf(f *testing.F) {
	for _, s := range []string{"", "0", "17", "2025-09-01", "2025-09-01T08:40:00Z", "2025-09-01T08:40:00.5+03:00", "-1", "9999-12-31", "0001-01-01"} {
		f.Add(s)
	}
	w := &commands.Commands{Log: eventstore.NewMemory(time.Now, nil)}
	f.Fuzz(func(t *testing.T, s string) {
		asOf, err := commands.ParseAsOf(s)
		if err != nil && !errors.Is(err, commands.ErrAsOf) {
			t.Error(err)
		}
		if position, err := w.Position(t.Context(), asOf); err != nil || position != 0 {
			t.Errorf("%q is position %d of an empty log, %v", s, position, err)
		}
	})
}

// Pages follow each other without gap and without overlap, wherever they are cut.
func TestPagesOfAHistory(t *testing.T) {
	w := newStaffWorld(t)
	here := w.at(w.school)
	laura, _ := w.registered(here, commands.NewRole{Role: access.SupportStaff})
	whole := told(w.accountHistory(auditor(here), laura, commands.HistoryPage{}).Entries, "role")
	for limit := 1; limit <= 9; limit++ {
		var pages strings.Builder
		for page := (commands.HistoryPage{Limit: limit}); ; {
			h := w.accountHistory(auditor(here), laura, page)
			pages.WriteString(told(h.Entries, "role"))
			if len(h.Entries) > limit {
				t.Errorf("%d entries on a page of %d", len(h.Entries), limit)
			}
			if page.After = h.Next; h.Next == 0 {
				break
			}
		}
		if pages.String() != whole {
			t.Errorf("in pages of %d:\n%s\nwant\n%s", limit, pages.String(), whole)
		}
	}
	h, err := w.LogHistory(t.Context(), auditor(access.Scope{}), commands.HistoryPage{Limit: 1000})
	w.must(err)
	if len(h.Entries) != 200 && h.Next != 0 || h.Entries[0].Position != 1 || int64(len(h.Entries)) != h.AsOf {
		t.Errorf("%d of the log, next %d, as of %d", len(h.Entries), h.Next, h.AsOf)
	}
	none, err := commands.ParseAsOf("0")
	w.must(err)
	if h, err := w.LogHistory(t.Context(), auditor(access.Scope{}), commands.HistoryPage{AsOf: none}); err != nil || len(h.Entries) != 0 {
		t.Errorf("%d events before the first, %v", len(h.Entries), err)
	}
}

// Of somebody who was erased it is still told what happened, not to whom.
func TestHistoryOfTheErased(t *testing.T) {
	w := newStaffWorld(t)
	here := w.at(w.school)
	laura, _ := w.registered(here)
	_, err := w.log.Append(t.Context(), eventstore.Request{Command: uuid.New(), Erase: []uuid.UUID{laura.UUID}})
	w.must(err)
	h := w.accountHistory(auditor(here), laura, commands.HistoryPage{})
	if e := h.Entries[0]; !e.Erased || strings.Contains(fmt.Sprint(e.Changes), "email") || len(h.Entries) != 6 {
		t.Errorf("%+v", h.Entries)
	}
}

// A lesson of pupils with the teacher who keeps its register.
func (p *pupils) lesson(t *testing.T) (domain.LessonID, access.Actor) {
	t.Helper()
	class := p.teacher.Active.Scope
	admitted, err := p.InviteUser(t.Context(), p.admin, commands.InviteUser{
		Place: class.Workplace(), GivenName: "Ilze", FamilyName: "Ozola", PersonalCode: "32000000001", Email: "ilze@skola.lv"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.GiveRole(t.Context(), p.admin, commands.GiveRole{Account: admitted.Account, Role: access.ClassTeacher, Place: class}); err != nil {
		t.Fatal(err)
	}
	// acting is Ilze in the role that was given last.
	acting := func() access.Actor {
		t.Helper()
		held, err := p.Held(t.Context(), admitted.Account)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := p.log.Versions(t.Context(), access.Assignments.Stream(admitted.Account))
		if err != nil {
			t.Fatal(err)
		}
		return access.Actor{Kind: domain.ActorAccount, ID: admitted.Account.UUID, Active: held[len(held)-1], Version: versions[0]}
	}
	register, err := p.OpenRegister(t.Context(), acting(), commands.OpenRegister{School: p.school, Class: class.Class,
		RegisterDescription: commands.RegisterDescription{Name: "Matemātika"}})
	if err != nil {
		t.Fatal(err)
	}
	instructor := acting()
	lesson, err := p.ScheduleLesson(t.Context(), instructor, commands.ScheduleLesson{
		Register: register, Date: "2025-09-01", From: "08:30", Until: "09:10"})
	if err != nil {
		t.Fatal(err)
	}
	return lesson, instructor
}

// Every change of a mark is told with the mark before it, also of one that was
// taken back; other pupils of the lesson are not.
func TestHistoryOfAPupilsAttendance(t *testing.T) {
	trace.Covers(t, "ATT-024", "ATT-050")
	p := newPupils(t)
	lesson, instructor := p.lesson(t)
	take := func(marks ...commands.MarkEntry) int64 {
		t.Helper()
		p.now = p.now.Add(time.Minute)
		if err := p.TakeMarks(t.Context(), instructor, commands.TakeMarks{Lesson: lesson, Marks: marks}); err != nil {
			t.Fatal(err)
		}
		head, _ := p.log.Head(t.Context())
		return head
	}
	var found []commands.MarkPlace
	for _, position := range []int64{
		take(commands.MarkEntry{Student: p.mine, Status: "A"}),
		take(commands.MarkEntry{Student: p.mine, Status: "L", Remark: "autobuss kavējās"}),
		take(commands.MarkEntry{Student: p.mine}),
	} {
		found = append(found, commands.MarkPlace{Lesson: lesson, Position: position})
	}
	by := auditor(p.administrator.Active.Scope)
	h, err := p.AttendanceHistory(t.Context(), by, p.mine, commands.HistoryPage{}, found)
	if err != nil {
		t.Fatal(err)
	}
	want := `attendance.marks_taken status:>A
attendance.marks_taken status:A>L remark:>***
attendance.marks_taken status:L> remark:***>
`
	if got := told(h.Entries, "status", "remark"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	e := h.Entries[1]
	if e.By.ActorID != instructor.ID || e.By.Role != string(access.Instructor) || e.Method != string(attendance.Manual) ||
		e.Lesson != lesson || !e.LessonAt.Equal(time.Date(2025, 9, 1, 5, 30, 0, 0, time.UTC)) || !e.At.Equal(p.now.Add(-time.Minute)) {
		t.Errorf("%+v", e)
	}
	if got := fmt.Sprint(h.Entries[1].Changes); !strings.Contains(got, "{points 0 of 2 1 of 2}") {
		t.Errorf("points: %s", got)
	}

	// As it was after the first save, the later ones found or not.
	h, err = p.AttendanceHistory(t.Context(), by, p.mine, commands.HistoryPage{AsOf: commands.AsOfPosition(found[0].Position)}, found)
	if err != nil || told(h.Entries, "status") != "attendance.marks_taken status:>A\n" {
		t.Errorf("%s %v", told(h.Entries, "status"), err)
	}
	// The second page knows what was before it.
	h, err = p.AttendanceHistory(t.Context(), by, p.mine, commands.HistoryPage{After: found[0].Position, Limit: 1}, found[1:])
	if err != nil || told(h.Entries, "status") != "attendance.marks_taken status:A>L\n" || h.Next != found[1].Position {
		t.Errorf("%s %v", told(h.Entries, "status"), err)
	}

	// The whole lesson, as the operator replays it.
	h, err = p.StreamHistory(t.Context(), access.System("test"), "attendance_session-"+lesson.String(), commands.HistoryPage{})
	if err != nil || len(h.Entries) != 4 || h.Entries[0].Type != "attendance.lesson_scheduled" {
		t.Fatalf("%+v %v", h, err)
	}
	mark := "marks." + p.mine.String() + ".status"
	if got := told(h.Entries[1:3], mark); got != "attendance.marks_taken "+mark+":>A\nattendance.marks_taken "+mark+":A>L\n" {
		t.Error(got)
	}

	for name, c := range map[string]struct {
		by      access.Actor
		student domain.StudentID
		want    error
	}{
		"another school": {auditor(access.Scope{School: domain.NewID[domain.SchoolID]()}), p.mine, access.ErrElsewhere},
		"no pupil":       {by, domain.NewID[domain.StudentID](), access.ErrElsewhere},
		"the instructor": {instructor, p.mine, access.ErrForbidden},
	} {
		before, _ := p.log.Head(t.Context())
		if _, err := p.AttendanceHistory(t.Context(), c.by, c.student, commands.HistoryPage{}, found); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := p.log.Head(t.Context()); after != before {
			t.Errorf("%s: %d events", name, after-before)
		}
	}
}
