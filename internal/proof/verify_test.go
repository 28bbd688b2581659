package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"zurnals/eventstore"
)

func TestALogThatNobodyTouchedIsAsItWasSigned(t *testing.T) {
	h := newHouse(t, 40)
	for n := 1; n <= 40; n++ {
		var older []Checkpoint
		for m := 1; m <= n; m++ {
			older = append(older, h.checkpoint(t, m))
		}
		report, err := Verify(bytes.NewReader(h.export(t, h.checkpoint(t, n))), h.key, older)
		if err != nil || len(report.Defects) > 0 || report.Events != int64(n) || report.Agreed != n {
			t.Errorf("%d events: %v %s, %d read, %d agreed", n, err, told(report), report.Events, report.Agreed)
		}
	}
}

// touch changes one column of an event, and returns its name.
func touch(t *rapid.T, e *eventstore.Event) string {
	column := rapid.SampledFrom(columns[1:]).Draw(t, "column")
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		return b
	}
	switch column {
	case "stream":
		e.Stream = string(flip([]byte(e.Stream)))
	case "version":
		e.Version++
	case "id":
		e.ID = uuid.UUID(flip(e.ID[:]))
	case "type":
		e.Type = string(flip([]byte(e.Type)))
	case "schema":
		e.Schema++
	case "recorded_at":
		e.RecordedAt = e.RecordedAt.Add(time.Duration(rapid.SampledFrom([]int{-1, 1}).Draw(t, "earlier or later")) * time.Microsecond)
	case "meta":
		e.Meta = flip(e.Meta)
	case "data":
		e.Data = flip(e.Data)
	}
	return column
}

// Whoever changes the table, but not what was signed of it, is found at the
// place where it was done.
func TestWhatWasDoneToTheTableIsNamed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(3, 70).Draw(rt, "events")
		h := newHouse(t, n)
		c := h.checkpoint(t, n)
		k := rapid.IntRange(0, n-2).Draw(rt, "place")
		p := int64(k + 1)
		var want []Defect
		switch rapid.SampledFrom([]string{"change", "delete", "renumber", "insert", "swap", "cut"}).Draw(rt, "what") {
		case "change":
			want = []Defect{{Fault: Changed, From: p, To: p, Columns: []string{touch(rt, &h.events[k])}}}
		case "delete":
			h.events = slices.Delete(h.events, k, k+1)
			want = []Defect{{Fault: Deleted, From: p, To: p}}
		case "renumber": // delete, and close the gap
			h.events = slices.Delete(h.events, k, k+1)
			for i := k; i < len(h.events); i++ {
				h.events[i].Position--
			}
			want = []Defect{{Fault: Deleted, From: p, To: p}, {Fault: Moved, From: p, To: int64(n - 1)}}
		case "insert": // and push the last one out of what was sealed
			forged := h.events[k]
			forged.ID = uuid.New()
			h.events = slices.Insert(h.events, k, forged)
			for i := k + 1; i < len(h.events); i++ {
				h.events[i].Position++
			}
			want = []Defect{{Fault: Inserted, From: p, To: p}, {Fault: Moved, From: p + 1, To: int64(n)}}
		case "swap": // all columns but the position
			h.events[k].Position, h.events[k+1].Position = p+1, p
			want = []Defect{{Fault: Moved, From: p, To: p}, {Fault: Moved, From: p + 1, To: p + 1}}
		case "cut":
			h.events = h.events[:k+1]
			for q := k + 2; q <= n; q++ {
				want = append(want, Defect{Fault: Deleted, From: int64(q), To: int64(q)})
			}
		}
		report, err := Verify(bytes.NewReader(h.export(t, c)), h.key, nil)
		if err != nil {
			rt.Fatal(err)
		}
		same := func(a, b Defect) bool {
			return a.Fault == b.Fault && a.From == b.From && a.To == b.To && slices.Equal(a.Columns, b.Columns)
		}
		if !slices.EqualFunc(report.Defects, want, same) {
			rt.Errorf("told is\n%s\nwanted %+v", told(report), want)
		}
	})
}

// Whatever is done to the file itself is noticed, wherever it is.
func TestEveryByteOfTheFileCounts(t *testing.T) {
	h := newHouse(t, 5)
	whole := h.export(t, h.checkpoint(t, 5))
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			damaged := bytes.Clone(whole)
			damaged[i] ^= bit
			if h.verify(t, damaged) == "" {
				t.Errorf("bit %x of byte %d (%q) was changed unnoticed", bit, i, whole[max(0, i-5):i+1])
			}
		}
		if got := h.verify(t, whole[:i]); !strings.HasPrefix(got, "truncated") && !strings.Contains(got, "\ntruncated") {
			t.Errorf("cut after %d bytes: %s", i, got)
		}
	}
	begins(t, h.verify(t, append(bytes.Clone(whole), 0)), "trailing: ")
	begins(t, h.verify(t, nil), "truncated: ")
	begins(t, h.verify(t, []byte("PK\x03\x04 a zip\n")), "malformed: this is not an export")
}

// Frames of the file exchanged: both the events and what was sealed of them.
func TestExchangedFramesAreNamed(t *testing.T) {
	h := newHouse(t, 9)
	c := h.checkpoint(t, 9)
	h.events[3].Position, h.events[4].Position = 5, 4
	h.sealed[3], h.sealed[4] = h.sealed[4], h.sealed[3]
	file := h.export(t, c) // the record must still say its old position
	i, j := bytes.Index(file, h.sealed[3][:]), bytes.Index(file, h.sealed[4][:])
	file[i+positionAt+frameHead+7], file[j+positionAt+frameHead+7] = 5, 4
	begins(t, h.verify(t, file), "moved at position 4: the event here (attendance.marked, student-1) says that it is at position 5",
		"moved at position 5: ", "unsealed: ")
}

// Whoever holds the key can sign a new history, but not the old one again.
func TestARewrittenHistoryIsFoundByAnOlderCheckpoint(t *testing.T) {
	h := newHouse(t, 50)
	var minutes []Checkpoint
	for _, n := range []int{8, 16, 20, 33, 50} {
		minutes = append(minutes, h.checkpoint(t, n))
	}
	h.events[17].Data = []byte(`{"mark":10}`)
	h.seal()
	file := h.export(t, h.checkpoint(t, 50))
	begins(t, h.verify(t, file))
	begins(t, h.verify(t, file, minutes[4]), "rewritten at positions 1 to 50: the log is not the one of the checkpoint of 2025-09-01T05:50:00Z")
	begins(t, h.verify(t, file, minutes...), "rewritten at positions 17 to 20: the log is not the one of the checkpoint of 2025-09-01T05:20:00Z")
	begins(t, h.verify(t, file, minutes[0], minutes[1]))

	// Only the hashes were made anew, the signature is the old one.
	begins(t, h.verify(t, h.export(t, minutes[4])), "unsealed: ")
	begins(t, h.verify(t, h.export(t, minutes[4]), minutes...), "rewritten at positions 17 to 20: ", "unsealed: ")

	// Nothing but the table was changed: that is told, and nothing else.
	h = newHouse(t, 50)
	c := h.checkpoint(t, 50)
	older := h.checkpoint(t, 30)
	h.events[17].Data = []byte(`{"mark":10}`)
	begins(t, h.verify(t, h.export(t, c), older, c), "changed at position 18, column data: the event here (attendance.marked, student-5) is not as it was sealed")
}

// Who finds a change that keeps the checksum of its column hides the column,
// and never that there was a change.
func TestAColumnCanBeHiddenTheChangeCannot(t *testing.T) {
	h := newHouse(t, 5)
	c := h.checkpoint(t, 5)
	h.events[2].Data = []byte(`{"mark":9}    `)
	n := len(h.events[2].Data)
	want := crc32.Checksum([]byte(`{"mark":2}`), castagnoli)
	// Four bytes can make any checksum: the register is turned back through them.
	register, tail := ^crc32.Checksum(h.events[2].Data[:n-4], castagnoli), ^want
	for range 4 {
		for i, entry := range castagnoli {
			if entry>>24 == tail>>24 {
				tail = (tail^entry)<<8 | uint32(i)
				break
			}
		}
	}
	binary.LittleEndian.PutUint32(h.events[2].Data[n-4:], tail^register)
	begins(t, h.verify(t, h.export(t, c), c), "changed at position 3: the event here (attendance.marked, student-0) is not as it was sealed, in a way that was made to hide the column")
}

func TestALogThatWasCutOffIsShorterThanAnOlderCheckpoint(t *testing.T) {
	h := newHouse(t, 20)
	begins(t, h.verify(t, h.export(t, h.checkpoint(t, 15)), h.checkpoint(t, 20)), "shorter: the export ends at position 15, the checkpoint of 2025-09-01T05:20:00Z has 20")
	begins(t, h.verify(t, h.export(t, h.checkpoint(t, 15)), h.checkpoint(t, 15)))
}

func TestAnotherKeyIsNamedAndTheRestToo(t *testing.T) {
	h, other := newHouse(t, 5), newHouse(t, 5)
	h.events[2].Version++
	file := h.export(t, h.checkpoint(t, 5))
	begins(t, other.verify(t, file), "wrong key: the checkpoint is not signed with this key: another key has signed it", "changed at position 3, column version: ")

	// The same key, another text under the signature.
	c := h.checkpoint(t, 5)
	c.Note = strings.Replace(c.Note, "05:05:00", "05:06:00", 1)
	begins(t, h.verify(t, h.export(t, c)), "wrong key: the checkpoint is not signed with this key: the signature does not fit the text", "changed at position 3, column version: ")

	_, defects := OpenCheckpoints(other.key, h.checkpoint(t, 5).Note, "nothing of the kind")
	if len(defects) != 2 || defects[0].Fault != WrongKey || defects[1].Fault != Malformed {
		t.Error(defects)
	}
}

// However much was changed, the report stays short.
func TestTheReportIsBounded(t *testing.T) {
	h := newHouse(t, 3*wrongPlaces)
	c := h.checkpoint(t, len(h.events))
	h.events = slices.Delete(h.events, 1, 2)
	for i := 1; i < len(h.events); i++ {
		h.events[i].Position--
	}
	begins(t, h.verify(t, h.export(t, c)), "deleted at position 2: the event that was sealed here is not in the log any more, or far away",
		"moved at positions 2 to 501: the events here were sealed at positions 3 to 502", "changed: 999 more positions, from 502 on")
	for i := range h.events {
		h.events[i].Type = "x"
	}
	if got := h.verify(t, h.export(t, c)); strings.Count(got, "\n") != wrongPlaces || !strings.HasSuffix(got, "1000 more positions, from 501 on, are not as they were sealed") {
		t.Error(got)
	}
}

func FuzzVerify(f *testing.F) {
	h := newHouse(f, 5)
	c := h.checkpoint(f, 5)
	whole := h.export(f, c)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(exportHead + columnsLine + "checkpoint 9999999999\n"))
	f.Add([]byte(exportHead + columnsLine + "checkpoint 3\nabc"))
	huge, err := sign(h.signer, 1<<62, tlog.Hash{}, monday)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte(exportHead+columnsLine+"checkpoint "+itoa(len(huge.Note))+"\n"+huge.Note), whole[400:]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := Verify(bytes.NewReader(data), h.key, []Checkpoint{c})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Defects) == 0 && !bytes.Equal(data, whole) {
			t.Errorf("another export is as good as ours: %q", data)
		}
	})
}

func FuzzProof(f *testing.F) {
	h := newHouse(f, 5)
	whole, err := json.Marshal(h.include(f, 3, 5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"kind":"consistency","from":-1,"to":5,"hashes":["AAAA"]}`))
	f.Add([]byte(`{"kind":"inclusion","position":1,"hashes":null,"checkpoint":""}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = VerifyProof(data, h.key, nil) // must not panic
	})
}

func FuzzCheckpoint(f *testing.F) {
	h := newHouse(f, 5)
	f.Add(h.checkpoint(f, 5).Note + "\n" + h.checkpoint(f, 4).Note)
	f.Add("zurnals log 2\nzurnals log 2\n\n\n— \n— x")
	f.Add("zurnals log 2\n\n— a")
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range FindCheckpoints(text) {
			if c, err := OpenCheckpoint(n, h.key); err == nil && c.Size != 5 && c.Size != 4 {
				t.Errorf("a checkpoint that nobody signed: %q", n)
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	h := newHouse(f, 1)
	f.Add(appendRecord(nil, &h.events[0]))
	f.Add([]byte{0, 0, 0, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseRecord(data)
		if err == nil && !bytes.Equal(appendRecord(nil, &e), data) {
			t.Errorf("%q and %q are the same event", data, appendRecord(nil, &e))
		}
	})
}
