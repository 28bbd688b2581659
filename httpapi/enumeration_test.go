package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/trace"
)

// statements are those that requests have sent to the database, in order. What
// the server does beside them is not among them, but for appends, which one
// goroutine sends for all.
type statements struct {
	mu  sync.Mutex
	all []string
}

type tracedKey struct{}

var spaces = regexp.MustCompile(`\s+`)

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	appends := strings.Contains(q.SQL, "es.append")
	if ctx.Value(tracedKey{}) == nil && !appends {
		return ctx
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case appends:
		s.all = append(s.all, "append") // with one event or without: either way one call and one commit
	case strings.Contains(q.SQL, "es.subject_key"), strings.Contains(q.SQL, "es.ensure_keys"):
		s.all = append(s.all, "read a key")
	default:
		s.all = append(s.all, spaces.ReplaceAllString(q.SQL, " "))
	}
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// Nobody learns from the work of the database whether an address belongs to
// somebody: it is asked the same, in the same order.
func TestMissingAccountsAskTheDatabaseTheSame(t *testing.T) {
	trace.Covers(t, "C28")
	seen := new(statements)
	cfg, err := pgxpool.ParseConfig(pgtest.New(t).DSN(embedpg.App))
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer, cfg.MaxConns = seen, 8
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := staffed(newStoryOn(t, pool, nil))
	s.firstSignIn("teacher")
	s.tell(step{as: "admin", ask: "POST /schools/{school}/users", body: laura, status: 201, events: lauraSaid, keep: "laura"})
	inner := s.handler
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tracedKey{}, true)))
	})
	forget := func() { // as the server does after ten seconds
		keys, err := eventstore.OpenKeys(t.Context(), pool, s.clock.Now, s.master)
		s.must(err)
		_, err = keys.Derive(t.Context(), "links") // which it keeps
		s.must(err)
		s.commands.Keys = keys
	}
	work := func(st step) (asked []string) {
		t.Helper()
		seen.take()
		a := s.send(st, 0)
		if asked = seen.take(); a.Code != st.status {
			t.Errorf("%s %s: %d %s", st.ask, st.body, a.Code, a.Body)
		}
		return asked
	}
	for _, c := range []struct {
		name string
		step step
	}{
		{"sign-in", step{ask: "POST /sessions", body: `{"email":"%","password":"nezinama parole"}`, status: 401}},
		{"forgotten password", step{ask: "POST /password-resets", body: `{"email":"%"}`, status: 202}},
		{"new address", step{as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"%"}`, status: 202}},
	} {
		ask := func(email string) []string {
			st := c.step
			st.body = strings.Replace(st.body, "%", email, 1)
			if c.name == "new address" { // a change each, on another day; the own account has been read
				s.advance(24*time.Hour + time.Second)
				s.signIn("teacher")
				s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
				s.mailedLinks("teacher")
				s.tell(step{as: "teacher", ask: "GET /me/email-change/{first}/address", status: 204})
			}
			return work(st)
		}
		forget()
		want, again := ask("admin@skola.example"), ask("admin@skola.example")
		if len(want) < 3 {
			t.Errorf("%s: only %q was seen", c.name, want)
		}
		same := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n%s\nwant\n%s", c.name, what, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		forget()
		for _, email := range []string{"nobody@skola.example", "somebody@skola.example", "laura@skola.example"} {
			same(email, ask(email), want)
			same(email+" again", ask(email), again)
		}
	}
}
