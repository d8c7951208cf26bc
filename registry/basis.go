package registry

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
)

// Basis is what an answer rests on. It tells whether the answer is still what
// [Registry.Find] would say, which takes next to nothing, so that who is asked
// the same again and again needs to find out only once:
//
//	basis := r.Basis()
//	answer, err := r.Find(ctx, registry.Discovery{Query: q, Basis: basis})
//	…
//	if basis.Holds() {
//		// answer is the answer
//	}
//
// It holds for what Find says, warnings included, as long as no node of the answer
// was heard of again or changed, no other has come or changed in a way that the
// question could mind, and no state has changed with time. Answers that depend on
// the time otherwise, and those about very many nodes, hold never.
//
// It may be used by several goroutines once Find has returned.
type Basis struct {
	registry *Registry
	renamed  uint64        // of the index, for warnings about names
	clock    *heard        // by which ages are counted
	seen     atomic.Uint64 // changes that were looked at

	filled      bool
	nodes       []uint64 // hashes of those that the question names in any state, sorted
	facts       []string // the top-level facts that the question asks for
	allFacts    bool     // it may ask for any
	from, until time.Time
}

// maxBasis is from how many nodes on an answer does not hold: it would be heard of
// one of them soon, and to know them takes memory.
const maxBasis = 4096

// Basis begins what the next answer will rest on; nil, which never holds, where
// nothing can be known about that.
func (r *Registry) Basis() *Basis {
	if r.usable() != nil || r.direct.is() || r.outdated() != nil {
		return nil
	}
	b := &Basis{registry: r, renamed: r.table.index.Renamed(), clock: r.life.now.Load()}
	b.seen.Store(r.table.changes.counted())
	return b
}

// Size is how many bytes it takes, about.
func (b *Basis) Size() int { return 200 + 8*len(b.nodes) }

// Holds reports whether the answer that was found with b is still the answer.
func (b *Basis) Holds() bool {
	if b == nil || !b.filled {
		return false
	}
	r := b.registry
	if r.usable() != nil || r.outdated() != nil {
		return false
	}
	// The clock comes first, which may sweep, and the changes last.
	now := r.clock().at
	return r.life.now.Load() == b.clock && !now.Before(b.from) && now.Before(b.until) &&
		r.table.index.Renamed() == b.renamed && r.table.changes.leave(b)
}

// found notes what an answer rests on: the nodes that the question names, whatever
// their state is.
func (b *Basis) found(d Discovery, nodes []*Head, h *heard) {
	if b == nil || len(nodes) > maxBasis || !d.aboutNodes() || !b.asks(d.Query.Filter) {
		return
	}
	b.from, b.until = h.at, h.at.AddDate(1, 0, 0)
	b.nodes = make([]uint64, len(nodes))
	for i, n := range nodes {
		b.nodes[i] = b.registry.table.changes.hash(n.key)
		if at, changes := b.registry.conf.Lifecycle.next(n, h); changes && at.Before(b.until) {
			b.until = at
		}
	}
	slices.Sort(b.nodes)
	b.filled = true
}

// next is when a node's state changes if it is not heard of.
func (l *Lifecycle) next(n *Head, h *heard) (at time.Time, changes bool) {
	if n.Deactivated != nil || n.LastSeen.IsZero() || h.still != "" {
		return at, false
	}
	rule := l.rule(n.Collectives)
	age := h.age(n.LastSeen)
	for _, limit := range []time.Duration{rule.staleAfter(n.interval(rule)), rule.ExpireAfter} {
		if left := limit - age; left > 0 && (!changes || h.at.Add(left).Before(at)) {
			at, changes = h.at.Add(left), true
		}
	}
	return at, changes
}

// asks notes which facts a filter asks for; false: it asks for what moves without
// any word of a node, or of others than the nodes it names.
func (b *Basis) asks(filter query.Expr) bool {
	steady := true
	query.Map(filter, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			steady = steady && b.path(e.Path) && !timely(&e.Value)
		case *query.Has:
			steady = steady && b.path(e.Path)
		case *query.Subquery, *query.Changed:
			steady = false
		case query.All, query.And, query.Or, query.Not:
		}
		return e
	})
	return steady
}

// path notes the fact of a path; false: what is there moves with time.
func (b *Basis) path(p query.Path) bool {
	switch p.Field {
	case "facts":
		if len(p.Steps) == 0 || p.Steps[0].Kind != "name" {
			b.allFacts = true
			return true
		}
		b.facts = append(b.facts, p.Steps[0].Key)
	case "fact", "contents":
		b.allFacts = true
	case "state", "seen", "live":
		return false
	}
	return true
}

// timely reports whether a value is another one later.
func timely(v *query.Value) bool {
	if v.Kind == "age" {
		return true
	}
	for i := range v.List {
		if timely(&v.List[i]) {
			return true
		}
	}
	for _, field := range v.Object {
		if timely(&field) {
			return true
		}
	}
	return false
}

// changes are the last ones of a table. Each is noted when index and maps have
// it, and before it is acknowledged.
type changes struct {
	seed maphash.Seed

	mu    sync.RWMutex
	count uint64
	last  [512]change
}

// change is what may differ in one node: what is at hand of it and some facts, or
// anything.
type change struct {
	node  uint64
	facts []string
	whole bool
}

func (c *changes) hash(key string) uint64 { return maphash.String(c.seed, key) }

func (c *changes) add(key string, facts map[string]any, whole bool) {
	one := change{node: c.hash(key), whole: whole}
	for name := range facts {
		one.facts = append(one.facts, name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[c.count%uint64(len(c.last))] = one
	c.count++
}

func (c *changes) counted() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.count
}

// leave reports whether no change since b was last looked at touches it.
func (c *changes) leave(b *Basis) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	seen := b.seen.Load()
	if c.count-seen > uint64(len(c.last)) {
		return false
	}
	for i := seen; i < c.count; i++ {
		if b.minds(&c.last[i%uint64(len(c.last))]) {
			return false
		}
	}
	b.seen.Store(c.count)
	return true
}

func (b *Basis) minds(c *change) bool {
	if c.whole || b.allFacts && len(c.facts) > 0 {
		return true
	}
	if _, named := slices.BinarySearch(b.nodes, c.node); named {
		return true
	}
	for _, asked := range b.facts {
		for _, moved := range c.facts {
			if akin(asked, moved) {
				return true
			}
		}
	}
	return false
}

// akin reports whether one name is the beginning of the other, whatever their
// case: paths name facts in several ways.
func akin(a, b string) bool {
	n := min(len(a), len(b))
	return strings.EqualFold(a[:n], b[:n])
}
