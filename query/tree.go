package query

import (
	"fmt"
	"slices"
	"strings"
)

// Tree writes e as an s-expression, for golden files and comparisons: two
// expressions with the same tree mean the same. Policy that is not native's
// usual one (any element, false if absent) stands at the end of a comparison.
//
//	(and (= facts.os "Linux") (not (= classes "db" class)))
func Tree(e Expr) string {
	var b strings.Builder
	writeTree(&b, e)
	return b.String()
}

func writeTree(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case All:
		b.WriteString("(all)")
	case And:
		writeParts(b, "and", e)
	case Or:
		writeParts(b, "or", e)
	case Not:
		writeParts(b, "not", []Expr{e.Expr})
	case *Compare:
		e.writeTree(b)
	case *Has:
		fmt.Fprintf(b, "(has %s %s ", e.Quant, e.Path.tree())
		writeTree(b, e.Expr)
		if e.View != "native" {
			b.WriteString(" " + e.View)
		}
		b.WriteByte(')')
	case *Subquery:
		fmt.Fprintf(b, "(among %s %s", e.Path.tree(), queryTree(e.Query))
		if e.View != "native" {
			b.WriteString(" " + e.View)
		}
		b.WriteByte(')')
	case *Changed:
		fmt.Fprintf(b, "(changed %s %s)", e.Path.tree(), formatAge(e.Within))
	}
}

func writeParts(b *strings.Builder, name string, parts []Expr) {
	b.WriteString("(" + name)
	for _, part := range parts {
		b.WriteByte(' ')
		writeTree(b, part)
	}
	b.WriteByte(')')
}

func (c *Compare) writeTree(b *strings.Builder) {
	path := c.Path.tree()
	if c.Count {
		path = "(count " + path + ")"
	}
	fmt.Fprintf(b, "(%s %s", strings.ReplaceAll(c.Op, " ", "-"), path)
	if c.Value.Kind != "" {
		b.WriteString(" " + c.Value.tree())
	}
	if c.Quant != "any" {
		b.WriteString(" " + c.Quant)
	}
	if c.Absent {
		b.WriteString(" absent")
	}
	if c.Fold {
		b.WriteString(" fold")
	}
	if c.View != "native" {
		b.WriteString(" " + c.View)
	}
	b.WriteByte(')')
}

// tree is the path with its field: dots where a flat name is tried first,
// slashes where it is not and there are several parts.
func (p Path) tree() string {
	sep := "/"
	if p.Flat != "" || len(p.Steps) == 1 {
		sep = "."
	}
	var b strings.Builder
	b.WriteString(p.Field)
	for _, s := range p.Steps {
		b.WriteString(sep)
		switch s.Kind {
		case "index":
			fmt.Fprintf(&b, "[%d]", s.Pos)
		case "any":
			b.WriteByte('*')
		case "deep":
			b.WriteString("**")
		case "keys":
			b.WriteString("keys()")
		default:
			if plainName(s.Key) {
				b.WriteString(s.Key)
			} else {
				b.WriteString(quote(s.Key))
			}
		}
	}
	return b.String()
}

func (v *Value) tree() string {
	switch v.Kind {
	case "number", "bool", "network", "time", "age":
		return v.Text
	case "null":
		return "null"
	case "regex":
		return "/" + v.Text + "/" + v.Flags
	case "glob":
		return "glob:" + quote(v.Text)
	case "list":
		var parts []string
		for i := range v.List {
			parts = append(parts, v.List[i].tree())
		}
		return "[" + strings.Join(parts, " ") + "]"
	case "object":
		var parts []string
		for key, x := range v.Object {
			parts = append(parts, quote(key)+":"+x.tree())
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, " ") + "}"
	}
	return quote(v.Text)
}

// queryTree is the tree of a whole query: its filter, then its clauses.
func queryTree(q *Query) string {
	var b strings.Builder
	writeTree(&b, q.Filter)
	if q.Entity != "" {
		b.WriteString(" entity:" + q.Entity + " where:")
		writeTree(&b, q.Where)
	}
	for _, c := range q.Select {
		b.WriteString(" select:" + c.tree())
	}
	for _, p := range q.GroupBy {
		b.WriteString(" group:" + p.tree())
	}
	for _, c := range q.OrderBy {
		b.WriteString(" order:" + c.tree())
	}
	if q.Limit != nil {
		fmt.Fprintf(&b, " limit:%d", *q.Limit)
	}
	if q.Offset != 0 {
		fmt.Fprintf(&b, " offset:%d", q.Offset)
	}
	if q.Sample != 0 {
		fmt.Fprintf(&b, " sample:%d", q.Sample)
		if q.Per != nil {
			b.WriteString(" per:" + q.Per.tree())
		}
	}
	return b.String()
}

func (c Column) tree() string {
	text := c.Path.tree()
	if c.Func != "" {
		text = c.Func + "(" + text + ")"
	}
	if c.Desc {
		text = "-" + text
	}
	return text
}
