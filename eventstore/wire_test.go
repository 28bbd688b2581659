package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/internal/pgtest"
)

// wire is a connection to the database that can be cut.
type wire struct {
	mu    sync.Mutex
	conns map[*wired]bool
	down  bool
	armed atomic.Bool
	lost  atomic.Int64
}

// through returns the database with its pool of the application on this wire.
func (w *wire) through(t *testing.T, db *pgtest.DB) *pgtest.DB {
	t.Helper()
	config := db.App.Config()
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.down {
			return nil, errors.New("no route to the database")
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if w.conns == nil {
			w.conns = make(map[*wired]bool)
		}
		c := &wired{Conn: conn, wire: w}
		w.conns[c] = true
		return c, nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	changed := *db
	changed.App = pool
	return &changed
}

// set cuts all connections and lets no new ones through, or lets them again.
func (w *wire) set(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.conns {
		if down {
			c.Close()
		}
	}
}

// loseNextAnswer cuts the connection that appends when the next answer of the
// database has arrived, which is after its commit.
func (w *wire) loseNextAnswer() { w.armed.Store(true) }

type wired struct {
	net.Conn
	wire    *wire
	appends atomic.Bool
	asked   atomic.Bool
}

func (c *wired) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("zurnals append")) { // the greeting
		c.appends.Store(true)
	} else if c.appends.Load() && c.wire.armed.CompareAndSwap(true, false) {
		c.asked.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *wired) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.asked.Load() {
		c.wire.lost.Add(1)
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
