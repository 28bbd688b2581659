package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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
	if appends {
		s.all = append(s.all, "append") // with one event or without: either way one call and one commit
	} else {
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
		name   string
		step   step
		before func()
	}{
		{"sign-in", step{ask: "POST /sessions", body: `{"email":"%","password":"nezinama parole"}`, status: 401}, nil},
		{"forgotten password", step{ask: "POST /password-resets", body: `{"email":"%"}`, status: 202}, nil},
		{"new address", step{as: "teacher", ask: "POST /me/email-change/{first}/address", body: `{"email":"%"}`, status: 202}, func() {
			s.tell(step{as: "teacher", ask: "POST /me/email-change", status: 202, events: "identity.email_change_started"})
			s.mailedLinks("teacher")
		}},
	} {
		if c.before != nil {
			c.before()
		}
		ask := func(email string) []string {
			st := c.step
			st.body = strings.Replace(st.body, "%", email, 1)
			return work(st)
		}
		ask("nobody0@skola.example") // what is asked once and kept
		want := ask("admin@skola.example")
		if len(want) < 3 {
			t.Errorf("%s: only %q was seen", c.name, want)
		}
		for _, email := range []string{"nobody@skola.example", "laura@skola.example"} {
			if got := ask(email); !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n%s\nwant\n%s", c.name, email, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}
