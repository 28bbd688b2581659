package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/domain/access"
	"zurnals/projections/attendance"
)

type exportIn struct {
	RegisterIn
	PeriodIn
	OnlyIn
	Format  string `query:"format" enum:"xlsx,csv" default:"xlsx"`
	Remarks bool   `query:"remarks" doc:"remarks stand in the cells too"`
}

// exportRegister sends the report as a file.
func (a *API) exportRegister(ctx context.Context, by access.Actor, in *exportIn) (*huma.StreamResponse, error) {
	place, err := a.register(ctx, in.Register)
	if err != nil {
		return nil, err
	}
	ask, err := question(in.PeriodIn, in.OnlyIn)
	if err != nil {
		return nil, err
	}
	return a.tableFile(ctx, in.Format, func(f *tableFile) error {
		x := export{tableFile: f, remarks: in.Remarks}
		return attendance.Walk(ctx, a.Views, by, place, ask, x.head, x.row)
	})
}

// An export is a report as a table, headings in Latvian (S-27).
type export struct {
	*tableFile
	remarks bool

	statuses []string
	graded   bool
}

func (x *export) head(h attendance.Heading) error {
	x.graded = h.Register.GradeType == "points"
	if err := x.begin(fileName(h.Register.Name), h.Register.Name); err != nil {
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
