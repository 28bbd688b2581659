// Command report lists which requirements and scenarios the tests show, from a
// trace file written by the tests: `report <trace file>`.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"zurnals/internal/trace"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: report <trace file>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(file string, out io.Writer) error {
	root, err := trace.Root()
	if err != nil {
		return err
	}
	ids, err := trace.Catalogue(root)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	shown, err := read(f)
	if err != nil {
		return err
	}
	return write(out, ids, shown)
}

// read gives the tests of each id, each once, in order.
func read(r io.Reader) (map[string][]string, error) {
	shown := map[string][]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 3 {
			return nil, fmt.Errorf("not a trace line: %q", lines.Text())
		}
		test := part[2] + "." + part[1]
		if !slices.Contains(shown[part[0]], test) {
			shown[part[0]] = append(shown[part[0]], test)
		}
	}
	for _, tests := range shown {
		slices.Sort(tests)
	}
	return shown, lines.Err()
}

func write(out io.Writer, ids []trace.ID, shown map[string][]string) error {
	w := bufio.NewWriter(out)
	apart := make(map[string]trace.Gap)
	for _, gap := range trace.Apart {
		apart[gap.ID] = gap
	}
	var open, named []trace.ID
	whole := 0
	for _, id := range ids {
		_, gap := apart[id.Name]
		switch tests := shown[id.Name]; {
		case len(tests) > 0:
			fmt.Fprintf(w, "%-11s %s\n", id.Name, strings.Join(tests, ", "))
			whole++
		case gap:
			named = append(named, id)
		default:
			open = append(open, id)
		}
	}
	for _, why := range []trace.Why{trace.Later, trace.Page, trace.Staff} {
		fmt.Fprintf(w, "\nWhat %s:\n", why)
		for _, id := range named {
			if gap := apart[id.Name]; gap.Why == why {
				fmt.Fprintf(w, "%-11s %s\n", id.Name, gap.Missing)
				if tests := shown[trace.InPart(id.Name)]; len(tests) > 0 {
					fmt.Fprintf(w, "%-11s by %s\n", "", strings.Join(tests, ", "))
				}
			}
		}
	}
	fmt.Fprintf(w, "\nNot shown by any test:\n")
	for _, id := range open {
		fmt.Fprintf(w, "%-11s %s\n", id.Name, shorten(id.Text, 110))
	}
	fmt.Fprintf(w, "\n%d of %d requirements and scenarios are shown by tests; %d more stand apart, with the reason.\n", whole, len(ids), len(named))
	return w.Flush()
}

// shorten cuts by runes: the catalogue is half Latvian.
func shorten(text string, runes int) string {
	r := []rune(text)
	if len(r) <= runes {
		return text
	}
	return string(r[:runes-1]) + "…"
}
