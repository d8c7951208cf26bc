package boltstore

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// examine looks at every page of a file before it is opened for writing. While
// it does the file is locked.
func examine(path string) (err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("opening the store: %s is not a file", path)
	}
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer func() { _ = f.Close() }()      // it is only read
	if info, err = f.Stat(); err != nil { // its size now, under the lock
		return fmt.Errorf("opening the store: %w", err)
	}
	w := &walker{file: f, page: int64(db.Info().PageSize)}
	if err := w.walk(info.Size()); err != nil {
		return damaged(path, err.Error(), nil)
	}
	return db.View(func(tx *bolt.Tx) error { return formatOf(path, tx) })
}

// formatOf refuses a file of another format.
func formatOf(path string, tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil // new, and left before prepare
		}
		return fmt.Errorf("the file %s is no store of muster", path)
	}
	if got := meta.Get(formatKey); string(got) != format {
		return fmt.Errorf("the store %s has format %q and this version of muster reads %q only", path, got, format)
	}
	return nil
}
