package commands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/eventstore"
)

const password = "trīs zaļi vārdi"

// A staffWorld is an installation with a municipality, two schools and a class,
// on Monday 2025-09-01 at 8:00 in Riga.
type staffWorld struct {
	*commands.Commands
	t            *testing.T
	log          *eventstore.Memory
	passwords    *passwords
	mu           sync.Mutex
	now          time.Time
	people       int
	municipality domain.MunicipalityID
	school       domain.SchoolID
	other        domain.SchoolID
	year         domain.SchoolYearID
	class        domain.ClassID
}

var operator = access.System("test")

func newStaffWorld(t *testing.T) *staffWorld {
	t.Helper()
	w := &staffWorld{t: t, now: time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC), passwords: newPasswords()}
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	keys := eventstore.NewMemoryKeys()
	w.log = eventstore.NewMemory(clock, keys)
	links, err := commands.OpenLinks(t.Context(), keys)
	w.must(err)
	w.Commands = &commands.Commands{
		Log: w.log, Keys: keys, Catalogue: catalogue.All, Now: clock,
		Credentials: w.passwords, Attempts: new(commands.MemoryAttempts), Links: links,
	}
	w.municipality, err = w.RegisterMunicipality(t.Context(), operator, commands.RegisterMunicipality{Name: "Parauga novads"})
	w.must(err)
	w.school, err = w.RegisterSchool(t.Context(), operator, commands.RegisterSchool{Municipality: w.municipality, Name: "Parauga vidusskola"})
	w.must(err)
	w.other, err = w.RegisterSchool(t.Context(), operator, commands.RegisterSchool{Municipality: w.municipality, Name: "Parauga pamatskola"})
	w.must(err)
	w.year, err = w.OpenSchoolYear(t.Context(), operator, commands.OpenSchoolYear{School: w.school, From: "2025-09-01", To: "2026-08-31"})
	w.must(err)
	w.class, err = w.CreateClass(t.Context(), operator, commands.CreateClass{School: w.school, Year: w.year, Name: "6.a"})
	w.must(err)
	return w
}

func (w *staffWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *staffWorld) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// refused checks a refusal, and that nothing was appended by what f asks.
func (w *staffWorld) refused(want error, f func() error) {
	w.t.Helper()
	before, err := w.log.Head(w.t.Context())
	w.must(err)
	if err := f(); !errors.Is(err, want) {
		w.t.Errorf("refused because of %v, want %v", err, want)
	}
	if after, err := w.log.Head(w.t.Context()); err != nil || after != before {
		w.t.Errorf("refused, but %d events were appended, %v", after-before, err)
	}
}

func (w *staffWorld) at(school domain.SchoolID) access.Scope {
	return access.Scope{Municipality: w.municipality, School: school}
}

// newcomer returns an invitation of somebody new.
func (w *staffWorld) newcomer(place access.Scope, roles ...commands.NewRole) commands.InviteUser {
	w.people++
	return commands.InviteUser{
		Place: place, GivenName: "Anna", FamilyName: "Bērziņa", Roles: roles,
		PersonalCode: fmt.Sprintf("32%09d", w.people), Email: fmt.Sprintf("anna%d@skola.lv", w.people),
	}
}

// registered returns the account of somebody invited by the operator who has
// registered and signed in, and an actor for it.
func (w *staffWorld) registered(place access.Scope, roles ...commands.NewRole) (domain.AccountID, access.Actor) {
	w.t.Helper()
	cmd := w.newcomer(place, roles...)
	admitted, err := w.InviteUser(w.t.Context(), operator, cmd)
	w.must(err)
	w.register(admitted.Account)
	w.signIn(cmd.Email)
	return admitted.Account, w.who(admitted.Account)
}

func (w *staffWorld) who(account domain.AccountID) access.Actor {
	w.t.Helper()
	by, err := w.Who(w.t.Context(), account, 0, domain.AssignmentID{})
	w.must(err)
	return by
}

func (w *staffWorld) register(account domain.AccountID) {
	w.t.Helper()
	_, err := w.ConfirmRegistration(w.t.Context(), byLink, commands.ConfirmRegistration{Token: w.link(account), Password: password})
	w.must(err)
}

var (
	byLink   = access.Actor{Kind: domain.ActorToken}
	byNobody = access.Actor{Kind: domain.ActorAnonymous}
)

// link returns the token of the newest registration link, as it is mailed.
func (w *staffWorld) link(account domain.AccountID) string {
	w.t.Helper()
	var invitation domain.InvitationID
	for _, e := range w.history(account) {
		switch e := e.(type) {
		case identity.UserInvited:
			invitation = e.Invitation
		case identity.InvitationResent:
			invitation = e.Invitation
		}
	}
	return w.Links.Registration(account, invitation)
}

// code returns the newest login code, as it is mailed.
func (w *staffWorld) code(account domain.AccountID) string {
	w.t.Helper()
	var challenge identity.ChallengeID
	for _, e := range w.history(account) {
		if e, ok := e.(identity.LoginCodeIssued); ok {
			challenge = e.Challenge
		}
	}
	return w.Links.LoginCode(challenge)
}

// signIn signs somebody in, with the code if it is asked for.
func (w *staffWorld) signIn(email string) commands.SignedIn {
	w.t.Helper()
	in, err := w.SignIn(w.t.Context(), byNobody, commands.SignIn{Email: email, Password: password}, keep)
	w.must(err)
	if in.Session.IsZero() {
		in, err = w.SignInWithCode(w.t.Context(), byNobody, commands.SignInWithCode{Challenge: in.Challenge, Code: w.code(in.Account)}, keep)
		w.must(err)
	}
	return in
}

func keep(context.Context, domain.SessionID, domain.AccountID, int) error { return nil }

// history returns what has happened to an account, and to its roles.
func (w *staffWorld) history(account domain.AccountID) (all []domain.Event) {
	w.t.Helper()
	for _, stream := range []string{identity.Accounts.Stream(account), access.Assignments.Stream(account)} {
		stored, err := eventstore.Collect(w.log.ReadStream(w.t.Context(), stream, 1))
		w.must(err)
		w.must(w.Keys.Open(w.t.Context(), stored))
		for _, s := range stored {
			e, err := w.Catalogue.Decode(s.Type, s.Schema, s.Data)
			w.must(err)
			all = append(all, e)
		}
	}
	return all
}

// happened counts events of a type in the log.
func (w *staffWorld) happened(typ string) (n int) {
	w.t.Helper()
	for e, err := range w.log.ReadAll(w.t.Context(), 0, 0) {
		w.must(err)
		if e.Type == typ {
			n++
		}
	}
	return n
}

// passwords keeps passwords as they are, and counts how often one is compared.
type passwords struct {
	mu       sync.Mutex
	kept     map[domain.CredentialID]string
	owners   map[domain.CredentialID]string
	compared int
}

func newPasswords() *passwords {
	return &passwords{kept: make(map[domain.CredentialID]string), owners: make(map[domain.CredentialID]string)}
}

func (p *passwords) Create(_ context.Context, id domain.CredentialID, owner, password string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[id], p.owners[id] = password, owner
	return nil
}

func (p *passwords) Verify(_ context.Context, id domain.CredentialID, password string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compared++
	kept, ok := p.kept[id]
	return ok && kept == password, nil
}

func (p *passwords) Delete(_ context.Context, id domain.CredentialID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, id)
	return nil
}

func (p *passwords) Sweep(ctx context.Context, named func(context.Context, []string) ([]domain.CredentialID, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.kept {
		count, err := named(ctx, []string{p.owners[id]})
		if err != nil {
			return err
		}
		if !slices.Contains(count, id) {
			delete(p.kept, id)
		}
	}
	return nil
}
