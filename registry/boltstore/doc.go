// Package boltstore keeps the nodes of a registry in one file.
//
//	store, err := boltstore.Open(ctx, "/var/lib/muster/nodes.db")
//	...
//	r, err := registry.Open(ctx, registry.Config{Store: store})
//
// The file is a bbolt database: a B+tree that is copied on write, so that a
// crash at any moment leaves the state of the last commit. Puts that come at
// the same time share a commit, and return when it is on the disk. One process
// can have the file open.
//
// These are the buckets:
//
//	meta          format → "1"; keep. and a name → a value
//	              events.bytes → the length of all values in events
//	nodes         identity in lower case → number of a dictionary, zstd of registry.AppendRecord
//	dictionaries  number → content, CRC-32
//	seen          identity in lower case, 0, source → sequence, sent, received, perhaps learnt, CRC-32
//	events        ID → JSON of a registry.Event, CRC-32
//	history       identity in lower case, 0, ID of an event → nothing
//
// The first byte of a node's value is the number of the dictionary that it is
// compressed with; 0 is none. The first ten nodes make the first dictionary; no
// dictionary is ever taken away. Numbers are big-endian, times in
// milliseconds since 1970, the learnt interval in nanoseconds.
package boltstore
