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

// attr returns an attribute whatever namespace it is in.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
