package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"muster/internal/pack"
	"muster/registry"
)

var (
	eventBucket   = []byte("events")
	historyBucket = []byte("history")
	eventBytesKey = []byte("events.bytes")
)

var _ registry.Journal = (*Store)(nil)

// PutEvents implements [registry.Journal].
func (s *Store) PutEvents(ctx context.Context, events []registry.Event, nodes ...registry.Node) error {
	writes := s.puts(ctx, nodes)
	added := int64(0)
	for i := range events {
		value, err := packEvent(&events[i])
		if err != nil {
			return err
		}
		key := eventKey(events[i].ID)
		writes = append(writes,
			write{bucket: eventBucket, key: key, value: value},
			write{bucket: historyBucket, key: historyKey(events[i].Identity, key), value: []byte{}})
		added += int64(len(value))
	}
	return s.commit(ctx, append(writes, countBytes(added)))
}

// countBytes keeps account of how much the events take.
func countBytes(by int64) write {
	return write{bucket: metaBucket, key: eventBytesKey, from: func(old []byte) []byte {
		return binary.BigEndian.AppendUint64(nil, uint64(max(0, eventBytes(old)+by)))
	}}
}

func eventBytes(v []byte) int64 {
	if len(v) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

func eventKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// historyKey begins with what the keys of all events of one node begin with.
func historyKey(id registry.Identity, event []byte) []byte {
	return append(append([]byte(id.Key()), 0), event...)
}

func packEvent(e *registry.Event) ([]byte, error) {
	v, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("recording an event of %s: %w", e.Identity, err)
	}
	return binary.BigEndian.AppendUint32(v, crc32.ChecksumIEEE(v)), nil
}

func (s *Store) unpackEvent(key, v []byte) (e registry.Event, err error) {
	if len(v) < 4 || binary.BigEndian.Uint32(v[len(v)-4:]) != crc32.ChecksumIEEE(v[:len(v)-4]) {
		return e, damaged(s.path, fmt.Sprintf("event %x can not be read", key), pack.ErrDamaged)
	}
	if err := json.Unmarshal(v[:len(v)-4], &e); err != nil {
		return e, damaged(s.path, fmt.Sprintf("event %x can not be read", key), err)
	}
	return e, nil
}

// eventsAtOnce is how many events are read in one transaction: one that is open
// for long keeps the file from being tidied up.
const eventsAtOnce = 1000

// Events implements [registry.Journal].
func (s *Store) Events(ctx context.Context, want registry.EventRange, add func(registry.Event) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var some []registry.Event
		err := s.view(func(tx *bolt.Tx) (err error) {
			some, err = s.readEvents(tx, want)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range some {
			if err := add(e); err != nil {
				return err
			}
			want.After = e.ID
		}
		if len(some) < eventsAtOnce {
			return nil
		}
	}
}

// readEvents reads the first events of a range.
func (s *Store) readEvents(tx *bolt.Tx, want registry.EventRange) (some []registry.Event, err error) {
	all := tx.Bucket(eventBucket)
	bucket, prefix := all, []byte(nil)
	if want.Identity != "" {
		bucket, prefix = tx.Bucket(historyBucket), historyKey(want.Identity, nil)
	}
	c := bucket.Cursor()
	for k, v := c.Seek(append(bytes.Clone(prefix), eventKey(want.After+1)...)); bytes.HasPrefix(k, prefix) && k != nil && len(some) < eventsAtOnce; k, v = c.Next() {
		key := k[len(prefix):]
		if len(key) != 8 {
			continue // of a node whose name goes on
		}
		if want.Until > 0 && binary.BigEndian.Uint64(key) > want.Until {
			break
		}
		if prefix != nil {
			v = all.Get(key)
		}
		e, err := s.unpackEvent(key, v)
		if err != nil {
			return nil, err
		}
		some = append(some, e)
	}
	return some, nil
}

// mostTrimmed is how many events are forgotten at once.
const mostTrimmed = 10_000

// TrimEvents implements [registry.Journal].
func (s *Store) TrimEvents(ctx context.Context, before uint64, most int64) error {
	var writes []write
	gone := int64(0)
	err := s.view(func(tx *bolt.Tx) error {
		total := eventBytes(tx.Bucket(metaBucket).Get(eventBytesKey))
		c := tx.Bucket(eventBucket).Cursor()
		for k, v := c.First(); k != nil && len(writes) < 2*mostTrimmed; k, v = c.Next() {
			if binary.BigEndian.Uint64(k) >= before && total-gone <= most {
				return nil
			}
			e, err := s.unpackEvent(k, v)
			if err != nil {
				return err
			}
			key := bytes.Clone(k)
			writes = append(writes, write{bucket: eventBucket, key: key}, write{bucket: historyBucket, key: historyKey(e.Identity, key)})
			gone += int64(len(v))
		}
		return nil
	})
	if err != nil || len(writes) == 0 {
		return err
	}
	return s.commit(ctx, append(writes, countBytes(-gone)))
}

// EventBounds implements [registry.Journal].
func (s *Store) EventBounds(context.Context) (first, last uint64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(eventBucket).Cursor()
		if k, _ := c.First(); k != nil {
			first = binary.BigEndian.Uint64(k)
		}
		if k, _ := c.Last(); k != nil {
			last = binary.BigEndian.Uint64(k)
		}
		return nil
	})
	return first, last, err
}
