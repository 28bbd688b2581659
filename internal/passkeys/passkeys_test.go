package passkeys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"zurnals/domain"
	"zurnals/internal/passkeys"
	"zurnals/internal/passkeys/passkeystest"
	"zurnals/internal/pgtest"
)

var (
	monday = time.Date(2025, 9, 1, 5, 0, 0, 0, time.UTC)
	anna   = passkeys.Person{Account: domain.NewID[domain.AccountID](), Name: "anna@skola.lv", DisplayName: "Anna Bērziņa"}
)

const address = "https://zurnals.example"

func newStore(t testing.TB) *passkeys.Store {
	t.Helper()
	s, err := passkeys.New(pgtest.New(t).App, func() time.Time { return monday }, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An authenticator that keeps its keys in step between devices does not count:
// its counter stays at zero, and that is no sign of a copy. One that counts and
// then stands still is.
func TestCounters(t *testing.T) {
	s := newStore(t)
	for name, c := range map[string]struct {
		counters []uint32
		want     error // of the last
	}{
		"never counts":       {[]uint32{0, 0, 0}, nil},
		"counts":             {[]uint32{0, 1, 2, 7}, nil},
		"begins to count":    {[]uint32{0, 0, 5, 6}, nil},
		"stands still":       {[]uint32{0, 5, 5}, passkeys.ErrCloned},
		"goes back":          {[]uint32{0, 5, 4}, passkeys.ErrCloned},
		"goes back to zero":  {[]uint32{0, 5, 0}, passkeys.ErrCloned},
		"has gone back once": {[]uint32{0, 5, 4, 6}, passkeys.ErrCloned},
		"as far as it can":   {[]uint32{1, 1<<32 - 1}, nil},
	} {
		anna := anna
		anna.Account = domain.NewID[domain.AccountID]()
		device := passkeystest.New(t, address)
		device.Key.Counter = c.counters[0]
		session := domain.NewID[domain.SessionID]()
		begun, err := s.Add(t.Context(), anna, session)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := s.Added(t.Context(), anna.Account, session, begun.Challenge, []byte(device.Makes(t, begun.Options)))
		if err != nil {
			t.Fatal(err)
		}
		id := domain.NewID[domain.CredentialID]()
		for range 2 { // a command may be decided anew
			if err := s.Keep(t.Context(), id, "account-"+anna.Account.String(), fresh); err != nil {
				t.Fatal(err)
			}
		}
		for _, device.Key.Counter = range c.counters[1:] {
			begun, err = s.SignIn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var proof passkeys.Proof
			proof, err = s.Proved(t.Context(), begun.Challenge, []byte(device.Signs(t, begun.Options)))
			if proof != (passkeys.Proof{Account: anna.Account, ID: id}) {
				t.Errorf("%s: %+v", name, proof)
			}
		}
		uses, useErr := s.Uses(t.Context(), anna.Account)
		if !errors.Is(err, c.want) || useErr != nil || uses[id].Suspended != (c.want != nil) || uses[id].At == nil || !uses[id].At.Equal(monday) {
			t.Errorf("%s: %v, %+v, %v", name, err, uses[id], useErr)
		}
	}
}

// Of many who sign in at once by the same step of a counter one is let in.
func TestOneStepOfACounterSignsInOnce(t *testing.T) {
	s := newStore(t)
	device, id := passkeystest.New(t, address), domain.NewID[domain.CredentialID]()
	session := domain.NewID[domain.SessionID]()
	begun, err := s.Add(t.Context(), anna, session)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := s.Added(t.Context(), anna.Account, session, begun.Challenge, []byte(device.Makes(t, begun.Options)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), id, "account-"+anna.Account.String(), fresh); err != nil {
		t.Fatal(err)
	}
	device.Key.Counter = 1
	answers := make(map[string]string) // by challenge
	for range 16 {
		if begun, err = s.SignIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		answers[begun.Challenge] = device.Signs(t, begun.Options)
	}
	came := make(chan error)
	for challenge, answer := range answers {
		go func() {
			_, err := s.Proved(t.Context(), challenge, []byte(answer))
			came <- err
		}()
	}
	in := 0
	for range answers {
		switch err := <-came; {
		case err == nil:
			in++
		case !errors.Is(err, passkeys.ErrCloned):
			t.Error(err)
		}
	}
	if in != 1 {
		t.Errorf("%d are signed in", in)
	}
}

// FuzzAnswers answers with anything: nothing comes of it, and nothing breaks.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `"x"`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"authenticatorData":"AA","clientDataJSON":"e30","signature":"AA","userHandle":"AA"}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"attestationObject":"oA","clientDataJSON":"e30"}}`,
		`{"id":"` + strings.Repeat("A", 5000) + `","rawId":"AA","type":"public-key","response":{"attestationObject":"v2P_","clientDataJSON":"bnVsbA"}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"attestationObject":"m2hhdXRoRGF0YVkAAA","clientDataJSON":"eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0"}}`,
	} {
		f.Add(seed)
	}
	s := newStore(f)
	f.Fuzz(func(t *testing.T, answer string) {
		session := domain.NewID[domain.SessionID]()
		begun, err := s.Add(t.Context(), anna, session)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Added(t.Context(), anna.Account, session, begun.Challenge, []byte(answer)); !errors.Is(err, passkeys.ErrAnswer) {
			t.Errorf("%q is taken as a new key: %v", answer, err)
		}
		if begun, err = s.SignIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if proof, err := s.Proved(t.Context(), begun.Challenge, []byte(answer)); !errors.Is(err, passkeys.ErrAnswer) && !errors.Is(err, passkeys.ErrWrong) || proof != (passkeys.Proof{}) {
			t.Errorf("%q signs in: %v", answer, err)
		}
	})
}
