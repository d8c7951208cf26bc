package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// maxGroup is how many changes share a commit at most.
const maxGroup = 1000

// releaseEvery is after how many commits the memory is given back in which the
// file was read for them.
const releaseEvery = 500

// write is one key to be set, or deleted if its value is nil.
type write struct {
	bucket, key, value []byte
	unless             func(old []byte) bool   // it is left out where this holds for the value there is; nil: never
	from               func(old []byte) []byte // makes the value; nil: it is value
}

// change is a set of writes that are made together, and where the outcome goes.
type change struct {
	writes []write
	done   chan error // has room for one
}

// commit makes writes durable. When ctx ends while the commit is under way it
// is unknown whether it succeeds.
func (s *Store) commit(ctx context.Context, writes []write) error {
	if len(writes) == 0 {
		return nil
	}
	c := change{writes, make(chan error, 1)}
	select {
	case s.changes <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closing:
		return errClosed
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// commits makes changes until the store is closed. While one commit waits for
// the disk the changes for the next gather, so that a busy store needs few of
// them and an idle one answers at once.
func (s *Store) commits() {
	for n := 1; ; n++ {
		select {
		case first := <-s.changes:
			group := s.gather(first)
			err := s.write(group)
			if n%releaseEvery == 0 {
				_ = s.view(func(tx *bolt.Tx) error { release(tx); return nil }) // the next time will do
			}
			for _, c := range group {
				c.done <- err
			}
		case <-s.closing:
			return
		}
	}
}

func (s *Store) gather(first change) []change {
	group := []change{first}
	for len(group) < maxGroup {
		select {
		case next := <-s.changes:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// write makes a group of changes in one transaction, in the order of the keys.
func (s *Store) write(group []change) error {
	var writes []write
	for _, c := range group {
		writes = append(writes, c.writes...)
	}
	slices.SortStableFunc(writes, func(a, b write) int {
		return cmp.Or(bytes.Compare(a.bucket, b.bucket), bytes.Compare(a.key, b.key))
	})
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, w := range writes {
			b := tx.Bucket(w.bucket)
			if w.unless != nil && w.unless(b.Get(w.key)) {
				continue
			}
			if w.from != nil {
				w.value = w.from(b.Get(w.key))
			}
			var err error
			if w.value == nil {
				err = b.Delete(w.key)
			} else {
				err = b.Put(w.key, w.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing to the store %s: %w", s.path, plain(err))
	}
	return nil
}

// plain says in words what the system or the library calls by a code.
func plain(err error) error {
	switch {
	case err == nil:
		return nil
	case is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full (%w)", syscall.ENOSPC)
	case is(err, syscall.EFBIG):
		return fmt.Errorf("the file may not grow any more: a limit on the size of files (%w)", syscall.EFBIG)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return errClosed
	}
	return err
}

// is reports whether err is a code of the system, also where the library has
// made text of it.
func is(err error, code syscall.Errno) bool {
	return errors.Is(err, code) || strings.Contains(err.Error(), code.Error())
}
