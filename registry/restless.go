package registry

import (
	"fmt"
	"slices"
	"sync"
)

// manyChanges is how many registrations in a row must each change something for
// a node to be told that it never rests.
const manyChanges = 10

// restless counts for how many registrations in a row the facts of a node have
// changed: names that never repeat, or a value or type that is another each
// time. Each costs a write and a line of history.
type restless struct {
	mu      sync.Mutex
	streaks map[beatKey]int
}

// changed notes a change, and returns how many there were in a row.
func (r *restless) changed(key beatKey) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streaks == nil {
		r.streaks = map[beatKey]int{}
	}
	r.streaks[key]++
	return r.streaks[key]
}

// nearly reports whether the next change is one of too many in a row.
func (r *restless) nearly(key beatKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streaks[key]+1 >= manyChanges
}

// same notes a registration that changed nothing.
func (r *restless) same(key beatKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streaks, key)
}

// forget lets go of a node.
func (r *restless) forget(key string) {
	for _, source := range precedence {
		r.same(beatKey{key, source})
	}
}

// unrested is what a node is with a warning, if it never rests.
func (r *Registry) unrested(node *Node, changed Node, source Source, next *Section) Node {
	if source == Import || !source.speaks() || node.Sections[source] == nil {
		return changed
	}
	if r.restless.changed(beatKey{node.Identity.Key(), source}) < manyChanges {
		return changed
	}
	changes, _ := r.volatile.changesOf(node, &changed)
	if len(changes) == 0 {
		return changed
	}
	warned := *next
	warned.Warnings = append(slices.Clip(warned.Warnings),
		fmt.Sprintf("each of the last %d registrations changed something, such as %s: leave out what never rests, or name it in serve.volatile", manyChanges, cut(changes[0].Path, 60)))
	return changed.with(source, &warned)
}
