// Package program runs other people's programs within bounds: an argument
// vector and never a shell, a time limit, a limit on output, and nothing left
// running afterwards.
//
//	res, err := program.Run(ctx, program.Command{Argv: []string{"facter", "--json"}, Limit: 30 * time.Second})
//	if errors.Is(err, program.ErrLimit) { ... } // it and its children were killed
//
// A program gets an empty standard input and, unless told otherwise, a small
// environment that owes nothing to the caller's secrets.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// ErrLimit is returned for a program that did not end within its time limit.
var ErrLimit = errors.New("did not end within its time limit and was killed")

// Command is what to run, and within which bounds.
type Command struct {
	Argv      []string      // the program and its arguments; the program is looked up in Env's PATH
	Env       []string      // nil means [Environment] of this process
	Limit     time.Duration // 0 means 10 seconds
	MaxOutput int           // bytes kept of each stream, the rest is thrown away; 0 means 64 KiB
}

// Result is what a program did.
type Result struct {
	Stdout, Stderr []byte
	Truncated      bool // more was written than MaxOutput
	Exit           int  // exit status; -1 if a signal ended it
}

// Run runs a command and waits for its end. A program that exits with a status
// other than 0 is no error: that is in [Result].
//
// The error says why the program could not be started, or is [ErrLimit], or is
// the cause for which ctx ended. In the latter two cases the program and all
// the children that stayed in its process group (on Windows: its job) were killed,
// and the Result holds what they had written.
func Run(ctx context.Context, c Command) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("no program is named")
	}
	limit, maxOutput, env := c.Limit, c.MaxOutput, c.Env
	if limit <= 0 {
		limit = 10 * time.Second
	}
	if maxOutput <= 0 {
		maxOutput = 64 << 10
	}
	if env == nil {
		env = Environment(os.Getenv)
	}
	path, err := Look(c.Argv[0], env)
	if err != nil {
		return Result{}, err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrLimit)
	defer cancel()
	stdout, stderr := &capped{max: maxOutput}, &capped{max: maxOutput}
	cmd := exec.CommandContext(ctx, path, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Env, cmd.Stdout, cmd.Stderr = env, stdout, stderr
	cmd.WaitDelay = time.Second // for children that hold our end of the pipe open

	g, err := startGroup(cmd)
	if err != nil {
		return Result{}, fmt.Errorf("starting %s: %w", c.Argv[0], reason(err))
	}
	err = cmd.Wait()
	if ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) {
		g.kill()
	}
	g.close()

	res := Result{
		Stdout: stdout.kept, Stderr: stderr.kept,
		Truncated: stdout.over || stderr.over,
		Exit:      cmd.ProcessState.ExitCode(),
	}
	if ctx.Err() != nil && res.Exit != 0 {
		return res, context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			return res, fmt.Errorf("running %s: %w", c.Argv[0], err)
		}
	}
	return res, nil
}

// reason strips the operation and path that the caller of Run already names.
func reason(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Environment is the small environment programs get: where programs are, where
// home is, and a locale in which their output can be read.
func Environment(getenv func(string) string) []string {
	env := []string{"PATH=" + searchPath(getenv("PATH")), "LANG=C.UTF-8", "LC_ALL=C.UTF-8"}
	for _, name := range []string{"HOME", "TZ", "TMPDIR", "SystemRoot", "SystemDrive", "PATHEXT", "TEMP", "TMP", "ProgramData", "ProgramFiles"} {
		if v := getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// searchPath adds the places that a daemon's PATH often lacks.
func searchPath(path string) string {
	dirs := filepath.SplitList(path)
	more := []string{"/opt/puppetlabs/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	if runtime.GOOS == "windows" {
		more = []string{`C:\Program Files\Puppet Labs\Puppet\bin`}
	}
	for _, dir := range more {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, string(os.PathListSeparator))
}

// Look finds a program in the PATH of env; a name with a folder in it is taken
// as it is, if it can be executed.
func Look(name string, env []string) (string, error) {
	if filepath.Base(name) != name {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		return "", fmt.Errorf("%s is not there or may not be executed", name)
	}
	for _, entry := range env {
		key, list, _ := strings.Cut(entry, "=")
		if !strings.EqualFold(key, "PATH") {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			if !filepath.IsAbs(dir) {
				continue // never the current folder
			}
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not in the path", name)
}

// capped keeps the first max bytes and swallows the rest, so that a talkative
// program runs on rather than blocking or filling memory.
type capped struct {
	kept []byte
	max  int
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.max - len(c.kept)
	if len(p) > room {
		c.over = true
		c.kept = append(c.kept, p[:room]...)
		return len(p), nil
	}
	c.kept = append(c.kept, p...)
	return len(p), nil
}
