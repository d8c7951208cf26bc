package facts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"muster/agent/program"
)

// sideBySide is how many entries of a folder are read at once, so that programs
// that hang hang together.
const sideBySide = 4

// folder reads a facts.d folder, in the order of names: a later one wins. What
// is neither data nor executable is passed over.
func (s Source) folder(ctx context.Context) (map[string]any, []string) {
	all := map[string]any{}
	if s.Dir == "" {
		return all, nil
	}
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, []string{fmt.Sprintf("facts folder %s: %v", s.Dir, reason(err))}
	}
	type result struct {
		found map[string]any
		err   error
	}
	results := make([]result, len(entries))
	slots := make(chan struct{}, sideBySide)
	var running sync.WaitGroup
	for i, e := range entries {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			results[i].found, results[i].err = s.entry(ctx, filepath.Join(s.Dir, e.Name()))
		})
	}
	running.Wait()
	var warnings []string
	for i, r := range results {
		if r.err != nil {
			warnings = append(warnings, fmt.Sprintf("facts %s: %v", filepath.Join(s.Dir, entries[i].Name()), r.err))
			continue
		}
		maps.Copy(all, r.found)
	}
	return all, warnings
}

// entry reads one file of a facts.d folder.
func (s Source) entry(ctx context.Context, path string) (map[string]any, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(filepath.Base(path), ".") {
		return nil, nil
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".txt":
		text, err := readBounded(path)
		return keyValues(text), err
	case ".yaml", ".yml", ".json":
		return readFile(path)
	}
	if !executable(info) {
		return nil, nil
	}
	return s.execute(ctx, path)
}

func executable(info fs.FileInfo) bool {
	if runtime.GOOS == "windows" {
		switch strings.ToLower(filepath.Ext(info.Name())) {
		case ".exe", ".com", ".bat", ".cmd":
			return true
		}
		return false
	}
	return info.Mode()&0o111 != 0
}

// execute runs a program that prints facts: a JSON object, a YAML mapping, or
// lines of key=value. What a failing program printed is not trusted.
func (s Source) execute(ctx context.Context, path string) (map[string]any, error) {
	limit := s.DirLimit
	if limit <= 0 {
		limit = 10 * time.Second
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	res, err := program.Run(ctx, program.Command{Argv: []string{path}, Limit: limit, MaxOutput: maxFile})
	switch {
	case err != nil:
		return nil, err
	case res.Exit != 0:
		return nil, fmt.Errorf("exit status %d%s", res.Exit, firstLine(res.Stderr))
	case res.Truncated:
		return nil, fmt.Errorf("printed more than %d MiB", maxFile>>20)
	}
	if found, err := parseJSON(res.Stdout); err == nil {
		return found, nil
	}
	if found, err := parseYAML(res.Stdout); err == nil {
		return found, nil
	}
	found := keyValues(res.Stdout)
	if len(found) == 0 && len(bytes.TrimSpace(res.Stdout)) > 0 {
		return nil, errors.New("printed neither JSON nor YAML nor lines of key=value")
	}
	return found, nil
}

// keyValues reads lines of key=value; the value is always text. Blanks around
// both are dropped (Facter keeps them, and a query for "tier" then misses
// "tier "); lines without = and comments are passed over.
func keyValues(text []byte) map[string]any {
	found := map[string]any{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		key = strings.TrimSpace(key)
		if ok && key != "" && !strings.HasPrefix(key, "#") {
			found[key] = strings.TrimSpace(value)
		}
	}
	return found
}
