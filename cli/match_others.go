package cli

import (
	"slices"
	"time"

	"muster/query"
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
	return others
}

// resolve puts the answers over docs in the place of q's subqueries. Documents
// have no past, so that what asks for changes is refused.
func resolve(q *query.Query, docs []*query.Document, now time.Time) (*query.Query, error) {
	var first error
	answer := func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Subquery:
			inner, err := resolve(e.Query, docs, now)
			if err != nil {
				first = err
				return e
			}
			return e.Resolve(firstColumn(inner, docs, now))
		case *query.Changed:
			first = &query.SyntaxError{Dialect: q.Dialect, Text: q.Text, Offset: e.Start, End: e.End,
				Problem: "documents have no history", Want: "the same question to a registry that keeps one"}
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
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

// firstColumn is the values of the first column of q's rows over docs, lists
// by their elements.
func firstColumn(q *query.Query, docs []*query.Document, now time.Time) []any {
	matching := slices.DeleteFunc(slices.Clone(docs), func(doc *query.Document) bool { return !query.Matches(q.Filter, doc, now) })
	_, rows := q.Rows(slices.Values(matching), now)
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
	return values
}
