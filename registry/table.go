package registry

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/query"
	"muster/registry/index"
)

// table holds the nodes in memory, and the index in front of them.
//
// A change of a node goes into the maps first and then, without the lock, into
// the index: the index asks the table for documents while it searches, and a
// writer that held the lock would wait for the searcher that waits for it.
// Whoever changes one node does so one after the other (see Registry.Register).
type table struct {
	index *index.Index

	mu       sync.RWMutex
	byKey    map[string]*Node
	sorted   []*Node // by key
	revision uint64
}

func newTable(nodes []*Node) *table {
	t := &table{byKey: make(map[string]*Node, len(nodes)), sorted: nodes}
	t.index = index.New(index.Config{Load: t.document})
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.Identity.Key(), b.Identity.Key()) })
	for _, n := range nodes {
		t.byKey[n.Identity.Key()] = n
	}
	var fill sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		fill.Go(func() {
			for i := w; i < len(nodes); i += workers {
				t.index.Put(nodes[i].Document())
			}
		})
	}
	fill.Wait()
	return t
}

// document is what the index is told of a node; nil if there is none.
func (t *table) document(identity string) *query.Document {
	n := t.get(Identity(identity).Key())
	if n == nil {
		return nil
	}
	return n.Document()
}

// get returns a node or nil.
func (t *table) get(key string) *Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byKey[key]
}

// put adds a node or replaces it. Moved says that more than its times did.
func (t *table) put(n *Node, moved bool) {
	found := t.place(n, moved)
	if moved || !found {
		t.index.Put(n.Document())
	} else {
		t.index.Touch(string(n.Identity), "", n.LastSeen)
	}
}

// place puts a node into the maps and reports whether it was there.
func (t *table) place(n *Node, moved bool) bool {
	key := n.Identity.Key()
	t.mu.Lock()
	defer t.mu.Unlock()
	i, found := t.find(key)
	if found {
		t.sorted[i] = n
	} else {
		t.sorted = slices.Insert(t.sorted, i, n)
	}
	t.byKey[key] = n
	if moved {
		t.revision++
	}
	return found
}

// remove takes a node out.
func (t *table) remove(key string) {
	t.mu.Lock()
	i, found := t.find(key)
	if !found {
		t.mu.Unlock()
		return
	}
	t.sorted = slices.Delete(t.sorted, i, i+1)
	delete(t.byKey, key)
	t.revision++
	t.mu.Unlock()
	t.index.Delete(key)
}

// all returns every node, by identity.
func (t *table) all() []*Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.sorted)
}

// countStates counts the nodes by state.
func (t *table) countStates(l *Lifecycle, h *heard) map[State]int {
	counts := map[State]int{}
	for _, n := range t.all() {
		counts[l.state(n, h)]++
	}
	return counts
}

// find returns where a key is in sorted, or would be.
func (t *table) find(key string) (int, bool) {
	return slices.BinarySearchFunc(t.sorted, key, func(n *Node, key string) int {
		return strings.Compare(n.Identity.Key(), key)
	})
}

// candidates returns, by identity, the nodes that e holds for. They are not
// exact where e asks for the state, which only time changes: then they are all
// nodes, and [query.Matches] must be asked of each.
func (t *table) candidates(ctx context.Context, e query.Expr, now time.Time) (nodes []*Node, exact bool, err error) {
	if _, everything := e.(query.All); everything || asksForState(e) {
		return t.all(), everything, nil
	}
	set, err := t.index.Find(ctx, e, now)
	if err != nil {
		return nil, false, err
	}
	names := set.Identities()
	nodes = make([]*Node, 0, len(names))
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, name := range names {
		if n := t.byKey[Identity(name).Key()]; n != nil { // else it has just gone
			nodes = append(nodes, n)
		}
	}
	return nodes, true, nil
}

func asksForState(e query.Expr) bool {
	asks := false
	query.Map(e, func(e query.Expr) query.Expr {
		if c, ok := e.(*query.Compare); ok && c.Path.Field == "state" {
			asks = true
		}
		return e
	})
	return asks
}

// state returns the number of nodes and the revision.
func (t *table) state() (nodes int, revision uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.sorted), t.revision
}
