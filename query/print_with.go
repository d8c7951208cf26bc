package query

import (
	"errors"
	"strings"
)

// printWith writes pieces side by side; a query that is more than an and of
// classes and comparisons can not be said.
func printWith(q *Query) (string, error) {
	if q.Entity != "" || q.plainness() {
		return "", errors.New("with has no clauses such as limit")
	}
	if _, all := q.Filter.(All); all {
		return "", nil
	}
	parts, ok := q.Filter.(And)
	if !ok {
		parts = And{q.Filter}
	}
	var pieces []string
	for _, part := range parts {
		negation := ""
		if n, ok := part.(Not); ok {
			negation, part = "!", n.Expr
		}
		c, ok := part.(*Compare)
		if !ok {
			return "", errors.New("with can only say that all of some classes and comparisons hold")
		}
		piece, err := withPiece(c)
		if err != nil {
			return "", err
		}
		pieces = append(pieces, negation+piece)
	}
	return strings.Join(pieces, " "), nil
}

// plainness reports whether the query has clauses besides its filter.
func (q *Query) plainness() bool {
	return len(q.Select)+len(q.GroupBy)+len(q.OrderBy)+q.Offset+q.Sample > 0 || q.Limit != nil
}

func withPiece(c *Compare) (string, error) {
	p := &printer{dialect: dialectWith, strict: true}
	v := &c.Value
	if short := p.class(c); short != "" && !strings.ContainsAny(v.Text, blanks) {
		return short, nil
	}
	if c.Path.Field == "classes" && c.Op == "=~" && c.View == "text" && c.Quant == "any" && !c.Fold && v.Text != "" {
		whole := "/" + v.Text + "/" + v.Flags
		if n, _ := operandLength(whole); n == len(whole) {
			return whole, nil
		}
	}
	usual := "any"
	if negative(c.Op) && (c.Op != "!=" || c.Path.Field != "facts" && c.Path.Field != "trusted") {
		usual = "all"
	}
	view := viewOf(c.Path, true)
	if c.Path.Field == "classes" && v.Kind == "regex" {
		view = "text"
	}
	switch {
	case c.Op == "in" || c.Op == "not in" || c.Op == "between" || c.Op == "exists" || c.Op == "type" || c.Op == "size" || c.Op == "mod":
		return "", errors.New("with has no words for " + c.Op)
	case c.View == "version" && strings.ContainsAny(c.Op, "<>"):
		view = "version"
	case c.View == "version" || c.View == "native" && c.Path.Field != "seen" || c.View == "typed" || c.View == "mongo":
		return "", errors.New("with compares every fact as text")
	}
	if c.View != view || c.Quant != usual || c.Absent || c.Fold || c.Count {
		return "", errors.New("with has no words for how this compares")
	}
	op := c.Op
	if view == "version" {
		op += "~"
	}
	path := p.path(c.Path)
	value := ""
	switch v.Kind {
	case "text":
		value = quote(v.Text)
		if plainValue(v.Text) {
			value = v.Text
		}
	case "regex":
		value = withPattern(p, v)
	case "glob":
		value = p.value(c, v, c.Op)
	case "age", "time":
		if value = v.Text; c.Path.Field != "seen" {
			p.fail("with has no words for dates")
		}
	default:
		p.fail("with has no words for this value")
	}
	return path + op + value, p.err
}

func withPattern(p *printer, v *Value) string {
	whole := "/" + v.Text + "/" + v.Flags
	if v.Text != "" && strings.Trim(v.Flags, "ims") == "" && (&lowerer{text: whole}).pieceValue(0) == len(whole) {
		return whole
	}
	if v.Flags != "" {
		p.fail("with has no words for this pattern")
	}
	return quote("/" + v.Text + "/")
}
