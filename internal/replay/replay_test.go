package replay_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/replay"
)

var riga = time.FixedZone("Riga", 3*60*60)

// A stream is told as a page of text; that it was told is in the log.
func TestAStreamIsReplayed(t *testing.T) {
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	keys := eventstore.NewMemoryKeys()
	log := eventstore.NewMemory(func() time.Time { return now }, keys)
	c := &commands.Commands{Log: log, Keys: keys, Catalogue: catalogue.All, Now: func() time.Time { return now }}
	operator := access.System("command line")
	municipality, err := c.RegisterMunicipality(t.Context(), operator, commands.RegisterMunicipality{Name: "Parauga novads"})
	if err != nil {
		t.Fatal(err)
	}
	school, err := c.RegisterSchool(t.Context(), operator, commands.RegisterSchool{Municipality: municipality, Name: "Parauga vidusskola"})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if _, err := c.OpenSchoolYear(t.Context(), operator, commands.OpenSchoolYear{School: school, From: "2025-09-01", To: "2026-08-31"}); err != nil {
		t.Fatal(err)
	}

	tell := func(asOf string) string {
		t.Helper()
		var b strings.Builder
		if err := replay.Stream(t.Context(), &b, c, operator, "school-"+school.String(), asOf, riga); err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(b.String(), "<id>")
	}
	want := `school-<id> as of position 3

     2  2025-09-01 08:00:00  organisation.school_registered  (version 1)
        by system, request command line
        municipality_id  <id>
        name             Parauga vidusskola

     3  2025-09-01 09:00:00  organisation.school_year_opened  (version 2)
        by system, request command line
        school_year_id  <id>
        name            2025-2026
        from            2025-09-01
        to              2026-08-31

events: 2
`
	if got := tell(""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, asOf := range []string{"2", "2025-09-01T05:59:59Z"} {
		if got := tell(asOf); !strings.HasPrefix(got, "school-<id> as of position 2\n") || !strings.HasSuffix(got, "\nevents: 1\n") {
			t.Errorf("as of %s:\n%s", asOf, got)
		}
	}
	if head, err := log.Head(t.Context()); err != nil || head != 6 {
		t.Errorf("three readings and the log is at %d, %v", head, err)
	}
	for stream, want := range map[string]error{"school-nothing": access.ErrElsewhere, "": access.ErrElsewhere} {
		if err := replay.Stream(t.Context(), &strings.Builder{}, c, operator, stream, "", riga); !errors.Is(err, want) {
			t.Errorf("%q: %v", stream, err)
		}
	}
	if err := replay.Stream(t.Context(), &strings.Builder{}, c, operator, "school-"+school.String(), "vakar", riga); !errors.Is(err, commands.ErrAsOf) {
		t.Error(err)
	}
}

func TestEntriesAsText(t *testing.T) {
	account := domain.NewID[domain.AccountID]()
	var b strings.Builder
	err := replay.Entries(&b, []commands.Entry{{
		Position: 12, Version: 3, At: time.Date(2025, 9, 1, 5, 41, 7, 0, time.UTC), Type: "attendance.marks_taken",
		By:   domain.Meta{Actor: domain.ActorAccount, ActorID: account.UUID, Role: "instructor"},
		Name: "L. B.", Method: "manual", Reason: "kļūda\x1b[31m\u202e",
		Changes: []commands.Change{{Field: "status", Old: "P", New: "L"}, {Field: "remark", Old: "***"}},
		Omitted: 2, Erased: true,
	}}, riga)
	want := `
    12  2025-09-01 08:41:07  attendance.marks_taken  (version 3)
        by account ` + account.String() + ` (L. B.) as instructor, manual
        because: kļūda [31m 
        status  P → L
        remark  *** → (none)
        … and 2 more
        (data of an erased person is missing)
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%q\nwant\n%q", err, b.String(), want)
	}
}

// A long history is asked for page by page, all as of one position.
func TestLongHistories(t *testing.T) {
	pages := &counted{}
	var b strings.Builder
	if err := replay.Stream(t.Context(), &b, pages, access.System("test"), "account-1", "", riga); err != nil {
		t.Fatal(err)
	}
	if pages.asked != 3 || !strings.HasSuffix(b.String(), "\nevents: 5\n") || strings.Count(b.String(), "as of position 7") != 1 {
		t.Errorf("%d pages:\n%s", pages.asked, b.String())
	}
}

type counted struct{ asked int64 }

func (c *counted) StreamHistory(_ context.Context, _ access.Actor, _ string, page commands.HistoryPage) (commands.History, error) {
	if page.After != 2*c.asked || c.asked > 0 && page.AsOf != commands.AsOfPosition(7) {
		return commands.History{}, errors.New("another page was expected")
	}
	c.asked++
	h := commands.History{AsOf: 7, Entries: make([]commands.Entry, 2), Next: 2 * c.asked}
	if c.asked == 3 {
		h.Entries, h.Next = h.Entries[:1], 0
	}
	return h, nil
}
