package eventstore_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/eventstore"
	"zurnals/internal/pgtest"
)

func ledgerOf(t testing.TB, content string) (*eventstore.Erasures, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "erased.ledger")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := eventstore.OpenErasures(file)
	return e, file, err
}

// Who is erased by any process stands in the ledger soon, once, also after a
// crash has cut a line short.
func TestErasuresAreKeptOutsideTheDatabase(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	one, _ := open(t, db, time.Now, master)
	other, _ := open(t, db, time.Now, master)
	before, after, elsewhere := uuid.New(), uuid.New(), uuid.New()
	erase := func(log eventstore.Log, subject uuid.UUID) {
		t.Helper()
		w := eventstore.Write{Stream: "person-" + subject.String(), Events: []eventstore.NewEvent{{ID: uuid.New(), Type: "test.erased", Schema: 1, Meta: []byte(`{}`), Data: []byte(`{}`)}}}
		appended(t, log, eventstore.Request{Writes: []eventstore.Write{w}, Erase: []uuid.UUID{subject}})
	}
	erase(one, before)
	ledger, file, err := ledgerOf(t, "2025-09-01T05:00:00Z "+before.String()[:20])
	if err != nil || len(ledger.Subjects()) != 0 {
		t.Fatalf("%v, %v", ledger.Subjects(), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); ledger.Keep(ctx, one, func(err error) { t.Error(err) }) }()
	until(t, "the one erased before", func() bool { return len(ledger.Subjects()) == 1 })
	erase(one, after)
	erase(other, elsewhere)
	until(t, "the two erased now", func() bool { return len(ledger.Subjects()) == 3 })
	stop()
	<-ended
	if err := ledger.CatchUp(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []uuid.UUID{before, after, elsewhere} {
		if n := strings.Count(string(content), subject.String()+"\n"); n != 1 {
			t.Errorf("%s stands in %d lines of\n%s", subject, n, content)
		}
	}
	// Another database, older than the erasures, learns of all of them.
	db2 := pgtest.New(t)
	log2, keys2 := open(t, db2, time.Now, eventstore.NewMaster())
	if _, err := keys2.EnsureKeys(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	again, err := eventstore.OpenErasures(file)
	if err != nil {
		t.Fatal(err)
	}
	readable := func(want ...uuid.UUID) {
		t.Helper()
		if got, err := again.Readable(t.Context(), log2); err != nil || !slices.Equal(got, want) {
			t.Errorf("readable are %v, %v; want %v", got, err, want)
		}
	}
	readable(after)
	for range 2 { // twice is as good as once
		if n, err := again.Apply(t.Context(), log2); err != nil || n != 3 {
			t.Errorf("applied %d, %v", n, err)
		}
	}
	readable()
	// Another ledger learns of them, once.
	third, file3, err := ledgerOf(t, "2025-09-01T05:00:00Z "+before.String()+"\n")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := third.Learn(again); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := os.ReadFile(file3); err != nil || strings.Count(string(content), "\n") != 3 || len(third.Subjects()) != 3 {
		t.Errorf("%v\n%s", err, content)
	}
	for _, subject := range []uuid.UUID{before, after, elsewhere} {
		if _, err := keys2.EnsureKeys(t.Context(), subject); err == nil {
			t.Errorf("%s has a key", subject)
		}
	}
}

func FuzzOpenErasures(f *testing.F) {
	line := "2025-09-01T05:00:00Z 0199a2f0-6d3e-7c11-b8e0-2f6a4f0d9a11\n"
	for _, seed := range []string{"", "\n", line, line + line, line + line[:30], line[:30] + "\n" + line, strings.Repeat("x", 70) + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		e, _, err := ledgerOf(t, content)
		if err == nil && len(e.Subjects()) > strings.Count(content, "\n")+1 {
			t.Errorf("%d subjects", len(e.Subjects()))
		}
	})
}
