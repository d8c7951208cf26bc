package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// compare lowers an operand and the test that follows it.
func (l *lowerer) compare(of *operandNode, n *opNode, quant string, start int) (Expr, error) {
	o, err := l.operand(of)
	if err != nil {
		return nil, err
	}
	c := Compare{Path: o.path, Quant: quant, View: viewOf(o.path, l.strict), Fold: o.fold, Count: o.count, Start: start, End: l.after(start)}
	switch {
	case o.count:
		c.View = "native"
	case o.view != "":
		c.View = o.view
	}
	switch {
	case n.Is != nil:
		return l.isNull(c, o, n)
	case n.Between != nil:
		return l.between(c, o, n)
	case n.Date != nil:
		return l.date(c, o, n)
	case n.Has != nil:
		return l.has(c, o, n)
	case n.In != nil:
		return l.in(c, o, n)
	}
	return l.operator(c, o, n)
}

// viewOf is how values of a path are read.
func viewOf(p Path, strict bool) string {
	switch p.Field {
	case "classes":
		return "class"
	case "identity":
		return "host"
	case "agents":
		return "agent"
	case "collectives", "state", "auth", "fact":
		return "text"
	case "seen":
		return "native"
	}
	if strict {
		return "text"
	}
	return "native"
}

// operator lowers a comparison by a symbol.
func (l *lowerer) operator(c Compare, o operand, n *opNode) (Expr, error) {
	if n.Value == nil {
		next := l.tokens[l.index(n.Pos.Offset)+1]
		n.Value = &valueNode{Pos: next.Pos, Text: n.Text}
	}
	sign := signOf(n.Op)
	op := sign.op
	if sign.view != "" {
		c.View = sign.view
	}
	if sign.instead != "" {
		l.warnings = append(l.warnings, fmt.Sprintf("%s is read as %s, which is how this dialect writes it", n.Op, sign.instead))
	}
	v, err := l.value(n.Value, &c, op, sign.literal)
	if err != nil {
		return nil, err
	}
	if o.yes != nil {
		return l.truth(o, op, v, c.Start, c.End)
	}
	if v.Kind == "regex" {
		if o.view == "" {
			c.View = l.patternView(c.View)
		}
		switch op {
		case "=":
			op = "=~"
		case "!=":
			op = "!~"
		}
	}
	c.Op, c.Value = op, v
	return l.checked(c, n.Value)
}

// checked completes a comparison with its quantifier and refuses what can not
// be meant.
func (l *lowerer) checked(c Compare, n *valueNode) (Expr, error) {
	ordering := strings.ContainsAny(c.Op[:1], "<>") || c.Op == "between"
	at, end := n.Pos.Offset, l.end(n.Pos.Offset)
	kind := c.Value.Kind
	if c.Op == "between" {
		kind = c.Value.List[0].Kind
	}
	switch {
	case c.Value.Kind == "regex" && ordering:
		return nil, l.fail(at, end, "a regular expression has no order", "= or =~ before it")
	case ordering && (c.View == "class" || c.View == "host" || c.View == "agent"):
		return nil, l.fail(c.Start, c.End, fmt.Sprintf("%s is a name, and names have no order here", c.Path), "=, != or in")
	case ordering && kind == "bool" && c.View == "native":
		return nil, l.fail(at, end, "true and false have no order", "= or !=")
	case c.Path.Field == "seen" && (!ordering || kind != "age" && kind != "time"):
		return nil, l.fail(at, end, "seen is compared with an age or a date", "> 2h, < 7d, before 2026-11-01 or after 2026-11-01")
	case c.Count && !numeric(&c.Value):
		return nil, l.fail(at, end, "count() is compared with a number", "a number")
	case c.View == "version" && !allVersions(&c.Value):
		return nil, l.fail(at, end, fmt.Sprintf("%q is not a version", clip(c.Value.Text)), "a version such as 2.6.32-5")
	case c.Fold && c.Value.Kind == "number":
		c.Fold = false
	}
	// Those who made these rules take a negated operator for "not (=)".
	c.Absent = negative(c.Op) && c.Quant == "" && (c.View == "typed" || c.View == "mongo")
	switch {
	case c.Value.Kind == "list" && (c.Op == "=" || c.Op == "!=") && c.Quant == "":
		c.Quant = "self"
	case c.Quant == "" && negative(c.Op):
		c.Quant = "all"
	case c.Quant == "":
		c.Quant = "any"
	}
	return &c, nil
}

func numeric(v *Value) bool {
	for i := range v.List {
		if !numeric(&v.List[i]) {
			return false
		}
	}
	return v.Kind == "list" || v.number.ok
}

func allVersions(v *Value) bool {
	for i := range v.List {
		if !allVersions(&v.List[i]) {
			return false
		}
	}
	return v.Kind == "list" || (v.Kind == "text" || v.Kind == "number") && looksLikeVersion(v.Text)
}

func (l *lowerer) isNull(c Compare, o operand, n *opNode) (Expr, error) {
	if o.yes != nil || c.Count || c.Fold {
		return nil, l.fail(c.Start, c.End, "a function is never null", "a path before is null")
	}
	c.Op, c.Value = "=", nullValue()
	if c.View == "text" {
		c.View = "native"
	}
	if len(n.Is) > 1 {
		c.Op = "!="
	}
	if c.Quant == "" {
		c.Quant = "self"
	}
	return &c, nil
}

// viewFunctions force how both sides of a comparison are read; native is the
// usual way of the native dialect.
var viewFunctions = map[string]string{
	"ver": "version", "text": "text", "typed": "typed", "mongo": "mongo", "title": "title", "native": "native",
}

func (l *lowerer) between(c Compare, o operand, n *opNode) (Expr, error) {
	low, err := l.value(n.Between.Low, &c, "<", false)
	if err != nil {
		return nil, err
	}
	high, err := l.value(n.Between.High, &c, "<", false)
	if err != nil {
		return nil, err
	}
	c.End = max(c.End, l.end(n.Between.High.Pos.Offset))
	if o.yes != nil || low.Kind == "list" || high.Kind == "list" || low.Kind == "regex" || high.Kind == "regex" {
		return nil, l.fail(c.Start, c.End, "between needs a fact and two values", "as in fact between 2 and 30")
	}
	c.Op, c.Value = "between", Value{Kind: "list", List: []Value{low, high}}
	if low.number.ok && high.number.ok && low.number.compare(&high.number) > 0 {
		l.warnings = append(l.warnings, fmt.Sprintf("nothing is between %s and %s: the comparison is always false", low.Text, high.Text))
	}
	return l.checked(c, n.Between.Low)
}

// date lowers before and after: an instant against a date, or an age the other
// way around.
func (l *lowerer) date(c Compare, o operand, n *opNode) (Expr, error) {
	v, err := l.value(n.Date.Value, &c, "before", false)
	if err != nil {
		return nil, err
	}
	if o.yes != nil || c.Count || c.View != "native" && c.View != "text" {
		return nil, l.fail(c.Start, c.End, n.Date.Word+" goes with seen or with a fact that is a date", "as in seen before 2026-11-01")
	}
	c.View, c.Value = "native", v
	c.Op = map[string]string{"before": "<", "after": ">"}[n.Date.Word]
	if v.Kind == "age" {
		c.Op = map[string]string{"before": ">", "after": "<"}[n.Date.Word]
	}
	return l.checked(c, n.Date.Value)
}

func (l *lowerer) has(c Compare, o operand, n *opNode) (Expr, error) {
	if o.yes != nil || c.Count {
		return nil, l.fail(c.Start, c.End, "has goes with a path", "as in roles has web")
	}
	op := "="
	if n.Has.What == "any" || n.Has.Value.Open != "" {
		op = "in"
	}
	v, err := l.value(n.Has.Value, &c, op, false)
	if err != nil {
		return nil, err
	}
	if v.Kind == "list" && n.Has.What != "all" && n.Has.What != "any" {
		return nil, l.fail(c.Start, c.End, "has takes one value", "has all (a, b) or has any (a, b) for several")
	}
	one := func(v Value) (Expr, error) {
		c.Value, c.Op = v, "="
		if v.Kind == "regex" {
			c.Op = "=~"
			if o.view == "" {
				c.View = l.patternView(c.View)
			}
		}
		return l.checked(c, n.Has.Value)
	}
	switch {
	case n.Has.What == "key":
		c.Path.Steps, c.Path.Flat = append(slices.Clone(c.Path.Steps), Step{Kind: "keys", Pos: -1}), ""
	case n.Has.What == "any" && v.Kind == "list":
		c.Value, c.Op = v, "in"
		return l.checked(c, n.Has.Value)
	case n.Has.What == "all" && v.Kind == "list":
		var parts []Expr
		for _, member := range v.List {
			part, err := one(member)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		return and(parts...), nil
	}
	return one(v)
}

// in lowers membership: in a list, a network or the answer of another query.
func (l *lowerer) in(c Compare, o operand, n *opNode) (Expr, error) {
	if o.yes != nil {
		return nil, l.fail(c.Start, c.End, "this function answers true or false", "= true or = false")
	}
	c.Op = "in"
	if n.In.Not {
		c.Op = "not in"
	}
	if n.In.Query != nil {
		return l.subquery(c, n.In)
	}
	v, err := l.value(n.In.Value, &c, "in", false)
	if err != nil {
		return nil, err
	}
	c.Value = v
	return l.checked(c, n.In.Value)
}

func (l *lowerer) subquery(c Compare, n *inNode) (Expr, error) {
	outer := l.inElement
	l.inElement = false
	q, err := l.query(n.Query)
	l.inElement = outer
	if err != nil {
		return nil, err
	}
	switch {
	case c.Quant != "" && c.Quant != "any", c.Count, c.Fold:
		return nil, l.fail(c.Start, c.End, "a query can only be asked for a plain value", "as in identity in { … }")
	case len(q.Select) > 1:
		return nil, l.fail(c.Start, c.End, "the query in braces selects more than one column", "one column after select")
	case len(q.Select) == 0 && c.Path.Field != "identity":
		return nil, l.fail(c.Start, c.End, "the query in braces yields identities", fmt.Sprintf("| select %s at its end", c.Path))
	}
	q.Dialect, q.Text = dialectNative, l.text
	if l.strict {
		q.Dialect = dialectSelect
	}
	sub := &Subquery{Path: c.Path, Query: q, View: c.View, Start: c.Start, End: c.End}
	if c.Op == "not in" {
		return and(existsExpr(c.Path, c.Start, c.End), not(sub)), nil
	}
	return sub, nil
}

// network reads the right side of in that is one network or address.
func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}
