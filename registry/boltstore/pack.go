package boltstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"muster/registry"
)

// noDictionary begins the value of a node that was compressed without one.
const noDictionary = 0

// pack is a node as it is stored. The compressed form has a checksum.
func (s *Store) pack(n *registry.Node) []byte {
	record := registry.AppendRecord(nil, n)
	return s.enc.EncodeAll(record, []byte{noDictionary})
}

func (s *Store) unpack(value []byte) (registry.Node, error) {
	if len(value) == 0 || value[0] != noDictionary {
		return registry.Node{}, fmt.Errorf("it is compressed in a way that this version does not know")
	}
	record, err := s.dec.DecodeAll(value[1:], nil)
	if err != nil {
		return registry.Node{}, fmt.Errorf("its checksum does not fit")
	}
	return registry.ParseRecord(record)
}

// seenKey is the key of the times of one section; without a source it is what
// the keys of all sections of a node begin with.
func seenKey(id registry.Identity, source registry.Source) []byte {
	return append(append([]byte(id.Key()), 0), source...)
}

func packBeat(b registry.Beat) []byte {
	v := binary.BigEndian.AppendUint64(nil, b.Sequence)
	v = binary.BigEndian.AppendUint64(v, uint64(millis(b.Sent)))
	return binary.BigEndian.AppendUint64(v, uint64(millis(b.Received)))
}

func unpackBeat(id registry.Identity, source registry.Source, v []byte) (registry.Beat, error) {
	if len(v) != 24 {
		return registry.Beat{}, fmt.Errorf("it has %d bytes instead of 24", len(v))
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
