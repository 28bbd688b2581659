package credentials_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/internal/credentials"
	"zurnals/internal/pgtest"
)

func TestPasswordsAreVerified(t *testing.T) {
	db := pgtest.New(t)
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	s, err := credentials.New(db.App, func() time.Time { return now }, 2)
	if err != nil {
		t.Fatal(err)
	}
	id := domain.NewID[domain.CredentialID]()
	if err := s.Create(t.Context(), id, "pareizā parole 1"); err != nil {
		t.Fatal(err)
	}
	// The same command sent again changes nothing.
	if err := s.Create(t.Context(), id, "cita parole"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id       domain.CredentialID
		password string
		want     bool
	}{
		{id, "pareizā parole 1", true},
		{id, "pareiza\u0304 parole 1", true},
		{id, "pareizā parole 2", false},
		{id, "cita parole", false},
		{id, "", false},
		{domain.CredentialID{}, "pareizā parole 1", false},
		{domain.CredentialID{}, "no password is this one", false},
		{domain.NewID[domain.CredentialID](), "pareizā parole 1", false},
	} {
		if got, err := s.Verify(t.Context(), c.id, c.password); got != c.want || err != nil {
			t.Errorf("%v %q: %v, %v", c.id, c.password, got, err)
		}
	}
	var hash string
	if err := db.App.QueryRow(t.Context(), `SELECT hash FROM web.credential`).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(hash)
	}
}

func TestWhatNoEventNamesIsSwept(t *testing.T) {
	db := pgtest.New(t)
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	s, err := credentials.New(db.App, func() time.Time { return now }, 2)
	if err != nil {
		t.Fatal(err)
	}
	used, orphan, fresh := domain.NewID[domain.CredentialID](), domain.NewID[domain.CredentialID](), domain.NewID[domain.CredentialID]()
	for _, id := range []domain.CredentialID{used, orphan} {
		if err := s.Create(t.Context(), id, "pw"); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Hour)
	if err := s.Create(t.Context(), fresh, "pw"); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context(), now, func(id domain.CredentialID) bool { return id == used }); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[domain.CredentialID]bool{used: true, orphan: false, fresh: true} {
		if got, err := s.Verify(t.Context(), id, "pw"); got != want || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}

func TestWhoHasGoneDoesNotWait(t *testing.T) {
	db := pgtest.New(t)
	s, err := credentials.New(db.App, time.Now, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Create(ctx, domain.NewID[domain.CredentialID](), "pw"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
