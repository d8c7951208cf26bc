package query

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rows answers q over docs: the names of its columns, and their values row by
// row. Values are those of a [Document]; what is absent is nil. Rows stand in
// the order that q asks for, else by identity. Subqueries have been resolved.
func (q *Query) Rows(docs iter.Seq[*Document], now time.Time) (names []string, rows [][]any) {
	return q.arrange(q.groups(docs, now))
}

// arrange makes rows of groups.
func (q *Query) arrange(groups []group) (names []string, rows [][]any) {
	columns := q.shown()
	for _, c := range columns {
		names = append(names, c.title())
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		for _, c := range q.OrderBy {
			if order := q.Order(c, q.of(c, a), q.of(c, b)); order != 0 {
				return order
			}
		}
		return strings.Compare(a.key, b.key)
	})
	groups = groups[min(q.Offset, len(groups)):]
	if q.Limit != nil {
		groups = groups[:min(*q.Limit, len(groups))]
	}
	for _, g := range groups {
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = q.of(c, g)
		}
		rows = append(rows, values)
	}
	return names, rows
}

// shown is the columns of the answer: those selected, else what identifies a row.
func (q *Query) shown() []Column {
	if len(q.Select) > 0 {
		return q.Select
	}
	if len(q.GroupBy) > 0 {
		columns := make([]Column, len(q.GroupBy))
		for i, p := range q.GroupBy {
			columns[i] = Column{Path: p}
		}
		return columns
	}
	node := Column{Path: Path{Field: "identity"}, Name: "certname"}
	switch value := (Column{Path: Path{Field: "element"}, Name: "value"}); q.Entity {
	case "facts":
		return []Column{node, {Path: Path{Field: "key"}, Name: "name"}, value}
	case "fact_contents":
		return []Column{node, {Path: Path{Field: "path"}, Name: "path"}, value}
	case "resources":
		return []Column{node, {Path: Path{Field: "type"}, Name: "type"}, {Path: Path{Field: "element"}, Name: "title"}}
	}
	node.Name = "identity"
	return []Column{node}
}

// Order compares two values of a column that q is ordered by. What is absent
// comes last, either way. Text that is a number counts as one, unless the
// dialect keeps the two apart.
func (q *Query) Order(c Column, a, b any) int {
	if a == nil || b == nil || !c.Desc {
		return compareValues(q.read(a), q.read(b))
	}
	return compareValues(q.read(b), q.read(a))
}

// title is the name of a column.
func (c Column) title() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Func != "":
		return c.Func
	}
	return c.Path.String()
}

// group is the rows that share the values grouped by; without grouping each
// row is a group of its own.
type group struct {
	key  string // orders groups that nothing else orders
	rows []scope

	counted func(Column) any // instead of rows: what a column shows
}

// typed reports whether text is never a number in q's dialect.
func (q *Query) typed() bool {
	return slices.Contains([]Dialect{dialectPQL, dialectAST, dialectMongo}, q.Dialect)
}

// read is v as columns are ordered and summed.
func (q *Query) read(v any) any {
	text, ok := v.(string)
	if !ok || q.typed() || !parseDecimal(text).ok {
		return v
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return v
}

func (q *Query) groups(docs iter.Seq[*Document], now time.Time) []group {
	aggregated := q.aggregated()
	var groups []group
	at := map[string]int{}
	if aggregated && len(q.GroupBy) == 0 {
		groups, at["[]"] = append(groups, group{}), 0
	}
	for row := range q.matching(docs, now) {
		if !aggregated {
			groups = append(groups, group{key: strings.ToLower(row.doc.Identity), rows: []scope{row}})
			continue
		}
		key := groupKey(q.GroupBy, row)
		i, ok := at[key]
		if !ok {
			i, at[key] = len(groups), len(groups)
			groups = append(groups, group{key: key})
		}
		groups[i].rows = append(groups[i].rows, row)
	}
	return groups
}

// aggregated reports whether rows are of groups, as opposed to single nodes.
func (q *Query) aggregated() bool {
	return len(q.GroupBy) > 0 || slices.ContainsFunc(q.Select, func(c Column) bool { return c.Func != "" })
}

// matching yields the rows that q selects.
func (q *Query) matching(docs iter.Seq[*Document], now time.Time) iter.Seq[scope] {
	return func(yield func(scope) bool) {
		for doc := range docs {
			s := scope{doc: doc, now: now}
			if !matches(q.Filter, &s) {
				continue
			}
			if q.Where == nil {
				if !yield(s) {
					return
				}
				continue
			}
			for _, r := range rowsOf(pdbEntities[q.Entity], doc) {
				s := scope{doc: doc, now: now, element: r.value, key: r.key, path: r.path}
				if matches(q.Where, &s) && !yield(s) {
					return
				}
			}
		}
	}
}

func groupKey(by []Path, row scope) string {
	values := make([]any, len(by))
	for i, p := range by {
		values[i] = row.value(p)
	}
	key, err := json.Marshal(values)
	if err != nil {
		return "" // a document holds nothing that JSON cannot say
	}
	return string(key)
}

// of is what a column shows of a group.
func (q *Query) of(c Column, g group) any {
	if g.counted != nil {
		return g.counted(c)
	}
	if c.Func == "" {
		if len(g.rows) == 0 {
			return nil
		}
		return g.rows[0].value(c.Path)
	}
	if c.Func == "count" && c.Path.Field == "" {
		return int64(len(g.rows))
	}
	var values []any
	for i := range g.rows {
		if v := g.rows[i].value(c.Path); v != nil {
			values = append(values, q.read(v))
		}
	}
	return aggregate(c.Func, values)
}

// aggregate works on what of values can be aggregated: numbers for sums and
// averages, and for the least and greatest the values of one type, numbers if
// there are any.
func aggregate(fn string, values []any) any {
	switch fn {
	case "count":
		return int64(len(values))
	case "min", "max":
		var best any
		for _, v := range values {
			order, rank := compareValues(v, best), mongoRank(v)-mongoRank(best)
			if best == nil || rank < 0 || rank == 0 && (fn == "min" && order < 0 || fn == "max" && order > 0) {
				best = v
			}
		}
		return best
	}
	whole, sum, n := int64(0), 0.0, 0
	exact := true
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			whole, sum, n = whole+v, sum+float64(v), n+1
		case float64:
			exact, sum, n = false, sum+v, n+1
		case json.Number:
			f, err := v.Float64()
			if err == nil {
				exact, sum, n = false, sum+f, n+1
			}
		}
	}
	switch {
	case n == 0:
		return nil
	case fn == "avg":
		return sum / float64(n)
	case exact && sum < 1<<62 && sum > -1<<62:
		return whole
	}
	return sum
}

// compareValues orders values of documents: by type, then within the type;
// what is absent comes last.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return boolRank(a == nil) - boolRank(b == nil)
	}
	if want, err := valueOf(b); err == nil {
		return mongoOrder(a, &want)
	}
	return cmp.Compare(mongoRank(a), mongoRank(b))
}

// value is what a path leads to, nil where it leads nowhere. A path through
// several values gives the list of them.
func (s *scope) value(p Path) any {
	switch p.Field {
	case "facts":
		if v, ok := s.doc.Facts[p.Flat]; ok && p.Flat != "" {
			return v
		}
		return pick(s.doc.Facts, p.Steps)
	case "trusted":
		return pick(s.doc.Trusted, p.Steps)
	case "live":
		return pick(s.doc.Extra, p.Steps)
	case "element":
		return pick(s.element, p.Steps)
	case "key":
		return s.key
	case "path":
		return s.path
	case "type":
		return "Class"
	case "classes":
		return anyNames(s.doc.Classes)
	case "agents":
		return anyNames(s.doc.Agents)
	case "collectives":
		return anyNames(s.doc.Collectives)
	case "fact":
		return anyNames(sortedKeys(s.doc.Facts))
	case "seen":
		if !s.doc.Seen.IsZero() {
			return s.doc.Seen
		}
	default:
		if text := oneWord(p.Field, s.doc); text != "" {
			return text
		}
	}
	return nil
}

func pick(v any, steps []Step) any {
	if len(steps) == 0 {
		return v
	}
	step, rest := steps[0], steps[1:]
	several := func(values iter.Seq[any]) any {
		var all []any
		for v := range values {
			if v = pick(v, rest); v != nil {
				all = append(all, v)
			}
		}
		if all == nil {
			return nil
		}
		return all
	}
	switch v := v.(type) {
	case map[string]any:
		switch step.Kind {
		case "any":
			return several(func(yield func(any) bool) {
				for _, key := range sortedKeys(v) {
					if !yield(v[key]) {
						return
					}
				}
			})
		case "keys":
			return anyNames(sortedKeys(v))
		}
		if el, ok := v[step.Key]; ok && step.Kind == "name" {
			return pick(el, rest)
		}
	case []any:
		switch {
		case step.Kind == "any":
			return several(slices.Values(v))
		case step.Pos >= 0 && step.Pos < len(v):
			return pick(v[step.Pos], rest)
		case step.Kind == "name" && step.Pos < 0:
			rest = steps
			return several(slices.Values(v))
		}
	}
	return nil
}
