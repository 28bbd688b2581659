package commands

import (
	"context"
	"hash/maphash"
	"sync"
)

// turns lets those who are about to change the same stream do so one after the
// other, within this process. A whole class records itself within the same few
// seconds: without turns each would decide on a state that the next has already
// changed, and most would give up. It is a courtesy only: what keeps a stream
// right is the version that an append is made against, also between processes.
type turns struct {
	once sync.Once
	seed maphash.Seed
	free [64]chan struct{} // by hash of the stream: two streams may share one
}

// take waits for the turn of a stream. The function returned ends it.
func (t *turns) take(ctx context.Context, stream string) (end func(), err error) {
	t.once.Do(func() {
		t.seed = maphash.MakeSeed()
		for i := range t.free {
			t.free[i] = make(chan struct{}, 1)
		}
	})
	free := t.free[maphash.String(t.seed, stream)%uint64(len(t.free))]
	select {
	case free <- struct{}{}:
		return func() { <-free }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
