package projections

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A feed reads the end of the log once for all projections of the process:
// events are opened and decoded once, whoever handles them. Who is further
// behind than what it keeps reads the log itself.
type feed struct {
	log  Log
	want map[string]bool
	keep int // events

	mu         sync.Mutex
	from, head int64
	events     []Event // wanted, after from up to head; only ever appended to
	moved      chan struct{}
}

// run follows the log until ctx is done. An error of the log is returned; what
// was read stays.
func (f *feed) run(ctx context.Context) error {
	if head, _ := f.log.Changes(); f.at() == 0 {
		f.restart(head) // what is there already, each reads for itself as far as it is behind: usually not at all
	}
	for {
		head, moved := f.log.Changes()
		for at := f.at(); at < head; at = f.at() {
			if head-at > int64(f.keep) { // far behind: each reads for itself
				f.restart(head)
				continue
			}
			upto := min(head, at+1000)
			events, err := f.log.Read(ctx, at, upto, f.want)
			if err != nil {
				return err
			}
			f.add(events, upto)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *feed) at() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

func (f *feed) restart(head int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.head, f.events = head, head, nil
	f.wake()
}

func (f *feed) add(events []Event, upto int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.events = append(f.events, events...); len(f.events) > f.keep {
		f.from = f.events[len(f.events)-f.keep/2-1].Position
		f.events = slices.Clone(f.events[len(f.events)-f.keep/2:])
	}
	f.head = upto
	f.wake()
}

func (f *feed) wake() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// next returns the events after a position, at most limit, and up to where they
// go. If they are not kept any more, ok is false. At the head it returns none;
// moved is closed when there are more.
func (f *feed) next(after int64, limit int) (events []Event, upto int64, ok bool, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.from {
		return nil, f.head, false, f.moved
	}
	i, _ := slices.BinarySearchFunc(f.events, after+1, func(e Event, position int64) int { return int(e.Position - position) })
	events, upto = f.events[i:], max(f.head, after)
	if len(events) > limit {
		events, upto = events[:limit], events[limit-1].Position
	}
	return events, upto, true, f.moved
}

// stale returns how long ago the last event that was read was recorded.
func (f *feed) stale(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.events) == 0 {
		return 0
	}
	return max(now.Sub(f.events[len(f.events)-1].RecordedAt), 0)
}

// age returns how long ago the first wanted event after a position was recorded.
// If that is not kept, it was not before seen.
func (f *feed) age(after int64, seen, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after >= f.from {
		i, _ := slices.BinarySearchFunc(f.events, after+1, func(e Event, position int64) int { return int(e.Position - position) })
		if i == len(f.events) {
			return 0
		}
		seen = f.events[i].RecordedAt
	}
	if seen.IsZero() {
		return 0
	}
	return max(now.Sub(seen), 0)
}
