package commands_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
)

// queries counts the statements that are sent to the database.
type queries struct {
	mu   sync.Mutex
	sent []string
}

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, data.SQL)
	return ctx
}
func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (q *queries) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	sent := q.sent
	q.sent = nil
	return sent
}

// rights are people with roles, in PostgreSQL.
func rights(tb testing.TB, people int) (*commands.Commands, *queries, []domain.AccountID) {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	ctx := tb.Context()
	config, err := pgxpool.ParseConfig(pgtest.New(tb).DSN(embedpg.App))
	must(err)
	seen := new(queries)
	config.ConnConfig.Tracer = seen
	pool, err := pgxpool.NewWithConfig(ctx, config)
	must(err)
	tb.Cleanup(pool.Close)
	keys, err := eventstore.OpenKeys(ctx, pool, time.Now, eventstore.NewMaster())
	must(err)
	log, err := eventstore.Open(ctx, pool, time.Now, keys)
	must(err)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	ended.Go(func() { _ = log.Run(running) })
	tb.Cleanup(func() { stop(); ended.Wait() })
	links, err := commands.OpenLinks(ctx, keys)
	must(err)
	c := &commands.Commands{Log: log, Keys: keys, Links: links, Catalogue: catalogue.All, Now: time.Now,
		Credentials: &passwords{kept: make(map[domain.CredentialID]string), owners: make(map[domain.CredentialID]string)}, Attempts: new(commands.MemoryAttempts)}
	town, err := c.RegisterMunicipality(ctx, operator, commands.RegisterMunicipality{Name: "Parauga novads"})
	must(err)
	var accounts []domain.AccountID
	for n := range people {
		admitted, err := c.InviteUser(ctx, operator, commands.InviteUser{Place: access.Scope{Municipality: town}, GivenName: "Anna", FamilyName: "Liepa",
			PersonalCode: fmt.Sprintf("33%09d", n), Email: fmt.Sprintf("p%d@novads.example", n), Roles: []commands.NewRole{{Role: access.MunicipalityAdmin}}})
		must(err)
		events, err := eventstore.Collect(log.ReadStream(ctx, "account-"+admitted.Account.String(), 1))
		must(err)
		_, invitation, found := strings.Cut(string(events[0].Data), `"invitation_id":"`)
		if !found || len(invitation) < 36 {
			tb.Fatalf("no invitation in %s", events[0].Data)
		}
		id, err := domain.ParseID[domain.InvitationID](invitation[:36])
		must(err)
		_, err = c.ConfirmRegistration(ctx, access.Actor{Kind: domain.ActorToken},
			commands.ConfirmRegistration{Token: links.Registration(admitted.Account, id), Password: password})
		must(err)
		accounts = append(accounts, admitted.Account)
	}
	return c, seen, accounts
}

// Who asks, and in which role, is one query of the log, which is answered by an
// index; what follows from it is remembered.
func TestRightsAreOneQuery(t *testing.T) {
	c, seen, accounts := rights(t, 2)
	for range 2 {
		for _, account := range accounts {
			if _, err := c.Who(t.Context(), account, 0, domain.AssignmentID{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen.take()
	by, err := c.Who(t.Context(), accounts[0], 0, domain.AssignmentID{})
	if sent := seen.take(); err != nil || by.Active.Role != access.MunicipalityAdmin || len(sent) != 1 {
		t.Errorf("%v, %+v: %d queries: %q", err, by, len(sent), sent)
	}
}

// BenchmarkRights loads the rights of somebody, as every request does. The CPU
// is that of this process.
func BenchmarkRights(b *testing.B) {
	c, _, accounts := rights(b, 50)
	n := 0
	before, ran := processorTime(b), 0
	for b.Loop() {
		if _, err := c.Who(b.Context(), accounts[n%len(accounts)], 0, domain.AssignmentID{}); err != nil {
			b.Fatal(err)
		}
		n++
		ran++
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(ran), "cpu-µs/op")
}

func processorTime(tb testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
