package eventstore

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// floor is how often the head is asked for when nothing is heard.
	floor = time.Second
	// upkeepEvery is how often old marks of the head are removed.
	upkeepEvery = time.Minute
	// sweepEvery is how often old commands are forgotten.
	sweepEvery = time.Hour
	sweepChunk = 10_000
)

// listen raises the head for what other processes append.
func (p *Postgres) listen(ctx context.Context) {
	for wait := 50 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, floor) {
		if conn, err := connect(ctx, p.pool.Config().ConnConfig, map[string]string{"application_name": "zurnals listen"}); err == nil {
			if p.hear(ctx, conn) {
				wait = 50 * time.Millisecond
			}
			conn.Close(context.WithoutCancel(ctx))
		}
		pause(ctx, wait)
	}
}

// hear listens on a connection until it breaks, and tells whether it ever worked.
func (p *Postgres) hear(ctx context.Context, conn *pgx.Conn) (worked bool) {
	if _, err := conn.Exec(ctx, `LISTEN es_head`); err != nil {
		return false
	}
	for ask := true; ; {
		if ask { // at first, and when it has been quiet: a notification may be lost
			var head int64
			if err := conn.QueryRow(ctx, `SELECT position FROM es.head`).Scan(&head); err != nil {
				return worked
			}
			p.head.raise(head)
			worked = true
		}
		quiet, cancel := context.WithTimeout(ctx, floor)
		n, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			if head, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
				p.head.raise(head)
			}
			ask = false
		case ctx.Err() != nil || conn.IsClosed():
			return worked
		default:
			ask = true
		}
	}
}

// announce tells other processes how far this one has brought the log. It does
// so beside the appends: a NOTIFY within each would cost it a tenth more. What
// is appended during one announcement is in the next. One that is lost costs the
// others no more than the floor.
func (p *Postgres) announce(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for told := int64(0); ; {
		ended := p.appended.wait(ctx, told+1) != nil
		head, _ := p.appended.changes()
		if head > told {
			said, cancel := context.WithTimeout(context.WithoutCancel(ctx), floor)
			if conn == nil {
				conn, _ = connect(said, p.pool.Config().ConnConfig, announceSettings) // nil: the next one tries again
			}
			if conn != nil {
				if _, err := conn.Exec(said, `SELECT pg_notify('es_head', $1)`, strconv.FormatInt(head, 10)); err != nil {
					conn.Close(said)
					conn = nil
				}
			}
			cancel()
			told = head
		}
		if ended {
			return
		}
	}
}

// announceSettings: nothing is lost with an announcement, so it waits for no disk.
var announceSettings = map[string]string{"application_name": "zurnals announce", "synchronous_commit": "off", "statement_timeout": "1s"}

// upkeep makes partitions ahead of the head and sweeps what is not needed any more.
func (p *Postgres) upkeep(ctx context.Context) {
	var swept time.Time
	for ctx.Err() == nil {
		var size, next int64
		err := p.pool.QueryRow(ctx, `SELECT partition_size, es.prepare_partitions(partition_size) FROM es.layout`).Scan(&size, &next)
		if err == nil {
			_, err = p.pool.Exec(ctx, `SELECT es.sweep_marks()`)
		}
		if err == nil && time.Since(swept) >= sweepEvery {
			if err = p.sweep(ctx); err == nil {
				swept = time.Now()
			}
		}
		if err != nil {
			pause(ctx, floor)
			continue
		}
		// Less than a whole partition is left from here on.
		until, cancel := context.WithTimeout(ctx, upkeepEvery)
		_ = p.head.wait(until, next-size)
		cancel()
	}
}

// sweep forgets commands in chunks, so that no append waits for it.
func (p *Postgres) sweep(ctx context.Context) error {
	for {
		var n int
		if err := p.pool.QueryRow(ctx, `SELECT es.sweep($1, $2)`, p.clock().Add(-CommandsKept), sweepChunk).Scan(&n); err != nil {
			return err
		}
		if n < sweepChunk {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
