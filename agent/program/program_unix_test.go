//go:build !windows

package program_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/agent/program"
)

// script writes an executable shell script and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStreamsStayApartAndTheStatusIsKept(t *testing.T) {
	res, err := program.Run(t.Context(), program.Command{Argv: []string{script(t, "echo out; echo err >&2; exit 7"), "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q %q %d", res.Stdout, res.Stderr, res.Exit); got != `"out\n" "err\n" 7` {
		t.Errorf("got %s", got)
	}
}

// A program that starts children and then hangs leaves none of them behind.
func TestALimitKillsTheChildrenToo(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	prog := script(t, "sleep 60 & echo $! >"+pidFile+"; echo started; wait")
	start := time.Now()
	res, err := program.Run(t.Context(), program.Command{Argv: []string{prog}, Limit: 300 * time.Millisecond})
	if !errors.Is(err, program.ErrLimit) {
		t.Fatalf("error %v, want ErrLimit", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("returned after %v", took)
	}
	if string(res.Stdout) != "started\n" {
		t.Errorf("what was written before the end is lost: %q", res.Stdout)
	}
	waitDead(t, pidFile)
}

// A program that ends and leaves a child holding its output does not block, and
// the child does not live on.
func TestAChildThatOutlivesItsParentIsKilled(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	prog := script(t, "sleep 60 & echo $! >"+pidFile+"; echo done")
	res, err := program.Run(t.Context(), program.Command{Argv: []string{prog}, Limit: 20 * time.Second})
	if err != nil || string(res.Stdout) != "done\n" || res.Exit != 0 {
		t.Fatalf("%q, %d, %v", res.Stdout, res.Exit, err)
	}
	waitDead(t, pidFile)
}

func waitDead(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if gone(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("child %d is still running", pid)
}

// gone also holds for a zombie, which waits only for its parent to look.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestEndOfContextIsItsCause(t *testing.T) {
	why := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	_, err := program.Run(ctx, program.Command{Argv: []string{script(t, "sleep 60")}})
	if !errors.Is(err, why) {
		t.Errorf("error %v, want the cause", err)
	}
}

func TestOutputIsCapped(t *testing.T) {
	res, err := program.Run(t.Context(), program.Command{Argv: []string{script(t, "head -c 1000000 /dev/zero; echo end >&2")}, MaxOutput: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Stdout) != 1000 || !res.Truncated || string(res.Stderr) != "end\n" {
		t.Errorf("kept %d bytes, truncated %v, stderr %q", len(res.Stdout), res.Truncated, res.Stderr)
	}
}

func TestSecretsOfTheCallerStayWithIt(t *testing.T) {
	t.Setenv("MUSTER_PSK", "hush")
	res, err := program.Run(t.Context(), program.Command{Argv: []string{"env"}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(res.Stdout), "hush") || !strings.Contains(string(res.Stdout), "/opt/puppetlabs/bin") {
		t.Errorf("environment:\n%s", res.Stdout)
	}
}

func TestWhatCannotRunIsSaid(t *testing.T) {
	for _, name := range []string{"no-such-program-here", "/no/such/program", "./relative"} {
		if _, err := program.Run(t.Context(), program.Command{Argv: []string{name}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
	if _, err := program.Run(t.Context(), program.Command{}); err == nil {
		t.Error("no program at all was accepted")
	}
}
