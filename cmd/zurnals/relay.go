package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/domain/catalogue"
	"zurnals/eventstore"
	"zurnals/internal/clock"
	"zurnals/internal/relay"
	"zurnals/migrations"
	"zurnals/projections"
	"zurnals/projections/analytics"
	"zurnals/projections/organisation"
)

// impersonal are the read models that hold nothing of what is sealed: a node
// without keys can build them.
var impersonal = []projections.Any{organisation.Projection, analytics.AttendanceWeek}

// stream adds the flag that says which stream of the cluster it is.
func stream(f *flag.FlagSet, c *relay.Config) {
	f.StringVar(&c.Name, "stream", "zurnals", "name of the stream, and first word of its subjects")
}

// relayLog publishes the log until ctx ends. Several may run: one publishes,
// the others stand by.
func relayLog(ctx context.Context, args []string, out io.Writer) error {
	var c relay.Config
	return tool(ctx, "relay", args, func(f *flag.FlagSet) {
		stream(f, &c)
		f.IntVar(&c.Replicas, "replicas", 0, "nodes that keep the stream, when it is made (default 3 of a cluster, else 1)")
	}, func(a *app, words []string) error {
		if c.URL = a.cfg.NATS; len(words) > 0 || c.URL == "" {
			return fmt.Errorf("%w: zurnals relay -nats nats://…", errUsage)
		}
		c.Logger = a.logger
		r, err := relay.Open(c, a.log)
		if err != nil {
			return err
		}
		defer r.Close()
		fmt.Fprintf(out, "Publishing the log to the stream %s; what is sealed stays sealed.\n", c.Name)
		err = r.Run(ctx)
		at, _ := r.Position()
		fmt.Fprintf(out, "The stream is at position %d.\n", at)
		return err
	})
}

// projectStream keeps read models in a database of their own, from the stream,
// until ctx ends.
func projectStream(ctx context.Context, args []string, out io.Writer) error {
	var cfg Config
	var from relay.Config
	flags := cfg.flags("project")
	stream(flags, &from)
	flags.StringVar(&cfg.NATS, "from", cfg.NATS, "the same as -nats")
	words, err := parse(&cfg, flags, args)
	switch {
	case err != nil:
		return err
	case len(words) > 0 || cfg.NATS == "":
		return fmt.Errorf("%w: zurnals project -from nats://… [-keys postgres://…]", errUsage)
	}
	from.URL = cfg.NATS
	a := &app{cfg: cfg, stopLog: func() {}, logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	defer a.close()
	if err := a.openFollower(ctx); err != nil {
		return err
	}
	keys, models, closeKeys, err := a.openedWith(ctx, cfg.KeysURL)
	if err != nil {
		return err
	}
	defer closeKeys()
	from.Logger = a.logger
	source, err := relay.Follow(ctx, from)
	if err != nil {
		return err
	}
	defer source.Close()
	if a.engine, err = projections.Open(a.pool, projections.Decoded(source, keys, catalogue.All),
		projections.Options{Now: a.clock.Now, Logger: a.logger, Partial: true}, models...); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var both sync.WaitGroup
	defer both.Wait()
	defer stop()
	both.Go(func() {
		if err := source.Run(running); err != nil {
			a.logger.Error("the stream is followed no more", "err", err)
		}
	})
	both.Go(func() {
		if err := a.engine.Run(running); err != nil {
			a.logger.Error("the read models have stopped", "err", err)
		}
	})
	head, err := source.Head(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := a.engine.WaitFor(ctx, head); err != nil {
		return nil // told to end before they were built
	}
	var names []string
	for _, s := range a.engine.Status() {
		names = append(names, s.Name)
	}
	fmt.Fprintf(out, "%s: at position %d after %v, and following.\n", strings.Join(names, ", "), head, time.Since(began).Round(time.Millisecond))
	<-ctx.Done()
	return nil
}

// openFollower opens a database that has read models and no log.
func (a *app) openFollower(ctx context.Context) (err error) {
	if err := a.findDatabase(ctx); err != nil {
		return err
	}
	if err := migrations.Up(ctx, a.owner); err != nil {
		return err
	}
	pool, err := pgxpool.ParseConfig(a.dsn)
	if err != nil {
		return fmt.Errorf("database address: %w", err)
	}
	pool.MaxConns = int32(max(16, 4*runtime.GOMAXPROCS(0)))
	if a.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return err
	}
	var head int64
	if err := a.pool.QueryRow(ctx, `SELECT position FROM es.head`).Scan(&head); err != nil {
		return err
	}
	if head > 0 {
		return errors.New("this database has a log of its own, whose read models must not be made from another: name one with -database-url and -migrate-url, or -data-dir")
	}
	a.clock, err = clock.Open(ctx, a.pool)
	return err
}

// openedWith returns what opens what is sealed, and the read models that can be
// made with it.
func (a *app) openedWith(ctx context.Context, url string) (projections.Opener, []projections.Any, func(), error) {
	if url == "" {
		return eventstore.NoKeys{}, impersonal, func() {}, nil
	}
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: -keys is not the address of a database", errUsage) // it may hold a password
	}
	c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	c.MaxConns = cmp.Or(c.MaxConns, 4)
	master, err := eventstore.LoadMaster(os.Getenv("ZURNALS_MASTER_KEY"), a.cfg.MasterKeyFile)
	if err != nil {
		return nil, nil, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, nil, nil, err
	}
	keys, err := eventstore.ReadKeys(ctx, pool, a.clock.Now, master)
	if err != nil {
		pool.Close()
		return nil, nil, nil, err
	}
	return keys, readModels, pool.Close, nil
}
