package proof

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// A Fault is a kind of thing that can be wrong with an export.
type Fault string

const (
	Malformed Fault = "malformed" // it is no export, or not from the place named on
	WrongKey  Fault = "wrong key" // a checkpoint is not signed with the key given
	Truncated Fault = "truncated" // the file ends too early
	Trailing  Fault = "trailing"  // the file goes on after the last event
	Changed   Fault = "changed"   // an event is not the one that was sealed
	Deleted   Fault = "deleted"   // an event that was sealed is nowhere
	Inserted  Fault = "inserted"  // an event that was never sealed stands between those that were
	Moved     Fault = "moved"     // events stand at other positions than they were sealed at
	Unsealed  Fault = "unsealed"  // the sealed hashes in the file are not those that were signed
	Rewritten Fault = "rewritten" // history is not the one of an older checkpoint, though signed
	Shorter   Fault = "shorter"   // an older checkpoint has more events
)

// A Defect is one thing that is wrong, at the positions From to To, if it is at
// any.
type Defect struct {
	Fault    Fault
	From, To int64
	Columns  []string // that were changed, of Changed and Moved
	Text     string

	by int64 // of events that were moved: how far
}

func (d Defect) String() string {
	switch {
	case d.From == 0:
		return fmt.Sprintf("%s: %s", d.Fault, d.Text)
	case d.From == d.To:
		return fmt.Sprintf("%s at position %d%s: %s", d.Fault, d.From, within(d.Columns), d.Text)
	}
	return fmt.Sprintf("%s at positions %d to %d%s: %s", d.Fault, d.From, d.To, within(d.Columns), d.Text)
}

// within names columns, if there are any to name.
func within(columns []string) string {
	switch len(columns) {
	case 0:
		return ""
	case 1:
		return ", column " + columns[0]
	}
	return ", columns " + strings.Join(columns, " and ")
}

// A Report is what Verify found.
type Report struct {
	Checkpoint Checkpoint // of the export; its words are believed only without WrongKey
	Events     int64      // that were read
	Agreed     int        // older checkpoints that the export continues
	Defects    []Defect   // none: the log is the one that was signed
}

func (r *Report) add(f Fault, from, to int64, format string, args ...any) {
	r.Defects = append(r.Defects, Defect{Fault: f, From: from, To: to, Text: fmt.Sprintf(format, args...)})
}

// Verify reads an export and tells all that is wrong with it. Older are
// checkpoints that were kept elsewhere: an export signed with the right key is
// still found out when it does not continue them. The error is one of reading.
func Verify(r io.Reader, key Key, older []Checkpoint) (Report, error) {
	v := verifier{in: bufio.NewReaderSize(r, maxRecord+frameHead+1), key: key, computed: new(tree)}
	v.older = slices.Clone(older)
	slices.SortStableFunc(v.older, func(a, b Checkpoint) int { return int(min(1, max(-1, a.Size-b.Size))) })
	err := v.run()
	if errors.Is(err, errStop) {
		err = nil
	}
	return v.report, err
}

// errStop ends the reading: why is in the report.
var errStop = errors.New("stop")

type verifier struct {
	in     *bufio.Reader
	key    Key
	older  []Checkpoint // that are still to come, by size
	agreed int64        // size of the last one that the export continues
	report Report

	computed *tree // over the events as they are
	sealed   *tree // over the sealed leaves; nil as long as they are the same
	wrong    wrong
	scratch  []tlog.Hash
}

func (v *verifier) run() error {
	if err := v.head(); err != nil {
		return err
	}
	size := v.report.Checkpoint.Size
	for position := int64(1); position <= size; position++ {
		if err := v.frame(position); err != nil {
			v.wrong.tell(&v.report)
			return err
		}
		if len(v.older) > 0 && v.older[0].Size == position {
			v.compare(position)
		}
	}
	for _, c := range v.older {
		v.report.add(Shorter, 0, 0, "the export ends at position %d, the checkpoint of %s has %d: either the export is the older one, or the log was cut off", size, stamp(c.At), c.Size)
	}
	if err := v.trailing(); err != nil {
		return err
	}
	v.conclude()
	return nil
}

// conclude tells whether the events are those that were signed.
func (v *verifier) conclude() {
	root := v.report.Checkpoint.Root
	switch {
	case v.sealed == nil && v.computed.root() == root && len(v.wrong.strays) == 0: // all is well
	case v.computed.root() == root && len(v.wrong.strays) == 0:
		v.report.add(Unsealed, 0, 0, "the events are as they were signed, but hashes in the export are not")
	default:
		v.wrong.tell(&v.report)
		if v.computed.root() != root && (v.sealed == nil || v.sealed.root() != root) {
			v.report.add(Unsealed, 0, 0, "the hashes in the export are not those that were signed: events and hashes were exchanged, and the export does not say where. Checkpoints kept elsewhere narrow it down")
		}
	}
}

// trailing reads what stands behind the last event: nothing, or events that
// stand where none can be.
func (v *verifier) trailing() error {
	size := v.report.Checkpoint.Size
	for range mostStrays {
		head, err := v.in.Peek(4)
		if len(head) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err != nil || binary.BigEndian.Uint32(head) > maxRecord {
			break
		}
		all, err := v.in.Peek(4 + int(binary.BigEndian.Uint32(head)))
		if err != nil || at(all[4:]) <= size {
			break
		}
		v.wrong.strays = append(v.wrong.strays, bytes.Clone(all[4:]))
		_, _ = v.in.Discard(len(all)) // it has been peeked at
	}
	v.report.add(Trailing, 0, 0, "the file goes on after the last event, position %d", size)
	return nil
}

// head reads what stands before the events.
func (v *verifier) head() error {
	for _, want := range []string{exportHead, columnsLine} {
		if got, err := v.line(); err != nil {
			return err
		} else if got != want {
			v.report.add(Malformed, 0, 0, "this is not an export: it begins with %.60q", got)
			return errStop
		}
	}
	line, err := v.line()
	if err != nil {
		return err
	}
	length, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "checkpoint ")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 1 || n > 10_000 {
		v.report.add(Malformed, 0, 0, "there is no checkpoint in the export but %.60q", line)
		return errStop
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(v.in, text); err != nil {
		return v.ended(err, "within the checkpoint")
	}
	return v.checkpoint(string(text))
}

// checkpoint reads the signed note. With a wrong key it goes on: what else is
// wrong is worth knowing.
func (v *verifier) checkpoint(text string) error {
	c, err := OpenCheckpoint(text, v.key)
	if errors.Is(err, ErrKey) {
		v.report.add(WrongKey, 0, 0, "%v", err)
		body, _, _ := strings.Cut(text, "\n\n")
		c, err = parseCheckpoint(body + "\n")
	}
	if err != nil {
		v.report.add(Malformed, 0, 0, "the checkpoint of the export %v", err)
		return errStop
	}
	v.report.Checkpoint = c
	return nil
}

// line reads one short line, with its end.
func (v *verifier) line() (string, error) {
	line, err := v.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil // no line of ours: it is not what is wanted
	}
	if err != nil {
		return "", v.ended(err, "within its head")
	}
	return string(line[:min(len(line), 1000)]), nil
}

// ended turns an early end into a defect.
func (v *verifier) ended(err error, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		v.report.add(Truncated, 0, 0, "the file ends %s", where)
		return errStop
	}
	return err
}

// frame reads the event at a position and adds it to the tree.
func (v *verifier) frame(position int64) error {
	head, err := v.in.Peek(frameHead)
	if err != nil {
		return v.ended(err, fmt.Sprintf("at position %d of %d", position, v.report.Checkpoint.Size))
	}
	sealed := summary(head[:summarySize])
	n := int64(binary.BigEndian.Uint32(head[summarySize:]))
	if n == 0 {
		_, _ = v.in.Discard(frameHead)
		v.wrong.add(position, &sealed, nil)
		v.mismatch(tlog.Hash{}, sealed.leaf())
		return nil
	}
	if n > maxRecord {
		v.report.add(Malformed, position, position, "an event of %d bytes: the file is damaged from here on", n)
		return errStop
	}
	all, err := v.in.Peek(frameHead + int(n))
	if err != nil {
		return v.ended(err, fmt.Sprintf("within position %d of %d", position, v.report.Checkpoint.Size))
	}
	record := all[frameHead:]
	v.report.Events++
	found := summaryOf(record)
	leaf := found.leaf()
	if found == sealed && at(record) == position {
		v.scratch = v.computed.add(leaf, v.scratch[:0])
		if v.sealed != nil {
			v.scratch = v.sealed.add(leaf, v.scratch[:0])
		}
	} else {
		v.wrong.add(position, &sealed, record)
		v.mismatch(leaf, sealed.leaf())
	}
	_, _ = v.in.Discard(len(all)) // it has been peeked at
	return nil
}

// at returns the position in a record, 0 if it is none.
func at(record []byte) int64 {
	if len(record) < positionAt+8 || binary.BigEndian.Uint32(record) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(record[positionAt:]))
}

// positionAt is where the position stands in a record.
const positionAt = 4

// mismatch makes both trees grow, each by its own leaf.
func (v *verifier) mismatch(leaf, sealed tlog.Hash) {
	if v.sealed == nil {
		v.sealed = v.computed.clone()
	}
	v.scratch = v.computed.add(leaf, v.scratch[:0])
	v.scratch = v.sealed.add(sealed, v.scratch[:0])
}

// compare compares the tree with the older checkpoints of this size.
func (v *verifier) compare(position int64) {
	root := v.computed.root()
	sealed := root
	if v.sealed != nil {
		sealed = v.sealed.root() // events that differ from it are told of anyway
	}
	before := v.agreed
	for len(v.older) > 0 && v.older[0].Size == position {
		c := v.older[0]
		v.older = v.older[1:]
		if c.Root == root || c.Root == sealed {
			v.report.Agreed++
			v.agreed = position
			continue
		}
		told := slices.ContainsFunc(v.report.Defects, func(d Defect) bool { return d.Fault == Rewritten })
		if !told { // the first one is the narrowest; all after it differ too
			v.report.add(Rewritten, before+1, position, "the log is not the one of the checkpoint of %s: history was rewritten, and signed again", stamp(c.At))
		}
	}
}

// OpenCheckpoints reads the checkpoints in texts that were kept. Those that
// are not signed with the key are returned as defects.
func OpenCheckpoints(key Key, texts ...string) (all []Checkpoint, defects []Defect) {
	for _, text := range texts {
		notes := FindCheckpoints(text)
		if len(notes) == 0 {
			defects = append(defects, Defect{Fault: Malformed, Text: "there is no checkpoint in what to compare with"})
		}
		for _, n := range notes {
			c, err := OpenCheckpoint(n, key)
			switch {
			case errors.Is(err, ErrKey):
				defects = append(defects, Defect{Fault: WrongKey, Text: "an older checkpoint: " + err.Error()})
			case err != nil:
				defects = append(defects, Defect{Fault: Malformed, Text: "an older checkpoint: " + err.Error()})
			default:
				all = append(all, c)
			}
		}
	}
	return all, defects
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
