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
	var open []trace.ID
	for _, id := range ids {
		if len(shown[id.Name]) == 0 {
			open = append(open, id)
			continue
		}
		fmt.Fprintf(w, "%-11s %s\n", id.Name, strings.Join(shown[id.Name], ", "))
	}
	fmt.Fprintf(w, "\nNot shown by any test:\n")
	for _, id := range open {
		fmt.Fprintf(w, "%-11s %s\n", id.Name, shorten(id.Text, 110))
	}
	fmt.Fprintf(w, "\n%d of %d requirements and scenarios are shown by tests.\n", len(ids)-len(open), len(ids))
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
