package eventstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Erasures is a ledger of erased subjects in a file outside the database. A
// backup of the database is older than some erasures and holds the keys that
// they destroyed: who restores it applies the ledger before anybody reads.
//
// A line is a time and a subject: nothing of a person but the pseudonym.
type Erasures struct {
	file string

	mu    sync.Mutex
	known map[uuid.UUID]time.Time // when they were erased
}

// fullLine is the least length of a line; a shorter one was cut by a crash.
const fullLine = len("2025-09-01T05:00:00Z 0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a11")

// OpenErasures reads a ledger, which need not exist yet. A line that a crash
// has cut short is left out: it is written again from the database.
func OpenErasures(file string) (*Erasures, error) {
	e := &Erasures{file: file, known: make(map[uuid.UUID]time.Time)}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger of erasures: %w", err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(content)))
	for n := 1; lines.Scan(); n++ {
		at, subject, _ := strings.Cut(lines.Text(), " ")
		id, err := uuid.Parse(subject)
		when, wrong := time.Parse(time.RFC3339Nano, at)
		switch err = errors.Join(err, wrong); {
		case err == nil:
			e.known[id] = when
		case len(lines.Text()) >= fullLine:
			return nil, fmt.Errorf("ledger of erasures: %s: line %d is not a time and a subject", file, n)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("ledger of erasures: %s: %w", file, err)
	}
	return e, nil
}

// Subjects returns all subjects of the ledger, in order.
func (e *Erasures) Subjects() []uuid.UUID {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]uuid.UUID, 0, len(e.known))
	for id := range e.known {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// Keep writes to the ledger who was erased, by this process or another, until
// ctx ends: at the start everybody who is missing, then within a second. That
// second is what a crash can cost together with the loss of the database. When
// the file cannot be written, tell is called once, and it tries on.
func (e *Erasures) Keep(ctx context.Context, p *Postgres, tell func(error)) {
	since, told := time.Time{}, false
	for ctx.Err() == nil {
		head, moved := p.head.changes()
		at, err := e.catchUp(ctx, p, since)
		if err != nil {
			if !told && ctx.Err() == nil && !errors.Is(err, ErrUnavailable) {
				told = true
				tell(err)
			}
			pause(ctx, floor)
			continue
		}
		since, told = at, false
		for now := head; now == head && ctx.Err() == nil; now, moved = p.head.changes() {
			select {
			case <-moved:
			case <-ctx.Done():
			}
		}
		pause(ctx, floor)
	}
}

// CatchUp writes to the ledger everybody who is erased in the database.
func (e *Erasures) CatchUp(ctx context.Context, p *Postgres) error {
	_, err := e.catchUp(ctx, p, time.Time{})
	return err
}

// catchUp writes those erased at a time or later, and returns the last time
// there is. Times of erasures rise with positions, so nothing comes in between.
func (e *Erasures) catchUp(ctx context.Context, p *Postgres, since time.Time) (last time.Time, err error) {
	rows, err := p.pool.Query(ctx, `SELECT subject, destroyed_at FROM es.subject_key WHERE destroyed_at >= $1 ORDER BY destroyed_at`, since)
	if err != nil {
		return since, unavailable(err)
	}
	defer rows.Close()
	fresh := make(map[uuid.UUID]time.Time)
	last = since
	for rows.Next() {
		var id [16]byte
		if err := rows.Scan(&id, &last); err != nil {
			return since, err
		}
		fresh[id] = last
	}
	if err := rows.Err(); err != nil {
		return since, unavailable(err)
	}
	if err := e.learn(fresh); err != nil {
		return since, err
	}
	return last, nil
}

// Learn writes to the ledger everybody who is in another one.
func (e *Erasures) Learn(from *Erasures) error {
	from.mu.Lock()
	all := maps.Clone(from.known)
	from.mu.Unlock()
	return e.learn(all)
}

// learn writes those down who are not known yet, the first erased first.
func (e *Erasures) learn(all map[uuid.UUID]time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh := maps.Clone(all)
	maps.DeleteFunc(fresh, func(id uuid.UUID, _ time.Time) bool { _, old := e.known[id]; return old })
	if len(fresh) == 0 {
		return nil
	}
	var text strings.Builder
	for _, id := range slices.SortedFunc(maps.Keys(fresh), func(a, b uuid.UUID) int { return fresh[a].Compare(fresh[b]) }) {
		fmt.Fprintf(&text, "%s %s\n", fresh[id].UTC().Format(time.RFC3339Nano), id)
	}
	if err := appendFile(e.file, text.String()); err != nil {
		return fmt.Errorf("ledger of erasures: %w", err)
	}
	maps.Copy(e.known, fresh)
	return nil
}

// appendFile adds whole lines to a file and waits until they are on the disk.
func appendFile(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		var end [1]byte
		if _, err := f.ReadAt(end[:], info.Size()-1); err == nil && end[0] != '\n' {
			text = "\n" + text // after a line that a crash cut short
		}
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Readable returns those of the ledger whose keys are in the database all the
// same: it is older than their erasure, restored from a copy.
func (e *Erasures) Readable(ctx context.Context, p *Postgres) ([]uuid.UUID, error) {
	all := e.Subjects()
	if len(all) == 0 {
		return nil, nil
	}
	rows, err := p.pool.Query(ctx, `SELECT subject FROM es.subject_key WHERE subject = ANY($1) AND wrapped IS NOT NULL ORDER BY subject`, all)
	if err != nil {
		return nil, unavailable(err)
	}
	readable, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil {
		return nil, unavailable(err)
	}
	ids := make([]uuid.UUID, len(readable))
	for i, id := range readable {
		ids[i] = id
	}
	return ids, nil
}

// Apply destroys in the log's database the keys of everybody in the ledger. It
// appends no events, and those erased already stay as they are. It returns how
// many subjects the ledger names.
func (e *Erasures) Apply(ctx context.Context, log Log) (int, error) {
	all := e.Subjects()
	for some := range slices.Chunk(all, MaxKeys) {
		if _, err := log.Append(ctx, Request{Command: uuid.New(), Erase: some}); err != nil {
			return 0, fmt.Errorf("apply the ledger of erasures: %w", err)
		}
	}
	return len(all), nil
}
