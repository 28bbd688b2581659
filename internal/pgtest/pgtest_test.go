package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"zurnals/internal/embedpg"
)

func TestEveryTestHasADatabaseOfItsOwn(t *testing.T) {
	ctx := context.Background()
	one, other := New(t), New(t)
	if _, err := one.Owner.Exec(ctx, "CREATE SCHEMA mine"); err != nil {
		t.Fatal(err)
	}
	var seen bool
	if err := other.Owner.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'mine')").Scan(&seen); err != nil {
		t.Fatal(err)
	}
	if seen {
		t.Error("one test sees the schema of another")
	}
}

func TestEachPoolIsItsRole(t *testing.T) {
	ctx := context.Background()
	db := New(t)
	for role, pool := range map[string]interface {
		Ping(context.Context) error
	}{embedpg.Owner: db.Owner, embedpg.App: db.App, embedpg.Analyst: db.Analyst} {
		if err := pool.Ping(ctx); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	var who string
	if err := db.App.QueryRow(ctx, "SELECT current_user").Scan(&who); err != nil || who != embedpg.App {
		t.Errorf("the pool of the application is %q, %v", who, err)
	}
	if _, err := db.App.Exec(ctx, "CREATE SCHEMA rm_mine"); err != nil {
		t.Errorf("the application cannot make a schema for a read model: %v", err)
	}
	if _, err := db.Analyst.Exec(ctx, "CREATE SCHEMA rm_theirs"); err == nil {
		t.Error("the analyst can make a schema")
	}
}

func TestADatabaseIsDroppedAtTheEnd(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) { name = Empty(t).Name })
	var exists bool
	if err := New(t).Owner.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		t.Fatal(err)
	}
	if exists {
		t.Errorf("%s is still there", name)
	}
}

// The folder of a run that was killed does not stay for ever.
func TestTheNextRunSweepsWhatAKilledOneLeft(t *testing.T) {
	gone, left, err := StartServer(t.Context(), Fast)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Stop(t.Context()); err != nil { // but does not remove its folder
		t.Fatal(err)
	}
	running, dir, err := StartServer(t.Context(), Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Cleanup(func() { _ = running.Stop(context.Background()) })
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	sweep()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the folder of a running server was swept: %v", err)
	}
}

func TestAToolIsFoundWhereTheServerIs(t *testing.T) {
	if path, ok := Tool(t, "initdb"); !ok || filepath.Base(path) != "initdb" {
		t.Errorf("initdb is %q", path)
	}
	t.Setenv("CI", "")
	if path, ok := Tool(t, "pg_nosuchtool"); ok {
		t.Errorf("found %q", path)
	}
}

func BenchmarkNew(b *testing.B) {
	for range b.N {
		open(b, true).drop(b)
	}
}
