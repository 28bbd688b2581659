package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"zurnals/eventstore"
	"zurnals/internal/embedpg"
)

// What a backup leaves out: read models and what is counted in them, because
// they follow from the log and hold names in plain text; sessions, because
// nobody should be signed in again by an old copy; mails kept for developers.
var leftOut = []string{
	"--exclude-schema=rm_*",
	"--exclude-table=analytics.*",
	"--exclude-table-data=projection.checkpoint", "--exclude-table-data=projection.node",
	"--exclude-table-data=projection.parked", "--exclude-table-data=projection.build",
	"--exclude-table-data=web.session", "--exclude-table-data=reaction.dev_mail",
}

// The files of a backup.
const (
	dumpFile     = "zurnals.dump"
	manifestFile = "backup.json"
)

// A manifest tells what is in a backup and what is needed to restore it.
type manifest struct {
	Made     time.Time `json:"made"`     // by the clock of the program
	Position int64     `json:"position"` // the backup has at least this much of the log
	Master   string    `json:"master"`   // id of the master key that must be at hand
	SHA256   string    `json:"sha256"`   // of the dump
}

// erasuresFile is the ledger of erasures that a server keeps.
func (c *Config) erasuresFile() string { return filepath.Join(c.DataDir, "erased.ledger") }

// backup writes a new folder with the database in it, while people work. The
// master key is not in it.
func backup(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "backup", args, nil, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals backup <new folder>", errUsage)
		}
		m, err := a.backup(ctx, words[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s holds the log up to position %d or later.\nTo restore it you need the master key %s and the newest %s, both of which are kept apart from it.\n",
			words[0], m.Position, m.Master, filepath.Base(a.cfg.erasuresFile()))
		return nil
	})
}

func (a *app) backup(ctx context.Context, dir string) (m manifest, err error) {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return m, err
	}
	draft := filepath.Clean(dir) + ".unfinished" // whole or not at all
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s exists already: a backup needs a new folder", dir)
	}
	if err := os.Mkdir(draft, 0o700); err != nil {
		return m, fmt.Errorf("backup: %w (if no other backup is running, remove it)", err)
	}
	defer os.RemoveAll(draft)
	m.Made = a.clock.Now().UTC()
	if m.Position, err = a.log.Head(ctx); err != nil {
		return m, err
	}
	if err := a.pool.QueryRow(ctx, `SELECT id FROM es.master`).Scan(&m.Master); err != nil {
		return m, err
	}
	dump := filepath.Join(draft, dumpFile)
	if err := postgresTool(ctx, "pg_dump", a.owner, append([]string{"--format=custom", "--file=" + dump}, leftOut...)...); err != nil {
		return m, err
	}
	if m.SHA256, err = hashFile(dump); err != nil {
		return m, err
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(draft, manifestFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return m, err
	}
	return m, os.Rename(draft, dir)
}

// restore fills an empty database from a backup, destroys the keys of those who
// were erased since, and builds the read models. Nothing serves before that.
func restore(ctx context.Context, args []string, out io.Writer) error {
	var cfg Config
	flags := cfg.flags("restore")
	var ledgers []string
	flags.Func("ledger", "ledger of erasures of the lost server, may be repeated (default <data-dir>/erased.ledger)", func(file string) error {
		ledgers = append(ledgers, file)
		return nil
	})
	without := flags.Bool("without-ledger", false, "there is no ledger: whoever was erased after the backup is readable again")
	words, err := parse(&cfg, flags, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("%w: zurnals restore <folder of a backup> [-ledger file | -without-ledger]", errUsage)
	}
	if len(ledgers) == 0 && !*without {
		ledgers = []string{cfg.erasuresFile()}
	}
	return restoreBackup(ctx, cfg, words[0], ledgers, out)
}

func restoreBackup(ctx context.Context, cfg Config, dir string, ledgers []string, out io.Writer) error {
	// Everything that can be wrong is found before anything is changed.
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	master, err := eventstore.LoadMaster(os.Getenv("ZURNALS_MASTER_KEY"), cfg.MasterKeyFile)
	if err != nil {
		return fmt.Errorf("the master key %s of this backup is needed: %w", m.Master, err)
	}
	if master.ID() != m.Master {
		return fmt.Errorf("%w: the backup needs %s, this is %s", eventstore.ErrWrongMaster, m.Master, master.ID())
	}
	var erased []*eventstore.Erasures
	for _, file := range ledgers {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("the ledger of erasures: %w\nname the newest one with -ledger, or say -without-ledger if there is none", err)
		}
		ledger, err := eventstore.OpenErasures(file)
		if err != nil {
			return err
		}
		erased = append(erased, ledger)
	}
	logger := newLogger(io.Discard)
	database := &app{cfg: cfg, logger: logger, stopLog: func() {}}
	if err := database.findDatabase(ctx); err != nil {
		return err
	}
	err = fillEmpty(ctx, database.owner, filepath.Join(dir, dumpFile))
	database.close()
	if err != nil {
		return err
	}

	a, err := open(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer a.close()
	count := 0
	for _, ledger := range erased {
		n, err := ledger.Apply(ctx, a.log)
		if err != nil {
			return err
		}
		count += n
	}
	if err := a.erasures.CatchUp(ctx, a.log); err != nil {
		return err
	}
	head, err := a.log.Head(ctx)
	if err != nil {
		return err
	}
	if head < m.Position {
		return fmt.Errorf("the log ends at %d, but the backup was said to reach %d", head, m.Position)
	}
	if err := a.engine.Prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "Restored up to position %d; %d erased persons stay erased; the read models are built.\n", head, count)
	return nil
}

// fillEmpty loads a dump into a database that has no log yet: all or nothing.
func fillEmpty(ctx context.Context, owner, dump string) error {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	var used bool
	err = conn.QueryRow(ctx, `SELECT to_regnamespace('es') IS NOT NULL`).Scan(&used)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return err
	}
	if used {
		return errors.New("the database has a log already: a backup is restored into an empty one, such as that of a new -data-dir")
	}
	return postgresTool(ctx, "pg_restore", owner, "--exit-on-error", "--single-transaction", "--no-owner", dump)
}

func readManifest(dir string) (m manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, fmt.Errorf("%s is no backup: %w", dir, err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestFile, err)
	}
	sum, err := hashFile(filepath.Join(dir, dumpFile))
	if err == nil && sum != m.SHA256 {
		err = fmt.Errorf("%s has changed since the backup was made", dumpFile)
	}
	return m, err
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// postgresTool runs a client program of PostgreSQL on a database: the one beside
// the server's own binaries, else the one in PATH.
func postgresTool(ctx context.Context, name, dsn string, args ...string) error {
	path, err := findTool(name)
	if err != nil {
		return err
	}
	address, password, err := splitPassword(dsn)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, append(args, "--no-password", "--dbname="+address)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+password) // not on the command line, which everybody sees
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

func findTool(name string) (string, error) {
	if found, err := embedpg.Find(); err == nil {
		if path := filepath.Join(found[0].BinDir, name); exists(path) {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed (Debian: apt-get install postgresql-client): %w", name, err)
	}
	return path, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// splitPassword takes the password out of a database address.
func splitPassword(dsn string) (address, password string, err error) {
	if !strings.Contains(dsn, "://") {
		var words []string
		for _, word := range strings.Fields(dsn) {
			if value, ok := strings.CutPrefix(word, "password="); ok {
				password = strings.Trim(value, "'")
				continue
			}
			words = append(words, word)
		}
		return strings.Join(words, " "), password, nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", "", errors.New("the database address is not a URL") // err would tell the password
	}
	if u.User != nil {
		password, _ = u.User.Password()
		u.User = url.User(u.User.Username())
	}
	return u.String(), password, nil
}
