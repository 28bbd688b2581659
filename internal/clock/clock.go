// Package clock is the one clock of the program (Latvian: pulkstenis). Whatever
// depends on the time asks it and not the machine, so that a development
// server and a test can begin on any day and turn the time on.
package clock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Clock is the machine's, or so much ahead of it as it was moved. A clock
// that keeps its lead in the database goes on where it was after a restart.
type Clock struct {
	machine func() time.Time
	ahead   atomic.Int64 // nanoseconds
	pool    *pgxpool.Pool
}

// Machine returns the clock of a server in earnest. It cannot be moved.
func Machine() *Clock { return &Clock{machine: time.Now} }

// Stopped returns a clock for tests that stands at a time until it is moved.
func Stopped(at time.Time) *Clock {
	return &Clock{machine: func() time.Time { return at }}
}

// Open returns the clock of a development server, as far ahead as the database
// has it.
func Open(ctx context.Context, pool *pgxpool.Pool) (*Clock, error) {
	c := &Clock{machine: time.Now, pool: pool}
	var ahead int64
	err := pool.QueryRow(ctx, `SELECT ahead_us FROM web.dev_clock`).Scan(&ahead)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("clock: %w", err)
	}
	c.ahead.Store(ahead * int64(time.Microsecond))
	return c, nil
}

// Now returns the time.
func (c *Clock) Now() time.Time { return c.machine().Add(time.Duration(c.ahead.Load())) }

// Advance turns the clock on.
func (c *Clock) Advance(ctx context.Context, by time.Duration) error {
	if by < 0 {
		return errors.New("clock: time does not go back")
	}
	return c.keep(ctx, time.Duration(c.ahead.Load())+by)
}

// Set puts the clock to a time, which may lie before the one it shows. Only a
// server on which nothing has happened may do that.
func (c *Clock) Set(ctx context.Context, to time.Time) error {
	return c.keep(ctx, to.Sub(c.machine()))
}

// keep writes the lead down before it counts: what happens after a restart must
// not be earlier than what happened before.
func (c *Clock) keep(ctx context.Context, ahead time.Duration) error {
	if c.pool != nil {
		_, err := c.pool.Exec(ctx, `INSERT INTO web.dev_clock (ahead_us) VALUES ($1)
			ON CONFLICT (one) DO UPDATE SET ahead_us = excluded.ahead_us`, ahead.Microseconds())
		if err != nil {
			return fmt.Errorf("clock: %w", err)
		}
	}
	c.ahead.Store(int64(ahead))
	return nil
}
