package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// Open opens the store in a file, and makes the file if there is none, readable
// by its owner only. It looks through the whole file and fails, in words, where
// that is damaged, of another format, or in use by another process.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := examine(path); err != nil {
		return nil, err
	}
	db, err := open(path, false)
	if err != nil {
		return nil, err
	}
	if db.View(prepared) != nil { // else nothing is written: the disk may be full
		if err := errors.Join(db.Update(prepare), syncFolder(filepath.Dir(path))); err != nil {
			_ = db.Close() // the first error says more
			return nil, fmt.Errorf("preparing the store %s: %w", path, plain(err))
		}
	}
	s := &Store{path: path, db: db, changes: make(chan change), closing: make(chan struct{})}
	if err := s.openPacker(); err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	s.committed.Go(s.commits)
	return s, nil
}

// syncFolder makes sure that a new file is found after a crash of the machine.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it keeps its folders in order by itself, and has no call for it
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// buckets are those of a file.
func buckets() [][]byte {
	return [][]byte{metaBucket, nodeBucket, seenBucket, eventBucket, historyBucket, dictionaryBucket}
}

var errUnprepared = errors.New("a bucket is missing")

// prepared fails where a file needs prepare.
func prepared(tx *bolt.Tx) error {
	for _, name := range buckets() {
		if tx.Bucket(name) == nil {
			return errUnprepared
		}
	}
	return nil
}

// prepare makes the buckets of a new file. The format of an old one was looked
// at before.
func prepare(tx *bolt.Tx) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return tx.Bucket(metaBucket).Put(formatKey, []byte(format))
}

// open opens the file, and says in words why it can not.
func open(path string, readOnly bool) (db *bolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, fmt.Sprint(p), nil)
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        lockWait,
		ReadOnly:       readOnly,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("the store %s is in use by another process", path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, damaged(path, "its first pages can not be read", nil)
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return nil, fmt.Errorf("opening the store %s: %w", path, plain(err))
}

// damaged says that a file is, how it shows, and what can be done.
func damaged(path, how string, cause error) error {
	if cause != nil {
		how = fmt.Sprintf("%s: %v", how, cause)
	}
	return fmt.Errorf("the store %s is damaged: %s; restore a backup, or move the file away: the nodes will register again", path, how)
}
