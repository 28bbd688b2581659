package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/domain/access"
	"zurnals/internal/sheet"
	"zurnals/projections/attendance"
)

// Content types of exported tables.
const (
	kindXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	kindCSV  = "text/csv; charset=utf-8"
)

type exportIn struct {
	RegisterIn
	PeriodIn
	OnlyIn
	Format  string `query:"format" enum:"xlsx,csv" default:"xlsx"`
	Remarks bool   `query:"remarks" doc:"remarks stand in the cells too"`
}

// exportRegister writes the report to a temporary file while it is read, row
// by row, and then sends the file: the database does not wait for a slow
// client, and what fails is told before anything is sent.
func (a *API) exportRegister(ctx context.Context, by access.Actor, in *exportIn) (*huma.StreamResponse, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	ask, err := question(in.PeriodIn, in.OnlyIn)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "zurnals-export-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil { // it lives as long as it is open
		return nil, errors.Join(err, file.Close())
	}
	x := export{out: file, format: in.Format, remarks: in.Remarks}
	err = attendance.Walk(ctx, a.Views, by, place, ask, x.head, x.row)
	if err == nil {
		err = x.table.Finish()
	}
	if x.table != nil {
		err = errors.Join(err, x.table.Close())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", map[string]string{"xlsx": kindXLSX, "csv": kindCSV}[in.Format])
		c.SetHeader("Content-Disposition", attachment(x.name+"."+in.Format))
		c.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		c.SetStatus(http.StatusOK)
		if _, err := io.Copy(c.BodyWriter(), file); err != nil {
			a.Log.DebugContext(ctx, "export not sent", "err", err) // the client has gone
		}
		if err := file.Close(); err != nil {
			a.Log.ErrorContext(ctx, "export not closed", "err", err)
		}
	}}, nil
}

// attachment names a file to be saved, in any alphabet (RFC 6266).
func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// An export is a report as a table, headings in Latvian (S-27).
type export struct {
	out     io.Writer
	format  string
	remarks bool

	name     string
	table    sheet.Table
	statuses []string
	graded   bool
}

func (x *export) head(h attendance.Heading) (err error) {
	x.name, x.graded = fileName(h.Register.Name), h.Register.GradeType == "points"
	if x.format == "csv" {
		x.table, err = sheet.NewCSV(x.out)
	} else {
		x.table, err = sheet.NewXLSX(x.out, h.Register.Name)
	}
	if err != nil {
		return err
	}
	cells := []string{"Uzvārds", "Vārds"}
	for _, l := range h.Lessons {
		cells = append(cells, heading(l))
	}
	for _, s := range h.StatusSet.Statuses {
		x.statuses = append(x.statuses, s.Acronym)
		cells = append(cells, s.Acronym+" "+s.Description)
	}
	cells = append(cells, "Citi statusi", "Atzīmētas nodarbības")
	if x.graded {
		cells = append(cells, "Punkti", "Maksimums", "Procenti", "Vērtējums")
	}
	return x.table.Head(cells)
}

// heading tells when a lesson is, for whom and what about.
func heading(l attendance.Column) string {
	when := string(l.Date) + " " + l.From
	if l.Until != "" {
		when += "–" + l.Until
	}
	lines := []string{when, "Visa klase"}
	if l.Description != "" {
		lines = append(lines, l.Description)
	}
	return strings.Join(lines, "\n")
}

func (x *export) row(r attendance.Row) error {
	cells := []any{r.FamilyName, r.GivenName}
	for _, c := range r.Cells {
		cells = append(cells, x.cell(c))
	}
	others := r.Summary.Marked
	for _, s := range x.statuses {
		cells = append(cells, r.Summary.Statuses[s])
		others -= r.Summary.Statuses[s]
	}
	cells = append(cells, others, r.Summary.Marked)
	if x.graded {
		share := r.Summary.Taken
		cells = append(cells, share.Points, share.Maximum, orDash(share.Percentage), orDash(r.Summary.Grade))
	}
	return x.table.Row(cells)
}

// cell writes what there is to say of one pupil in one lesson, such as
// “L (1/2); Pašreģistrēts; autobuss”.
func (x *export) cell(c attendance.Cell) string {
	var parts []string
	switch {
	case c.Kind == "hidden":
		parts = append(parts, "ārpus perioda")
	case c.Kind == "not_enrolled":
		parts = append(parts, "nav iekļauts")
	case c.Kind == "unmarked":
		parts = append(parts, "?")
	case x.graded:
		parts = append(parts, fmt.Sprintf("%s (%s/%s)", c.Status, number(c.Points), number(c.Maximum)))
	default:
		parts = append(parts, c.Status)
	}
	if x.remarks {
		if c.Method.Self() {
			parts = append(parts, "Pašreģistrēts")
		}
		if c.Remark != "" {
			parts = append(parts, c.Remark)
		}
	}
	return strings.Join(parts, "; ")
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// orDash writes a number, or a dash where there is none: nothing is not zero.
func orDash(n *float64) any {
	if n == nil {
		return "–"
	}
	return *n
}

// fileName makes a name for a file of the name of a thing.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if slices.Contains([]rune(`/\:*?"<>|`), r) {
			return '_'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:80])
	}
	if s = strings.Trim(s, " ."); s == "" {
		return "apmeklējums"
	}
	return s
}
