package reactions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// schema is where river keeps its tables.
const schema = "jobs"

// workers is how many jobs a server does at once.
const workers = 8

// newRiver returns a client of the job queue; without workers it does no jobs.
func newRiver(c Config, pool *pgxpool.Pool, does *river.Workers) (*river.Client[pgx.Tx], error) {
	config := &river.Config{Schema: schema, Logger: c.Logger, SoftStopTimeout: c.Grace}
	if does != nil {
		config.Workers = does
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	}
	if c.Dev {
		config.Test.Time = clock(c.Now)
		config.FetchPollInterval = river.FetchCooldownDefault
	}
	return river.NewClient(riverpgxv5.New(pool), config)
}

// A clock lets river see the one clock where it can be moved. Elsewhere river
// asks the database for the time, so that servers need not agree.
type clock func() time.Time

func (c clock) Now() time.Time { return c() }
func (c clock) NowOrNil() *time.Time {
	t := c()
	return &t
}

// settle is how often Drain and RunDue look: they are for development and
// tests, where nobody else asks.
const settle = 5 * time.Millisecond

// Drain waits until all reactions have come as far as the log was when it was
// called. Run must be under way, here or on another server.
func (e *Engine) Drain(ctx context.Context) error {
	head, err := e.c.Log.Head(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(e.c.Reactions))
	for i, r := range e.c.Reactions {
		names[i] = r.Name
	}
	return until(ctx, func() (done bool, err error) {
		err = e.c.Pool.QueryRow(ctx, `SELECT coalesce(bool_and(position >= $2), true) FROM reaction.offset WHERE name = ANY($1)`, names, head).Scan(&done)
		return done, err
	})
}

// RunDue waits until all that follows from what is in the log is done: the
// reactions have caught up, and every job due by the one clock has run once
// more, those too that wait to be tried again. It returns how many there were.
// Jobs that follow from these, or are due again later, are not waited for.
func (e *Engine) RunDue(ctx context.Context) (int, error) {
	if err := e.Drain(ctx); err != nil {
		return 0, err
	}
	now := e.c.Now()
	due, err := e.due(ctx, now)
	if err != nil {
		return 0, err
	}
	for _, id := range due { // river's own timer looks only now and then
		if _, err := e.jobs.JobRetry(ctx, id); err != nil && !errors.Is(err, river.ErrNotFound) {
			return 0, fmt.Errorf("run job %d: %w", id, err)
		}
	}
	err = until(ctx, func() (done bool, err error) {
		left, err := e.due(ctx, now)
		return len(left) == 0, err
	})
	return len(due), err
}

// due returns the jobs to be done by a time, or being done.
func (e *Engine) due(ctx context.Context, now time.Time) ([]int64, error) {
	rows, err := e.c.Pool.Query(ctx, `
		SELECT id FROM jobs.river_job
		WHERE state = 'running' OR state IN ('available', 'scheduled', 'retryable') AND scheduled_at <= $1 ORDER BY id`, now)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// until asks again and again, until it is done or ctx ends.
func until(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(settle)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
