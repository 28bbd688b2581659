package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"zurnals/internal/pgtest"
)

func TestADemoIsMadeThroughTheCommands(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	i := newInstallation(t, pgtest.New(t))
	out := i.does("demo", "-schools", "1", "-students", "24", "-days", "2")
	// Grades 1 to 12 have 4 5 5 5 6 6 6 7 7 7 7 8 lessons a day, two pupils each.
	for _, want := range []string{"100 %", "1 schools, 12 classes, 24 pupils, 114 registers", "146 lessons with 292 marks", "Read models built"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nwant: %s", out, want)
		}
	}
	ctx := context.Background()
	var lessons, teachers int
	if err := i.db.App.QueryRow(ctx, `SELECT count(*) FILTER (WHERE type = 'attendance.marks_taken'), count(*) FILTER (WHERE type = 'identity.registration_confirmed') FROM es.event`).Scan(&lessons, &teachers); err != nil {
		t.Fatal(err)
	}
	if lessons != 146 || teachers != 12+len(demoPeople) {
		t.Errorf("%d sheets, %d people who registered", lessons, teachers)
	}
	var afternoon string
	if err := i.db.App.QueryRow(ctx, `SELECT to_char(recorded_at AT TIME ZONE 'Europe/Riga', 'YYYY-MM-DD HH24') FROM es.head`).Scan(&afternoon); err != nil || afternoon != "2025-09-02 15" {
		t.Errorf("the last event is of %s, %v", afternoon, err)
	}

	// Only an empty log is filled.
	if _, err := i.run("demo", "-schools", "1", "-students", "24", "-days", "1"); !errors.Is(err, errNotEmpty) {
		t.Error(err)
	}
	for _, wrong := range [][]string{{"-schools", "0"}, {"-students", "11", "-schools", "1"}, {"-days", "-1"}, {"more"}} {
		if _, err := i.run(append([]string{"demo"}, wrong...)...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
