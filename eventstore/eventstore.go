// Package eventstore keeps the log (Latvian: žurnāls): every event in the order
// it happened, cut into streams. It knows nothing of what the events mean.
//
//   - position: place in the whole log, 1, 2, 3 … without gaps; commit order is position order
//   - stream: the events of one thing, named "category-uuid"; version: place in it, 1, 2, 3 …
//   - guard: a stream that must not have changed, and is not written
//   - claim: a name only one stream may hold (an e-mail address, a personal code)
//   - subject: a person whose data in the log is sealed with a key of that person
//
// Postgres is the log of the program, Memory its twin for tests. Both pass eventstoretest.
package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An Event is one entry of the log.
type Event struct {
	Position   int64
	ID         uuid.UUID
	Stream     string
	Version    int
	Type       string
	Schema     int       // version of the form of Data
	RecordedAt time.Time // UTC, microseconds, never before that of an earlier position
	Meta, Data []byte    // JSON, the exact bytes that were appended

	// Erased is set by Keys.Open when a subject of the event was erased, so
	// that some of its strings are now empty.
	Erased bool
}

// A NewEvent is an event that is not in the log yet. The log keeps Meta and
// Data: they must not be changed after Append.
type NewEvent struct {
	ID         uuid.UUID
	Type       string
	Schema     int
	Meta, Data []byte
}

// Values of Write.Expected beside an exact version.
const (
	Any      = -1 // whatever the version is
	NoStream = 0  // the stream has no events yet
)

// A Write adds events to one stream.
type Write struct {
	Stream   string
	Expected int
	Events   []NewEvent
}

// A Guard holds when its stream is still at Version. It is not written.
type Guard struct {
	Stream  string
	Version int
}

// A Claim is the right of one stream to a name. The log keeps only a keyed hash
// of Value; equal names must come in equal spelling.
type Claim struct{ Kind, Value, Stream string }

// A Request is one append: all of it happens or nothing.
type Request struct {
	// Command makes the append idempotent: the same id with the same
	// Fingerprint gets the first answer again, for CommandsKept. With another
	// Fingerprint it is ErrCommandReused. Nil: an id is made.
	Command     uuid.UUID
	Fingerprint []byte

	Writes []Write
	Guards []Guard

	// Release happens before Take, so a claim can be moved or kept in one
	// request. A released claim that the stream does not hold is ignored.
	Take, Release []Claim

	Subjects []uuid.UUID // whose keys seal something in the events
	Erase    []uuid.UUID // whose keys are destroyed with this append
}

// A Result is the answer to an append.
type Result struct {
	First, Last int64 // positions; 0 when the request had no events
	Versions    []int // of the streams of Writes, after it
	Duplicate   bool  // the command had been done before
}

// Bounds of one append, so that it never holds the head of the log for long.
const (
	MaxEvents = 1_000
	MaxBytes  = 1 << 20
	// MaxKeys bounds guards, claims and subjects, each.
	MaxKeys = 4_000
)

// CommandsKept is how long the answer to a command is kept.
const CommandsKept = 7 * 24 * time.Hour

var (
	// ErrCommandReused says that the command id was used for something else.
	ErrCommandReused = errors.New("command id was used with other content")
	// ErrTooLarge says that an append is above MaxEvents or MaxBytes.
	ErrTooLarge = errors.New("append is too large")
	// ErrInvalid says that a request is malformed: a mistake in the program.
	ErrInvalid = errors.New("invalid request")
	// ErrUnavailable says that the database cannot be reached. The append may
	// have happened only if the text says so; the command id tells.
	ErrUnavailable = errors.New("log is unavailable")
	// ErrGap says that a position is missing: somebody tampered with the log.
	ErrGap = errors.New("gap in the log")
)

// A ConflictError says that a stream is not at the expected version.
type ConflictError struct {
	Stream string
	Actual int
	Guard  bool // it was a guard that did not hold
}

func (e *ConflictError) Error() string {
	what := "stream"
	if e.Guard {
		what = "guard"
	}
	return fmt.Sprintf("%s %s is at version %d", what, e.Stream, e.Actual)
}

// A ClaimedError says that another stream holds a claim.
type ClaimedError struct{ Kind, Holder string }

func (e *ClaimedError) Error() string { return fmt.Sprintf("%s is held by %s", e.Kind, e.Holder) }

// An ErasedError says that the key of a subject is destroyed, or was never made.
type ErasedError struct{ Subject uuid.UUID }

func (e *ErasedError) Error() string { return fmt.Sprintf("subject %s has no key", e.Subject) }

// Log is the log of events.
type Log interface {
	// Append does all of the request or nothing. It answers ConflictError,
	// ClaimedError, ErasedError or one of the errors above. When the context
	// ends while the append is under way, its outcome is unknown to the caller:
	// ask with Command.
	Append(context.Context, Request) (Result, error)

	// ReadStream yields the events of a stream with version >= from.
	ReadStream(ctx context.Context, stream string, from int) iter.Seq2[Event, error]
	// ReadStreams returns all events of several streams, each in order of
	// version, in one query. For short streams.
	ReadStreams(ctx context.Context, streams ...string) (map[string][]Event, error)
	// ReadAll yields the events with after < position <= upto. An upto of 0, or
	// beyond the head, means the head at the start.
	ReadAll(ctx context.Context, after, upto int64) iter.Seq2[Event, error]

	// Versions returns the versions of streams, 0 for those that do not exist.
	Versions(ctx context.Context, streams ...string) ([]int, error)
	// Head returns the last position.
	Head(context.Context) (int64, error)
	// PositionAt returns the last position recorded at or before t.
	PositionAt(ctx context.Context, t time.Time) (int64, error)

	// Holder returns the stream that holds a claim.
	Holder(ctx context.Context, kind, value string) (stream string, found bool, err error)
	// Holders returns the holders by value; values held by nobody are missing.
	Holders(ctx context.Context, kind string, values []string) (map[string]string, error)
	// Command returns what an append with this command id was answered.
	Command(ctx context.Context, id uuid.UUID) (r Result, fingerprint []byte, found bool, err error)

	// Wait returns when the head has reached the position.
	Wait(ctx context.Context, position int64) error
	// Changes returns the head as this process knows it, and a channel that is
	// closed when it moves on:
	//
	//	for head, moved := log.Changes(); ; head, moved = log.Changes() {
	//		… read up to head …
	//		select { case <-moved: case <-ctx.Done(): return }
	//	}
	Changes() (head int64, moved <-chan struct{})
}

// Keys seal and open personal data in events, one key per subject.
type Keys interface {
	// EnsureKeys makes the keys that are missing, for many subjects at once,
	// and returns a Sealer for them. It is ErasedError when a subject is erased.
	EnsureKeys(ctx context.Context, subjects ...uuid.UUID) (Sealer, error)
	// Open replaces, in the Data of the events, every sealed string by its
	// plain text, or by "" where the subject was erased; those events are
	// marked Erased. A seal that does not verify is an error.
	Open(ctx context.Context, events []Event) error
	// Derive returns the secret of the program for a purpose ("links",
	// "checkpoint" …): random, 32 bytes, always the same. Rotation of the
	// master key does not change it.
	Derive(ctx context.Context, purpose string) ([]byte, error)
}

// Check tells what is wrong with a request, whatever is in the log.
func (r *Request) Check() error {
	events, size := 0, 0
	written := make(map[string]bool, len(r.Writes))
	for _, w := range r.Writes {
		if err := checkName("stream", w.Stream); err != nil {
			return err
		}
		if written[w.Stream] {
			return fmt.Errorf("%w: stream %s is written twice", ErrInvalid, w.Stream)
		}
		written[w.Stream] = true
		if w.Expected < Any {
			return fmt.Errorf("%w: %s: expected version %d", ErrInvalid, w.Stream, w.Expected)
		}
		if len(w.Events) == 0 {
			return fmt.Errorf("%w: %s: no events", ErrInvalid, w.Stream)
		}
		for _, e := range w.Events {
			if err := e.check(); err != nil {
				return fmt.Errorf("%s: %w", w.Stream, err)
			}
			size += len(e.Meta) + len(e.Data)
		}
		events += len(w.Events)
	}
	if events > MaxEvents || size > MaxBytes {
		return fmt.Errorf("%w: %d events, %d bytes", ErrTooLarge, events, size)
	}
	if max(len(r.Guards), len(r.Take), len(r.Release), len(r.Subjects), len(r.Erase)) > MaxKeys {
		return fmt.Errorf("%w: more than %d guards, claims or subjects", ErrTooLarge, MaxKeys)
	}
	if events == 0 && r.Command == uuid.Nil {
		return fmt.Errorf("%w: no events and no command", ErrInvalid)
	}
	for _, g := range r.Guards {
		if err := checkName("stream", g.Stream); err != nil {
			return err
		}
		if g.Version < 0 {
			return fmt.Errorf("%w: guard %s: version %d", ErrInvalid, g.Stream, g.Version)
		}
	}
	return r.checkClaims()
}

// checkClaims refuses a name that two streams take, or release, in one request.
func (r *Request) checkClaims() error {
	for i, claims := range [][]Claim{r.Take, r.Release} {
		seen := make(map[[2]string]string, len(claims))
		for _, c := range claims {
			if err := checkName("claim", c.Kind); err != nil {
				return err
			}
			if err := checkName("stream", c.Stream); err != nil {
				return err
			}
			name := [2]string{c.Kind, c.Value}
			holder, twice := seen[name]
			switch {
			case twice && i == 0 && holder != c.Stream:
				return &ClaimedError{Kind: c.Kind, Holder: holder}
			case twice:
				return fmt.Errorf("%w: claim %s of %s is named twice", ErrInvalid, c.Kind, c.Stream)
			}
			seen[name] = c.Stream
		}
	}
	return nil
}

func (e *NewEvent) check() error {
	if err := checkName("type", e.Type); err != nil {
		return err
	}
	switch {
	case e.ID == uuid.Nil:
		return fmt.Errorf("%w: %s has no id", ErrInvalid, e.Type)
	case e.Schema < 1 || e.Schema > 10_000:
		return fmt.Errorf("%w: %s has schema %d", ErrInvalid, e.Type, e.Schema)
	case len(e.Meta)+len(e.Data) > MaxBytes:
		return fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, e.Type, len(e.Meta)+len(e.Data))
	case !json.Valid(e.Meta):
		return fmt.Errorf("%w: meta of %s is not JSON", ErrInvalid, e.Type)
	case !json.Valid(e.Data):
		return fmt.Errorf("%w: data of %s is not JSON", ErrInvalid, e.Type)
	}
	return nil
}

// checkName refuses names that the database could not keep or index.
func checkName(what, s string) error {
	if s == "" || len(s) > 200 || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%w: %s %.210q", ErrInvalid, what, s)
	}
	return nil
}

// Collect gathers what an iterator yields, up to its first error.
func Collect(events iter.Seq2[Event, error]) ([]Event, error) {
	var all []Event
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}
