package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// knownClassFiles are where Puppet leaves the classes of the last catalog.
var knownClassFiles = []string{
	"/opt/puppetlabs/puppet/cache/state/classes.txt", // Puppet's and OpenVox's own packages
	"/var/cache/puppet/state/classes.txt",            // Debian
	"/var/lib/puppet/state/classes.txt",              // before Puppet 4
	`C:\ProgramData\PuppetLabs\puppet\cache\state\classes.txt`,
}

const (
	maxClassFile        = 1 << 20
	defaultClassesStale = 3 * time.Hour
)

// classes reads the class files; no Puppet at all is no fault.
func (c Collector) classes(now time.Time) (classes, warnings []string) {
	files := c.ClassFiles
	if files == nil {
		files = newest(knownClassFiles)
	}
	stale := c.ClassesStale
	if stale <= 0 {
		stale = defaultClassesStale
	}
	classes = []string{}
	have := map[string]bool{}
	for _, path := range files {
		found, written, err := readClasses(path)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("class file %s: %v", path, err))
			continue
		}
		if age := now.Sub(written); age > stale {
			warnings = append(warnings, fmt.Sprintf("class file %s is %s old: has Puppet stopped running?", path, age.Round(time.Minute)))
		}
		for _, class := range found {
			if !have[class] {
				have[class] = true
				classes = append(classes, class)
			}
		}
	}
	return classes, warnings
}

// newest is the file of the list that was written last, if any is there.
func newest(paths []string) []string {
	var best []string
	var when time.Time
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && (best == nil || info.ModTime().After(when)) {
			best, when = []string{path}, info.ModTime()
		}
	}
	return best
}

// readClasses reads one class a line, without Puppet's pseudo classes, which
// every node has and nobody asks for.
func readClasses(path string) (classes []string, written time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, reason(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxClassFile+1))
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(text) > maxClassFile {
		return nil, time.Time{}, fmt.Errorf("is larger than %d MiB", maxClassFile>>20)
	}
	for line := range strings.Lines(string(text)) {
		if class := strings.TrimSpace(line); class != "" && class != "settings" && class != "main" {
			classes = append(classes, class)
		}
	}
	return classes, info.ModTime(), nil
}

// reason strips the operation and path that a warning names already.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
