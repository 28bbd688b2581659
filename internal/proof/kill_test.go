package proof

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/embedpg"
	"zurnals/internal/pgtest"
	"zurnals/internal/processtest"
)

// What a sealing process is told by its parent.
const (
	dsnEnv    = "ZURNALS_SEAL_DSN"
	masterEnv = "ZURNALS_SEAL_MASTER"
	fileEnv   = "ZURNALS_SEAL_FILE"
)

func TestMain(m *testing.M) {
	if os.Getenv(dsnEnv) == "" {
		os.Exit(m.Run())
	}
	if err := sealForEver(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "sealer:", err)
		os.Exit(1)
	}
}

// sealForEver is the main function of a sealing process. What a server would
// mail is printed, each line with the note in base64.
func sealForEver(ctx context.Context) error {
	master, err := eventstore.LoadMaster(os.Getenv(masterEnv), "")
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, os.Getenv(dsnEnv))
	if err != nil {
		return err
	}
	keys, err := eventstore.OpenKeys(ctx, pool, time.Now, master)
	if err != nil {
		return err
	}
	log, err := eventstore.Open(ctx, pool, time.Now, keys)
	if err != nil {
		return err
	}
	s, err := Open(ctx, Config{Pool: pool, Log: log, Keys: keys, Now: time.Now, File: os.Getenv(fileEnv), Publish: func(_ context.Context, c Checkpoint) error {
		_, err := os.Stdout.WriteString(base64.StdEncoding.EncodeToString([]byte(c.Note)) + "\n") // one call: whole even when killed
		return err
	}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for {
		if _, err := s.Seal(ctx); err != nil {
			return err
		}
	}
}

// Whoever seals is killed fifteen times, at any moment, while events are
// appended. What was signed, in the table, in the file and in the mails, is one
// history; nothing up to the last checkpoint is unsealed; and sealing goes on.
func TestASealerThatIsKilledAtAnyMoment(t *testing.T) {
	const kills = 15
	db, ctx := pgtest.New(t), t.Context()
	w := &world{t: t, db: db, file: t.TempDir() + "/checkpoints"}
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	master, err := eventstore.LoadMaster(key, "")
	w.must(err)
	w.keys, err = eventstore.OpenKeys(ctx, db.App, time.Now, master)
	w.must(err)
	w.log, err = eventstore.Open(ctx, db.App, time.Now, w.keys)
	w.must(err)
	var all sync.WaitGroup
	ended := make(chan error, 1)
	go func() { ended <- w.log.Run(context.Background()) }()
	t.Cleanup(func() { w.log.Close(); w.must(<-ended) })
	writing, stop := context.WithCancel(ctx)
	write := func() error {
		_, err := w.log.Append(ctx, eventstore.Request{Writes: []eventstore.Write{eventstoretest.Write(eventstoretest.Stream("student"), 0, 3)}})
		return err
	}
	w.must(write())
	all.Go(func() {
		for writing.Err() == nil {
			if err := write(); err != nil {
				t.Error(err)
				return
			}
		}
	})

	var mailed []string
	for range kills {
		process := processtest.Start(t, dsnEnv+"="+db.DSN(embedpg.App), masterEnv+"="+key, fileEnv+"="+w.file)
		for range 1 + rand.IntN(3) {
			line, ok := process.Line()
			if !ok {
				t.Fatal("it has ended by itself")
			}
			mailed = append(mailed, line)
		}
		moment, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(15_000))*time.Microsecond)
		<-moment.Done()
		cancel()
		process.Signal(syscall.SIGKILL)
		for line, ok := process.Line(); ok; line, ok = process.Line() {
			mailed = append(mailed, line)
		}
		if err := process.End(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it has ended by itself: %v", err)
		}
	}
	stop()
	all.Wait()

	w.sealer, err = Open(ctx, Config{Pool: db.App, Log: w.log, Keys: w.keys, Now: time.Now, File: w.file})
	w.must(err)
	last := w.seal()
	if head, err := w.log.Head(ctx); err != nil || last.Size != head {
		t.Errorf("sealed are %d of %d, %v", last.Size, head, err)
	}
	var texts []string
	for _, m := range mailed {
		note, err := base64.StdEncoding.DecodeString(m)
		w.must(err)
		texts = append(texts, string(note))
	}
	written, err := os.ReadFile(w.file)
	w.must(err)
	rows, err := db.App.Query(ctx, `SELECT note FROM proof.checkpoint`)
	w.must(err)
	kept := 0
	for rows.Next() {
		var note string
		w.must(rows.Scan(&note))
		// One that was written before a kill, and not committed, is signed again
		// at another time.
		says := strings.Join(strings.Split(note, "\n")[:3], "\n") + "\n"
		if kept++; !strings.Contains(string(written), says) {
			t.Errorf("a checkpoint of the table is not in the file:\n%s", note)
		}
		texts = append(texts, note)
	}
	w.must(rows.Err())
	checkpoints, defects := OpenCheckpoints(w.sealer.Key(), append(texts, string(written))...)
	if len(defects) > 0 {
		t.Errorf("%v", defects)
	}
	begins(t, w.verify(checkpoints...))
	t.Logf("%d events, %d checkpoints in the table, %d mailed", last.Size, kept, len(mailed))
	if len(mailed) < kills {
		t.Error("the test shows nothing")
	}
}
