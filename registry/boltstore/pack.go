package boltstore

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"muster/internal/pack"
	"muster/registry"
)

// seenKey is the key of the times of one section; without a source it is what
// the keys of all sections of a node begin with.
func seenKey(id registry.Identity, source registry.Source) []byte {
	return append(append([]byte(id.Key()), 0), source...)
}

// packTimes is what moves in a section as it is stored.
func packTimes(b registry.Beat) []byte {
	v := binary.BigEndian.AppendUint64(nil, b.Sequence)
	v = binary.BigEndian.AppendUint64(v, uint64(millis(b.Sent)))
	v = binary.BigEndian.AppendUint64(v, uint64(millis(b.Received)))
	if b.Learnt > 0 {
		v = binary.BigEndian.AppendUint64(v, uint64(b.Learnt))
	}
	return binary.BigEndian.AppendUint32(v, crc32.ChecksumIEEE(v))
}

func unpackBeat(id registry.Identity, source registry.Source, v []byte) (registry.Beat, error) {
	const short, long = 28, 36 // bytes, without and with what is learnt
	if len(v) != short && len(v) != long || binary.BigEndian.Uint32(v[len(v)-4:]) != crc32.ChecksumIEEE(v[:len(v)-4]) {
		return registry.Beat{}, pack.ErrDamaged
	}
	b := registry.Beat{
		Identity: id,
		Source:   source,
		Sequence: binary.BigEndian.Uint64(v),
		Sent:     moment(int64(binary.BigEndian.Uint64(v[8:]))),
		Received: moment(int64(binary.BigEndian.Uint64(v[16:]))),
	}
	if len(v) == long {
		b.Learnt = time.Duration(binary.BigEndian.Uint64(v[24:]))
	}
	return b, nil
}

// millis is a time as milliseconds since 1970; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
