package projections

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// beat is how often a node tells that it is there, and looks who else is.
	beat = 200 * time.Millisecond
	// watching is how often it looks how far others are, while a query waits
	// for what another node keeps.
	watching = 10 * time.Millisecond
)

// A crew is the nodes (processes) that keep the read models of one database.
// They divide the work by the same rule over the same table, so that none has
// to ask another. For a moment two may think that something is theirs: the
// epoch of the checkpoint lets only the last of them write.
type crew struct {
	engine *Engine
	id     uuid.UUID
	now    chan struct{} // look at once; holds at most one
	conn   *pgxpool.Conn // of run: it sits on it

	mu     sync.Mutex
	known  chan struct{} // closed once the crew is known
	looked chan struct{} // closed and replaced after each look
	alone  bool
	builds map[string]Progress // under way, on whatever node
}

func newCrew(e *Engine) *crew {
	return &crew{engine: e, id: uuid.New(), now: make(chan struct{}, 1),
		known: make(chan struct{}), looked: make(chan struct{}), alone: true}
}

// A node is one process of a crew, and the schemas that it can keep.
type node struct {
	id      uuid.UUID
	schemas []string
}

// A row is what the database knows of the tables in a schema.
type row struct {
	position, epoch, resumed, parked int64
	paused                           bool
}

// A role is what a runner is to do.
type role struct{ there, mine, paused bool }

// present are the nodes whose seats are held: advisory locks, each of a session
// that PostgreSQL ends as soon as its process is gone, however that ended.
const present = `SELECT ('x' || left(id::text, 8))::bit(32)::bigint = ANY (SELECT objid::bigint FROM pg_locks JOIN pg_database d ON d.oid = database
	WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND datname = current_database() AND classid = hashtext('zurnals node')::oid)`

// sit takes the seat of this node, on a connection that is of no other use until
// it is closed. Shared: the session of before may not have ended yet.
func (c *crew) sit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := c.engine.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	c.conn = conn
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock_shared(hashtext('zurnals node'), ('x' || left($1::uuid::text, 8))::bit(32)::int)", c.id)
	return err
}

// stand leaves the seat: the lock is of the session, not of the pool.
func (c *crew) stand() {
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.conn.Hijack().Close(ctx) // it may be broken
	c.conn = nil
}

// run beats until ctx is done.
func (c *crew) run(ctx context.Context) error {
	defer c.stand()
	if err := c.sit(ctx); err != nil {
		return err
	}
	for last := (time.Time{}); ; {
		if time.Since(last) >= beat || len(c.now) > 0 {
			select {
			case <-c.now:
			default:
			}
			if err := c.beat(ctx); err != nil {
				return err
			}
			last = time.Now()
		} else if err := c.watch(ctx); err != nil {
			return err
		}
		pause := beat - time.Since(last)
		if c.awaited() {
			pause = min(pause, watching)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-c.now:
			c.look()
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		t.Stop()
	}
}

// look makes run look at once.
func (c *crew) look() {
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// lookAgain returns after a look that has begun after the call.
func (c *crew) lookAgain(ctx context.Context) {
	for range 2 { // one may be under way
		c.mu.Lock()
		looked := c.looked
		c.mu.Unlock()
		c.look()
		select {
		case <-looked:
		case <-ctx.Done():
			return
		}
	}
}

// leave tells the others that this node is going.
func (c *crew) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// If it cannot be told, they will notice.
	_, _ = c.engine.pool.Exec(ctx, "DELETE FROM projection.node WHERE id = $1", c.id)
}

const selectRows = `SELECT schema, position, epoch, resumed, (SELECT count(*) FROM projection.parked p WHERE p.schema = c.schema), paused_at IS NOT NULL FROM projection.checkpoint c`

// beat tells that this node is there, looks who is, and gives the runners their
// roles.
func (c *crew) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var can []string
	for _, name := range c.engine.names {
		if r := c.engine.runners[name]; r.able() {
			can = append(can, r.schema)
		}
	}
	var nodes []node
	rows, builds := make(map[string]row), make(map[string]Progress)
	var stale []string
	err := send(ctx, c.conn.Conn().PgConn(), []statement{
		{sql: "BEGIN"},
		{sql: "SET LOCAL synchronous_commit TO off"}, // a beat that is lost is followed by another
		{
			sql: `INSERT INTO projection.node VALUES ($1, clock_timestamp(), string_to_array($2::text, ','))
				ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, schemas = excluded.schemas`,
			args: [][]byte{c.id[:], []byte(strings.Join(can, ","))},
		},
		{sql: "DELETE FROM projection.node WHERE seen < clock_timestamp() - interval '1 minute'"},
		{
			sql: "SELECT id, array_to_string(schemas, ',') FROM projection.node WHERE seen > clock_timestamp() - interval '1 second' AND (" + present + ") ORDER BY id",
			take: func(v [][]byte) {
				nodes = append(nodes, node{uuid.UUID(v[0]), strings.Split(string(v[1]), ",")})
			},
		},
		{sql: selectRows, take: takeRow(rows)},
		{
			sql: "SELECT name, phase, done, total, (extract(epoch FROM started) * 1000)::bigint, seen < clock_timestamp() - interval '5 seconds' FROM projection.build",
			take: func(v [][]byte) {
				name := string(v[0])
				if v[5][0] == 1 {
					stale = append(stale, name)
					return
				}
				if len(v[1]) == 0 { // it has only begun
					return
				}
				builds[name] = Progress{Phase: string(v[1]), Done: integer(v[2]), Total: integer(v[3]), Started: time.UnixMilli(integer(v[4]))}
			},
		},
		{sql: "COMMIT"},
	})
	if err != nil {
		return err
	}
	shares := divide(nodes)
	for _, name := range c.engine.names {
		r := c.engine.runners[name]
		mine := shares[r.schema] == c.id
		r.told(mine, rows)
		r.retired.told(mine, rows)
		if mine && slices.Contains(stale, name) {
			r.retired.kick() // what a builder that died has left
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone, c.builds = len(nodes) < 2, builds
	select {
	case <-c.known:
	default:
		close(c.known)
	}
	close(c.looked)
	c.looked = make(chan struct{})
	return nil
}

func takeRow(rows map[string]row) func([][]byte) {
	return func(v [][]byte) {
		rows[string(v[0])] = row{integer(v[1]), integer(v[2]), integer(v[3]), integer(v[4]), v[5][0] == 1}
	}
}

// divide says which node keeps each schema: those that can take turns. All
// nodes come to the same.
func divide(nodes []node) map[string]uuid.UUID {
	able := make(map[string][]uuid.UUID)
	var schemas []string
	for _, n := range nodes { // by id
		for _, s := range n.schemas {
			if able[s] == nil {
				schemas = append(schemas, s)
			}
			able[s] = append(able[s], n.id)
		}
	}
	slices.Sort(schemas)
	shares := make(map[string]uuid.UUID)
	for i, s := range schemas {
		shares[s] = able[s][i%len(able[s])]
	}
	return shares
}

// awaited says that a query waits for what another node keeps.
func (c *crew) awaited() bool {
	for _, r := range c.engine.runners {
		if r.waiting.Load() > 0 && !r.hasRole().mine {
			return true
		}
	}
	return false
}

// watch looks how far other nodes are.
func (c *crew) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rows := make(map[string]row)
	if err := send(ctx, c.conn.Conn().PgConn(), []statement{{sql: selectRows, take: takeRow(rows)}}); err != nil {
		return err
	}
	for _, r := range c.engine.runners {
		if row, ok := rows[r.schema]; ok && !r.hasRole().mine {
			r.moveTo(row.position)
		}
	}
	return nil
}

// others says that other nodes may wait to see the checkpoint move.
func (c *crew) others() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.alone
}

// building returns the progress of what some node builds.
func (c *crew) building(name string) (Progress, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.builds[name]
	return p, ok
}
