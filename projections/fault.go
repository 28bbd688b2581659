package projections

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"zurnals/eventstore"
)

// A poison is an event that cannot be folded, and why.
type poison struct {
	position int64
	kind     string
	why      string // names nobody
	later    bool   // than this program
}

func (p *poison) Error() string { return fmt.Sprintf("event %d (%s): %s", p.position, p.kind, p.why) }

// orNil keeps a nil poison from being an error that is not nil.
func (p *poison) orNil() error {
	if p == nil {
		return nil
	}
	return p
}

// poisonOf blames an event for an error, or for what a handler panicked with.
func poisonOf(e Event, cause any) *poison {
	return &poison{e.Position, e.Event.EventType(), told(cause), e.later}
}

// An unknown is an event of a later version of the program.
type unknown string

func (u unknown) Error() string { return string(u) }

// told says of an error, or of a panic, of which kind it is. What it says itself
// is kept from tables, logs and answers: often it quotes the value that was
// wrong, and that may be somebody's name. The event has it, for those who may
// see it.
func told(cause any) string {
	err, ok := cause.(error)
	if !ok {
		return fmt.Sprintf("panic (%T)", cause)
	}
	var (
		later  unknown
		pg     *pgconn.PgError
		field  *json.UnmarshalTypeError
		syntax *json.SyntaxError
		clock  *time.ParseError
		bug    runtime.Error
	)
	switch {
	case errors.As(err, &later):
		return later.Error()
	case errors.As(err, &pg):
		return "PostgreSQL " + strings.Join(strings.Fields(strings.Join([]string{pg.Code, pg.TableName, pg.ColumnName, pg.ConstraintName}, " ")), " ")
	case errors.As(err, &field):
		kind, _, _ := strings.Cut(field.Value, " ") // a number is quoted after it
		return fmt.Sprintf("JSON: %s is a %s, not %s", field.Field, kind, field.Type)
	case errors.As(err, &syntax):
		return fmt.Sprintf("JSON: wrong at byte %d", syntax.Offset)
	case errors.As(err, &clock):
		return "a time that is none"
	case errors.Is(err, eventstore.ErrSeal):
		return eventstore.ErrSeal.Error()
	case errors.As(err, &bug):
		return bug.Error() // of Go itself: types, indexes
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return fmt.Sprintf("%T", err)
}

// panicked returns where the panic came from that is being recovered: file and
// line, outside of Go itself.
func panicked() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	for began := false; ; {
		f, more := frames.Next()
		if began && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
		}
		began = began || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}
