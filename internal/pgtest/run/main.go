// Command run runs a command, such as `go test ./...`, with one PostgreSQL
// server for all its test processes: `run [-durable] command arguments…`.
// With -durable the server writes to the disk with fsync, as benchmarks want.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"zurnals/internal/pgtest"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	durability := pgtest.Fast
	if len(args) > 0 && args[0] == "-durable" {
		durability, args = pgtest.Durable, args[1:]
	}
	if len(args) == 0 {
		return 2, errors.New("usage: run [-durable] command arguments…")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, dir, err := pgtest.StartServer(ctx, durability)
	if err != nil {
		return 1, err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if stopErr := errors.Join(server.Stop(stopCtx), os.RemoveAll(dir)); stopErr != nil {
			code, err = 1, errors.Join(err, stopErr)
		}
	}()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), pgtest.SocketEnv+"="+server.Socket)
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
