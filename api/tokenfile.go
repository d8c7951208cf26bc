package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// tokenFile is the file of a [TokenStore] as read last. It is read again when
// its size or time has changed.
type tokenFile struct {
	tokens []Token
	stat   fs.FileInfo
}

// load returns the tokens in the file, none where there is no file.
func (f *tokenFile) load(path string) ([]Token, error) {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	if f.stat != nil && os.SameFile(f.stat, stat) && stat.ModTime().Equal(f.stat.ModTime()) && stat.Size() == f.stat.Size() {
		return f.tokens, nil
	}
	if runtime.GOOS != "windows" && stat.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read tokens: %s is open to others (mode %04o); make it 0600", path, stat.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	var tokens []Token
	if err := json.Unmarshal(data, &tokens); err != nil {
		return nil, fmt.Errorf("read tokens: %s is not a list of tokens: %w", path, err)
	}
	f.tokens, f.stat = tokens, stat
	return tokens, nil
}

// change reads, edits and replaces the file, while no other process does.
func (f *tokenFile) change(path string, edit func([]Token) ([]Token, error)) error {
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return fmt.Errorf("change tokens: %w", err)
	}
	defer unlock()
	tokens, err := f.load(path)
	if err != nil {
		return err
	}
	tokens, err = edit(tokens)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(tokens, "", "\t")
	if err != nil {
		return fmt.Errorf("change tokens: %w", err)
	}
	if err := replaceFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("change tokens: %w", err)
	}
	return nil
}

// replaceFile puts data where path is at one stroke, readable by its owner only.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once renamed
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// A lock older than staleLock was left by a process that died.
const (
	staleLock = 10 * time.Second
	lockPause = 5 * time.Millisecond
)

// lockFile makes path, waiting for whoever holds it. A file that must not
// exist is a lock on every system that we build for.
func lockFile(path string) (unlock func(), err error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			file.Close()
			return func() { os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if stat, err := os.Stat(path); err == nil && time.Since(stat.ModTime()) > staleLock {
			os.Remove(path)
			continue
		}
		time.Sleep(lockPause)
	}
}
