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

// A sweep of many asks about some at a time, and about each once.
func TestManyAreSwept(t *testing.T) {
	db := pgtest.New(t)
	now := time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	s, err := credentials.New(db.App, func() time.Time { return now }, 2)
	if err != nil {
		t.Fatal(err)
	}
	const many = 450
	if _, err := db.App.Exec(t.Context(), `INSERT INTO web.credential (id, owner, hash, created_at)
		SELECT gen_random_uuid(), 'account-' || n, '', $2 FROM generate_series(1, $1) AS n`, many, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	for _, want := range []int{many, 0} {
		asked, most := 0, 0
		if err := s.Sweep(t.Context(), func(_ context.Context, owners []string) (named []domain.CredentialID, _ error) {
			asked, most = asked+len(owners), max(most, len(owners))
			var id domain.CredentialID
			for _, owner := range owners {
				if err := db.App.QueryRow(t.Context(), `SELECT id FROM web.credential WHERE owner = $1`, owner).Scan(&id.UUID); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(owner, "2") || strings.HasSuffix(owner, "4") {
					named = append(named, id)
				}
			}
			return named, nil
		}); err != nil || asked != want || most > 100 {
			t.Errorf("asked about %d, at most %d at once; want %d; %v", asked, most, want, err)
		}
	}
	var left int
	if err := db.App.QueryRow(t.Context(), `SELECT count(*) FROM web.credential`).Scan(&left); err != nil || left != many/5 {
		t.Errorf("%d are left, want %d; %v", left, many/5, err)
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
	if err := s.Create(ctx, domain.NewID[domain.CredentialID](), "account-1", "pw"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
