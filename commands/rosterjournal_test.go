package commands_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zurnals/internal/trace"
)

const (
	someItems = "sourcedId,status,dateLastModified,title,classSourcedId,gradingPeriodSourcedId,resultValueMin,resultValueMax\n" +
		"l1,,,Daļskaitļi,kl-1a,s1,1,10\nl2,,,Diktāts,kl-1a,s1,0,100\n"
	someResults = "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate\n" +
		"r1,,,l1,ek-s-0001,fully graded,9,2025-09-12\nr2,,,l2,ek-s-0001,fully graded,87.5,2025-09-15\nr3,,,l1,ek-s-0002,exempt,,\n"
	someAbsences = "studentSourcedId,date,lesson,subject,kind\nek-s-0001,2025-09-16,1,Sports,unexcused\nek-s-0002,2025-09-16,2,,excused\n"
)

// journalFile is the roster of the first day with grades and absences.
func journalFile(t testing.TB, items, results, absences string) []byte {
	t.Helper()
	files := map[string]string{"lineItems.csv": items, "results.csv": results, "absences.csv": absences}
	for _, name := range []string{"academicSessions.csv", "orgs.csv", "classes.csv", "users.csv", "enrollments.csv", "manifest.csv"} {
		content, err := os.ReadFile(filepath.Join("..", "internal", "oneroster", "testdata", "roster_lv", "01_initial", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	files["manifest.csv"] += "file.lineItems,bulk\nfile.results,bulk\nfile.absences,bulk\n"
	return packRoster(files)
}

// Grades and absences come with the roster: what is new is told once, the same
// file again changes nothing, and what was put right changes only that.
func TestGradesComeWithTheRoster(t *testing.T) {
	trace.Partly(t, "EMU-064", "EMU-069")
	w := newRosterWorld(t, "org-skola")
	file := journalFile(t, someItems, someResults, someAbsences)
	if preview, events, err := w.load(t, file, true); err != nil || len(events) != 0 || preview.Grades != 3 || preview.Absences != 2 {
		t.Fatalf("dry run: %v, events %v, %+v", err, events, preview)
	}
	first, events, err := w.load(t, file, false)
	if err != nil || first.Added != 120 || first.Grades != 3 || first.Absences != 2 || first.Errors != 0 || !strings.Contains(strings.Join(events, " "), "roster.grades_synced roster.absences_synced") {
		t.Fatalf("%v, events %v, %+v", err, events, first)
	}
	for e, err := range w.log.ReadAll(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if data := string(e.Data); strings.Contains(data, "87.5") || strings.Contains(data, `"value":"9"`) || strings.Contains(data, `"unexcused"`) {
			t.Errorf("how a pupil did is in the log: %s", data)
		}
		if strings.HasPrefix(e.Stream, "journal-") && !strings.Contains(string(e.Data), `"source":"E-klase (synthetic)"`) {
			t.Errorf("%s does not say from where: %s", e.Type, e.Data)
		}
	}
	again, events, err := w.load(t, file, false)
	if err != nil || again.Unchanged != 120 || again.Grades+again.Absences != 0 || strings.Join(events, " ") != "roster.sync_completed" {
		t.Errorf("the same again: %v, events %v, %+v", err, events, again)
	}

	better := strings.Replace(someResults, "graded,9,", "graded,10,", 1)
	better = strings.Replace(better, "r2,,,l2,ek-s-0001,fully graded,87.5,2025-09-15\n", "", 1)
	excused := strings.Replace(someAbsences, "unexcused", "excused", 1)
	next, events, err := w.load(t, journalFile(t, someItems, better, excused), false)
	if want := "roster.grades_synced roster.absences_synced roster.run_began roster.chunk_applied roster.sync_started roster.run_ended roster.sync_completed"; err != nil || next.Grades != 2 || next.Absences != 1 || next.Unchanged != 120 || strings.Join(events, " ") != want {
		t.Errorf("put right: %v, events %v, %+v", err, events, next)
	}
}

// A file without grades says nothing of them, also if it only says what was
// graded: an export that has failed takes nothing away. A year of which it has
// grades, and of a pupil none, says that the pupil has none.
func TestWhatAFileSaysNothingOfStays(t *testing.T) {
	w := newRosterWorld(t, "org-skola")
	if _, _, err := w.load(t, journalFile(t, someItems, someResults, someAbsences), false); err != nil {
		t.Fatal(err)
	}
	headings := func(csv string) string { first, _, _ := strings.Cut(csv, "\n"); return first + "\n" }
	for name, file := range map[string][]byte{
		"no such files": rosterFile(t, "01_initial"),
		"no results":    journalFile(t, someItems, headings(someResults), headings(someAbsences)),
		"empty files":   journalFile(t, headings(someItems), headings(someResults), headings(someAbsences)),
	} {
		if _, events, err := w.load(t, file, false); err != nil || strings.Join(events, " ") != "roster.sync_completed" {
			t.Errorf("%s: %v, events %v", name, err, events)
		}
	}
	gone, _, err := w.load(t, journalFile(t, someItems, headings(someResults)+"r3,,,l1,ek-s-0002,exempt,,\n", someAbsences), false)
	if err != nil || gone.Grades != 2 || gone.Absences != 0 {
		t.Errorf("no grades: %v, %+v", err, gone)
	}
}

// Wrong rows are told by file, row and column. What the pupil they are about had
// stays, and the others are taken.
func TestWrongRowsOfGrades(t *testing.T) {
	w := newRosterWorld(t, "org-skola")
	if _, _, err := w.load(t, journalFile(t, someItems, someResults, someAbsences), false); err != nil {
		t.Fatal(err)
	}
	results := strings.NewReplacer("graded,9,", "graded,11,", "l2,ek-s-0001", "l2,ek-s-9999", "exempt,,", "fully graded,4,").Replace(someResults)
	load, _, err := w.load(t, journalFile(t, someItems, results, someAbsences), false)
	if err != nil || load.Grades != 1 || load.Errors != 2 {
		t.Fatalf("%v, %+v", err, load)
	}
	var told []string
	for _, p := range load.Problems[:2] {
		told = append(told, fmt.Sprint(p.File, " ", p.Row, " ", p.Field, " ", p.Code))
	}
	if want := "results.csv 2 score oneroster.value, results.csv 3 studentSourcedId oneroster.reference"; strings.Join(told, ", ") != want {
		t.Errorf("%v", told)
	}
}

// A year's journal of a school goes through in several appends.
func TestAWholeSchoolOfGrades(t *testing.T) {
	w := newRosterWorld(t, "org-skola")
	var items, results strings.Builder
	items.WriteString(someItems)
	results.WriteString(someResults)
	for n := range 60 {
		fmt.Fprintf(&items, "x%d,,,Pārbaudes darbs,kl-1a,s1,1,10\n", n)
		for pupil := range 120 {
			fmt.Fprintf(&results, "y%d-%d,,,x%d,ek-s-%04d,fully graded,%d,2025-10-01\n", n, pupil, n, pupil+1, 1+n%10)
		}
	}
	load, _, err := w.load(t, journalFile(t, items.String(), results.String(), someAbsences), false)
	if err != nil || load.Grades != 60*120+3 || load.Errors != 0 {
		t.Fatalf("%v, %+v", err, load)
	}
}
