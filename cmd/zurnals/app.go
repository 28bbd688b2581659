package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/commands"
	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/clock"
	"zurnals/internal/credentials"
	"zurnals/internal/embedpg"
	"zurnals/internal/metrics"
	"zurnals/internal/proof"
	"zurnals/migrations"
	"zurnals/projections"
)

// An app is the parts of the program that every subcommand needs, wired.
type app struct {
	cfg    Config
	logger *slog.Logger

	postgres *embedpg.Server // nil: external, or another process supervises it
	dsn      string          // as zurnals_app
	owner    string          // as zurnals_owner
	pool     *pgxpool.Pool
	replica  *pgxpool.Pool // answers queries; nil: pool does
	clock    *clock.Clock
	keys     *eventstore.PostgresKeys
	log      *eventstore.Postgres
	erasures *eventstore.Erasures // the ledger outside the database
	appends  *metrics.Appends     // the log, measured
	commands *commands.Commands
	engine   *projections.Engine
	reacting reacting // of a server only
	sealer   *proof.Sealer

	background sync.WaitGroup
	stopLog    context.CancelFunc
}

// open starts or finds the database, brings it up to date and opens the log.
// Close what it returns.
func open(ctx context.Context, cfg Config, logger *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, logger: logger, stopLog: func() {}}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if err := a.findDatabase(ctx); err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, a.owner); err != nil {
		return nil, err
	}
	pool, err := pgxpool.ParseConfig(a.dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	pool.MaxConns = int32(max(16, 4*runtime.GOMAXPROCS(0)))
	if a.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return nil, err
	}
	if a.clock, err = clock.Open(ctx, a.pool); err != nil {
		return nil, err
	}
	master, err := a.master(ctx)
	if err != nil {
		return nil, err
	}
	if a.keys, err = eventstore.OpenKeys(ctx, a.pool, a.clock.Now, master); err != nil {
		return nil, err
	}
	if a.log, err = eventstore.Open(ctx, a.pool, a.clock.Now, a.keys); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	a.stopLog = stop
	a.background.Go(func() {
		if err := a.log.Run(running); err != nil {
			logger.Error("the log has stopped", "err", err)
		}
	})
	if a.erasures, err = eventstore.OpenErasures(cfg.erasuresFile()); err != nil {
		return nil, err
	}
	a.background.Go(func() {
		a.erasures.Keep(running, a.log, func(err error) { logger.Error("erasures are not kept outside the database", "err", err) })
	})
	passwords, err := credentials.New(a.pool, a.clock.Now, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	links, err := commands.OpenLinks(ctx, a.keys)
	if err != nil {
		return nil, err
	}
	a.appends = metrics.MeasureAppends(a.log)
	a.commands = &commands.Commands{
		Log: a.appends, Keys: a.keys, Catalogue: catalogue.All, Now: a.clock.Now,
		Credentials: passwords, Attempts: new(commands.MemoryAttempts),
		Links: links, AlwaysCode: cfg.LoginCode == "always",
	}
	if a.replica, err = openReplica(ctx, cfg); err != nil {
		return nil, err
	}
	a.engine, err = projections.Open(a.pool, projections.Decoded(a.log, a.keys, catalogue.All),
		projections.Options{Now: a.clock.Now, Logger: logger, Replica: a.replica}, readModels...)
	if err != nil {
		return nil, err
	}
	return a, a.eraseAgain(ctx)
}

// findDatabase finds the embedded PostgreSQL running, or starts it, unless an
// external one is named.
func (a *app) findDatabase(ctx context.Context) error {
	if a.cfg.DatabaseURL != "" {
		a.dsn, a.owner = a.cfg.DatabaseURL, a.cfg.MigrateURL
		return nil
	}
	dir := filepath.Join(a.cfg.DataDir, "postgres")
	address, running := embedpg.Running(dir)
	if !running {
		server, err := embedpg.Start(ctx, embedpg.Config{DataDir: dir, Logger: a.logger})
		if err != nil {
			return fmt.Errorf("embedded PostgreSQL: %w", err)
		}
		a.postgres, address = server, server.Address
	}
	a.dsn = address.DSN(embedpg.App, embedpg.Database)
	a.owner = address.DSN(embedpg.Owner, embedpg.Database)
	return nil
}

// master returns the master key. It is made only on the first start of an
// embedded database: for any other a missing key is a mistake to be put right,
// because a new one could open nothing that is there.
func (a *app) master(ctx context.Context) (*eventstore.Master, error) {
	key, err := eventstore.LoadMaster(os.Getenv("ZURNALS_MASTER_KEY"), a.cfg.MasterKeyFile)
	if !errors.Is(err, eventstore.ErrNoMaster) || a.cfg.DatabaseURL != "" {
		return key, err
	}
	key, err = eventstore.MakeMaster(ctx, a.pool, a.cfg.MasterKeyFile)
	if err == nil {
		fmt.Fprintf(os.Stderr, "A master key was made: %s\nAll personal data is sealed under it. Keep a copy elsewhere: without it the data is lost for good.\n", a.cfg.MasterKeyFile)
	}
	return key, err
}

// close stops everything that open started, in the reverse order.
func (a *app) close() {
	a.stopLog()
	a.background.Wait()
	if a.replica != nil {
		a.replica.Close()
	}
	if a.pool != nil {
		a.pool.Close()
	}
	if a.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		if err := a.postgres.Stop(ctx); err != nil {
			a.logger.Error("embedded PostgreSQL did not stop cleanly", "err", err)
		}
	}
}

// A runFile tells other processes of this machine about a running server.
type runFile struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url"`
	Private string    `json:"private"`
	Started time.Time `json:"started"`
}

func (a *app) runFile() string { return filepath.Join(a.cfg.DataDir, "run.json") }

// announce writes run.json and returns what removes it.
func (a *app) announce(run runFile) (remove func(), err error) {
	data, err := json.MarshalIndent(run, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o755); err != nil {
		return nil, err
	}
	temporary := a.runFile() + ".new"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, a.runFile()); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(a.runFile()) }, nil // a stale one only names a process that is gone
}
