package query

import (
	"fmt"
	"slices"
	"strings"
)

// lowerPDB gives a query to PuppetDB its meaning: PuppetDB's, but two-valued,
// comparing only what is comparable, and with a list standing for its elements.
func (r *reader) lowerPDB(q *pdbQuery) (*Query, error) {
	l := &pdbLowerer{reader: r, entity: q.entity}
	if _, held := pdbEntities[q.entity]; !held {
		return nil, l.unknownEntity(q)
	}
	if err := l.onlyClasses(q); err != nil {
		return nil, err
	}
	where, err := l.where(q.where)
	if err != nil {
		return nil, err
	}
	out := &Query{Filter: where, Limit: q.limit, Offset: q.offset, Kind: q.entity, AnyState: l.anyState}
	if rows := pdbEntities[q.entity]; rows != "" {
		out.Entity, out.Where, out.Filter = q.entity, where, foldRows(q.entity, where)
	}
	if out.Select, err = l.columns(q.columns); err != nil {
		return nil, err
	}
	if out.OrderBy, err = l.columns(q.order); err != nil {
		return nil, err
	}
	group, err := l.columns(q.group)
	if err != nil {
		return nil, err
	}
	for _, c := range group {
		out.GroupBy = append(out.GroupBy, c.Path)
	}
	return out, l.grouped(q, out)
}

// pdbEntities are those we hold, with the field whose elements are their rows;
// empty where a row is a node.
var pdbEntities = map[string]string{"inventory": "", "nodes": "", "facts": "facts", "fact_contents": "contents", "resources": "classes"}

type pdbLowerer struct {
	*reader
	entity string
}

func (l *pdbLowerer) unknownEntity(q *pdbQuery) error {
	e := &SyntaxError{Offset: q.pos, End: q.end, Problem: "there is no entity " + quote(q.entity), Want: "inventory, nodes, facts, fact_contents or resources"}
	for _, known := range entities {
		if q.entity == known {
			e.Problem = "the entity " + q.entity + " is not held here"
		}
	}
	if near := nearest(q.entity, sortedKeys(pdbEntities)); near != "" {
		e.Want = near
	} else if _, lower := pdbEntities[strings.ToLower(q.entity)]; lower {
		e.Want = strings.ToLower(q.entity)
	}
	return e
}

// grouped refuses plain columns that are neither grouped by nor the same for
// the whole group.
func (l *pdbLowerer) grouped(q *pdbQuery, out *Query) error {
	aggregates := 0
	for _, c := range out.Select {
		if c.Func != "" {
			aggregates++
		}
	}
	if aggregates == 0 && len(out.GroupBy) == 0 {
		return nil
	}
	for i, c := range out.Select {
		grouped := c.Func != ""
		for _, g := range out.GroupBy {
			grouped = grouped || g.String() == c.Path.String()
		}
		if !grouped {
			f := q.columns[i].field
			return &SyntaxError{Offset: f.pos, End: f.end, Problem: f.text + " has many values in a group", Want: "group by " + f.text}
		}
	}
	return nil
}

func (l *pdbLowerer) columns(columns []pdbColumn) ([]Column, error) {
	var out []Column
	for _, c := range columns {
		column := Column{Func: c.fn, Desc: c.desc, Name: c.fn}
		if c.field.text != "" {
			col, err := l.column(c.field)
			if err != nil {
				return nil, err
			}
			column.Path = col.path
			if c.fn == "" {
				column.Name = c.field.text
			}
		}
		out = append(out, column)
	}
	return out, nil
}

// where is the condition, or everything.
func (l *pdbLowerer) where(t *pdbTest) (Expr, error) {
	if t == nil {
		return All{}, nil
	}
	return l.test(t)
}

func (l *pdbLowerer) test(t *pdbTest) (Expr, error) {
	switch t.op {
	case "and", "or", "not":
		parts := make([]Expr, len(t.parts))
		for i, part := range t.parts {
			e, err := l.test(part)
			if err != nil {
				return nil, err
			}
			parts[i] = e
		}
		return constant(t, parts), nil
	}
	if l.clauses++; l.clauses > maxClauses {
		return nil, t.mistake(fmt.Sprintf("there are more than %d conditions", maxClauses), "in with a list, or a parameter")
	}
	switch {
	case t.op == "exists":
		return l.rowExists(t.query)
	case t.op == "in" && t.query != nil:
		return l.inQuery(t)
	case len(t.fields) != 1:
		return nil, t.mistake("several fields at once are not supported here", "one field, or a subquery for each")
	}
	c, err := l.column(t.fields[0])
	if err != nil {
		return nil, err
	}
	return c.test(l, t)
}

// constant joins parts. What is true of everything, as the type of a resource
// is, never stands inside of a condition.
func constant(t *pdbTest, parts []Expr) Expr {
	isAll := func(e Expr) bool { _, all := e.(All); return all }
	switch {
	case t.op == "and":
		return and(parts...)
	case t.op == "or" && slices.ContainsFunc(parts, isAll):
		return All{}
	case t.op == "or":
		return or(parts...)
	case isAll(parts[0]):
		return noNode(t)
	}
	return not(parts[0])
}

// noNode is true of nothing.
func noNode(t *pdbTest) Expr {
	return &Compare{Path: Path{Field: "identity"}, Op: "in", Value: listValue(nil), Quant: "any", View: "host", Start: t.pos, End: t.end}
}

func (t *pdbTest) mistake(problem, want string) *SyntaxError {
	return &SyntaxError{Offset: t.pos, End: t.end, Problem: problem, Want: want}
}

// badValue is a mistake in what a field is compared with.
func (t *pdbTest) badValue(problem, want string) *SyntaxError {
	return &SyntaxError{Offset: t.valuePos, End: t.valueEnd, Problem: problem, Want: want}
}

// rowExists is true of nodes that have a row which query selects.
func (l *pdbLowerer) rowExists(q *pdbQuery) (Expr, error) {
	if !q.plain() {
		return nil, &SyntaxError{Offset: q.pos, End: q.end, Problem: "a subquery without a field has no order and no limit", Want: "certname in " + q.entity + "[certname] { … }"}
	}
	if name := q.where.agentOf(); name != "" && q.entity == "resources" {
		return &Compare{Path: Path{Field: "agents"}, Op: "=", Value: textValue(name), Quant: "any", View: "agent", Start: q.pos, End: q.end}, nil
	}
	sub, err := l.lowerPDB(&pdbQuery{entity: q.entity, pos: q.pos, end: q.end, where: q.where})
	if err != nil {
		return nil, err
	}
	return sub.Filter, nil
}

// inQuery is membership in the answer of a query. Where both sides are the
// node itself, it is a condition on the node.
func (l *pdbLowerer) inQuery(t *pdbTest) (Expr, error) {
	q := t.query
	if len(t.fields) != len(q.columns) {
		return nil, t.mistake(fmt.Sprintf("%d fields cannot be in a query of %d", len(t.fields), len(q.columns)), "as many fields as the subquery extracts")
	}
	if len(t.fields) != 1 {
		return nil, t.mistake("several fields at once are not supported here", "one field, or a subquery for each")
	}
	if t.fields[0].text == "certname" && q.columns[0].field.text == "certname" && q.columns[0].fn == "" && q.plain() {
		return l.rowExists(q)
	}
	c, err := l.column(t.fields[0])
	if err != nil {
		return nil, err
	}
	sub, err := l.lowerPDB(q)
	if err != nil {
		return nil, err
	}
	sub.Dialect = dialectPQL
	return &Subquery{Path: c.path, Query: sub, View: c.view(), Start: t.pos, End: t.end}, nil
}

// foldRows says which nodes have a row that satisfies where. Where the
// condition names one fact or one class, it is a plain comparison on it, which
// every engine and every dialect knows.
func foldRows(entity string, where Expr) Expr {
	parts, isAnd := where.(And)
	if !isAnd {
		parts = And{where}
	}
	switch entity {
	case "resources":
		if c, ok := where.(*Compare); ok && c.Path.Field == "element" && c.Quant == "any" {
			class := *c
			class.Path = Path{Field: "classes"}
			return &class
		}
	case "facts", "fact_contents":
		if e, ok := foldFact(entity, parts); ok {
			return e
		}
	}
	return &Has{Path: Path{Field: pdbEntities[entity]}, Quant: "any", Expr: where, View: "native"}
}

// foldFact looks for the one part that names the fact.
func foldFact(entity string, parts And) (Expr, bool) {
	var path Path
	var rest And
	var named *Compare
	for _, part := range parts {
		c, ok := part.(*Compare)
		if ok && named == nil && c.Op == "=" && (entity == "facts" && c.Path.Field == "key" || c.Path.Field == "path" && !c.hasPatterns()) {
			named, path = c, namedFact(c.Value)
			continue
		}
		rest = append(rest, part)
	}
	if named == nil || path.Field == "facts" && len(path.Steps) == 0 {
		return nil, false
	}
	present := false
	for i, part := range rest {
		e, ok := aboutFact(part, path, entity)
		if !ok {
			return nil, false
		}
		c, isCompare := e.(*Compare)
		present = present || isCompare && c.Path.Field == path.Field && !c.Absent
		rest[i] = e
	}
	switch {
	case present:
		return and(rest...), true
	case entity == "fact_contents":
		return nil, false // a row needs a value, which a fact with parts is not
	}
	exists := &Compare{Path: path, Op: "exists", Quant: "any", View: "typed", Start: named.Start, End: named.End}
	return and(append(And{exists}, rest...)...), true
}

// hasPatterns reports whether the path of a leaf is compared part by part with
// patterns, which name many facts.
func (c *Compare) hasPatterns() bool {
	return slices.ContainsFunc(c.Value.List, func(part Value) bool { return part.Kind == "regex" })
}

// namedFact is the path that a name or a list of names and positions says.
func namedFact(v Value) Path {
	if v.Kind == "text" {
		return trustedApart(factPath(v.Text))
	}
	p := Path{Field: "facts"}
	for _, part := range v.List {
		step := nameStep(part.Text)
		if part.Kind == "number" {
			step = Step{Kind: "index", Pos: max(0, position(part.Text))}
		}
		p.Steps = append(p.Steps, step)
	}
	return trustedApart(p)
}

// trustedApart is a path of PuppetDB's, which keeps what a certificate says as
// the fact trusted, where we keep it.
func trustedApart(p Path) Path {
	if p.Field != "facts" || p.first() != "trusted" {
		return p
	}
	return Path{Field: "trusted", Steps: p.Steps[1:]}
}

// aboutFact rewrites a condition on a row's value as one on the fact itself.
func aboutFact(e Expr, path Path, entity string) (Expr, bool) {
	switch e := e.(type) {
	case And:
		parts, ok := aboutFacts(e, path, entity)
		return And(parts), ok
	case Or:
		parts, ok := aboutFacts(e, path, entity)
		return Or(parts), ok
	case Not:
		inner, ok := aboutFact(e.Expr, path, entity)
		return not(inner), ok
	case *Compare:
		switch e.Path.Field {
		case "key", "path":
			return nil, false
		case "element":
			c := *e
			c.Path = path
			if entity == "fact_contents" {
				c.Quant = "self"
			}
			return &c, true
		}
		return e, true
	case All:
		return e, true
	case *Has, *Subquery, *Changed:
	}
	return nil, false
}

func aboutFacts(parts []Expr, path Path, entity string) ([]Expr, bool) {
	out := make([]Expr, len(parts))
	for i, part := range parts {
		e, ok := aboutFact(part, path, entity)
		if !ok {
			return nil, false
		}
		out[i] = e
	}
	return out, true
}
