package sheet

import (
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A Template is an empty form as people get it, with what they need to know to
// fill it in.
type Template struct {
	Form
	Columns  []Column // one for each heading
	Guide    string   // name of the sheet with the instructions
	Guidance []string // paragraphs of it
}

// A Column says how a spreadsheet program checks and explains what is typed.
type Column struct {
	Width float64
	Hint  string // shown beside the cell that is filled in
	Check string // formula about the cell, which it calls {}; empty: anything
	Wrong string // shown when the check fails
}

// Write writes the template as XLSX. All cells of the form are text, so that no
// program makes numbers or dates of codes and loses digits.
func (t Template) Write(out io.Writer) error {
	f := excelize.NewFile()
	err := t.fill(f)
	if err == nil {
		_, err = f.WriteTo(out)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

func (t Template) fill(f *excelize.File) error {
	if err := f.SetSheetName(f.GetSheetName(0), t.Sheet); err != nil {
		return err
	}
	asText, err := f.NewStyle(&excelize.Style{NumFmt: 49}) // “@”
	if err != nil {
		return err
	}
	head, err := f.NewStyle(&excelize.Style{
		NumFmt: 49, Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"},
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E8EEF4"}},
	})
	if err != nil {
		return err
	}
	for i, c := range t.Columns {
		if err := t.column(f, i, c, asText, head); err != nil {
			return err
		}
	}
	if err := f.SetPanes(t.Sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	return t.guide(f)
}

func (t Template) column(f *excelize.File, i int, c Column, asText, head int) error {
	name := columnName(i + 1)
	if err := f.SetColStyle(t.Sheet, name, asText); err != nil {
		return err
	}
	if err := f.SetColWidth(t.Sheet, name, name, c.Width); err != nil {
		return err
	}
	if err := f.SetCellStr(t.Sheet, name+"1", t.Headings[i]); err != nil {
		return err
	}
	if err := f.SetCellStyle(t.Sheet, name+"1", name+"1", head); err != nil {
		return err
	}
	check := excelize.NewDataValidation(true)
	check.SetSqref(fmt.Sprintf("%s2:%s%d", name, name, t.MaxRows+1))
	check.SetInput(t.Headings[i], c.Hint)
	if c.Check != "" {
		check.SetError(excelize.DataValidationErrorStyleStop, t.Headings[i], c.Wrong)
		check.Type, check.Formula1 = "custom", inFormula.Replace(strings.ReplaceAll(c.Check, "{}", name+"2"))
	}
	return f.AddDataValidation(t.Sheet, check)
}

func (t Template) guide(f *excelize.File) error {
	if _, err := f.NewSheet(t.Guide); err != nil {
		return err
	}
	wrapped, err := f.NewStyle(&excelize.Style{Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	if err != nil {
		return err
	}
	if err := f.SetColWidth(t.Guide, "A", "A", 100); err != nil {
		return err
	}
	for i, text := range t.Guidance {
		cell := fmt.Sprintf("A%d", i+1)
		if err := f.SetCellStr(t.Guide, cell, text); err != nil {
			return err
		}
		if err := f.SetCellStyle(t.Guide, cell, cell, wrapped); err != nil {
			return err
		}
	}
	return nil
}

// inFormula makes text of a formula: excelize writes formulas of checks as they
// are into its XML.
var inFormula = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
