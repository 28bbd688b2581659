package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/migrations"
)

func TestADatabaseSaysWhichMigrationsItHas(t *testing.T) {
	ask := func(dsn string) (have, want int64) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if have, want, err = migrations.Versions(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		return have, want
	}
	if have, want := ask(pgtest.Empty(t).DSN(embedpg.Owner)); have != 0 || want == 0 {
		t.Errorf("an empty one: %d of %d", have, want)
	}
	db := pgtest.New(t)
	dsn := db.DSN(embedpg.Owner)
	have, want := ask(dsn)
	if have != want {
		t.Errorf("a whole one: %d of %d", have, want)
	}
	change := func(sql string) {
		t.Helper()
		if _, err := db.Owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	change(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`)
	if have, _ := ask(dsn); have != 99999 {
		t.Errorf("one of a newer program: %d", have)
	}
	change(`DELETE FROM goose_db_version WHERE version_id = 3`)
	if have, _ := ask(dsn); have != 2 {
		t.Errorf("one without the third: %d", have)
	}
}
