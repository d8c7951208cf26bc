package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Count is a name and how many nodes have it.
type Count struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
}

// Names are all names in use, each list sorted by name, over nodes in any
// state. It is for suggestions and overviews.
type Names struct {
	Facts       []Count // by path: keys joined by dots, positions in lists left out
	Classes     []Count
	Agents      []Count
	Collectives []Count
}

// words keeps the names until they change.
type words struct {
	mu       sync.Mutex
	names    Names
	revision uint64
	valid    bool
	at       time.Time     // when names was made
	took     time.Duration // to make it
}

// Names returns the names in use. The lists are shared and must not be changed.
// On a large fleet in motion they may be a few seconds old, so that they never
// cost more than a twentieth of a processor.
func (r *Registry) Names() (Names, error) {
	if err := r.usable(); err != nil {
		return Names{}, err
	}
	w := &r.words
	w.mu.Lock()
	defer w.mu.Unlock()
	_, revision := r.table.state()
	now := time.Now() // not Config.Now: it measures work
	if w.valid && (w.revision == revision || now.Sub(w.at) < 20*w.took) {
		return w.names, nil
	}
	w.names = namesOf(r.table.candidates(nil, now))
	w.valid, w.revision, w.at, w.took = true, revision, now, time.Since(now)
	return w.names, nil
}

func namesOf(nodes []*Node) Names {
	var root branch
	classes, agents, collectives := map[string]int{}, map[string]int{}, map[string]int{}
	for i, n := range nodes {
		root.count(n.Facts, i+1)
		tally(classes, n.Classes)
		tally(agents, n.Agents)
		tally(collectives, n.Collectives)
	}
	var names Names
	for _, key := range slices.Sorted(maps.Keys(root.under)) {
		names.Facts = root.under[key].list(names.Facts, key)
	}
	slices.SortFunc(names.Facts, byName)
	names.Classes, names.Agents, names.Collectives = counted(classes), counted(agents), counted(collectives)
	return names
}

// branch counts the nodes that have a path.
type branch struct {
	under map[string]*branch
	nodes int
	last  int // the node that was counted last, so that a list of objects counts once
}

func (b *branch) count(v any, node int) {
	switch v := v.(type) {
	case map[string]any:
		if b.under == nil {
			b.under = make(map[string]*branch, len(v))
		}
		for k, e := range v {
			child := b.under[k]
			if child == nil {
				child = &branch{}
				b.under[k] = child
			}
			if child.last != node {
				child.last = node
				child.nodes++
			}
			child.count(e, node)
		}
	case []any:
		for _, e := range v {
			b.count(e, node)
		}
	}
}

func (b *branch) list(out []Count, path string) []Count {
	out = append(out, Count{path, b.nodes})
	for key, child := range b.under {
		out = child.list(out, path+"."+key)
	}
	return out
}

func tally(counts map[string]int, names []string) {
	for _, name := range names {
		counts[name]++
	}
}

func counted(counts map[string]int) []Count {
	out := make([]Count, 0, len(counts))
	for name, n := range counts {
		out = append(out, Count{name, n})
	}
	slices.SortFunc(out, byName)
	return out
}

func byName(a, b Count) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Nodes, b.Nodes))
}
