package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/demo"
)

var errNotEmpty = errors.New("the log is not empty: a demo is made only where nothing has happened yet; name another -data-dir")
var errServes = errors.New("a server runs on this data directory: stop it first, for the demo turns its clock on")

// demoCommand fills an empty database with a municipality that is made up.
func demoCommand(ctx context.Context, args []string, out io.Writer) error {
	var size demo.Size
	return tool(ctx, "demo", args, func(f *flag.FlagSet) {
		f.IntVar(&size.Schools, "schools", 3, "how many schools")
		f.IntVar(&size.Students, "students", 1500, "how many pupils, in all schools together")
		f.IntVar(&size.Days, "days", 20, "how many days of lessons, from 1 September 2025 on")
		f.Uint64Var(&size.Seed, "seed", 1, "the same seed makes the same people and marks")
	}, func(a *app, words []string) error {
		if len(words) > 0 {
			return fmt.Errorf("%w: demo takes flags only, not %q", errUsage, words[0])
		}
		if err := size.Check(); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if a.postgres == nil && a.cfg.DatabaseURL == "" {
			return errServes
		}
		return a.generate(ctx, size, out)
	})
}

// generate makes the demo and tells how fast that went.
func (a *app) generate(ctx context.Context, size demo.Size, out io.Writer) error {
	switch head, err := a.log.Head(ctx); {
	case err != nil:
		return err
	case head > 0:
		return errNotEmpty
	}
	if err := a.clock.Set(ctx, demoStart); err != nil {
		return err
	}
	d := &demo.Demo{Size: size, Commands: a.commands, Clock: a.clock, Password: demoPassword}
	planned, err := d.Planned()
	if err != nil {
		return err
	}
	bar := startBar(out, d, planned)
	began := time.Now()
	err = d.Found(ctx)
	if err == nil {
		err = a.demoStaff(ctx, d)
	}
	founded, taught := time.Since(began), time.Now()
	if err == nil {
		err = d.Teach(ctx)
	}
	bar.stop()
	if err != nil {
		return fmt.Errorf("the demo is not whole: %w", err)
	}
	teaching := time.Since(taught)
	head, err := a.log.Head(ctx)
	if err != nil {
		return err
	}
	took, c := time.Since(began), d.Counts()
	fmt.Fprintf(out, "%d schools, %d classes, %d pupils, %d registers in %v.\n", c.Schools, c.Classes, c.Students, c.Registers, founded.Round(100*time.Millisecond))
	fmt.Fprintf(out, "%d lessons with %d marks in %v: %.0f marks/s.\n", c.Lessons, c.Marks, teaching.Round(100*time.Millisecond), float64(c.Marks)/teaching.Seconds())
	fmt.Fprintf(out, "%d events in %v: %.0f events/s.\n", head, took.Round(100*time.Millisecond), float64(head)/took.Seconds())
	built := time.Now()
	if err := a.engine.Prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "Read models built in %v.\n", time.Since(built).Round(100*time.Millisecond))
	fmt.Fprintf(out, "\nThe clock of this database shows %s. Look at it with:\n  zurnals serve -dev -data-dir %s\n", a.clock.Now().In(domain.Riga).Format("2006-01-02 15:04"), a.cfg.DataDir)
	fmt.Fprintf(out, "Sign in as one of the demo accounts; class teachers have the same password, %s.\n", demoPassword)
	return nil
}

// demoStaff invites those who are told at the start of a development server, to
// the first school.
func (a *app) demoStaff(ctx context.Context, d *demo.Demo) error {
	class := d.Place("6.a")
	s := &demoSchool{
		municipality: d.Municipality, school: class.School, class: class,
		place: access.Scope{Municipality: class.Municipality, School: class.School},
	}
	for _, p := range demoPeople {
		if err := a.demoPerson(ctx, s, p); err != nil {
			return fmt.Errorf("demo account %s: %w", p.email, err)
		}
	}
	return nil
}

// A bar shows how far a demo is: on a terminal as a line that fills up,
// elsewhere as a line every ten per cent.
type bar struct {
	out       io.Writer
	d         *demo.Demo
	planned   demo.Counts
	began     time.Time
	terminal  bool
	shown     int // per cent
	end, gone chan struct{}
}

func startBar(out io.Writer, d *demo.Demo, planned demo.Counts) *bar {
	b := &bar{out: out, d: d, planned: planned, began: time.Now(), end: make(chan struct{}), gone: make(chan struct{})}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	go b.run()
	return b
}

func (b *bar) run() {
	defer close(b.gone)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.show()
		case <-b.end:
			b.show()
			if b.terminal {
				fmt.Fprintln(b.out)
			}
			return
		}
	}
}

// stop shows the end of it.
func (b *bar) stop() {
	close(b.end)
	<-b.gone
}

func (b *bar) show() {
	done := b.d.Counts()
	// A register takes about as long as two lessons, a pupil as half of one.
	weight := func(c demo.Counts) int64 { return 2*c.Lessons + 4*c.Registers + c.Students }
	percent := int(100 * weight(done) / max(1, weight(b.planned)))
	line := fmt.Sprintf("%3d %%  %d of %d pupils, %d of %d registers, %d of %d lessons", percent,
		done.Students, b.planned.Students, done.Registers, b.planned.Registers, done.Lessons, b.planned.Lessons)
	switch {
	case b.terminal:
		left := ""
		if percent > 2 {
			passed := time.Since(b.began)
			left = ", " + (passed * time.Duration(100-percent) / time.Duration(percent)).Round(time.Second).String() + " to go"
		}
		fmt.Fprintf(b.out, "\r[%-30s] %s%s   ", strings.Repeat("█", 30*percent/100), line, left)
	case percent/10 > b.shown/10 || percent == 100 && b.shown < 100:
		fmt.Fprintln(b.out, line)
		b.shown = percent
	}
}
