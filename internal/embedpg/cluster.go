package embedpg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// cluster is a data directory and what stands beside it.
type cluster struct {
	dir    string // absolute
	bin    string
	major  int
	socket string
	params map[string]string
	fast   bool
	server account
	caller string // the user who runs us, and may act as the roles
}

// account is the operating system's user that the server runs as.
type account struct {
	name     string
	uid, gid int
	switched bool // it is not the caller
}

func newCluster(cfg Config) (cluster, error) {
	if cfg.DataDir == "" {
		return cluster{}, errors.New("no data directory given")
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return cluster{}, err
	}
	server, caller, err := accounts(dir, cfg.RunAs)
	if err != nil {
		return cluster{}, err
	}
	data, err := dataMajor(dir)
	if err != nil {
		return cluster{}, err
	}
	var found []Installation
	if cfg.BinDir != "" {
		i, err := inspect(cfg.BinDir)
		if err != nil {
			return cluster{}, err
		}
		found = []Installation{i}
	} else if found, err = Find(); err != nil {
		return cluster{}, err
	}
	binaries, err := choose(dir, data, found)
	if err != nil {
		return cluster{}, err
	}
	return cluster{
		dir: dir, bin: binaries.BinDir, major: binaries.Major, socket: socketDir(dir),
		params: cfg.Params, fast: cfg.Fast, server: server, caller: caller,
	}, nil
}

// accounts finds the server's user and the caller's name. PostgreSQL refuses to
// run as root; then an existing data directory keeps the user it has, even when
// a better one has come to the machine since.
func accounts(dir, runAs string) (server account, caller string, err error) {
	me, err := user.Current()
	if err != nil {
		return account{}, "", err
	}
	if os.Geteuid() != 0 {
		return account{name: me.Username, uid: os.Geteuid(), gid: os.Getegid()}, me.Username, nil
	}
	names := []string{"postgres", "nobody"}
	if info, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		if owner, err := user.LookupId(strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))); err == nil {
			names = []string{owner.Username}
		}
	} else if runAs != "" {
		names = []string{runAs}
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, "", err
		}
		return account{name: name, uid: uid, gid: gid, switched: true}, me.Username, nil
	}
	return account{}, "", fmt.Errorf("PostgreSQL does not run as root, and there is no user %s", strings.Join(names, " nor "))
}

// DefaultDir is where a program keeps its data when nobody said where: below the
// working directory. When the server is another user who cannot go there (a
// checkout in root's home), it is a folder in /var/lib that belongs to this
// working directory alone.
func DefaultDir() (string, error) {
	work, err := os.Getwd()
	if err != nil {
		return "", err
	}
	server, _, err := accounts(work, "")
	if err != nil {
		return "", err
	}
	if server.canEnter(work) {
		return filepath.Join(work, ".data"), nil
	}
	return filepath.Join("/var/lib/zurnals", shortHash(work)), nil
}

// canEnter looks at the permissions of the folder and of all above it.
func (a account) canEnter(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat := info.Sys().(*syscall.Stat_t)
	var bit os.FileMode = 0o001
	switch {
	case int(stat.Uid) == a.uid:
		bit = 0o100
	case int(stat.Gid) == a.gid:
		bit = 0o010
	}
	if info.Mode().Perm()&bit == 0 {
		return false
	}
	up := filepath.Dir(dir)
	return up == dir || a.canEnter(up)
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// dataMajor is the major version that made the directory, 0 if there is none.
func dataMajor(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		entries, err := os.ReadDir(dir)
		if err == nil && len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty and no PostgreSQL data directory", dir)
		}
		return 0, nil
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION: %w", dir, err)
	}
	return major, nil
}

func (c cluster) lockFile() string { return filepath.Join(filepath.Dir(c.dir), "supervisor.lock") }
func (c cluster) logFile() string  { return filepath.Join(filepath.Dir(c.dir), "postgres.log") }

// socketLimit is what fits into a socket address on Linux (108 bytes with the
// closing zero) beside the name that PostgreSQL gives its socket.
const socketLimit = 107 - len("/.s.PGSQL.5432")

// socketDir is the fixed place of the socket: beside the data directory, or,
// when that name is too long for a socket or would need quoting in a DSN, in
// /tmp under a name made from it.
func socketDir(dataDir string) string {
	dir := filepath.Join(filepath.Dir(dataDir), "socket")
	if len(dir) <= socketLimit && !strings.ContainsAny(dir, " \t\n\r\v\f,'\"\\=@") {
		return dir
	}
	return "/tmp/zurnals-" + shortHash(dataDir)
}

// makeParent makes the folder around the data directory. Only root lets others
// in, because then the server is somebody else.
func (c cluster) makeParent() error {
	mode := os.FileMode(0o700)
	if c.server.switched {
		mode = 0o755
	}
	return os.MkdirAll(filepath.Dir(c.dir), mode)
}

// prepare makes the data directory if it is missing and writes who may connect.
// The caller holds the lock.
func (c cluster) prepare(ctx context.Context) error {
	if err := c.checkReach(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.dir, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := c.initialise(ctx); err != nil {
			return err
		}
	}
	if err := c.writeAccess(c.dir); err != nil {
		return err
	}
	if err := c.makeSocketDir(); err != nil {
		return err
	}
	return c.rotateLog()
}

// checkReach finds out with one harmless call whether the server's user can
// enter the folder and run the binaries; root's home, for one, is closed to it.
func (c cluster) checkReach(ctx context.Context) error {
	parent := filepath.Dir(c.dir)
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "postgres"), "--version")
	cmd.Dir, cmd.SysProcAttr = parent, c.attributes(syscall.SIGKILL)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the user %s, who runs PostgreSQL, cannot enter %s or run %s: %w %s "+
			"(as root, choose a data directory outside of closed home folders, for example below /var/lib)",
			c.server.name, parent, cmd.Path, err, bytes.TrimSpace(out))
	}
	return nil
}

// initialise runs initdb under a temporary name and renames it, so that a crash
// never leaves half a cluster behind.
func (c cluster) initialise(ctx context.Context) error {
	tmp := c.dir + ".init"
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o700), c.give(tmp)); err != nil {
		return err
	}
	args := []string{"--pgdata", tmp, "--username", Superuser, "--encoding", "UTF8", "--locale", "C.UTF-8",
		"--auth", "reject", "--data-checksums", "--no-instructions"}
	if c.fast {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", environment(), c.attributes(syscall.SIGKILL)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb as %s: %w\n%s", c.server.name, err, out)
	}
	if err := os.Remove(c.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // only an empty folder can be removed this way
	}
	return os.Rename(tmp, c.dir)
}

// writeAccess lets the caller's user act as our roles over the socket, and
// nobody else. It is written on every start: the caller may have changed.
func (c cluster) writeAccess(dir string) error {
	var ident strings.Builder
	for _, role := range []string{Superuser, Owner, App, Analyst} {
		fmt.Fprintf(&ident, "zurnals \"%s\" %s\n", c.caller, role)
	}
	files := map[string]string{
		"pg_hba.conf":   "local all all peer map=zurnals\n",
		"pg_ident.conf": ident.String(),
	}
	for name, text := range files {
		tmp := filepath.Join(dir, name+".new")
		if err := errors.Join(os.WriteFile(tmp, []byte(text), 0o600), c.give(tmp)); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// makeSocketDir makes the folder of the socket, for the server's user alone. A
// folder in /tmp may have been put there by somebody who wants our queries, so
// an existing one must be ours.
func (c cluster) makeSocketDir() error {
	if err := os.Mkdir(c.socket, 0o700); err == nil {
		return c.give(c.socket)
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(c.socket)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(owner.Uid) != c.server.uid || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s must be a folder of the user %s that nobody else can enter", c.socket, c.server.name)
	}
	return nil
}

// rotateLog keeps one former log once the log has grown over 10 MiB.
func (c cluster) rotateLog() error {
	info, err := os.Stat(c.logFile())
	if err != nil || info.Size() < 10<<20 {
		return nil
	}
	return os.Rename(c.logFile(), c.logFile()+".1")
}

// logTail is the end of the server's log, for error messages.
func (c cluster) logTail() string {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return ""
	}
	return string(text[max(0, len(text)-1500):])
}

// give hands a file to the server's user.
func (c cluster) give(path string) error {
	if !c.server.switched {
		return nil
	}
	return os.Chown(path, c.server.uid, c.server.gid)
}

// attributes makes a child the server's user, in a process group of its own
// (Ctrl-C is for us; we stop it in order), that gets a signal when we die.
func (c cluster) attributes(whenWeDie syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: whenWeDie}
	if c.server.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(c.server.uid), Gid: uint32(c.server.gid), Groups: []uint32{}}
	}
	return attr
}

// environment is all that a child needs: nothing of the caller's (PGDATA, TZ,
// secrets in variables) reaches the server.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
}

// arguments are the server's command line: the settings stand here and not in
// postgresql.conf, so that a new version of the program brings its own.
func (c cluster) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "", // the socket only
		"unix_socket_permissions": "0700",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] %q%u@%d ",
		// A failing statement may hold personal data: the log gets the error only.
		"log_min_error_statement": "panic",
		"max_connections":         "200",
		"shared_buffers":          "128MB",
		"random_page_cost":        "1.1", // no disk that turns; what is read often is in memory
		"max_wal_size":            "2GB",
		"checkpoint_timeout":      "15min",
		"wal_compression":         "on",
		"jit":                     "off", // our statements are short
	}
	if c.fast {
		maps.Copy(settings, map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"})
	}
	maps.Copy(settings, c.params)
	args := []string{"-D", c.dir, "-k", c.socket}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}
