package query

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// printPQL writes q as PuppetDB's query language.
func printPQL(q *Query) (string, error) { return printPDB(q, dialectPQL, (*pdbQuery).pql) }

// printAST writes q as PuppetDB's queries in JSON.
func printAST(q *Query) (string, error) { return printPDB(q, dialectAST, (*pdbQuery).ast) }

func printPDB(q *Query, d Dialect, write func(*pdbQuery) string) (string, error) {
	asked, err := askPDB(q, d)
	if err == nil {
		text := write(asked)
		if err = readable(text, d); err == nil {
			return text, nil
		}
	}
	return "", fmt.Errorf("%s cannot say this: %w", d, err)
}

// errTooLarge says that a query is within the limits in one dialect only.
var errTooLarge = errors.New("it would be beyond a limit")

// readable refuses what a query has become too long or too deep for.
func readable(text string, d Dialect) error {
	_, err := Parse(text, Options{Dialect: d})
	if syn, ok := errors.AsType[*SyntaxError](err); ok {
		return fmt.Errorf("%w: %s", errTooLarge, syn.Problem)
	}
	return err
}

// asker makes a query to PuppetDB of a tree: lowerPDB backwards.
type asker struct {
	dialect Dialect
	entity  string
	err     error
}

func askPDB(q *Query, d Dialect) (*pdbQuery, error) {
	a := &asker{dialect: d, entity: q.Entity}
	out := &pdbQuery{entity: q.Entity, limit: q.Limit, offset: q.Offset}
	where := q.Where
	if q.Entity == "" {
		a.entity, out.entity, where = "inventory", "inventory", q.Filter
	}
	if q.Sample > 0 {
		return nil, errors.New("it cannot sample")
	}
	where, err := toPDB(where)
	if err != nil {
		return nil, err
	}
	if _, all := where.(All); !all {
		out.where = a.test(where)
	}
	out.columns, out.order = a.columns(q.Select), a.columns(q.OrderBy)
	for _, p := range q.GroupBy {
		out.group = append(out.group, pdbColumn{field: pdbField{text: a.field(p)}})
	}
	return out, a.err
}

func (a *asker) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

func (a *asker) columns(columns []Column) []pdbColumn {
	var out []pdbColumn
	for _, c := range columns {
		column := pdbColumn{fn: c.Func, desc: c.Desc}
		if c.Path.Field != "" {
			if err := pdbPath(c.Path); err != nil {
				a.fail("%w", err)
			}
			column.field.text = a.field(c.Path)
		}
		out = append(out, column)
	}
	return out
}

// field is the name of a path in the entity.
func (a *asker) field(p Path) string {
	rows := pdbEntities[a.entity] != ""
	switch p.Field {
	case "identity":
		return "certname"
	case "seen":
		if !rows {
			return "timestamp"
		}
	case "classes", "agents", "collectives", "state", "auth":
		if !rows {
			return p.Field
		}
	case "key":
		return "name"
	case "path", "type":
		return p.Field
	case "element":
		if a.entity == "resources" {
			return "title"
		}
		return "value"
	case "facts":
		if rows && len(p.Steps) == 1 && p.Steps[0].Key == "environment" {
			return "environment"
		}
		if !rows {
			return a.below(p)
		}
	case "trusted":
		if !rows {
			return a.below(p)
		}
	}
	a.fail("%s has no field for %s", a.entity, p)
	return ""
}

// below writes the parts of a path; that a dot ends a part, and does not
// belong to the name of a fact, is said by quotes.
func (a *asker) below(p Path) string {
	var b strings.Builder
	b.WriteString(p.Field)
	plain := true
	for _, s := range p.Steps {
		plain = plain && s.Kind == "name" && (s.Key != "" && plainPart(s.Key) == len(s.Key))
	}
	strict := p.Field == "facts" && p.Flat == "" && plain && len(p.Steps) > 1
	for i, s := range p.Steps {
		switch {
		case s.Kind == "index":
			fmt.Fprintf(&b, "[%d]", s.Pos)
		case strict && i == len(p.Steps)-1, s.Key == "" || plainPart(s.Key) != len(s.Key):
			b.WriteString(`."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.Key) + `"`)
		default:
			b.WriteString("." + s.Key)
		}
	}
	if text := b.String(); p.Field != "facts" || splitField(text, 0).flat == p.Flat {
		return text
	}
	a.fail("it cannot say which dots of %s are part of a name", p)
	return ""
}

func (a *asker) test(e Expr) *pdbTest {
	switch e := e.(type) {
	case And:
		return a.join("and", e)
	case Or:
		return a.join("or", e)
	case Not:
		if _, all := e.Expr.(All); all {
			return a.nothing()
		}
		return negated(a.test(e.Expr))
	case All:
		return negated(a.nothing())
	case *Has:
		return a.exists(e)
	case *Compare:
		return a.compare(e)
	case *Subquery:
		return a.among(e)
	case *Changed:
	}
	a.fail("it has no words for this")
	return &pdbTest{}
}

// nothing is a condition that no node meets.
func (a *asker) nothing() *pdbTest {
	return &pdbTest{op: "in", fields: []pdbField{{text: "certname"}}, value: listValue(nil)}
}

func negated(t *pdbTest) *pdbTest { return &pdbTest{op: "not", parts: []*pdbTest{t}} }

func (a *asker) join(op string, parts []Expr) *pdbTest {
	t := &pdbTest{op: op}
	for _, part := range parts {
		t.parts = append(t.parts, a.test(part))
	}
	if len(t.parts) == 0 {
		return negated(a.nothing())
	}
	return t
}

// among asks for a value that another query selects.
func (a *asker) among(s *Subquery) *pdbTest {
	q, err := askPDB(s.Query, a.dialect)
	if err != nil {
		a.fail("%w", err)
		return &pdbTest{}
	}
	if len(q.columns) == 0 {
		q.columns = []pdbColumn{{field: pdbField{text: "certname"}}}
	}
	return &pdbTest{op: "in", fields: []pdbField{{text: a.field(s.Path)}}, query: q}
}

// exists asks for a row.
func (a *asker) exists(h *Has) *pdbTest {
	inner := &asker{dialect: a.dialect}
	for entity, field := range pdbEntities {
		if field == h.Path.Field {
			inner.entity = entity
		}
	}
	q := &pdbQuery{entity: inner.entity}
	if _, all := h.Expr.(All); !all {
		q.where = inner.test(h.Expr)
	}
	if inner.entity == "resources" {
		class := &pdbTest{op: "=", fields: []pdbField{{text: "type"}}, value: textValue("Class")}
		switch {
		case q.where == nil:
			q.where = class
		case q.where.op == "and":
			q.where.parts = append([]*pdbTest{class}, q.where.parts...)
		default:
			q.where = &pdbTest{op: "and", parts: []*pdbTest{class, q.where}}
		}
	}
	if inner.err != nil {
		a.fail("%w", inner.err)
	}
	return &pdbTest{op: "exists", query: q}
}

func (a *asker) compare(c *Compare) *pdbTest {
	switch {
	case c.Path.Field == "classes" && c.View == "title":
		class := *c
		class.Path = Path{Field: "element"}
		return a.exists(&Has{Path: Path{Field: "classes"}, Expr: &class})
	case c.Op == "exists" && len(c.Path.Steps) == 1 && c.Path.Field == "facts":
		name := &Compare{Path: Path{Field: "key"}, Op: "=", Value: textValue(c.Path.Steps[0].Key)}
		return a.exists(&Has{Path: Path{Field: "facts"}, Expr: name})
	}
	if c.Path.Field == "facts" && c.Quant == "self" && c.Value.Kind != "null" && c.Value.Kind != "list" {
		return a.leaf(c)
	}
	t := &pdbTest{op: c.Op, fields: []pdbField{{text: a.field(c.Path)}}, value: c.Value}
	switch c.Op {
	case "exists":
		null, notnull := *t, *t
		null.op, notnull.op = "null", "notnull"
		return &pdbTest{op: "or", parts: []*pdbTest{&null, &notnull}}
	case "=~", "!~":
		t.op = map[string]string{"=~": "~", "!~": "!~"}[c.Op]
		t.value = a.pattern(&c.Value)
	case "not in":
		t.op = "in"
		t.value = a.members(c.Value)
		return negated(t)
	case "in":
		t.value = a.members(c.Value)
	case "=":
		if c.Value.Kind == "null" {
			t.op = "null"
		}
		if c.Path.Field == "path" && len(c.Value.List) > 0 {
			t.value, t.op = a.pathParts(c.Value)
		}
	case "!=":
		if c.Value.Kind == "null" {
			t.op = "notnull"
		}
	}
	if c.Value.Kind == "time" {
		t.value = textValue(c.Value.Time.Format(time.RFC3339Nano))
	}
	return t
}

// leaf asks for the leaf at a path, which is compared as it is.
func (a *asker) leaf(c *Compare) *pdbTest {
	parts := make([]Value, len(c.Path.Steps))
	for i, s := range c.Path.Steps {
		parts[i] = textValue(s.Key)
		if s.Kind == "index" {
			parts[i] = numberValue(strconv.Itoa(s.Pos))
		}
	}
	path := &Compare{Path: Path{Field: "path"}, Op: "=", Value: listValue(parts), Quant: "self"}
	value := *c
	value.Path, value.Quant = Path{Field: "element"}, "any"
	return a.exists(&Has{Path: Path{Field: "contents"}, Expr: And{path, &value}})
}

// pathParts is the path of a leaf, with patterns as they were written for ~>.
func (a *asker) pathParts(v Value) (Value, string) {
	op := "="
	parts := make([]Value, len(v.List))
	for i, part := range v.List {
		parts[i] = part
		if part.Kind == "regex" {
			op = "~>"
			parts[i] = textValue(strings.TrimSuffix(strings.TrimPrefix(part.Text, "^(?:"), ")$"))
		}
	}
	return listValue(parts), op
}

// pattern is a regular expression as text, with its flags inside.
func (a *asker) pattern(v *Value) Value {
	text, flags := v.Text, v.Flags
	if strings.Contains(flags, "x") {
		text, flags = unspaced(text), strings.ReplaceAll(flags, "x", "")
	}
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	return textValue(text)
}

func (a *asker) members(v Value) Value {
	for _, m := range v.List {
		if m.Kind == "regex" {
			a.fail("a list has no patterns")
		}
	}
	return v
}
