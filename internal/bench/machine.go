package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// postgresCPU reads how long the processes of a server have run.
type postgresCPU struct{ postmaster string }

func watchPostgres(pidFile string) (*postgresCPU, error) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return nil, err
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	return &postgresCPU{postmaster: strings.TrimSpace(pid)}, nil
}

// read sums the time of all processes of the server that are there now.
func (p *postgresCPU) read() (total time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ") // the name may hold anything
		fields := strings.Fields(after)
		pid := filepath.Base(filepath.Dir(stat))
		if len(fields) < 2 || fields[1] != p.postmaster && pid != p.postmaster {
			continue
		}
		ran, err := os.ReadFile("/proc/" + pid + "/schedstat") // nanoseconds, unlike stat
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(ran), " ")
		ns, _ := strconv.ParseInt(first, 10, 64)
		total += time.Duration(ns)
	}
	return total
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	return fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), model)
}
