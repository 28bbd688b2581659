package eventstore

import "sync"

// ring keeps the newest events that this process appended, so that projections
// in the same process need not read them back.
type ring struct {
	mu     sync.RWMutex
	events []Event // without gaps
	size   int     // bytes
}

const (
	ringEvents = 4_096
	ringBytes  = 8 << 20
)

// add takes events that follow each other. When another process has appended
// in between, what was there before is dropped.
func (r *ring) add(events []Event) {
	if len(events) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.events); n > 0 && r.events[n-1].Position+1 != events[0].Position {
		r.events, r.size = nil, 0
	}
	r.events = append(r.events, events...)
	for i := range events {
		r.size += weight(&events[i])
	}
	drop := 0
	for len(r.events)-drop > ringEvents || r.size > ringBytes {
		r.size -= weight(&r.events[drop])
		drop++
	}
	// Readers hold parts of the slice: it is cut and grows elsewhere, never written.
	r.events = r.events[drop:]
}

// read returns some events that follow after, at most up to upto; nil when the
// next one is not here.
func (r *ring) read(after, upto int64) []Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.events) == 0 || after+1 < r.events[0].Position {
		return nil
	}
	first := r.events[0].Position
	from, to := after+1-first, min(upto+1-first, int64(len(r.events)))
	if from >= to {
		return nil
	}
	return r.events[from:to:to]
}

func weight(e *Event) int { return len(e.Data) + len(e.Meta) + len(e.Stream) + 120 }
