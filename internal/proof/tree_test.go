package proof

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func itoa(n int) string { return strconv.Itoa(n) }

// stored are the hashes of a house, as the table keeps them.
func (h *house) stored(n int) tlog.HashReaderFunc {
	var grown tree
	var all []tlog.Hash
	for _, s := range h.sealed[:n] {
		all = grown.add(s.leaf(), all)
	}
	return func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, all[i])
		}
		return hashes, nil
	}
}

func (h *house) include(t testing.TB, p, n int) Inclusion {
	t.Helper()
	hashes, err := tlog.ProveRecord(int64(n), int64(p-1), h.stored(n))
	if err != nil {
		t.Fatal(err)
	}
	return Inclusion{Kind: inclusion, Position: int64(p), Record: appendRecord(nil, &h.events[p-1]), Hashes: hashes, Checkpoint: h.checkpoint(t, n).Note}
}

func (h *house) goesOn(t testing.TB, from, to int) Consistency {
	t.Helper()
	hashes, err := tlog.ProveTree(int64(to), int64(from), h.stored(to))
	if err != nil {
		t.Fatal(err)
	}
	return Consistency{Kind: consistency, From: int64(from), To: int64(to), Hashes: hashes, Earlier: h.checkpoint(t, from).Note, Checkpoint: h.checkpoint(t, to).Note}
}

func text(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Our tree is the one of tlog, hash by hash, and can be taken up at any size.
func TestTheTreeIsThatOfTlog(t *testing.T) {
	h := newHouse(t, 130)
	var grown tree
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, all[i])
		}
		return hashes, nil
	})
	for n := range h.events {
		theirs, err := tlog.StoredHashes(int64(n), h.sealed[n][:], reader)
		if err != nil {
			t.Fatal(err)
		}
		before := len(all)
		taken, err := loadTree(int64(n), reader)
		if err != nil {
			t.Fatal(err)
		}
		taken.add(h.sealed[n].leaf(), nil)
		all = grown.add(h.sealed[n].leaf(), all)
		for i, want := range theirs {
			if before+i >= len(all) || all[before+i] != want {
				t.Fatalf("leaf %d, hash %d differs", n, i)
			}
		}
		root, err := tlog.TreeHash(int64(n+1), reader)
		if err != nil || len(all) != int(tlog.StoredHashCount(int64(n+1))) || grown.root() != root || taken.root() != root {
			t.Fatalf("size %d: %v", n+1, err)
		}
	}
	if root, err := tlog.TreeHash(0, reader); err != nil || (&tree{}).root() != root {
		t.Error("the empty tree differs")
	}
}

// Every proof of every small log holds, and holds for nothing else.
func TestProofsOfAllSmallLogs(t *testing.T) {
	const most = 20
	h, other := newHouse(t, most), newHouse(t, most)
	for n := 1; n <= most; n++ {
		for p := 1; p <= n; p++ {
			proof := h.include(t, p, n)
			said, err := VerifyProof(text(t, proof), h.key, []Checkpoint{h.checkpoint(t, n)})
			if err != nil || !strings.Contains(said, h.events[p-1].ID.String()) {
				t.Errorf("%d of %d: %q %v", p, n, said, err)
			}
			if _, err := VerifyProof(text(t, proof), other.key, nil); err == nil {
				t.Errorf("%d of %d holds with another key", p, n)
			}
			if _, err := VerifyProof(text(t, proof), h.key, []Checkpoint{other.checkpoint(t, n)}); err == nil {
				t.Errorf("%d of %d holds though another log was known at this size", p, n)
			}
			forged := proof
			forged.Record = appendRecord(nil, &other.events[p-1])
			if _, err := VerifyProof(text(t, forged), h.key, nil); err == nil {
				t.Errorf("%d of %d holds for another event", p, n)
			}
			forged = proof
			forged.Position = int64(p%n + 1)
			if _, err := VerifyProof(text(t, forged), h.key, nil); err == nil && n > 1 {
				t.Errorf("%d of %d holds at position %d", p, n, forged.Position)
			}
		}
		for from := 1; from <= n; from++ {
			proof := h.goesOn(t, from, n)
			if _, err := VerifyProof(text(t, proof), h.key, nil); err != nil {
				t.Errorf("%d to %d: %v", from, n, err)
			}
			if _, err := VerifyProof(text(t, proof), h.key, []Checkpoint{h.checkpoint(t, from)}); err != nil {
				t.Errorf("%d to %d against the own checkpoint: %v", from, n, err)
			}
			if _, err := VerifyProof(text(t, proof), h.key, []Checkpoint{other.checkpoint(t, from)}); err == nil {
				t.Errorf("%d to %d continues another log", from, n)
			}
			proof.Earlier = ""
			if _, err := VerifyProof(text(t, proof), h.key, nil); err == nil {
				t.Errorf("%d to %d continues nothing", from, n)
			}
		}
	}
}

// Checkpoints are found in the file of a server and in a mail.
func TestCheckpointsAreFoundInText(t *testing.T) {
	h := newHouse(t, 3)
	one, two, three := h.checkpoint(t, 1).Note, h.checkpoint(t, 2).Note, h.checkpoint(t, 3).Note
	for name, text := range map[string]string{
		"a file":            "\n" + one + "\n" + two + "\n" + three,
		"one after another": one + two + three,
		"mails":             "Labdien!\r\n\r\n" + strings.ReplaceAll(one, "\n", "\r\n") + "\r\n-- \r\n" + two + "zurnals log 2\n\nis how they begin\n" + strings.TrimSuffix(three, "\n"),
		"cut short":         one + two[:len(origin)+5] + "\n" + two + two[:40] + "\n" + three,
	} {
		got := FindCheckpoints(text)
		if len(got) != 3 || got[0] != one || got[1] != two || got[2] != three {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, text := range []string{"", "\n\n", origin, one[:60], strings.ReplaceAll(one, "— ", "- ")} {
		if got := FindCheckpoints(text); len(got) > 0 {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestKeysAndCheckpointsThatAreNone(t *testing.T) {
	for _, s := range []string{"", "zurnals", "zurnals+12345678+AAAA", "PRIVATE+KEY+zurnals+1+A"} {
		if _, err := ParseKey(s); err == nil {
			t.Errorf("%q is a key", s)
		}
	}
	h := newHouse(t, 1)
	if key, err := ParseKey(" " + h.key.String() + "\n"); err != nil || key.String() != h.key.String() {
		t.Error(err)
	}
	for _, s := range []string{
		"", "zurnals log 2\n1\n", "zurnals log 2\n0\n" + h.sealed[0].leaf().String() + "\n2025-09-01T05:00:00Z\n",
		"zurnals log 2\n+1\n" + h.sealed[0].leaf().String() + "\n2025-09-01T05:00:00Z\n",
		"zurnals log 2\n1\nAAAA\n2025-09-01T05:00:00Z\n", "zurnals log 2\n1\n" + h.sealed[0].leaf().String() + "\nMonday\n",
		"other log\n1\n" + h.sealed[0].leaf().String() + "\n2025-09-01T05:00:00Z\n",
	} {
		if _, err := parseCheckpoint(s); err == nil {
			t.Errorf("%q is a checkpoint", s)
		}
	}
}
