package reactions

import (
	"context"
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

// abandoned is how long a job may be under way before river takes it for one
// that was left, should the seat of the server that did it be there still. It
// is above the timeout of every worker.
const abandoned = 2 * time.Minute

// fetching is how often a server looks for jobs of which it was not told. River
// tells of them at most once in a tenth of a second, and of jobs that were
// adopted never; its second between two looks would be the longest part of the
// pause after another server has died.
const fetching = 200 * time.Millisecond

// newRiver returns a client of the job queue; without workers it does no jobs.
func newRiver(c Config, pool *pgxpool.Pool, s seat, does *river.Workers) (*river.Client[pgx.Tx], error) {
	config := &river.Config{ID: s.name(), Schema: schema, Logger: c.Logger, SoftStopTimeout: c.Grace, RescueStuckJobsAfter: abandoned,
		FetchPollInterval: fetching,
		// Its nightly reindexing is for who owns the table, which zurnals_app does
		// not; jobs that are done are deleted after a day, and vacuum is enough.
		ReindexerIndexNames: []string{}}
	if does != nil {
		config.Workers = does
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	}
	if c.Dev {
		config.FetchPollInterval = river.FetchCooldownDefault // RunDue wakes nobody
	}
	return river.NewClient(riverpgxv5.New(pool), config)
}

// insert adds jobs to the queue. River goes by the machine's time, which is the
// one clock except in development, where that can be moved: so a job for later
// notes by the one clock when it is due.
func (e *Engine) insert(ctx context.Context, tx pgx.Tx, jobs *river.Client[pgx.Tx], todo []river.InsertManyParams) error {
	if len(todo) == 0 { // InsertManyTx refuses an empty list
		return nil
	}
	for i, job := range todo {
		if job.InsertOpts == nil || job.InsertOpts.ScheduledAt.IsZero() {
			continue
		}
		opts := *job.InsertOpts // the reaction's own stays as it is
		opts.Metadata = fmt.Appendf(nil, `{"due": %q}`, opts.ScheduledAt.UTC().Format(time.RFC3339Nano))
		opts.ScheduledAt = time.Now().Add(opts.ScheduledAt.Sub(e.c.Now()))
		todo[i].InsertOpts = &opts
	}
	_, err := jobs.InsertManyTx(ctx, tx, todo)
	return err
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
// reactions have caught up, and every job due by the one clock has run. Jobs
// that failed before are tried again, once, however long they were to wait. It
// returns how many jobs there were. Run must be under way.
func (e *Engine) RunDue(ctx context.Context) (int, error) {
	if err := e.Drain(ctx); err != nil {
		return 0, err
	}
	rows, err := e.c.Pool.Query(ctx, `
		SELECT id, CASE state WHEN 'running' THEN attempt - 1 ELSE attempt END FROM jobs.river_job
		WHERE state IN ('available', 'running', 'retryable') OR state = 'scheduled' AND (metadata->>'due')::timestamptz <= $1`, e.c.Now())
	if err != nil {
		return 0, err
	}
	var ids []int64
	var tries []int16
	var id int64
	var try int16
	if _, err := pgx.ForEachRow(rows, []any{&id, &try}, func() error {
		ids, tries = append(ids, id), append(tries, try)
		return nil
	}); err != nil {
		return 0, err
	}
	// Not river's JobRetry: it would do a job anew that has been done meanwhile.
	if _, err := e.c.Pool.Exec(ctx, `
		UPDATE jobs.river_job SET state = 'available', scheduled_at = now(), max_attempts = greatest(max_attempts, attempt + 1)
		WHERE id = ANY($1) AND (state IN ('retryable', 'scheduled') OR state = 'available' AND scheduled_at > now())`, ids); err != nil {
		return 0, err
	}
	return len(ids), until(ctx, func() (done bool, err error) {
		err = e.c.Pool.QueryRow(ctx, `
			SELECT count(*) = 0 FROM jobs.river_job JOIN unnest($1::bigint[], $2::smallint[]) AS due (id, attempt) USING (id)
			WHERE state = 'running' OR state = 'available' AND scheduled_at <= now() OR state = 'retryable' AND river_job.attempt <= due.attempt`, ids, tries).Scan(&done)
		return done, err
	})
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
