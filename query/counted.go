package query

import (
	"encoding/json"
	"slices"
)

// Aggregates returns the columns that have to be known of each group of nodes to
// answer q, those with a Func and a Path. It is false where q can not be answered
// from groups alone.
func (q *Query) Aggregates() (columns []Column, ok bool) {
	if q.Where != nil || q.Entity != "" || !q.aggregated() {
		return nil, false
	}
	for _, c := range slices.Concat(q.shown(), q.OrderBy) {
		switch {
		case c.Func == "" && !slices.ContainsFunc(q.GroupBy, func(p Path) bool { return samePath(p, c.Path) }):
			return nil, false
		case c.Func != "" && c.Path.Field != "":
			columns = append(columns, c)
		}
	}
	return columns, true
}

// Read is a value as columns of q are summed up and ordered: text that is a
// number counts as one, unless the dialect keeps the two apart.
func (q *Query) Read(v any) any { return q.read(v) }

// Arrange is Rows for an engine that has no documents but has counted groups: of
// each the values that it is grouped by, in the order of GroupBy, how many nodes
// it has, and what is known for each column that Aggregates returned.
func (q *Query) Arrange(by [][]any, nodes []int, of [][]any) (names []string, rows [][]any) {
	columns, _ := q.Aggregates()
	if len(q.GroupBy) == 0 && len(by) == 0 {
		none := make([]any, len(columns))
		for i, c := range columns {
			none[i] = aggregate(c.Func, nil)
		}
		by, nodes, of = [][]any{nil}, []int{0}, [][]any{none}
	}
	groups := make([]group, len(by))
	for i := range by {
		key, _ := json.Marshal(by[i]) // a document holds nothing that JSON cannot say
		groups[i] = group{key: string(key), counted: func(c Column) any {
			switch {
			case c.Func == "":
				return by[i][slices.IndexFunc(q.GroupBy, func(p Path) bool { return samePath(p, c.Path) })]
			case c.Path.Field == "":
				return int64(nodes[i])
			}
			return of[i][slices.IndexFunc(columns, func(k Column) bool { return k.Func == c.Func && samePath(k.Path, c.Path) })]
		}}
	}
	return q.arrange(groups)
}

func samePath(a, b Path) bool {
	return a.Field == b.Field && a.Flat == b.Flat && slices.Equal(a.Steps, b.Steps)
}
