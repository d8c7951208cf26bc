package query

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// savedFilter is the filter of the saved query name, which is used at start to
// end. Limits are shared with the query that uses it, and a saved query that
// uses itself is refused.
func (r *reader) savedFilter(name string, start, end int) (Expr, error) {
	refuse := func(problem, want string) (Expr, error) {
		return nil, &SyntaxError{Offset: start, End: end, Problem: problem, Want: want}
	}
	text, ok := r.Saved[name]
	if !ok {
		if len(r.Saved) == 0 {
			return refuse(fmt.Sprintf("there is no saved query %q", name), "")
		}
		known := slices.Sorted(maps.Keys(r.Saved))
		return refuse(fmt.Sprintf("there is no saved query %q", name), "one of "+strings.Join(known[:min(len(known), 10)], ", "))
	}
	if slices.Contains(r.saved, name) {
		return refuse(fmt.Sprintf("the saved query %q uses itself: %s", name, strings.Join(append(r.saved, name), " uses ")), "")
	}
	if r.depth+len(r.saved) >= maxDepth {
		return refuse(fmt.Sprintf("saved queries are nested deeper than %d", maxDepth), "")
	}
	dialect, depth := r.Dialect, r.depth
	r.Dialect, r.depth, r.saved = dialectAuto, r.depth+1, append(r.saved, name)
	q, err := r.parse(text)
	r.Dialect, r.depth, r.saved = dialect, depth, r.saved[:len(r.saved)-1]
	if err != nil {
		if syn, ok := errors.AsType[*SyntaxError](err); ok {
			return refuse(fmt.Sprintf("in the saved query %q: column %d: %s", name, syn.Column(), syn.Problem), syn.Want)
		}
		return nil, err
	}
	if q.Entity != "" || len(q.Select)+len(q.GroupBy)+len(q.OrderBy)+q.Offset+q.Sample > 0 || q.Limit != nil {
		return refuse(fmt.Sprintf("the saved query %q does more than filter", name), "a saved query without clauses such as limit")
	}
	return q.Filter, nil
}
