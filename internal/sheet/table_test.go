package sheet_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"zurnals/internal/sheet"
)

var (
	head = []string{"Uzvārds", "=1+1", "Punkti"}
	row  = []any{"=HYPERLINK(1)", "Līga\nĀboliņa", 2.25}
)

func write(t *testing.T, table sheet.Table, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return table.Head(head) },
		func() error { return table.Row(row) },
		func() error { return table.Row([]any{nil, "", -1}) },
		table.Finish, table.Close,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestXLSX opens the file again: text that looks like a formula is text.
func TestXLSX(t *testing.T) {
	var b bytes.Buffer
	table, err := sheet.NewXLSX(&b, "6.a: matemātika/algebra un vēl daudz kas cits [1]")
	write(t, table, err)
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	name := f.GetSheetName(0)
	rows, err := f.GetRows(name)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"Uzvārds", "=1+1", "Punkti"}, {"=HYPERLINK(1)", "Līga\nĀboliņa", "2.25"}, {"", "", "-1"}}
	if len(rows) != len(want) {
		t.Fatalf("%d rows: %q", len(rows), rows)
	}
	for i := range want {
		if !slices.Equal(rows[i], want[i]) {
			t.Errorf("row %d is %q, want %q", i+1, rows[i], want[i])
		}
	}
	for _, cell := range []string{"B1", "A2"} {
		if formula, err := f.GetCellFormula(name, cell); err != nil || formula != "" {
			t.Errorf("%s is the formula %q, %v", cell, formula, err)
		}
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	table, err := sheet.NewCSV(&b)
	write(t, table, err)
	text, ok := strings.CutPrefix(b.String(), "\ufeff")
	if !ok {
		t.Error("nothing says that it is UTF-8")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"Uzvārds", "'=1+1", "Punkti"}, {"'=HYPERLINK(1)", "Līga\nĀboliņa", "2.25"}, {"", "", "-1"}}
	for i := range want {
		if !slices.Equal(rows[i], want[i]) {
			t.Errorf("row %d is %q, want %q", i+1, rows[i], want[i])
		}
	}
	other, err := sheet.NewCSV(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Row([]any{struct{}{}}); err == nil {
		t.Error("a cell of any kind is taken")
	}
}

// TestStreamed writes a table that is larger than what is kept in memory.
func TestStreamed(t *testing.T) {
	var b bytes.Buffer
	table, err := sheet.NewXLSX(&b, "liels")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	}()
	cells := make([]any, 100)
	for i := range cells {
		cells[i] = strings.Repeat("P (2/2); ", 100)
	}
	for range 250 { // 22 MB; excelize keeps 16
		if err := table.Row(cells); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Finish(); err != nil {
		t.Fatal(err)
	}
	if b.Len() < 10_000 {
		t.Errorf("only %d bytes", b.Len())
	}
}
