package registry

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/query"
	"muster/registry/index"
)

// table holds the nodes in memory: what is at hand of each, what it said,
// packed, and the index in front of them.
//
// A change of a node goes into the maps first and then, without the lock, into
// the index: the index asks the table for documents while it searches, and a
// writer that held the lock would wait for the searcher that waits for it.
// Whoever changes one node does so one after the other (see Registry.Register).
type table struct {
	index *index.Index
	bare  bool // there is no index: the registry is direct

	mu       sync.RWMutex
	byKey    map[string]*Head
	rows     rows
	revision uint64
	lists    map[string][]string // of collectives, since many nodes are in the same

	changes changes
}

// maxLists is how many lists are shared at most.
const maxLists = 10_000

func newTable() *table {
	t := &table{byKey: map[string]*Head{}, changes: changes{seed: maphash.MakeSeed()}}
	t.index = index.New(index.Config{Load: t.document})
	return t
}

// document is what the index is told of a node; nil if there is none.
func (t *table) document(identity string) *query.Document {
	n := t.node(Identity(identity).Key())
	if n == nil {
		return nil
	}
	return n.Document()
}

// head returns what is at hand of a node, or nil.
func (t *table) head(key string) *Head {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byKey[key]
}

// node returns all of a node, or nil.
func (t *table) node(key string) *Node {
	h := t.head(key)
	if h == nil {
		return nil
	}
	return h.node()
}

// fill adds the nodes of an empty table, which the index has already.
func (t *table) fill(nodes []row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byKey = make(map[string]*Head, len(nodes))
	for _, n := range nodes {
		n.head.Collectives = t.shared(n.head.Collectives)
		t.byKey[n.head.key] = n.head
	}
	t.rows.fill(nodes)
}

// put adds a node or replaces it. Nil for what it says means that no more than
// its times moved.
func (t *table) put(n *Head, says *query.Document) {
	known := t.place(n, says != nil)
	switch {
	case t.bare:
	case says != nil:
		at := t.index.Put(says)
		if !known {
			t.settle(n.key, at)
		}
	default:
		t.index.Touch(string(n.Identity), "", n.LastSeen)
	}
	t.changes.add(n.key, nil, says != nil)
}

// move is put for a node of which some facts have moved.
func (t *table) move(n *Head, facts map[string]any) {
	t.place(n, true)
	if !t.bare && !t.index.PutFacts(string(n.Identity), facts, n.LastSeen) {
		t.index.Put(n.node().Document())
	}
	t.changes.add(n.key, facts, false)
}

// settle notes where the index has a node.
func (t *table) settle(key string, at index.Place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.rows.get(key); n != nil {
		n.place = at
	}
}

// place puts a node into the maps, and reports whether it was there.
func (t *table) place(n *Head, moved bool) bool {
	key := n.key
	t.mu.Lock()
	defer t.mu.Unlock()
	n.Collectives = t.shared(n.Collectives)
	known := t.rows.get(key)
	if known != nil {
		known.renew(n)
	} else {
		t.rows.insert(rowOf(n, index.Place{})) // the index has it soon: see settle
	}
	t.byKey[key] = n
	if moved {
		t.revision++
	}
	return known != nil
}

// shared returns a list that is equal to another, and is kept once for all nodes.
func (t *table) shared(list []string) []string {
	key := strings.Join(list, "\x00")
	if known, ok := t.lists[key]; ok {
		return known
	}
	if t.lists == nil || len(t.lists) >= maxLists {
		t.lists = map[string][]string{}
	}
	t.lists[key] = list
	return list
}

// remove takes a node out.
func (t *table) remove(key string) {
	t.mu.Lock()
	found := t.rows.remove(key)
	if found {
		delete(t.byKey, key)
		t.revision++
	}
	t.mu.Unlock()
	if found && !t.bare {
		t.index.Delete(key)
	}
	if found {
		t.changes.add(key, nil, true)
	}
}

// all returns every node, by identity.
func (t *table) all() []*Head {
	nodes, _ := t.state()
	return t.list(nodes, func(row) bool { return true })
}

// countStates counts the nodes by state.
func (t *table) countStates(l *Lifecycle, h *heard) map[State]int {
	counts := map[State]int{}
	for _, n := range t.all() {
		counts[l.state(n, h)]++
	}
	return counts
}

// candidates returns, by identity, exactly the nodes that are wanted and that e
// holds for, which does not ask for the state: see inState.
func (t *table) candidates(ctx context.Context, e query.Expr, now time.Time, want *inStates) ([]*Head, error) {
	if _, everything := e.(query.All); everything {
		nodes, _ := t.state()
		return t.list(nodes, want.row), nil
	}
	set, err := t.index.Find(ctx, e, now)
	if err != nil {
		return nil, err
	}
	if nodes, few := t.few(set); few {
		return slices.DeleteFunc(nodes, func(n *Head) bool { return !want.head(n) }), nil
	}
	return t.list(set.Len(), func(n row) bool { return set.Holds(n.place) && want.row(n) }), nil
}

// list returns the nodes that a test holds for, by identity: about so many.
func (t *table) list(about int, holds func(row) bool) []*Head {
	t.mu.RLock()
	defer t.mu.RUnlock()
	nodes := make([]*Head, 0, about)
	for n := range t.rows.all() {
		if holds(n) {
			nodes = append(nodes, n.head)
		}
	}
	return nodes
}

// few returns the nodes of a set that has so few of them that to look up each is
// quicker than to go through all.
func (t *table) few(set *index.Set) (nodes []*Head, few bool) {
	if all, _ := t.state(); set.Len()*32 > all {
		return nil, false
	}
	names := set.Identities()
	nodes = make([]*Head, 0, len(names))
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, name := range names {
		if n := t.byKey[Identity(name).Key()]; n != nil { // else it has just gone
			nodes = append(nodes, n)
		}
	}
	return nodes, true
}

// asksForState reports whether e asks for what only time changes.
func asksForState(e query.Expr) bool { return asks(e, isAboutState) }

// asks reports whether any part of e is about something.
func asks(e query.Expr, about func(query.Expr) bool) bool {
	found := false
	query.Map(e, func(e query.Expr) query.Expr {
		found = found || about(e)
		return e
	})
	return found
}

func isAboutState(e query.Expr) bool {
	c, ok := e.(*query.Compare)
	return ok && c.Path.Field == "state"
}

// inState returns what e asks of nodes in one state: nothing about the state.
func inState(e query.Expr, state State, now time.Time) query.Expr {
	doc := &query.Document{State: string(state)}
	return query.Map(e, func(e query.Expr) query.Expr {
		switch {
		case !isAboutState(e):
			return e
		case query.Matches(e, doc, now):
			return query.All{}
		}
		return query.Not{Expr: query.All{}}
	})
}

// state returns the number of nodes and the revision.
func (t *table) state() (nodes int, revision uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows.count, t.revision
}
