package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"zurnals/internal/oneroster"
	"zurnals/internal/tour"
)

// tourCommand takes the tour in a directory of its own, which is removed after
// it, except when something was amiss.
func tourCommand(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) > 0 {
		return fmt.Errorf("%w: zurnals tour takes nothing", errUsage)
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	school, err := oneroster.Sample(oneroster.SampleSchool)
	if err != nil {
		return err
	}
	edfi, err := oneroster.Sample(oneroster.SampleEdFi)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "zurnals-tour-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL may be another user
		return err
	}
	if err := tour.Run(ctx, tour.Options{Binary: binary, Dir: dir, Out: out, School: school, EdFi: edfi}); err != nil {
		return fmt.Errorf("%w\nwhat is left of it: %s", err, dir)
	}
	return os.RemoveAll(dir)
}
