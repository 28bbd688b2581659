package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/identity"
	"zurnals/eventstore"
	"zurnals/internal/pgtest"
)

// site is a data directory of its own, as on a machine of its own.
func site(t *testing.T) string { return filepath.Dir(pgtest.DataDir(t)) }

func opened(t *testing.T, dir string) *app {
	t.Helper()
	var cfg Config
	if _, err := parse(&cfg, cfg.flags("test"), []string{"-data-dir", dir}); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), cfg, newLogger(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// noted appends an event with a sealed text about somebody.
func noted(t *testing.T, a *app, stream string, version int, subject uuid.UUID, text string) error {
	t.Helper()
	sealer, err := a.keys.EnsureKeys(t.Context(), subject)
	if err != nil {
		return err
	}
	e := eventstore.NewEvent{ID: uuid.New(), Type: "test.noted", Schema: 1, Meta: []byte(`{}`)}
	sealed, err := sealer.Seal(e.ID, subject, "text", text)
	if err != nil {
		t.Fatal(err)
	}
	if e.Data, err = json.Marshal(map[string]string{"text": sealed}); err != nil {
		t.Fatal(err)
	}
	_, err = a.log.Append(t.Context(), eventstore.Request{
		Writes: []eventstore.Write{{Stream: stream, Expected: version, Events: []eventstore.NewEvent{e}}}, Subjects: []uuid.UUID{subject},
	})
	return err
}

// A server is lost. Its backup is restored on another machine: everything up to
// the backup is there, work goes on, and who was erased after the backup was
// made stays erased.
func TestBackupAndRestore(t *testing.T) {
	if _, ok := pgtest.Tool(t, "pg_dump"); !ok {
		return
	}
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	said := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(ctx, args, &out)
		return out.String(), err
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := said(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %q, %v; want %q", args, out, err, want)
		}
	}
	old, fresh, saved := site(t), site(t), filepath.Join(t.TempDir(), "monday")

	a := opened(t, old)
	invited := func(email, given, family, code string) domain.AccountID {
		t.Helper()
		id, _, err := a.commands.CreatePlatformAdmin(ctx, operator(), commands.InviteUser{Email: email, GivenName: given, FamilyName: family, PersonalCode: code})
		must(err)
		return id
	}
	laura := invited("laura.kalnina@rsp.lv", "Laura", "Kalniņa", "320101-12345")
	someone := uuid.New() // a person without an account
	_, err := a.keys.EnsureKeys(ctx, someone)
	must(err)
	oskars := invited("oskars.berzins@rsp.lv", "Oskars", "Bērziņš", "320202-12345")
	must(a.engine.Prepare(ctx))
	made, err := a.backup(ctx, saved, false)
	must(err)
	if _, err := a.backup(ctx, saved, false); err == nil {
		t.Error("a backup took the place of another")
	}
	must(a.commands.DeleteAgain(ctx, operator(), laura))
	newer := invited("inese.ozola@rsp.lv", "Inese", "Ozola", "320303-12345") // whom the backup does not know
	must(a.commands.DeleteAgain(ctx, operator(), newer))
	_, err = a.log.Append(ctx, eventstore.Request{Command: uuid.New(), Erase: []uuid.UUID{someone}})
	must(err)
	ledger := a.cfg.erasuresFile()
	must(a.erasures.CatchUp(ctx, a.log))                            // the server does so within a second
	later := commands.RegisterMunicipality{Name: "Vēlākais novads"} // is lost: it came after the backup
	_, err = a.commands.RegisterMunicipality(ctx, operator(), later)
	must(err)
	a.close()

	dump, err := os.ReadFile(filepath.Join(saved, dumpFile))
	must(err)
	for _, secret := range []string{"Kalniņa", "Oskars"} {
		if bytes.Contains(dump, []byte(secret)) {
			t.Errorf("the backup tells the name %s", secret)
		}
	}

	// Nothing is changed as long as something is missing.
	refused("master key", "restore", saved, "-data-dir", fresh, "-ledger", ledger)
	key, err := os.ReadFile(filepath.Join(old, "master.key"))
	must(err)
	must(os.WriteFile(filepath.Join(fresh, "master.key"), []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600))
	refused("the backup needs "+made.Master, "restore", saved, "-data-dir", fresh, "-ledger", ledger)
	must(os.WriteFile(filepath.Join(fresh, "master.key"), key, 0o600))
	refused("name the newest one", "restore", saved, "-data-dir", fresh)
	refused("is no backup", "restore", t.TempDir(), "-data-dir", fresh, "-ledger", ledger)
	must(os.WriteFile(filepath.Join(saved, dumpFile), append(bytes.Clone(dump), 0), 0o600))
	refused("has changed since", "restore", saved, "-data-dir", fresh, "-ledger", ledger)
	must(os.WriteFile(filepath.Join(saved, dumpFile), dump, 0o600))

	out, err := said("restore", saved, "-data-dir", fresh, "-ledger", ledger)
	must(err)
	t.Log(out)
	refused("has a log already", "restore", saved, "-data-dir", fresh, "-ledger", ledger)

	b := opened(t, fresh)
	defer b.close()
	head, err := b.log.Head(ctx)
	must(err)
	// What happened again is that Laura's roles and account are gone.
	events, err := eventstore.Collect(b.log.ReadAll(ctx, made.Position, 0))
	must(err)
	var again []string
	for _, e := range events {
		again = append(again, e.Type)
	}
	if want := []string{"access.role_taken", "access.membership_ended", "identity.account_deleted"}; !slices.Equal(again, want) {
		t.Errorf("after the backup at %d: %v", made.Position, again)
	}
	for id, want := range map[domain.AccountID]string{laura: "", oskars: "Bērziņš"} {
		events, err := eventstore.Collect(b.log.ReadStream(ctx, "account-"+id.String(), 1))
		must(err)
		must(b.keys.Open(ctx, events))
		told := false
		for _, e := range events {
			told = told || bytes.Contains(e.Data, []byte("Kalniņa")) || bytes.Contains(e.Data, []byte("Bērziņš"))
		}
		if len(events) == 0 || told != (want != "") || events[0].Erased != (want == "") {
			t.Errorf("%s: %d events, the name is told: %v; want %q", id, len(events), told, want)
		}
	}
	var erased *eventstore.ErasedError
	for _, id := range []uuid.UUID{laura.UUID, someone, newer.UUID} {
		if _, err := b.keys.EnsureKeys(ctx, id); !errors.As(err, &erased) {
			t.Errorf("a key for an erased person: %v", err)
		}
	}
	// The names that she held are free; those of others are not.
	var held int
	must(b.pool.QueryRow(ctx, `SELECT count(*) FROM es.claim WHERE stream = $1`, "account-"+laura.String()).Scan(&held))
	if held > 0 {
		t.Errorf("an erased person holds %d names", held)
	}
	invite := func(email, code string) (domain.AccountID, error) {
		id, _, err := b.commands.CreatePlatformAdmin(ctx, operator(), commands.InviteUser{Email: email, GivenName: "Laura", FamilyName: "Kalniņa", PersonalCode: code})
		return id, err
	}
	if id, err := invite("laura.kalnina@rsp.lv", "320101-12345"); err != nil || id == laura {
		t.Errorf("she is invited anew: %v, %v", id, err)
	}
	if _, err := invite("oskars.berzins@rsp.lv", "320404-12345"); err == nil {
		t.Error("the address of somebody else is free")
	}
	_, err = b.commands.RegisterMunicipality(ctx, operator(), later)
	must(err)
	if next, err := b.log.Head(ctx); err != nil || next <= head {
		t.Errorf("the log does not go on after %d: %d, %v", head, next, err)
	}
	kept, err := eventstore.OpenErasures(b.cfg.erasuresFile())
	must(err)
	if got := kept.Subjects(); len(got) != 3 || !slices.Contains(got, laura.UUID) {
		t.Errorf("the new ledger names %v", got)
	}
	// The application of the new server can still not change the log.
	if _, err := b.pool.Exec(ctx, `DELETE FROM es.event`); err == nil {
		t.Error("the restored log can be changed")
	}
	if len(b.engine.Status()) == 0 {
		t.Error("there are no read models")
	}
}

// With read models in the backup nothing is built: they go on from where they
// were, and forget whom the ledger names. Whoever fears the names in them takes
// their file away, and they are built.
func TestReadModelsAreRestoredToo(t *testing.T) {
	if _, ok := pgtest.Tool(t, "pg_dump"); !ok {
		return
	}
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old, saved := site(t), filepath.Join(t.TempDir(), "monday")
	a := opened(t, old)
	for email, code := range map[string]string{"laura.kalnina@rsp.lv": "320101-12345", "oskars.berzins@rsp.lv": "320202-12345"} {
		_, _, err := a.commands.CreatePlatformAdmin(ctx, operator(), commands.InviteUser{Email: email, GivenName: "Vārds", FamilyName: "Uzvārds", PersonalCode: code})
		must(err)
	}
	head, err := a.log.Head(ctx)
	must(err)
	must(a.readUp(ctx, head))
	people := func(a *app) (all []string) {
		t.Helper()
		rows, err := a.pool.Query(ctx, `SELECT email || ' ' || given_name FROM `+staffSchema(t, a)+`.person ORDER BY 1`)
		must(err)
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		must(err)
		return all
	}
	// What no rebuild would make.
	_, err = a.pool.Exec(ctx, `UPDATE `+staffSchema(t, a)+`.person SET given_name = 'Marked'`)
	must(err)
	made, err := a.backup(ctx, saved, true)
	must(err)
	if len(made.Models) != len(readModels) {
		t.Errorf("of %d read models %v are in the backup", len(readModels), made.Models)
	}
	laura, _, err := a.log.Holder(ctx, identity.EmailClaim("").Kind, "laura.kalnina@rsp.lv")
	must(err)
	id, err := domain.ParseID[domain.AccountID](strings.TrimPrefix(laura, "account-"))
	must(err)
	must(a.commands.DeleteAgain(ctx, operator(), id))
	ledger := a.cfg.erasuresFile()
	must(a.erasures.CatchUp(ctx, a.log))
	a.close()

	restored := func() *app {
		t.Helper()
		fresh := site(t)
		key, err := os.ReadFile(filepath.Join(old, "master.key"))
		must(err)
		must(os.WriteFile(filepath.Join(fresh, "master.key"), key, 0o600))
		var out bytes.Buffer
		must(run(ctx, []string{"restore", saved, "-data-dir", fresh, "-ledger", ledger}, &out))
		t.Log(out.String())
		b := opened(t, fresh)
		t.Cleanup(b.close)
		return b
	}
	b := restored()
	if got := people(b); !slices.Equal(got, []string{"oskars.berzins@rsp.lv Marked"}) {
		t.Errorf("the read model shows %q", got)
	}
	// It goes on with what happens now.
	_, _, err = b.commands.CreatePlatformAdmin(ctx, operator(), commands.InviteUser{Email: "inese@rsp.lv", GivenName: "Inese", FamilyName: "Ozola", PersonalCode: "320303-12345"})
	must(err)
	head, err = b.log.Head(ctx)
	must(err)
	must(b.readUp(ctx, head))
	if got := people(b); !slices.Equal(got, []string{"inese@rsp.lv Inese", "oskars.berzins@rsp.lv Marked"}) {
		t.Errorf("the read model shows %q", got)
	}

	// A restore that was broken off while it put them in place.
	half := site(t)
	key, err := os.ReadFile(filepath.Join(old, "master.key"))
	must(err)
	must(os.WriteFile(filepath.Join(half, "master.key"), key, 0o600))
	must(os.WriteFile(filepath.Join(half, "erased.ledger"), []byte("2025-09-01T05:00:00Z "+id.String()+"\n"), 0o600))
	var cfg Config
	_, err = parse(&cfg, cfg.flags("test"), []string{"-data-dir", half})
	must(err)
	database := &app{cfg: cfg, logger: newLogger(os.Stderr), stopLog: func() {}}
	must(database.findDatabase(ctx))
	must(fillEmpty(ctx, database.owner, filepath.Join(saved, dumpFile)))
	if err := restoreModels(ctx, database.owner, database.dsn, filepath.Join(saved, "no.dump"), made.Models); err == nil {
		t.Error("read models were restored from nothing")
	}
	database.close()
	c := opened(t, half)
	t.Cleanup(c.close)
	head, err = c.log.Head(ctx)
	must(err)
	must(c.readUp(ctx, head))
	if got := people(c); !slices.Equal(got, []string{"oskars.berzins@rsp.lv Vārds"}) {
		t.Errorf("the read model shows %q", got)
	}

	must(os.Remove(filepath.Join(saved, modelsFile)))
	if got := people(restored()); !slices.Equal(got, []string{"oskars.berzins@rsp.lv Vārds"}) {
		t.Errorf("the read model shows %q", got)
	}
}

// staffSchema is where the read model of the staff is.
func staffSchema(t *testing.T, a *app) string {
	t.Helper()
	for _, s := range a.engine.Status() {
		if s.Name == "staff" {
			return s.Schema
		}
	}
	t.Fatal("there is no read model of the staff")
	return ""
}

// A copy was put in place by hand, and nobody thought of the ledger: the next
// start does.
func TestALedgerIsAppliedAtTheStart(t *testing.T) {
	ctx, dir := t.Context(), site(t)
	a := opened(t, dir)
	laura, _, err := a.commands.CreatePlatformAdmin(ctx, operator(), commands.InviteUser{Email: "laura.kalnina@rsp.lv", GivenName: "Laura", FamilyName: "Kalniņa", PersonalCode: "320101-12345"})
	if err != nil {
		t.Fatal(err)
	}
	ledger := a.cfg.erasuresFile()
	a.close()
	if err := os.WriteFile(ledger, []byte("2025-09-01T05:00:00Z "+laura.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a = opened(t, dir)
	defer a.close()
	var erased *eventstore.ErasedError
	if _, err := a.keys.EnsureKeys(ctx, laura.UUID); !errors.As(err, &erased) {
		t.Errorf("she is readable: %v", err)
	}
	if _, found, err := a.log.Holder(ctx, identity.EmailClaim("").Kind, "laura.kalnina@rsp.lv"); found || err != nil {
		t.Errorf("she holds her address: %v, %v", found, err)
	}
}

// After a rotation the old master key opens nothing, the new one everything.
func TestKeysRotate(t *testing.T) {
	ctx, dir := t.Context(), site(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := opened(t, dir)
	subject := uuid.New()
	must(noted(t, a, "note-1", 0, subject, "Ilze"))
	before, err := a.keys.Derive(ctx, "links")
	must(err)
	a.close()
	next := filepath.Join(dir, "next.key")
	var out bytes.Buffer
	if err := run(ctx, []string{"keys", "rotate", next, "-data-dir", dir}, &out); err == nil {
		t.Error("rotated to a file that is not there")
	}
	must(os.WriteFile(next, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600))
	must(run(ctx, []string{"keys", "rotate", next, "-data-dir", dir}, &out))
	var cfg Config
	if _, err := parse(&cfg, cfg.flags("test"), []string{"-data-dir", dir}); err != nil {
		t.Fatal(err)
	}
	if a, err := open(ctx, cfg, newLogger(os.Stderr)); !errors.Is(err, eventstore.ErrWrongMaster) {
		t.Errorf("the old key still opens: %v", err)
		a.close()
	}
	must(os.Rename(next, cfg.MasterKeyFile))
	a = opened(t, dir)
	defer a.close()
	after, err := a.keys.Derive(ctx, "links")
	must(err)
	if !bytes.Equal(before, after) {
		t.Error("the rotation changed the secret of links")
	}
	events, err := eventstore.Collect(a.log.ReadStream(ctx, "note-1", 1))
	must(err)
	must(a.keys.Open(ctx, events))
	if string(events[0].Data) != `{"text":"Ilze"}` {
		t.Errorf("%s", events[0].Data)
	}
}

func TestAPasswordStaysOffTheCommandLine(t *testing.T) {
	for dsn, want := range map[string][2]string{
		"postgres://o:p%40ss@h:5433/z?sslmode=disable": {"postgres://o@h:5433/z?sslmode=disable", "p@ss"},
		"postgres://o@h/z": {"postgres://o@h/z", ""},
		"host=/run user=o dbname=z password='geheim' a=b": {"host=/run user=o dbname=z a=b", "geheim"},
	} {
		address, password, err := splitPassword(dsn)
		if err != nil || address != want[0] || password != want[1] {
			t.Errorf("%s: %q %q %v", dsn, address, password, err)
		}
	}
	if _, _, err := splitPassword("postgres://o:geheim@%zz/z"); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}
