package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"muster/internal/pack"
	"muster/registry"
)

var dictionaryBucket = []byte("dictionaries")

// openPacker makes the packer, with the dictionaries of the file.
func (s *Store) openPacker() error {
	all := map[byte][]byte{}
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(dictionaryBucket).ForEach(func(k, v []byte) error {
			if len(k) != 1 || len(v) < 4 || binary.BigEndian.Uint32(v[len(v)-4:]) != crc32.ChecksumIEEE(v[:len(v)-4]) {
				return damaged(s.path, fmt.Sprintf("dictionary %x can not be read", k), pack.ErrDamaged)
			}
			all[k[0]] = bytes.Clone(v[:len(v)-4])
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.packer, err = pack.New(pack.Config{Largest: registry.MaxRecord, Dictionaries: all, Keep: s.keepDictionary})
	return err
}

func (s *Store) keepDictionary(ctx context.Context, number byte, content []byte) error {
	value := binary.BigEndian.AppendUint32(bytes.Clone(content), crc32.ChecksumIEEE(content))
	return s.commit(ctx, []write{{bucket: dictionaryBucket, key: []byte{number}, value: value}})
}
