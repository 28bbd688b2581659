package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"zurnals/domain"
)

//go:embed lv_school_calendar.json
var calendarFile []byte

// A Calendar says on which days there is school (mācību gada kalendārs).
type Calendar struct {
	Start, End domain.Date // of lessons, in the class that has them longest
	ends       map[int]domain.Date
	free       [][2]domain.Date // breaks, both days part of them
}

// holidays are the public holidays of the school year that fall on a weekday
// outside of the breaks.
var holidays = []domain.Date{"2025-11-18", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-04"}

// SchoolYear is the year that the demo is about.
const SchoolYear = "2025/2026"

// ReadCalendar returns the calendar of the demo's school year.
func ReadCalendar() (*Calendar, error) {
	var file struct {
		Years []struct {
			SchoolYear string
			Start      domain.Date
			YearEnd    map[string]string `json:"year_end"`
			Breaks     [][3]string
		}
	}
	if err := json.Unmarshal(calendarFile, &file); err != nil {
		return nil, fmt.Errorf("demo: calendar: %w", err)
	}
	for _, y := range file.Years {
		if y.SchoolYear != SchoolYear {
			continue
		}
		c := &Calendar{Start: y.Start, ends: make(map[int]domain.Date)}
		for grades, end := range y.YearEnd {
			day, err := domain.ParseDate(end[:min(10, len(end))]) // a remark may follow
			if err != nil {
				return nil, fmt.Errorf("demo: calendar: end of year %q: %w", end, err)
			}
			for _, g := range gradesOf(grades) {
				c.ends[g] = day
			}
			c.End = max(c.End, day)
		}
		for _, b := range y.Breaks {
			if !strings.HasPrefix(b[0], "vasaras") { // lessons have ended
				c.free = append(c.free, [2]domain.Date{domain.Date(b[1]), domain.Date(b[2])})
			}
		}
		for g := 1; g <= 12; g++ {
			if c.ends[g] == "" {
				return nil, fmt.Errorf("demo: calendar: no end of the year for grade %d", g)
			}
		}
		return c, nil
	}
	return nil, fmt.Errorf("demo: calendar: no school year %s", SchoolYear)
}

// gradesOf reads "1-8,10-11".
func gradesOf(s string) (all []int) {
	for part := range strings.SplitSeq(s, ",") {
		var from, to int
		if n, _ := fmt.Sscanf(part, "%d-%d", &from, &to); n == 1 {
			to = from
		}
		for g := from; g <= to; g++ {
			all = append(all, g)
		}
	}
	return all
}

// Days returns the first days of lessons, as many as wanted and there are.
func (c *Calendar) Days(n int) (days []domain.Date) {
	first, err := time.Parse(time.DateOnly, string(c.Start))
	if err != nil {
		return nil
	}
	for day := first; len(days) < n; day = day.AddDate(0, 0, 1) {
		d := domain.Date(day.Format(time.DateOnly))
		if d > c.End {
			break
		}
		if c.open(d, day.Weekday()) {
			days = append(days, d)
		}
	}
	return days
}

func (c *Calendar) open(d domain.Date, weekday time.Weekday) bool {
	return weekday != time.Saturday && weekday != time.Sunday && !slices.Contains(holidays, d) &&
		!slices.ContainsFunc(c.free, func(b [2]domain.Date) bool { return b[0] <= d && d <= b[1] })
}

// Has says whether a grade still has lessons on a day of Days.
func (c *Calendar) Has(grade int, d domain.Date) bool { return d <= c.ends[grade] }
