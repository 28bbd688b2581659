package proof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// wrong gathers the positions where the event is not the one that was sealed,
// and finds out what was done there: an event that has only been moved is the
// sealed one of another position as soon as that position is put back into it.
type wrong struct {
	places   []place
	size     int                 // bytes of their records
	sealedAt map[int64]tlog.Hash // of these places and more
	more     int64               // positions beyond the places, from "from" on
	from     int64
}

type place struct {
	position int64
	marked   []byte // nil: there is no event
}

// Only the first places are looked at closely: each is compared with each, and
// with what is near.
const (
	wrongPlaces = 500
	wrongBytes  = 16 << 20
	wrongSealed = 10_000
	near        = 16
)

func (w *wrong) add(position int64, sealed tlog.Hash, marked []byte) {
	if w.sealedAt == nil {
		w.sealedAt = make(map[int64]tlog.Hash)
	}
	if len(w.sealedAt) < wrongSealed {
		w.sealedAt[position] = sealed
	}
	if len(w.places) == wrongPlaces || w.size+len(marked) > wrongBytes {
		if w.more++; w.more == 1 {
			w.from = position
		}
		return
	}
	w.places, w.size = append(w.places, place{position, bytes.Clone(marked)}), w.size+len(marked)
}

// tell adds what was done to a report.
func (w *wrong) tell(r *Report) {
	origin, stands := w.match()
	gone := "the event that was sealed here is not in the log any more"
	if w.more > 0 {
		gone += ", or far away"
	}
	for _, p := range w.places {
		from, moved := origin[p.position]
		to, found := stands[p.position]
		switch {
		case p.marked == nil && found: // it stands elsewhere, which is told there
		case p.marked == nil:
			r.add(Deleted, p.position, p.position, "%s", gone)
		case moved:
			// Unless it was pushed out of what was sealed by one put in.
			if !found && 2*p.position-from <= r.Checkpoint.Size {
				r.add(Deleted, p.position, p.position, "%s", gone)
			}
			r.moved(p.position, from)
		case found:
			r.add(Inserted, p.position, p.position, "%s was never sealed; the event that was stands at position %d", describe(p.marked), to)
		case at(p.marked) != p.position && at(p.marked) != 0:
			r.add(Moved, p.position, p.position, "%s says that it is at position %d", describe(p.marked), at(p.marked))
		default:
			r.add(Changed, p.position, p.position, "%s is not as it was sealed", describe(p.marked))
		}
	}
	if w.more > 0 {
		r.add(Changed, 0, 0, "%d more positions, from %d on, are not as they were sealed", w.more, w.from)
	}
}

// match finds the events that were only moved: where the event at a position
// was sealed, and where the event that was sealed at a position stands.
func (w *wrong) match() (origin, stands map[int64]int64) {
	origin, stands = make(map[int64]int64), make(map[int64]int64)
	for _, p := range w.places {
		if at(p.marked) == 0 {
			continue
		}
		own := at(p.marked)
		for q := range w.candidates(p.position) {
			binary.BigEndian.PutUint64(p.marked[positionAt:], uint64(q))
			if q != p.position && leafOf(p.marked) == w.sealedAt[q] {
				origin[p.position], stands[q] = q, p.position
				break
			}
		}
		binary.BigEndian.PutUint64(p.marked[positionAt:], uint64(own))
	}
	return origin, stands
}

// candidates are the positions where the event at p may have been sealed, the
// nearest first.
func (w *wrong) candidates(p int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for d := int64(1); d <= near; d++ {
			if !yield(p+d) || !yield(p-d) {
				return
			}
		}
		for _, other := range w.places {
			if !yield(other.position) {
				return
			}
		}
	}
}

// moved tells that the event at a position was sealed at another one. Neighbours
// that were moved alike are one defect.
func (r *Report) moved(position, from int64) {
	by := from - position
	if n := len(r.Defects); n > 0 {
		if d := &r.Defects[n-1]; d.Fault == Moved && d.To == position-1 && d.by == by {
			d.To = position
			d.Text = fmt.Sprintf("the events here were sealed at positions %d to %d", d.From+by, d.To+by)
			return
		}
	}
	r.add(Moved, position, position, "the event here was sealed at position %d", from)
	r.Defects[len(r.Defects)-1].by = by
}

// describe names an event as far as it can be read.
func describe(marked []byte) string {
	e, err := parseRecord(marked[1:])
	if err != nil {
		return "what is here"
	}
	return "the event here (" + e.Type + ", " + e.Stream + ")"
}
