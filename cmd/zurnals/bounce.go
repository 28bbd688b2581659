package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"zurnals/internal/mail"
	"zurnals/internal/reactions"
)

// errLater says that a mail server should hand its message over once more.
var errLater = errors.New("try again later")

// laterCode is what a mail server takes for that (EX_TEMPFAIL of sysexits.h).
const laterCode = 75

// mailBounce reads a message that a mail server hands over, from the standard
// input or a file, and notes the letter that came back. Whatever else comes to
// the address is left alone without a word to who sent it: it may be a program
// that would answer.
func mailBounce(ctx context.Context, args []string, out io.Writer) error {
	err := reactionTool(ctx, "mail bounce", args, nil, func(e *reactions.Engine, words []string) error {
		message := os.Stdin
		switch len(words) {
		case 0:
		case 1:
			file, err := os.Open(words[0])
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			defer file.Close()
			message = file
		default:
			return fmt.Errorf("%w: zurnals mail bounce [<file>]", errUsage)
		}
		bounce, err := mail.ReadBounce(message)
		var stream string
		if err == nil {
			stream, err = e.Returned(ctx, operator(), bounce)
		}
		switch {
		case errors.Is(err, mail.ErrNoBounce), errors.Is(err, reactions.ErrNoLetter):
			fmt.Fprintf(out, "Nothing to note: %v.\n", err)
			return nil
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "%s: the letter about event %d was %s.\n", stream, bounce.Position, bounce.Reason)
		return nil
	})
	if err != nil && !errors.Is(err, errUsage) {
		return fmt.Errorf("%w: %w", errLater, err)
	}
	return err
}
