package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A server is the program serving, as a process of its own.
type server struct {
	binary, dir string
	url         string // http://127.0.0.1:…
	private     string
	flags       []string // beside those that it always has
	cmd         *exec.Cmd
	ended       chan error
}

// startPatience is how long a start may take, PostgreSQL's first one included.
const startPatience = time.Minute

// start starts the server and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	if s.url == "" {
		addr, err := freeAddress()
		if err != nil {
			return err
		}
		private, err := freeAddress()
		if err != nil {
			return err
		}
		s.url, s.private = "http://"+addr, "http://"+private
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.binary, append([]string{"serve", "-dev", "-demo=false",
		"-addr", strings.TrimPrefix(s.url, "http://"), "-private-addr", strings.TrimPrefix(s.private, "http://"), "-data-dir", s.data()}, s.flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = s.environment()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the tour, and the tour stops the server
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	s.ended = ended
	go func() { ended <- s.cmd.Wait() }()
	return s.waitReady(ctx)
}

// environment is ours without the settings of a server that may run here.
func (s *server) environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ZURNALS_") || strings.HasPrefix(v, "ZURNALS_PG_BIN=") {
			env = append(env, v)
		}
	}
	return env
}

func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-s.ended:
			s.cmd = nil
			return fmt.Errorf("the server ended while it started: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.private+"/readyz", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// kill ends the server as a power cut would.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.ended
	s.cmd = nil
	return nil
}

// stop ends the server as Ctrl-C does, which may take five seconds.
func (s *server) stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		s.cmd = nil
		if err != nil {
			return fmt.Errorf("the server ended with %w", err)
		}
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the server did not stop within 10 s"), s.kill())
	}
}

// tool runs another subcommand on the data of the server.
func (s *server) tool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append(args, "-data-dir", s.data(), "-public-url", s.url)...)
	cmd.Env = s.environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("zurnals %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }
func (s *server) log() string  { return filepath.Join(s.dir, "server.log") }

// tail is the end of the server's log, one message a line.
func (s *server) tail() string {
	data, err := os.ReadFile(s.log())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i, line := range lines {
		var entry struct{ Level, Msg, Err, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg != "" {
			lines[i] = strings.TrimSpace(entry.Level + " " + entry.Msg + " " + entry.Err + entry.Error)
		}
	}
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
