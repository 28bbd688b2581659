package reactions_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/internal/mail"
	"zurnals/internal/mail/mailtest"
	"zurnals/internal/processtest"
	"zurnals/internal/reactions"
	"zurnals/internal/trace"
)

// What a test tells the process that it starts.
const (
	childEnv  = "ZURNALS_TEST_REACTIONS_DATABASE"
	masterEnv = "ZURNALS_TEST_REACTIONS_MASTER"
	smtpEnv   = "ZURNALS_TEST_REACTIONS_SMTP"
)

// child is a server that only reacts, until it is killed.
func child() error {
	ctx := context.Background()
	now := func() time.Time { return monday }
	pool, err := pgxpool.New(ctx, os.Getenv(childEnv))
	if err != nil {
		return err
	}
	master, err := eventstore.LoadMaster(os.Getenv(masterEnv), "")
	if err != nil {
		return err
	}
	keys, err := eventstore.OpenKeys(ctx, pool, now, master)
	if err != nil {
		return err
	}
	log, err := eventstore.Open(ctx, pool, now, keys)
	if err != nil {
		return err
	}
	go log.Run(ctx)
	links, err := commands.OpenLinks(ctx, keys)
	if err != nil {
		return err
	}
	sender, err := mail.NewSMTP(os.Getenv(smtpEnv), "zurnals@example.lv")
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &reactions.Mailer{
		Pool: pool, Log: log, Keys: keys, Catalogue: catalogue.All, Links: links, Sender: sender,
		PublicURL: "https://zurnals.example.lv", Now: now,
	})
	engine, err := reactions.Open(ctx, reactions.Config{
		Pool: pool, Log: log, Now: now, Reactions: []reactions.Reaction{reactions.Mail}, Workers: workers,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return engine.Run(ctx)
}

// startChild starts a process that runs child.
func (p *post) startChild(office *mailtest.PostOffice) *processtest.Process {
	p.t.Helper()
	server := processtest.Start(p.t, childEnv+"="+p.db.DSN(embedpg.App), masterEnv+"="+p.master, smtpEnv+"=smtp://"+office.Addr+"?tls=off")
	server.Says("ready")
	return server
}

// inviteSome invites new people, and returns the ids of the events.
func (p *post) inviteSome(n int) (events []uuid.UUID) {
	p.t.Helper()
	for range n {
		account := domain.NewID[domain.AccountID]()
		events = append(events, p.append(identity.Accounts.Stream(account), identity.UserInvited{
			Account: account, Invitation: domain.NewID[domain.InvitationID](), Municipality: municipality, School: school,
			GivenName: "Laura", FamilyName: "Ozola", PersonalCode: "01018012345", Email: account.String() + "@example.lv",
			LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
		})[0].ID)
	}
	return events
}

// await waits until there are so many letters.
func (p *post) await(office *mailtest.PostOffice, letters int) {
	p.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx := p.patiently(); office.Taken() < letters; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("only %d letters, want %d", office.Taken(), letters)
		}
	}
}

// Two servers share the work. Twenty times one of them is killed while letters
// are being sent, and replaced.
func TestTwentyKillsLoseNoLetter(t *testing.T) {
	trace.Covers(t, "EMU-085")
	p := newPost(t)
	office := p.office()
	servers := []*processtest.Process{p.startChild(office), p.startChild(office)}
	const kills, each = 20, 15
	var events []uuid.UUID
	var pauses []time.Duration
	for range kills {
		before := office.Taken()
		events = append(events, p.inviteSome(each)...)
		p.await(office, before+1+rand.IntN(each/2))
		servers[0].Kill()
		killed, then := time.Now(), office.Taken()
		if then < before+each { // the other one goes on
			p.await(office, then+1)
			pauses = append(pauses, time.Since(killed))
		}
		servers = []*processtest.Process{servers[1], p.startChild(office)}
	}
	missing := make(map[string]bool)
	for _, e := range events {
		missing[e.String()] = true
	}
	id := regexp.MustCompile(`(?mi)^Message-ID: <([^.>]+)`)
	counts := make(map[string]int)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx, seen := p.patiently(), 0; len(missing) > 0; {
		letters := office.Letters()
		for _, l := range letters[seen:] {
			m := id.FindStringSubmatch(l.Text)
			if m == nil {
				t.Fatalf("a letter has no Message-ID:\n%s", l.Text)
			}
			counts[m[1]]++
			delete(missing, m[1])
		}
		seen = len(letters)
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d letters are lost", len(missing))
		}
	}
	for _, server := range servers {
		server.Kill()
	}
	repeats := 0
	for _, n := range counts {
		repeats += n - 1
	}
	// A kill can repeat the letters that were under way: eight jobs at once.
	if len(counts) != len(events) || repeats > kills*8 {
		t.Errorf("%d letters of %d events, %d repeats", len(counts), len(events), repeats)
	}
	// Half of them: a machine that does much else may stop everybody for a while.
	slices.Sort(pauses)
	if len(pauses) == 0 {
		t.Fatal("no kill came while letters were being sent")
	}
	if pauses[(len(pauses)-1)/2] > time.Second {
		t.Errorf("after kills nothing was sent for %v", pauses)
	}
	t.Logf("%d letters, %d kills: %d repeats, pauses of %v, at most %v", len(events), kills, repeats,
		pauses[len(pauses)/2].Round(time.Millisecond), pauses[len(pauses)-1].Round(time.Millisecond))
}
