package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	maxFailures  = 10               // starts in a row that did not become ready
	formerWait   = 60 * time.Second // for a server that is still shutting down
)

// supervise runs the server and starts it again until Stop. What happened to
// the first start goes to ready.
//
// It keeps its thread: the signal at the parent's death is sent when the
// *thread* that made the child ends, and Go ends threads as it likes.
func (s *Server) supervise(ready chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	defer s.lock.Close()

	// The rest of a killed server may hold its memory for a moment longer.
	retryFirst := s.leftPIDFile()
	first, failures, backoff := true, 0, firstBackoff
	for {
		becameReady, err := s.runOnce(func() {
			if first {
				ready <- nil
			}
			first = false
		})
		if s.stopping() {
			s.finish(first, ready, nil)
			return
		}
		if becameReady {
			failures, backoff = 0, firstBackoff
		} else {
			failures++
		}
		if (first && !retryFirst) || failures == maxFailures {
			s.finish(first, ready, fmt.Errorf("PostgreSQL ended: %w\n%s", err, s.cluster.logTail()))
			return
		}
		s.log.Error("PostgreSQL ended and is started again", "error", err, "pause", backoff)
		select {
		case <-s.stop:
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

func (s *Server) finish(first bool, ready chan<- error, err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	if first {
		if err == nil {
			err = errors.New("stopped before it was ready")
		}
		ready <- err
	}
}

// runOnce starts the server, says when it is ready, and waits for its end.
func (s *Server) runOnce(ready func()) (becameReady bool, err error) {
	if err := s.waitForFormer(); err != nil {
		return false, err
	}
	log, err := os.OpenFile(s.cluster.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.cluster.bin, "postgres"), s.cluster.arguments()...)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = log, log, "/", environment()
	cmd.SysProcAttr = s.cluster.attributes(syscall.SIGINT) // a fast shutdown
	if err := s.launch(cmd); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !becameReady {
		select {
		case err := <-ended:
			s.setProcess(nil)
			return false, err
		case <-time.After(5 * time.Millisecond):
			if becameReady = s.ping(); becameReady {
				ready()
			}
		}
	}
	err = <-ended
	s.setProcess(nil)
	if err == nil {
		err = errors.New("it was shut down by somebody else")
	}
	return true, err
}

// launch starts the process unless Stop was called: under the mutex, so that a
// halt either comes before and nothing starts, or finds the process.
func (s *Server) launch(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return errors.New("stopped")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd.Process
	return nil
}

// halt forbids another start and sends the signal to the running server.
func (s *Server) halt(signal syscall.Signal) {
	s.stopOnce.Do(func() { close(s.stop) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Signal(signal)
	}
}

func (s *Server) setProcess(p *os.Process) {
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// ping asks the server for a connection.
func (s *Server) ping() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN(Superuser, "postgres"))
	if err != nil {
		return false
	}
	_ = conn.Close(ctx)
	return true
}

// waitForFormer waits until the server of an earlier supervisor has ended. We
// hold the lock, so that supervisor is gone and its server is shutting down.
func (s *Server) waitForFormer() error {
	deadline := time.Now().Add(formerWait)
	for {
		pid := s.formerServer()
		if pid == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another PostgreSQL (process %d) runs on %s and does not end: stop it", pid, s.cluster.dir)
		}
		select {
		case <-s.stop:
			return errors.New("stopped")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) leftPIDFile() bool {
	_, err := os.Stat(filepath.Join(s.cluster.dir, "postmaster.pid"))
	return err == nil
}

// formerServer is the process that holds the data directory, 0 if none does. The
// file outlives a crash and process numbers are used again, so it must also be
// a PostgreSQL.
func (s *Server) formerServer() int {
	text, err := os.ReadFile(filepath.Join(s.cluster.dir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 0 {
		return 0
	}
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil || strings.TrimSpace(string(command)) != "postgres" {
		return 0
	}
	return pid
}
