package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/domain"
	"zurnals/httpapi"
	"zurnals/internal/metrics"
	"zurnals/migrations"
	"zurnals/projections"
)

// checks are what /readyz asks for. Zurnals doctor looks at most of it too.
func (a *app) checks() []httpapi.Check {
	return []httpapi.Check{
		{Name: "database", Check: func(ctx context.Context) (string, error) {
			_, err := a.log.Head(ctx)
			return "", err
		}},
		{Name: "keys", Check: func(ctx context.Context) (string, error) {
			_, err := a.keys.Derive(ctx, "links")
			return "", err
		}},
		{Name: "migrations", Check: func(ctx context.Context) (string, error) { return checkMigrations(ctx, a.owner) }},
		{Name: "partitions", Check: a.checkPartitions},
		{Name: "read models", Check: a.checkReadModels},
		{Name: "replica", Check: a.checkReplica},
		{Name: "reactions", Check: a.checkReactions},
		{Name: "roles", Check: a.checkRoles},
		{Name: "disk", Check: func(context.Context) (string, error) { return checkDisk(a.cfg.DataDir) }},
		{Name: "clock", Check: a.checkClock},
		{Name: "proof", Check: a.checkProof},
	}
}

// checkMigrations refuses a database that is older than the program. A newer one
// is that of a deploy that is under way: its migrations only add.
func checkMigrations(ctx context.Context, owner string) (warning string, err error) {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	switch have, want, err := migrations.Versions(ctx, conn); {
	case err != nil:
		return "", err
	case have < want:
		return "", fmt.Errorf("the database is at migration %d, this program needs %d: run `zurnals migrate`", have, want)
	case have > want:
		return fmt.Sprintf("the database is at migration %d, this program knows %d: a newer one is being deployed", have, want), nil
	}
	return "", nil
}

// fewPositions is how many positions ahead of the head are so few that the
// upkeep, which prepares a million and more, must have stopped.
const fewPositions = 10_000

func (a *app) checkPartitions(ctx context.Context) (warning string, err error) {
	var ahead int64
	err = a.pool.QueryRow(ctx, `SELECT l.next_position - 1 - h.position FROM es.layout l, es.head h`).Scan(&ahead)
	if err == nil && ahead < fewPositions {
		warning = fmt.Sprintf("the log has partitions for %d more events only: why are no new ones made?", ahead)
	}
	return warning, err
}

func (a *app) checkReadModels(context.Context) (warning string, err error) {
	var wrong, odd []string
	for _, s := range a.engine.Status() {
		switch {
		case s.Position < 0 || s.State == projections.Stopped:
			wrong = append(wrong, strings.TrimSpace(fmt.Sprintf("%s: %s %s", s.Name, s.State, s.Error)))
		case s.State == projections.Paused:
			odd = append(odd, s.Name+" is paused")
		}
		if s.Parked > 0 {
			odd = append(odd, fmt.Sprintf("%s has put %d streams aside", s.Name, s.Parked))
		}
	}
	if len(wrong) > 0 {
		return "", errors.New(strings.Join(wrong, "; "))
	}
	return strings.Join(odd, "; "), nil
}

// checkReactions warns only: whoever asks for a page is served without them.
func (a *app) checkReactions(ctx context.Context) (warning string, err error) {
	statuses, err := a.reacting.engine.Status(ctx, operator())
	var parked []string
	for _, s := range statuses {
		if s.Parked > 0 {
			parked = append(parked, fmt.Sprintf("%s has put %d events aside", s.Name, s.Parked))
		}
	}
	return strings.Join(parked, "; "), err
}

func (a *app) checkRoles(ctx context.Context) (warning string, err error) {
	var owns bool
	err = a.pool.QueryRow(ctx, `SELECT pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'es.event'::regclass`).Scan(&owns)
	if owns {
		warning = "the program runs as the owner of the log, which could change it: use zurnals_app in ZURNALS_DATABASE_URL"
	}
	return warning, err
}

// How much must be free on the disk: with less than the first, PostgreSQL may
// stop at any moment; the second is the time to do something.
const (
	diskGone = 100 << 20
	diskLow  = 2 << 30
)

func checkDisk(dir string) (warning string, err error) {
	free, size, err := metrics.Disk(dir)
	if err != nil {
		return "", err
	}
	return judgeDisk(dir, free, size)
}

func judgeDisk(dir string, free, size uint64) (warning string, err error) {
	switch {
	case free < diskGone:
		return "", fmt.Errorf("%s: %d MB of %d GB are free", dir, free>>20, size>>30)
	case free < diskLow:
		return fmt.Sprintf("%s: only %d MB of %d GB are free", dir, free>>20, size>>30), nil
	}
	return "", nil
}

// checkClock compares the one clock with that of the machine and with the log.
func (a *app) checkClock(ctx context.Context) (warning string, err error) {
	now := a.clock.Now()
	var last time.Time
	if err := a.pool.QueryRow(ctx, `SELECT recorded_at FROM es.head`).Scan(&last); err != nil {
		return "", err
	}
	lead := now.Sub(time.Now()).Round(time.Second)
	switch ahead := last.Sub(now); {
	case ahead > time.Second:
		return fmt.Sprintf("the last event was recorded %v from now: the clock was set back; times in the log stand still until then", ahead.Round(time.Second)), nil
	case lead != 0 && !a.cfg.Dev:
		return fmt.Sprintf("the clock shows %s: it was moved by %v with --dev or by a demo, and this database keeps that",
			now.In(domain.Riga).Format("2006-01-02 15:04"), lead), nil
	}
	return "", nil
}
