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
	return sampled(docs, q, func(d *query.Document) string { return Identity(d.Identity).Key() },
		func(d *query.Document) *query.Document { return d })
}

// sample is Sample for nodes.
func (r *Registry) sample(d Discovery, nodes []*Head, q *query.Query) []*Head {
	if q.Sample <= 0 {
		return nodes
	}
	var kinds []query.Path
	if q.Per != nil {
		kinds = []query.Path{*q.Per}
	}
	return sampled(nodes, q, func(n *Head) string { return n.Identity.Key() }, r.view(d, kinds))
}

func sampled[T any](all []T, q *query.Query, key func(T) string, document func(T) *query.Document) []T {
	if q.Sample <= 0 {
		return all
	}
	type candidate struct {
		one T
		key string
		lot uint64
	}
	drawn := make([]candidate, len(all))
	for i, one := range all {
		h := fnv.New64a()
		_, _ = h.Write([]byte(key(one))) // a hash does not fail
		drawn[i] = candidate{one, key(one), h.Sum64()}
	}
	slices.SortFunc(drawn, func(a, b candidate) int { return cmp.Compare(a.lot, b.lot) })
	chosen, taken := map[string]bool{}, map[string]int{}
	for _, c := range drawn {
		kind := ""
		if q.Per != nil {
			kind = string(appendValue(nil, q.Per.Values(document(c.one))))
		}
		if taken[kind]++; taken[kind] <= q.Sample {
			chosen[c.key] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return !chosen[key(one)] })
}
