package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that the benchmark starts.
type process struct {
	cmd   *exec.Cmd
	url   string
	took  time.Duration // from the start until it was ready
	done  chan struct{}
	err   error
	tail  *tail
	alone sync.Once
}

var readyLine = regexp.MustCompile(`msg=ready url=(\S+)`)

// start runs a program and waits until it logs that it is ready.
func start(ctx context.Context, path string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{}), tail: &tail{}} //nolint:gosec // programs of this repository
	p.cmd.Env = append(os.Environ(), "TZ=UTC")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewReader(pipe)
		for {
			line, err := lines.ReadString('\n')
			p.tail.add(line)
			if m := readyLine.FindStringSubmatch(line); m != nil {
				select {
				case ready <- m[1]:
				default:
				}
			}
			if err != nil {
				break
			}
		}
		p.err = p.cmd.Wait()
	}()
	select {
	case p.url = <-ready:
		p.took = time.Since(begin)
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s %s ended: %w\n%s", filepath.Base(path), strings.Join(args, " "), p.err, p.tail)
	case <-time.After(2 * time.Minute):
		p.stop()
		return nil, fmt.Errorf("%s %s is not ready after two minutes\n%s", filepath.Base(path), strings.Join(args, " "), p.tail)
	case <-ctx.Done():
		p.stop()
		return nil, ctx.Err()
	}
}

// stop ends the program, gently at first.
func (p *process) stop() {
	if p == nil {
		return
	}
	p.alone.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
}

// tail keeps the last lines of a log, for error messages.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, line); len(t.lines) > 20 {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "")
}

// run runs a program and waits for its end.
func run(ctx context.Context, stdin, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // programs of this repository
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(args, " "), err, out)
	}
	return nil
}

// tick is the unit of times in /proc/PID/stat: 10 ms on every Linux architecture that Go
// supports (proc(5), USER_HZ).
const tick = 10 * time.Millisecond

// stat returns a process's parent, its processor time, and that of its ended children.
func stat(pid int) (parent int, own, children time.Duration, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0, err
	}
	// The name is in parentheses and may contain any characters.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("/proc/%d/stat cannot be read", pid)
	}
	n := make([]int, len(fields))
	for i, f := range fields[1:15] {
		n[i+1], _ = strconv.Atoi(f)
	}
	return n[1], time.Duration(n[11]+n[12]) * tick, time.Duration(n[13]+n[14]) * tick, nil
}

// threads returns the processor time of a process's threads in nanoseconds;
// /proc/PID/stat rounds it down to 10 ms.
func threads(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, errors.Join(err, os.ErrNotExist)
	}
	var sum time.Duration
	for _, t := range tasks {
		data, err := os.ReadFile(t) //nolint:gosec // in /proc
		if err != nil {
			continue // the thread has ended, which is rare in Go programs
		}
		first, _, _ := strings.Cut(string(data), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// cpu returns the processor time of a process.
func cpu(pid int) time.Duration {
	if t, err := threads(pid); err == nil {
		return t
	}
	_, own, _, _ := stat(pid)
	return own
}

// treeCPU returns the processor time of a process and all its descendants, including ended ones.
func treeCPU(root int) time.Duration {
	below := map[int][]int{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		pid, _ := strconv.Atoi(filepath.Base(e))
		if parent, _, _, err := stat(pid); err == nil {
			below[parent] = append(below[parent], pid)
		}
	}
	var sum time.Duration
	var walk func(pid int)
	walk = func(pid int) {
		_, _, children, _ := stat(pid)
		sum += cpu(pid) + children
		for _, c := range below[pid] {
			walk(c)
		}
	}
	walk(root)
	return sum
}

// footprint is the memory of a process in MB.
type footprint struct {
	rss  float64 // resident
	pss  float64 // resident, with shared pages divided by their users
	anon float64 // anonymous; the rest are file pages, which the kernel can drop
}

// memory returns the footprint of a process, zero after its end.
func memory(pid int) footprint {
	var m footprint
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return m
	}
	defer f.Close()
	data, _ := io.ReadAll(f)
	for _, line := range strings.Split(string(data), "\n") {
		name, rest, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "Rss":
			m.rss = kb / 1024
		case "Pss":
			m.pss = kb / 1024
		case "Anonymous":
			m.anon = kb / 1024
		}
	}
	return m
}
