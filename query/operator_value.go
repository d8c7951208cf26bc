package query

import (
	"fmt"
	"net/netip"
	"strings"
)

// value lowers the right side of a comparison by op. forced says that text
// stays text even if it looks like a pattern.
func (l *lowerer) value(n *valueNode, c *Compare, op string, forced bool) (Value, error) {
	start := n.Pos.Offset
	switch {
	case n.Regex != "":
		return l.pattern(n.Regex, start)
	case n.Param != "":
		return l.parameter(n.Param, start, c, op)
	case n.Open != "", n.Square != "":
		return l.list(n, c, op)
	case n.String != "":
		text, err := unquote(n.String, start)
		if err != nil {
			return Value{}, err
		}
		if strings.HasPrefix(text, "/") && l.strict && !forced && op != "in" {
			return l.quotedPattern(text, start)
		}
		return l.typed(text, start, len(n.String), c, op, true)
	}
	return l.typed(n.Text, start, len(n.Text), c, op, forced)
}

// quotedPattern reads text in quotes that begins with a slash. The ancestor's
// nodes took it for a pattern, quotes or not, and an unclosed slash for a part.
func (l *lowerer) quotedPattern(text string, start int) (Value, error) {
	inner, closed := strings.CutSuffix(text[1:], "/")
	switch {
	case !closed:
		return l.regex(text, "", start+1)
	case inner == "":
		return Value{}, l.emptyPattern(start, start+len(`"//"`))
	}
	return l.regex(inner, "", start+2)
}

func (l *lowerer) emptyPattern(start, end int) error {
	return l.fail(start, end, "the regular expression is empty", "a pattern; exists tells whether a fact is there")
}

// typed reads text by what it is compared with.
func (l *lowerer) typed(text string, start, length int, c *Compare, op string, literal bool) (Value, error) {
	switch {
	case op == "=~" || op == "!~":
		if text == "" {
			return Value{}, l.emptyPattern(start, start+length)
		}
		if inner, ok := strings.CutPrefix(text, "/"); ok && len(inner) > 1 && strings.HasSuffix(inner, "/") {
			return l.regex(strings.TrimSuffix(inner, "/"), "", start+1)
		}
		return l.regex(text, "", start+(length-len(text))/2)
	case c.Path.Field == "seen" || op == "before":
		return l.moment(text, start, length)
	case op == "in":
		net, ok := network(text)
		if !ok {
			want := "a list such as (a, b), a network such as 10.0.0.0/8, or a query in braces"
			return Value{}, l.fail(start, start+length, fmt.Sprintf("%q is neither a list nor a network", clip(text)), want)
		}
		return networkValue(net), nil
	case c.View == "class":
		if !literal && strings.ContainsAny(text, "*?") {
			return globValue(classKey(text)), nil
		}
		return textValue(classKey(text)), nil
	}
	return l.scalar(text, c, op, literal), nil
}

// scalar reads a plain value: in native without quotes also a glob, a number
// or a truth value.
func (l *lowerer) scalar(text string, c *Compare, op string, literal bool) Value {
	equality := op == "=" || op == "!=" || op == "member"
	switch {
	case literal:
		return textValue(text)
	case equality && (c.View == "native" || c.View == "host") && strings.ContainsAny(text, "*?"):
		return globValue(text)
	case c.View == "text" || c.View == "host" || c.View == "agent" || c.View == "version" || c.View == "title":
		return textValue(text)
	case parseDecimal(text).ok:
		return numberValue(text)
	case text == "true" || text == "false":
		return boolValue(text == "true")
	case text == "null" || text == "nil":
		l.warnings = append(l.warnings, fmt.Sprintf("%s is read as text; write: %s is null", text, c.Path))
	}
	return textValue(text)
}

func (l *lowerer) moment(text string, start, length int) (Value, error) {
	if age, ok := parseAge(text); ok {
		return ageValue(age), nil
	}
	if t, ok := parseTime(text); ok {
		return timeValue(t), nil
	}
	problem := fmt.Sprintf("%q is neither an age nor a date", clip(text))
	want := "an age such as 90s, 2h or 7d, or a date such as 2026-11-01"
	if parseDecimal(text).ok {
		problem, want = fmt.Sprintf("%s has no unit", text), fmt.Sprintf("an age such as %sh, or epoch(%s)", text, text)
	}
	return Value{}, l.fail(start, start+length, problem, want)
}

// list lowers a list; a member may be a pattern, and after in also a network.
func (l *lowerer) list(n *valueNode, c *Compare, op string) (Value, error) {
	start := n.Pos.Offset
	var nodes []*valueNode
	for _, list := range []*listNode{n.List, n.Items} {
		if list != nil {
			nodes = list.Members
		}
	}
	switch {
	case op != "in" && op != "=" && op != "!=":
		return Value{}, l.fail(start, start+1, "a list can not stand here", wantedValue)
	case len(nodes) == 0 && op == "in":
		return Value{}, l.fail(start, start+1, "the list is empty", "at least one value")
	case len(nodes) > maxList:
		return Value{}, l.fail(nodes[maxList].Pos.Offset, len(l.text), fmt.Sprintf("the list has more than %d members", maxList), "a parameter")
	}
	members := make([]Value, 0, len(nodes))
	for _, node := range nodes {
		member, err := l.member(node, c, op)
		if err != nil {
			return Value{}, err
		}
		members = append(members, member)
	}
	return listValue(members), nil
}

func (l *lowerer) member(n *valueNode, c *Compare, op string) (Value, error) {
	if n.Text != "" && op == "in" && c.View != "class" {
		if net, err := netip.ParsePrefix(n.Text); err == nil {
			return networkValue(net), nil
		}
	}
	if n.String != "" {
		text, err := unquote(n.String, n.Pos.Offset)
		if c.View == "class" {
			text = classKey(text)
		}
		return textValue(text), err
	}
	if op == "in" {
		op = "member"
	}
	return l.value(n, c, op, false)
}

// pattern reads /pattern/flags.
func (l *lowerer) pattern(text string, start int) (Value, error) {
	end := strings.LastIndexByte(text, '/')
	if end == 1 {
		return Value{}, l.emptyPattern(start, start+len(text))
	}
	return l.regex(text[1:end], text[end+1:], start+1)
}

// parameter is the value bound to $name or to the next ?.
func (l *lowerer) parameter(text string, start int, c *Compare, op string) (Value, error) {
	end := start + len(text)
	var bound any
	if name, ok := strings.CutPrefix(text, "$"); ok {
		if bound, ok = l.Named[name]; !ok {
			return Value{}, l.fail(start, end, fmt.Sprintf("no value is given for %s", text), "a value for it, or quotes around it if it is text")
		}
	} else {
		if l.positional >= len(l.Positional) {
			return Value{}, l.fail(start, end, "there are more ? than values for them", "a value for each ?, or quotes around it if it is text")
		}
		bound = l.Positional[l.positional]
		l.positional++
	}
	v, err := valueOf(bound)
	if err != nil {
		return Value{}, l.fail(start, end, err.Error(), "")
	}
	switch {
	case op == "in" && v.Kind != "list":
		v = listValue([]Value{v})
	case op == "=~" || op == "!~":
		return l.regex(v.Text, "", start)
	case v.Kind == "text" && (c.Path.Field == "seen" || op == "before"):
		return l.moment(v.Text, start, len(text))
	}
	switch c.View {
	case "class":
		v = classValue(v)
	case "text", "host", "agent", "version", "title":
		v = plainText(v)
	}
	return v, nil
}

// plainText is a bound number or truth value as text, where all is text.
func plainText(v Value) Value {
	switch v.Kind {
	case "number", "bool":
		return textValue(v.Text)
	case "list":
		members := make([]Value, len(v.List))
		for i, m := range v.List {
			members[i] = plainText(m)
		}
		return listValue(members)
	}
	return v
}

// classValue is a bound value as the normalised names of classes.
func classValue(v Value) Value {
	if v.Kind == "list" {
		members := make([]Value, len(v.List))
		for i, m := range v.List {
			members[i] = classValue(m)
		}
		return listValue(members)
	}
	return textValue(classKey(v.Text))
}
