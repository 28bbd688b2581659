package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"zurnals/eventstore"
)

// rotateKeys wraps all keys by another master key. The old one opens nothing
// any more but older backups, so it is kept as long as they are.
func rotateKeys(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "keys rotate", args, nil, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals keys rotate <file with the new master key>", errUsage)
		}
		if !exists(words[0]) {
			return fmt.Errorf("%s does not exist; make one: (umask 077; openssl rand -base64 32 > %[1]s)", words[0])
		}
		to, err := eventstore.LoadMaster("", words[0])
		if err != nil {
			return err
		}
		from, err := a.master(ctx)
		if err != nil {
			return err
		}
		if from.ID() == to.ID() {
			return fmt.Errorf("%s holds the master key that is in use", words[0])
		}
		if err := a.keys.Rotate(ctx, to); err != nil {
			return err
		}
		fmt.Fprintf(out, "All keys are wrapped by %s now.\n", to.ID())
		switch {
		case os.Getenv("ZURNALS_MASTER_KEY") != "":
			fmt.Fprintln(out, "Set ZURNALS_MASTER_KEY to it, then start every server again.")
		default:
			fmt.Fprintf(out, "Put it in the place of %s, then start every server again.\n", a.cfg.MasterKeyFile)
		}
		fmt.Fprintf(out, "Keep the old one, %s, as long as there are backups made with it.\n", from.ID())
		return nil
	})
}
