package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"muster/internal/pack"
	"muster/registry"
)

// format is the version of what the file holds. A file of another version is
// refused.
const format = "1"

var (
	metaBucket = []byte("meta")
	nodeBucket = []byte("nodes")
	seenBucket = []byte("seen")
	formatKey  = []byte("format")
)

// Store is a [registry.Store] in a file.
type Store struct {
	path string
	db   *bolt.DB

	packer *pack.Packer

	changes   chan change
	closing   chan struct{} // closed by Close
	committed sync.WaitGroup
}

var (
	_ registry.Store  = (*Store)(nil)
	_ registry.Keeper = (*Store)(nil)
	_ registry.Packed = (*Store)(nil)
)

// errClosed is what a change gets that comes after Close.
var errClosed = errors.New("the store is closed")

// Put implements [registry.Store].
func (s *Store) Put(ctx context.Context, nodes ...registry.Node) error {
	return s.commit(ctx, s.puts(ctx, nodes))
}

// puts is what is written for nodes.
func (s *Store) puts(ctx context.Context, nodes []registry.Node) []write {
	var writes []write
	for i := range nodes {
		n := &nodes[i]
		writes = append(writes, write{bucket: nodeBucket, key: []byte(n.Identity.Key()), value: registry.Pack(ctx, s.packer, n)})
		for source, section := range n.Sections {
			writes = append(writes, write{bucket: seenBucket, key: seenKey(n.Identity, source), value: packTimes(section.Beat(n.Identity, source))})
		}
	}
	return writes
}

// Touch implements [registry.Store]. The times that Put wrote tell whether a
// section is there, and whether a beat was overtaken.
func (s *Store) Touch(ctx context.Context, beats ...registry.Beat) error {
	writes := make([]write, len(beats))
	for i, b := range beats {
		writes[i] = write{
			bucket: seenBucket, key: seenKey(b.Identity, b.Source), value: packTimes(b),
			unless: func(old []byte) bool {
				known, err := unpackBeat(b.Identity, b.Source, old)
				return err != nil || b.Before(known)
			},
		}
	}
	return s.commit(ctx, writes)
}

// Delete implements [registry.Store].
func (s *Store) Delete(ctx context.Context, ids ...registry.Identity) error {
	var writes []write
	for _, id := range ids {
		writes = append(writes, write{bucket: nodeBucket, key: []byte(id.Key())})
	}
	err := s.view(func(tx *bolt.Tx) error {
		for _, id := range ids {
			prefix := seenKey(id, "")
			c := tx.Bucket(seenBucket).Cursor()
			for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
				writes = append(writes, write{bucket: seenBucket, key: bytes.Clone(k)})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.commit(ctx, writes)
}

// Load implements [registry.Store].
func (s *Store) Load(ctx context.Context, add func(registry.Node) error) error {
	return s.LoadPacked(ctx, func(_ registry.Identity, read registry.Reading) error {
		n, err := read(registry.Unpack)
		if err != nil {
			return err
		}
		return add(n)
	})
}

// Packer implements [registry.Packed].
func (s *Store) Packer() *pack.Packer { return s.packer }

// LoadPacked implements [registry.Packed].
func (s *Store) LoadPacked(ctx context.Context, add func(registry.Identity, registry.Reading) error) error {
	return s.view(func(tx *bolt.Tx) error {
		defer release(tx)
		seen := tx.Bucket(seenBucket).Cursor()
		return tx.Bucket(nodeBucket).ForEach(func(key, value []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			id := registry.Identity(key)
			var beats []registry.Beat
			prefix := seenKey(id, "")
			for k, v := seen.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = seen.Next() {
				beat, err := unpackBeat(id, registry.Source(k[len(prefix):]), v)
				if err != nil {
					return damaged(s.path, fmt.Sprintf("the times of %q can not be read", key), err)
				}
				beats = append(beats, beat)
			}
			packed := bytes.Clone(value) // the file's memory is not ours
			return add(id, func(unpack registry.Unpacking) (registry.Node, error) {
				n, err := unpack(s.packer, packed)
				return s.checked(id, n, err, beats)
			})
		})
	})
}

// checked is a node that was unpacked of what is stored under a key.
func (s *Store) checked(key registry.Identity, n registry.Node, err error, beats []registry.Beat) (registry.Node, error) {
	if err != nil || n.Identity.Key() != string(key) {
		return n, damaged(s.path, fmt.Sprintf("the record of %q can not be read", key), err)
	}
	for _, beat := range beats {
		n = n.Touched(beat)
	}
	return n, nil
}

// Keep implements [registry.Keeper].
func (s *Store) Keep(ctx context.Context, name string, value []byte) error {
	return s.commit(ctx, []write{{bucket: metaBucket, key: []byte(keepPrefix + name), value: value}})
}

// Kept implements [registry.Keeper].
func (s *Store) Kept(_ context.Context, name string) (value []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		value = bytes.Clone(tx.Bucket(metaBucket).Get([]byte(keepPrefix + name)))
		return nil
	})
	return value, err
}

// keepPrefix begins the keys of what is kept for the registry.
const keepPrefix = "keep."

// Close implements [registry.Store].
func (s *Store) Close() error {
	select {
	case <-s.closing:
		return nil
	default:
	}
	close(s.closing)
	s.committed.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", s.path, plain(err))
	}
	return nil
}

func (s *Store) view(read func(*bolt.Tx) error) error {
	err := s.db.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return err
}
