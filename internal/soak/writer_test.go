package soak

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
)

// What a writer process is told by its parent.
const (
	dsnEnv     = "ZURNALS_SOAK_DSN"
	masterEnv  = "ZURNALS_SOAK_MASTER"
	streamsEnv = "ZURNALS_SOAK_STREAMS"
)

// inProcess is how many goroutines of a writer process append.
const inProcess = 32

func TestMain(m *testing.M) {
	if os.Getenv(dsnEnv) == "" {
		os.Exit(m.Run())
	}
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

// write is the main function of a writer process: it appends until SIGTERM, and
// prints a line about every append:
//
//	ack <first position> <event> <event> …
//	no <event> …       it was refused
//	perhaps <event> …  nobody knows
func write() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	master, err := eventstore.LoadMaster(os.Getenv(masterEnv), "")
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, os.Getenv(dsnEnv))
	if err != nil {
		return err
	}
	defer pool.Close()
	keys, err := eventstore.OpenKeys(ctx, pool, time.Now, master)
	if err != nil {
		return err
	}
	log, err := eventstore.Open(ctx, pool, time.Now, keys)
	if err != nil {
		return err
	}
	running, end := context.WithCancel(context.Background())
	var log0 sync.WaitGroup
	log0.Go(func() { _ = log.Run(running) }) // always nil
	streams := strings.Split(os.Getenv(streamsEnv), ",")
	var writers sync.WaitGroup
	for range inProcess {
		writers.Go(func() {
			for ctx.Err() == nil {
				writeOne(ctx, log, streams)
			}
		})
	}
	writers.Wait() // those under way are finished and listed
	end()
	log0.Wait()
	return nil
}

// writeOne makes one append to one or two streams. Its events say in meta how
// many they are.
func writeOne(ctx context.Context, log *eventstore.Postgres, streams []string) {
	working := context.WithoutCancel(ctx)
	first := rand.IntN(len(streams))
	names := []string{streams[first]}
	if rand.IntN(3) == 0 {
		names = append(names, streams[(first+1)%len(streams)])
	}
	versions := []int{eventstore.Any, eventstore.Any}
	if rand.IntN(2) == 0 {
		var err error
		if versions, err = log.Versions(working, names...); err != nil {
			wait(ctx, 20*time.Millisecond)
			return
		}
	}
	var r eventstore.Request
	var ids []string
	count := make([]int, len(names))
	total := 0
	for i := range names {
		count[i] = 1 + rand.IntN(3)
		total += count[i]
	}
	meta := fmt.Appendf(nil, `{"r":%q,"n":%d}`, uuid.NewString(), total)
	for i, name := range names {
		w := eventstore.Write{Stream: name, Expected: versions[i]}
		for range count[i] {
			id := uuid.New()
			ids = append(ids, id.String())
			w.Events = append(w.Events, eventstore.NewEvent{ID: id, Type: "soak.written", Schema: 1, Meta: meta, Data: []byte(`{}`)})
		}
		r.Writes = append(r.Writes, w)
	}
	result, err := log.Append(working, r)
	line := strings.Join(ids, " ") + "\n"
	var conflict *eventstore.ConflictError
	switch {
	case err == nil:
		line = fmt.Sprintf("ack %d %s", result.First, line)
	case errors.As(err, &conflict):
		line = "no " + line
	default:
		line = "perhaps " + line
		wait(ctx, 20*time.Millisecond)
	}
	os.Stdout.WriteString(line) // one call, one line: whole even when killed
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// newMaster makes a master key as a setting has it.
func newMaster() string {
	var key [32]byte
	for i := range key {
		key[i] = byte(rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(key[:])
}
