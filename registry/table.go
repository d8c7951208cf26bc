package registry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/query"
)

// table holds the nodes in memory. It is the seam behind which an index can
// stand: only candidates knows how nodes are found.
type table struct {
	mu       sync.RWMutex
	byKey    map[string]*Node
	sorted   []*Node // by key
	revision uint64
	words    words
}

func newTable(nodes []*Node) *table {
	t := &table{byKey: make(map[string]*Node, len(nodes)), sorted: nodes}
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.Identity.Key(), b.Identity.Key()) })
	for _, n := range nodes {
		t.byKey[n.Identity.Key()] = n
		t.words.count(n, 1)
	}
	return t
}

// get returns a node or nil.
func (t *table) get(key string) *Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byKey[key]
}

// put adds a node or replaces it. Moved says that more than its times did.
func (t *table) put(n *Node, moved bool) {
	key := n.Identity.Key()
	t.mu.Lock()
	defer t.mu.Unlock()
	i, found := t.find(key)
	if found {
		old := t.sorted[i]
		t.sorted[i] = n
		if moved {
			t.words.count(old, -1)
		}
	} else {
		t.sorted = slices.Insert(t.sorted, i, n)
	}
	t.byKey[key] = n
	if moved {
		t.words.count(n, 1)
		t.revision++
	}
}

// remove takes a node out.
func (t *table) remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, found := t.find(key)
	if !found {
		return
	}
	t.words.count(t.sorted[i], -1)
	t.sorted = slices.Delete(t.sorted, i, i+1)
	delete(t.byKey, key)
	t.revision++
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

// candidates returns, by identity, every node that e holds for at a moment,
// and perhaps others: whoever asks must still ask [query.Matches].
func (t *table) candidates(_ query.Expr, _ time.Time) []*Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.sorted)
}

// state returns the number of nodes and the revision.
func (t *table) state() (nodes int, revision uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.sorted), t.revision
}
