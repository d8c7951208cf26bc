package cli

import (
	"slices"
	"time"

	"muster/query"
	"muster/registry"
)

// asksOthers reports whether q asks of a document what only the others, or
// their past, can tell; then they are all held until each was read.
func asksOthers(q *query.Query) bool {
	others := false
	look := func(e query.Expr) query.Expr {
		switch e.(type) {
		case *query.Subquery, *query.Changed:
			others = true
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
		}
		return e
	}
	query.Map(q.Filter, look)
	if q.Where != nil {
		query.Map(q.Where, look)
	}
	return others
}

// resolve puts the answers over docs in the place of q's subqueries. Documents
// have no past, so that what asks for changes is refused.
func resolve(q *query.Query, docs []*query.Document, now time.Time) (*query.Query, error) {
	return registry.Resolve(q, registry.Lookup{
		Rows: func(q *query.Query) ([][]any, error) {
			matching := slices.DeleteFunc(slices.Clone(docs), func(doc *query.Document) bool { return !query.Matches(q.Filter, doc, now) })
			_, rows := q.Rows(slices.Values(registry.Sample(matching, q)), now)
			return rows, nil
		},
		Changed: func(q *query.Query, c *query.Changed) ([]string, error) {
			return nil, &query.SyntaxError{
				Dialect: q.Dialect, Text: q.Text, Offset: c.Start, End: c.End,
				Problem: "documents have no history", Want: "the same question to a registry that keeps one",
			}
		},
	})
}
