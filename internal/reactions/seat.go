package reactions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A seat is a number that a server holds as long as it lives: an advisory lock
// of a session that does nothing else. PostgreSQL gives it up when the process
// is gone, however that ended, so that the others know at once which jobs under
// way nobody does any more. River alone would wait for abandoned.
type seat int32

// newSeat picks a number; two servers with one would only wait for river.
func newSeat() seat { return seat(rand.Int32()) }

const (
	// seats is the class of the locks, which nothing else in the database uses.
	seats = 1_918_989_939
	// sittingFor is how often a server looks for seats that are empty.
	sittingFor = 200 * time.Millisecond
	// returning is how long servers may take to sit down again after the database
	// was away.
	returning = time.Second
)

// name is what river notes with each job that the server takes.
func (s seat) name() string { return fmt.Sprintf("zurnals-%d", s) }

// take sits down. The connection must be kept, and is of no other use to others
// until it is closed.
func (s seat) take(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1::int, $2::int)`, seats, int32(s)); err != nil {
		leave(conn)
		return nil, err
	}
	return conn, nil
}

// leave closes the connection: the lock is of the session, not of the pool.
func leave(conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Hijack().Close(ctx)
}

// keep sits until ctx ends, and has the jobs of servers that are gone done
// again. Right after the database was away it waits until all who live may have
// sat down again; so does a server that begins together with the database,
// unless it is alone.
func (s seat) keep(ctx context.Context, pool *pgxpool.Pool, conn *pgxpool.Conn, e *Engine) {
	tick := time.NewTicker(sittingFor)
	defer tick.Stop()
	const patient = int(returning / sittingFor)
	patience := 0
	if !e.c.Dev && beginning(ctx, conn) {
		patience = patient
	}
	for {
		if conn != nil && patience == 0 {
			if n, err := adopt(ctx, conn); err != nil {
				leave(conn)
				conn = nil
			} else if n > 0 {
				e.c.Logger.Warn("jobs of a server that is gone are done again", "jobs", n)
			}
		} else if conn != nil && conn.Ping(ctx) != nil {
			leave(conn)
			conn = nil
		}
		if conn == nil && ctx.Err() == nil {
			if again, err := s.take(ctx, pool); err == nil {
				conn, patience = again, patient
			}
		}
		select {
		case <-tick.C:
			patience = max(0, patience-1)
		case <-ctx.Done():
			if conn != nil {
				leave(conn)
			}
			return
		}
	}
}

// beginning says that the database has just begun, or that it does not answer.
func beginning(ctx context.Context, conn *pgxpool.Conn) bool {
	var just bool
	err := conn.QueryRow(ctx, `SELECT pg_postmaster_start_time() > clock_timestamp() - $1::interval`, returning).Scan(&just)
	return just || err != nil
}

// adopt makes jobs that were under way on a server that has no seat available
// again. A job keeps the count of its tries: one that kills every server that
// takes it is given up in the end.
func adopt(ctx context.Context, conn *pgxpool.Conn) (int64, error) {
	tag, err := conn.Exec(ctx, `
		UPDATE jobs.river_job SET state = 'available'
		WHERE state = 'running' AND NOT EXISTS (
		  SELECT FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database
		  WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND d.datname = current_database()
		  AND classid = $1::oid AND 'zurnals-' || objid = attempted_by[array_upper(attempted_by, 1)])`, uint32(seats))
	return tag.RowsAffected(), err
}
