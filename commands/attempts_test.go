package commands

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var limit = Limit{Tries: 5, Wait: 30 * time.Second, MaxWait: time.Minute, Reset: 12 * time.Hour}

func TestAttempts(t *testing.T) {
	var a MemoryAttempts
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	try := func(want time.Duration) {
		t.Helper()
		if wait, err := a.Try(t.Context(), "anna", now, limit); wait != want || err != nil {
			t.Fatalf("wait %v, want %v, %v", wait, want, err)
		}
	}
	for n := 1; n <= 3; n++ {
		for range 5 {
			try(0)
		}
		wait := min(time.Duration(n)*30*time.Second, time.Minute) // never longer than a minute
		try(wait)
		now = now.Add(wait - time.Nanosecond)
		try(time.Nanosecond) // tries in between are not counted
		now = now.Add(time.Nanosecond)
	}
	now = now.Add(12 * time.Hour) // a count begins anew
	for range 5 {
		try(0)
	}
	try(30 * time.Second)
	if err := a.Forget(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	try(0)
}

// Many tries at once are no way around the limit.
func TestAttemptsAtOnce(t *testing.T) {
	var a MemoryAttempts
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	var allowed atomic.Int64
	for range 50 {
		wg.Go(func() {
			if wait, err := a.Try(t.Context(), "anna", now, limit); err == nil && wait == 0 {
				allowed.Add(1)
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 5 {
		t.Errorf("%d tries", allowed.Load())
	}
}

// Trying many names does not fill the memory.
func TestAttemptsAreBounded(t *testing.T) {
	var a MemoryAttempts
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	for i := range 250_000 {
		if wait, err := a.Try(t.Context(), fmt.Sprint(i), now, limit); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
	}
	if n := len(a.tries); n > 100_000 {
		t.Errorf("%d names are kept", n)
	}
}
