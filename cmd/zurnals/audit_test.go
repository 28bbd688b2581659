package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/mail"
	"zurnals/internal/mail/mailtest"
	"zurnals/internal/pgtest"
	"zurnals/internal/proof"
)

// An auditor verifies what a server has written, with nothing but files.
func TestAuditVerify(t *testing.T) {
	ctx, db, clock := t.Context(), pgtest.New(t), eventstoretest.NewClock()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := eventstore.OpenKeys(ctx, db.App, clock.Now, eventstore.NewMaster())
	must(err)
	log, err := eventstore.Open(ctx, db.App, clock.Now, keys)
	must(err)
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(running) }()
	t.Cleanup(func() { stop(); must(<-ended) })
	sealer, err := proof.Open(ctx, proof.Config{Pool: db.App, Log: log, Keys: keys, Now: clock.Now})
	must(err)
	happen := func() proof.Checkpoint {
		t.Helper()
		_, err := log.Append(ctx, eventstore.Request{Writes: []eventstore.Write{eventstoretest.Write(eventstoretest.Stream("student"), 0, 10)}})
		must(err)
		clock.Advance(time.Minute)
		c, err := sealer.Seal(ctx)
		must(err)
		return c
	}
	dir := t.TempDir()
	write := func(name string, content string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		must(os.WriteFile(name, []byte(content), 0o600))
		return name
	}
	saved := write("mail.txt", "Labdien!\n\n"+happen().Note)
	happen()
	file := filepath.Join(dir, "log.zurnals")
	_, err = writeExport(ctx, sealer, file)
	must(err)
	inclusion, err := prove(ctx, sealer, []string{"7"}, 0, 0)
	must(err)
	text, err := json.MarshalIndent(inclusion, "", "  ")
	must(err)
	included := write("included.json", string(text))
	continued, err := prove(ctx, sealer, nil, 10, 0)
	must(err)
	text, err = json.Marshal(continued)
	must(err)
	consistent := write("continued.json", string(text))
	must(db.Owner.QueryRow(ctx, `UPDATE es.event SET type = 'test.other' WHERE position = 3 RETURNING 'done'`).Scan(new(string)))
	damaged := filepath.Join(dir, "damaged.zurnals")
	_, err = writeExport(ctx, sealer, damaged)
	must(err)
	key, other := sealer.Key().String(), "zurnals+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
	keyFile := write("key.txt", key+"\n")

	for _, c := range []struct {
		args []string
		err  error
		says string
	}{
		{[]string{file, "-key", key}, nil, "20 events, as they were signed at 2025-09-01T05:02:00Z.\n"},
		{[]string{"-key", keyFile, "-against", saved, file}, nil, "20 events, as they were signed at 2025-09-01T05:02:00Z.\nThey continue the older checkpoints: 1.\n"},
		{[]string{file, "-key", other}, errUsage, ""}, // its hash is made up
		{[]string{damaged, "-key", key}, errDefects, "changed at position 3, column type: the event here (test.other, student-"},
		{[]string{file, "-key", key, "-against", keyFile}, errDefects, "malformed: there is no checkpoint in what to compare with\n"},
		{[]string{included, "-key", key}, nil, "Position 7 of the log sealed at 2025-09-01T05:02:00Z"},
		{[]string{consistent, "-key", key, "-against", saved}, nil, "The log of 20 events sealed at 2025-09-01T05:02:00Z continues the one of 10"},
		{[]string{consistent, "-key", key, "-against", keyFile}, errDefects, "malformed: "},
		{[]string{saved, "-key", key}, errDefects, "malformed: this is not an export"},
		{[]string{file}, errUsage, ""},
		{[]string{file, file, "-key", key}, errUsage, ""},
		{[]string{file, "-key", filepath.Join(dir, "none")}, errUsage, ""},
		{[]string{file, "-key", saved}, errUsage, ""},
		{[]string{file, "-key", key, "-against", filepath.Join(dir, "none")}, errUsage, ""},
		{[]string{filepath.Join(dir, "none"), "-key", key}, os.ErrNotExist, ""},
	} {
		var out bytes.Buffer
		err := auditVerify(ctx, c.args, &out)
		if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) || !strings.HasPrefix(out.String(), c.says) {
			t.Errorf("%q: %v\n%s", c.args, err, &out)
		}
	}
	for _, words := range [][]string{{}, {"x"}, {"1", "2"}} {
		if _, err := prove(ctx, sealer, words, 0, 0); !errors.Is(err, errUsage) {
			t.Errorf("prove %q: %v", words, err)
		}
	}
}

// sent keeps letters in place of a mail server.
type sent struct {
	letters []mail.Letter
	err     error
}

func (s *sent) Send(_ context.Context, l mail.Letter) error {
	if s.err == nil {
		s.letters = append(s.letters, l)
	}
	return s.err
}

func TestCheckpointsAreMailedToTheAuditors(t *testing.T) {
	out := new(sent)
	m := &auditorsMail{sender: out, addresses: addresses("a@audits.example, b@audits.example,"), every: time.Hour}
	start := eventstoretest.Start
	for _, c := range []struct {
		after time.Duration
		down  bool
		want  int // letters so far
	}{
		{0, false, 2}, {time.Minute, false, 2}, {time.Hour - time.Second, false, 2}, {time.Hour, true, 2},
		{time.Hour + time.Minute, false, 4}, {2 * time.Hour, false, 4}, {2*time.Hour + time.Minute, false, 6},
	} {
		out.err = nil
		if c.down {
			out.err = errors.New("away")
		}
		err := m.send(t.Context(), proof.Checkpoint{Size: 7, At: start.Add(c.after), Note: "zurnals log 2\n7\n\n— zurnals x\n"})
		if len(out.letters) != c.want || (err != nil) != c.down {
			t.Errorf("after %v: %d letters, %v", c.after, len(out.letters), err)
		}
	}
	one, two := out.letters[0], out.letters[1]
	if one.To != "a@audits.example" || two.To != "b@audits.example" || one.ID == two.ID || !strings.HasSuffix(one.Text, "\n\nzurnals log 2\n7\n\n— zurnals x\n") {
		t.Errorf("%+v", one)
	}
}

// A server signs what has happened, mails it to the auditors and writes it to a
// file. A letter saved as it came is all that an auditor needs.
func TestACheckpointReachesTheAuditorsByMailAndFile(t *testing.T) {
	t.Setenv("ZURNALS_MASTER_KEY", "")
	post := mailtest.Open(t)
	i := newInstallation(t, pgtest.New(t))
	i.flags = append(i.flags, "-smtp", "smtp://"+post.Addr+"?tls=off", "-auditors", "valsts@audits.example,iekseja@audits.example")
	i.does("municipality", "add", "-name", "Ādažu novads")
	i.serves()
	eventually(t, "both auditors have a letter", func() bool { return post.Taken() == 2 })
	key := strings.TrimSpace(i.does("audit", "key"))
	export := filepath.Join(i.dir, "log.zurnals")
	i.does("audit", "export", export)
	kept := []string{filepath.Join(i.dir, "checkpoints")}
	for n, letter := range post.Letters() {
		name := filepath.Join(i.dir, fmt.Sprintf("letter-%d.eml", n))
		if err := os.WriteFile(name, []byte(letter.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, name)
	}
	for _, name := range kept {
		var out bytes.Buffer
		if err := auditVerify(t.Context(), []string{export, "-key", key, "-against", name}, &out); err != nil || !strings.HasSuffix(out.String(), "They continue the older checkpoints: 1.\n") {
			text, _ := os.ReadFile(name)
			t.Errorf("%v %s\n%s", err, &out, text)
		}
	}
}

func FuzzSavedMail(f *testing.F) {
	f.Add([]byte("From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--x--\r\n"))
	f.Add([]byte("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=E2=80=94 zurnals"))
	f.Add([]byte("Content-Type: multipart/mixed\n\n--\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if text := savedMail(data); len(text) > 2*len(data)+1 {
			t.Errorf("%d bytes of %d", len(text), len(data))
		}
	})
}
