package eventstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
	"zurnals/internal/pgtest"
)

func TestLoadMaster(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "master.key")
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	if _, err := eventstore.LoadMaster("", file); !errors.Is(err, eventstore.ErrNoMaster) {
		t.Errorf("no file: %v", err)
	}
	if _, err := eventstore.LoadMaster("", ""); !errors.Is(err, eventstore.ErrNoMaster) {
		t.Errorf("nothing: %v", err)
	}
	for _, bad := range []string{"x", key[:40], key + "AAAA", "\n"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := eventstore.LoadMaster("", file); err == nil || errors.Is(err, eventstore.ErrNoMaster) || len(bad) > 9 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, err := eventstore.LoadMaster("", file)
	if err != nil {
		t.Fatal(err)
	}
	fromValue, err := eventstore.LoadMaster(" "+key, "elsewhere")
	if err != nil || fromFile.ID() != fromValue.ID() {
		t.Errorf("%v", err)
	}
}

// The first start makes a master key; later starts need that one.
func TestTheMasterKeyOfADatabase(t *testing.T) {
	ctx, db, now := t.Context(), pgtest.New(t), time.Now
	file := filepath.Join(t.TempDir(), "master.key")
	master, err := eventstore.MakeMaster(ctx, db.App, file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
	if _, err := eventstore.MakeMaster(ctx, db.App, file); err == nil {
		t.Error("a master key was overwritten")
	}
	keys, err := eventstore.OpenKeys(ctx, db.App, now, master)
	if err != nil {
		t.Fatal(err)
	}
	links, err := keys.Derive(ctx, "links")
	if err != nil {
		t.Fatal(err)
	}
	again, err := eventstore.LoadMaster("", file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err = eventstore.OpenKeys(ctx, db.App, now, again)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := keys.Derive(ctx, "links"); err != nil || !slices.Equal(same, links) {
		t.Errorf("another secret after a restart, %v", err)
	}
	if _, err := eventstore.OpenKeys(ctx, db.App, now, eventstore.NewMaster()); !errors.Is(err, eventstore.ErrWrongMaster) {
		t.Errorf("another master: %v", err)
	}
	// The file is lost: none is made again.
	if _, err := eventstore.MakeMaster(ctx, db.App, filepath.Join(t.TempDir(), "new.key")); !errors.Is(err, eventstore.ErrNoMaster) || !strings.Contains(err.Error(), master.ID()) {
		t.Errorf("made another: %v", err)
	}
	// Somebody took out what the database says of its master.
	if _, err := db.Owner.Exec(ctx, `DELETE FROM es.master`); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*eventstore.Master{eventstore.NewMaster(), master} {
		if _, err := eventstore.OpenKeys(ctx, db.App, now, m); !errors.Is(err, eventstore.ErrWrongMaster) {
			t.Errorf("keys without a master: %v", err)
		}
	}
}

func TestRotation(t *testing.T) {
	ctx, db, old := t.Context(), pgtest.New(t), eventstore.NewMaster()
	log, keys := open(t, db, time.Now, old)
	anna, janis := uuid.New(), uuid.New()
	e := eventstoretest.SealedEvent(t, keys, []uuid.UUID{anna, janis}, "Anna", "Jānis")
	r := request(eventstore.Write{Stream: "a-1", Events: []eventstore.NewEvent{e}})
	r.Subjects = []uuid.UUID{anna, janis}
	r.Take = []eventstore.Claim{{Kind: "email", Value: "anna@skola.lv", Stream: "a-1"}}
	appended(t, log, r)
	erase := request(eventstoretest.Write("a-1", 1, 1))
	erase.Erase = []uuid.UUID{janis}
	appended(t, log, erase)

	fresh := eventstore.NewMaster()
	if err := keys.Rotate(ctx, fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := eventstore.OpenKeys(ctx, db.App, time.Now, old); !errors.Is(err, eventstore.ErrWrongMaster) {
		t.Errorf("the old master: %v", err)
	}
	if _, err := keys.EnsureKeys(ctx, uuid.New()); err == nil {
		t.Error("the old master still makes keys")
	}
	later, laterKeys := open(t, db, time.Now, fresh)
	events, err := eventstore.Collect(later.ReadAll(ctx, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := laterKeys.Open(ctx, events); err != nil || !strings.Contains(string(events[0].Data), "Anna") || strings.Contains(string(events[0].Data), "Jānis") {
		t.Errorf("%s %v", events[0].Data, err)
	}
	if stream, found, err := later.Holder(ctx, "email", "anna@skola.lv"); stream != "a-1" || !found || err != nil {
		t.Errorf("the claim: %q %v", stream, err)
	}
}

// Another process may hold the key of an erased person for KeyMemory. It can
// open what was sealed before, but nothing new is written with that key.
func TestErasureInAnotherProcess(t *testing.T) {
	ctx, db, master := t.Context(), pgtest.New(t), eventstore.NewMaster()
	log, keys := open(t, db, time.Now, master)
	other, otherKeys := open(t, db, time.Now, master)
	anna := uuid.New()
	late := eventstoretest.SealedEvent(t, otherKeys, []uuid.UUID{anna}, "Anna")
	if _, err := keys.EnsureKeys(ctx, anna); err != nil {
		t.Fatal(err)
	}
	erase := request(eventstoretest.Write("a-1", 0, 1))
	erase.Erase = []uuid.UUID{anna}
	appended(t, log, erase)
	var erased *eventstore.ErasedError
	if _, err := keys.EnsureKeys(ctx, anna); !errors.As(err, &erased) {
		t.Errorf("here: %v", err)
	}
	r := request(eventstore.Write{Stream: "b-1", Events: []eventstore.NewEvent{late}})
	r.Subjects = []uuid.UUID{anna}
	if _, err := other.Append(ctx, r); !errors.As(err, &erased) || erased.Subject != anna {
		t.Errorf("there: %v", err)
	}
	var left int
	if err := db.App.QueryRow(ctx, `SELECT count(*) FROM es.subject_key WHERE subject = $1 AND wrapped IS NULL AND destroyed_at IS NOT NULL`, [16]byte(anna)).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d rows remember the erasure, %v", left, err)
	}
}

// Many processes start at once on an empty database, and make keys for the
// same people: all end with the same keys.
func TestKeysAreMadeOnce(t *testing.T) {
	db, master := pgtest.New(t), eventstore.NewMaster()
	people := make([]uuid.UUID, 200)
	for i := range people {
		people[i] = uuid.New()
	}
	event := uuid.New()
	sealed := make(chan string, 8)
	for range cap(sealed) {
		go func() {
			envelope, err := func() (string, error) {
				keys, err := eventstore.OpenKeys(context.Background(), db.App, time.Now, master)
				if err != nil {
					return "", err
				}
				sealer, err := keys.EnsureKeys(context.Background(), people...)
				if err != nil {
					return "", err
				}
				return sealer.Seal(event, people[7], "name", "Anna")
			}()
			if err != nil {
				t.Error(err)
			}
			sealed <- envelope
		}()
	}
	keys, err := eventstore.OpenKeys(t.Context(), db.App, time.Now, master)
	if err != nil {
		t.Fatal(err)
	}
	for range cap(sealed) {
		events := []eventstore.Event{{ID: event, Data: []byte(`"` + <-sealed + `"`)}}
		if err := keys.Open(t.Context(), events); err != nil || string(events[0].Data) != `"Anna"` {
			t.Errorf("%s %v", events[0].Data, err)
		}
	}
}
