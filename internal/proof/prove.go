package proof

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"zurnals/domain"
	"zurnals/eventstore"
)

var (
	// ErrNotSealed says that there is no checkpoint yet that has it.
	ErrNotSealed = domain.Refuse(domain.Unavailable, "proof.not_sealed", "it is not sealed yet: try again in a minute")
	// ErrNoEvent says that there is no such position.
	ErrNoEvent = domain.Refuse(domain.NotFound, "proof.no_event", "the log has no such position")
	// ErrNoCheckpoint says that no checkpoint was signed at this size.
	ErrNoCheckpoint = domain.Refuse(domain.NotFound, "proof.no_checkpoint", "there is no checkpoint of this size")
	// ErrSizes refuses to prove that something continues what is longer.
	ErrSizes = domain.Refuse(domain.Invalid, "proof.sizes", "the earlier size is at least 1 and not above the later")
)

// Kinds of proofs.
const (
	inclusion   = "inclusion"
	consistency = "consistency"
)

// An Inclusion proves that an event is in the log of a checkpoint. With the
// public key it can be checked anywhere: by VerifyProof, or as RFC 6962 says.
type Inclusion struct {
	Kind       string      `json:"kind" enum:"inclusion"`
	Position   int64       `json:"position"`
	Record     []byte      `json:"record" doc:"all stored columns of the event; personal data in it stays sealed"`
	Hashes     []tlog.Hash `json:"hashes" doc:"from the leaf to the root"`
	Checkpoint string      `json:"checkpoint" doc:"signed note"`
}

// A Consistency proves that the log of a checkpoint continues an earlier one:
// nothing up to From was changed until then.
type Consistency struct {
	Kind       string      `json:"kind" enum:"consistency"`
	From       int64       `json:"from"`
	To         int64       `json:"to"`
	Hashes     []tlog.Hash `json:"hashes"`
	Earlier    string      `json:"earlier,omitempty" doc:"signed note of size from, if one was signed"`
	Checkpoint string      `json:"checkpoint" doc:"signed note of size to"`
}

// Checkpoint returns the newest checkpoint, or the one of a size above 0.
func (s *Sealer) Checkpoint(ctx context.Context, size int64) (Checkpoint, error) {
	text, err := checkpointNote(ctx, s.cfg.Pool, size)
	switch {
	case err != nil:
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	case text == "" && size > 0:
		return Checkpoint{}, ErrNoCheckpoint
	case text == "":
		return Checkpoint{}, ErrNotSealed
	}
	c, err := OpenCheckpoint(text, s.key)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrRewritten, err)
	}
	if size == 0 {
		s.saw(c)
	}
	return c, nil
}

// Include proves that the event at a position is in a checkpoint: the newest
// that this process has seen, if it has the event, else the newest there is.
func (s *Sealer) Include(ctx context.Context, position int64) (Inclusion, error) {
	if position < 1 {
		return Inclusion{}, ErrNoEvent
	}
	c := s.sawLast()
	if position > c.Size {
		var err error
		if c, err = s.Checkpoint(ctx, 0); err != nil {
			return Inclusion{}, err
		}
	}
	p := Inclusion{Kind: inclusion, Position: position, Checkpoint: c.Note}
	if position > c.Size {
		head, err := s.cfg.Log.Head(ctx)
		if err == nil && position > head {
			err = ErrNoEvent
		}
		return p, cmp.Or(err, error(ErrNotSealed))
	}
	if err := events(ctx, s.cfg.Pool, position-1, position, func(e *eventstore.Event) error {
		p.Record = appendRecord(nil, e)
		return nil
	}); err != nil {
		return p, fmt.Errorf("event %d: %w", position, err)
	}
	if p.Record == nil {
		return p, fmt.Errorf("%w: position %d is missing", ErrRewritten, position)
	}
	path, err := tlog.ProveRecord(c.Size, position-1, kept{ctx, s.cfg.Pool})
	if err != nil {
		return p, fmt.Errorf("proof of %d: %w", position, err)
	}
	p.Hashes = path
	// A proof that proves nothing is not given out.
	sealed := summaryOf(p.Record)
	if tlog.CheckRecord(path, c.Size, c.Root, position-1, sealed.leaf()) != nil {
		return p, fmt.Errorf("%w: position %d was changed, or the hashes that are kept", ErrRewritten, position)
	}
	return p, nil
}

// Continue proves that the checkpoint of size to, or the newest when it is 0,
// continues the log as it was at size from.
func (s *Sealer) Continue(ctx context.Context, from, to int64) (Consistency, error) {
	c, err := s.Checkpoint(ctx, to)
	if err != nil {
		return Consistency{}, err
	}
	if from < 1 || from > c.Size {
		return Consistency{}, ErrSizes
	}
	p := Consistency{Kind: consistency, From: from, To: c.Size, Checkpoint: c.Note}
	if p.Earlier, err = checkpointNote(ctx, s.cfg.Pool, from); err != nil {
		return p, fmt.Errorf("checkpoint: %w", err)
	}
	if p.Hashes, err = tlog.ProveTree(c.Size, from, kept{ctx, s.cfg.Pool}); err != nil {
		return p, fmt.Errorf("proof of %d to %d: %w", from, c.Size, err)
	}
	return p, nil
}

// VerifyProof checks a proof that was kept as JSON, and says in words what it
// proves. Older are checkpoints that whoever asks has kept; a consistency proof
// from the size of one of them is checked against that one.
func VerifyProof(data []byte, key Key, older []Checkpoint) (string, error) {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return "", fmt.Errorf("not a proof: %w", err)
	}
	switch kind.Kind {
	case inclusion:
		return verifyInclusion(data, key, older)
	case consistency:
		return verifyConsistency(data, key, older)
	}
	return "", fmt.Errorf("not a proof: its kind is %.40q", kind.Kind)
}

var errProof = errors.New("the proof does not hold")

func verifyInclusion(data []byte, key Key, older []Checkpoint) (string, error) {
	var p Inclusion
	if err := json.Unmarshal(data, &p); err != nil {
		return "", fmt.Errorf("not a proof: %w", err)
	}
	c, err := OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return "", err
	}
	if err := agree(c, older); err != nil {
		return "", err
	}
	e, err := parseRecord(p.Record)
	if err != nil {
		return "", fmt.Errorf("%w: the event %w", errProof, err)
	}
	if e.Position != p.Position || p.Position < 1 || p.Position > c.Size {
		return "", fmt.Errorf("%w: the event says it is at position %d of %d, the proof %d", errProof, e.Position, c.Size, p.Position)
	}
	sealed := summaryOf(p.Record)
	if tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Position-1, sealed.leaf()) != nil {
		return "", fmt.Errorf("%w: the event at position %d is not in the log of the checkpoint", errProof, p.Position)
	}
	return fmt.Sprintf("Position %d of the log sealed at %s, when it had %d events, is the event %s:\n%s, version %d of %s, recorded at %s.",
		e.Position, stamp(c.At), c.Size, e.ID, e.Type, e.Version, e.Stream, stamp(e.RecordedAt)), nil
}

func verifyConsistency(data []byte, key Key, older []Checkpoint) (string, error) {
	var p Consistency
	if err := json.Unmarshal(data, &p); err != nil {
		return "", fmt.Errorf("not a proof: %w", err)
	}
	c, err := OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return "", err
	}
	if err := agree(c, older); err != nil {
		return "", err
	}
	var earlier Checkpoint
	for _, o := range older {
		if o.Size == p.From {
			earlier = o
		}
	}
	if earlier.Size == 0 {
		if p.Earlier == "" {
			return "", fmt.Errorf("%w: no checkpoint of size %d is at hand to check it against", errProof, p.From)
		}
		if earlier, err = OpenCheckpoint(p.Earlier, key); err != nil {
			return "", fmt.Errorf("earlier: %w", err)
		}
	}
	if earlier.Size != p.From || c.Size != p.To || earlier.Size > c.Size {
		return "", fmt.Errorf("%w: it is from %d to %d, the checkpoints are of %d and %d", errProof, p.From, p.To, earlier.Size, c.Size)
	}
	if tlog.CheckTree(p.Hashes, c.Size, c.Root, earlier.Size, earlier.Root) != nil {
		return "", fmt.Errorf("%w: the log of %d events sealed at %s does not continue the one of %d sealed at %s: history was rewritten",
			errProof, c.Size, stamp(c.At), earlier.Size, stamp(earlier.At))
	}
	return fmt.Sprintf("The log of %d events sealed at %s continues the one of %d sealed at %s: none of those was changed.",
		c.Size, stamp(c.At), earlier.Size, stamp(earlier.At)), nil
}

// agree refuses a checkpoint where another one of the same size is known.
func agree(c Checkpoint, older []Checkpoint) error {
	for _, o := range older {
		if o.Size == c.Size && o.Root != c.Root {
			return fmt.Errorf("%w: at %d events another log was sealed at %s: history was rewritten", errProof, c.Size, stamp(o.At))
		}
	}
	return nil
}
