package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/exams"
	"zurnals/internal/trace"
)

const (
	peteris = "320492-70712" // ek-s-0001
	adams   = "32313517094"  // ek-s-0002
)

func examRows(rows ...[4]string) (all []commands.ExamRow) {
	for i, r := range rows {
		all = append(all, commands.ExamRow{Row: i + 2, PersonalCode: r[0], Exam: r[1], Date: r[2], Percent: r[3]})
	}
	return all
}

// record records results and returns how many events came of it.
func (w *rosterWorld) record(t *testing.T, by access.Actor, cmd commands.RecordExamResults) (commands.ExamResults, int64, error) {
	t.Helper()
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cmd.School.IsZero() {
		cmd.School = w.school
	}
	done, err := w.RecordExamResults(t.Context(), by, cmd)
	after, _ := w.log.Head(t.Context())
	return done, after - before, err
}

// Whoever runs the exams delivers results by personal code. The same file again
// is nothing new, another percentage corrects one.
func TestResultsOfExamsAreRecorded(t *testing.T) {
	trace.Partly(t, "EMU-073")
	w := newRosterWorld(t, "org-skola")
	if _, _, err := w.load(t, rosterFile(t, "01_initial"), false); err != nil {
		t.Fatal(err)
	}
	by := staff(access.PlatformAdmin, access.Scope{})
	rows := examRows([4]string{peteris, "Matemātika", "2025-05-26", "87,5"}, [4]string{adams, "Matemātika", "2025-05-26", "40 %"}, [4]string{peteris, "Fizika", "2025-05-26", "100"})
	if done, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows, DryRun: true}); err != nil || events != 0 || done.Recorded != 3 {
		t.Errorf("dry run: %v, %d events, %+v", err, events, done)
	}
	if done, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows}); err != nil || events != 3 || done.Recorded != 3 || done.Rows != 3 {
		t.Errorf("%v, %d events, %+v", err, events, done)
	}
	for e, err := range w.log.ReadAll(t.Context(), 0, 0) {
		if err == nil && e.Type == "exams.result_recorded" && strings.Contains(string(e.Data), "87.5") {
			t.Errorf("how a pupil did is in the log: %s", e.Data)
		}
	}
	rows[1].Percent = "41"
	if done, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows}); err != nil || events != 1 || done.Recorded != 1 || done.Known != 2 {
		t.Errorf("put right: %v, %d events, %+v", err, events, done)
	}
	for _, role := range []access.Role{access.SchoolAdmin, access.SupportStaff, access.SchoolManagement} {
		place, err := w.SchoolScope(t.Context(), w.school)
		if err != nil {
			t.Fatal(err)
		}
		if _, events, err := w.record(t, staff(role, place), commands.RecordExamResults{Rows: rows}); !errors.Is(err, access.ErrForbidden) || events != 0 {
			t.Errorf("%s: %v, %d events", role, err, events)
		}
	}
	elsewhere := commands.RecordExamResults{School: domain.NewID[domain.SchoolID](), Rows: rows}
	if _, events, err := w.record(t, by, elsewhere); !errors.Is(err, access.ErrElsewhere) || events != 0 {
		t.Errorf("no such school: %v, %d events", err, events)
	}
}

// Every mistake is told by row and column, and nothing is done, unless the good
// rows are asked for.
func TestWrongResultsOfExams(t *testing.T) {
	w := newRosterWorld(t, "org-skola")
	if _, _, err := w.load(t, rosterFile(t, "01_initial"), false); err != nil {
		t.Fatal(err)
	}
	by := staff(access.PlatformAdmin, access.Scope{})
	rows := examRows(
		[4]string{peteris, "Matemātika", "2025-05-26", "87.5"},
		[4]string{peteris, "Matemātika", "2025-05-26", "88"},
		[4]string{"320000-00000", "Fizika", "2025-05-26", "50"},
		[4]string{"1", " ", "26.05.2025", "101"},
		[4]string{adams, strings.Repeat("a", exams.ExamMax+1), "2025-09-02", ""},
	)
	rows[4].Wrong = []domain.Detail{{Row: 6, Column: commands.ExamColumns[3], Code: "sheet.number"}}
	_, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows})
	var refused *domain.Error
	if !errors.Is(err, commands.ErrExamRows) || !errors.As(err, &refused) || events != 0 {
		t.Fatalf("%v, %d events", err, events)
	}
	var told []string
	for _, d := range refused.Details {
		told = append(told, strings.TrimSpace(fmt.Sprint(d.Row, " ", d.Column, " ", d.Code, " ", d.What)))
	}
	want := `3  exams.twice 2
4 Personas kods * exams.no_student
5 Personas kods * personal_code.invalid
5 Eksāmens * text.missing
5 Datums * date.invalid
5 Rezultāts, % * exams.percent
6 Rezultāts, % * sheet.number
6 Eksāmens * text.too_long
6 Datums * exams.future`
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if done, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows, AcceptValid: true}); err != nil || events != 1 || done.Recorded != 1 || done.Refused != 4 {
		t.Errorf("the good rows: %v, %d events, %+v", err, events, done)
	}
	if _, events, err := w.record(t, by, commands.RecordExamResults{Rows: rows[2:], AcceptValid: true}); !errors.Is(err, commands.ErrNoExamRows) || events != 0 {
		t.Errorf("no good row: %v, %d events", err, events)
	}
}

// Two records with one personal code: of whom the result is cannot be known.
func TestAResultOfEitherOfTwo(t *testing.T) {
	w := newRosterWorld(t, "org-skola")
	if _, _, err := w.load(t, rosterFile(t, "01_initial", "users.csv", "323135-17094", peteris), false); err != nil {
		t.Fatal(err)
	}
	rows := examRows([4]string{peteris, "Matemātika", "2025-05-26", "87.5"})
	_, _, err := w.record(t, staff(access.PlatformAdmin, access.Scope{}), commands.RecordExamResults{Rows: rows})
	var refused *domain.Error
	if !errors.As(err, &refused) || len(refused.Details) != 1 || refused.Details[0].Code != "exams.many_students" {
		t.Error(err)
	}
}
