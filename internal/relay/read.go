package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"zurnals/eventstore"
)

// A Stream is the log as JetStream has it. It is read like the log itself;
// nothing is kept about who has read how far: a read model knows that for
// itself, in the transaction in which it changes.
type Stream struct {
	c  Config
	nc *nats.Conn
	js jetstream.JetStream

	mu    sync.Mutex
	head  int64
	moved chan struct{} // closed and replaced when head moves
}

const (
	// floor is how often the end of the stream is asked for without having been told.
	floor = time.Second
	// batch is how many events are asked for at once.
	batch = 1_000
	// batchBytes bounds the same.
	batchBytes = 4 << 20
	// patience is how long nodes that are away, or behind, are waited for.
	patience = 10 * time.Second
)

// Follow connects to the cluster, and waits until the stream is there. Run must
// be under way for Changes to move. Close the stream when Run has ended.
func Follow(ctx context.Context, c Config) (*Stream, error) {
	nc, err := connect(&c)
	if err != nil {
		return nil, err
	}
	s := &Stream{c: c, nc: nc, moved: make(chan struct{})}
	if s.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(answerIn)); err != nil {
		nc.Close()
		return nil, err
	}
	for told := false; ; told = true {
		_, err := s.Head(ctx)
		if err == nil {
			return s, nil
		}
		if !told {
			c.Logger.Warn("waiting for the stream", "err", err)
		}
		select {
		case <-time.After(floor / 4):
		case <-ctx.Done():
			nc.Close()
			return nil, err
		}
	}
}

// Close ends the connection.
func (s *Stream) Close() { s.nc.Close() }

// Run keeps Changes up to date until ctx ends.
func (s *Stream) Run(ctx context.Context) error {
	heard, err := s.nc.Subscribe(s.c.announced(), func(m *nats.Msg) {
		if n, err := strconv.ParseInt(string(m.Data), 10, 64); err == nil {
			s.raise(n)
		}
	})
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	defer heard.Unsubscribe()
	tick := time.NewTicker(floor)
	defer tick.Stop()
	for {
		if _, err := s.Head(ctx); err != nil && ctx.Err() == nil {
			s.c.Logger.Warn("the stream cannot be asked", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Stream) raise(head int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if head > s.head {
		s.head = head
		close(s.moved)
		s.moved = make(chan struct{})
	}
}

// Changes returns the end of the stream as this process knows it, and a channel
// that is closed when it moves on.
func (s *Stream) Changes() (int64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, s.moved
}

// Head returns the last position.
func (s *Stream) Head(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.c.Name)
	if err != nil {
		return 0, fmt.Errorf("%w: stream %s: %w", eventstore.ErrUnavailable, s.c.Name, err)
	}
	info := stream.CachedInfo()
	if first := info.State.FirstSeq; first > 1 {
		return 0, fmt.Errorf("%w: stream %s begins at %d", eventstore.ErrGap, s.c.Name, first)
	}
	head := int64(info.State.LastSeq)
	s.raise(head)
	return head, nil
}

// ReadAll yields the events with after < position <= upto. An upto of 0, or
// beyond the end, means the end at the start.
func (s *Stream) ReadAll(ctx context.Context, after, upto int64) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		if head, _ := s.Changes(); upto == 0 || upto > head {
			head, err := s.Head(ctx)
			if err != nil {
				yield(eventstore.Event{}, err)
				return
			}
			if upto == 0 || upto > head {
				upto = head
			}
		}
		since := time.Now()
		for pause := time.Millisecond; after < upto; {
			events, err := s.some(ctx, after, upto)
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(events) > 0 {
				after = events[len(events)-1].Position
				since, pause = time.Now(), time.Millisecond
			}
			switch {
			case err == nil && len(events) > 0:
				continue
			case ctx.Err() != nil:
				yield(eventstore.Event{}, ctx.Err())
				return
			case errors.Is(err, ErrMessage) || errors.Is(err, eventstore.ErrGap) || time.Since(since) > patience:
				yield(eventstore.Event{}, err)
				return
			}
			// A node that answered is behind, or one that should have is gone.
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, 100*time.Millisecond)
		}
	}
}

// errBehind says that the node asked does not have the next event yet.
var errBehind = fmt.Errorf("%w: no node has the next event yet", eventstore.ErrUnavailable)

// some asks whatever node is nearest for a batch, and returns what has come of
// it, in order. Any node that has an event has the same: they have agreed on it.
func (s *Stream) some(ctx context.Context, after, upto int64) (events []eventstore.Event, err error) {
	n := min(batch, upto-after)
	ask, err := json.Marshal(struct {
		Seq      int64 `json:"seq"`
		Batch    int64 `json:"batch"`
		MaxBytes int   `json:"max_bytes"`
	}{after + 1, n, batchBytes})
	if err != nil {
		return nil, err
	}
	inbox := s.nc.NewInbox()
	answers, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	defer answers.Unsubscribe()
	if err := answers.SetPendingLimits(2*batch, 4*batchBytes); err != nil {
		return nil, err
	}
	if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+s.c.Name, inbox, ask); err != nil {
		return nil, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	for int64(len(events)) < n {
		waiting, cancel := context.WithTimeout(ctx, time.Second)
		m, err := answers.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return events, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // the end of what this node sends
			return events, nil
		case "404":
			return events, errBehind
		default:
			return events, fmt.Errorf("%w: stream %s answers %s %s", eventstore.ErrUnavailable, s.c.Name, status, m.Header.Get("Description"))
		}
		sequence, err := strconv.ParseInt(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return events, fmt.Errorf("%w: no sequence", ErrMessage)
		}
		if sequence != after+1 {
			return events, fmt.Errorf("%w: sequence %d follows %d", eventstore.ErrGap, sequence, after)
		}
		e, err := decode(m.Header, m.Data, sequence)
		if err != nil {
			return events, err
		}
		events = append(events, e)
		after++
	}
	return events, nil
}
