package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
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

	"zurnals/domain"
	"zurnals/eventstore"
	"zurnals/internal/embedpg"
	"zurnals/migrations"
)

// What the dump of a backup leaves out: read models and what is counted in
// them, because they follow from the log and hold names in plain text; sessions,
// because nobody should be signed in again by an old copy; mails kept for
// developers.
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
	modelsFile   = "readmodels.dump"
	manifestFile = "backup.json"
)

// A manifest tells what is in a backup and what is needed to restore it.
type manifest struct {
	Made     time.Time `json:"made"`     // by the clock of the program
	Position int64     `json:"position"` // where the log of the backup ends
	Master   string    `json:"master"`   // id of the master key that must be at hand
	SHA256   string    `json:"sha256"`   // of the dump

	Models       []savedModel `json:"read_models,omitempty"` // that are in it
	ModelsSHA256 string       `json:"read_models_sha256,omitempty"`
}

// A savedModel is a read model in a backup, and how far it has seen the log.
type savedModel struct {
	Schema   string `json:"schema"`
	Position int64  `json:"position"`
}

// erasuresFile is the ledger of erasures that a server keeps.
func (c *Config) erasuresFile() string { return filepath.Join(c.DataDir, "erased.ledger") }

// backup writes a new folder with the database in it, while people work. The
// master key is not in it.
func backup(ctx context.Context, args []string, out io.Writer) error {
	var models bool
	return tool(ctx, "backup", args, func(f *flag.FlagSet) {
		f.BoolVar(&models, "with-read-models", false, "copy the read models too, so that a restore need not build them; THEY HOLD NAMES IN PLAIN TEXT")
	}, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals backup <new folder> [-with-read-models]", errUsage)
		}
		m, err := a.backup(ctx, words[0], models)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s holds the log up to position %d.\nTo restore it you need the master key %s and the newest %s, both of which are kept apart from it.\n",
			words[0], m.Position, m.Master, filepath.Base(a.cfg.erasuresFile()))
		if len(m.Models) > 0 {
			fmt.Fprintf(out, "%s in it holds NAMES IN PLAIN TEXT, also of people who are erased later. Without it the rest can be restored all the same.\n", modelsFile)
		}
		return nil
	})
}

func (a *app) backup(ctx context.Context, dir string, models bool) (m manifest, err error) {
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
	if err := a.dump(ctx, draft, models, &m); err != nil {
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

// dump writes the dumps of a backup, all of them as the database is at one
// moment: what the read models have seen is what is in the log.
func (a *app) dump(ctx context.Context, dir string, models bool, m *manifest) error {
	conn, err := pgx.Connect(ctx, a.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	m.Made = a.clock.Now().UTC()
	var snapshot string
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot(), (SELECT position FROM es.head), (SELECT id FROM es.master)`).Scan(&snapshot, &m.Position, &m.Master); err != nil {
		return err
	}
	write := func(name, dsn string, args ...string) (sum string, err error) {
		file := filepath.Join(dir, name)
		if err := postgresTool(ctx, "pg_dump", dsn, append([]string{"--format=custom", "--snapshot=" + snapshot, "--file=" + file}, args...)...); err != nil {
			return "", err
		}
		return hashFile(file)
	}
	if m.SHA256, err = write(dumpFile, a.owner, leftOut...); err != nil || !models {
		return err
	}
	// Those with something put aside, and those on their way out, are built anew.
	rows, err := tx.Query(ctx, `SELECT c.schema, c.position FROM projection.checkpoint c WHERE c.retired_at IS NULL
		AND NOT EXISTS (SELECT FROM projection.parked p WHERE p.schema = c.schema) ORDER BY c.schema`)
	if err != nil {
		return err
	}
	if m.Models, err = pgx.CollectRows(rows, pgx.RowToStructByPos[savedModel]); err != nil || len(m.Models) == 0 {
		return err
	}
	var tables []string
	for _, s := range m.Models {
		tables = append(tables, "--table="+s.Schema+".*")
	}
	m.ModelsSHA256, err = write(modelsFile, a.dsn, tables...)
	return err
}

// restore fills an empty database from a backup, erases again those who were
// erased since, and brings the read models up to date. Nothing serves before
// that.
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
	logger := newLogger(io.Discard)
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
	// First, so that also a server that is started after a restore which was
	// broken off knows who is erased.
	own, err := eventstore.OpenErasures(cfg.erasuresFile())
	if err != nil {
		return err
	}
	for _, ledger := range erased {
		if err := own.Learn(ledger); err != nil {
			return err
		}
	}
	database := &app{cfg: cfg, logger: logger, stopLog: func() {}}
	if err := database.findDatabase(ctx); err != nil {
		return err
	}
	err = fillEmpty(ctx, database.owner, filepath.Join(dir, dumpFile))
	if err == nil && len(m.Models) > 0 {
		err = restoreModels(ctx, database.owner, database.dsn, filepath.Join(dir, modelsFile), m.Models)
	}
	database.close()
	if err != nil {
		return err
	}

	a, err := open(ctx, cfg, logger) // erases again whom it finds readable
	if err != nil {
		return err
	}
	defer a.close()
	count, err := a.erasures.Apply(ctx, a.log) // those too whom the backup does not know
	if err != nil {
		return err
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
	began := time.Now()
	if err := a.readUp(ctx, head); err != nil {
		return err
	}
	fmt.Fprintf(out, "Restored up to position %d; %d erased persons stay erased", m.Position, count)
	if again := head - m.Position; again > 0 {
		fmt.Fprintf(out, " (%d events of that were added)", again)
	}
	switch {
	case len(m.Models) > 0:
		fmt.Fprintf(out, "; the read models went on from there, within %v.\n", time.Since(began).Round(10*time.Millisecond))
	default:
		fmt.Fprintf(out, "; the read models were built in %v.\n", time.Since(began).Round(10*time.Millisecond))
	}
	return nil
}

// eraseAgain erases those in the ledger of this data directory who can be read
// in the database all the same, because it was restored from an older copy: by
// restore, or by hand.
func (a *app) eraseAgain(ctx context.Context) error {
	readable, err := a.erasures.Readable(ctx, a.log)
	if err != nil || len(readable) == 0 {
		return err
	}
	for _, subject := range readable {
		if err := a.commands.DeleteAgain(ctx, operator(), domain.AccountID{UUID: subject}); err != nil {
			return fmt.Errorf("erase %s again: %w", subject, err)
		}
	}
	_, err = a.erasures.Apply(ctx, a.log) // those too who have no account
	a.logger.Warn("the database is older than the ledger of erasures: people were erased again", "persons", len(readable))
	return err
}

// readUp builds the read models that are missing, and has all of them read the
// log up to a position.
func (a *app) readUp(ctx context.Context, position int64) error {
	if err := a.engine.Prepare(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.engine.Run(running) }()
	err := a.engine.WaitFor(ctx, position)
	stop()
	return errors.Join(err, <-ended)
}

// restoreModels puts read models in place, as zurnals_app, which owns them. If
// it is broken off they count for nothing and are built anew.
func restoreModels(ctx context.Context, owner, app, dump string, models []savedModel) error {
	granting, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	err = migrations.Grant(ctx, granting)
	if err = errors.Join(err, granting.Close(ctx)); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, app)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, s := range models {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{s.Schema}.Sanitize()); err != nil {
			return err
		}
	}
	if err := postgresTool(ctx, "pg_restore", app, "--exit-on-error", "--single-transaction", "--no-owner", dump); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, s := range models {
			if _, err := tx.Exec(ctx, `INSERT INTO projection.checkpoint (schema, position, epoch) VALUES ($1, $2, nextval('projection.epoch'))`, s.Schema, s.Position); err != nil {
				return err
			}
		}
		return nil
	})
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
	if _, err := os.Stat(filepath.Join(dir, modelsFile)); errors.Is(err, fs.ErrNotExist) {
		m.Models = nil // taken away, because of the names in it
	}
	for name, want := range map[string]string{dumpFile: m.SHA256, modelsFile: m.ModelsSHA256} {
		if name == modelsFile && len(m.Models) == 0 {
			continue
		}
		sum, err := hashFile(filepath.Join(dir, name))
		if err != nil {
			return m, err
		}
		if sum != want {
			return m, fmt.Errorf("%s has changed since the backup was made", name)
		}
	}
	return m, nil
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
