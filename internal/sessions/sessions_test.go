package sessions_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/internal/pgtest"
	"zurnals/internal/sessions"
)

var monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)

func TestASessionEndsByItself(t *testing.T) {
	now := monday
	s := &sessions.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return now }}
	anna := uuid.New()
	token, made, err := s.Create(t.Context(), sessions.Session{Realm: sessions.Staff, Subject: anna, Generation: 3, UserAgent: strings.Repeat("ā", 500)})
	if err != nil {
		t.Fatal(err)
	}
	found := func(want bool) {
		t.Helper()
		got, err := s.Find(t.Context(), sessions.Staff, token)
		if want && (err != nil || got.ID != made.ID || got.Subject != anna || got.Generation != 3) || !want && !errors.Is(err, sessions.ErrNone) {
			t.Errorf("at %v: %+v, %v; want it found: %v", now, got, err, want)
		}
	}
	found(true)
	now = now.Add(8*time.Hour - time.Microsecond) // idle for almost 8 hours: and now it is in use
	found(true)
	now = now.Add(8*time.Hour - time.Microsecond)
	found(true)
	now = now.Add(8 * time.Hour)
	found(false)

	// Used all the time, it lasts for seven days.
	now = monday
	token, made, err = s.Create(t.Context(), sessions.Session{Realm: sessions.Staff, Subject: anna, Generation: 3})
	if err != nil {
		t.Fatal(err)
	}
	end := monday.Add(7 * 24 * time.Hour)
	for ; now.Before(end); now = now.Add(7 * time.Hour) {
		found(true)
	}
	now = end.Add(-time.Microsecond)
	found(true)
	now = end
	found(false)

	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.Pool.QueryRow(t.Context(), `SELECT count(*) FROM web.session`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows left, %v", left, err)
	}
}

func TestRealmsAreSeparate(t *testing.T) {
	s := &sessions.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return monday }}
	token, _, err := s.Create(t.Context(), sessions.Session{Realm: sessions.Learner, Subject: uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	for realm, want := range map[sessions.Realm]error{sessions.Learner: nil, sessions.Staff: sessions.ErrNone, sessions.Citizen: sessions.ErrNone} {
		if _, err := s.Find(t.Context(), realm, token); !errors.Is(err, want) {
			t.Errorf("%s: %v", realm, err)
		}
	}
	if _, _, err := s.Create(t.Context(), sessions.Session{Realm: "visitor"}); err == nil {
		t.Error("a realm that there is not")
	}
}

func TestSomebodyEndsTheOwnSessions(t *testing.T) {
	s := &sessions.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return monday }}
	anna, juris := uuid.New(), uuid.New()
	var ids []domain.SessionID
	var tokens []string
	for _, subject := range []uuid.UUID{anna, anna, anna, juris} {
		token, made, err := s.Create(t.Context(), sessions.Session{Realm: sessions.Staff, Subject: subject, UserAgent: "Firefox"})
		if err != nil {
			t.Fatal(err)
		}
		ids, tokens = append(ids, made.ID), append(tokens, token)
	}
	if there, err := s.End(t.Context(), sessions.Staff, juris, ids[0]); there || err != nil {
		t.Error("somebody else's session was ended")
	}
	if there, err := s.End(t.Context(), sessions.Staff, anna, ids[0]); !there || err != nil {
		t.Error(there, err)
	}
	if err := s.EndAll(t.Context(), sessions.Staff, anna, ids[2]); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), sessions.Staff, anna)
	if err != nil || len(list) != 1 || list[0].ID != ids[2] || list[0].UserAgent != "Firefox" {
		t.Errorf("%+v, %v", list, err)
	}
	for i, want := range []error{sessions.ErrNone, sessions.ErrNone, nil, nil} {
		if _, err := s.Find(t.Context(), sessions.Staff, tokens[i]); !errors.Is(err, want) {
			t.Errorf("session %d: %v", i, err)
		}
	}
}

func TestTheDatabaseDoesNotKnowTheToken(t *testing.T) {
	s := &sessions.Store{Pool: pgtest.New(t).App, Now: func() time.Time { return monday }}
	token, _, err := s.Create(t.Context(), sessions.Session{Realm: sessions.Staff, Subject: uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	var row string
	if err := s.Pool.QueryRow(t.Context(), `SELECT s::text || encode(token_hash, 'escape') FROM web.session s`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, token) || len(token) < 40 {
		t.Error(token, row)
	}
	for _, wrong := range []string{"", "x", token + "x", strings.Repeat("x", 10_000)} {
		if _, err := s.Find(t.Context(), sessions.Staff, wrong); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
}
