package eventstore

import (
	"context"
	"sync"
)

// watermark is the head of the log as this process knows it. It only rises, and
// wakes those who wait for it.
type watermark struct {
	mu    sync.Mutex
	head  int64
	moved chan struct{} // closed and replaced at each rise
}

func newWatermark(head int64) *watermark {
	return &watermark{head: head, moved: make(chan struct{})}
}

func (w *watermark) changes() (int64, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head, w.moved
}

func (w *watermark) raise(head int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if head <= w.head {
		return
	}
	w.head = head
	close(w.moved)
	w.moved = make(chan struct{})
}

func (w *watermark) wait(ctx context.Context, position int64) error {
	for {
		head, moved := w.changes()
		if head >= position {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
