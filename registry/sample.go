package registry

import (
	"cmp"
	"hash/fnv"
	"slices"

	"muster/query"
)

// Sample keeps as many documents as q wants of each kind (`sample N per PATH`),
// chosen by a hash of the identity so that the choice stays the same, in the
// order in which they were given. All of them where q wants no sample.
func Sample(docs []*query.Document, q *query.Query) []*query.Document {
	return sampled(docs, q, func(d *query.Document) (string, *query.Document) { return Identity(d.Identity).Key(), d })
}

// sample is Sample for nodes.
func sample(nodes []*Node, q *query.Query) []*Node {
	return sampled(nodes, q, func(n *Node) (string, *query.Document) { return n.Identity.Key(), n.Document() })
}

func sampled[T any](all []T, q *query.Query, read func(T) (key string, doc *query.Document)) []T {
	if q.Sample <= 0 {
		return all
	}
	type candidate struct {
		key string
		lot uint64
		doc *query.Document
	}
	drawn := make([]candidate, len(all))
	for i, one := range all {
		key, doc := read(one)
		h := fnv.New64a()
		_, _ = h.Write([]byte(key)) // a hash does not fail
		drawn[i] = candidate{key, h.Sum64(), doc}
	}
	slices.SortFunc(drawn, func(a, b candidate) int { return cmp.Compare(a.lot, b.lot) })
	chosen, taken := map[string]bool{}, map[string]int{}
	for _, c := range drawn {
		kind := ""
		if q.Per != nil {
			kind = string(appendValue(nil, q.Per.Values(c.doc)))
		}
		if taken[kind]++; taken[kind] <= q.Sample {
			chosen[c.key] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool {
		key, _ := read(one)
		return !chosen[key]
	})
}
