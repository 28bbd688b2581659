// Command zurnals is the whole program: the server, and the tools of those who
// operate it.
//
// A tool finds the embedded database of a running server through its data
// directory, and starts the database for as long as it needs it otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// A subcommand is one thing that the program can do.
type subcommand struct {
	name  string // one or two words
	usage string // what follows the name
	does  string
	run   func(ctx context.Context, args []string, out io.Writer) error
}

func subcommands() []subcommand {
	all := []subcommand{
		{"serve", "[flags]", "serve the API", serve},
		{"tour", "[flags]", "do the main job once on a fresh database and check every step", tourCommand},
		{"migrate", "[flags]", "bring the database up to date and build missing read models", migrate},
		{"doctor", "[-full] [flags]", "look at everything a server needs, and change nothing; fails on problems", doctorCommand},
		{"demo", "[-schools 3] [-students 1500] [-days 20] [-seed 1]", "fill an empty database with a municipality that is made up", demoCommand},
		{"admin create-platform-admin", "-email … -given … -family … -code …", "invite a platform administrator; prints the registration link", createPlatformAdmin},
		{"municipality add", "-name …", "register a municipality", addMunicipality},
		{"school add", "-municipality … -name … [-source …]", "register a school", addSchool},
		{"school-year open", "-school … -name 2025-2026 -from … -to …", "open a school year", openSchoolYear},
		{"class add", "-school … -year … -name 6.a", "create a class", addClass},
		{"replay", "<stream> [-as-of time|position]", "tell the history of a stream; that it was read is recorded", replayStream},
		{"reactions parked", "[<name>]", "what follows from events: how far it is, what was put aside, what became of that", parkedReactions},
		{"reactions replay", "<name> <position>", "handle an event that was put aside", replayReaction},
		{"reactions skip", "<name> <position> -reason …", "give up an event that was put aside", skipReaction},
		{"mail bounce", "[<file>]", "note a letter that came back: reads the report of a mail server, which pipes it here", mailBounce},
		{"audit key", "", "the public key that checkpoints of the log are verified with", auditKey},
		{"audit export", "<file>", "write the log and its newest checkpoint to a file, all columns, sealed data stays sealed", auditExport},
		{"audit prove", "<position> | -from <size> [-to <size>]", "prove that an event is in the log, or that the log continues an earlier one", auditProve},
		{"audit verify", "<file> -key <public key> [-against <checkpoints>]", "verify an export or a proof; needs no database", auditVerify},
		{"backup", "<new folder> [-with-read-models]", "copy the database while it is in use; the master key is not in it, and read models only if asked for", backup},
		{"restore", "<folder> [-ledger <file> | -without-ledger]", "fill an empty database from a backup; whoever was erased since stays erased", restore},
		{"keys rotate", "<file with the new master key>", "wrap all keys by another master key", rotateKeys},
		{"relay", "-nats nats://…", "publish the log to NATS JetStream, for read models elsewhere", relayLog},
		{"project", "-from nats://… [-keys postgres://…]", "keep read models in a database of their own, from what relay publishes", projectStream},
		{"settings", "", "every setting with its environment variable and default", func(_ context.Context, _ []string, out io.Writer) error {
			printSettings(out)
			return nil
		}},
	}
	return append(all, projectionCommands()...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case errors.Is(err, errLater):
		fmt.Fprintln(os.Stderr, "zurnals:", err)
		os.Exit(laterCode)
	default:
		fmt.Fprintln(os.Stderr, "zurnals:", err)
		os.Exit(1)
	}
}

// errUsage says that the command line makes no sense.
var errUsage = errors.New("usage")

// run carries out one command line.
func run(ctx context.Context, args []string, out io.Writer) error {
	for _, words := range []int{2, 1} {
		if len(args) < words {
			continue
		}
		name := args[0]
		if words == 2 {
			name += " " + args[1]
		}
		for _, c := range subcommands() {
			if c.name == name {
				return c.run(ctx, args[words:], out)
			}
		}
	}
	fmt.Fprintln(out, "Žurnāls, the register of a school system kept as a journal.")
	fmt.Fprintln(out)
	for _, c := range subcommands() {
		fmt.Fprintf(out, "  zurnals %s %s\n        %s\n", c.name, c.usage, c.does)
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		return nil
	}
	return fmt.Errorf("%w: there is no command %q", errUsage, args[0])
}

// parse reads the flags of a subcommand into cfg and checks the settings. The
// words that are not flags are returned; flags may stand on both sides of them.
func parse(cfg *Config, flags *flag.FlagSet, args []string) (words []string, err error) {
	if words, err = flagsAndWords(flags, args); err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("%w: settings:\n%w", errUsage, err)
	}
	return words, nil
}

// flagsAndWords sets the flags and returns the words between them.
func flagsAndWords(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

// newLogger returns the logger of the server: one line of JSON an entry.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, nil))
}
