package reactions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"zurnals/eventstore"
)

// A handler does the windows of one reaction.
type handler struct {
	e    *Engine
	r    Reaction
	pool *pgxpool.Pool
	jobs *river.Client[pgx.Tx]
}

var errNotOurs = errors.New("the offset is no longer where the window starts")

// window does one window in one transaction. It is cut loose from the context
// of the message: when the router closes, watermill cancels that at once, but a
// window in hand should still commit (Router.Close waits for it). The
// transaction that watermill puts into that context is never used: it is
// committed after a nack and after half the work.
func (h handler) window(m *message.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.Context()), h.e.c.Timeout)
	defer cancel()
	from, to, epoch := num(m, "from"), num(m, "to"), num(m, "epoch")
	err := pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE reaction.offset SET position = $2, moved_at = $5 WHERE name = $1 AND position = $3 AND epoch = $4`,
			h.r.Name, to, from, epoch, h.e.c.Now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errNotOurs
		}
		if num(m, "hits") == 0 {
			return nil
		}
		rows, err := tx.Query(ctx, selectEvents+` WHERE position > $1 AND position <= $2 AND type = ANY($3) ORDER BY position`, from, to, h.r.Types)
		if err != nil {
			return err
		}
		events, err := pgx.CollectRows(rows, scanEvent)
		if err != nil {
			return err
		}
		return h.e.react(ctx, tx, h.jobs, h.r, events)
	})
	if errors.Is(err, errNotOurs) { // done already, or reset by an operator: acknowledge and look again
		return nil
	}
	return err // nack: the same window comes again, and the fence sorts out what really happened
}

// react inserts the jobs that follow from events, and parks the events from
// which none ever can.
func (e *Engine) react(ctx context.Context, tx pgx.Tx, jobs *river.Client[pgx.Tx], r Reaction, events []eventstore.Event) error {
	var todo []river.InsertManyParams
	for _, event := range events {
		follow, never := r.React(event)
		if never == nil {
			todo = append(todo, follow...)
			continue
		}
		e.c.Logger.Warn("event parked", "reaction", r.Name, "position", event.Position, "reason", never)
		if _, err := tx.Exec(ctx, `
			INSERT INTO reaction.parked (name, position, reason, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name, position) DO UPDATE SET reason = excluded.reason, at = excluded.at`,
			r.Name, event.Position, never.Error(), e.c.Now()); err != nil {
			return err
		}
	}
	return e.insert(ctx, tx, jobs, todo)
}

const selectEvents = `SELECT position, id, stream, version, type, schema, recorded_at, meta, data FROM es.event`

func scanEvent(row pgx.CollectableRow) (e eventstore.Event, err error) {
	err = row.Scan(&e.Position, &e.ID, &e.Stream, &e.Version, &e.Type, &e.Schema, &e.RecordedAt, &e.Meta, &e.Data)
	return e, err
}

func num(m *message.Message, key string) int64 {
	n, _ := strconv.ParseInt(m.Metadata.Get(key), 10, 64) // written by UnmarshalMessage
	return n
}

// windows is the SchemaAdapter: es.event as a topic of windows.
type windows struct {
	types       []string
	batch, scan int
}

// One statement, so one snapshot, for head, offset and events. The lock is tried
// last and on the one offset row. Never FOR UPDATE here: the handler's own
// transaction would wait for watermill's until the AckDeadline.
const selectWindow = `
WITH mine AS MATERIALIZED (SELECT name, position, epoch FROM reaction.offset WHERE name = $1),
 span AS MATERIALIZED (
  SELECT mine.position, mine.epoch, least(head.position, mine.position + $3) AS upto FROM mine JOIN es.head ON head.position > mine.position
  WHERE pg_try_advisory_xact_lock(hashtextextended('reaction ' || mine.name, 0))),
 hit AS MATERIALIZED (
  SELECT position FROM es.event
  WHERE position > (SELECT position FROM span) AND position <= (SELECT upto FROM span) AND type = ANY($2)
  ORDER BY position LIMIT $4)
SELECT span.position, CASE WHEN n.hits < $4 THEN span.upto ELSE n.last END, span.epoch, n.hits
FROM span, (SELECT count(*) AS hits, max(position) AS last FROM hit) n`

func (w windows) SelectQuery(_, group string, _ wsql.OffsetsAdapter) wsql.Query {
	return wsql.Query{Query: selectWindow, Args: []any{group, w.types, w.scan, w.batch}}
}

func (windows) UnmarshalMessage(row wsql.Scanner) (wsql.Row, error) {
	var from, to, epoch, hits int64
	if err := row.Scan(&from, &to, &epoch, &hits); err != nil {
		return wsql.Row{}, err
	}
	m := message.NewMessage(fmt.Sprintf("%d-%d", from, to), nil)
	for k, v := range map[string]int64{"from": from, "to": to, "epoch": epoch, "hits": hits} {
		m.Metadata.Set(k, strconv.FormatInt(v, 10)) // metadata knows strings only
	}
	return wsql.Row{Offset: to, Msg: m}, nil // never 0, which watermill takes for "no message"
}

func (windows) InsertQuery(string, message.Messages) (wsql.Query, error) {
	return wsql.Query{}, errors.New("events are appended by package eventstore only")
}
func (windows) SchemaInitializingQueries(string) []wsql.Query { return nil }
func (windows) SubscribeIsolationLevel() sql.IsolationLevel   { return sql.LevelReadCommitted } // never REPEATABLE READ

// handlerMoves is the OffsetsAdapter: watermill itself never moves an offset.
type handlerMoves struct{}

func (handlerMoves) AckMessageQuery(string, wsql.Row, string) wsql.Query {
	return wsql.Query{Query: `SELECT 1`}
}
func (handlerMoves) ConsumedMessageQuery(string, wsql.Row, string, []byte) wsql.Query {
	return wsql.Query{}
}
func (handlerMoves) NextOffsetQuery(string, string) wsql.Query            { return wsql.Query{} }
func (handlerMoves) SchemaInitializingQueries(string) []wsql.Query        { return nil }
func (handlerMoves) BeforeSubscribingQueries(string, string) []wsql.Query { return nil }

// A waker is the BackoffManager. Watermill calls it in the consuming goroutine
// between two queries, so it may wait here until the log has moved on.
type waker struct {
	done <-chan struct{}
	log  eventstore.Log
	poll time.Duration
	seen int64 // head before the last query
}

// HandleError waits; 0 then means "query now".
func (w *waker) HandleError(l watermill.LoggerAdapter, nothing bool, err error) time.Duration {
	head, moved := w.log.Changes()
	switch {
	case err != nil:
		l.Error("reading the next window failed", err, nil)
		moved = nil // an append must not turn an outage into a busy loop
	case !nothing || head > w.seen: // there may be more, or there has been since the query
		w.seen = head
		return 0
	}
	t := time.NewTimer(w.poll)
	defer t.Stop()
	select {
	case <-moved:
	case <-t.C:
	case <-w.done:
	}
	w.seen, _ = w.log.Changes()
	return 0
}
