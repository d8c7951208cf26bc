package query

import "strings"

// sign is one way to write a comparison.
type sign struct {
	text  string
	op    string // what it is in the tree
	view  string // how it has both sides read, if not in the usual way
	words string // how an explanation says it; only where text is op

	literal bool   // text on its right is never a pattern
	instead string // how it is better written
}

// signs are all of them. They are tried in this order, so that none hides a
// longer one. To add an operator, add its line here and, if it means something
// new, its case in holds below.
var signs = [...]sign{
	{text: ">=~", op: ">=", view: "version"},
	{text: "<=~", op: "<=", view: "version"},
	{text: ">~", op: ">", view: "version"},
	{text: "<~", op: "<", view: "version"},
	{text: "=~", op: "=~", words: "matches"},
	{text: "!~", op: "!~", words: "does not match"},
	{text: "!==", op: "!=", literal: true},
	{text: "==", op: "=", literal: true},
	{text: "!=", op: "!=", words: "is not"},
	{text: ">=", op: ">=", words: "is at least"},
	{text: "<=", op: "<=", words: "is at most"},
	{text: "=>", op: ">="},
	{text: "=<", op: "<="},
	{text: "=", op: "=", words: "is"},
	{text: "<", op: "<", words: "is below"},
	{text: ">", op: ">", words: "is above"},
	{text: "~", op: "=~", instead: "=~"},
}

// holds compares one value with the right side. A negated operator is the
// plain one negated: whether anything was there to compare is for the
// quantifier to say.
func (c *Compare) holds(v any, s *scope) bool {
	switch c.Op {
	case "exists":
		return true
	case "=", "=~":
		return c.is(v, &c.Value)
	case "!=", "!~":
		return !c.is(v, &c.Value)
	case "in":
		return c.among(v)
	case "not in":
		return !c.among(v)
	case "<", "<=", ">", ">=":
		order, ok := c.order(v, &c.Value, s)
		return ok && ordered(c.Op, order)
	case "between":
		low, ok := c.order(v, &c.Value.List[0], s)
		high, ok2 := c.order(v, &c.Value.List[1], s)
		return ok && ok2 && low >= 0 && high <= 0
	}
	return false
}

// ordered reports whether an order of two values is what op asks for.
func ordered(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// negative reports whether op is spelled as a negation.
func negative(op string) bool { return op == "!=" || op == "!~" || op == "not in" }

// operatorAt is the sign that s begins with, empty if there is none.
func operatorAt(s string) string {
	for i := range signs {
		if strings.HasPrefix(s, signs[i].text) {
			return signs[i].text
		}
	}
	return ""
}

func signOf(text string) sign {
	for _, s := range signs {
		if s.text == text {
			return s
		}
	}
	return sign{text: text, op: text}
}
