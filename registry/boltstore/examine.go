package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// examine looks at every page of a file before it is opened for writing. It
// does so in a read-only transaction of this goroutine, because the library
// does its own looking in another one, where a damaged page would end the
// process with a stack trace.
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
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, fmt.Sprint(p), nil)
		}
	}()
	if err := headsSound(path, db.Info().PageSize); err != nil {
		return err
	}
	return db.View(func(tx *bolt.Tx) error {
		if missing := tx.Size() - info.Size(); missing > 0 {
			return damaged(path, fmt.Sprintf("%d bytes are missing at its end", missing), nil)
		}
		if err := formatOf(path, tx); err != nil {
			return err
		}
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			c := b.Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() { //nolint:revive // to walk is to look at every page
			}
			return nil
		})
	})
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

// headsSound refuses a file of which one of the two head pages is damaged. The
// library would take the other one, which is the state before the last commit:
// acknowledged registrations would be gone in silence. A crash does not damage
// a head, because what counts of it lies in one sector of the disk.
func headsSound(path string, pageSize int) error {
	const (
		header = 16 // of a page
		body   = 56 // of the head, from which the checksum after it is made
	)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	for page := range 2 {
		var head [header + body + 8]byte
		if _, err := io.ReadFull(io.NewSectionReader(f, int64(page*pageSize), int64(len(head))), head[:]); err != nil {
			return damaged(path, "its first pages are missing", err)
		}
		sum := fnv.New64a()
		_, _ = sum.Write(head[header : header+body]) // a hash does not fail
		if binary.NativeEndian.Uint64(head[header+body:]) != sum.Sum64() {
			return damaged(path, fmt.Sprintf("the checksum of page %d does not fit", page), nil)
		}
	}
	return nil
}
