package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"zurnals/eventstore"
)

// A Relay publishes a log.
type Relay struct {
	c   Config
	log Log
	nc  *nats.Conn

	at      atomic.Int64 // of the stream, as this relay knows
	problem atomic.Pointer[string]
}

const (
	// window is how many messages may be on the way at once.
	window = 512
	// takeOverIn is how long the stream must stand still before a relay that
	// stands by publishes.
	takeOverIn = 500 * time.Millisecond
	// answerIn is how long the nodes may take to agree on a message.
	answerIn = 2 * time.Second
)

// Open connects to the cluster. Close the relay when Run has ended.
func Open(c Config, log Log) (*Relay, error) {
	nc, err := connect(&c)
	if err != nil {
		return nil, err
	}
	if most := int64(eventstore.MaxBytes + 64<<10); nc.MaxPayload() < most {
		c.Logger.Warn("an event may be larger than a message may be: raise max_payload of the NATS servers", "max_payload", nc.MaxPayload(), "needed", most)
	}
	return &Relay{c: c, log: log, nc: nc}, nil
}

// Close ends the connection.
func (r *Relay) Close() { r.nc.Close() }

// Position returns up to where the log is in the stream, and what is wrong, if
// anything is.
func (r *Relay) Position() (position int64, problem string) {
	if p := r.problem.Load(); p != nil {
		problem = *p
	}
	return r.at.Load(), problem
}

// Run publishes what is in the log and what comes, until ctx ends. When nodes
// go away it tries again; when another relay publishes already it stands by, to
// take over within seconds. ErrOtherLog and ErrAhead end it.
func (r *Relay) Run(ctx context.Context) error {
	const least, most = 50 * time.Millisecond, 2 * time.Second
	for pause := least; ctx.Err() == nil; {
		before := r.at.Load()
		err := r.publish(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrOtherLog) || errors.Is(err, ErrAhead):
			return err
		}
		if lostRace(err) {
			r.standBy(ctx)
			continue
		}
		text := err.Error()
		r.problem.Store(&text)
		if r.at.Load() != before {
			pause = least
		}
		r.c.Logger.Warn("publishing is interrupted", "position", r.at.Load(), "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, most)
	}
	return nil
}

// lostRace says that somebody else has published the event, or the one before
// has not arrived. A stream of one node and one of several say it differently.
func lostRace(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) && (refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// standBy returns when the log has what the stream has not, and the stream has
// not moved for a moment: nobody else publishes, or the nodes had been away.
func (r *Relay) standBy(ctx context.Context) {
	js, err := jetstream.New(r.nc)
	if err != nil {
		return
	}
	for last := int64(-1); ; {
		select {
		case <-time.After(takeOverIn):
		case <-ctx.Done():
			return
		}
		at, err := r.end(ctx, js)
		if err != nil {
			return // publish meets it too
		}
		r.at.Store(at)
		r.problem.Store(nil)
		if head, _ := r.log.Changes(); at < head && at == last {
			return
		}
		last = at
	}
}

// publish publishes from where the stream ends until something goes wrong.
func (r *Relay) publish(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	js, err := jetstream.New(r.nc, jetstream.WithPublishAsyncMaxPending(2*window), jetstream.WithPublishAsyncTimeout(answerIn), jetstream.WithDefaultTimeout(answerIn))
	if err != nil {
		return err
	}
	defer js.CleanupPublisher() // what is still on the way is refused, or is found there the next time
	at, err := r.end(ctx, js)
	if err != nil {
		return err
	}
	r.at.Store(at)
	r.problem.Store(nil)
	onTheWay := make(chan sent, window)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(r.collect(ctx, onTheWay))
	}()
	err = r.send(ctx, js, at, onTheWay)
	close(onTheWay)
	cancel(err)
	<-done
	return context.Cause(ctx)
}

type sent struct {
	position int64
	answer   jetstream.PubAckFuture
}

// send reads the log and publishes without waiting for answers.
func (r *Relay) send(ctx context.Context, js jetstream.JetStream, at int64, onTheWay chan<- sent) error {
	for {
		head, moved := r.log.Changes()
		if head > at {
			for e, err := range r.log.ReadAll(ctx, at, head) {
				if err != nil {
					return err
				}
				if e.Position != at+1 {
					return fmt.Errorf("%w: position %d follows %d", eventstore.ErrGap, e.Position, at)
				}
				answer, err := js.PublishMsgAsync(encode(r.c.Name, e), jetstream.WithRetryAttempts(0))
				if err != nil {
					return fmt.Errorf("event %d: %w", e.Position, err)
				}
				select {
				case onTheWay <- sent{e.Position, answer}:
				case <-ctx.Done():
					return ctx.Err()
				}
				at = e.Position
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// collect takes the answers in order, and tells readers how far the stream is
// whenever none is awaited, or after many.
func (r *Relay) collect(ctx context.Context, onTheWay <-chan sent) error {
	for s := range onTheWay {
		select {
		case ack := <-s.answer.Ok():
			if int64(ack.Sequence) != s.position {
				return fmt.Errorf("%w: position %d is at sequence %d", ErrOtherLog, s.position, ack.Sequence)
			}
		case err := <-s.answer.Err():
			return fmt.Errorf("event %d: %w", s.position, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		r.at.Store(s.position)
		if len(onTheWay) == 0 || s.position%window == 0 {
			// Lost: readers ask by themselves, a moment later.
			_ = r.nc.Publish(r.c.announced(), strconv.AppendInt(nil, s.position, 10))
		}
	}
	return nil
}

// end returns where the stream ends, having checked that it is of this log.
func (r *Relay) end(ctx context.Context, js jetstream.JetStream) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	stream, err := ensure(ctx, js, r.c)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", r.c.Name, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", r.c.Name, err)
	}
	last := int64(info.State.LastSeq)
	if last == 0 {
		return 0, nil
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return 0, err
	}
	if last > head {
		return 0, fmt.Errorf("%w: it ends at %d, the log at %d", ErrAhead, last, head)
	}
	kept, err := stream.GetMsg(ctx, uint64(last))
	if err != nil {
		return 0, fmt.Errorf("stream %s: message %d: %w", r.c.Name, last, err)
	}
	there, err := decode(kept.Header, kept.Data, last)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrOtherLog, err)
	}
	for e, err := range r.log.ReadAll(ctx, last-1, last) {
		if err != nil {
			return 0, err
		}
		if e.ID != there.ID {
			return 0, fmt.Errorf("%w: position %d is event %s there and %s here", ErrOtherLog, last, there.ID, e.ID)
		}
	}
	return last, nil
}
