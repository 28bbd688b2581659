package eventstore

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is the log in PostgreSQL (schema es). Many processes may use one
// database at once.
type Postgres struct {
	pool     *pgxpool.Pool
	clock    func() time.Time
	keys     *PostgresKeys
	claimKey []byte
	head     *watermark // of the log
	appended *watermark // what this process appended of it
	recent   *ring
	queue    chan *pending

	stop     context.CancelFunc // ends Run
	stopping context.Context
	stopped  chan struct{} // closed when nothing will be appended any more
	once     sync.Once
}

var _ Log = (*Postgres)(nil)

// queued is how many appends may wait; more have to wait to be let in.
const queued = 4_096

// Open opens the log of a migrated database. The pool is for zurnals_app. The
// clock is the one clock of the program: recorded_at and the age of commands
// come from it. Appends wait until Run is started.
func Open(ctx context.Context, pool *pgxpool.Pool, clock func() time.Time, keys *PostgresKeys) (*Postgres, error) {
	claimKey, err := keys.Derive(ctx, "claims")
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	p := &Postgres{
		pool: pool, clock: clock, keys: keys, claimKey: claimKey,
		head: newWatermark(0), appended: newWatermark(0), recent: new(ring),
		queue: make(chan *pending, queued), stopped: make(chan struct{}),
	}
	p.stopping, p.stop = context.WithCancel(context.Background())
	if _, err := p.Head(ctx); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return p, nil
}

// Run does the work: it appends and tells other processes of it, hears of what
// they append, and keeps partitions ready. It ends when ctx ends or Close is called, after the
// appends that wait are done. It outlives losses of the database. Call it once.
func (p *Postgres) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.stopping, cancel)()
	var helpers sync.WaitGroup
	helpers.Go(func() { p.listen(ctx) })
	helpers.Go(func() { p.upkeep(ctx) })
	announcing, end := context.WithCancel(context.WithoutCancel(ctx)) // until after the last append
	defer end()
	helpers.Go(func() { p.announce(announcing) })
	l := lane{log: p}
	l.run(ctx)
	p.finish()
	end()
	helpers.Wait()
	return nil
}

// Close ends Run. Appends after it are ErrUnavailable.
func (p *Postgres) Close() { p.stop() }

// Waiting tells how many appends wait to be sent.
func (p *Postgres) Waiting() int { return len(p.queue) }

func (p *Postgres) finish() { p.once.Do(func() { close(p.stopped) }) }

// Append implements Log. The appends of one goroutine are served in its order.
func (p *Postgres) Append(ctx context.Context, r Request) (Result, error) {
	if err := r.Check(); err != nil {
		return Result{}, fmt.Errorf("append: %w", err)
	}
	if err := checkSeals(ctx, p.keys, &r); err != nil {
		return Result{}, fmt.Errorf("append: %w", err)
	}
	own := r.Command == uuid.Nil // nobody else knows the id: finding it means it was us
	if own {
		id, err := uuid.NewV7()
		if err != nil {
			return Result{}, fmt.Errorf("append: %w", err)
		}
		r.Command = id
	}
	a := p.newPending(ctx, &r)
	select {
	case p.queue <- a:
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	case <-p.stopped:
		return Result{}, fmt.Errorf("append: %w: closed", ErrUnavailable)
	}
	return p.answer(a, own)
}

// answer waits for what became of an append.
func (p *Postgres) answer(a *pending, own bool) (Result, error) {
	var v verdict
	select {
	case v = <-a.done:
	case <-a.ctx.Done():
		return Result{}, context.Cause(a.ctx)
	case <-p.stopped:
		select {
		case v = <-a.done:
		default:
			return Result{}, fmt.Errorf("append: %w: closed", ErrUnavailable)
		}
	}
	if len(a.req.Erase) > 0 {
		p.keys.forget(a.req.Erase)
	}
	if v.known {
		return p.again(a.ctx, a.req, own)
	}
	return v.result, v.err
}

// again answers a command that the log knows already.
func (p *Postgres) again(ctx context.Context, r *Request, own bool) (Result, error) {
	result, fingerprint, found, err := p.Command(ctx, r.Command)
	if err != nil || !found {
		return Result{}, fmt.Errorf("append: %w: it was appended before, but the answer cannot be read: %w", ErrUnavailable, err)
	}
	if !own && !bytes.Equal(fingerprint, r.Fingerprint) {
		return Result{}, ErrCommandReused
	}
	p.head.raise(result.Last)
	result.Duplicate = !own
	return result, nil
}

func (p *Postgres) claimHash(kind, value string) []byte {
	h := hmac.New(sha256.New, p.claimKey)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(value))
	return h.Sum(nil)
}

// page reads events into memory, so that no connection is held while the
// caller works on them.
func (p *Postgres) page(ctx context.Context, about int64, query string, args ...any) ([]Event, error) {
	rows, err := p.pool.Query(ctx, query, append([]any{binaryForm}, args...)...)
	if err != nil {
		return nil, unavailable(err)
	}
	events, err := readEvents(rows, about)
	return events, unavailable(err)
}

// pager adapts the rows of the next page to the size of those before.
type pager struct{ rows int64 }

func (g *pager) size() int64 {
	if g.rows == 0 {
		g.rows = 500
	}
	return g.rows
}

func (g *pager) saw(events []Event) {
	size := 1
	for i := range events {
		size += len(events[i].Meta) + len(events[i].Data)
	}
	const enough = 2 << 20 // bytes in memory at once
	g.rows = min(max(int64(len(events))*enough/int64(size), 10), 5_000, 4*g.rows)
}

// ReadStream implements Log.
func (p *Postgres) ReadStream(ctx context.Context, stream string, from int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var pages pager
		for from := max(from, 1); ; {
			limit := pages.size()
			// The bounds of position let the planner leave out partitions.
			events, err := p.page(ctx, limit, `SELECT `+columns+` FROM es.event e
				WHERE e.stream = $1 AND e.version >= $2
				  AND e.position >= (SELECT s.first_position FROM es.stream s WHERE s.stream = $1)
				  AND e.position <= (SELECT s.last_position FROM es.stream s WHERE s.stream = $1)
				ORDER BY e.version LIMIT $3`, stream, from, limit)
			if err != nil {
				yield(Event{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			for _, e := range events {
				if e.Version != from {
					yield(Event{}, fmt.Errorf("read %s: %w: version %d is missing", stream, ErrGap, from))
					return
				}
				from++
				if !yield(e, nil) {
					return
				}
			}
			if int64(len(events)) < limit {
				return
			}
			pages.saw(events)
		}
	}
}

// ReadStreams implements Log.
func (p *Postgres) ReadStreams(ctx context.Context, streams ...string) (map[string][]Event, error) {
	events, err := p.page(ctx, int64(4*len(streams)), `SELECT `+columns+` FROM es.stream s
		CROSS JOIN LATERAL (SELECT * FROM es.event x WHERE x.stream = s.stream AND x.position BETWEEN s.first_position AND s.last_position) e
		WHERE s.stream = ANY ($1) ORDER BY e.stream, e.version`, streams)
	if err != nil {
		return nil, fmt.Errorf("read %d streams: %w", len(streams), err)
	}
	all := make(map[string][]Event, len(streams))
	for _, e := range events {
		all[e.Stream] = append(all[e.Stream], e)
	}
	return all, nil
}

// ReadAll implements Log.
func (p *Postgres) ReadAll(ctx context.Context, after, upto int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		after, upto := max(after, 0), upto
		if known, _ := p.head.changes(); upto <= 0 || upto > known {
			head, err := p.Head(ctx)
			if err != nil {
				yield(Event{}, fmt.Errorf("read log: %w", err))
				return
			}
			if upto <= 0 || upto > head {
				upto = head
			}
		}
		var pages pager
		for after < upto {
			events := p.recent.read(after, upto)
			if events == nil {
				var err error
				last := min(upto, after+pages.size())
				events, err = p.page(ctx, last-after, `SELECT `+columns+` FROM es.event e WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position`, after, last)
				if err == nil && int64(len(events)) != last-after {
					err = fmt.Errorf("%w: %d events from %d to %d", ErrGap, len(events), after+1, last)
				}
				if err != nil {
					yield(Event{}, fmt.Errorf("read log: %w", err))
					return
				}
				pages.saw(events)
			}
			for _, e := range events {
				after++
				if e.Position != after {
					yield(Event{}, fmt.Errorf("read log: %w: %d instead of %d", ErrGap, e.Position, after))
					return
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Versions implements Log.
func (p *Postgres) Versions(ctx context.Context, streams ...string) ([]int, error) {
	rows, err := p.pool.Query(ctx, `SELECT coalesce(s.version, 0) FROM unnest($1::text[]) WITH ORDINALITY w(stream, n)
		LEFT JOIN es.stream s ON s.stream = w.stream ORDER BY w.n`, streams)
	if err != nil {
		return nil, fmt.Errorf("versions: %w", unavailable(err))
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, fmt.Errorf("versions: %w", unavailable(err))
	}
	return versions, nil
}

// Head implements Log.
func (p *Postgres) Head(ctx context.Context) (position int64, err error) {
	if err := p.pool.QueryRow(ctx, `SELECT position FROM es.head`).Scan(&position); err != nil {
		return 0, fmt.Errorf("head: %w", unavailable(err))
	}
	p.head.raise(position)
	return position, nil
}

// PositionAt implements Log.
func (p *Postgres) PositionAt(ctx context.Context, t time.Time) (position int64, err error) {
	if err := p.pool.QueryRow(ctx, `SELECT es.position_at($1)`, t).Scan(&position); err != nil {
		return 0, fmt.Errorf("position at %s: %w", t, unavailable(err))
	}
	return position, nil
}

// Holder implements Log.
func (p *Postgres) Holder(ctx context.Context, kind, value string) (stream string, found bool, err error) {
	err = p.pool.QueryRow(ctx, `SELECT stream FROM es.claim WHERE kind = $1 AND hash = $2`, kind, p.claimHash(kind, value)).Scan(&stream)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("holder of %s: %w", kind, unavailable(err))
	}
	return stream, true, nil
}

// Holders implements Log.
func (p *Postgres) Holders(ctx context.Context, kind string, values []string) (map[string]string, error) {
	hashes := make([][]byte, len(values))
	for i, v := range values {
		hashes[i] = p.claimHash(kind, v)
	}
	rows, err := p.pool.Query(ctx, `SELECT v.n, k.stream FROM unnest($2::bytea[]) WITH ORDINALITY v(hash, n)
		JOIN es.claim k ON k.kind = $1 AND k.hash = v.hash`, kind, hashes)
	if err != nil {
		return nil, fmt.Errorf("holders of %s: %w", kind, unavailable(err))
	}
	holders := make(map[string]string)
	var n int
	var stream string
	if _, err := pgx.ForEachRow(rows, []any{&n, &stream}, func() error {
		holders[values[n-1]] = stream
		return nil
	}); err != nil {
		return nil, fmt.Errorf("holders of %s: %w", kind, unavailable(err))
	}
	return holders, nil
}

// Command implements Log.
func (p *Postgres) Command(ctx context.Context, id uuid.UUID) (r Result, fingerprint []byte, found bool, err error) {
	err = p.pool.QueryRow(ctx, `SELECT c.first_position, c.last_position, c.fingerprint,
		ARRAY(SELECT max(e.version) FROM es.event e WHERE e.position BETWEEN c.first_position AND c.last_position GROUP BY e.stream ORDER BY min(e.position))
		FROM es.command c WHERE c.id = $1 AND c.at > greatest($2, (SELECT recorded_at FROM es.head)) - interval '7 days'`,
		[16]byte(id), p.clock()).Scan(&r.First, &r.Last, &fingerprint, &r.Versions)
	if errors.Is(err, pgx.ErrNoRows) {
		return Result{}, nil, false, nil
	}
	if err != nil {
		return Result{}, nil, false, fmt.Errorf("command %s: %w", id, unavailable(err))
	}
	return r, fingerprint, true, nil
}

// Wait implements Log.
func (p *Postgres) Wait(ctx context.Context, position int64) error {
	return p.head.wait(ctx, position)
}

// Changes implements Log.
func (p *Postgres) Changes() (int64, <-chan struct{}) { return p.head.changes() }
