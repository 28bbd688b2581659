package credentials_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
	if err := s.Create(t.Context(), id, "account-1", "pareizā parole 1"); err != nil {
		t.Fatal(err)
	}
	// The same command sent again changes nothing.
	if err := s.Create(t.Context(), id, "account-1", "cita parole"); err != nil {
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

// What no event names goes an hour after it was kept; what counted is looked up
// again after a week, because it may have been replaced.
func TestWhatNoEventNamesIsSwept(t *testing.T) {
	db := pgtest.New(t)
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	s, err := credentials.New(db.App, func() time.Time { return now }, 2)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(owner string) domain.CredentialID {
		t.Helper()
		id := domain.NewID[domain.CredentialID]()
		if err := s.Create(t.Context(), id, owner, "pw"); err != nil {
			t.Fatal(err)
		}
		return id
	}
	sweep := func(want string, named ...domain.CredentialID) {
		t.Helper()
		asked := ""
		err := s.Sweep(t.Context(), func(_ context.Context, owners []string) ([]domain.CredentialID, error) {
			asked = strings.Join(owners, " ")
			return append(named, domain.CredentialID{}), nil // one of them has none
		})
		if err != nil || asked != want {
			t.Errorf("asked about %q, want %q; %v", asked, want, err)
		}
	}
	kept := func(want ...domain.CredentialID) {
		t.Helper()
		rows, err := db.App.Query(t.Context(), `SELECT id FROM web.credential ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v are kept, want %v; %v", got, want, err)
		}
		for i, id := range want { // made later, sorted later
			if got[i] != id.UUID {
				t.Errorf("%v are kept, want %v", got, want)
			}
		}
	}
	before := keep("") // by an earlier version of the program: nobody can be asked
	used, orphan := keep("account-a"), keep("account-a")
	now = now.Add(time.Hour - time.Microsecond)
	young := keep("account-b")
	sweep("")
	now = now.Add(time.Microsecond)
	sweep("account-a", used)
	kept(before, used, young)
	sweep("") // looked up already
	now = now.Add(time.Hour)
	sweep("account-b", young, orphan)
	kept(before, used, young)
	now = now.Add(7*24*time.Hour - time.Hour - time.Microsecond)
	sweep("")
	now = now.Add(time.Microsecond)
	sweep("account-a") // replaced meanwhile
	kept(before, young)

	// Where the log cannot be asked, nothing is removed.
	now = now.Add(7 * 24 * time.Hour)
	gone := errors.New("the log is away")
	if err := s.Sweep(t.Context(), func(context.Context, []string) ([]domain.CredentialID, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	kept(before, young)
}

func TestWhoHasGoneDoesNotWait(t *testing.T) {
	db := pgtest.New(t)
	s, err := credentials.New(db.App, time.Now, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Create(ctx, domain.NewID[domain.CredentialID](), "account-1", "pw"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
