package proof

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"zurnals/eventstore"
)

// An export is the log up to a checkpoint in one file, as it is stored:
//
//	zurnals log export 2
//	columns position stream version id type schema recorded_at meta data
//	checkpoint <bytes of the note that follows>
//	<note>
//
// then for each position 1, 2, 3 … of the checkpoint its sealed summary (68
// bytes), the length of its record (4 bytes, high byte first), and the record;
// the length is 0 and there is no record if there is no such event any more.
//
// After them, length and record of events that stand behind the head of the
// log, where none can be: somebody has changed their position.
const exportHead = "zurnals log export 2\n"

var columnsLine = "columns " + strings.Join(columns[:], " ") + "\n"

// pageEvents is how many events are read together for an export.
const pageEvents = 2_000

// Export writes the log up to its newest checkpoint. It writes what is stored,
// also when that is not what was sealed: to tell is Verify's.
func (s *Sealer) Export(ctx context.Context, w io.Writer) (Checkpoint, error) {
	c, err := s.Checkpoint(ctx, 0)
	if err != nil {
		return c, err
	}
	out := newExporter(w, c.Note)
	for after := int64(0); after < c.Size; after += pageEvents {
		upto := min(after+pageEvents, c.Size)
		sealed, err := summaries(ctx, s.cfg.Pool, after, upto)
		if err != nil {
			return c, fmt.Errorf("export: %w", err)
		}
		next := after
		if err := events(ctx, s.cfg.Pool, after, upto, func(e *eventstore.Event) error {
			for ; next+1 < e.Position; next++ {
				out.missing(&sealed[next-after])
			}
			out.event(&sealed[next-after], e)
			next++
			return nil
		}); err != nil {
			return c, fmt.Errorf("export: %w", err)
		}
		for ; next < upto; next++ {
			out.missing(&sealed[next-after])
		}
		if err := out.w.Flush(); err != nil {
			return c, fmt.Errorf("export: %w", err)
		}
	}
	if err := strays(ctx, s.cfg.Pool, func(e *eventstore.Event) error {
		out.stray(e)
		return nil
	}); err != nil {
		return c, fmt.Errorf("export: %w", err)
	}
	if err := out.w.Flush(); err != nil {
		return c, fmt.Errorf("export: %w", err)
	}
	return c, nil
}

// An exporter writes an export. Flush of w tells of errors before it.
type exporter struct {
	w     *bufio.Writer
	frame []byte
}

func newExporter(w io.Writer, note string) *exporter {
	x := &exporter{w: bufio.NewWriterSize(w, 1<<18)}
	fmt.Fprintf(x.w, "%s%scheckpoint %d\n%s", exportHead, columnsLine, len(note), note)
	return x
}

func (x *exporter) event(sealed *summary, e *eventstore.Event) {
	x.frame = append(x.frame[:0], sealed[:]...)
	x.write(e)
}

func (x *exporter) missing(sealed *summary) {
	x.frame = append(append(x.frame[:0], sealed[:]...), 0, 0, 0, 0)
	_, _ = x.w.Write(x.frame)
}

func (x *exporter) stray(e *eventstore.Event) {
	x.frame = x.frame[:0]
	x.write(e)
}

// write ends a frame with the length of a record and the record.
func (x *exporter) write(e *eventstore.Event) {
	head := len(x.frame)
	x.frame = appendRecord(append(x.frame, 0, 0, 0, 0), e)
	binary.BigEndian.PutUint32(x.frame[head:], uint32(len(x.frame)-head-4))
	_, _ = x.w.Write(x.frame)
}

// frameHead is the summary and the length.
const frameHead = summarySize + 4
