package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"zurnals/domain"
	"zurnals/internal/sheet"
)

var form = sheet.Form{Sheet: "Lietotāji", Headings: []string{"Vārds *", "Kods *", "E-pasts *"}, MaxRows: 5}

// book makes a file as a spreadsheet program would: the headings, and what fill
// does with the sheet.
func book(t testing.TB, fill func(f *excelize.File, name string)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	name := f.GetSheetName(0)
	for i, h := range form.Headings {
		must(t, f.SetCellStr(name, fmt.Sprintf("%c1", 'A'+i), h))
	}
	fill(f, name)
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, f *excelize.File, name string, n int, cells ...any) {
	t.Helper()
	must(t, f.SetSheetRow(name, fmt.Sprintf("A%d", n), &cells))
}

func TestARowIsARecord(t *testing.T) {
	data := book(t, func(f *excelize.File, name string) {
		put(t, f, name, 2, "Līga", "010170-11110", "liga@skola.example")
		put(t, f, name, 4, "", "  ", nil) // nothing but spaces
		put(t, f, name, 7, "Anna", "", "anna@skola.example")
		must(t, f.SetCellRichText(name, "B7", []excelize.RichTextRun{{Text: "0101"}, {Text: "70-1", Font: &excelize.Font{Bold: true}}}))
	})
	got, err := sheet.Read(data, form)
	must(t, err)
	if len(got) != 2 || got[0].Row != 2 || got[1].Row != 7 || len(got[0].Wrong)+len(got[1].Wrong) != 0 ||
		!slices.Equal(got[0].Cells, []string{"Līga", "010170-11110", "liga@skola.example"}) ||
		!slices.Equal(got[1].Cells, []string{"Anna", "010170-1", "anna@skola.example"}) {
		t.Errorf("%+v", got)
	}
}

// The last headings may be missing where the form says so, and no others.
func TestHeadingsThatMayBeMissing(t *testing.T) {
	longer := form
	longer.Headings, longer.Optional = slices.Concat(form.Headings, []string{"Lomas", "Klase"}), 2
	data := book(t, func(f *excelize.File, name string) { put(t, f, name, 2, "Līga", "010170-11110", "liga@skola.example") })
	got, err := sheet.Read(data, longer)
	must(t, err)
	if len(got) != 1 || !slices.Equal(got[0].Cells, []string{"Līga", "010170-11110", "liga@skola.example", "", ""}) {
		t.Errorf("%+v", got)
	}
	data = book(t, func(f *excelize.File, name string) {
		put(t, f, name, 1, "Klase", "Vārds", "Kods", "E-pasts")
		put(t, f, name, 2, "6.a", "Līga", "010170-11110", "liga@skola.example")
	})
	if got, err = sheet.Read(data, longer); err != nil || !slices.Equal(got[0].Cells, []string{"Līga", "010170-11110", "liga@skola.example", "", "6.a"}) {
		t.Errorf("%+v, %v", got, err)
	}
	longer.Optional = 1
	if _, err := sheet.Read(data, longer); !errors.Is(err, sheet.ErrHeadings) {
		t.Errorf("one that must be there: %v", err)
	}
}

// Whatever is not plain text is told by row, column and code.
func TestCellsThatAreNotText(t *testing.T) {
	for name, c := range map[string]struct {
		fill func(f *excelize.File, name string)
		want string
	}{
		"formula": {func(f *excelize.File, name string) {
			must(t, f.SetCellFormula(name, "C2", `HYPERLINK("http://evil.example","x")`))
		},
			"2 E-pasts *: sheet.formula"},
		"formula as text": {func(f *excelize.File, name string) { must(t, f.SetCellStr(name, "A2", "=1+1")) }, "2 Vārds *: sheet.formula_text"},
		"command as text": {func(f *excelize.File, name string) { must(t, f.SetCellStr(name, "A2", " @SUM(1)")) }, "2 Vārds *: sheet.formula_text"},
		"number":          {func(f *excelize.File, name string) { must(t, f.SetCellInt(name, "B2", 10170_11110)) }, "2 Kods *: sheet.number"},
		"scientific":      {func(f *excelize.File, name string) { must(t, f.SetCellFloat(name, "B2", 2.4046712345e10, -1, 64)) }, "2 Kods *: sheet.number"},
		"date": {func(f *excelize.File, name string) {
			must(t, f.SetCellValue(name, "B2", time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)))
		}, "2 Kods *: sheet.date"},
		"own date": {func(f *excelize.File, name string) {
			style := `dd"."mm"."`
			id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &style})
			must(t, err)
			must(t, f.SetCellInt(name, "B2", 45000))
			must(t, f.SetCellStyle(name, "B2", "B2", id))
		}, "2 Kods *: sheet.date"},
		"no date": {func(f *excelize.File, name string) {
			style := `0" gads"`
			id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &style})
			must(t, err)
			must(t, f.SetCellInt(name, "B2", 45000))
			must(t, f.SetCellStyle(name, "B2", "B2", id))
		}, "2 Kods *: sheet.number"},
		"logical": {func(f *excelize.File, name string) { must(t, f.SetCellBool(name, "B2", true)) }, "2 Kods *: sheet.boolean"},
		"merged": {func(f *excelize.File, name string) {
			put(t, f, name, 2, "Anna", "1", "a")
			put(t, f, name, 3, "Zane", "", "b")
			must(t, f.MergeCell(name, "B2", "B3"))
		}, "2 Kods *: sheet.merged, 3 Kods *: sheet.merged"},
		"beyond": {func(f *excelize.File, name string) { must(t, f.SetCellStr(name, "AB2", "?")) }, "2 AB: sheet.beyond"},
		"several": {func(f *excelize.File, name string) {
			put(t, f, name, 3, "=1", 5, true)
		}, "3 Vārds *: sheet.formula_text, 3 Kods *: sheet.number, 3 E-pasts *: sheet.boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sheet.Read(book(t, c.fill), form)
			must(t, err)
			var wrong []string
			for _, r := range got {
				for _, d := range r.Wrong {
					wrong = append(wrong, fmt.Sprintf("%d %s: %s", d.Row, d.Column, d.Code))
				}
			}
			if got := strings.Join(wrong, ", "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	good := book(t, func(f *excelize.File, name string) { put(t, f, name, 2, "a", "b", "c") })
	ole := append([]byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}, make([]byte, 600)...)
	var secret bytes.Buffer
	f := excelize.NewFile()
	must(t, f.Write(&secret, excelize.Options{Password: "parole"}))
	must(t, f.Close())
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":            {nil, sheet.ErrNotXLSX},
		"CSV under its name": {[]byte("Vārds,Kods,E-pasts\na,b,c\n"), sheet.ErrNotXLSX},
		"old Excel":          {ole, sheet.ErrOldExcel},
		"password":           {secret.Bytes(), sheet.ErrEncrypted},
		"cut off":            {good[:len(good)/2], sheet.ErrNotXLSX},
		"another archive":    {archive(t, "readme.txt", "hello"), sheet.ErrNotXLSX},
		"zip bomb":           {archive(t, "xl/workbook.xml", strings.Repeat(" ", 33<<20)), sheet.ErrLarge},
		"twice":              {archive(t, "xl/workbook.xml", "<a/>", "XL/workbook.xml", "<b/>"), sheet.ErrDamaged},
		"not XML":            {archive(t, "xl/workbook.xml", "<workbook><sheets>"), sheet.ErrDamaged},
		"entities":           {archive(t, "xl/workbook.xml", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`), sheet.ErrDamaged},
		"no sheet":           {archive(t, "xl/workbook.xml", `<workbook/>`), sheet.ErrNoSheet},
		"two other sheets": {book(t, func(f *excelize.File, _ string) {
			_, err := f.NewSheet("B")
			must(t, err)
		}), sheet.ErrNoSheet},
		"no row":          {book(t, func(*excelize.File, string) {}), sheet.ErrEmpty},
		"empty sheet":     {book(t, func(f *excelize.File, name string) { must(t, f.RemoveRow(name, 1)) }), sheet.ErrHeadings},
		"no headings":     {book(t, func(f *excelize.File, name string) { must(t, f.InsertRows(name, 1, 1)) }), sheet.ErrHeadings},
		"one too many":    {book(t, rows(t, 6)), sheet.ErrRows},
		"far-off cells":   {worksheet(t, `<row r="1048577"><c r="A1048577" t="str"><v>x</v></c></row>`), sheet.ErrDamaged},
		"column XFE":      {worksheet(t, `<row r="1"><c r="XFE1" t="str"><v>x</v></c></row>`), sheet.ErrDamaged},
		"rows backwards":  {worksheet(t, `<row r="2"><c t="str"><v>x</v></c></row><row r="1"/>`), sheet.ErrHeadings},
		"no such string":  {worksheet(t, `<row r="1"><c t="s"><v>7</v></c></row>`), sheet.ErrDamaged},
		"unknown type":    {worksheet(t, `<row r="1"><c t="x"><v>7</v></c></row>`), sheet.ErrDamaged},
		"part of a sheet": {worksheet(t, `<row r="1"><c t="s">`), sheet.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := sheet.Read(c.data, form); !errors.Is(err, c.want) {
				t.Errorf("%v %v, want %v", got, err, c.want)
			}
		})
	}
	if _, err := sheet.Read(book(t, rows(t, 5)), form); err != nil {
		t.Error(err)
	}
}

func rows(t *testing.T, n int) func(*excelize.File, string) {
	return func(f *excelize.File, name string) {
		for i := range n {
			put(t, f, name, i+2, "a", "b", "c")
		}
	}
}

func TestHeadings(t *testing.T) {
	for want, heads := range map[string][]any{
		"":                                 {" vārds*", "KODS", "e-pasts *"},
		"E-pasts *: sheet.heading_missing": {"Vārds", "Kods"},
		"Talrunis: sheet.heading_unknown":  {"Vārds", "Kods", "E-pasts", "Talrunis"},
		"Kods *: sheet.heading_twice":      {"Vārds", "Kods", "E-pasts", "kods"},
	} {
		_, err := sheet.Read(book(t, func(f *excelize.File, name string) {
			put(t, f, name, 1, heads...)
			for i := len(heads); i < 3; i++ {
				must(t, f.SetCellStr(name, fmt.Sprintf("%c1", 'A'+i), ""))
			}
			put(t, f, name, 2, "a", "b", "c")
		}), form)
		var refused *domain.Error
		errors.As(err, &refused)
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (refused == nil || len(refused.Details) != 1 || refused.Details[0].Row != 1 ||
			refused.Details[0].Column+": "+refused.Details[0].Code != want):
			t.Errorf("%v %+v, want %s", err, refused, want)
		}
	}
}

// archive makes a zip file of names and contents.
func archive(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for part := range slices.Chunk(parts, 2) {
		f, err := w.Create(part[0])
		must(t, err)
		_, err = f.Write([]byte(part[1]))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// worksheet makes a file of one sheet with the given rows.
func worksheet(t testing.TB, rows string) []byte {
	return archive(t,
		"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="S" r:id="1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="1" Type="t/worksheet" Target="s.xml"/></Relationships>`,
		"xl/s.xml", `<worksheet><sheetData>`+rows+`</sheetData></worksheet>`)
}

// A filled-in copy of the template is what Read wants.
func TestTemplateRoundTrip(t *testing.T) {
	var b bytes.Buffer
	must(t, sheet.Template{
		Form:    form,
		Columns: []sheet.Column{{Width: 20, Hint: "Anna"}, {Width: 15, Check: "AND(LEN({})<=12,LEN({})>11)", Wrong: "12 zīmes"}, {Width: 30}},
		Guide:   "Norādes", Guidance: []string{"Aizpildiet lapu Lietotāji.", "=nav formula"},
	}.Write(&b))
	if _, err := sheet.Read(b.Bytes(), form); !errors.Is(err, sheet.ErrEmpty) {
		t.Error(err)
	}
	f, err := excelize.OpenReader(&b)
	must(t, err)
	defer f.Close()
	if checks, err := f.GetDataValidations("Lietotāji"); err != nil || len(checks) != 3 || checks[1].Formula1 != "AND(LEN(B2)<=12,LEN(B2)>11)" || checks[1].Sqref != "B2:B6" {
		t.Errorf("%v %+v", err, checks)
	}
	if text, err := f.GetCellValue("Norādes", "A2"); err != nil || text != "=nav formula" {
		t.Error(text, err)
	}
	put(t, f, "Lietotāji", 2, "Līga", "010170-11110", "liga@skola.example")
	var filled bytes.Buffer
	_, err = f.WriteTo(&filled)
	must(t, err)
	got, err := sheet.Read(filled.Bytes(), form)
	if err != nil || len(got) != 1 || len(got[0].Wrong) != 0 || got[0].Cells[1] != "010170-11110" {
		t.Errorf("%v %+v", err, got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(book(f, func(x *excelize.File, name string) { put(f, x, name, 2, "a", 1, "=c") }))
	f.Add(archive(f, "xl/workbook.xml", "<a/>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
	})
}

// FuzzSheet fuzzes what is in the archive, which FuzzRead seldom gets into.
func FuzzSheet(f *testing.F) {
	f.Add(`<row r="1"><c r="A1" t="inlineStr"><is><t>Vārds</t></is></c></row><row r="2"><c r="A2" s="1"><f>1</f><v>2</v></c></row>`)
	f.Add(`<row><c/><c t="s"><v>0</v></c></row></sheetData><mergeCells><mergeCell ref="A1:XFD9999999"/></mergeCells>`)
	f.Fuzz(func(t *testing.T, rows string) {
		check(t, worksheet(t, rows))
	})
}

func check(t *testing.T, data []byte) {
	got, err := sheet.Read(data, form)
	var refused *domain.Error
	if err != nil && !errors.As(err, &refused) {
		t.Errorf("not a refusal: %v", err)
	}
	if err == nil && (len(got) == 0 || len(got) > form.MaxRows) {
		t.Errorf("%d records", len(got))
	}
}
