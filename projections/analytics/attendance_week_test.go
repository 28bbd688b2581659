package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
	"zurnals/internal/pgtest"
	"zurnals/projections"
	"zurnals/projections/analytics"
	"zurnals/projections/projectiontest"
)

var (
	municipality = domain.MunicipalityID{UUID: uuid.UUID{15: 1}}
	school       = domain.SchoolID{UUID: uuid.UUID{15: 2}}
	register     = domain.RegisterID{UUID: uuid.UUID{15: 3}}
	first        = domain.LessonID{UUID: uuid.UUID{15: 4}}
	second       = domain.LessonID{UUID: uuid.UUID{15: 5}}

	analyst = access.Actor{Kind: domain.ActorAccount, Active: access.Assignment{Role: access.Analyst, Scope: access.Scope{Municipality: municipality}}}
)

func pupil(n int) domain.StudentID { return domain.StudentID{UUID: uuid.UUID{14: 1, 15: byte(n)}} }

func scheduled(id domain.LessonID, day domain.Date) attendance.LessonScheduled {
	return attendance.LessonScheduled{Lesson: id, Register: register, School: school, Date: day, From: "08:30"}
}

func opened() attendance.RegisterOpened {
	return attendance.RegisterOpened{Register: register, Municipality: municipality, School: school}
}

// taken gives the pupils from one number on the statuses of a row, a dot for
// none.
func taken(lesson domain.LessonID, from int, row string) attendance.MarksTaken {
	set := attendance.StatusSet{Version: 1, Statuses: attendance.DefaultStatuses()}
	e := attendance.MarksTaken{Lesson: lesson, Register: register, School: school}
	for i, r := range row {
		m := attendance.Marked{Student: pupil(from + i), Method: attendance.Manual}
		if s, ok := set.Find(string(r)); ok {
			m.Status, m.Set, m.Points, m.Maximum = s.Acronym, 1, s.Points, set.Maximum()
		}
		e.Marks = append(e.Marks, m)
	}
	return e
}

func TestRebuild(t *testing.T) {
	projectiontest.Rebuild(t, analytics.AttendanceWeek, projectiontest.Events(
		opened(), scheduled(first, "2025-09-01"), scheduled(second, "2025-09-08"),
		taken(first, 1, "PPPPPPLLLLL"), taken(second, 1, "AAAAA"), taken(first, 1, "L.A"), taken(second, 3, ".P"),
		attendance.SelfRecorded{Lesson: first, Register: register, School: school, Student: pupil(2), Status: "P", Points: 200, Maximum: 200},
	)...)
}

// weeks tells the lines as status marks/pupils points/maximum.
func weeks(t *testing.T, events ...domain.Event) string {
	t.Helper()
	db := projectiontest.Given(t, projectiontest.Events(events...), analytics.AttendanceWeek)
	w, err := analytics.AttendanceWeeks(t.Context(), db, analyst, analyst.Active.Scope, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if w.Position != int64(len(events)) {
		t.Errorf("fresh up to %d of %d", w.Position, len(events))
	}
	var lines []string
	for _, l := range w.Lines {
		line := fmt.Sprintf("%s %s/%d:", l.ISOWeek, l.Status, l.Lessons)
		if l.Suppressed != (l.Marks == nil) || l.Suppressed != (l.Pupils == nil) || l.Suppressed != (l.Points == nil) || l.Suppressed != (l.Maximum == nil) {
			t.Errorf("%s tells part of what is suppressed", line)
		}
		if l.Suppressed {
			line += " suppressed"
		} else {
			line += fmt.Sprintf(" %d/%d %g/%g", *l.Marks, *l.Pupils, *l.Points, *l.Maximum)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// TestSmallGroups: what is about fewer than five is not told, nor is what it
// could be worked out from.
func TestSmallGroups(t *testing.T) {
	begin := []domain.Event{opened(), scheduled(first, "2025-09-01")}
	for row, want := range map[string]string{
		"PPPP":               "2025-W36 /1: suppressed",
		"PPPPP":              "2025-W36 /1: 5/5 10/10; 2025-W36 P/1: 5/5 10/10",
		"PPPPPPA":            "2025-W36 /1: 7/7 12/14; 2025-W36 A/1: suppressed; 2025-W36 P/1: suppressed",
		"PPPPPPPLLLLLA":      "2025-W36 /1: 13/13 19/26; 2025-W36 A/1: suppressed; 2025-W36 L/1: suppressed; 2025-W36 P/1: 7/7 14/14",
		"PPPPPPLLLLLLAAAAA":  "2025-W36 /1: 17/17 18/34; 2025-W36 A/1: 5/5 0/10; 2025-W36 L/1: 6/6 6/12; 2025-W36 P/1: 6/6 12/12",
		"PPPLLL":             "2025-W36 /1: 6/6 9/12; 2025-W36 L/1: suppressed; 2025-W36 P/1: suppressed",
		".....":              "2025-W36 /1: suppressed",
		"PPPPPPPPPPPPLLLLEA": "2025-W36 /1: 18/18 29/36; 2025-W36 A/1: suppressed; 2025-W36 E/1: suppressed; 2025-W36 L/1: suppressed; 2025-W36 P/1: suppressed",
	} {
		if got := weeks(t, append(begin, taken(first, 1, row))...); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", row, got, want)
		}
	}
}

// TestMarksTakenBack: a changed mark is counted once, in the week of its lesson.
func TestMarksTakenBack(t *testing.T) {
	got := weeks(t, opened(), scheduled(first, "2025-09-07"), scheduled(second, "2025-09-08"),
		taken(first, 1, "PPPPPP"), taken(second, 1, "PPPPPP"), taken(first, 1, "AAAAAA"), taken(second, 1, "..."))
	if want := "2025-W36 /1: 6/6 0/12; 2025-W36 A/1: 6/6 0/12; 2025-W37 /1: suppressed"; got != want {
		t.Errorf("got %s", got)
	}
}

// TestOnlyTheOwnPlace: an analyst of a municipality reads that one.
func TestOnlyTheOwnPlace(t *testing.T) {
	db := projectiontest.Given(t, projectiontest.Events(opened(), scheduled(first, "2025-09-01")), analytics.AttendanceWeek)
	other := access.Scope{Municipality: domain.MunicipalityID{UUID: uuid.UUID{15: 9}}}
	if _, err := analytics.AttendanceWeeks(t.Context(), db, analyst, other, "", ""); !errors.Is(err, access.ErrElsewhere) {
		t.Errorf("another municipality: %v", err)
	}
	stranger := analyst
	stranger.Active.Scope = other
	if w, err := analytics.AttendanceWeeks(t.Context(), db, stranger, other, "", ""); err != nil || len(w.Lines) != 0 {
		t.Errorf("an analyst elsewhere reads %v, %v", w, err)
	}
	if w, err := analytics.AttendanceWeeks(t.Context(), db, analyst, analyst.Active.Scope, "2025-09-07", "2025-09-07"); err != nil || len(w.Lines) != 1 {
		t.Errorf("a Sunday is not in its week: %v, %v", w, err)
	}
	if w, err := analytics.AttendanceWeeks(t.Context(), db, analyst, analyst.Active.Scope, "2025-09-08", ""); err != nil || len(w.Lines) != 0 {
		t.Errorf("the week after: %v, %v", w, err)
	}
}

// TestAnalystReadsNothingElse asks PostgreSQL as the role that analysts have.
func TestAnalystReadsNothingElse(t *testing.T) {
	db := pgtest.New(t)
	e, err := projections.Open(db.App, projectiontest.NewLog(projectiontest.Events(opened(), scheduled(first, "2025-09-01"), taken(first, 1, "PPPPPP"))...),
		projections.Options{Now: func() time.Time { return projectiontest.Start }, Logger: slog.New(slog.DiscardHandler)}, analytics.AttendanceWeek)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pupils int
	if err := db.Analyst.QueryRow(t.Context(), "SELECT pupils FROM analytics.attendance_week WHERE status = 'P'").Scan(&pupils); err != nil || pupils != 6 {
		t.Errorf("%d pupils, %v", pupils, err)
	}
	var columns []string
	if err := db.Analyst.QueryRow(t.Context(), `SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'analytics.attendance_week'::regclass AND attnum > 0`).Scan(&columns); err != nil ||
		strings.Join(columns, " ") != "municipality school week iso_week status lessons suppressed marks pupils points maximum" {
		t.Errorf("columns %v, %v", columns, err)
	}
	var tables []string
	rows, err := db.Owner.Query(t.Context(), `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'analytics') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if rows.Err() != nil || len(tables) < 10 {
		t.Fatal(rows.Err(), tables)
	}
	for _, table := range tables {
		var denied *pgconn.PgError
		_, err := db.Analyst.Exec(context.Background(), "SELECT FROM "+table+" LIMIT 1")
		if !errors.As(err, &denied) || denied.Code != "42501" {
			t.Errorf("the analyst reads %s: %v", table, err)
		}
	}
}

// TestFoldCounts compares what is counted event by event with the marks that
// are left, counted at once.
func TestFoldCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := []domain.Event{opened(), scheduled(first, "2025-09-01"), scheduled(second, "2025-09-02")}
		type key struct {
			lesson domain.LessonID
			pupil  int
		}
		now := make(map[key]string)
		for range rapid.IntRange(0, 12).Draw(t, "saves") {
			lesson := rapid.SampledFrom([]domain.LessonID{first, second}).Draw(t, "lesson")
			from := rapid.IntRange(1, 6).Draw(t, "from")
			row := rapid.StringOfN(rapid.SampledFrom([]rune("PLA.")), 1, 6, -1).Draw(t, "row")
			events = append(events, taken(lesson, from, row))
			for i, r := range row {
				now[key{lesson, from + i}] = strings.Trim(string(r), ".")
			}
		}
		tables, err := analytics.AttendanceWeek.Fold(projectiontest.Events(events...)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []string{"P", "L", "A", ""} {
			marks, pupils := int32(0), make(map[int]bool)
			for k, s := range now {
				if s != "" && (status == "" || s == status) {
					marks++
					pupils[k.pupil] = true
				}
			}
			if m, p := tables.Counted(school, "2025-09-01", status); m != marks || p != int32(len(pupils)) {
				t.Fatalf("%q: %d marks of %d pupils, want %d of %d", status, m, p, marks, len(pupils))
			}
		}
	})
}
