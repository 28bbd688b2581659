package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"zurnals/internal/trace"
	"zurnals/projections/attendance"
)

// TestCells: what one cell says of a pupil in a lesson.
func TestCells(t *testing.T) {
	trace.Covers(t, "A11", "A66", "ATT-048")
	for _, c := range []struct {
		cell           attendance.Cell
		want, remarked string
		ungraded       string
	}{
		{attendance.Cell{Kind: "marked", Status: "P", Points: 2, Maximum: 2, Method: "manual"}, "P (2/2)", "P (2/2)", "P"},
		{attendance.Cell{Kind: "marked", Status: "L", Points: 0.75, Maximum: 1.5, Method: "qr", Remark: "autobuss"}, "L (0.75/1.5)", "L (0.75/1.5); Pašreģistrēts; autobuss", "L"},
		{attendance.Cell{Kind: "unmarked", Maximum: 2}, "?", "?", "?"},
		{attendance.Cell{Kind: "unmarked", Maximum: 2, Remark: "slims"}, "?", "?; slims", "?"},
		{attendance.Cell{Kind: "not_enrolled"}, "nav iekļauts", "nav iekļauts", "nav iekļauts"},
		{attendance.Cell{Kind: "hidden"}, "ārpus perioda", "ārpus perioda", "ārpus perioda"},
	} {
		graded, remarks, plain := export{graded: true}, export{graded: true, remarks: true}, export{}
		if got := graded.cell(c.cell); got != c.want {
			t.Errorf("%+v is %q, want %q", c.cell, got, c.want)
		}
		if got := remarks.cell(c.cell); got != c.remarked {
			t.Errorf("%+v with remarks is %q, want %q", c.cell, got, c.remarked)
		}
		if got := plain.cell(c.cell); got != c.ungraded {
			t.Errorf("%+v without grades is %q, want %q", c.cell, got, c.ungraded)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"Matemātika 6.a": "Matemātika 6.a", "../etc/passwd": "_etc_passwd", `a"b;c`: "a_b;c", " . ": "apmeklējums",
	} {
		if got := fileName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// TestExport opens the files again and compares them with the report.
func TestExport(t *testing.T) {
	t.Parallel()
	trace.Covers(t, "A66", "ATT-030", "ATT-031")
	s := newLessons(t)
	for i, day := range []string{"02", "03"} {
		s.tell(s.instructs(step{ask: "POST /registers/{register}/sessions", status: 201, events: "attendance.lesson_scheduled", keep: fmt.Sprintf("l%d", i),
			body: `{"date":"2025-09-` + day + `","from":"08:30","until":"09:10"}`}))
	}
	s.tell(
		s.instructs(step{ask: "PUT /attendance-sessions/{lesson}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken,
			body: `{"marks":[{"student_id":"{p0}","status":"P"},{"student_id":"{p1}","status":"L","remark":"=1+1"}]}`}),
		s.instructs(step{ask: "PUT /attendance-sessions/{l0}/marks", headers: []string{"If-Match: *"}, status: 204, events: taken,
			body: `{"marks":[{"student_id":"{p0}","status":"E"}]}`}),
		step{as: "dace", ask: "GET /registers/{register}/export", status: 403, code: "access.forbidden"},
		step{as: "other", ask: "GET /registers/{register}/export", status: 404, code: "access.not_found"},
		step{as: "atbalsts", ask: "GET /registers/{register}/export?format=pdf", status: 422, code: "http.invalid"},
		step{as: "atbalsts", ask: "GET /registers/{register}/export?student=x", status: 404, code: "id.malformed"},
	)
	a := s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/export?remarks=true", status: 200})
	if _, params, err := mime.ParseMediaType(a.Header().Get("Content-Disposition")); err != nil || params["filename"] != "Matemātika 6.a.xlsx" {
		t.Errorf("file is called %v, %v", params, err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
	s.must(err)
	defer func() { s.must(f.Close()) }()
	rows, err := f.GetRows(f.GetSheetName(0))
	s.must(err)
	if want := []string{"Uzvārds", "Vārds", "2025-09-01 08:30–09:10\nVisa klase\nDaļskaitļi", "2025-09-02 08:30–09:10\nVisa klase", "2025-09-03 08:30–09:10\nVisa klase",
		"P Apmeklēts", "L Kavēts", "E Attaisnots", "A Neieradās", "Citi statusi", "Atzīmētas nodarbības", "Punkti", "Maksimums", "Procenti", "Vērtējums"}; strings.Join(rows[0], "|") != strings.Join(want, "|") {
		t.Errorf("headings %q", rows[0])
	}

	var report attendance.Report
	s.must(json.Unmarshal(s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/report", status: 200}).Body.Bytes(), &report))
	if len(rows) != 21 || len(report.Pupils) != 20 {
		t.Fatalf("%d rows for %d pupils", len(rows), len(report.Pupils))
	}
	formula := 0
	for i, p := range report.Pupils {
		row := rows[i+1]
		want := []string{p.FamilyName, p.GivenName}
		for _, c := range p.Cells {
			cell := "?"
			if c.Kind == "marked" {
				cell = fmt.Sprintf("%s (%g/%g)", c.Status, c.Points, c.Maximum)
			}
			if c.Remark != "" {
				cell += "; " + c.Remark
			}
			want = append(want, cell)
		}
		for _, status := range []string{"P", "L", "E", "A"} {
			want = append(want, fmt.Sprint(p.Summary.Statuses[status]))
		}
		want = append(want, "0", fmt.Sprint(p.Summary.Marked), fmt.Sprint(p.Summary.Taken.Points), fmt.Sprint(p.Summary.Taken.Maximum))
		if p.Summary.Taken.Percentage == nil {
			want = append(want, "–", "–")
		} else {
			want = append(want, fmt.Sprint(*p.Summary.Taken.Percentage), fmt.Sprint(*p.Summary.Grade))
		}
		if strings.Join(row, "|") != strings.Join(want, "|") {
			t.Errorf("row %d\ngot  %q\nwant %q", i+2, row, want)
		}
		if p.GivenName == "=HYPERLINK(1)" {
			formula = i + 2
		}
	}
	if formula == 0 {
		t.Fatal("nobody has a name like a formula")
	}
	if got, err := f.GetCellFormula(f.GetSheetName(0), fmt.Sprintf("B%d", formula)); err != nil || got != "" {
		t.Errorf("the name is the formula %q, %v", got, err)
	}

	a = s.tell(step{as: "atbalsts", ask: "GET /registers/{register}/export?format=csv&student={p1}&until=2025-09-02", status: 200})
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body.String(), "\ufeff"))).ReadAll()
	s.must(err)
	if len(lines) != 2 || lines[1][2] != "L (1/2)" || lines[1][3] != "?" || a.Header().Get("Content-Type") != kindCSV {
		t.Errorf("%s: %q", a.Header().Get("Content-Type"), lines)
	}
}
