package securitylog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/internal/pgtest"
	"zurnals/internal/securitylog"
)

var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

func TestRepeatsWithinAMinuteAreCounted(t *testing.T) {
	now := monday
	s := &securitylog.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return now }}
	wrong := securitylog.Entry{Kind: "session.wrong", Route: "POST /sessions", Actor: domain.ActorAnonymous, Address: []byte{1}, Request: "r1"}
	record := func(e securitylog.Entry, after time.Duration) {
		t.Helper()
		now = now.Add(after)
		if err := s.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	record(wrong, 0)
	again := wrong
	again.Request = "r2"
	record(again, 59*time.Second)
	elsewhere := wrong
	elsewhere.Address = []byte{2}
	record(elsewhere, 0)
	record(wrong, time.Second) // the next minute

	got, err := s.List(t.Context(), securitylog.Question{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Address byte
		Count   int
		Request string
		For     time.Duration
	}
	var all []seen
	for _, e := range got {
		all = append(all, seen{e.Address[0], e.Count, e.Request, e.LastAt.Sub(e.At)})
	}
	want := []seen{{1, 1, "r1", 0}, {2, 1, "r1", 0}, {1, 2, "r1", 59 * time.Second}}
	if d := cmp.Diff(want, all); d != "" {
		t.Error(d)
	}
}

func TestTheLogIsReadByPlaceKindAndPage(t *testing.T) {
	s := &securitylog.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return monday }}
	school, municipality, anna := domain.NewID[domain.SchoolID](), domain.NewID[domain.MunicipalityID](), uuid.New()
	entry := securitylog.Entry{
		Kind: "access.forbidden", Route: "GET /x", Actor: domain.ActorAccount, ActorID: anna, Role: "emu.school_admin",
		Municipality: municipality, School: school, Objects: []uuid.UUID{uuid.New()}, Address: []byte{1}, Request: "r",
	}
	other := entry
	other.School, other.Kind = domain.NewID[domain.SchoolID](), "access.not_found"
	nobody := securitylog.Entry{Kind: "session.sign_in", Actor: domain.ActorAnonymous, Request: "r"}
	for _, e := range []securitylog.Entry{entry, other, nobody} {
		if err := s.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		q    securitylog.Question
		want []string
	}{
		{"all", securitylog.Question{Limit: 10}, []string{"session.sign_in", "access.not_found", "access.forbidden"}},
		{"one school", securitylog.Question{School: school, Limit: 10}, []string{"access.forbidden"}},
		{"one municipality", securitylog.Question{Municipality: municipality, Limit: 10}, []string{"access.not_found", "access.forbidden"}},
		{"one kind", securitylog.Question{Kind: "access.forbidden", Limit: 10}, []string{"access.forbidden"}},
		{"one account", securitylog.Question{ActorID: anna, Limit: 1}, []string{"access.not_found"}},
	} {
		got, err := s.List(t.Context(), c.q)
		var kinds []string
		for _, e := range got {
			kinds = append(kinds, e.Kind)
		}
		if d := cmp.Diff(c.want, kinds); err != nil || d != "" {
			t.Errorf("%s: %v %s", c.name, err, d)
		}
	}
	first, err := s.List(t.Context(), securitylog.Question{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := s.List(t.Context(), securitylog.Question{Before: first[0].ID, Limit: 10})
	if err != nil || len(rest) != 2 {
		t.Errorf("%d entries on the second page, %v", len(rest), err)
	}
	got := rest[1]
	got.ID, entry.At, entry.LastAt, entry.Count = 0, monday, monday, 1
	if d := cmp.Diff(entry, got); d != "" {
		t.Errorf("an entry is not what was recorded: %s", d)
	}
}

// What was refused to Anna, and when somebody asked for what is hers: in the
// order of time, page by page, up to a moment.
func TestWhatWasRefusedAboutSomebody(t *testing.T) {
	now := monday
	s := &securitylog.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return now }}
	anna, other := uuid.New(), uuid.New()
	for i, e := range []securitylog.Entry{
		{Kind: "first", ActorID: anna}, {Kind: "strange", ActorID: other, Objects: []uuid.UUID{uuid.New()}},
		{Kind: "second", ActorID: other, Objects: []uuid.UUID{other, anna}}, {Kind: "third", ActorID: anna, Objects: []uuid.UUID{anna}}, {Kind: "last", ActorID: anna},
	} {
		now = monday.Add(time.Duration(i) * time.Minute)
		e.Actor = domain.ActorAccount
		if err := s.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for after := (securitylog.Mark{}); ; {
		page, err := s.About(t.Context(), anna, after, now, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, e.Kind)
			after = securitylog.Mark{At: e.At, ID: e.ID}
		}
		if len(page) < 2 {
			break
		}
	}
	if d := cmp.Diff([]string{"first", "second", "third"}, got); d != "" {
		t.Error(d)
	}
}

func TestEntriesStayForTwelveMonths(t *testing.T) {
	now := monday
	s := &securitylog.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return now }}
	if err := s.Record(t.Context(), securitylog.Entry{Kind: "x", Actor: domain.ActorAnonymous}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Time
		left int
	}{{monday.Add(securitylog.Kept), 1}, {monday.Add(securitylog.Kept + time.Microsecond), 0}} {
		now = c.at
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := s.List(t.Context(), securitylog.Question{Limit: 10})
		if err != nil || len(got) != c.left {
			t.Errorf("%v: %d left, %v", c.at, len(got), err)
		}
	}
}
