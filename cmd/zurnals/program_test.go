package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zurnals/internal/processtest"
)

// programEnv holds the command line of a test process that is the program.
const programEnv = "ZURNALS_TEST_PROGRAM"

// TestProgram is the program itself, in a process that a test has started; in
// all others it does nothing.
func TestProgram(t *testing.T) {
	words := os.Getenv(programEnv)
	if words == "" {
		return
	}
	if err := run(context.Background(), strings.Split(words, "\x1f"), os.Stdout); err != nil {
		t.Fatal(err)
	}
}

// A process is the program in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}
}

// starts runs a command line in a process of its own, until it is killed or the
// test ends. Several may have the same data directory only if they do not serve.
func (i *installation) starts(words ...string) *process {
	i.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProgram$")
	cmd.Env = append(os.Environ(), programEnv+"="+strings.Join(append(words, i.flags...), "\x1f"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.CreateTemp(i.dir, "log-*")
	if err != nil {
		i.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	p := &process{t: i.t, cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // it is killed
		log.Close()
	}()
	i.t.Cleanup(func() {
		p.kill()
		if text, err := os.ReadFile(log.Name()); err == nil && i.t.Failed() {
			i.t.Logf("%s said:\n%s", words[0], text[max(0, len(text)-4000):])
		}
	})
	return p
}

// kill ends a process as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// beside is another machine with the same database and master key.
func (i *installation) beside() *installation {
	i.t.Helper()
	other := &installation{t: i.t, db: i.db, dir: i.t.TempDir()}
	key, err := os.ReadFile(filepath.Join(i.dir, "master.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(other.dir, "master.key"), key, 0o600)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	other.flags = append([]string{"-data-dir", other.dir}, i.flags[2:]...)
	return other
}

// serves starts a server and waits until it does. It returns where.
func (i *installation) serves() (*process, runFile) {
	i.t.Helper()
	p := i.starts("serve", "-addr", "127.0.0.1:0", "-private-addr", "127.0.0.1:0")
	var run runFile
	eventually(i.t, "the server serves", func() bool {
		data, err := os.ReadFile(filepath.Join(i.dir, "run.json"))
		return err == nil && json.Unmarshal(data, &run) == nil && run.PID == p.cmd.Process.Pid
	})
	return p, run
}

// patient asks a server that may be busy.
var patient = &http.Client{Timeout: processtest.Patience}

// eventually waits for something to become true, and returns how long it took.
func eventually(t testing.TB, what string, yes func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		<-tick.C
		if time.Since(began) > processtest.Patience {
			t.Fatalf("it never happened: %s", what)
		}
	}
	return time.Since(began)
}
