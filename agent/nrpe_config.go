package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	defaultNRPEPaths = []string{"/etc/nagios/nrpe.cfg", "/etc/nagios/nrpe.d"}

	nrpeCommand = regexp.MustCompile(`^command\[([^\]]+)\]\s*=\s*(.*)$`)
	nrpeInclude = regexp.MustCompile(`^(include|include_file|include_dir|command_prefix)\s*=\s*(.*)$`)

	errNoCommand = errors.New("no such command")
)

const maxNRPEFiles = 1000

// nrpeConfig is what the files say.
type nrpeConfig struct {
	commands map[string]definition
	prefix   string
	broken   []string // files that could not be read
	faults   []string // those, files that are not there, and lines that say nothing
	seen     map[string]bool
}

// definition is the line of a command, and the file and number of that line.
type definition struct{ line, where string }

// readNRPE reads definitions; a file that can not be read takes only its own
// definitions away.
func readNRPE(paths []string) *nrpeConfig {
	c := &nrpeConfig{commands: map[string]definition{}, seen: map[string]bool{}}
	for _, path := range paths {
		c.read(path, "it is configured")
	}
	if paths == nil {
		for _, path := range defaultNRPEPaths {
			c.read(path, "")
		}
	}
	return c
}

// command is the line that defines a command, prefix included.
func (c *nrpeConfig) command(name string) (string, error) {
	d, ok := c.commands[name]
	switch {
	case ok && d.line == "":
		return "", errors.New("its definition is empty")
	case ok:
		return strings.TrimSpace(c.prefix + " " + d.line), nil
	case len(c.broken) > 0:
		return "", fmt.Errorf("no such command in what could be read; not read: %s", strings.Join(c.broken, "; "))
	}
	return "", errNoCommand
}

// read takes a file, or every *.cfg below a folder in the order of names. Each
// file is read once, so that includes in a circle end. Why says why there should
// be one; empty: there need not be.
func (c *nrpeConfig) read(path, why string) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && why != "" {
		c.faults = append(c.faults, fmt.Sprintf("%s is not there, but %s", path, why))
	}
	if err != nil {
		c.failed(path, err)
		return
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if c.seen[path] || len(c.seen) >= maxNRPEFiles {
		return
	}
	c.seen[path] = true
	if !info.IsDir() {
		c.file(path)
		return
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		c.failed(path, err)
		return
	}
	for _, e := range entries {
		below := filepath.Join(path, e.Name())
		if info, err := os.Stat(below); err == nil && (info.IsDir() || strings.HasSuffix(e.Name(), ".cfg")) {
			c.read(below, "")
		}
	}
}

func (c *nrpeConfig) file(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		c.failed(path, err)
		return
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		c.take(strings.TrimSpace(line), fmt.Sprintf("%s:%d", path, number))
	}
}

// take deals with one line; settings that are only NRPE's are passed over.
func (c *nrpeConfig) take(line, where string) {
	if m := nrpeCommand.FindStringSubmatch(line); m != nil {
		c.commands[strings.TrimSpace(m[1])] = definition{m[2], where}
		return
	}
	m := nrpeInclude.FindStringSubmatch(line)
	switch {
	case m != nil && m[1] == "command_prefix":
		c.prefix = m[2]
	case m != nil:
		c.read(m[2], where+" includes it")
	case line == "" || line[0] == '#':
	case strings.HasPrefix(line, "command[") || !strings.Contains(line, "="):
		c.faults = append(c.faults, fmt.Sprintf("%s: %.100q is not understood: want command[NAME]=PROGRAM ARGUMENTS, or KEY=VALUE", where, line))
	}
}

// failed notes a file that is there but can not be read.
func (c *nrpeConfig) failed(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if text := path + ": " + reason(err).Error(); !slices.Contains(c.broken, text) {
		c.broken = append(c.broken, text)
		c.faults = append(c.faults, text)
	}
}
