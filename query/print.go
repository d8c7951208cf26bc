package query

import (
	"fmt"
	"strings"
)

func printNative(q *Query) (string, error) { return (&printer{dialect: dialectNative}).query(q) }

func printSelect(q *Query) (string, error) {
	return (&printer{dialect: dialectSelect, strict: true}).query(q)
}

// printer writes native or select. The first thing that can not be said is
// kept in err.
type printer struct {
	dialect   Dialect
	strict    bool
	inElement bool
	inBraces  bool // of any … { } or a subquery, where "}" ends a value
	b         strings.Builder
	err       error
}

func (p *printer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *printer) query(q *Query) (string, error) {
	if q.Entity != "" {
		p.fail("%s asks for nodes; rows of %s are for pql", p.dialect, q.Entity)
	}
	p.whole(q)
	if p.err != nil {
		return "", p.err
	}
	return p.b.String(), nil
}

func (p *printer) whole(q *Query) {
	p.expr(q.Filter, 0)
	p.columns(" | select ", q.Select)
	for i, path := range q.GroupBy {
		p.b.WriteString(map[bool]string{true: " | group by ", false: ", "}[i == 0])
		p.b.WriteString(p.columnPath(path))
	}
	p.columns(" | order by ", q.OrderBy)
	if q.Limit != nil {
		fmt.Fprintf(&p.b, " | limit %d", *q.Limit)
	}
	if q.Offset > 0 {
		fmt.Fprintf(&p.b, " | offset %d", q.Offset)
	}
	if q.Sample > 0 {
		fmt.Fprintf(&p.b, " | sample %d", q.Sample)
		if q.Per != nil {
			p.b.WriteString(" per " + p.columnPath(*q.Per))
		}
	}
}

func (p *printer) columns(intro string, columns []Column) {
	for i, c := range columns {
		if i > 0 {
			intro = ", "
		}
		p.b.WriteString(intro)
		if c.Desc {
			p.b.WriteByte('-')
		}
		switch {
		case c.Func == "":
			p.b.WriteString(p.columnPath(c.Path))
		case c.Path.Field == "":
			p.b.WriteString(c.Func + "()")
		default:
			p.b.WriteString(c.Func + "(" + p.columnPath(c.Path) + ")")
		}
	}
}

// columnPath writes a path where clauses have words of their own.
func (p *printer) columnPath(path Path) string {
	text := p.path(path)
	switch text {
	case "select", "group", "by", "order", "limit", "offset", "sample", "per", "asc", "desc", "count", "sum", "avg", "min", "max":
		return "facts." + text
	}
	return text
}

func (p *printer) path(path Path) string {
	switch {
	case path.Field == "element" != p.inElement && path.Field != "key":
		p.fail("a comparison inside of any … { } can only be about the element")
	case path.Field == "key" && !p.inElement, path.Field == "path", path.Field == "contents":
		p.fail("%s has no words for the rows of %s", p.dialect, path.Field)
	case p.strict && (path.Field == "state" || path.Field == "auth"):
		p.fail("in select %s is the name of a fact", path.Field)
	}
	for _, s := range path.Steps {
		if s.Kind == "deep" || s.Kind == "keys" {
			p.fail("%s has no words for every depth", p.dialect)
		}
	}
	return path.String()
}

// The levels of precedence: what may stand without brackets.
const (
	levelOr = iota
	levelAnd
	levelNot
)

func (p *printer) expr(e Expr, level int) {
	switch e := e.(type) {
	case All:
		p.every("exists")
	case And:
		p.list(e, "and", levelAnd, level)
	case Or:
		p.list(e, "or", levelOr, level)
	case Not:
		p.not(e)
	case *Compare:
		p.compare(e, level)
	case *Has:
		p.has(e)
	case *Subquery:
		p.b.WriteString(p.operand(e.Path, e.View, false, false) + " in { ")
		inner := &printer{dialect: p.dialect, strict: p.strict, inBraces: true}
		if inner.whole(e.Query); inner.err != nil {
			p.fail("%w", inner.err)
		}
		p.b.WriteString(inner.b.String() + " }")
	case *Changed:
		p.b.WriteString("changed " + p.path(e.Path) + " within " + formatAge(e.Within))
	}
}

// every says of all nodes, or of none, what only the identity can be asked.
func (p *printer) every(word string) {
	if p.inElement {
		p.fail("%s has no words for every element", p.dialect)
	}
	p.b.WriteString(word + " identity")
}

func (p *printer) list(parts []Expr, word string, own, level int) {
	if len(parts) == 0 {
		p.every(map[string]string{"and": "exists", "or": "missing"}[word])
		return
	}
	if level > own {
		p.b.WriteByte('(')
	}
	for i, part := range parts {
		if i > 0 {
			p.b.WriteString(" " + word + " ")
		}
		p.expr(part, own+1)
	}
	if level > own {
		p.b.WriteByte(')')
	}
}

func (p *printer) not(e Not) {
	if _, all := e.Expr.(All); all {
		p.every("missing")
		return
	}
	if c, ok := e.Expr.(*Compare); ok && c.Op == "exists" && c.Quant == "any" && !c.Absent {
		p.b.WriteString("missing " + p.operand(c.Path, c.View, false, false))
		return
	}
	p.b.WriteString("not ")
	p.expr(e.Expr, levelNot)
}

func (p *printer) has(h *Has) {
	if h.View != "native" {
		p.fail("%s has no words for how the server opens the elements of a list", p.dialect)
	}
	path := p.path(h.Path)
	if h.Path.Field == "classes" || h.Path.Field == "contents" || h.Path.Field == "facts" && len(h.Path.Steps) == 0 {
		p.fail("%s has no words for the rows of a node", p.dialect)
	}
	p.b.WriteString(h.Quant + " " + path + " { ")
	element, braces := p.inElement, p.inBraces
	p.inElement, p.inBraces = true, true
	p.expr(h.Expr, levelOr)
	p.inElement, p.inBraces = element, braces
	p.b.WriteString(" }")
}

// operand writes a path with the functions that say how it is read.
func (p *printer) operand(path Path, view string, fold, count bool) string {
	return p.wrapped(path, view, viewOf(path, p.strict), fold, count)
}

// wrapped is operand where the usual view is another than the path's own.
func (p *printer) wrapped(path Path, view, usual string, fold, count bool) string {
	text := p.path(path)
	wrap := ""
	switch {
	case view == usual || count:
	case view == viewOf(path, false):
		wrap = "native"
	case view == "version":
		wrap = "ver"
	default:
		wrap = view
	}
	inner := wrap
	switch {
	case fold:
		wrap = "fold"
	case count:
		wrap = "count"
	default:
		inner = ""
	}
	if inner != "" || fold && count {
		p.fail("%s has no words for more than one of fold(), count() and %s()", p.dialect, inner)
	}
	if wrap == "" {
		return text
	}
	if path.Field == "live" {
		p.fail("%s has no words for reading a live answer as %s", p.dialect, wrap)
	}
	return wrap + "(" + text + ")"
}
