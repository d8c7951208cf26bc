package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"

	"muster/registry"
)

var dictionaryBucket = []byte("dictionaries")

// Nodes of a fleet are much alike: a dictionary of a few makes the others a
// fraction of their size.
const (
	samples   = 10       // records that make a dictionary
	maxSample = 32 << 10 // bytes of a record that go into it
)

// codec compresses with one dictionary, and reads what was compressed with any.
type codec struct {
	number byte // of the dictionary; noDictionary for none
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

// newCodec makes a codec of all dictionaries of a file, the last one of which
// it writes with.
func newCodec(all map[byte][]byte) (*codec, error) {
	c := &codec{}
	reading := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(4 * registry.MaxBody)}
	writing := []zstd.EOption{zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true)}
	for number, content := range all {
		reading = append(reading, zstd.WithDecoderDictRaw(uint32(number), content))
		c.number = max(c.number, number)
	}
	if c.number != noDictionary {
		writing = append(writing, zstd.WithEncoderDictRaw(uint32(c.number), all[c.number]))
	}
	var err error
	if c.enc, err = zstd.NewWriter(nil, writing...); err == nil {
		c.dec, err = zstd.NewReader(nil, reading...)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing compression: %w", err)
	}
	return c, nil
}

// openCodec reads the dictionaries of the file.
func (s *Store) openCodec() error {
	all := map[byte][]byte{}
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(dictionaryBucket).ForEach(func(k, v []byte) error {
			if len(k) != 1 || len(v) < 4 || binary.BigEndian.Uint32(v[len(v)-4:]) != crc32.ChecksumIEEE(v[:len(v)-4]) {
				return damaged(s.path, fmt.Sprintf("dictionary %x can not be read", k), errChecksum)
			}
			all[k[0]] = bytes.Clone(v[:len(v)-4])
			return nil
		})
	})
	if err != nil {
		return err
	}
	c, err := newCodec(all)
	if err == nil {
		s.codec.Store(c)
	}
	return err
}

// sampler gathers the records that the first dictionary is made of.
type sampler struct {
	mu      sync.Mutex
	records map[string][]byte // by identity
}

// add keeps a record, and reports whether there are enough.
func (s *sampler) add(n *registry.Node, record []byte) bool {
	if s.records == nil {
		s.records = map[string][]byte{}
	}
	if len(n.Facts) > 0 && len(s.records) < samples {
		s.records[n.Identity.Key()] = bytes.Clone(record[:min(len(record), maxSample)])
	}
	return len(s.records) >= samples
}

// sampleLoaded keeps a node that was read for the first dictionary.
func (s *Store) sampleLoaded(n *registry.Node) {
	s.sampler.mu.Lock()
	defer s.sampler.mu.Unlock()
	if s.codec.Load().number == noDictionary && len(s.sampler.records) < samples {
		s.sampler.add(n, registry.AppendRecord(nil, n))
	}
}

// sample keeps a record for the first dictionary, and makes that of enough. A
// failure is no harm: the next record tries again.
func (s *Store) sample(ctx context.Context, n *registry.Node, record []byte) {
	s.sampler.mu.Lock()
	defer s.sampler.mu.Unlock()
	if s.codec.Load().number != noDictionary || !s.sampler.add(n, record) {
		return
	}
	var content []byte
	for _, key := range slices.Sorted(maps.Keys(s.sampler.records)) {
		content = append(content, s.sampler.records[key]...)
	}
	if s.addDictionary(ctx, 1, content) == nil {
		s.sampler.records = nil
	}
}

// addDictionary stores a dictionary, and writes with it once it is stored.
func (s *Store) addDictionary(ctx context.Context, number byte, content []byte) error {
	c, err := newCodec(map[byte][]byte{number: content})
	if err != nil {
		return err
	}
	value := binary.BigEndian.AppendUint32(bytes.Clone(content), crc32.ChecksumIEEE(content))
	if err := s.commit(ctx, []write{{bucket: dictionaryBucket, key: []byte{number}, value: value}}); err != nil {
		return errors.Join(err, c.enc.Close())
	}
	s.codec.Store(c)
	return nil
}
