package domain

import (
	"time"
	_ "time/tzdata" // the program brings the time zones along: they are part of what it decides
)

// Riga is where schools are: what the day is there, and the time.
var Riga = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Riga")
	if err != nil {
		panic(err) // the zones are compiled in
	}
	return zone
}()

// A Date is a day of the calendar, such as 2025-09-01, in no time zone. Dates
// compare as strings do.
type Date string

// ErrDate refuses what is not a day of the calendar.
var ErrDate = Refuse(Invalid, "date.invalid", "not a date like 2025-09-01")

// ParseDate reads a date as String writes it.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return "", ErrDate
	}
	return Date(s), nil
}

// DateOf returns the day that it is at t, in the time zone of t.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Start returns the first moment of the day in a time zone.
func (d Date) Start(zone *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), zone)
	if err != nil {
		return time.Time{}
	}
	return t
}

// DaysUntil returns how many days later than d another day is.
func (d Date) DaysUntil(later Date) int {
	return int(later.Start(time.UTC).Sub(d.Start(time.UTC)).Hours() / 24)
}

func (d Date) String() string { return string(d) }
