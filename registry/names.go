package registry

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"muster/query"
	"muster/registry/index"
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
	names := r.table.index.Names
	return Names{
		Facts:       counted(names("fact")),
		Classes:     counted(names("class")),
		Agents:      counted(names("agent")),
		Collectives: counted(names("collective")),
	}, nil
}

// Vocabulary is what the fleet has names for, over nodes in any state. Its maps
// are not to be changed. Which names there are is as of now; how many nodes have
// them, and values, may be as of some seconds ago. Of many values only the most
// frequent are there.
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
	return query.Vocabulary{
		Names:  func(kind string) map[string]int { return r.words.of(r.table.index, kind, r.conf.Now()) },
		Values: func(path string) map[string]int { return r.words.values(r.table.index, path, r.conf.Now()) },
	}
}

// words keeps the names that are in use, and values, since every query is held
// against them.
type words struct {
	mu    sync.Mutex
	known map[string]wordsOf // by kind, or by path after a space
}

type wordsOf struct {
	counts  map[string]int
	renamed uint64
	at      time.Time
}

// Limits of what is kept.
const (
	keepWords = 30 * time.Second // for so long numbers of nodes may be old
	maxWords  = 100              // kinds and paths
	maxValues = 500              // of a path
)

func (w *words) of(ix *index.Index, kind string, now time.Time) map[string]int {
	if kind == "identity" {
		return ix.Names(kind)
	}
	renamed := ix.Renamed()
	return w.keep(kind, renamed, now, func() map[string]int { return ix.Names(kind) })
}

func (w *words) values(ix *index.Index, path string, now time.Time) map[string]int {
	return w.keep(" "+path, 0, now, func() map[string]int { return frequent(ix.Values(path)) })
}

func (w *words) keep(key string, renamed uint64, now time.Time, count func() map[string]int) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	known, ok := w.known[key]
	if age := now.Sub(known.at); ok && known.renamed == renamed && age >= 0 && age < keepWords {
		return known.counts
	}
	if w.known == nil || len(w.known) >= maxWords {
		w.known = map[string]wordsOf{}
	}
	counts := count()
	w.known[key] = wordsOf{counts, renamed, now}
	return counts
}

// frequent returns the values of most nodes. The nodes with the others are added
// to the most frequent of their kind, number or text, so that it is still known
// how many nodes have one.
func frequent(values map[string]int) map[string]int {
	if len(values) <= maxValues {
		return values
	}
	kept := map[string]int{}
	var most [2]string // of numbers, of texts
	for i, text := range slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	}) {
		kind := 1
		if isNumber(text) {
			kind = 0
		}
		first := most[kind] == ""
		if first {
			most[kind] = text
		}
		if i < maxValues || first {
			kept[text] += values[text]
		} else {
			kept[most[kind]] += values[text]
		}
	}
	return kept
}

func counted(counts map[string]int) []Count {
	out := make([]Count, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, Count{name, counts[name]})
	}
	return out
}
