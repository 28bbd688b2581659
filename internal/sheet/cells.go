package sheet

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// cells hands the rows of a sheet to row, and its merged cells to merged.
func (b *workbook) cells(part string, row func(int, []cell) error, merged func(area) error) error {
	last, merges := 0, 0
	return b.part(part, func(d *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "row":
			n := last + 1
			if s := attr(e, "r"); s != "" {
				var err error
				if n, err = strconv.Atoi(s); err != nil || n <= last || n > 1<<20 {
					return ErrDamaged
				}
			}
			last = n
			cells, err := b.row(d)
			if err != nil || len(cells) == 0 {
				return err
			}
			return row(n, cells)
		case "mergeCell":
			if merges++; merges > maxMerged {
				return ErrLarge
			}
			from, to, _ := strings.Cut(attr(e, "ref"), ":")
			if to == "" {
				to = from
			}
			left, top, ok := place(from)
			right, bottom, ok2 := place(to)
			if !ok || !ok2 {
				return ErrDamaged
			}
			return merged(area{left, top, right, bottom})
		}
		return nil
	})
}

// row reads the cells of a row, those that hold something.
func (b *workbook) row(d *xml.Decoder) ([]cell, error) {
	var cells []cell
	last := 0
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return cells, nil
		case xml.StartElement:
			if token.Name.Local != "c" {
				if err := d.Skip(); err != nil {
					return nil, err
				}
				continue
			}
			c, err := b.cell(d, token, last+1)
			if err != nil {
				return nil, err
			}
			if c.column <= last || c.column > maxColumns {
				return nil, ErrDamaged
			}
			if last = c.column; c.text != "" || c.kind == formula {
				cells = append(cells, c)
			}
		}
	}
}

func (b *workbook) cell(d *xml.Decoder, e xml.StartElement, next int) (cell, error) {
	c := cell{column: next}
	if ref := attr(e, "r"); ref != "" {
		column, _, ok := place(ref)
		if !ok {
			return c, ErrDamaged
		}
		c.column = column
	}
	value := ""
	for {
		token, err := d.Token()
		if err != nil {
			return c, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			if c.kind == formula {
				return c, nil
			}
			return b.value(c, attr(e, "t"), attr(e, "s"), value)
		case xml.StartElement:
			switch token.Name.Local {
			case "v", "is":
				if value, err = inner(d, token); err != nil {
					return c, err
				}
			default:
				if token.Name.Local == "f" {
					c.kind = formula
				}
				if err := d.Skip(); err != nil {
					return c, err
				}
			}
		}
	}
}

// inner returns the text of a value, or of a string that stands in its cell.
func inner(d *xml.Decoder, e xml.StartElement) (string, error) {
	if e.Name.Local == "is" {
		return richText(d)
	}
	var s string
	err := d.DecodeElement(&s, &e)
	return s, err
}

// value says what a cell of a type holds.
func (b *workbook) value(c cell, kind, style, value string) (cell, error) {
	c.text = value
	switch kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if value == "" {
			return c, nil
		}
		if err != nil || i < 0 || i >= len(b.strings) {
			return c, ErrDamaged
		}
		c.text = b.strings[i]
	case "inlineStr":
	case "str":
		c.text = unescape(value)
	case "b":
		c.kind = boolean
	case "e":
		c.kind = failure
	case "d":
		c.kind = date
	case "", "n":
		c.kind = number
		if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(b.dates) && b.dates[i] {
			c.kind = date
		}
	default:
		return c, ErrDamaged
	}
	return c, nil
}

// place reads a reference such as C2.
func place(ref string) (column, row int, ok bool) {
	ref = strings.ReplaceAll(ref, "$", "")
	letters := strings.TrimRight(ref, "0123456789")
	if letters == "" || len(letters) > 3 || letters == ref {
		return 0, 0, false
	}
	for _, l := range []byte(letters) {
		switch {
		case 'A' <= l && l <= 'Z':
			column = column*26 + int(l-'A') + 1
		case 'a' <= l && l <= 'z':
			column = column*26 + int(l-'a') + 1
		default:
			return 0, 0, false
		}
	}
	row, err := strconv.Atoi(ref[len(letters):])
	return column, row, err == nil && row > 0
}
