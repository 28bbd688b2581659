package embedpg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataOfAnotherMajorIsAClearError(t *testing.T) {
	dir := t.TempDir()
	version := filepath.Join(dir, "PG_VERSION")
	if err := os.WriteFile(version, []byte("14\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), Config{DataDir: dir})
	var major *MajorError
	if !errors.As(err, &major) || major.Data != 14 || len(major.Found) == 0 {
		t.Fatalf("got %v", err)
	}
	for _, word := range []string{dir, "PostgreSQL 14", "install PostgreSQL 14", "pg_upgrade", BinEnv} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message lacks %q: %v", word, err)
		}
	}
	if text, err := os.ReadFile(version); err != nil || string(text) != "14\n" {
		t.Errorf("the data were touched: %q, %v", text, err)
	}
}

func TestADataDirectoryChoosesItsMajor(t *testing.T) {
	found := []Installation{{"/18", 18}, {"/15", 15}}
	for data, want := range map[int]string{0: "/18", 15: "/15", 18: "/18"} {
		got, err := choose("dir", data, found)
		if err != nil || got.BinDir != want {
			t.Errorf("data of %d: %v, %v; want %s", data, got, err, want)
		}
	}
	if _, err := choose("dir", 16, found); err == nil {
		t.Error("data of 16 were given to another major")
	}
}

func TestAFolderWithOtherThingsIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.odt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.odt")); err != nil {
		t.Error(err)
	}
}

func TestAFolderTheServerCannotEnterIsAClearError(t *testing.T) {
	if os.Geteuid() != 0 {
		return // then the server is the caller, and t.TempDir is open to it
	}
	_, err := Start(context.Background(), Config{DataDir: filepath.Join(t.TempDir(), "inner", "pg")})
	if err == nil || !strings.Contains(err.Error(), "cannot enter") {
		t.Errorf("got %v", err)
	}
}

func TestDataStayBelowTheWorkingDirectoryIfTheServerCanGoThere(t *testing.T) {
	closed := t.TempDir() // its parent is closed to others
	inside := filepath.Join(closed, "checkout")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inside)
	got, err := DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if want := filepath.Join(inside, ".data"); got != want {
			t.Errorf("the server is the caller, but the place is %s", got)
		}
		return
	}
	if !strings.HasPrefix(got, "/var/lib/zurnals/") {
		t.Errorf("root's closed folder: %s", got)
	}
	t.Chdir("/usr/share")
	if got, err := DefaultDir(); err != nil || got != "/usr/share/.data" {
		t.Errorf("an open folder: %s, %v", got, err)
	}
}

func TestBinariesNamedWronglyAreAnError(t *testing.T) {
	t.Setenv(BinEnv, t.TempDir())
	if _, err := Find(); err == nil || !strings.Contains(err.Error(), BinEnv) {
		t.Errorf("got %v", err)
	}
}

func TestSocketDirFitsIntoAnAddress(t *testing.T) {
	long := "/srv/" + strings.Repeat("x", socketLimit)
	exact := "/" + strings.Repeat("x", socketLimit-len("//socket"))
	for name, c := range map[string]struct{ data, want string }{
		"beside the data": {"/srv/zurnals/pg", "/srv/zurnals/socket"},
		"just fits":       {exact + "/pg", exact + "/socket"},
		"one too long":    {exact + "y/pg", "/tmp/zurnals-"},
		"long":            {long + "/pg", "/tmp/zurnals-"},
		"spaces":          {"/srv/my data/pg", "/tmp/zurnals-"},
		"comma":           {"/srv/a,b/pg", "/tmp/zurnals-"},
	} {
		got := socketDir(c.data)
		if !strings.HasPrefix(got, c.want) || len(got) > socketLimit {
			t.Errorf("%s: %q (%d bytes), want %q", name, got, len(got), c.want)
		}
		if got != socketDir(c.data) {
			t.Errorf("%s: the place changes", name)
		}
	}
	if socketDir("/srv/a,b/pg") == socketDir("/srv/a,c/pg") {
		t.Error("two servers share a socket")
	}
}

func TestASocketFolderOfSomebodyElseIsNotUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "socket")
	server := account{name: "me", uid: os.Geteuid(), gid: os.Getegid()}
	c := cluster{socket: dir, server: server}
	for range 2 { // made, then found
		if err := c.makeSocketDir(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := c.makeSocketDir(); err == nil {
		t.Error("a folder open to others was taken")
	}
	if err := errors.Join(os.Remove(dir), os.Symlink(t.TempDir(), dir)); err != nil {
		t.Fatal(err)
	}
	if err := c.makeSocketDir(); err == nil {
		t.Error("a link to elsewhere was taken")
	}
}

func TestTheLogDoesNotGrowForEver(t *testing.T) {
	c := cluster{dir: filepath.Join(t.TempDir(), "pg")}
	if err := os.WriteFile(c.logFile(), make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.rotateLog(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.logFile() + ".1"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.logFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the long log is still in use: %v", err)
	}
}

func TestVersionsAreRead(t *testing.T) {
	for text, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18.4":                             18,
		"postgres (PostgreSQL) 19beta1":                          19,
		"postgres (PostgreSQL) 20":                               20,
	} {
		if got, err := majorOf(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "mysqld 8", "postgres (PostgreSQL) devel", "postgres (PostgreSQL) 99999999999999999999"} {
		if got, err := majorOf(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func FuzzMajorOf(f *testing.F) {
	f.Add("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)")
	f.Add("postgres (PostgreSQL) ")
	f.Fuzz(func(t *testing.T, text string) {
		if major, err := majorOf(text); err == nil && major < 0 {
			t.Errorf("%q is major %d", text, major)
		}
	})
}
