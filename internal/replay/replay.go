// Package replay writes the history of a stream as a text that people read
// (notikumu atskaņojums). It is what the command zurnals replay prints. Nothing
// happens again by it: no mail is sent, no job is made.
package replay

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
)

// A Reader reads histories. *commands.Commands does.
type Reader interface {
	StreamHistory(ctx context.Context, by access.Actor, stream string, page commands.HistoryPage) (commands.History, error)
}

// Stream writes what has happened to a stream up to a moment, which is as
// commands.ParseAsOf reads it.
func Stream(ctx context.Context, w io.Writer, r Reader, by access.Actor, stream, asOf string, zone *time.Location) error {
	moment, err := commands.ParseAsOf(asOf)
	if err != nil {
		return err
	}
	page := commands.HistoryPage{AsOf: moment, Limit: 200}
	events := 0
	for {
		h, err := r.StreamHistory(ctx, by, stream, page)
		if err != nil {
			return err
		}
		if page.After == 0 {
			if _, err := fmt.Fprintf(w, "%s as of position %d\n", stream, h.AsOf); err != nil {
				return err
			}
		}
		if err := Entries(w, h.Entries, zone); err != nil {
			return err
		}
		events += len(h.Entries)
		if h.Next == 0 {
			break
		}
		page.After, page.AsOf = h.Next, commands.AsOfPosition(h.AsOf) // the log has grown by the reading
	}
	_, err = fmt.Fprintf(w, "\nevents: %d\n", events)
	return err
}

// Entries writes entries, each with what it changes:
//
//	12  2025-09-01 08:41:07  attendance.marks_taken  (version 3)
//	    by account 0198… (L. B.) as instructor, manual
//	    marks.0198….status  P → L
func Entries(w io.Writer, entries []commands.Entry, zone *time.Location) error {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "\n%6d  %s  %s  (version %d)\n", e.Position, e.At.In(zone).Format(time.DateTime), e.Type, e.Version)
		fmt.Fprintf(&b, "        by %s\n", who(e))
		if e.Reason != "" {
			fmt.Fprintf(&b, "        because: %s\n", printed(e.Reason))
		}
		wide := 0
		for _, c := range e.Changes {
			wide = max(wide, len(c.Field))
		}
		for _, c := range e.Changes {
			switch {
			case c.Old == "":
				fmt.Fprintf(&b, "        %-*s  %s\n", wide, c.Field, printed(c.New))
			case c.New == "":
				fmt.Fprintf(&b, "        %-*s  %s → (none)\n", wide, c.Field, printed(c.Old))
			default:
				fmt.Fprintf(&b, "        %-*s  %s → %s\n", wide, c.Field, printed(c.Old), printed(c.New))
			}
		}
		if e.Omitted > 0 {
			fmt.Fprintf(&b, "        … and %d more\n", e.Omitted)
		}
		if e.Erased {
			b.WriteString("        (data of an erased person is missing)\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func who(e commands.Entry) string {
	var b strings.Builder
	b.WriteString(string(e.By.Actor))
	if e.By.Actor != domain.ActorSystem && e.By.Actor != domain.ActorAnonymous && e.By.ActorID != [16]byte{} {
		b.WriteString(" " + e.By.ActorID.String())
	}
	if e.Name != "" {
		b.WriteString(" (" + e.Name + ")")
	}
	if e.By.Role != "" {
		b.WriteString(" as " + e.By.Role)
	}
	if e.Method != "" {
		b.WriteString(", " + e.Method)
	}
	if e.By.Request != "" {
		b.WriteString(", request " + e.By.Request)
	}
	return b.String()
}

// printed returns a text on one line, with nothing in it that a terminal obeys.
func printed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}
