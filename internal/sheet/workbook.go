package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"zurnals/domain"
)

// Bounds of a file that is read.
const (
	maxParts    = 1_000    // files in the archive
	maxUnpacked = 32 << 20 // bytes of all of them
	maxStrings  = 400_000  // in the shared table
	maxMerged   = 1_000
)

// A workbook is a spreadsheet file, opened.
type workbook struct {
	parts   map[string]*zip.File
	left    int64 // bytes that may still be unpacked
	strings []string
	dates   []bool // by style: whether numbers are shown as dates
}

// open opens a file and refuses what is none, or what would be too much.
func open(data []byte) (*workbook, error) {
	ole := []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}
	if bytes.HasPrefix(data, ole) {
		// Names in that container are in UTF-16.
		if bytes.Contains(data, []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e")) {
			return nil, ErrEncrypted
		}
		return nil, ErrOldExcel
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, ErrNotXLSX
	}
	if len(archive.File) > maxParts {
		return nil, ErrLarge
	}
	b := &workbook{parts: make(map[string]*zip.File), left: maxUnpacked}
	var size uint64
	for _, f := range archive.File {
		if size += f.UncompressedSize64; size > maxUnpacked {
			return nil, ErrLarge
		}
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))
		if _, ok := b.parts[name]; ok {
			return nil, ErrDamaged // which of the two counts depends on the reader
		}
		b.parts[name] = f
	}
	return b, nil
}

// part hands the elements of a part to f, which is called with each start and
// may read on. A part that is missing has no elements.
func (b *workbook) part(name string, f func(*xml.Decoder, xml.StartElement) error) error {
	file, ok := b.parts[strings.ToLower(name)]
	if !ok {
		return nil
	}
	r, err := file.Open()
	if err != nil {
		return ErrDamaged
	}
	defer r.Close()
	d := xml.NewDecoder(&meter{r: r, left: &b.left})
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return damaged(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if err := f(d, e); err != nil {
				return damaged(err)
			}
		}
	}
}

// A meter ends a part that is larger than the archive says it is, and bounds
// what is unpacked when one part is named many times.
type meter struct {
	r    io.Reader
	left *int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if *m.left -= int64(n); *m.left < 0 {
		return 0, ErrLarge
	}
	return n, err
}

// sheet returns the name of the part that holds a sheet, and reads what all
// sheets share.
func (b *workbook) sheet(name string) (string, error) {
	root, err := b.related("", "_rels/.rels")
	if err != nil {
		return "", err
	}
	main := "xl/workbook.xml"
	for _, r := range root {
		if strings.HasSuffix(r.kind, "/officeDocument") {
			main = r.target
		}
	}
	if b.parts[strings.ToLower(main)] == nil {
		return "", ErrNotXLSX
	}
	dir := path.Dir(main)
	related, err := b.related(dir, path.Join(dir, "_rels", path.Base(main)+".rels"))
	if err != nil {
		return "", err
	}
	var names, ids []string
	err = b.part(main, func(_ *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local == "sheet" {
			names, ids = append(names, attr(e, "name")), append(ids, attr(e, "id"))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	found := ""
	for i, n := range names {
		if normal(n) == normal(name) || len(names) == 1 {
			found = related[ids[i]].target
			break
		}
	}
	if b.parts[strings.ToLower(found)] == nil {
		return "", ErrNoSheet.With(domain.Detail{Field: "file", Code: ErrNoSheet.Code, What: name, Text: "there is no sheet " + name})
	}
	for _, r := range related {
		switch {
		case strings.HasSuffix(r.kind, "/sharedStrings"):
			err = errors.Join(err, b.readStrings(r.target))
		case strings.HasSuffix(r.kind, "/styles"):
			err = errors.Join(err, b.readStyles(r.target))
		}
	}
	return found, err
}

// A relation leads from one part to another.
type relation struct{ kind, target string }

func (b *workbook) related(dir, part string) (map[string]relation, error) {
	all := make(map[string]relation)
	err := b.part(part, func(_ *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local == "Relationship" && attr(e, "TargetMode") != "External" {
			target := attr(e, "Target")
			if !strings.HasPrefix(target, "/") {
				target = path.Join("/", dir, target)
			}
			all[attr(e, "Id")] = relation{attr(e, "Type"), strings.TrimPrefix(path.Clean(target), "/")}
		}
		return nil
	})
	return all, err
}

func (b *workbook) readStrings(part string) error {
	return b.part(part, func(d *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		if len(b.strings) == maxStrings {
			return ErrLarge
		}
		s, err := richText(d)
		b.strings = append(b.strings, s)
		return err
	})
}

// richText reads the text within an element, however it is cut into runs. How
// it is pronounced (rPh) is left out.
func richText(d *xml.Decoder) (string, error) {
	var s strings.Builder
	taking := false
	for depth := 1; depth > 0; {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rPh" {
				if err := d.Skip(); err != nil {
					return "", err
				}
				continue
			}
			depth++
			taking = token.Name.Local == "t"
		case xml.EndElement:
			depth--
			taking = false
		case xml.CharData:
			if taking {
				s.Write(token)
			}
		}
	}
	return unescape(s.String()), nil
}

var escape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescape turns _x000D_ into the character that XML cannot hold.
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	return escape.ReplaceAllStringFunc(s, func(m string) string {
		n, err := strconv.ParseUint(m[2:6], 16, 16)
		if err != nil {
			return m
		}
		return string(rune(n))
	})
}

// readStyles finds out which styles show numbers as dates.
func (b *workbook) readStyles(part string) error {
	custom := make(map[string]bool)
	within := false
	return b.part(part, func(_ *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "numFmt":
			custom[attr(e, "numFmtId")] = dateFormat(attr(e, "formatCode"))
		case "cellXfs":
			within = true
		case "cellStyles", "dxfs":
			within = false
		case "xf":
			if within && len(b.dates) < maxCell {
				n, _ := strconv.Atoi(attr(e, "numFmtId"))
				builtin := n >= 14 && n <= 22 || n >= 27 && n <= 36 || n >= 45 && n <= 47 || n >= 50 && n <= 58
				b.dates = append(b.dates, builtin || custom[attr(e, "numFmtId")])
			}
		}
		return nil
	})
}

var quoted = regexp.MustCompile(`"[^"]*"|\\.|\[[^\]]*\]`)

func dateFormat(code string) bool {
	return strings.ContainsAny(strings.ToLower(quoted.ReplaceAllString(code, "")), "ymdhs")
}

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

// attr returns an attribute whatever namespace it is in.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
