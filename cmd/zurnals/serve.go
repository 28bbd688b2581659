package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"zurnals/httpapi"
	"zurnals/internal/oidc"
	"zurnals/internal/passkeys"
	"zurnals/internal/securitylog"
	"zurnals/internal/sessions"
)

// drainTime is how long requests in hand may take when the server stops. With
// the database after it, everything is over within five seconds.
const drainTime = 2 * time.Second

// serve runs the server until ctx is done.
func serve(ctx context.Context, args []string, out io.Writer) error {
	var cfg Config
	flags := cfg.flags("serve")
	demo := flags.Bool("demo", true, "with -dev: fill an empty database with a demo school")
	if words, err := parse(&cfg, flags, args); err != nil {
		return err
	} else if len(words) > 0 {
		return fmt.Errorf("%w: serve takes flags only, not %q", errUsage, words[0])
	}
	logger := newLogger(os.Stderr)
	slog.SetDefault(logger)

	// The ports first: a second server on the same ones changes nothing.
	public, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return err
	}
	defer public.Close()
	private, err := net.Listen("tcp", cfg.PrivateAddr)
	if err != nil {
		return err
	}
	defer private.Close()

	started := time.Now()
	a, err := open(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.openReactions(ctx); err != nil {
		return err
	}
	if err := a.openProof(ctx, a.checkpointMail()); err != nil {
		return err
	}
	// Before anybody is served: who signs in to half a demo disturbs it.
	isDemo, err := a.isDemo(ctx, cfg.Dev && *demo)
	if err != nil {
		return err
	}
	api, err := a.api(ctx)
	if err != nil {
		return err
	}
	ops := &httpapi.Ops{API: api, Checks: a.checks()}
	a.measure(ops.Registry())

	// What works in the background ends after the last request has.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	workers.Go(func() {
		if err := a.engine.Run(working); err != nil {
			logger.Error("the read models have stopped", "err", err)
		}
	})
	workers.Go(func() { a.react(working) })
	workers.Go(func() { a.sweep(working) })
	workers.Go(func() { a.seal(working) })

	servers := []*http.Server{httpapi.Server(cfg.Addr, api.Handler()), httpapi.Server(cfg.PrivateAddr, ops.Handler())}
	failed := make(chan error, len(servers))
	for i, l := range []net.Listener{public, private} {
		go func() { failed <- servers[i].Serve(l) }()
	}
	remove, err := a.announce(runFile{PID: os.Getpid(), URL: "http://" + public.Addr().String(), Private: "http://" + private.Addr().String(), Started: started})
	if err != nil {
		return err
	}
	defer remove()
	if err := a.engine.WaitFor(ctx, -1); err == nil {
		a.welcome(out, time.Since(started), isDemo)
		debug.FreeOSMemory() // what only the start needed; an idle server would keep it for minutes
	}

	select {
	case err = <-failed:
	case <-ctx.Done():
	case <-a.databaseGone():
		err = fmt.Errorf("embedded PostgreSQL ended: %w", a.postgres.Err())
	}
	draining, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, s := range servers {
		if e := s.Shutdown(draining); e != nil {
			_ = s.Close() // requests that would not end are cut off
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// databaseGone is closed when the embedded PostgreSQL has ended for good.
func (a *app) databaseGone() <-chan struct{} {
	if a.postgres == nil {
		return nil
	}
	return a.postgres.Done()
}

// api returns the HTTP API over the parts.
func (a *app) api(ctx context.Context) (*httpapi.API, error) {
	addressKey, err := a.keys.Derive(ctx, "network addresses")
	if err != nil {
		return nil, err
	}
	external, err := a.external()
	if err != nil {
		return nil, err
	}
	keys, err := passkeys.New(a.pool, a.clock.Now, a.cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	return &httpapi.API{
		Commands: a.commands, Views: a.engine.DB(), Engine: a.engine,
		Who: a.commands, Learners: a.commands, External: external, Passkeys: keys,
		Sessions: &sessions.Store{Pool: a.pool, Now: a.clock.Now},
		Security: &securitylog.Store{Pool: a.pool, Now: a.clock.Now},
		Now:      a.clock.Now, Log: a.logger,
		PublicURL: a.cfg.PublicURL, Insecure: a.cfg.Dev, HashKey: addressKey, Proxies: a.cfg.proxies,
		Proofs:    a.sealer,
		Reactions: lookedAfter{a.reacting.engine},
		Dev:       a.dev(),
	}, nil
}

// sweep forgets, now and then, what is no longer of use outside the log.
func (a *app) sweep(ctx context.Context) {
	everyHour := time.NewTicker(time.Hour)
	defer everyHour.Stop()
	for {
		if err := a.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			a.logger.Warn("sweeping failed", "err", err)
		}
		select {
		case <-everyHour.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweepOnce goes by the one clock, like all that is kept.
func (a *app) sweepOnce(ctx context.Context) error {
	security := &securitylog.Store{Pool: a.pool, Now: a.clock.Now}
	signedIn := &sessions.Store{Pool: a.pool, Now: a.clock.Now}
	external := &oidc.Flows{Pool: a.pool, Now: a.clock.Now}
	keys, err := passkeys.New(a.pool, a.clock.Now, a.cfg.PublicURL)
	if err != nil {
		return err
	}
	return errors.Join(security.Sweep(ctx), signedIn.Sweep(ctx), external.Sweep(ctx), keys.Sweep(ctx),
		a.commands.SweepCredentials(ctx))
}
