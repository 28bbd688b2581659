package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sheet"
	"zurnals/projections/analytics"
)

// analyticsRoutes are for analysts: counts, nothing personal.
func (a *API) analyticsRoutes() {
	handle(a, route{
		id: "get-attendance-week", method: "GET", path: "/analytics/attendance_week", permission: access.ReadAnalytics,
		summary: "Lessons, marks and points by school, week and status", produces: []string{"text/csv"},
		about: "Groups of fewer than five pupils are suppressed, and what would let them be worked out. JSON, or CSV by Accept or format=csv. " +
			"Zurnals-Position and Zurnals-As-Of say how fresh it is.",
	}, a.attendanceWeek)
}

type attendanceWeekIn struct {
	PeriodIn
	Format string `query:"format" enum:"json,csv" doc:"before Accept"`
	Accept string `header:"Accept" maxLength:"1000"`
}

type analyticsOut struct {
	ContentType string    `header:"Content-Type"`
	Position    int64     `header:"Zurnals-Position"`
	AsOf        time.Time `header:"Zurnals-As-Of" timeFormat:"2006-01-02T15:04:05Z07:00"`
	Body        []byte    `contentType:"application/json"`
}

type freshWeeks struct {
	Position int64            `json:"position"` // of the log: all up to it is counted
	AsOf     time.Time        `json:"as_of"`
	Items    []analytics.Week `json:"items"`
}

func (a *API) attendanceWeek(ctx context.Context, by access.Actor, in *attendanceWeekIn) (*analyticsOut, error) {
	weeks, err := analytics.AttendanceWeeks(ctx, a.Views, by, by.Active.Scope, domain.Date(in.From), domain.Date(in.Until))
	if err != nil {
		return nil, err
	}
	out := &analyticsOut{ContentType: "application/json", Position: weeks.Position, AsOf: a.Now().UTC()}
	if in.Format == "csv" || in.Format == "" && strings.Contains(in.Accept, "text/csv") {
		out.ContentType = kindCSV
		out.Body, err = weeksCSV(weeks.Lines)
		return out, err
	}
	out.Body, err = json.Marshal(freshWeeks{weeks.Position, out.AsOf, weeks.Lines})
	return out, err
}

// weeksCSV writes the columns of the SQL view.
func weeksCSV(lines []analytics.Week) ([]byte, error) {
	var b bytes.Buffer
	table, err := sheet.NewCSV(&b)
	if err != nil {
		return nil, err
	}
	if err := table.Head([]string{"municipality", "school", "week", "iso_week", "status", "lessons", "suppressed", "marks", "pupils", "points", "maximum"}); err != nil {
		return nil, err
	}
	for _, l := range lines {
		err := table.Row([]any{l.Municipality.String(), l.School.String(), string(l.Week), l.ISOWeek, l.Status, l.Lessons,
			strconv.FormatBool(l.Suppressed), orNothing(l.Marks), orNothing(l.Pupils), orNothing(l.Points), orNothing(l.Maximum)})
		if err != nil {
			return nil, err
		}
	}
	err = table.Finish()
	return b.Bytes(), err
}

// orNothing returns what is pointed at, or nil for an empty cell.
func orNothing[N int | float64](n *N) any {
	if n == nil {
		return nil
	}
	return *n
}
