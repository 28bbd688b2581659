package main

import (
	"errors"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/internal/pgtest"
	"zurnals/internal/reactions"
)

func TestReactionsAreLookedAfterOnTheCommandLine(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	i.does("municipality", "add", "-name", "Parauga novads")
	if out := i.does("reactions", "parked"); !strings.Contains(out, "mail") || !strings.Contains(out, "0 parked") {
		t.Errorf("nothing is parked:\n%s", out)
	}
	// As a window does that meets an event which it can never handle.
	i.secretly(`INSERT INTO reaction.parked VALUES ('mail', 1, 'too difficult', now())`)
	if out := i.does("reactions", "parked", "mail"); !strings.Contains(out, "1 parked") || !strings.Contains(out, "too difficult") {
		t.Errorf("one is parked:\n%s", out)
	}
	for _, c := range []struct {
		words string
		want  error
	}{
		{"reactions skip mail 1", domain.ErrTextMissing},
		{"reactions skip mail one -reason x", errUsage},
		{"reactions replay mail", errUsage},
		{"reactions replay mail 2", reactions.ErrNotParked},
		{"reactions parked post", reactions.ErrUnknown},
		{"reactions parked mail mail", errUsage},
	} {
		if _, err := i.run(strings.Fields(c.words)...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.words, err)
		}
	}
	i.does("reactions", "skip", "mail", "1", "-reason", "the address is of nobody")
	if out := i.does("reactions", "parked", "mail"); !strings.Contains(out, "0 parked") || !strings.Contains(out, "skipped the address is of nobody") {
		t.Errorf("it was skipped:\n%s", out)
	}
	i.secretly(`INSERT INTO reaction.parked VALUES ('mail', 1, 'too difficult', now()); DELETE FROM reaction.settled`)
	i.does("reactions", "replay", "mail", "1")
	if out := i.does("reactions", "parked"); !strings.Contains(out, "replayed") {
		t.Errorf("it was replayed:\n%s", out)
	}
}
