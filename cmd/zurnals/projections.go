package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"zurnals/projections"
)

// projectionCommands operate the read models. They work through the database,
// so that they may be used beside running servers, which see what they are told
// within a fifth of a second.
func projectionCommands() []subcommand {
	return []subcommand{
		{"projections list", "", "how the read models are: position, lag, what is parked, what is being built", listProjections},
		{"projections prepare", "", "build the read models that this version of the program needs, while another version serves", prepareProjections},
		{"projections rebuild", "[-no-swap] <name>", "build a read model anew while it is in use", rebuildProjection},
		{"projections swap", "<name>", "put the tables in use that were built with -no-swap", swapProjection},
		{"projections rollback", "<name>", "put the tables back that were last replaced", rollBackProjection},
		{"projections pause", "<name>", "let a read model stand still, on all nodes", pauseProjection},
		{"projections resume", "<name>", "let a read model go on that was paused, or try again that stopped", resumeProjection},
		{"projections parked", "[<name>]", "streams that were put aside, each at an event that could not be handled", parkedStreams},
		{"projections replay", "<name> <stream>", "let a read model handle a stream that it has put aside", replayParked},
	}
}

// operate runs f for the read model that is named.
func operate(ctx context.Context, what string, args []string, f func(*app, string) error) error {
	return tool(ctx, "projections "+what, args, nil, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals projections %s <name>", errUsage, what)
		}
		return f(a, words[0])
	})
}

func listProjections(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "projections list", args, nil, func(a *app, _ []string) error {
		all, err := a.engine.Look(ctx)
		if err != nil {
			return err
		}
		head, err := a.log.Head(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "head of the log: %d\n", head)
		t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "name\tversion\tstate\tposition\tlag\tparked\t")
		for _, s := range all {
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%d\t%s\n", s.Name, s.Version, s.State, s.Position, s.Lag, s.Parked, s.Error)
			if s.Rebuild != nil {
				fmt.Fprintf(t, "\t\t%s\n", progress(*s.Rebuild))
			}
		}
		return t.Flush()
	})
}

// progress tells how far a build is.
func progress(p projections.Progress) string {
	s := p.Phase
	if p.Total > 0 {
		s += fmt.Sprintf(" %d of %d", p.Done, p.Total)
	}
	if p.ETA > 0 {
		s += fmt.Sprintf(", about %v left", p.ETA.Round(time.Second))
	}
	return s
}

// telling prints how far builds are, every second, until stop is called.
func (a *app) telling(out io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
			for _, s := range a.engine.Status() {
				if s.Rebuild != nil {
					fmt.Fprintf(out, "%s: %s\n", s.Name, progress(*s.Rebuild))
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

func prepareProjections(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "projections prepare", args, nil, func(a *app, _ []string) error {
		before, err := a.engine.Look(ctx)
		if err != nil {
			return err
		}
		stop := a.telling(out)
		err = a.engine.Prepare(ctx)
		stop()
		if err != nil {
			return err
		}
		after, err := a.engine.Look(ctx)
		if err != nil {
			return err
		}
		for i, s := range after {
			if before[i].Position < 0 {
				fmt.Fprintf(out, "%s: version %d built up to %d, %d streams parked\n", s.Name, s.Version, s.Position, s.Parked)
			} else {
				fmt.Fprintf(out, "%s: version %d is there\n", s.Name, s.Version)
			}
		}
		return nil
	})
}

func rebuildProjection(ctx context.Context, args []string, out io.Writer) error {
	var noSwap bool
	more := func(f *flag.FlagSet) {
		f.BoolVar(&noSwap, "no-swap", false, "only build the new tables; swap puts them in use, within a day")
	}
	return tool(ctx, "projections rebuild", args, more, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals projections rebuild [-no-swap] <name>", errUsage)
		}
		name, rebuild := words[0], a.engine.Rebuild
		if noSwap {
			rebuild = a.engine.Build
		}
		stop := a.telling(out)
		r, err := rebuild(ctx, name)
		stop()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d rows from %d events in %v", r.Name, r.Rows, r.Events, r.Total.Round(time.Millisecond))
		if noSwap {
			fmt.Fprintf(out, "; `zurnals projections swap %s` puts them in use\n", name)
		} else {
			fmt.Fprintf(out, "; queries were blocked for %v\n", r.Blocked.Round(time.Microsecond))
		}
		switch {
		case len(r.Different) > 0 && noSwap:
			fmt.Fprintf(out, "The tables in use are not as the log has it: %v.\n", r.Different)
		case len(r.Different) > 0:
			fmt.Fprintf(out, "The tables that were in use were not as the log has it: %v. `zurnals projections rollback %s` puts them back.\n", r.Different, name)
		case r.Compared:
			fmt.Fprintln(out, "They equal those that were in use.")
		}
		return nil
	})
}

func swapProjection(ctx context.Context, args []string, out io.Writer) error {
	return operate(ctx, "swap", args, func(a *app, name string) error {
		if err := a.engine.Swap(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: the new tables are in use\n", name)
		return nil
	})
}

func rollBackProjection(ctx context.Context, args []string, out io.Writer) error {
	return operate(ctx, "rollback", args, func(a *app, name string) error {
		if err := a.engine.Rollback(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: the former tables are in use\n", name)
		return nil
	})
}

func pauseProjection(ctx context.Context, args []string, out io.Writer) error {
	return operate(ctx, "pause", args, func(a *app, name string) error {
		if err := a.engine.Pause(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s stands still\n", name)
		return nil
	})
}

func resumeProjection(ctx context.Context, args []string, out io.Writer) error {
	return operate(ctx, "resume", args, func(a *app, name string) error {
		if err := a.engine.Resume(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s goes on\n", name)
		return nil
	})
}

func parkedStreams(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "projections parked", args, nil, func(a *app, names []string) error {
		if len(names) == 0 {
			for _, s := range a.engine.Status() {
				names = append(names, s.Name)
			}
		}
		t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "name\tstream\tposition\tversion\twaiting\tsince\tproblem")
		for _, name := range names {
			parked, err := a.engine.Parked(ctx, name)
			if err != nil {
				return err
			}
			for _, p := range parked {
				fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", name, p.Stream, p.Position, p.Version, p.Waiting, p.At.Format(time.RFC3339), p.Problem)
			}
		}
		return t.Flush()
	})
}

func replayParked(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "projections replay", args, nil, func(a *app, words []string) error {
		if len(words) != 2 {
			return fmt.Errorf("%w: zurnals projections replay <name> <stream>", errUsage)
		}
		if err := a.engine.Replay(ctx, words[0], words[1]); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s goes on with %s\n", words[0], words[1])
		return nil
	})
}
