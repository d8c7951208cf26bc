package index

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
)

// Set is the answer to a query: the nodes that it named when it was asked. It
// stays what it is when nodes change; nodes that are deleted fall out of it.
type Set struct {
	ix    *Index
	parts [shardCount]part
}

// part is the answer of a shard: slots, and the clock when it was given.
type part struct {
	slots slots
	clock uint32
}

// bigEnough is from how many nodes on shards are asked at the same time.
const bigEnough = 4096

// Find returns the nodes that e holds for, ages being counted to now. The
// answer is exactly what [query.Matches] says of every document that was put.
// Subqueries and changes must have been resolved before.
//
// The error is about ctx: an answer is never short without saying so.
func (ix *Index) Find(ctx context.Context, e query.Expr, now time.Time) (*Set, error) {
	set := &Set{ix: ix}
	asked := plan(e, now)
	workers := 1
	if asked.cost() > 4 && ix.Len() > bigEnough {
		workers = min(shardCount, runtime.GOMAXPROCS(0))
	}
	var next atomic.Int32
	var wait sync.WaitGroup
	work := func() {
		for i := next.Add(1) - 1; i < shardCount && ctx.Err() == nil; i = next.Add(1) - 1 {
			set.parts[i] = ix.ask(ctx, ix.shards[i], asked, e, now)
		}
	}
	for range workers - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("searching the nodes: %w", context.Cause(ctx))
	}
	return set, nil
}

// ask answers for one shard.
func (ix *Index) ask(ctx context.Context, s *shard, asked term, e query.Expr, now time.Time) part {
	p, maybe := s.ask(asked, now, func() bool { return ctx.Err() != nil })
	for slot, doc := range maybe {
		if ctx.Err() != nil {
			break
		}
		if doc.known == nil && ix.conf.Load != nil {
			doc.known = ix.conf.Load(doc.identity)
		}
		if doc.known != nil && query.Matches(e, doc.known, now) {
			p.slots = p.slots.with(slot)
		}
	}
	return p
}

// doubtful is a node of which the index alone can not tell.
type doubtful struct {
	identity string
	known    *query.Document
}

func (s *shard) ask(asked term, now time.Time, stop func() bool) (part, map[uint32]*doubtful) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f := asked.find(&visit{shard: s, ask: newAsker(now), now: now, stop: stop}, s.live)
	var maybe map[uint32]*doubtful
	for slot := range f.maybe.all() {
		if maybe == nil {
			maybe = map[uint32]*doubtful{}
		}
		maybe[slot] = &doubtful{identity: strings.Clone(s.identities.at(slot))}
	}
	return part{f.yes, s.clock}, maybe
}

// Len returns the number of nodes.
func (s *Set) Len() int {
	n := 0
	for _, p := range s.parts {
		n += p.slots.count()
	}
	return n
}

// each yields the slots of a shard that are the nodes they were. The lock of
// the shard is held by the caller.
func (s *Set) each(i int) func(yield func(uint32) bool) {
	shard, p := s.ix.shards[i], s.parts[i]
	return func(yield func(uint32) bool) {
		for slot := range p.slots.all() {
			if shard.live.has(slot) && shard.born[slot] <= p.clock && !yield(slot) {
				return
			}
		}
	}
}

// Identities returns the names of the nodes, sorted without regard to case.
func (s *Set) Identities() []string {
	lists, foreign := make([][]string, shardCount), false
	for i, shard := range s.ix.shards {
		lists[i] = s.collect(i, shard)
		foreign = foreign || slices.ContainsFunc(lists[i], func(name string) bool { return !ascii(name) })
	}
	for len(lists) > 1 {
		half := len(lists) / 2
		for i := range half {
			lists[i] = merged(lists[i], lists[half+i], foreign)
		}
		lists = lists[:half]
	}
	return lists[0]
}

// collect returns the names of a shard, sorted.
func (s *Set) collect(i int, shard *shard) []string {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	p := s.parts[i]
	size := 0
	var members []uint32
	if n := p.slots.count(); n*16 > len(shard.sorted) {
		members = make([]uint32, 0, n)
		for _, slot := range shard.sorted {
			if p.slots.has(slot) && shard.born[slot] <= p.clock {
				members = append(members, slot)
			}
		}
	} else {
		for slot := range s.each(i) {
			members = append(members, slot)
		}
		slices.SortFunc(members, func(a, b uint32) int {
			return compareKeys(shard.identities.at(a), shard.identities.at(b), shard.identities.foreign > 0)
		})
	}
	for _, slot := range members {
		size += int(shard.identities.length[slot])
	}
	names, text := make([]string, 0, len(members)), make([]byte, 0, size) // one piece of memory for all
	for _, slot := range members {
		at := len(text)
		text = append(text, shard.identities.at(slot)...)
		names = append(names, view(text[at:]))
	}
	return names
}

// compareKeys orders identities without regard to case; foreign says that they
// may hold more than ASCII.
func compareKeys(a, b string, foreign bool) int {
	if foreign {
		return strings.Compare(keyOf(a), keyOf(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if x, y := lower(a[i]), lower(b[i]); x != y {
				return int(x) - int(y)
			}
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// merged is what is in either of two sorted lists, sorted.
func merged(a, b []string, foreign bool) []string {
	if len(a) == 0 {
		return b
	}
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compareKeys(a[0], b[0], foreign) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
