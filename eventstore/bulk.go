package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/google/uuid"
)

// bulkWindow bounds what an AppendBulk has under way: two groups, so that one
// gathers while the other commits. Others who append wait for two at most.
const (
	bulkEvents   = 2 * MaxEvents
	bulkRequests = 512
)

// AppendBulk appends many requests, such as those of an import, each of them
// whole or not at all, and tells what became of each, in their order. The lane
// puts as many into one commit as the bounds of an append allow, so that the
// head of the log is never held for long and others append in between.
//
// The command ids follow from the run and the number of the request. So a run
// that was broken off is begun again from the start with the same requests:
// what is in the log already is answered as a Duplicate, and nothing happens
// twice, for CommandsKept.
//
// A request that is refused (a conflict, a claim) does not stop the others. An
// error of answered, of the context, or ErrUnavailable does, and is returned
// with the number of the request; some that follow it may have been appended.
func AppendBulk(ctx context.Context, log Log, run uuid.UUID, requests iter.Seq[Request], answered func(n int, r Result, err error) error) error {
	begin := func(ctx context.Context, r *Request) func() (Result, error) {
		result, err := log.Append(ctx, *r)
		return func() (Result, error) { return result, err }
	}
	if p, ok := log.(*Postgres); ok {
		begin = p.begin
	}
	type one struct {
		n, events int
		answer    func() (Result, error)
	}
	var under []one // way, in order
	events := 0
	settle := func() error {
		first := under[0]
		under, events = under[1:], events-first.events
		result, err := first.answer()
		if err != nil && (errors.Is(err, ErrUnavailable) || ctx.Err() != nil) {
			return fmt.Errorf("append in bulk: request %d: %w", first.n, err)
		}
		if err := answered(first.n, result, err); err != nil {
			return fmt.Errorf("append in bulk: request %d: %w", first.n, err)
		}
		return nil
	}
	// What is left under way at an error is not waited for, but is not lost
	// either: the lane serves it, and the same run finds it.
	n := 0
	for r := range requests {
		r.Command = uuid.NewSHA1(run, strconv.AppendInt(nil, int64(n), 10))
		size := 0
		for _, w := range r.Writes {
			size += len(w.Events)
		}
		for len(under) > 0 && (events+size > bulkEvents || len(under) >= bulkRequests) {
			if err := settle(); err != nil {
				return err
			}
		}
		under, events = append(under, one{n, size, begin(ctx, &r)}), events+size
		n++
	}
	for len(under) > 0 {
		if err := settle(); err != nil {
			return err
		}
	}
	return nil
}
