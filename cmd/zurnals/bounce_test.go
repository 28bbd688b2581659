package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zurnals/internal/embedpg"
	"zurnals/internal/mail/mailtest"
	"zurnals/internal/pgtest"
)

// A mail server hands over what comes to the address of the sender.
func TestALetterThatCameBackIsNotedOnTheCommandLine(t *testing.T) {
	i := newInstallation(t, pgtest.New(t))
	i.does("admin", "create-platform-admin", "-email", "anna@example.lv", "-given", "Anna", "-family", "Ozola", "-code", "320000-12345")
	var id, position string
	super := i.db.Pool(t, embedpg.Superuser, 1)
	if err := super.QueryRow(t.Context(), `SELECT id::text, position::text FROM es.event WHERE type = 'identity.user_invited'`).Scan(&id, &position); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(i.dir, "message.eml")
	hand := func(message string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
		return i.does("mail", "bounce", file)
	}
	letter := func(position string) string { return "Message-ID: <" + id + "." + position + "@example.lv>\r\n\r\n" }
	for name, message := range map[string]string{
		"an answer": "From: anna@example.lv\r\n\r\nPaldies!\r\n", "forged": mailtest.Report("failed", "5.1.1", letter("1000")),
	} {
		if said := hand(message); !strings.Contains(said, "Nothing to note") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if said := hand(mailtest.Report("failed", "5.1.1", letter(position))); !strings.Contains(said, "about event "+position+" was returned by a mail server: 5.1.1") {
		t.Error(said)
	}
	var reason string
	if err := super.QueryRow(t.Context(), `SELECT reason FROM reaction.undelivered WHERE event = $1`, id).Scan(&reason); err != nil || !strings.Contains(reason, "5.1.1") {
		t.Errorf("%q, %v", reason, err)
	}
	for words, want := range map[string]error{"mail bounce a b": errUsage, "mail bounce " + i.dir + "/none": errUsage} {
		if _, err := i.run(strings.Fields(words)...); !errors.Is(err, want) {
			t.Errorf("%s: %v", words, err)
		}
	}
	i.flags = append(i.flags, "-database-url", "host=/nowhere")
	if _, err := i.run("mail", "bounce", file); !errors.Is(err, errLater) {
		t.Errorf("the database is away: %v", err)
	}
}
