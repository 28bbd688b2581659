package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"zurnals/commands"
	"zurnals/domain/access"
	"zurnals/internal/pgtest"
)

// The links in letters begin with what ZURNALS_PUBLIC_URL says, and not with the
// address that the server listens at.
func TestLinksInLettersBeginWithThePublicAddress(t *testing.T) {
	t.Setenv("ZURNALS_PUBLIC_URL", "https://zurnals.example.lv/")
	i := newInstallation(t, pgtest.New(t))
	var cfg Config
	if _, err := parse(&cfg, cfg.flags("test"), append(i.flags, "-dev", "-smtp", "")); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	must(err)
	defer a.close()
	must(a.openReactions(t.Context()))
	working, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.react(working); close(ended) }()
	defer func() { stop(); <-ended }()

	ctx, operator := t.Context(), access.System("test")
	m, err := a.commands.RegisterMunicipality(ctx, operator, commands.RegisterMunicipality{Name: "Parauga novads"})
	must(err)
	_, err = a.commands.InviteUser(ctx, operator, commands.InviteUser{
		Place: access.Scope{Municipality: m}, GivenName: "Laura", FamilyName: "Liepiņa", PersonalCode: "320000-00001", Email: "laura@skola.lv",
	})
	must(err)
	_, err = a.dev().Jobs.RunDue(ctx)
	must(err)
	letters, err := a.mails(ctx)
	must(err)
	if len(letters) != 1 || !strings.Contains(letters[0].Text, "\nhttps://zurnals.example.lv/registrations/") ||
		!strings.Contains(letters[0].HTML, `href="https://zurnals.example.lv/registrations/`) || strings.Contains(letters[0].Text, "127.0.0.1") {
		t.Errorf("%+v", letters)
	}
}
