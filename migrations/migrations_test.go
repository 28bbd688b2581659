package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/migrations"
)

func TestMigratingTwiceChangesNothing(t *testing.T) {
	db := pgtest.Empty(t)
	for range 2 {
		if err := migrations.Up(t.Context(), db.DSN(embedpg.Owner)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := migrations.Up(t.Context(), db.DSN(embedpg.Owner)); err != nil {
		t.Fatal(err)
	}
	t.Logf("nothing to do: %v", time.Since(begin))
	var applied, distinct int
	if err := db.Owner.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version").Scan(&applied, &distinct); err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(migrations.Files(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if applied != distinct || applied != len(files)+1 { // goose counts from zero
		t.Errorf("%d rows for %d versions and %d files", applied, distinct, len(files))
	}
}

// Nodes that start together all wait for the one that migrates.
func TestSeveralNodesMigrateAtOnce(t *testing.T) {
	db := pgtest.Empty(t)
	results := make(chan error, 4)
	var start sync.WaitGroup
	start.Add(1)
	for range cap(results) {
		go func() {
			start.Wait()
			results <- migrations.Up(context.Background(), db.DSN(embedpg.Owner))
		}()
	}
	start.Done()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestTheApplicationWorksTheQueueAndNothingOwned(t *testing.T) {
	db := pgtest.New(t)
	for _, allowed := range []string{
		"SELECT count(*) FROM jobs.river_job",
		"DELETE FROM jobs.river_job",
		"CREATE SCHEMA rm_example_v1 CREATE TABLE person (id uuid)",
		"CREATE TEMPORARY TABLE page (id uuid)",
	} {
		if _, err := db.App.Exec(t.Context(), allowed); err != nil {
			t.Errorf("the application may not %q: %v", allowed, err)
		}
	}
	for _, refused := range []string{
		"CREATE TABLE public.mine (id int)",
		"SELECT * FROM public.goose_db_version",
		"DROP TABLE jobs.river_job",
		"CREATE ROLE mine",
	} {
		_, err := db.App.Exec(t.Context(), refused)
		assertDenied(t, "the application", refused, err)
	}
}

type exampleJob struct{}

func (exampleJob) Kind() string { return "example" }

func TestTheApplicationPutsJobsIntoTheQueue(t *testing.T) {
	db := pgtest.New(t)
	queue, err := river.NewClient(riverpgxv5.New(db.App), &river.Config{Schema: migrations.RiverSchema})
	if err != nil {
		t.Fatal(err)
	}
	job, err := queue.Insert(t.Context(), exampleJob{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := queue.Insert(t.Context(), exampleJob{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
	if err != nil || !again.UniqueSkippedAsDuplicate {
		t.Errorf("the same job again: %+v, %v", again, err)
	}
	if _, err := queue.JobCancel(t.Context(), job.Job.ID); err != nil {
		t.Errorf("cancel: %v", err)
	}
}

func TestTheAnalystMayDoNothingYet(t *testing.T) {
	db := pgtest.New(t)
	for _, refused := range []string{
		"SELECT count(*) FROM jobs.river_job",
		"CREATE SCHEMA mine",
		"CREATE TABLE public.mine (id int)",
		"CREATE TEMPORARY TABLE mine (id int)",
	} {
		_, err := db.Analyst.Exec(t.Context(), refused)
		assertDenied(t, "the analyst", refused, err)
	}
}

func TestAFunctionIsNotForEverybody(t *testing.T) {
	db := pgtest.New(t)
	if _, err := db.Owner.Exec(t.Context(), "CREATE SCHEMA example; GRANT USAGE ON SCHEMA example TO zurnals_app; CREATE FUNCTION example.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"); err != nil {
		t.Fatal(err)
	}
	_, err := db.App.Exec(t.Context(), "SELECT example.f()")
	assertDenied(t, "the application", "a function nobody granted", err)
}

// On a server of somebody else the owner may lack rights; then the operator is
// told what an administrator has to run, and nothing is changed.
func TestMissingRightsAreToldAsStatements(t *testing.T) {
	db := pgtest.Empty(t)
	err := migrations.Up(t.Context(), db.DSN(embedpg.App))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`ALTER DATABASE "%s" OWNER TO "zurnals_app";`, db.Name)) {
		t.Errorf("a user who does not own the database gets %v", err)
	}

	// A server without our roles: they cannot be dropped on the shared one.
	server, err := embedpg.Start(t.Context(), embedpg.Config{DataDir: pgtest.DataDir(t), Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	super, err := pgx.Connect(t.Context(), server.DSN(embedpg.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(context.Background())
	if _, err := super.Exec(t.Context(), "DROP ROLE zurnals_app; DROP ROLE zurnals_analyst"); err != nil {
		t.Fatal(err)
	}
	err = migrations.Up(t.Context(), server.DSN(embedpg.Owner, embedpg.Database))
	for _, want := range []string{"CREATE ROLE zurnals_app LOGIN;", "CREATE ROLE zurnals_analyst LOGIN;"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q: %v", want, err)
		}
	}
	if _, err := super.Exec(t.Context(), "ALTER ROLE zurnals_owner CREATEROLE"); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), server.DSN(embedpg.Owner, embedpg.Database)); err != nil {
		t.Errorf("an owner who may make roles: %v", err)
	}
}

func TestEachMajorIsMigrated(t *testing.T) {
	found, err := embedpg.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, installed := range found {
		server, err := embedpg.Start(t.Context(), embedpg.Config{DataDir: pgtest.DataDir(t), BinDir: installed.BinDir, Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(t.Context(), server.DSN(embedpg.Owner, embedpg.Database)); err != nil {
			t.Errorf("PostgreSQL %d: %v", installed.Major, err)
		}
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// No number is given twice, so that two people who add a file at the same time
// notice.
func TestFilesAreNumberedInOrder(t *testing.T) {
	files, err := fs.Glob(migrations.Files(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^\d{5}_[a-z_]+\.sql$`)
	taken := make(map[string]string)
	for _, name := range files {
		number, _, _ := strings.Cut(name, "_")
		if !form.MatchString(name) || taken[number] != "" {
			t.Errorf("%s: not a name, or the number of %s", name, taken[number])
		}
		taken[number] = name
	}
}

func TestAWrongAddressIsAnError(t *testing.T) {
	for _, dsn := range []string{"postgres://[", "host=/nowhere user=zurnals_owner dbname=zurnals"} {
		if err := migrations.Up(t.Context(), dsn); err == nil {
			t.Errorf("%q was migrated", dsn)
		}
	}
}

func assertDenied(t *testing.T, who, what string, err error) {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("%s: %q gives %v, want permission denied", who, what, err)
	}
}
