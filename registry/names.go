package registry

import (
	"cmp"
	"maps"
	"slices"

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
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
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
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return query.Vocabulary{}, err
	}
	return r.vocabulary(), nil
}

func (r *Registry) vocabulary() query.Vocabulary {
	if r.direct.is() {
		return query.Vocabulary{}
	}
	return query.Vocabulary{Names: r.table.index.Names, Values: r.table.index.Values}
}

func counted(counts map[string]int) []Count {
	out := make([]Count, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, Count{name, counts[name]})
	}
	return out
}
