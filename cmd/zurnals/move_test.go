package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/pgtest"
	"zurnals/internal/trace"
)

// moving returns the SQL of docs/scale.md that writes the ledger of everybody
// who does not move, for a municipality and the schemas of a database.
func moving(t *testing.T, db *pgtest.DB, municipality domain.MunicipalityID) string {
	t.Helper()
	root, err := trace.Root()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, sql, ok := strings.Cut(string(doc), "```sql\n-- everybody else\n")
	if sql, _, ok = strings.Cut(sql, "\n```"); !ok {
		t.Fatal("docs/scale.md does not say how a municipality moves")
	}
	for _, name := range []string{"organisation", "staff", "students"} {
		sql = strings.ReplaceAll(sql, "{"+name+"}", schemaIn(t, db, name))
	}
	return strings.ReplaceAll(sql, ":municipality", "'"+municipality.String()+"'")
}

// A municipality moves to a database of its own: a copy of the whole log, in
// which only its own people can be read.
func TestAMunicipalityMovesToADatabaseOfItsOwn(t *testing.T) {
	if _, ok := pgtest.Tool(t, "pg_dump"); !ok {
		return
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	home, away := newInstallation(t, pgtest.New(t)), newInstallation(t, pgtest.Empty(t))
	key, err := os.ReadFile(filepath.Join(home.dir, "master.key"))
	must(err)
	must(os.WriteFile(filepath.Join(away.dir, "master.key"), key, 0o600))

	var moves domain.MunicipalityID
	a := home.open()
	for i, p := range []struct{ place, name, code, email string }{
		{"Kuldīgas novads", "Kalniņa", "320101-12345", "kalnina@kuldiga.example"}, {"Talsu novads", "Bērziņš", "320202-12345", "berzins@talsi.example"},
	} {
		m, err := a.commands.RegisterMunicipality(ctx, operator(), commands.RegisterMunicipality{Name: p.place})
		must(err)
		school, err := a.commands.RegisterSchool(ctx, operator(), commands.RegisterSchool{Municipality: m, Name: "Skola"})
		must(err)
		for _, at := range []access.Scope{{Municipality: m}, {Municipality: m, School: school}} {
			person := commands.InviteUser{Place: at, GivenName: "Anna", FamilyName: p.name, PersonalCode: p.code, Email: p.email}
			if !at.School.IsZero() { // somebody else at the school
				person.PersonalCode, person.Email = p.code[:7]+"54321", "skola."+p.email
			}
			_, err = a.commands.InviteUser(ctx, operator(), person)
			must(err)
		}
		if i == 0 {
			moves = m
		}
	}
	must(a.engine.Prepare(ctx))
	ledger := filepath.Join(t.TempDir(), "others.ledger")
	found, err := a.pool.Query(ctx, moving(t, home.db, moves))
	must(err)
	lines, err := pgx.CollectRows(found, pgx.RowTo[string])
	must(err)
	must(os.WriteFile(ledger, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	a.close()

	saved := filepath.Join(t.TempDir(), "copy")
	home.does("backup", saved)
	away.does("restore", saved, "-ledger", ledger)

	b := away.open()
	defer b.close()
	names := func(a *app) (all []string) {
		rows, err := a.pool.Query(context.Background(), `SELECT family_name FROM `+schemaIn(t, away.db, "staff")+`.person WHERE family_name <> '' ORDER BY 1`)
		must(err)
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		must(err)
		return all
	}
	if got := names(b); !slices.Equal(got, []string{"Kalniņa", "Kalniņa"}) {
		t.Errorf("in the new database one can read %q", got)
	}
	// Work goes on there, after the log that was copied.
	_, err = b.commands.RegisterSchool(ctx, operator(), commands.RegisterSchool{Municipality: moves, Name: "Jaunā skola"})
	must(err)
}

// open opens the program on the installation, without serving.
func (i *installation) open() *app {
	i.t.Helper()
	var cfg Config
	if _, err := parse(&cfg, cfg.flags("test"), i.flags); err != nil {
		i.t.Fatal(err)
	}
	a, err := open(i.t.Context(), cfg, newLogger(os.Stderr))
	if err != nil {
		i.t.Fatal(err)
	}
	return a
}

// schemaIn returns where a database has the tables of a read model.
func schemaIn(t *testing.T, db *pgtest.DB, name string) string {
	t.Helper()
	schemas := tables(t, db)
	at := slices.IndexFunc(schemas, func(s string) bool { return strings.HasPrefix(s, "rm_"+name+"_v") })
	if at < 0 {
		t.Fatalf("no read model %s in %v", name, schemas)
	}
	return schemas[at]
}
