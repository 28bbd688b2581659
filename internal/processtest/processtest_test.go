package processtest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleEnv tells a process of these tests what it is to be.
const roleEnv = "ZURNALS_TEST_PROCESS"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "greeter":
		fmt.Println("ready")
	case "sleeper":
		fmt.Println("ready")
		sleepForEver()
	}
}

// sleepForEver sleeps: without the race detector's help, a program that waits
// for nothing at all is ended by the runtime as deadlocked.
func sleepForEver() {
	for {
		time.Sleep(time.Hour)
	}
}

// A witness is a test that notes what is wrong with it instead of failing, and
// ends when it is told.
type witness struct {
	testing.TB
	wrong, said []string
	last        []func()
}

func (w *witness) Errorf(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}
func (w *witness) Logf(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}
func (w *witness) Failed() bool     { return len(w.wrong) > 0 }
func (w *witness) Cleanup(f func()) { w.last = append(w.last, f) }

func TestAProcessThatEnds(t *testing.T) {
	p := Start(t, roleEnv+"=greeter")
	p.Says("ready")
	if line, ok := p.Line(); ok {
		t.Errorf("it says %q more", line)
	}
	if err := p.End(); err != nil {
		t.Error(err)
	}
	p.Kill() // it has gone, and that is no harm
}

func TestAProcessIsKilled(t *testing.T) {
	p := Start(t, roleEnv+"=sleeper")
	p.Says("ready")
	p.Kill()
	if line, ok := p.Line(); ok {
		t.Errorf("killed, it says %q", line)
	}
}

// Whoever waits for a process that hangs is told so, and where it does.
func TestAProcessThatHangs(t *testing.T) {
	for name, waits := range map[string]func(*Process){
		"for a line":  func(p *Process) { p.Line() },
		"for the end": func(p *Process) { _ = p.End() },
		"for the end of one that stands still": func(p *Process) {
			p.Signal(syscall.SIGSTOP)
			_ = p.End()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &witness{TB: t}
			p := Start(w, roleEnv+"=sleeper")
			p.Says("ready")
			p.patience = 50 * time.Millisecond
			waits(p)
			for _, f := range w.last {
				f()
			}
			if len(w.wrong) != 1 || !strings.HasSuffix(w.wrong[0], " 50ms") {
				t.Errorf("wrong is %q", w.wrong)
			}
			where := strings.Contains(strings.Join(w.said, ""), "sleepForEver")
			if stopped := strings.Contains(name, "stands still"); where == stopped {
				t.Errorf("it says:\n%s", w.said)
			}
		})
	}
}
