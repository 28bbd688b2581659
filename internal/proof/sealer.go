package proof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"zurnals/domain"
	"zurnals/eventstore"
)

// Config says what a Sealer works with.
type Config struct {
	Pool *pgxpool.Pool // as zurnals_app
	Log  eventstore.Log
	Keys eventstore.Keys
	Now  func() time.Time // the one clock

	// File is where checkpoints are written one after the other, outside the
	// database. Empty: nowhere.
	File string

	// Publish is called with each new checkpoint, after it is kept. When it
	// fails nothing is lost: the next checkpoint vouches for all before it.
	Publish func(context.Context, Checkpoint) error

	Logger *slog.Logger // nil: slog.Default
}

// A Sealer keeps the tree of the log and signs checkpoints of it. Several may
// work on one database, in one process or in many.
type Sealer struct {
	cfg    Config
	signer note.Signer
	key    Key

	mu     sync.Mutex // one Seal at a time
	patrol int64      // how far the older events were gone through again

	state sync.Mutex
	tried time.Time  // when Run last sealed, by the one clock
	err   error      // of that
	known Checkpoint // the newest that this process has seen
}

const (
	// every is how often Run seals.
	every = time.Minute
	// batch is how many events one transaction adds to the tree.
	batch = 20_000
	// again is how many of the newest events are hashed again at each seal, and
	// patrolled how many of the older ones, in turn.
	again     = 1_000
	patrolled = 10_000
	// lock is held by whoever extends the tree.
	lock = 0x70726f6f66 // "proof"
)

// ErrRewritten refuses to seal, or to prove, what is not the log that was
// sealed before. It needs a person: the auditors.
var ErrRewritten = domain.Refuse(domain.Conflict, "proof.rewritten", "the log is not the one that was sealed")

// Open prepares a Sealer. Nothing is sealed before Run or Seal.
func Open(ctx context.Context, cfg Config) (*Sealer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	signer, key, err := newSigner(ctx, cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("key of the checkpoints: %w", err)
	}
	return &Sealer{cfg: cfg, signer: signer, key: key}, nil
}

// Key returns the public key of the checkpoints.
func (s *Sealer) Key() Key { return s.key }

// Err returns why the last seal of Run failed, nil if it did not.
func (s *Sealer) Err() error {
	s.state.Lock()
	defer s.state.Unlock()
	return s.err
}

// Run seals every minute by the one clock until ctx ends. Also when nothing was
// appended: the last events are hashed again each time.
func (s *Sealer) Run(ctx context.Context) error {
	ask := time.NewTicker(time.Second) // of the machine: how often the clock is looked at
	defer ask.Stop()
	for {
		if now := s.cfg.Now(); s.due(now) {
			s.attempt(ctx, now)
		}
		select {
		case <-ask.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Sealer) due(now time.Time) bool {
	s.state.Lock()
	defer s.state.Unlock()
	return now.Sub(s.tried) >= every || now.Before(s.tried)
}

func (s *Sealer) attempt(ctx context.Context, now time.Time) {
	bounded, cancel := context.WithTimeout(ctx, 10*every) // a first seal of a large log takes its time
	defer cancel()
	_, err := s.Seal(bounded)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, ErrNotSealed): // nothing has happened yet
		err = nil
	}
	s.state.Lock()
	s.tried, s.err = now, err
	s.state.Unlock()
	switch {
	case errors.Is(err, ErrRewritten):
		s.cfg.Logger.Error("THE LOG WAS TAMPERED WITH: nothing is sealed any more", "err", err)
	case err != nil:
		s.cfg.Logger.Warn("the log was not sealed", "err", err)
	}
}

// Seal extends the tree to the head of the log, signs a checkpoint if there is
// anything new, and returns the newest one. It is ErrRewritten, and nothing is
// signed, when the log is not the one that was sealed before. A crash at any
// moment is harmless: the tree is extended batch by batch, and goes on where it
// ends.
func (s *Sealer) Seal(ctx context.Context) (Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c Checkpoint
	for first, more := true, true; more; first = false {
		var signed bool
		err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
			c, signed, more, err = s.extend(ctx, tx, first)
			return err
		})
		if err != nil {
			return Checkpoint{}, fmt.Errorf("seal: %w", err)
		}
		if signed && s.cfg.Publish != nil {
			if err := s.cfg.Publish(ctx, c); err != nil {
				s.cfg.Logger.Warn("a checkpoint was not passed on", "size", c.Size, "err", err)
			}
		}
	}
	if c.Size == 0 {
		return c, ErrNotSealed
	}
	s.saw(c)
	return c, nil
}

func (s *Sealer) saw(c Checkpoint) {
	s.state.Lock()
	defer s.state.Unlock()
	s.known = c
}

// sawLast returns the newest checkpoint that this process has seen.
func (s *Sealer) sawLast() Checkpoint {
	s.state.Lock()
	defer s.state.Unlock()
	return s.known
}

// extend adds one batch to the tree. The one that reaches the head signs.
func (s *Sealer) extend(ctx context.Context, tx pgx.Tx, first bool) (c Checkpoint, signed, more bool, err error) {
	// A statement of its own: those after it see what others did under the lock.
	if _, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lock)); err != nil {
		return
	}
	var head int64
	if err = tx.QueryRow(ctx, `SELECT position FROM es.head`).Scan(&head); err != nil {
		return
	}
	size, err := treeSize(ctx, tx)
	if err != nil {
		return
	}
	if c, err = s.newest(ctx, tx); err != nil {
		return
	}
	if size > head || c.Size > size {
		err = fmt.Errorf("%w: it ends at %d, %d were sealed", ErrRewritten, min(size, head), max(size, c.Size))
		return
	}
	if first && c.Size > 0 {
		if err = s.check(ctx, tx, c); err != nil {
			return
		}
	}
	t, err := loadTree(size, kept{ctx, tx})
	if err != nil {
		return
	}
	upto := min(head, size+batch)
	if upto > size {
		var hashes []tlog.Hash
		var sealed []summary
		if hashes, sealed, err = hash(ctx, tx, t, upto); err != nil {
			return
		}
		if err = keep(ctx, tx, tlog.StoredHashCount(size), hashes, size+1, sealed); err != nil {
			return
		}
	}
	if upto < head {
		return c, false, true, nil
	}
	if upto > c.Size {
		if c, err = sign(s.signer, upto, t.root(), s.cfg.Now()); err != nil {
			return
		}
		if _, err = tx.Exec(ctx, `INSERT INTO proof.checkpoint (size, at, note) VALUES ($1, $2, $3)`, c.Size, c.At, c.Note); err != nil {
			return
		}
		signed = true
	}
	// Last, and before the commit: a checkpoint may be in the file and not in
	// the table, then the next one says the same; the other way round one would
	// be missing from the file.
	err = s.write(ctx, tx)
	return c, signed, false, err
}

// hash adds the events up to a position to a tree and returns the hashes that
// this completes, and their summaries.
func hash(ctx context.Context, db querier, t *tree, upto int64) ([]tlog.Hash, []summary, error) {
	after := t.size
	hashes := make([]tlog.Hash, 0, 2*(upto-after)+64)
	sealed := make([]summary, 0, upto-after)
	record := make([]byte, 0, 4096)
	err := events(ctx, db, after, upto, func(e *eventstore.Event) error {
		if e.Position != t.size+1 {
			return fmt.Errorf("%w: position %d is missing", ErrRewritten, t.size+1)
		}
		record = appendRecord(record[:0], e)
		sealed = append(sealed, summaryOf(record))
		hashes = t.add(sealed[len(sealed)-1].leaf(), hashes)
		return nil
	})
	if err == nil && t.size != upto {
		err = fmt.Errorf("%w: position %d is missing", ErrRewritten, t.size+1)
	}
	return hashes, sealed, err
}

// newest returns the newest checkpoint, zero if there is none.
func (s *Sealer) newest(ctx context.Context, db querier) (Checkpoint, error) {
	text, err := checkpointNote(ctx, db, 0)
	if err != nil || text == "" {
		return Checkpoint{}, err
	}
	c, err := OpenCheckpoint(text, s.key)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrRewritten, err)
	}
	return c, nil
}

// check hashes events again that were sealed with c: the newest ones and, in
// turn, some of the older.
func (s *Sealer) check(ctx context.Context, tx pgx.Tx, c Checkpoint) error {
	if err := recheck(ctx, tx, c, max(0, c.Size-again), c.Size); err != nil {
		return err
	}
	if s.patrol >= c.Size {
		s.patrol = 0
	}
	upto := min(s.patrol+patrolled, c.Size)
	err := recheck(ctx, tx, c, s.patrol, upto)
	if err == nil {
		s.patrol = upto
	}
	return err
}

// recheck tells whether the events with after < position <= upto are those that
// were sealed with c: their leaves must lead to a tree that c continues, and be
// the ones that are kept.
func recheck(ctx context.Context, tx pgx.Tx, c Checkpoint, after, upto int64) error {
	reader := kept{ctx, tx}
	t, err := loadTree(after, reader)
	if err != nil {
		return err
	}
	hashes, now, err := hash(ctx, tx, t, upto)
	if err != nil {
		return err
	}
	first := tlog.StoredHashCount(after)
	sealed, err := span(ctx, tx, first, int64(len(hashes)))
	if err != nil {
		return err
	}
	before, err := summaries(ctx, tx, after, upto)
	if err != nil {
		return err
	}
	continued, err := tlog.ProveTree(c.Size, upto, reader)
	if err != nil {
		return err
	}
	ok := tlog.CheckTree(continued, c.Size, c.Root, upto, t.root()) == nil
	for i := range hashes {
		level, n := tlog.SplitStoredHashIndex(first + int64(i))
		if hashes[i] == sealed[i] {
			continue
		}
		if level == 0 && !ok {
			return fmt.Errorf("%w: position %d was changed%s", ErrRewritten, n+1, within(now[n-after].differ(&before[n-after])))
		}
		ok = false
		break
	}
	if !ok || !slices.Equal(now, before) {
		return fmt.Errorf("%w: the hashes that are kept of positions %d to %d were changed", ErrRewritten, after+1, upto)
	}
	return nil
}
