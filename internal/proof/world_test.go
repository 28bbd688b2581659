package proof

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"zurnals/eventstore"
)

// monday is when tests begin: 2025-09-01 08:00 in Riga.
var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

// A house is a log on paper: events, what was sealed of them, and a key.
type house struct {
	signer note.Signer
	key    Key
	events []eventstore.Event
	sealed []summary
}

func newHouse(t testing.TB, n int) *house {
	t.Helper()
	signer, key, err := newSigner(t.Context(), eventstore.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{signer: signer, key: key}
	for i := range n {
		h.events = append(h.events, eventstore.Event{
			Position: int64(i + 1), ID: uuid.New(), Stream: fmt.Sprintf("student-%d", i/3), Version: i%3 + 1,
			Type: "attendance.marked", Schema: 1, RecordedAt: monday.Add(time.Duration(i) * time.Second),
			Meta: []byte(`{"actor":"account"}`), Data: fmt.Appendf(nil, `{"mark":%d}`, i),
		})
	}
	h.seal()
	return h
}

// seal seals the events as they are now.
func (h *house) seal() {
	h.sealed = nil
	for i := range h.events {
		h.sealed = append(h.sealed, summaryOf(appendRecord(nil, &h.events[i])))
	}
}

// checkpoint signs the first n events.
func (h *house) checkpoint(t testing.TB, n int) Checkpoint {
	t.Helper()
	var grown tree
	for _, s := range h.sealed[:n] {
		grown.add(s.leaf(), nil)
	}
	c, err := sign(h.signer, int64(n), grown.root(), monday.Add(time.Duration(n)*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// export writes the events as they are now beside what was sealed.
func (h *house) export(t testing.TB, c Checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	x := newExporter(&b, c.Note)
	stands := make(map[int64]*eventstore.Event)
	for i := range h.events {
		stands[h.events[i].Position] = &h.events[i]
	}
	for p := int64(1); p <= c.Size; p++ {
		if e := stands[p]; e != nil {
			x.event(&h.sealed[p-1], e)
		} else {
			x.missing(&h.sealed[p-1])
		}
	}
	if err := x.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// verify returns the defects of an export, one a line.
func (h *house) verify(t testing.TB, export []byte, older ...Checkpoint) string {
	t.Helper()
	report, err := Verify(bytes.NewReader(export), h.key, older)
	if err != nil {
		t.Fatal(err)
	}
	return told(report)
}

func told(r Report) string {
	lines := make([]string, len(r.Defects))
	for i, d := range r.Defects {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// begins says whether there are just these defects, by their beginnings.
func begins(t *testing.T, told string, want ...string) {
	t.Helper()
	lines := strings.Split(told, "\n")
	if told == "" {
		lines = nil
	}
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.HasPrefix(lines[i], want[i])
	}
	if !ok {
		t.Errorf("told is\n%s\nwanted\n%s", told, strings.Join(want, "\n"))
	}
}
