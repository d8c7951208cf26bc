// Package durable writes small files that must survive a crash, and keeps
// processes out of each other's way while they do.
//
//	unlock, err := durable.Lock("/var/lib/muster/ca/lock")
//	...
//	defer unlock()
//	err = durable.Write("/var/lib/muster/ca/tokens.json", data)
//
// Everything it makes is readable by its owner only.
package durable

import (
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces the file at path with data, mode 0600. After a crash the
// file holds either all of the old content or all of the new.
func Write(path string, data []byte) error {
	dir, name := filepath.Split(path)
	temp, err := os.CreateTemp(dir, "."+name+".*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name()) // the first error is the one to tell
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// Remove removes the file at path, so that it stays removed after a crash.
// A file that is not there is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Lock waits until no other process, and nobody else in this one, holds the
// lock file at path, which is made where it does not exist. A process that
// dies gives its locks back.
func Lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := lockFile(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil // closing it unlocks it
}
