package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/internal/oneroster"
)

// demoStart is the day on which a demo begins: the first of the school year of
// its roster, whatever day it is.
var demoStart = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC) // 08:00 in Rīga

// demoPassword is that of all demo accounts. It is for a server that only its
// own machine can reach.
const demoPassword = "Parole-demo-2025"

// A demoPerson is an account of the demo school.
type demoPerson struct {
	does                       string
	given, family, code, email string
	role                       access.Role
	place                      func(*demoSchool) access.Scope
}

var demoPeople = []demoPerson{
	{"platform administrator", "Pēteris", "Platforms", "320101-10001", "platforma@zurnals.example", access.PlatformAdmin, func(*demoSchool) access.Scope { return access.Scope{} }},
	{"municipality administrator", "Māra", "Novada", "320101-10002", "novads@zurnals.example", access.MunicipalityAdmin, func(s *demoSchool) access.Scope { return access.Scope{Municipality: s.municipality} }},
	{"school administrator", "Ilze", "Kalniņa", "320101-10003", "skola@zurnals.example", access.SchoolAdmin, func(s *demoSchool) access.Scope { return s.place }},
	{"class teacher of 6.a", "Laura", "Bērziņa", "320101-10004", "laura@zurnals.example", access.ClassTeacher, func(s *demoSchool) access.Scope { return s.class }},
	{"auditor", "Andris", "Revidents", "320101-10005", "auditors@zurnals.example", access.Auditor, func(*demoSchool) access.Scope { return access.Scope{} }},
	{"analyst", "Anna", "Analītiķe", "320101-10006", "analitike@zurnals.example", access.Analyst, func(*demoSchool) access.Scope { return access.Scope{} }},
}

// A demoSchool is where the demo takes place.
type demoSchool struct {
	municipality domain.MunicipalityID
	school       domain.SchoolID
	place, class access.Scope
}

// demoRequest marks what the demo has done, in the log.
const demoRequest = "demo school"

// demoActor does one thing of the demo. Each is done once, however often it is
// asked for: a demo that was broken off goes on where it was.
func demoActor(what string) access.Actor {
	by := access.System(demoRequest)
	by.Command = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://zurnals.example/demo/"+what))
	return by
}

// isDemo says whether the database holds the demo school. An empty one is
// filled with it if that is wanted, and half a one is completed.
func (a *app) isDemo(ctx context.Context, wanted bool) (bool, error) {
	head, err := a.log.Head(ctx)
	if err != nil || !wanted {
		return false, err
	}
	if head == 0 {
		if err := a.clock.Set(ctx, demoStart); err != nil {
			return false, err
		}
		return true, a.demo(ctx)
	}
	begun, whole, err := a.demoDone(ctx)
	if err != nil || begun {
		if err == nil && !whole {
			err = a.demo(ctx)
		}
		return true, err
	}
	holder, err := a.commands.Log.Holders(ctx, identity.EmailClaim("").Kind, []string{demoPeople[0].email})
	return len(holder) > 0, err
}

// demoMost is more events than the demo has.
const demoMost = 5_000

// demoDone tells whether the log begins with the demo, and whether all of it is
// there: everybody has signed in.
func (a *app) demoDone(ctx context.Context) (begun, whole bool, err error) {
	signedIn := 0
	for stored, err := range a.log.ReadAll(ctx, 0, demoMost) {
		if err != nil {
			return false, false, err
		}
		var meta domain.Meta
		if err := json.Unmarshal(stored.Meta, &meta); err != nil {
			return false, false, err
		}
		ours := meta.Request == demoRequest
		if stored.Position == 1 && !ours {
			return false, false, nil
		}
		if ours && stored.Type == (identity.SignedIn{}).EventType() {
			signedIn++
		}
	}
	return true, signedIn >= len(demoPeople), nil
}

// demo fills a database, through the commands that everybody uses: a
// municipality, a school with the sample roster, and accounts that have signed
// in once.
func (a *app) demo(ctx context.Context) error {
	c := a.commands
	var s demoSchool
	var err error
	if s.municipality, err = c.RegisterMunicipality(ctx, demoActor("municipality"), commands.RegisterMunicipality{Name: "Parauga novada pašvaldība"}); err != nil {
		return err
	}
	if s.school, err = c.RegisterSchool(ctx, demoActor("school"), commands.RegisterSchool{Municipality: s.municipality, Name: "Parauga vidusskola", Source: "org-skola"}); err != nil {
		return err
	}
	s.place = access.Scope{Municipality: s.municipality, School: s.school}
	roster, err := oneroster.Sample(oneroster.SampleSchool)
	if err != nil {
		return err
	}
	if _, err := c.LoadRoster(ctx, demoActor("roster"), commands.LoadRoster{School: s.school, File: roster}); err != nil {
		return err
	}
	if s.class, err = a.demoClass(ctx, s.school, "6.a"); err != nil {
		return err
	}
	for _, p := range demoPeople {
		if err := a.demoPerson(ctx, &s, p); err != nil {
			return fmt.Errorf("demo account %s: %w", p.email, err)
		}
	}
	return nil
}

// demoPerson invites a person, follows the link and signs in for the first
// time, reading the mailed code where the mailer reads it: it is derived.
func (a *app) demoPerson(ctx context.Context, s *demoSchool, p demoPerson) error {
	c := a.commands
	place := p.place(s)
	admitted, err := c.InviteUser(ctx, demoActor("user "+p.email), commands.InviteUser{
		Place:     access.Scope{Municipality: place.Municipality, School: place.School},
		GivenName: p.given, FamilyName: p.family, PersonalCode: p.code, Email: p.email,
		Roles: []commands.NewRole{{Role: p.role, Class: place.Class}},
	})
	if err != nil {
		return err
	}
	var invitation domain.InvitationID
	var challenge identity.ChallengeID
	var signedIn bool
	look := func() error {
		return a.last(ctx, identity.Accounts.Stream(admitted.Account), func(e domain.Event) {
			switch e := e.(type) {
			case identity.UserInvited:
				invitation = e.Invitation
			case identity.LoginCodeIssued:
				challenge = e.Challenge
			case identity.SignedIn:
				signedIn = true
			}
		})
	}
	if err := look(); err != nil || signedIn {
		return err
	}
	_, err = c.ConfirmRegistration(ctx, access.Actor{Kind: domain.ActorToken, Request: demoRequest}, commands.ConfirmRegistration{
		Token: c.Links.Registration(admitted.Account, invitation), Password: demoPassword,
	})
	if err != nil && !errors.Is(err, identity.ErrLinkUsed) {
		return err
	}
	nobody := access.Actor{Kind: domain.ActorAnonymous, Request: demoRequest}
	noSession := func(context.Context, domain.SessionID, domain.AccountID, int) error { return nil }
	began, err := c.SignIn(ctx, nobody, commands.SignIn{Email: p.email, Password: demoPassword}, noSession)
	if err != nil {
		return err
	}
	if err := look(); err != nil {
		return err
	}
	_, err = c.SignInWithCode(ctx, nobody, commands.SignInWithCode{Challenge: began.Challenge, Code: c.Links.LoginCode(challenge)}, noSession)
	return err
}

// last shows f the events of a stream in order. Ids need no opening.
func (a *app) last(ctx context.Context, stream string, f func(domain.Event)) error {
	for stored, err := range a.log.ReadStream(ctx, stream, 1) {
		if err != nil {
			return err
		}
		e, err := a.commands.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			return err
		}
		f(e)
	}
	return nil
}

var errNoDemo = errors.New("the demo roster has no such class")

// demoClass finds a class of the school that was just loaded.
func (a *app) demoClass(ctx context.Context, school domain.SchoolID, name string) (access.Scope, error) {
	for stored, err := range a.log.ReadAll(ctx, 0, 0) {
		if err != nil {
			return access.Scope{}, err
		}
		e, err := a.commands.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			return access.Scope{}, err
		}
		if e, ok := e.(organisation.ClassCreated); ok && e.School == school && e.Name == name {
			return a.commands.ClassScope(ctx, e.Class)
		}
	}
	return access.Scope{}, errNoDemo
}

// welcome tells where the server is, and with a demo who can sign in.
func (a *app) welcome(out io.Writer, took time.Duration, demo bool) {
	fmt.Fprintf(out, "Žurnāls is ready after %v.\n\n", took.Round(10*time.Millisecond))
	fmt.Fprintf(out, "  API             %s/api/v1\n  documentation   %s/docs\n  operations      http://%s/readyz, /metrics\n", a.cfg.PublicURL, a.cfg.PublicURL, a.cfg.PrivateAddr)
	if !a.cfg.Dev {
		return
	}
	fmt.Fprintf(out, "  mail            %s/dev/mail\n  clock           %s, moved at %s/dev/clock\n", a.cfg.PublicURL, a.clock.Now().In(domain.Riga).Format("Monday 2006-01-02 15:04 MST"), a.cfg.PublicURL)
	if !demo {
		return
	}
	fmt.Fprintf(out, "\nDemo accounts, password %s:\n", demoPassword)
	for _, p := range demoPeople {
		fmt.Fprintf(out, "  %-28s %s\n", p.email, p.does)
	}
}
