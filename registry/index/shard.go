package index

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
)

// shard holds a part of the nodes, each in a slot.
type shard struct {
	mu     sync.RWMutex
	forest forest

	classes, agents, collectives names
	state, auth                  column // of texts
	untrusted                    slots  // those without trusted facts, which is not the same as with none

	live   slots
	spare  []uint32 // slots to use again
	born   []uint32 // by slot: what clock showed when a node moved in
	clock  uint32   // counts nodes that moved in
	byKey  hashed
	sorted []uint32 // live slots by key

	identities identities
	seconds    []int64 // by slot: when last seen
	nanos      []int32
}

func newShard(renamed *atomic.Uint64) *shard {
	s := &shard{}
	s.forest.renamed = renamed
	s.forest.pool = newPool()
	for _, n := range []*names{&s.classes, &s.agents, &s.collectives} {
		n.forest = &s.forest
	}
	return s
}

// keyOf is what identities are compared and sorted by.
func keyOf(identity string) string { return strings.ToLower(identity) }

func hashKey(seed maphash.Seed, key string) uint64 { return maphash.String(seed, key) }

// find returns the slot of a node.
func (s *shard) find(key string) (uint32, bool) {
	return s.byKey.find(hashKey(s.forest.pool.seed, key), func(slot uint32) bool {
		return keyOf(s.identities.at(slot)) == key
	})
}

// place returns where a key is in sorted, or would be.
func (s *shard) place(key string) int {
	at, _ := slices.BinarySearchFunc(s.sorted, key, func(slot uint32, key string) int {
		return strings.Compare(keyOf(s.identities.at(slot)), key)
	})
	return at
}

func (s *shard) put(doc *query.Document) (slot uint32) {
	key := keyOf(doc.Identity)
	slot, known := s.find(key)
	if !known {
		slot = s.moveIn(key, doc.Identity)
	} else if s.identities.at(slot) != doc.Identity {
		s.identities.put(slot, doc.Identity)
	}
	f := &s.forest
	for _, tree := range []struct {
		root *branch
		m    map[string]any
	}{{&f.facts, doc.Facts}, {&f.trusted, doc.Trusted}, {&f.live, doc.Extra}} {
		f.putMap(slot, tree.root, tree.m)
	}
	s.untrusted.drop(slot)
	if doc.Trusted == nil {
		s.untrusted = s.untrusted.with(slot)
	}
	s.classes.put(slot, doc.Classes)
	s.agents.put(slot, doc.Agents)
	s.collectives.put(slot, doc.Collectives)
	s.word(&s.auth, slot, doc.Auth)
	s.touch(slot, doc.State, doc.Seen)
	return slot
}

func (s *shard) putFacts(slot uint32, facts map[string]any, seen time.Time) bool {
	root := &s.forest.facts
	for key := range facts {
		if b := root.under[key]; b == nil || b.column.get(slot).code == absent {
			return false
		}
	}
	for key, v := range facts {
		s.forest.put(slot, root.under[key], v)
	}
	s.seconds[slot], s.nanos[slot] = seen.Unix(), int32(seen.Nanosecond())
	return true
}

func (s *shard) touch(slot uint32, state string, seen time.Time) {
	s.word(&s.state, slot, state)
	s.seconds[slot], s.nanos[slot] = seen.Unix(), int32(seen.Nanosecond())
}

func (s *shard) seen(slot uint32) time.Time {
	return time.Unix(s.seconds[slot], int64(s.nanos[slot])).UTC()
}

func (s *shard) word(c *column, slot uint32, word string) {
	if v, same := s.forest.leaf(c, c.get(slot), word); !same {
		c.set(s.forest.pool, slot, v, s.forest.total)
	}
}

// moveIn gives a new node a slot.
func (s *shard) moveIn(key, identity string) uint32 {
	var slot uint32
	if last := len(s.spare) - 1; last >= 0 {
		slot, s.spare = s.spare[last], s.spare[:last]
	} else {
		slot = uint32(s.forest.total)
		s.forest.total++
		s.born, s.seconds, s.nanos = append(s.born, 0), append(s.seconds, 0), append(s.nanos, 0)
	}
	s.forest.renamed.Add(1)
	s.clock++
	s.born[slot] = s.clock
	s.live = s.live.with(slot)
	s.sorted = slices.Insert(s.sorted, s.place(key), slot)
	s.identities.put(slot, identity)
	s.byKey.add(hashKey(s.forest.pool.seed, key), slot)
	return slot
}

func (s *shard) delete(key string) bool {
	slot, known := s.find(key)
	if !known {
		return false
	}
	s.forest.renamed.Add(1)
	at := s.place(key)
	s.sorted = slices.Delete(s.sorted, at, at+1)
	s.byKey.remove(hashKey(s.forest.pool.seed, key), slot)
	f := &s.forest
	for _, root := range []*branch{&f.facts, &f.trusted, &f.live} {
		f.clear(slot, root)
	}
	for _, n := range []*names{&s.classes, &s.agents, &s.collectives} {
		n.put(slot, nil)
	}
	s.state.clear(f.pool, slot)
	s.auth.clear(f.pool, slot)
	s.live.drop(slot)
	s.identities.put(slot, "")
	s.spare = append(s.spare, slot)
	return true
}
