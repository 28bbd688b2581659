// Package processtest runs processes that tests start in order to kill them
// (Latvian: bērnprocess).
//
// One that hangs is a test that fails within a minute, with what the process
// said and where its goroutines stood; not a run that is cut off after ten.
package processtest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a process may take for one thing: to start, to print its
// next line, to end. It is many times what it takes on a machine that does much
// else.
const Patience = 30 * time.Second

// A Process runs until it is killed, or the test ends.
type Process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out      *os.File
	lines    *bufio.Scanner
	patience time.Duration
}

// Start runs the binary of the test once more. Its TestMain sees by the
// environment that it is to be something else.
func Start(t testing.TB, env ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	complaints, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer complaints.Close()
	out, in, err := os.Pipe() // not StdoutPipe, which Wait closes before all is read
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(self)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), in, complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		out.Close()
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: cmd, out: out, lines: bufio.NewScanner(out), patience: Patience}
	t.Cleanup(func() {
		p.Kill()
		out.Close()
		if text, err := os.ReadFile(complaints.Name()); err == nil && t.Failed() {
			t.Logf("process %d said:\n%s", cmd.Process.Pid, text[:min(len(text), 30_000)])
		}
	})
	return p
}

// Line returns the next line that it prints; false if it has ended.
func (p *Process) Line() (string, bool) {
	p.t.Helper()
	_ = p.out.SetReadDeadline(time.Now().Add(p.patience)) // fails only if the test has ended
	if p.lines.Scan() {
		return p.lines.Text(), true
	}
	switch err := p.lines.Err(); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.t.Errorf("process %d has printed nothing for %s", p.cmd.Process.Pid, p.patience)
		showWhere(p.cmd)
		_ = p.out.SetReadDeadline(time.Now().Add(lastWords))
		_, _ = io.Copy(io.Discard, p.out) // until it has said it
	case err != nil && !errors.Is(err, os.ErrClosed):
		p.t.Error(err)
	}
	return "", false
}

// Says fails the test unless this is the next line.
func (p *Process) Says(want string) {
	p.t.Helper()
	if line, _ := p.Line(); line != want {
		p.t.Fatalf("process %d says %q, want %q", p.cmd.Process.Pid, line, want)
	}
}

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends it as a power cut does. It may have ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
}

// End waits until it has ended by itself, and returns how.
func (p *Process) End() error {
	p.t.Helper()
	return wait(p.t, p.cmd, p.patience)
}

// Wait waits until a process has ended that was started otherwise.
func Wait(t testing.TB, cmd *exec.Cmd) error {
	t.Helper()
	return wait(t, cmd, Patience)
}

func wait(t testing.TB, cmd *exec.Cmd, patience time.Duration) error {
	t.Helper()
	hangs := time.AfterFunc(patience, func() { showWhere(cmd) })
	err := cmd.Wait()
	if !hangs.Stop() {
		t.Errorf("process %d did not end within %s", cmd.Process.Pid, patience)
	}
	return err
}

// lastWords is how long a process that hangs may take to say where.
const lastWords = 5 * time.Second

// showWhere ends a process that hangs. A Go program says first what each of its
// goroutines waits for.
func showWhere(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGQUIT)
	time.AfterFunc(lastWords, func() { _ = cmd.Process.Kill() }) // if it stands still
}
