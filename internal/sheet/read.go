package sheet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"zurnals/domain"
)

// A Form is a sheet that people fill in: headings in the first row, and below
// them one record a row. All cells are text.
type Form struct {
	Sheet    string // name of the sheet; a file with one sheet may call it otherwise
	Headings []string
	Optional int // how many of the last headings a file may lack
	MaxRows  int // records at most
}

// A Record is one row that was filled in.
type Record struct {
	Row   int             // as a person counts: the headings are row 1
	Cells []string        // by heading; empty where something is wrong
	Wrong []domain.Detail // cells that are not plain text
}

// Refusals of a file as a whole.
var (
	ErrNotXLSX   = domain.Refuse(domain.Invalid, "sheet.not_xlsx", "not a spreadsheet in the form .xlsx")
	ErrOldExcel  = domain.Refuse(domain.Invalid, "sheet.old_excel", "a spreadsheet of the old form .xls: save it as .xlsx")
	ErrEncrypted = domain.Refuse(domain.Invalid, "sheet.encrypted", "the file is protected by a password")
	ErrDamaged   = domain.Refuse(domain.Invalid, "sheet.damaged", "the file is damaged")
	ErrLarge     = domain.Refuse(domain.TooLarge, "sheet.too_large", "the file is too large, or would be when unpacked")
	ErrNoSheet   = domain.Refuse(domain.Invalid, "sheet.no_sheet", "the file does not have the sheet")
	ErrHeadings  = domain.Refuse(domain.Invalid, "sheet.headings", "the headings in row 1 are not those of the form")
	ErrRows      = domain.Refuse(domain.TooLarge, "sheet.too_many_rows", "the file has too many rows")
	ErrEmpty     = domain.Refuse(domain.Invalid, "sheet.empty", "there is no row below the headings")
)

// What is wrong with a cell.
var (
	errFormula     = domain.Refuse(domain.Invalid, "sheet.formula", "a formula, where text is wanted")
	errFormulaText = domain.Refuse(domain.Invalid, "sheet.formula_text", "text that looks like a formula")
	errNumber      = domain.Refuse(domain.Invalid, "sheet.number", "a number, where text is wanted: digits may be lost")
	errDate        = domain.Refuse(domain.Invalid, "sheet.date", "a date, where text is wanted")
	errBoolean     = domain.Refuse(domain.Invalid, "sheet.boolean", "a logical value, where text is wanted")
	errValue       = domain.Refuse(domain.Invalid, "sheet.error_value", "an error such as #N/A, where text is wanted")
	errMerged      = domain.Refuse(domain.Invalid, "sheet.merged", "a merged cell")
	errLong        = domain.Refuse(domain.Invalid, "sheet.long", "more text than fits into a cell")
	errBeyond      = domain.Refuse(domain.Invalid, "sheet.beyond", "a cell that no heading stands above")
	errMissing     = domain.Refuse(domain.Invalid, "sheet.heading_missing", "the heading is missing")
	errTwice       = domain.Refuse(domain.Invalid, "sheet.heading_twice", "the heading stands there twice")
	errUnknown     = domain.Refuse(domain.Invalid, "sheet.heading_unknown", "the form has no such heading")
)

// Read reads a form that was filled in. What is wrong with single cells is said
// in their records; what is wrong with the file is an error.
//
// It reads the file itself instead of having excelize do it: that builds every
// row up to its last cell, so that a small file with far-off cells would take
// gigabytes, and it does not tell a date from a number.
func Read(data []byte, form Form) ([]Record, error) {
	book, err := open(data)
	if err != nil {
		return nil, err
	}
	part, err := book.sheet(form.Sheet)
	if err != nil {
		return nil, err
	}
	r := reader{form: form}
	if err := book.cells(part, r.row, r.merge); err != nil {
		return nil, err
	}
	switch {
	case r.columns == nil:
		return nil, form.headings(nil)
	case len(r.records) == 0:
		return nil, ErrEmpty
	}
	r.mergedCells()
	return r.records, nil
}

// A reader makes records of rows.
type reader struct {
	form    Form
	columns map[int]int // place in the sheet → place in the form
	records []Record
	merged  []area
}

// row takes the next row that has cells; rows come in order.
func (r *reader) row(n int, cells []cell) error {
	if r.columns == nil {
		if n != 1 {
			return r.form.headings(nil)
		}
		return r.head(cells)
	}
	rec := Record{Row: n, Cells: make([]string, len(r.form.Headings))}
	filled := false
	for _, c := range cells {
		if c.blank() {
			continue
		}
		filled = true
		place, ok := r.columns[c.column]
		switch refused := c.wrong(); {
		case !ok:
			rec.Wrong = append(rec.Wrong, detail(n, columnName(c.column), errBeyond))
		case refused != nil:
			rec.Wrong = append(rec.Wrong, detail(n, r.form.Headings[place], refused))
		default:
			rec.Cells[place] = c.text
		}
	}
	if !filled {
		return nil
	}
	if len(r.records) == r.form.MaxRows {
		return ErrRows.With(domain.Detail{Row: n, Code: ErrRows.Code, Text: fmt.Sprintf("at most %d", r.form.MaxRows)})
	}
	r.records = append(r.records, rec)
	return nil
}

// head takes the headings.
func (r *reader) head(cells []cell) error {
	found := make(map[string]int)
	r.columns = make(map[int]int)
	var wrong []domain.Detail
	for _, c := range cells {
		if c.blank() {
			continue
		}
		name := normal(c.text)
		place := slices.IndexFunc(r.form.Headings, func(h string) bool { return normal(h) == name })
		_, twice := found[name]
		switch {
		case c.kind != text || place < 0:
			wrong = append(wrong, detail(1, shown(c.text), errUnknown))
		case twice:
			wrong = append(wrong, detail(1, r.form.Headings[place], errTwice))
		default:
			found[name], r.columns[c.column] = c.column, place
		}
	}
	return r.form.headings(found, wrong...)
}

// headings returns what is wrong with the headings, nil for nothing.
func (f Form) headings(found map[string]int, wrong ...domain.Detail) error {
	for _, h := range f.Headings[:len(f.Headings)-f.Optional] {
		if _, ok := found[normal(h)]; !ok {
			wrong = append(wrong, detail(1, h, errMissing))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return ErrHeadings.With(wrong...)
}

// normal returns a heading without what people change about it unawares.
func normal(h string) string {
	return strings.ToLower(strings.Join(strings.Fields(strings.TrimRight(strings.TrimSpace(h), "*")), " "))
}

// shown bounds what is repeated of a file.
func shown(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "…"
	}
	return s
}

func (r *reader) merge(a area) error {
	r.merged = append(r.merged, a)
	return nil
}

// mergedCells marks the records that merged cells reach into: which of the
// rows the text in them is meant for cannot be known.
func (r *reader) mergedCells() {
	for i := range r.records {
		rec := &r.records[i]
		for _, a := range r.merged {
			if rec.Row < a.top || rec.Row > a.bottom {
				continue
			}
			for column, place := range r.columns {
				if a.left <= column && column <= a.right {
					rec.Cells[place] = ""
					rec.Wrong = append(rec.Wrong, detail(rec.Row, r.form.Headings[place], errMerged))
				}
			}
		}
		slices.SortStableFunc(rec.Wrong, func(x, y domain.Detail) int { return r.place(x.Column) - r.place(y.Column) })
	}
}

// place sorts headings as they stand in the form; what is none of them is last.
func (r *reader) place(heading string) int {
	if i := slices.Index(r.form.Headings, heading); i >= 0 {
		return i
	}
	return len(r.form.Headings)
}

func detail(row int, column string, why *domain.Error) domain.Detail {
	return domain.Detail{Row: row, Column: column, Code: why.Code, Text: why.Text}
}

// A kind says what a cell holds.
type kind uint8

const (
	text kind = iota
	number
	date
	boolean
	failure
	formula
)

// A cell is one cell of a row. Columns count from 1.
type cell struct {
	column int
	kind   kind
	text   string
}

// blank says whether a cell only looks like one: it has borders or colours, or
// spaces.
func (c cell) blank() bool { return c.kind != formula && strings.TrimSpace(c.text) == "" }

// wrong says why a cell is not plain text.
func (c cell) wrong() *domain.Error {
	switch c.kind {
	case formula:
		return errFormula
	case number:
		return errNumber
	case date:
		return errDate
	case boolean:
		return errBoolean
	case failure:
		return errValue
	case text:
	}
	switch {
	case utf8.RuneCountInString(c.text) > maxCell:
		return errLong
	case strings.ContainsRune("=+-@", []rune(strings.TrimSpace(c.text))[0]):
		return errFormulaText
	}
	return nil
}

// An area is the cells that were merged into one.
type area struct{ left, top, right, bottom int }

// columnName returns the letters of a column.
func columnName(n int) string {
	var name []byte
	for ; n > 0; n = (n - 1) / 26 {
		name = append(name, byte('A'+(n-1)%26))
	}
	slices.Reverse(name)
	return string(name)
}

// damaged turns what a parser says into a refusal. What the person gets does
// not repeat what stands in the file.
func damaged(err error) error {
	var refused *domain.Error
	if errors.As(err, &refused) {
		return refused
	}
	return ErrDamaged
}
