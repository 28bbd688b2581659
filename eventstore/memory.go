package eventstore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Memory is a log in memory, for tests.
type Memory struct {
	keys  *MemoryKeys
	clock func() time.Time
	head  *watermark

	mu       sync.RWMutex
	log      []Event
	streams  map[string][]int64 // positions
	claims   map[[2]string]string
	commands map[uuid.UUID]memoryCommand
}

type memoryCommand struct {
	at          time.Time
	fingerprint []byte
	result      Result
}

var _ Log = (*Memory)(nil)

// NewMemory returns an empty log that takes the time from clock and destroys
// the keys of erased subjects in keys (nil: it makes its own).
func NewMemory(clock func() time.Time, keys *MemoryKeys) *Memory {
	if keys == nil {
		keys = NewMemoryKeys()
	}
	return &Memory{
		keys: keys, clock: clock, head: newWatermark(0),
		streams:  make(map[string][]int64),
		claims:   make(map[[2]string]string),
		commands: make(map[uuid.UUID]memoryCommand),
	}
}

// Append implements Log.
func (m *Memory) Append(ctx context.Context, r Request) (Result, error) {
	if err := r.Check(); err != nil {
		return Result{}, fmt.Errorf("append: %w", err)
	}
	if err := checkSeals(ctx, m.keys, &r); err != nil {
		return Result{}, fmt.Errorf("append: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.clock().UTC().Truncate(time.Microsecond)
	if n := len(m.log); n > 0 && at.Before(m.log[n-1].RecordedAt) {
		at = m.log[n-1].RecordedAt
	}
	if done, ok := m.commands[r.Command]; ok && at.Sub(done.at) < CommandsKept {
		if !bytes.Equal(done.fingerprint, r.Fingerprint) {
			return Result{}, ErrCommandReused
		}
		again := done.result
		again.Versions = slices.Clone(again.Versions)
		again.Duplicate = true
		return again, nil
	}
	if err := m.refuse(&r); err != nil {
		return Result{}, err
	}

	result := m.write(r.Writes, at)
	for _, c := range r.Release {
		if name := [2]string{c.Kind, c.Value}; m.claims[name] == c.Stream {
			delete(m.claims, name)
		}
	}
	for _, c := range r.Take {
		m.claims[[2]string{c.Kind, c.Value}] = c.Stream
	}
	m.keys.destroy(r.Erase)
	if r.Command != uuid.Nil {
		kept := result
		kept.Versions = slices.Clone(kept.Versions)
		m.commands[r.Command] = memoryCommand{at, bytes.Clone(r.Fingerprint), kept}
	}
	m.head.raise(int64(len(m.log)))
	return result, nil
}

// refuse answers in the order of the SQL function: versions, guards, subjects, claims.
func (m *Memory) refuse(r *Request) error {
	for _, w := range r.Writes {
		if v := len(m.streams[w.Stream]); w.Expected != Any && w.Expected != v {
			return &ConflictError{Stream: w.Stream, Actual: v}
		}
	}
	for _, g := range r.Guards {
		if v := len(m.streams[g.Stream]); g.Version != v {
			return &ConflictError{Stream: g.Stream, Actual: v, Guard: true}
		}
	}
	for _, s := range r.Subjects {
		if !m.keys.alive(s) {
			return &ErasedError{Subject: s}
		}
	}
	for _, c := range r.Take {
		holder, held := m.claims[[2]string{c.Kind, c.Value}]
		if held && holder != c.Stream && !slices.Contains(r.Release, Claim{c.Kind, c.Value, holder}) {
			return &ClaimedError{Kind: c.Kind, Holder: holder}
		}
	}
	return nil
}

func (m *Memory) write(writes []Write, at time.Time) (result Result) {
	for _, w := range writes {
		for _, e := range w.Events {
			position := int64(len(m.log) + 1)
			m.streams[w.Stream] = append(m.streams[w.Stream], position)
			m.log = append(m.log, Event{
				Position: position, ID: e.ID, Stream: w.Stream, Version: len(m.streams[w.Stream]),
				Type: e.Type, Schema: e.Schema, RecordedAt: at,
				Meta: bytes.Clone(e.Meta), Data: bytes.Clone(e.Data),
			})
			if result.First == 0 {
				result.First = position
			}
			result.Last = position
		}
		result.Versions = append(result.Versions, len(m.streams[w.Stream]))
	}
	return result
}

// ReadStream implements Log.
func (m *Memory) ReadStream(ctx context.Context, stream string, from int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		m.mu.RLock()
		log, positions := m.log, m.streams[stream]
		m.mu.RUnlock()
		for _, p := range positions[min(max(from-1, 0), len(positions)):] {
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			if !yield(log[p-1], nil) {
				return
			}
		}
	}
}

// ReadStreams implements Log.
func (m *Memory) ReadStreams(ctx context.Context, streams ...string) (map[string][]Event, error) {
	all := make(map[string][]Event, len(streams))
	for _, s := range streams {
		events, err := Collect(m.ReadStream(ctx, s, 1))
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			all[s] = events
		}
	}
	return all, nil
}

// ReadAll implements Log.
func (m *Memory) ReadAll(ctx context.Context, after, upto int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		m.mu.RLock()
		log := m.log
		m.mu.RUnlock()
		if upto > 0 && upto < int64(len(log)) {
			log = log[:upto]
		}
		for _, e := range log[min(max(after, 0), int64(len(log))):] {
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Versions implements Log.
func (m *Memory) Versions(_ context.Context, streams ...string) ([]int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	versions := make([]int, len(streams))
	for i, s := range streams {
		versions[i] = len(m.streams[s])
	}
	return versions, nil
}

// Head implements Log.
func (m *Memory) Head(context.Context) (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.log)), nil
}

// PositionAt implements Log.
func (m *Memory) PositionAt(_ context.Context, t time.Time) (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(sort.Search(len(m.log), func(i int) bool { return m.log[i].RecordedAt.After(t) })), nil
}

// Holder implements Log.
func (m *Memory) Holder(_ context.Context, kind, value string) (string, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	stream, found := m.claims[[2]string{kind, value}]
	return stream, found, nil
}

// Holders implements Log.
func (m *Memory) Holders(_ context.Context, kind string, values []string) (map[string]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	holders := make(map[string]string)
	for _, v := range values {
		if stream, found := m.claims[[2]string{kind, v}]; found {
			holders[v] = stream
		}
	}
	return holders, nil
}

// Command implements Log.
func (m *Memory) Command(_ context.Context, id uuid.UUID) (Result, []byte, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	done, found := m.commands[id]
	if !found || m.clock().Sub(done.at) >= CommandsKept {
		return Result{}, nil, false, nil
	}
	r := done.result
	r.Versions = slices.Clone(r.Versions)
	return r, bytes.Clone(done.fingerprint), true, nil
}

// Wait implements Log.
func (m *Memory) Wait(ctx context.Context, position int64) error { return m.head.wait(ctx, position) }

// Changes implements Log.
func (m *Memory) Changes() (int64, <-chan struct{}) { return m.head.changes() }
