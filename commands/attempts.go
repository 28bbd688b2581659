package commands

import (
	"context"
	"sync"
	"time"
)

// Attempts counts tries at secrets, outside the log: a failed try is no event.
type Attempts interface {
	// Try counts a try at key before it is made, so that many made at once are
	// counted too. It returns how long to wait if no try may be made now; such
	// a try is not counted.
	Try(ctx context.Context, key string, at time.Time, limit Limit) (wait time.Duration, err error)

	// Forget forgets the tries at key, after one that was right.
	Forget(ctx context.Context, key string) error
}

// A Limit says how often a secret may be tried.
type Limit struct {
	Tries   int           // after each so many wrong tries one waits,
	Wait    time.Duration // so long the first time, twice as long the second, and so on,
	MaxWait time.Duration // but no longer than this
	Reset   time.Duration // after so long without a try the count begins anew
}

// MemoryAttempts counts tries in this process. With several nodes each counts
// its own, which lets somebody try as often as there are nodes; a restart
// forgets. Both are small against what is guessed at, so no table is written on
// every sign-in. The zero value is ready.
type MemoryAttempts struct {
	mu    sync.Mutex
	tries map[string]tries
}

type tries struct {
	n    int
	last time.Time
	end  time.Time // when they are forgotten
}

// attemptsKept is how many keys MemoryAttempts remembers.
const attemptsKept = 100_000

// Try implements Attempts.
func (a *MemoryAttempts) Try(_ context.Context, key string, at time.Time, limit Limit) (time.Duration, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tries[key]
	if !at.Before(t.end) {
		t = tries{}
	}
	if t.n > 0 && t.n%limit.Tries == 0 {
		free := t.last.Add(min(limit.Wait*time.Duration(t.n/limit.Tries), limit.MaxWait))
		if at.Before(free) {
			return free.Sub(at), nil
		}
	}
	if a.tries == nil {
		a.tries = make(map[string]tries)
	}
	if len(a.tries) >= attemptsKept {
		a.makeRoom(at)
	}
	a.tries[key] = tries{n: t.n + 1, last: at, end: at.Add(limit.Reset)}
	return 0, nil
}

// makeRoom forgets what is over, and if that is little, any half of the rest.
func (a *MemoryAttempts) makeRoom(at time.Time) {
	for key, t := range a.tries {
		if !at.Before(t.end) {
			delete(a.tries, key)
		}
	}
	for key := range a.tries {
		if len(a.tries) <= attemptsKept/2 {
			break
		}
		delete(a.tries, key)
	}
}

// Forget implements Attempts.
func (a *MemoryAttempts) Forget(_ context.Context, key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tries, key)
	return nil
}
