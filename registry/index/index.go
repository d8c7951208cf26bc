package index

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"muster/query"
)

// Config says how an index works.
type Config struct {
	// Load returns the document that was last put for a node, and nil if there
	// is none. It is asked for the few nodes that hold values too big to be
	// kept, and only those. nil: such nodes are judged by what is kept.
	Load func(identity string) *query.Document
}

// Index answers queries over nodes. Its methods may be called from several
// goroutines.
type Index struct {
	conf   Config
	seed   maphash.Seed
	shards [shardCount]*shard

	renamed atomic.Uint64
}

// A write holds up readers of its shard only.
const shardCount = 8

// Parts is the number of parts that an index has.
const Parts = shardCount

// Part tells in which part of the index a node is, or would be: between 0 and
// Parts. To put many nodes of one part after each other takes less time than
// nodes of different parts.
func (ix *Index) Part(identity string) int { return ix.number(keyOf(identity)) }

// New returns an index of no nodes.
func New(c Config) *Index {
	ix := &Index{conf: c, seed: maphash.MakeSeed()}
	for i := range ix.shards {
		ix.shards[i] = newShard(&ix.renamed)
	}
	return ix
}

// number is that of the shard which a key belongs to.
func (ix *Index) number(key string) int { return int(hashKey(ix.seed, key) % shardCount) }

func (ix *Index) shard(key string) *shard { return ix.shards[ix.number(key)] }

// Place is where the index has a node from its first Put until Delete. The zero
// value is nowhere.
type Place struct{ shard, slot, born uint32 }

// Put adds a node, or replaces what is known of it. Nothing of doc is kept.
// Identities that differ only in case are one node.
func (ix *Index) Put(doc *query.Document) Place {
	i := ix.number(keyOf(doc.Identity))
	s := ix.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.put(doc)
	return Place{uint32(i), slot, s.born[slot]}
}

// Touch changes a node's state and when it was last seen, which costs less
// than Put. It does nothing for a node that is not there.
func (ix *Index) Touch(identity, state string, seen time.Time) {
	key := keyOf(identity)
	s := ix.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot, ok := s.find(key); ok {
		s.touch(slot, state, seen)
	}
}

// PutFacts changes some top-level facts of a node and when it was last seen,
// which costs as much less than Put as they are fewer. It is false, and nothing
// has been done, where the node is not there or has not all of these facts.
func (ix *Index) PutFacts(identity string, facts map[string]any, seen time.Time) bool {
	key := keyOf(identity)
	s := ix.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, ok := s.find(key)
	return ok && s.putFacts(slot, facts, seen)
}

// Delete takes a node out and reports whether it was there.
func (ix *Index) Delete(identity string) bool {
	key := keyOf(identity)
	s := ix.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delete(key)
}

// Renamed grows whenever a name may have come or gone that [Index.Names] lists;
// not when only the number of nodes changes that have it.
func (ix *Index) Renamed() uint64 { return ix.renamed.Load() }

// Len returns the number of nodes.
func (ix *Index) Len() int {
	n := 0
	for _, s := range ix.shards {
		s.mu.RLock()
		n += len(s.sorted)
		s.mu.RUnlock()
	}
	return n
}
