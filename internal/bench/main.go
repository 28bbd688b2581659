// Command bench compares appends to the log with the floor (a transaction of
// one plain INSERT into the same table with no check at all), with COPY, and
// with two event stores for PostgreSQL from npm, on one server with fsync.
//
// All candidates of a comparison take turns in every round, so that whatever
// else the machine does meets all of them, and a ratio is the median of the
// ratios of the rounds. What PostgreSQL works is taken from the kernel's count
// for its processes.
//
//	go run ./internal/bench -rounds 7 -report docs/benchmarks.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"zurnals/internal/pgtest"
)

// settings of a run.
type settings struct {
	rounds int
	each   time.Duration
	only   *regexp.Regexp
	grown  int    // events of a log that has grown
	peers  string // folder of node_modules, "" for none
	report string // file to write into
}

func main() {
	var s settings
	var only string
	flag.IntVar(&s.rounds, "rounds", 7, "rounds of each comparison")
	flag.DurationVar(&s.each, "each", 1500*time.Millisecond, "how long each candidate runs in a round")
	flag.StringVar(&only, "only", "", "comparisons whose name matches this expression")
	flag.IntVar(&s.grown, "grown", 1_000_000, "events of the log that has grown")
	flag.StringVar(&s.peers, "peers", ".peers", "folder with the peers, see internal/bench/peers.sh; skipped when it is not there")
	flag.StringVar(&s.report, "report", "", "file whose part between the marks of this program is written anew")
	args, measure := os.Args[1:], run
	if len(args) > 0 && args[0] == "directory" {
		args, measure = args[1:], directory
	}
	_ = flag.CommandLine.Parse(args) // ends the program if it cannot
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if s.only, err = regexp.Compile(only); err == nil {
		err = measure(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	var report strings.Builder
	fmt.Fprintf(&report, "Taken %s with `%s` on %s. Load of the machine before the run: %s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), command(), machine(), load())
	for _, k := range []struct {
		disk        time.Duration
		comparisons []comparison
	}{{0, comparisons()}, {slowDisk, onSlowDisk()}} {
		if err := runOn(ctx, s, k.disk, k.comparisons, &report); err != nil {
			return err
		}
	}
	fmt.Fprintf(&report, "\nLoad of the machine after it: %s.\n", load())
	if s.report == "" {
		return nil
	}
	return writeReport(s.report, report.String())
}

// runOn runs comparisons on a server of their own, which waits as long as disk
// says before it writes its log to the real one. What others write meanwhile is
// taken along, as on a disk that is slower: PostgreSQL calls it commit_delay.
func runOn(ctx context.Context, s settings, disk time.Duration, comparisons []comparison, report *strings.Builder) (err error) {
	comparisons = slices.DeleteFunc(comparisons, func(c comparison) bool { return !s.only.MatchString(c.name) })
	if len(comparisons) == 0 {
		return nil
	}
	server, dir, err := pgtest.StartServer(ctx, pgtest.Durable, "commit_siblings=0", fmt.Sprint("commit_delay=", disk.Microseconds()))
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = errors.Join(err, server.Stop(stopping), os.RemoveAll(dir))
	}()
	b := &bench{settings: s, server: server}
	if b.cpu, err = watchPostgres(dir + "/pg/postmaster.pid"); err != nil {
		return err
	}
	fmt.Fprintf(report, "\nPostgreSQL %d on the same machine, fsync on, commit_delay %s:\n", server.Major, disk)
	for _, c := range comparisons {
		table, err := b.compare(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Print(table)
		report.WriteString(table)
	}
	return nil
}

func command() string {
	args := []string{"go run ./internal/bench"}
	for _, a := range os.Args[1:] {
		if strings.ContainsAny(a, " |$") {
			a = strconv.Quote(a)
		}
		args = append(args, a)
	}
	return strings.Join(args, " ")
}

// Marks of what this program writes into the report.
const (
	begin = "<!-- begin: go run ./internal/bench -->\n"
	end   = "<!-- end: go run ./internal/bench -->\n"
)

func writeReport(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		return fmt.Errorf("%s has no lines\n%s%s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
