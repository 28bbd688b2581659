// Package sheet reads and writes tables that people open in a spreadsheet
// program (izklājlapas).
package sheet

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A Table is a file that is written row by row and never held as a whole. A
// cell is a string, an int, a float64, or nil for an empty one. A string is
// text however it looks: what begins with = is no formula.
type Table interface {
	// Head writes the headings. It comes first, and once.
	Head(cells []string) error
	Row(cells []any) error
	// Finish writes what is left, to the writer that the table was made for.
	Finish() error
	// Close gives up what the table holds, also when it was not finished.
	Close() error
}

// Bounds of a spreadsheet file.
const (
	maxColumns = 16_384
	maxCell    = 32_767
)

// XLSX is a Table as a spreadsheet file. What does not fit into a small buffer
// goes to a temporary file until Finish.
type XLSX struct {
	file *excelize.File
	rows *excelize.StreamWriter
	out  io.Writer
	bold int
	row  int
}

// NewXLSX begins a file with one sheet.
func NewXLSX(out io.Writer, name string) (*XLSX, error) {
	f := excelize.NewFile()
	t := &XLSX{file: f, out: out}
	err := f.SetSheetName(f.GetSheetName(0), sheetName(name))
	if err == nil {
		t.bold, err = f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	}
	if err == nil {
		t.rows, err = f.NewStreamWriter(f.GetSheetName(0))
	}
	if err == nil {
		err = t.rows.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
	}
	if err != nil {
		return nil, fmt.Errorf("spreadsheet: %w", closing(f, err))
	}
	return t, nil
}

// sheetName returns a name that a sheet may have.
func sheetName(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`, r) {
			return ' '
		}
		return r
	}, name), "' ")
	if runes := []rune(name); len(runes) > excelize.MaxSheetNameLength {
		name = strings.TrimSpace(string(runes[:excelize.MaxSheetNameLength]))
	}
	if name == "" {
		return "1"
	}
	return name
}

// Head implements Table.
func (t *XLSX) Head(cells []string) error {
	row := make([]any, len(cells))
	for i, c := range cells {
		row[i] = excelize.Cell{StyleID: t.bold, Value: cut(c)}
	}
	return t.write(row)
}

// Row implements Table.
func (t *XLSX) Row(cells []any) error {
	row := make([]any, len(cells))
	for i, c := range cells {
		if s, ok := c.(string); ok {
			c = cut(s)
		}
		row[i] = c
	}
	return t.write(row)
}

func (t *XLSX) write(row []any) error {
	if len(row) > maxColumns {
		return fmt.Errorf("spreadsheet: %d columns", len(row))
	}
	t.row++
	cell, err := excelize.CoordinatesToCellName(1, t.row)
	if err != nil {
		return fmt.Errorf("spreadsheet: %w", err)
	}
	return t.rows.SetRow(cell, row)
}

// cut bounds a text to what one cell holds.
func cut(s string) string {
	if len(s) <= maxCell {
		return s
	}
	if runes := []rune(s); len(runes) > maxCell {
		return string(runes[:maxCell])
	}
	return s
}

// Finish implements Table.
func (t *XLSX) Finish() error {
	if err := t.rows.Flush(); err != nil {
		return fmt.Errorf("spreadsheet: %w", err)
	}
	_, err := t.file.WriteTo(t.out)
	return err
}

// Close implements Table.
func (t *XLSX) Close() error { return t.file.Close() }

func closing(c io.Closer, err error) error {
	if e := c.Close(); e != nil {
		return fmt.Errorf("%w; and closing: %w", err, e)
	}
	return err
}

// CSV is a Table as text: UTF-8 with a mark that spreadsheet programs know it
// by, comma, CRLF (RFC 4180).
type CSV struct {
	buffer *bufio.Writer
	rows   *csv.Writer
}

// NewCSV begins a file.
func NewCSV(out io.Writer) (*CSV, error) {
	t := &CSV{buffer: bufio.NewWriter(out)}
	if _, err := t.buffer.WriteString("\ufeff"); err != nil {
		return nil, err
	}
	t.rows = csv.NewWriter(t.buffer)
	t.rows.UseCRLF = true
	return t, nil
}

// Head implements Table.
func (t *CSV) Head(cells []string) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = inert(c)
	}
	return t.rows.Write(row)
}

// Row implements Table.
func (t *CSV) Row(cells []any) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case nil:
		case string:
			row[i] = inert(c)
		case int:
			row[i] = strconv.Itoa(c)
		case float64:
			row[i] = strconv.FormatFloat(c, 'f', -1, 64)
		default:
			return fmt.Errorf("csv: no cell is a %T", c)
		}
	}
	return t.rows.Write(row)
}

// inert keeps a text from being run as a formula. CSV has no way to say that a
// cell is text, so it gets an apostrophe, which spreadsheet programs do not show.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Finish implements Table.
func (t *CSV) Finish() error {
	t.rows.Flush()
	if err := t.rows.Error(); err != nil {
		return err
	}
	return t.buffer.Flush()
}

// Close implements Table.
func (t *CSV) Close() error { return nil }
