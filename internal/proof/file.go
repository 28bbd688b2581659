package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
)

// tail is how much of the file is read to find its last checkpoint.
const tail = 4096

// write brings the file up to the checkpoints of the table. It is the memory
// that the database's administrators do not have: a log that is not the one of
// the last checkpoint in it is not sealed any more.
func (s *Sealer) write(ctx context.Context, tx pgx.Tx) error {
	if s.cfg.File == "" {
		return nil
	}
	last, err := s.lastInFile()
	if err != nil {
		return err
	}
	if last.Size > 0 {
		size, err := treeSize(ctx, tx)
		if err != nil {
			return err
		}
		if last.Size > size {
			return fmt.Errorf("%w: it ends at %d, %s has a checkpoint of %d", ErrRewritten, size, s.cfg.File, last.Size)
		}
		root, err := tlog.TreeHash(last.Size, kept{ctx, tx})
		if err != nil {
			return err
		}
		if root != last.Root {
			return fmt.Errorf("%w: up to %d it is not the one of the checkpoint in %s", ErrRewritten, last.Size, s.cfg.File)
		}
	}
	rows, err := tx.Query(ctx, `SELECT note FROM proof.checkpoint WHERE size > $1 ORDER BY size`, last.Size)
	if err != nil {
		return err
	}
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(notes) == 0 {
		return err
	}
	f, err := os.OpenFile(s.cfg.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, "\n"+strings.Join(notes, "\n"))
	return errors.Join(err, f.Sync(), f.Close())
}

// lastInFile returns the last checkpoint in the file, zero if there is none.
func (s *Sealer) lastInFile() (Checkpoint, error) {
	f, err := os.Open(s.cfg.File)
	if errors.Is(err, os.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Checkpoint{}, err
	}
	end := make([]byte, min(info.Size(), tail))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return Checkpoint{}, err
	}
	whole := string(end[:bytes.LastIndexByte(end, '\n')+1]) // a crash can leave half a line
	notes := FindCheckpoints(whole)
	switch {
	case len(notes) == 0 && info.Size() > tail && !strings.Contains(whole, "\n"+former+"\n"):
		return Checkpoint{}, fmt.Errorf("%w: %s does not end in a checkpoint", ErrRewritten, s.cfg.File)
	case len(notes) == 0:
		return Checkpoint{}, nil // empty, or the first one cut short by a crash
	}
	c, err := OpenCheckpoint(notes[len(notes)-1], s.key)
	if err != nil {
		return c, fmt.Errorf("%w: in %s: %w", ErrRewritten, s.cfg.File, err)
	}
	return c, nil
}
