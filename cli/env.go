package cli

import (
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/term"
)

// Env is a command's surroundings, so that a script can test it.
type Env struct {
	Name       string   // what the program was called as: muster, mc-ssh, …
	Args       []string // without the name
	Executable string   // absolute path of this program
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	Getenv     func(string) string
	Home       string
	Now        func() time.Time

	// Become replaces this process by another: argv[0] is looked up in PATH.
	Become func(argv []string) error

	// Whether a person sits there. A menu needs both, a progress bar the second.
	StdinTerminal, StderrTerminal bool
}

// process is the surroundings of this very process.
func process() Env {
	home, err := os.UserHomeDir()
	if err != nil {
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	return Env{
		Name: filepath.Base(os.Args[0]), Args: os.Args[1:], Executable: exe,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Home: home, Now: time.Now, Become: become,
		StdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		StderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// configDir is where this user's settings are.
func (e Env) configDir() string {
	if dir := e.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "muster")
	}
	return filepath.Join(e.Home, ".config", "muster")
}

// stateDir is where this user's run file and data are kept.
func (e Env) stateDir() string {
	if dir := e.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "muster")
	}
	if runtime.GOOS == "windows" {
		if dir := e.Getenv("LOCALAPPDATA"); dir != "" {
			return filepath.Join(dir, "muster")
		}
	}
	return filepath.Join(e.Home, ".local", "state", "muster")
}
