package index

import (
	"encoding/binary"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"muster/query"
)

// Fact is a path below the facts and what the nodes have there.
type Fact struct {
	Path   string   // keys, joined by dots
	Types  []string // null, boolean, number, text, date, list, object; those most frequent first
	Nodes  int
	Values int // different ones, up to MaxValues; of objects, sets of keys
}

// MaxValues is up to how many different values of a path are counted: that there
// are more is all that there is to know.
const MaxValues = 1000

var typeNames = [typeCount]string{"null", "boolean", "number", "text", "date", "list", "object"}

// Facts describes every path, sorted. It counts different values, for which it
// goes through all nodes; [Index.Names] does not.
func (ix *Index) Facts() []Fact {
	type described struct {
		nodes  int
		types  [typeCount]int32
		values counter // by hash
	}
	all := map[string]*described{}
	for _, s := range ix.shards {
		for _, path := range s.paths() {
			c := all[path.name]
			if c == nil {
				c = &described{}
				all[path.name] = c
			}
			s.mu.RLock() // for one path at a time: nobody shall wait for all
			c.nodes += path.branch.column.cells
			for t, n := range path.branch.column.types {
				c.types[t] += n
			}
			s.forest.values(&path.branch.column, ix, &c.values)
			s.mu.RUnlock()
		}
	}
	var facts []Fact
	for _, name := range sortedKeys(all) {
		c := all[name]
		if c.nodes == 0 {
			continue
		}
		f := Fact{Path: name, Nodes: c.nodes, Values: min(c.values.used, MaxValues)}
		for t, n := range c.types {
			if n > 0 {
				f.Types = append(f.Types, typeNames[t])
			}
		}
		slices.SortStableFunc(f.Types, func(a, b string) int {
			return int(c.types[slices.Index(typeNames[:], b)]) - int(c.types[slices.Index(typeNames[:], a)])
		})
		facts = append(facts, f)
	}
	return facts
}

// path is a branch and its name.
type path struct {
	name   string
	branch *branch
}

func (s *shard) paths() []path {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.forest.facts.paths(nil, "")
}

func (b *branch) paths(found []path, prefix string) []path {
	for key, child := range b.under {
		found = append(found, path{prefix + key, child})
		found = child.paths(found, prefix+key+".")
	}
	return found
}

// values adds the hashes of the different values of a column, up to MaxValues.
func (f *forest) values(c *column, ix *Index, found *counter) {
	var scratch []byte
	for at := range c.different() {
		if found.used >= MaxValues {
			return
		}
		switch k := at.code.kind(); {
		case k == object: // its numbers are the shard's
			scratch = scratch[:0]
			for _, key := range sortedKeys(f.value(at).(map[string]any)) {
				scratch = append(append(scratch, key...), 0)
			}
		case k == fixed || k == scalar || k == list && f.pool.bytes(at.code)[0] == 'L':
			scratch = binary.LittleEndian.AppendUint32(scratch[:0], uint32(at.code.valueType()))
			scratch = appendKeyText(scratch, f.value(at))
		default:
			scratch = append(binary.LittleEndian.AppendUint32(scratch[:0], uint32(k)), f.pool.bytes(at.code)...)
		}
		found.add(hashKey(ix.seed, view(scratch)), 1)
	}
}

// appendKeyText is keyText, quicker for the usual numbers.
func appendKeyText(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if size := math.Abs(v); size >= 1e-6 && size < 1e21 { // others JSON writes with an exponent
			return strconv.AppendFloat(b, v, 'f', -1, 64)
		}
	}
	return append(b, keyText(v)...)
}

// different yields the cells of a column, those that are alike only once.
func (c *column) different() iter.Seq[cell] {
	return func(yield func(cell) bool) {
		for i, known := range c.dict {
			if c.uses[i] > 0 && !yield(cell{code: known}) {
				return
			}
		}
		var ints, floats, codes counter
		for slot, bits := range c.nums {
			if b := c.small[slot]; b == smallInt && ints.add(bits, 1) && !yield(cell{intHere, bits}) ||
				b == smallFloat && floats.add(bits, 1) && !yield(cell{floatHere, bits}) {
				return
			}
		}
		for _, some := range [][]code{c.few, c.wide} {
			for _, code := range some {
				if code != absent && codes.add(uint64(code), 1) && !yield(cell{code: code}) {
					return
				}
			}
		}
	}
}

// Names lists the names of a kind, with the number of nodes that have each:
// "fact" (paths of facts, those inside of lists too, without positions),
// "class", "agent", "collective" or "identity". It is nil for an index of no
// nodes, and as [query.Vocabulary] wants it.
func (ix *Index) Names(kind string) map[string]int {
	names := map[string]int{}
	nodes := 0
	for _, s := range ix.shards {
		s.mu.RLock()
		nodes += len(s.sorted)
		s.addNames(kind, names)
		s.mu.RUnlock()
	}
	if nodes == 0 {
		return nil
	}
	return names
}

func (s *shard) addNames(kind string, to map[string]int) {
	switch kind {
	case "fact":
		for _, path := range s.forest.facts.paths(nil, "") {
			to[path.name] += path.branch.column.cells
			for below, nodes := range path.branch.inside {
				to[path.name+below] += nodes
			}
		}
	case "class", "agent", "collective":
		n := map[string]*names{"class": &s.classes, "agent": &s.agents, "collective": &s.collectives}[kind]
		for _, e := range n.of {
			if e.nodes > 0 {
				to[e.text] += e.nodes
			}
		}
	case "identity":
		for _, slot := range s.sorted {
			to[strings.Clone(s.identities.at(slot))] = 1
		}
	}
}

// Values lists the values of a fact, as text, with the number of nodes that
// have each. The path is keys, joined by dots; lists count by their elements.
func (ix *Index) Values(path string) map[string]int {
	p := query.Path{Field: "facts", Flat: path}
	for key := range strings.SplitSeq(path, ".") {
		p.Steps = append(p.Steps, query.Step{Kind: "name", Key: key, Pos: -1})
	}
	values := map[string]int{}
	everything := &Set{ix: ix}
	for i, s := range ix.shards {
		s.mu.RLock()
		everything.parts[i] = part{s.live.clone(), s.clock}
		s.mu.RUnlock()
	}
	for _, c := range everything.Histogram(p) {
		list, ok := c.Value.([]any)
		if !ok {
			list = []any{c.Value}
		}
		for _, v := range list {
			switch v := v.(type) {
			case string:
				values[v] += c.Nodes
			case bool, int64, float64, json.Number:
				values[keyText(v)] += c.Nodes
			}
		}
	}
	return values
}
