package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats-server/v2/server"

	"zurnals/domain"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
	"zurnals/internal/relay"
	"zurnals/projections"
)

// nodeEnv tells a process of these tests that it is a node of a cluster.
const nodeEnv = "ZURNALS_TEST_NATS_NODE"

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeEnv); text != "" {
		if err := serveNode(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A node is one nats-server of a cluster, in a process of its own, so that it
// can be killed as by a power cut.
type node struct {
	Name    string
	Port    int
	Cluster int // port of; 0: alone
	Routes  string
	Dir     string

	process *processtest.Process
}

// serveNode runs a node until it is killed.
func serveNode(text string) error {
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, JetStream: true, StoreDir: n.Dir,
		NoLog: true, NoSigs: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
	}
	if n.Cluster > 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: n.Cluster}
		o.Routes = server.RoutesFromStr(n.Routes)
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(processtest.Patience) {
		return fmt.Errorf("%s is not ready", n.Name)
	}
	fmt.Println("ready")
	select {}
}

func (n *node) start(t testing.TB) {
	t.Helper()
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	n.process = processtest.Start(t, nodeEnv+"="+string(text))
	n.process.Says("ready")
}

// cluster starts so many nodes, and returns them and the URL of all.
func cluster(t testing.TB, size int) (nodes []*node, url string) {
	t.Helper()
	base, err := pgtest.TempDir("zurnals-nats-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	var urls, routes []string
	for i := range size {
		n := &node{Name: "n" + strconv.Itoa(i), Port: freePort(t), Dir: base + "/" + strconv.Itoa(i)}
		if size > 1 {
			n.Cluster = freePort(t)
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", n.Cluster))
		}
		nodes = append(nodes, n)
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", n.Port))
	}
	for _, n := range nodes {
		n.Routes = strings.Join(routes, ",")
		n.start(t)
	}
	return nodes, strings.Join(urls, ",")
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A world is a log on a database of its own, on Monday 1 September 2025.
type world struct {
	t      testing.TB
	db     *pgtest.DB
	master *eventstore.Master
	keys   *eventstore.PostgresKeys
	log    *eventstore.Postgres
}

func now() time.Time { return time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC) }

func newWorld(t testing.TB) *world {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	master, err := eventstore.LoadMaster(base64.StdEncoding.EncodeToString(key), "")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: pgtest.New(t), master: master}
	if w.keys, err = eventstore.OpenKeys(t.Context(), w.db.App, now, master); err != nil {
		t.Fatal(err)
	}
	if w.log, err = eventstore.Open(t.Context(), w.db.App, now, w.keys); err != nil {
		t.Fatal(err)
	}
	background(t, w.log.Run)
	return w
}

// background runs something until the end of the test.
func background(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// live appends n municipalities and as many people who are invited: half of the
// events have sealed fields.
func (w *world) live(ctx context.Context, n int) error {
	for ; n > 0; n -= 100 {
		if err := w.some(ctx, min(n, 100)); err != nil {
			return err
		}
	}
	return nil
}

// some does so in one append.
func (w *world) some(ctx context.Context, n int) error {
	var r eventstore.Request
	for range n {
		r.Subjects = append(r.Subjects, uuid.New())
	}
	sealer, err := w.keys.EnsureKeys(ctx, r.Subjects...)
	if err != nil {
		return err
	}
	for _, subject := range r.Subjects {
		m, account := domain.NewID[domain.MunicipalityID](), domain.AccountID{UUID: subject}
		for stream, e := range map[string]domain.Event{
			organisation.Municipalities.Stream(m): organisation.MunicipalityRegistered{Municipality: m, Name: "Rīga \r\n " + m.String()[30:]},
			identity.Accounts.Stream(account): identity.UserInvited{
				Account: account, Invitation: domain.NewID[domain.InvitationID](), Municipality: m,
				GivenName: "Laura", FamilyName: "Ozola", PersonalCode: "01018012345", Email: account.String() + "@example.lv", LinkExpiresAt: now().Add(time.Hour),
			},
		} {
			id := uuid.Must(uuid.NewV7())
			version, data, err := catalogue.All.Encode(e, id, func(event uuid.UUID, subject domain.SubjectID, tag, plain string) string {
				sealed, err := sealer.Seal(event, uuid.UUID(subject), tag, plain)
				if err != nil {
					w.t.Error(err)
				}
				return sealed
			})
			if err != nil {
				return err
			}
			r.Writes = append(r.Writes, eventstore.Write{Stream: stream, Expected: eventstore.NoStream,
				Events: []eventstore.NewEvent{{ID: id, Type: e.EventType(), Schema: version, Meta: []byte(`{"actor":"system"}`), Data: data}}})
		}
	}
	_, err = w.log.Append(ctx, r)
	return err
}

// readModels keeps read models in a database from some source.
func readModels(t testing.TB, pool *pgxpool.Pool, source projections.Source, keys projections.Opener, all ...projections.Any) *projections.Engine {
	t.Helper()
	e, err := projections.Open(pool, projections.Decoded(source, keys, catalogue.All),
		projections.Options{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Partial: true}, all...)
	if err != nil {
		t.Fatal(err)
	}
	background(t, e.Run)
	return e
}

// rows returns all rows of the read models in a database, as text.
func rows(t testing.TB, pool *pgxpool.Pool, tables ...string) (all []string) {
	t.Helper()
	for _, table := range tables {
		found, err := pool.Query(t.Context(), fmt.Sprintf(`SELECT '%[1]s ' || x::text FROM %[1]s x`, table))
		if err != nil {
			t.Fatal(err)
		}
		some, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	return all
}

// readOnly is the connection over which another node reads the keys.
func (w *world) readOnly() *pgxpool.Pool {
	w.t.Helper()
	c, err := pgxpool.ParseConfig(w.db.DSN(embedpg.App))
	if err != nil {
		w.t.Fatal(err)
	}
	c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := pgxpool.NewWithConfig(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(pool.Close)
	return pool
}

// relayed starts a relay of the log.
func (w *world) relayed(url string) *relay.Relay {
	w.t.Helper()
	r, _ := w.stoppable(url)
	return r
}

// stoppable starts one that can be stopped.
func (w *world) stoppable(url string) (r *relay.Relay, stop func()) {
	w.t.Helper()
	r, err := relay.Open(relay.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}, w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r, background(w.t, r.Run)
}

// follow reads the stream.
func follow(t testing.TB, url string) *relay.Stream {
	t.Helper()
	s, err := relay.Follow(t.Context(), relay.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	background(t, s.Run)
	return s
}

// until waits for something that takes no time, or as long as an election.
func until(t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(40 * time.Second)
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// other returns a database without a log of its own.
func other(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pgtest.New(t).App
}

// schemaOf returns where the tables of a read model are.
func schemaOf(t testing.TB, pool *pgxpool.Pool, name string) (schema string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT schema FROM projection.checkpoint WHERE schema LIKE 'rm_' || $1 || '_v%' AND retired_at IS NULL`, name).Scan(&schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// same fails the test unless both are the same events, byte by byte.
func same(t testing.TB, want, got []eventstore.Event) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if w.Position != g.Position || w.ID != g.ID || w.Stream != g.Stream || w.Version != g.Version || w.Type != g.Type || w.Schema != g.Schema ||
			!w.RecordedAt.Equal(g.RecordedAt) || !bytes.Equal(w.Meta, g.Meta) || !bytes.Equal(w.Data, g.Data) {
			t.Fatalf("got %+v, want %+v", g, w)
		}
	}
}
