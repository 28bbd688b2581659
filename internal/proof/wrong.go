package proof

import (
	"bytes"
	"crypto/sha256"
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
	strays   [][]byte            // records of events that stand behind the head
	size     int                 // bytes of the records of places
	sealedAt map[int64]tlog.Hash // of the records of these places and more
	more     int64               // positions beyond the places, from "from" on
	from     int64
}

type place struct {
	position int64
	sealed   summary
	record   []byte // nil: there is no event
}

// Only the first places are looked at closely: each is compared with each, and
// with what is near.
const (
	wrongPlaces = 500
	wrongBytes  = 16 << 20
	wrongSealed = 10_000
	near        = 16
)

func (w *wrong) add(position int64, sealed *summary, record []byte) {
	if w.sealedAt == nil {
		w.sealedAt = make(map[int64]tlog.Hash)
	}
	if len(w.sealedAt) < wrongSealed {
		w.sealedAt[position] = sealed.record()
	}
	if len(w.places) == wrongPlaces || w.size+len(record) > wrongBytes {
		if w.more++; w.more == 1 {
			w.from = position
		}
		return
	}
	w.places, w.size = append(w.places, place{position, *sealed, bytes.Clone(record)}), w.size+len(record)
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
		case p.record == nil && found: // it stands elsewhere, which is told there
		case p.record == nil:
			r.add(Deleted, p.position, p.position, "%s", gone)
		case moved:
			// Unless it was pushed out of what was sealed by one put in.
			if !found && 2*p.position-from <= r.Checkpoint.Size {
				r.add(Deleted, p.position, p.position, "%s", gone)
			}
			r.moved(p.position, from)
		case found:
			r.add(Inserted, p.position, p.position, "%s was never sealed; the event that was stands at position %d", describe(p.record), to)
		case at(p.record) != p.position && at(p.record) != 0:
			r.add(Moved, p.position, p.position, "%s says that it is at position %d", describe(p.record), at(p.record))
		default:
			is := summaryOf(p.record)
			how := "is not as it was sealed"
			if is.differ(&p.sealed) == nil {
				how += ", in a way that was made to hide the column"
			}
			r.add(Changed, p.position, p.position, "%s %s", describe(p.record), how)
			r.Defects[len(r.Defects)-1].Columns = is.differ(&p.sealed)
		}
	}
	for _, record := range w.strays {
		is := at(record)
		if was, found := origin[is]; found {
			r.add(Moved, was, was, "%s stands at position %d now, behind the end of the log", describe(record), is)
			r.Defects[len(r.Defects)-1].Columns = columns[:1]
			continue
		}
		r.add(Inserted, is, is, "%s stands behind the end of the log", describe(record))
	}
	if w.more > 0 {
		r.add(Changed, 0, 0, "%d more positions, from %d on, are not as they were sealed", w.more, w.from)
	}
}

// match finds the events that were only moved: where the event at a position
// was sealed, and where the event that was sealed at a position stands.
func (w *wrong) match() (origin, stands map[int64]int64) {
	origin, stands = make(map[int64]int64), make(map[int64]int64)
	find := func(own int64, record []byte) {
		if at(record) == 0 {
			return
		}
		says := at(record)
		for q := range w.candidates(own) {
			binary.BigEndian.PutUint64(record[positionAt:], uint64(q))
			if q != own && sha256.Sum256(record) == w.sealedAt[q] {
				origin[own], stands[q] = q, own
				break
			}
		}
		binary.BigEndian.PutUint64(record[positionAt:], uint64(says))
	}
	for _, p := range w.places {
		find(p.position, p.record)
	}
	for _, record := range w.strays {
		find(at(record), record)
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
func describe(record []byte) string {
	e, err := parseRecord(record)
	if err != nil {
		return "what is here"
	}
	return "the event here (" + e.Type + ", " + e.Stream + ")"
}
