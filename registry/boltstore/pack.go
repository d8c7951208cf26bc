package boltstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"muster/registry"
)

// noDictionary begins the value of a node that was compressed without one.
const noDictionary = 0

// errChecksum is damage to one value.
var errChecksum = errors.New("its checksum does not fit")

// pack is a node as it is stored. The compressed form has a checksum.
func (s *Store) pack(n *registry.Node) []byte {
	record := registry.AppendRecord(make([]byte, 0, 16<<10), n)
	return s.enc.EncodeAll(record, []byte{noDictionary})
}

func (s *Store) unpack(value []byte) (registry.Node, error) {
	if len(value) == 0 || value[0] != noDictionary {
		return registry.Node{}, errors.New("it is compressed in a way that this version does not know")
	}
	record, err := s.dec.DecodeAll(value[1:], nil)
	if err != nil {
		return registry.Node{}, errChecksum
	}
	return registry.ParseRecord(record)
}

// seenKey is the key of the times of one section; without a source it is what
// the keys of all sections of a node begin with.
func seenKey(id registry.Identity, source registry.Source) []byte {
	return append(append([]byte(id.Key()), 0), source...)
}

func packTimes(sequence uint64, sent, received time.Time) []byte {
	v := binary.BigEndian.AppendUint64(nil, sequence)
	v = binary.BigEndian.AppendUint64(v, uint64(millis(sent)))
	v = binary.BigEndian.AppendUint64(v, uint64(millis(received)))
	return binary.BigEndian.AppendUint32(v, crc32.ChecksumIEEE(v))
}

func unpackBeat(id registry.Identity, source registry.Source, v []byte) (registry.Beat, error) {
	if len(v) != 28 || binary.BigEndian.Uint32(v[24:]) != crc32.ChecksumIEEE(v[:24]) {
		return registry.Beat{}, errChecksum
	}
	return registry.Beat{
		Identity: id,
		Source:   source,
		Sequence: binary.BigEndian.Uint64(v),
		Sent:     moment(int64(binary.BigEndian.Uint64(v[8:]))),
		Received: moment(int64(binary.BigEndian.Uint64(v[16:]))),
	}, nil
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
