package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zurnals/internal/embedpg"
)

// What the folders of test servers are called. Nobody stops and starts the one
// of a whole run, so it is rubbish as soon as nobody holds it; a folder of
// DataDir may be between two servers and is rubbish after an hour.
const (
	tempPrefix = "zurnals-test-"
	dataPrefix = "zurnals-data-"
	dataAge    = time.Hour
)

// server gives the server of the run, or starts one for this process. It ends
// with the process; its folder is swept by the next run (a test process has no
// last moment in which to remove it).
var server = sync.OnceValues(func() (embedpg.Address, error) {
	if socket := os.Getenv(SocketEnv); socket != "" {
		return embedpg.Address{Socket: socket}, nil
	}
	s, _, err := StartServer(context.Background(), Fast)
	if err != nil {
		return embedpg.Address{}, err
	}
	return s.Address, nil
})

// Durability says what a test server does for its data.
type Durability bool

const (
	Fast    Durability = false // in memory if it fits, no fsync
	Durable Durability = true  // on the disk with fsync, as in earnest: for benchmarks
)

// StartServer starts a server for tests in a folder of its own, which is
// removed by the next run, or by the caller after Stop. Settings are such as
// "commit_delay=1000".
func StartServer(ctx context.Context, d Durability, settings ...string) (s *embedpg.Server, dir string, err error) {
	sweep()
	if d == Durable {
		dir, err = tempDir("/tmp", tempPrefix)
	} else {
		dir, err = TempDir(tempPrefix)
	}
	if err != nil {
		return nil, "", err
	}
	params := make(map[string]string, len(settings))
	if d == Fast {
		params["max_connections"] = "500" // all packages at once, and on a big machine many tests of each
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		params[name] = value
	}
	s, err = embedpg.Start(ctx, embedpg.Config{DataDir: filepath.Join(dir, "pg"), Fast: d == Fast, Params: params})
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return s, dir, nil
}

// tempBases are where test servers may live: in memory, where cloning a
// database takes a tenth of the time, else on the disk.
var tempBases = []string{"/dev/shm", "/tmp"}

// TempDir makes a folder with a short name that the server's user can enter
// (t.TempDir is closed to others and may be too long for a socket).
func TempDir(prefix string) (string, error) {
	base := tempBases[1]
	const enough = 4 << 30 // containers often give /dev/shm 64 MB only
	var fs syscall.Statfs_t
	if err := syscall.Statfs(tempBases[0], &fs); err == nil && int64(fs.Bavail)*fs.Bsize >= enough {
		base = tempBases[0]
	}
	return tempDir(base, prefix)
}

// DataDir names a data directory for a test that runs a server itself. Its
// folder is removed at the end of the test.
func DataDir(t testing.TB) string {
	t.Helper()
	base, err := TempDir(dataPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	return filepath.Join(base, "pg")
}

func tempDir(base, prefix string) (string, error) {
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// sweep removes the folders of test servers that are gone, however they ended.
// One that somebody supervises, or that is being made, is left alone.
func sweep() {
	for _, base := range tempBases {
		dirs, _ := filepath.Glob(filepath.Join(base, tempPrefix+"*"))
		for _, dir := range dirs {
			if abandoned(dir) {
				_ = os.RemoveAll(dir)
			}
		}
		dirs, _ = filepath.Glob(filepath.Join(base, dataPrefix+"*"))
		for _, dir := range dirs {
			if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > dataAge && abandoned(dir) {
				_ = os.RemoveAll(dir)
			}
		}
	}
}

func abandoned(dir string) bool {
	data := filepath.Join(dir, "pg")
	if _, err := os.Stat(filepath.Join(dir, "supervisor.lock")); err != nil {
		return false // just made, or not ours to know
	}
	if _, running := embedpg.Running(data); running {
		return false
	}
	// The server removes its pid file as the last thing it does; a folder with
	// one may still be shutting down, unless that process is gone.
	pid, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return true
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	_, err = os.Stat(filepath.Join("/proc", strings.TrimSpace(first)))
	return errors.Is(err, os.ErrNotExist)
}
