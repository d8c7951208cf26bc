package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"muster/query"
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

// Names returns the names in use.
func (r *Registry) Names() (Names, error) {
	if err := r.usable(); err != nil {
		return Names{}, err
	}
	v := r.vocabulary()
	return Names{
		Facts:       counted(v.Names("fact")),
		Classes:     counted(v.Names("class")),
		Agents:      counted(v.Names("agent")),
		Collectives: counted(v.Names("collective")),
	}, nil
}

// Vocabulary is what the fleet has names for, over nodes in any state.
func (r *Registry) Vocabulary() (query.Vocabulary, error) {
	if err := r.usable(); err != nil {
		return query.Vocabulary{}, err
	}
	return r.vocabulary(), nil
}

func (r *Registry) vocabulary() query.Vocabulary {
	return query.Vocabulary{Names: r.table.names, Values: r.table.values}
}

// words counts the names in use. It belongs to a table, whose lock it shares.
type words struct {
	facts                        branch
	classes, agents, collectives map[string]int
	round                        uint64 // of counting

	listed map[string]map[string]int // what names returned, by kind, until something is counted
}

// count adds a node's names, or takes them away if by is -1.
func (w *words) count(n *Node, by int) {
	if w.classes == nil {
		w.classes, w.agents, w.collectives = map[string]int{}, map[string]int{}, map[string]int{}
	}
	w.listed = nil
	w.round++
	w.facts.count(n.Facts, by, w.round)
	tally(w.classes, n.Classes, by)
	tally(w.agents, n.Agents, by)
	tally(w.collectives, n.Collectives, by)
}

func tally(counts map[string]int, names []string, by int) {
	for _, name := range names {
		if counts[name] += by; counts[name] == 0 {
			delete(counts, name)
		}
	}
}

// branch counts the nodes that have a path.
type branch struct {
	under map[string]*branch
	nodes int
	round uint64 // when it was last counted, so that a path in several elements of a list counts once
}

func (b *branch) count(v any, by int, round uint64) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			child := b.under[k]
			switch {
			case child != nil:
			case by < 0:
				continue // taken away with an element before
			default:
				if b.under == nil {
					b.under = make(map[string]*branch, len(v))
				}
				child = &branch{}
				b.under[k] = child
			}
			if child.round != round {
				child.round = round
				child.nodes += by
			}
			child.count(e, by, round)
			if child.nodes == 0 {
				delete(b.under, k)
			}
		}
	case []any:
		for _, e := range v {
			b.count(e, by, round)
		}
	}
}

// list adds the paths below b to out.
func (b *branch) list(out map[string]int, prefix string) {
	for key, child := range b.under {
		out[prefix+key] += child.nodes
		child.list(out, prefix+key+".")
	}
}

// names returns the names of a kind, with the number of nodes that have each;
// nil for an empty table, which can not tell what is a mistake.
func (t *table) names(kind string) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sorted) == 0 {
		return nil
	}
	w := &t.words
	if names, ok := w.listed[kind]; ok {
		return names
	}
	var names map[string]int
	switch kind {
	case "fact":
		names = map[string]int{}
		w.facts.list(names, "")
	case "class":
		names = maps.Clone(w.classes)
	case "agent":
		names = maps.Clone(w.agents)
	case "collective":
		names = maps.Clone(w.collectives)
	case "identity":
		names = make(map[string]int, len(t.sorted))
		for _, n := range t.sorted {
			names[string(n.Identity)] = 1
		}
	}
	if w.listed == nil {
		w.listed = map[string]map[string]int{}
	}
	w.listed[kind] = names
	return names
}

// values returns the values of a fact, as text, with the number of nodes that
// have each. It looks at every node.
func (t *table) values(path string) map[string]int {
	values := map[string]int{}
	p := ParsePath("facts." + path)
	var doc query.Document
	for _, n := range t.candidates(query.All{}, time.Time{}) {
		n.fill(&doc, "")
		for _, v := range p.Values(&doc) {
			switch v := v.(type) {
			case string:
				values[v]++
			case bool, int64, float64, json.Number:
				values[string(appendValue(nil, v))]++
			}
		}
	}
	return values
}

func counted(counts map[string]int) []Count {
	out := make([]Count, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, Count{name, counts[name]})
	}
	return out
}
