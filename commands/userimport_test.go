package commands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

// userFile is n good rows of a file.
func userFile(n int) (rows []commands.UserRow) {
	for i := range n {
		rows = append(rows, commands.UserRow{Row: i + 2, GivenName: "Līga", FamilyName: "Liepa",
			PersonalCode: fmt.Sprintf("33%09d", i), Email: fmt.Sprintf("u%d@skola.lv", i)})
	}
	return rows
}

// An interrupted log refuses appends that f says it should.
type interruptedLog struct {
	eventstore.Log
	f func(eventstore.Request) error
}

func (l interruptedLog) Append(ctx context.Context, r eventstore.Request) (eventstore.Result, error) {
	if err := l.f(r); err != nil {
		return eventstore.Result{}, err
	}
	return l.Log.Append(ctx, r)
}

// count counts the events of a type.
func (w *staffWorld) count(typ string) (n int) {
	w.t.Helper()
	for e, err := range w.log.ReadAll(w.t.Context(), 0, 0) {
		w.must(err)
		if e.Type == typ {
			n++
		}
	}
	return n
}

// A loading that broke off goes on where it was, and nobody is invited twice.
func TestALoadingGoesOn(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	admin.Command, admin.Fingerprint = uuid.New(), []byte("file")
	load := commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: userFile(450)}
	before := w.count("identity.user_invited")

	down := errors.New("the server is switched off")
	chunks := 0
	w.Log = interruptedLog{w.log, func(r eventstore.Request) error {
		if len(r.Subjects) > 0 {
			if chunks++; chunks == 3 {
				return down
			}
		}
		return nil
	}}
	if _, err := w.ImportUsers(t.Context(), admin, load); !errors.Is(err, down) {
		t.Fatal(err)
	}
	if got := w.count("identity.user_invited") - before; got != 400 {
		t.Errorf("%d were invited before it stopped", got)
	}
	w.Log = w.log
	done, err := w.ImportUsers(t.Context(), admin, load)
	if err != nil || !done.Completed() || done.Invited != 450 || len(done.Problems) != 0 {
		t.Errorf("%v %+v", err, done)
	}
	if got := w.count("identity.user_invited") - before; got != 450 {
		t.Errorf("%d were invited", got)
	}
	head, err := w.log.Head(t.Context())
	w.must(err)
	again, err := w.ImportUsers(t.Context(), admin, load)
	if after, _ := w.log.Head(t.Context()); err != nil || again.ID != done.ID || after != head {
		t.Errorf("sent again: %v, %d events", err, after-head)
	}
	admin.Fingerprint = []byte("another file")
	w.refused(commands.ErrReused, func() error { _, err := w.ImportUsers(t.Context(), admin, load); return err })
}

// Between the check and the append somebody else takes the address of a row:
// that row is refused, the others are not.
func TestAnAddressIsTakenMeanwhile(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	rival := w.newcomer(w.at(w.other))
	rival.Email = "U7@skola.lv"
	w.Log = interruptedLog{w.log, func(r eventstore.Request) error {
		if len(r.Subjects) == 0 || rival.Email == "" {
			return nil
		}
		w.Log, rival.Email = w.log, ""
		cmd := rival
		cmd.Email = "U7@skola.lv"
		_, err := w.InviteUser(context.Background(), operator, cmd)
		return err
	}}
	done, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: userFile(20)})
	if err != nil || done.Invited != 19 || done.Refused != 1 || len(done.Problems) != 1 ||
		done.Problems[0] != (commands.RowProblem{Row: 9, Column: "E-pasta adrese *", Code: commands.ErrEmailTaken.Code}) {
		t.Errorf("%v %+v", err, done)
	}
}

func TestWhoLoadsUsers(t *testing.T) {
	w := newStaffWorld(t)
	_, teacher := w.registered(w.at(w.school), commands.NewRole{Role: access.ClassTeacher, Class: w.class})
	_, stranger := w.registered(w.at(w.other), commands.NewRole{Role: access.SchoolAdmin})
	for _, dry := range []bool{true, false} {
		load := commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: userFile(1), DryRun: dry}
		w.refused(access.ErrForbidden, func() error { _, err := w.ImportUsers(t.Context(), teacher, load); return err })
		w.refused(access.ErrElsewhere, func() error { _, err := w.ImportUsers(t.Context(), stranger, load); return err })
	}
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	w.refused(nil, func() error {
		preview, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), Rows: userFile(3), DryRun: true})
		if preview.Invited != 3 || !preview.ID.IsZero() {
			t.Errorf("%+v", preview)
		}
		return err
	})
}

// One more row than an append takes, the largest rows there can be: they fit.
func TestTheLargestRowsFit(t *testing.T) {
	w := newStaffWorld(t)
	_, admin := w.registered(w.at(w.school), commands.NewRole{Role: access.SchoolAdmin})
	rows := userFile(201)
	for i := range rows {
		rows[i].GivenName, rows[i].FamilyName = strings.Repeat("𝔸", identity.NameMax), strings.Repeat("𝔸", identity.NameMax)
		rows[i].Email = fmt.Sprintf("%060d@%s.lv", i, strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 60)+".", 3), "."))
	}
	done, err := w.ImportUsers(t.Context(), admin, commands.ImportUsers{Place: w.at(w.school), File: "sum", Rows: rows})
	if err != nil || done.Invited != 201 {
		t.Errorf("%v %+v", err, done)
	}
}
