package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/httpapi"
	"zurnals/internal/reactions"
)

// allReactions are the reactions of the program.
var allReactions = []reactions.Reaction{reactions.Mail}

// reactionTool runs f with the reactions, whose jobs it does not do: a server
// does those.
func reactionTool(ctx context.Context, name string, args []string, more func(*flag.FlagSet), f func(*reactions.Engine, []string) error) error {
	return tool(ctx, name, args, more, func(a *app, words []string) error {
		engine, err := reactions.Open(ctx, reactions.Config{
			Pool: a.pool, Log: a.log, Now: a.clock.Now, Reactions: allReactions, Logger: a.logger,
		})
		if err != nil {
			return err
		}
		return f(engine, words)
	})
}

func parkedReactions(ctx context.Context, args []string, out io.Writer) error {
	return reactionTool(ctx, "reactions parked", args, nil, func(e *reactions.Engine, words []string) error {
		if len(words) > 1 {
			return fmt.Errorf("%w: zurnals reactions parked [<name>]", errUsage)
		}
		all, err := e.Status(ctx, operator())
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		for _, s := range all {
			if len(words) == 1 && words[0] != s.Name {
				continue
			}
			fmt.Fprintf(t, "%s\tat %d of %d\t%d parked\n", s.Name, s.Position, s.Head, s.Parked)
			parked, err := e.Parked(ctx, operator(), s.Name)
			if err != nil {
				return err
			}
			for _, p := range parked {
				fmt.Fprintf(t, "\t%d\t%s\t%s\n", p.Position, p.At.UTC().Format(time.RFC3339), p.Reason)
			}
			settled, err := e.Settled(ctx, operator(), s.Name)
			if err != nil {
				return err
			}
			for _, d := range settled {
				fmt.Fprintf(t, "\t%d\t%s\t%s %s\n", d.Position, d.At.UTC().Format(time.RFC3339), d.How, d.Reason)
			}
		}
		if len(words) == 1 {
			if _, err := e.Parked(ctx, operator(), words[0]); err != nil {
				return err
			}
		}
		return t.Flush()
	})
}

func replayReaction(ctx context.Context, args []string, out io.Writer) error {
	return reactionTool(ctx, "reactions replay", args, nil, func(e *reactions.Engine, words []string) error {
		name, position, err := parkedEvent("replay", words)
		if err != nil {
			return err
		}
		if err := e.Replay(ctx, operator(), name, position); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: event %d is handled; a server does what follows from it.\n", name, position)
		return nil
	})
}

func skipReaction(ctx context.Context, args []string, out io.Writer) error {
	var reason string
	return reactionTool(ctx, "reactions skip", args, func(f *flag.FlagSet) {
		f.StringVar(&reason, "reason", "", "why it is given up; kept")
	}, func(e *reactions.Engine, words []string) error {
		name, position, err := parkedEvent("skip -reason …", words)
		if err != nil {
			return err
		}
		if err := e.Skip(ctx, operator(), name, position, reason); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: event %d is given up.\n", name, position)
		return nil
	})
}

// parkedEvent reads <name> <position>.
func parkedEvent(verb string, words []string) (name string, position int64, err error) {
	if len(words) == 2 {
		position, err = strconv.ParseInt(words[1], 10, 64)
	}
	if len(words) != 2 || err != nil || position < 1 {
		return "", 0, fmt.Errorf("%w: zurnals reactions %s <name> <position>", errUsage, verb)
	}
	return words[0], position, nil
}

// lookedAfter is the reactions as the API shows them.
type lookedAfter struct{ *reactions.Engine }

// Status implements httpapi.Reactions, as do the others.
func (l lookedAfter) Status(ctx context.Context, by access.Actor) ([]httpapi.ReactionStatus, error) {
	found, err := l.Engine.Status(ctx, by)
	all := make([]httpapi.ReactionStatus, len(found))
	for i, s := range found {
		all[i] = httpapi.ReactionStatus(s)
	}
	return all, err
}

func (l lookedAfter) Parked(ctx context.Context, by access.Actor, name string) ([]httpapi.ParkedEvent, error) {
	found, err := l.Engine.Parked(ctx, by, name)
	all := make([]httpapi.ParkedEvent, len(found))
	for i, p := range found {
		all[i] = httpapi.ParkedEvent(p)
	}
	return all, err
}

func (l lookedAfter) Settled(ctx context.Context, by access.Actor, name string) ([]httpapi.SettledEvent, error) {
	found, err := l.Engine.Settled(ctx, by, name)
	all := make([]httpapi.SettledEvent, len(found))
	for i, s := range found {
		all[i] = httpapi.SettledEvent(s)
	}
	return all, err
}

func (l lookedAfter) LastLetters(ctx context.Context, accounts ...domain.AccountID) (map[domain.AccountID]httpapi.LastLetter, error) {
	found, err := l.Engine.LastLetters(ctx, accounts...)
	all := make(map[domain.AccountID]httpapi.LastLetter, len(found))
	for account, letter := range found {
		all[account] = httpapi.LastLetter{State: string(letter.State), Reason: letter.Reason, At: letter.At.UTC()}
	}
	return all, err
}
