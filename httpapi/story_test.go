package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/clock"
	"zurnals/internal/credentials"
	"zurnals/internal/passkeys"
	"zurnals/internal/pgtest"
	"zurnals/internal/proof"
	"zurnals/internal/securitylog"
	"zurnals/internal/sessions"
	"zurnals/projections"
)

// A story is the whole server, with a database of its own, on Monday
// 2025-09-01 at 08:00 in Riga. It begins with
//
//	{municipality}  Parauga novads
//	{school}        Parauga vidusskola, which the roster calls org-skola
//	{year}          2025-2026 of it, {class} 6.a, {class_b} 6.b
//	{elsewhere}     a school of {elsewhere_municipality}, with {elsewhere_year} and {elsewhere_class}
//
// Names in braces stand for ids in paths, bodies and headers of steps.
type story struct {
	t        *testing.T
	pool     *pgxpool.Pool // as the application
	clock    *clock.Clock
	log      *eventstore.Postgres
	master   *eventstore.Master
	keys     *eventstore.PostgresKeys
	commands *commands.Commands
	engine   *projections.Engine
	api      *API
	handler  http.Handler
	output   *locked // what the server has logged
	seal     func()  // signs the log as it is; there is no other sealing in a story

	names  map[string]string
	tokens map[string]string // of sessions, by the name of the person
}

// newStory starts a server that keeps the given read models.
func newStory(t *testing.T, views ...projections.Any) *story {
	t.Helper()
	return newStoryOn(t, pgtest.New(t).App, nil, views...)
}

// newStoryOn tells it on a database, which may have a replica for queries.
func newStoryOn(t *testing.T, pool, replica *pgxpool.Pool, views ...projections.Any) *story {
	t.Helper()
	ctx := t.Context()
	s := &story{t: t, master: eventstore.NewMaster(), pool: pool, clock: clock.Stopped(monday), output: new(locked), names: map[string]string{}, tokens: map[string]string{}}
	var err error
	s.keys, err = eventstore.OpenKeys(ctx, pool, s.clock.Now, s.master)
	s.must(err)
	s.log, err = eventstore.Open(ctx, pool, s.clock.Now, s.keys)
	s.must(err)
	s.background(s.log.Run)
	passwords, err := credentials.NewWeak(pool, s.clock.Now)
	s.must(err)
	links, err := commands.OpenLinks(ctx, s.keys)
	s.must(err)
	s.commands = &commands.Commands{
		Log: s.log, Keys: s.keys, Catalogue: catalogue.All, Now: s.clock.Now,
		Credentials: passwords, Attempts: new(commands.MemoryAttempts), Links: links,
	}
	logger := slog.New(slog.NewJSONHandler(s.output, nil))
	s.engine, err = projections.Open(pool, projections.Decoded(s.log, s.keys, catalogue.All),
		projections.Options{Now: s.clock.Now, Logger: logger, Partial: true, Replica: replica}, views...)
	s.must(err)
	s.background(s.engine.Run)
	sealer, err := proof.Open(ctx, proof.Config{Pool: pool, Log: s.log, Keys: s.keys, Now: s.clock.Now, Logger: logger})
	s.must(err)
	s.seal = func() { s.t.Helper(); _, err := sealer.Seal(s.t.Context()); s.must(err) }
	s.api = &API{
		Proofs:   sealer,
		Commands: s.commands, Views: s.engine.DB(), Engine: s.engine, Who: s.commands, Learners: s.commands,
		Sessions: &sessions.Store{Pool: pool, Now: s.clock.Now}, Security: &securitylog.Store{Pool: pool, Now: s.clock.Now},
		Now: s.clock.Now, Log: logger, PublicURL: "https://zurnals.example", HashKey: make([]byte, 32),
	}
	s.api.Passkeys, err = passkeys.New(pool, s.clock.Now, s.api.PublicURL)
	s.must(err)
	s.handler = s.api.Handler()
	s.organise()
	return s
}

// organise makes the places that a story begins with.
func (s *story) organise() {
	ctx, operator := s.t.Context(), access.System("story")
	for _, place := range []struct{ prefix, municipality, school, source string }{
		{"", "Parauga novads", "Parauga vidusskola", "org-skola"},
		{"elsewhere_", "Citurienes novads", "Citurienes skola", "org-cita"},
	} {
		m, err := s.commands.RegisterMunicipality(ctx, operator, commands.RegisterMunicipality{Name: place.municipality})
		s.must(err)
		school, err := s.commands.RegisterSchool(ctx, operator, commands.RegisterSchool{Municipality: m, Name: place.school, Source: place.source})
		s.must(err)
		year, err := s.commands.OpenSchoolYear(ctx, operator, commands.OpenSchoolYear{School: school, From: "2025-09-01", To: "2026-08-31"})
		s.must(err)
		for name, class := range map[string]string{"class": "6.a", "class_b": "6.b"} {
			id, err := s.commands.CreateClass(ctx, operator, commands.CreateClass{School: school, Year: year, Name: class})
			s.must(err)
			s.names[place.prefix+name] = id.String()
		}
		s.names[place.prefix+"municipality"], s.names[place.prefix+"year"] = m.String(), year.String()
		s.names[place.prefix+"school"] = school.String()
	}
	s.names["elsewhere"] = s.names["elsewhere_school"]
}

// A post is a role and the place it is held at: the names of a municipality, a
// school or a class of the story, or nothing for the installation.
type post struct {
	role  access.Role
	place string
}

// hire gives somebody an account that is registered and signed in, in the given
// posts. {name} is its id, {name/role} that of the last role assignment.
func (s *story) hire(name string, posts ...post) domain.AccountID {
	s.t.Helper()
	ctx, operator := s.t.Context(), access.System("story")
	place := s.place("school")
	if len(posts) > 0 {
		place = s.place(posts[0].place).Workplace()
	}
	admitted, err := s.commands.InviteUser(ctx, operator, commands.InviteUser{
		Place: place, GivenName: strings.ToUpper(name[:1]) + name[1:], FamilyName: "Paraudziņa",
		PersonalCode: fmt.Sprintf("32%09d", len(s.tokens)), Email: name + "@skola.example",
	})
	s.must(err)
	s.names[name] = admitted.Account.String()
	for _, p := range posts {
		id, err := s.commands.GiveRole(ctx, operator, commands.GiveRole{Account: admitted.Account, Role: p.role, Place: s.place(p.place)})
		s.must(err)
		s.names[name+"/"+string(p.role)] = id.String()
	}
	s.register(name)
	return admitted.Account
}

// register has somebody who was invited follow the link, and sign in.
func (s *story) register(name string) {
	s.t.Helper()
	_, err := s.commands.ConfirmRegistration(s.t.Context(), access.Actor{Kind: domain.ActorToken},
		commands.ConfirmRegistration{Token: s.link(id[domain.AccountID](s, name)), Password: password})
	s.must(err)
	s.signIn(name)
}

// signIn gives somebody a session, without the steps to it.
func (s *story) signIn(name string) {
	s.t.Helper()
	var err error
	s.tokens[name], _, err = s.api.Sessions.Create(s.t.Context(),
		sessions.Session{Realm: sessions.Staff, Subject: id[domain.AccountID](s, name).UUID})
	s.must(err)
}

// firstSignIn has somebody sign in for the first time, with the mailed code: the
// log knows from then on that the person has.
func (s *story) firstSignIn(name string) {
	s.t.Helper()
	ctx, by := s.t.Context(), access.Actor{Kind: domain.ActorAnonymous}
	keep := func(context.Context, domain.SessionID, domain.AccountID, int) error { return nil }
	in, err := s.commands.SignIn(ctx, by, commands.SignIn{Email: name + "@skola.example", Password: password}, keep)
	s.must(err)
	_, err = s.commands.SignInWithCode(ctx, by, commands.SignInWithCode{Challenge: in.Challenge, Code: s.loginCode(in.Account)}, keep)
	s.must(err)
}

// password of everybody in a story.
const password = "pareizs zirgs baterija"

// place returns the place with a name, such as "class".
func (s *story) place(name string) access.Scope {
	s.t.Helper()
	prefix, kind := "", name
	if rest, ok := strings.CutPrefix(name, "elsewhere"); ok {
		prefix, kind = "elsewhere_", strings.TrimPrefix(rest, "_")
	}
	var scope access.Scope
	if name != "" {
		scope.Municipality = id[domain.MunicipalityID](s, prefix+"municipality")
		if kind != "municipality" {
			scope.School = id[domain.SchoolID](s, prefix+"school")
		}
		if strings.HasPrefix(kind, "class") {
			scope.Class = id[domain.ClassID](s, prefix+kind)
		}
	}
	return scope
}

// link returns the token of the newest registration link of an account.
func (s *story) link(account domain.AccountID) (token string) {
	s.t.Helper()
	for _, e := range s.history("account-" + account.String()) {
		switch e := e.(type) {
		case identity.UserInvited:
			token = s.commands.Links.Registration(account, e.Invitation)
		case identity.InvitationResent:
			token = s.commands.Links.Registration(account, e.Invitation)
		}
	}
	return token
}

// loginCode returns the code that was mailed last.
func (s *story) loginCode(account domain.AccountID) (code string) {
	s.t.Helper()
	for _, e := range s.history("account-" + account.String()) {
		if e, ok := e.(identity.LoginCodeIssued); ok {
			code = s.commands.Links.LoginCode(e.Challenge)
		}
	}
	return code
}

// history returns the events of a stream, opened.
func (s *story) history(stream string) (all []domain.Event) {
	s.t.Helper()
	stored, err := eventstore.Collect(s.log.ReadStream(s.t.Context(), stream, 1))
	s.must(err)
	s.must(s.keys.Open(s.t.Context(), stored))
	for _, e := range stored {
		event, err := catalogue.All.Decode(e.Type, e.Schema, e.Data)
		s.must(err)
		all = append(all, event)
	}
	return all
}

// advance turns the clock on.
func (s *story) advance(by time.Duration) { s.t.Helper(); s.must(s.clock.Advance(s.t.Context(), by)) }

// background runs part of the server until the story ends.
func (s *story) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			s.t.Errorf("part of the server has stopped: %v", err)
		}
	}()
	s.t.Cleanup(func() { cancel(); <-done })
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// id returns the id that a name of a story stands for.
func id[ID ~struct{ uuid.UUID }](s *story, name string) ID {
	s.t.Helper()
	id, err := domain.ParseID[ID](s.names[name])
	if err != nil {
		s.t.Fatalf("nothing in the story is called %q", name)
	}
	return id
}

// locked lets the logger of a server write where a test reads.
type locked struct {
	mu sync.Mutex
	w  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.String()
}
