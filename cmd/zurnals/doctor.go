package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"zurnals/internal/embedpg"
)

// errUnwell says that the doctor has found problems, which it has told.
var errUnwell = errors.New("there are problems")

// A doctor looks at everything a server needs and changes nothing: it makes no
// database, no key and no migration.
type doctor struct {
	cfg  Config
	out  io.Writer
	full bool // read the whole log, not samples of it

	problems, warnings int
}

// doctorCommand tells how the installation is, a line for each thing.
func doctorCommand(ctx context.Context, args []string, out io.Writer) error {
	d := &doctor{out: out}
	flags := d.cfg.flags("doctor")
	flags.BoolVar(&d.full, "full", false, "read the whole log, not samples of it")
	if words, err := parse(&d.cfg, flags, args); err != nil {
		return err
	} else if len(words) > 0 {
		return fmt.Errorf("%w: doctor takes flags only, not %q", errUsage, words[0])
	}
	d.settings(flags)
	d.binaries()
	d.files()
	d.disk()
	d.server(ctx)
	d.database(ctx)
	fmt.Fprintf(out, "\n%s, %s.\n", count(d.problems, "problem"), count(d.warnings, "warning"))
	if d.problems > 0 {
		return errUnwell
	}
	return ctx.Err()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func (d *doctor) ok(thing, format string, args ...any)   { d.say("ok", thing, format, args...) }
func (d *doctor) warn(thing, format string, args ...any) { d.say("warn", thing, format, args...) }
func (d *doctor) fail(thing, format string, args ...any) { d.say("FAIL", thing, format, args...) }

// say tells one thing in one line.
func (d *doctor) say(how, thing, format string, args ...any) {
	switch how {
	case "FAIL":
		d.problems++
	case "warn":
		d.warnings++
	}
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	fmt.Fprintf(d.out, "%-4s  %-12s  %s\n", how, thing, text)
}

// judge tells what a check of /readyz found.
func (d *doctor) judge(thing, good, warning string, err error) {
	switch {
	case err != nil:
		d.fail(thing, "%v", err)
	case warning != "":
		d.warn(thing, "%s", warning)
	default:
		d.ok(thing, "%s", good)
	}
}

// settings tells what parse could not: settings that fit together badly.
func (d *doctor) settings(flags *flag.FlagSet) {
	before := d.problems + d.warnings
	if d.cfg.SMTP == "" && !d.cfg.Dev {
		d.warn("settings", "-smtp is not set: the server does not start without it, except with -dev")
	}
	if u, err := url.Parse(d.cfg.PublicURL); err == nil && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "80")) && !d.cfg.Dev {
		d.fail("settings", "-public-url is %s: sessions are kept in cookies for https only, so nobody can sign in", d.cfg.PublicURL)
	}
	if !loopback(d.cfg.PrivateAddr) {
		d.warn("settings", "-private-addr is %s: whoever reaches it sees health, metrics and profiles", d.cfg.PrivateAddr)
	}
	if d.problems+d.warnings == before {
		n := 0
		flags.VisitAll(func(*flag.Flag) { n++ })
		d.ok("settings", "%d settings fit together; data directory %s", n-1, d.cfg.DataDir)
	}
}

func (d *doctor) postgresDir() string { return filepath.Join(d.cfg.DataDir, "postgres") }

// binaries looks for the server of the embedded database.
func (d *doctor) binaries() {
	if d.cfg.DatabaseURL != "" {
		d.ok("binaries", "none are needed: the database is external")
		return
	}
	found, err := embedpg.Find()
	if err != nil {
		d.fail("binaries", "%v", err)
		return
	}
	var have []string
	wanted, matched := d.dataMajor(), false
	for _, i := range found {
		have = append(have, fmt.Sprintf("PostgreSQL %d in %s", i.Major, i.BinDir))
		matched = matched || i.Major == wanted
	}
	if wanted != 0 && !matched {
		d.fail("binaries", "the data directory was made by PostgreSQL %d, but there is only %s", wanted, strings.Join(have, " and "))
		return
	}
	d.ok("binaries", "%s", strings.Join(have, " and "))
}

// dataMajor returns the version that made the data directory, 0 if there is none.
func (d *doctor) dataMajor() int {
	data, err := os.ReadFile(filepath.Join(d.postgresDir(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(data))) // what is no number is no version that there is
	return major
}

// files looks at who may read what must be read by nobody else.
func (d *doctor) files() {
	if os.Getenv("ZURNALS_MASTER_KEY") != "" {
		d.ok("master file", "the master key comes from ZURNALS_MASTER_KEY")
	} else {
		d.private("master file", d.cfg.MasterKeyFile, 0o077)
	}
	if d.cfg.DatabaseURL == "" && d.dataMajor() != 0 {
		d.private("data files", d.postgresDir(), 0o077)
	}
}

// private tells whether a file or a folder is closed to others.
func (d *doctor) private(thing, name string, forbidden fs.FileMode) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok(thing, "%s is not there yet", name)
	case err != nil:
		d.fail(thing, "%v", err)
	case info.Mode().Perm()&forbidden != 0:
		d.fail(thing, "%s has mode %04o: others can read it; chmod go= %s", name, info.Mode().Perm(), name)
	default:
		d.ok(thing, "%s, mode %04o", name, info.Mode().Perm())
	}
}

func (d *doctor) disk() {
	dir := d.cfg.DataDir
	for { // the nearest folder that there is
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	warning, err := checkDisk(dir)
	d.judge("disk", "there is room on the disk of "+dir, warning, err)
}

// server asks a running server how it is.
func (d *doctor) server(ctx context.Context) {
	data, err := os.ReadFile(filepath.Join(d.cfg.DataDir, "run.json"))
	var run runFile
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("server", "none is running on this data directory")
		return
	case err == nil:
		err = json.Unmarshal(data, &run)
	}
	if err != nil {
		d.fail("server", "run.json: %v", err)
		return
	}
	if err := syscall.Kill(run.PID, 0); errors.Is(err, syscall.ESRCH) {
		d.warn("server", "run.json names process %d, which is gone: it was killed", run.PID)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, run.Private+"/readyz", nil)
	if err != nil {
		d.fail("server", "%v", err)
		return
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.fail("server", "process %d does not answer at %s: %v", run.PID, run.Private, err)
		return
	}
	defer answer.Body.Close()
	var told struct {
		Ready    bool
		NotReady map[string]string `json:"not_ready"`
		Warnings map[string]string
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&told); err != nil {
		d.fail("server", "%s/readyz: %v", run.Private, err)
		return
	}
	for what, why := range told.NotReady {
		d.fail("server", "is not ready: %s: %s", what, why)
	}
	// What only the server knows; the rest is looked at here.
	if why, ok := told.Warnings["proof"]; ok {
		d.fail("proof", "the server signs nothing any more: %s", why)
	}
	if why, ok := told.Warnings["replica"]; ok {
		d.warn("replica", "%s", why)
	}
	if told.Ready {
		d.ok("server", "process %d is ready at %s, since %s", run.PID, run.URL, run.Started.Format("2006-01-02 15:04"))
	}
}

// quiet is the logger of what the doctor starts.
var quiet = slog.New(slog.DiscardHandler)
