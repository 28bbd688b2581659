package clock_test

import (
	"testing"
	"time"

	"zurnals/internal/clock"
	"zurnals/internal/pgtest"
)

var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

func TestAClockGoesOnWhereItWasAfterARestart(t *testing.T) {
	db := pgtest.New(t)
	c, err := clock.Open(t.Context(), db.App)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(c.Now()).Abs(); d > time.Minute {
		t.Errorf("a clock that was never moved is off by %v", d)
	}
	if err := c.Set(t.Context(), monday); err != nil {
		t.Fatal(err)
	}
	if err := c.Advance(t.Context(), 120*time.Hour); err != nil {
		t.Fatal(err)
	}
	again, err := clock.Open(t.Context(), db.App)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*clock.Clock{c, again} {
		if d := c.Now().Sub(monday.Add(120 * time.Hour)); d < 0 || d > time.Minute {
			t.Errorf("the clock shows %v", c.Now())
		}
	}
}

func TestAClockDoesNotGoBack(t *testing.T) {
	c := clock.Stopped(monday)
	if err := c.Advance(t.Context(), -time.Nanosecond); err == nil {
		t.Error("turned back")
	}
	if err := c.Advance(t.Context(), time.Hour); err != nil || !c.Now().Equal(monday.Add(time.Hour)) {
		t.Error(c.Now(), err)
	}
}
