package main

import (
	"strings"
	"testing"

	"zurnals/internal/trace"
)

func TestReportListsShownAndOpenIDs(t *testing.T) {
	shown, err := read(strings.NewReader("EMU-005~\tTestP\thttpapi\nEMU-001\tTestB\thttpapi\nEMU-001\tTestA\thttpapi\nEMU-001\tTestA\thttpapi\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := write(&out, []trace.ID{{Name: "EMU-001"}, {Name: "EMU-002", Text: "The list"}, {Name: "EMU-003"}, {Name: "EMU-005"}}, shown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"EMU-001     httpapi.TestA, httpapi.TestB\n",
		"EMU-002     The list\n",
		"EMU-003     two buttons",
		"EMU-005     choosing a file",
		"            by httpapi.TestP\n",
		"1 of 4 requirements",
		"2 more stand apart",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestReportRefusesADamagedTrace(t *testing.T) {
	if _, err := read(strings.NewReader("EMU-001 TestA\n")); err == nil {
		t.Error("a line without tabs was taken")
	}
}
