package index

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"muster/query"
)

// Group is the nodes that share the values they are grouped by.
type Group struct {
	Values []any // of each path that was grouped by; nil: nothing there, or null
	Nodes  int
	Of     []any // what was asked of each column; nil: no value that it can be said of
}

// Group groups the nodes by what paths lead to, as [query.Query.Rows] does: a
// path through several values leads to the list of them. No paths make one
// group. Of each group it says what columns ask: count (of the nodes that have
// a value), sum and avg (of numbers), min and max (of numbers if there are any,
// else of texts, else of dates), of values as read has them. Groups are ordered
// by their values.
//
// Exact is false where rows could say something else: where values are too big
// to be kept whole, where fractions are summed up, which depends on their order,
// and where the least is asked of what has no order here.
func (s *Set) Group(by []query.Path, columns []query.Column, read func(any) any) (groups []Group, exact bool) {
	if len(by) == 1 && len(columns) == 0 {
		if counts, nodes, plain := s.tally(by[0], true); plain {
			return byValue(counts, nodes), true
		}
	}
	joined := map[string]*grouped{}
	exact = true
	for i := range s.parts {
		exact = s.group(i, by, columns, read, joined) && exact
	}
	for _, key := range sortedKeys(joined) {
		g := joined[key]
		of := make([]any, len(columns))
		for i, c := range columns {
			of[i] = g.of[i].answer(c.Func)
			exact = exact && g.of[i].exact(c.Func)
		}
		groups = append(groups, Group{Values: g.values, Nodes: g.nodes, Of: of})
	}
	return groups, exact
}

// byValue makes groups of so many nodes, of which some have values that were
// counted.
func byValue(counts []Count, nodes int) (groups []Group) {
	joined := map[string]*Group{}
	add := func(v any, some int) {
		values := []any{v}
		key := keyText(values)
		if joined[key] == nil {
			joined[key] = &Group{Values: values}
		}
		joined[key].Nodes += some
		nodes -= some
	}
	for _, c := range counts {
		add(c.Value, c.Nodes)
	}
	if nodes > 0 {
		add(nil, nodes)
	}
	for _, key := range sortedKeys(joined) {
		groups = append(groups, *joined[key])
	}
	return groups
}

// grouped is a group in the making.
type grouped struct {
	values []any
	nodes  int
	of     []sums
}

func (s *Set) group(i int, by []query.Path, columns []query.Column, read func(any) any, joined map[string]*grouped) (whole bool) {
	shard := s.ix.shards[i]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	var keys, of []*picker
	for _, p := range by {
		keys = append(keys, shard.picker(p))
	}
	for _, c := range columns {
		of = append(of, shard.picker(c.Path))
	}
	here := map[string]*grouped{} // by the shard's own codes, which are quicker to compare
	var scratch []byte
	for slot := range s.each(i) {
		scratch = scratch[:0]
		for _, k := range keys {
			scratch = k.appendKey(scratch, slot)
		}
		g := here[string(scratch)]
		if g == nil {
			g = join(joined, keys, slot, len(columns))
			here[string(scratch)] = g
		}
		g.nodes++
		for j, p := range of {
			if columns[j].Func != "" && columns[j].Path.Field != "" {
				g.of[j].add(read(p.value(slot)))
			}
		}
	}
	return !slices.ContainsFunc(slices.Concat(keys, of), func(k *picker) bool { return k.lost })
}

// join returns the group of the values that a node has.
func join(joined map[string]*grouped, keys []*picker, slot uint32, columns int) *grouped {
	values := make([]any, len(keys))
	for i, k := range keys {
		values[i] = detached(k.value(slot))
	}
	key := keyText(values)
	g := joined[key]
	if g == nil {
		g = &grouped{values: values, of: make([]sums, columns)}
		joined[key] = g
	}
	return g
}

// keyText tells values apart, and orders them.
func keyText(values any) string {
	text, err := json.Marshal(values)
	if err != nil {
		return "" // a document holds nothing that JSON can not say
	}
	return string(text)
}

// detached is a value that shares no memory with the index.
func detached(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Clone(v)
	case json.Number:
		return json.Number(strings.Clone(string(v)))
	case []any:
		list := make([]any, len(v))
		for i, el := range v {
			list[i] = detached(el)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, el := range v {
			m[strings.Clone(key)] = detached(el)
		}
		return m
	}
	return v
}

// picker reads what a path leads to in nodes of a shard.
type picker struct {
	shard *shard
	path  query.Path
	plain *column // not nil: it leads to a cell of this, if anywhere
	look  look    // else: what to put together of a node
	rows  query.Query
	lost  bool // something that was read is not kept whole
}

func (s *shard) picker(p query.Path) *picker {
	k := &picker{shard: s, path: p}
	if k.plain = s.plain(p); k.plain == nil {
		k.look = whole(&query.Compare{Path: p}).look
		k.rows = query.Query{Filter: query.All{}, Select: []query.Column{{Path: p}}}
	}
	return k
}

// plain returns the column whose cells are all that a path leads to, nil if it
// is not as easy as that.
func (s *shard) plain(p query.Path) *column {
	switch p.Field {
	case "facts", "trusted", "live":
	default:
		return nil
	}
	if len(p.Steps) == 0 {
		return nil
	}
	b := s.forest.root(p.Field)
	if flat := b.under[p.Flat]; flat != nil && p.Flat != "" && p.Field == "facts" && len(p.Steps) > 1 {
		return nil
	}
	for _, step := range p.Steps {
		if step.Kind != "name" || b.column.lists() {
			return nil
		}
		if b = b.under[step.Key]; b == nil {
			return &column{}
		}
	}
	if b.column.types[objectType] > 0 {
		return nil
	}
	return &b.column
}

// value is what a node has, nil if nothing.
func (k *picker) value(slot uint32) any {
	if k.plain != nil {
		at := k.plain.get(slot)
		k.lost = k.lost || at.partly()
		return k.shard.forest.value(at)
	}
	doc, known := k.shard.document(slot, k.look)
	k.lost = k.lost || !known
	_, rows := k.rows.Rows(slices.Values([]*query.Document{doc}), doc.Seen)
	return rows[0][0]
}

// appendKey writes what tells the value of a node from others of the shard.
func (k *picker) appendKey(b []byte, slot uint32) []byte {
	if k.plain == nil {
		return append(append(b, keyText(k.value(slot))...), 0)
	}
	at := k.plain.get(slot)
	if at.code == null {
		at.code = absent // both are nil
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(b, uint32(at.code)), at.bits)
}

// sums is what aggregates are made from.
type sums struct {
	count, numbers int
	whole          int64
	sum            float64
	inexact        bool
	odd            bool   // something has no order here, or more than one form
	least, most    [3]any // numbers, texts, dates
}

func (s *sums) add(v any) {
	if v == nil {
		return
	}
	s.count++
	switch v := v.(type) {
	case int64:
		s.numbers, s.whole, s.sum = s.numbers+1, s.whole+v, s.sum+float64(v)
	case float64:
		s.numbers, s.sum, s.inexact = s.numbers+1, s.sum+v, true
	case json.Number:
		if f, err := v.Float64(); err == nil {
			s.numbers, s.sum, s.inexact = s.numbers+1, s.sum+f, true
		}
	}
	rank, ok := orderOf(v)
	if !ok {
		s.odd = true
		return
	}
	s.odd = !better(v, &s.least[rank], -1) || !better(v, &s.most[rank], 1) || s.odd
}

// better puts v in the place of best if it is less (-1) or more (1). It is false
// if the two are equal and yet not the same.
func better(v any, best *any, way int) bool {
	if *best == nil {
		*best = detached(v)
		return true
	}
	switch c := way * compareValues(v, *best); {
	case c > 0:
		*best = detached(v)
	case c == 0:
		return v == *best
	}
	return true
}

// exact reports whether what answer says does not depend on the order of things.
func (s *sums) exact(fn string) bool {
	switch fn {
	case "min", "max":
		return !s.odd
	case "sum", "avg":
		return !s.inexact && math.Abs(s.sum) < 1<<53
	}
	return true
}

func (s *sums) answer(fn string) any {
	first := func(of [3]any) any {
		for _, v := range of {
			if v != nil {
				return v
			}
		}
		return nil
	}
	switch fn {
	case "count":
		return int64(s.count)
	case "min":
		return first(s.least)
	case "max":
		return first(s.most)
	}
	switch {
	case s.numbers == 0:
		return nil
	case fn == "avg":
		return s.sum / float64(s.numbers)
	case !s.inexact && math.Abs(s.sum) < 1<<62:
		return s.whole
	}
	return s.sum
}
