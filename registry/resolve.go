package registry

import (
	"cmp"

	"muster/query"
)

// Lookup answers what a query asks beyond the node at hand.
type Lookup struct {
	// Rows are those of a subquery, whose own subqueries have been resolved.
	Rows func(q *query.Query) ([][]any, error)

	// Changed names the nodes on which what c says happened. q is the query
	// that asks, for errors with a position.
	Changed func(q *query.Query, c *query.Changed) ([]string, error)
}

// Resolve returns q with the answers of l in the place of its subqueries and of
// what it asks about the past. The error is the first of l's.
func Resolve(q *query.Query, l Lookup) (*query.Query, error) {
	var first error
	answer := func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Subquery:
			values, err := l.values(e.Query)
			first = cmp.Or(first, err)
			return e.Resolve(values)
		case *query.Changed:
			names, err := l.Changed(q, e)
			first = cmp.Or(first, err)
			return e.Resolve(names)
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
			// Nothing to look up.
		}
		return e
	}
	resolved := *q
	resolved.Filter = query.Map(q.Filter, answer)
	if q.Where != nil {
		resolved.Where = query.Map(q.Where, answer)
	}
	return &resolved, first
}

// values are those of the first column of a subquery's rows, lists by their
// elements.
func (l Lookup) values(q *query.Query) ([]any, error) {
	q, err := Resolve(q, l)
	if err != nil {
		return nil, err
	}
	rows, err := l.Rows(q)
	if err != nil {
		return nil, err
	}
	var values []any
	for _, row := range rows {
		switch v := row[0].(type) {
		case nil:
		case []any:
			values = append(values, v...)
		default:
			values = append(values, v)
		}
	}
	return values, nil
}
