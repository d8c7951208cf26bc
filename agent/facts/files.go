package facts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a fact file: the whole registration may have no more.
const maxFile = 8 << 20

// files reads the fact files in order; one that is not there or is broken is a
// warning.
func (s Source) files(context.Context) (map[string]any, []string) {
	all := map[string]any{}
	var warnings []string
	for _, path := range s.Files {
		found, err := readFile(path)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("fact file %s: %v", path, err))
			continue
		}
		maps.Copy(all, found)
	}
	return all, warnings
}

// readFile reads a YAML file, or a JSON file if its name says so.
func readFile(path string) (map[string]any, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		return parseJSON(text)
	}
	return parseYAML(text)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	return text, nil
}

// reason strips the operation and path that a warning names already.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// parseJSON reads one JSON object; numbers stay as they are written.
func parseJSON(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("is empty, not a JSON object")
		}
		if se, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("is not JSON: %w (byte %d)", err, se.Offset)
		}
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is not JSON: something follows the object")
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is JSON, but not an object of facts")
	}
	return m, nil
}
