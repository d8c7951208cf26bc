package shadow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/query"
)

// Node is what a PuppetDB says of a node.
type Node struct {
	Certname string
	Facts    map[string]any // JSON values, numbers as int64, float64 or json.Number
	Classes  []string       // titles: Mysql::Master
}

// truth is what PuppetDB makes of a comparison: SQL's three values.
type truth int

const (
	isFalse truth = iota
	isTrue
	isNull
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// negated is what "not" makes of it.
func (t truth) negated() truth {
	if t == isNull {
		return isNull
	}
	return 1 - t
}

// holds is what PuppetDB answers about a node.
func (c *condition) holds(n *Node) truth {
	switch c.op {
	case "not":
		return c.parts[0].holds(n).negated()
	case "and", "or":
		decides := truthOf(c.op == "or")
		all := decides.negated()
		for _, part := range c.parts {
			is := part.holds(n)
			if is == decides {
				return decides
			}
			if is == isNull {
				all = isNull
			}
		}
		return all
	}
	is, _ := c.compared(n)
	if c.apart && is == isNull {
		return isFalse
	}
	return is
}

// The rules by which PuppetDB's answer can differ from ours.
const (
	ruleTwo   = "a comparison with a fact that is not there is false, and its negation true (PuppetDB: neither)"
	ruleList  = "a list stands for its elements (PuppetDB: one JSON value)"
	ruleTypes = "only values of one type are ordered (PuppetDB: text before numbers before true and false)"
	ruleMap   = "patterns search texts, numbers and lists of them (PuppetDB: also the JSON text of objects)"
	ruleMain  = "the classes main and settings, which every node has, are left out (PuppetDB: they are there)"
	ruleCase  = "certnames are compared without case (PuppetDB: with it)"
)

// everyNodes are the titles of classes that every catalog has.
var everyNodes = []string{"Settings", "main", "Main"}

// compared is what PuppetDB makes of one comparison, and the rule by which ours
// may differ.
func (c *condition) compared(n *Node) (is truth, rule string) {
	switch c.about {
	case "certname":
		return c.name(n.Certname), ruleCase
	case "class":
		named := func(title string) bool { return c.name(title) == isTrue }
		if !slices.ContainsFunc(n.Classes, named) && slices.ContainsFunc(everyNodes, named) {
			return isTrue, ruleMain
		}
		return truthOf(slices.ContainsFunc(n.Classes, named)), ""
	}
	v, there := follow(n.Facts, c.path)
	if c.about == "row" || c.about == "leaf" { // of rows, which are there or not
		_, isMap := v.(map[string]any)
		_, isList := v.([]any)
		if !there || c.about == "leaf" && (isMap || isList) {
			return isFalse, ruleTwo
		}
		is, rule = c.valued(v)
		return truthOf(is == isTrue), rule
	}
	if !there {
		switch c.op {
		case "=":
			return isFalse, ""
		case "!=":
			return isTrue, ""
		case "notnull":
			return isFalse, ruleTwo
		}
		return isNull, ruleTwo
	}
	return c.valued(v)
}

func (c *condition) name(name string) truth {
	switch c.op {
	case "=":
		return truthOf(name == c.value)
	case "in":
		return truthOf(slices.Contains(c.value.([]any), any(name)))
	}
	return matched(c.value, name)
}

func matched(pattern any, text string) truth {
	re, err := regexp.Compile(pattern.(string))
	return truthOf(err == nil && re.MatchString(text))
}

// valued compares a value that is there.
func (c *condition) valued(v any) (truth, string) {
	rule := ""
	switch v.(type) {
	case []any:
		rule = ruleList
	case map[string]any:
		rule = ruleMap
	}
	switch c.op {
	case "null":
		return truthOf(v == nil), ""
	case "notnull":
		return truthOf(v != nil), ""
	case "=", "!=":
		return truthOf((order(v, c.value) == 0 && rank(v) == rank(c.value)) == (c.op == "=")), rule
	case "~":
		return matched(c.value, text(v)), rule
	case "!~":
		return matched(c.value, text(v)).negated(), rule
	}
	if rule == "" && rank(v) != rank(c.value) {
		rule = ruleTypes
	}
	o := order(v, c.value)
	return truthOf(c.op == "<" && o < 0 || c.op == "<=" && o <= 0 || c.op == ">" && o > 0 || c.op == ">=" && o >= 0), rule
}

// rank orders values of different types as PostgreSQL does.
func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case string:
		return 1
	case int64, float64, json.Number:
		return 2
	case bool:
		return 3
	case []any:
		return 4
	}
	return 5
}

func order(a, b any) int {
	if o := cmp.Compare(rank(a), rank(b)); o != 0 {
		return o
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		if a == b.(bool) {
			return 0
		}
		return map[bool]int{false: -1, true: 1}[a]
	case int64, float64, json.Number:
		return exact(a).Cmp(exact(b))
	}
	return 0
}

func exact(v any) *big.Rat {
	r, ok := new(big.Rat).SetString(text(v))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// text is a value as PostgreSQL shows it: a string itself, and JSON with blanks
// and the shorter keys first.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(appendText(nil, v))
}

func appendText(b []byte, v any) []byte {
	switch v := v.(type) {
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendText(b, e)
		}
		return append(b, ']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(append(b, literal(k)...), ": "...)
			b = appendText(b, v[k])
		}
		return append(b, '}')
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return append(b, bytes.TrimSpace([]byte(literal(v)))...)
}

// follow walks down a path.
func follow(v any, path []any) (any, bool) {
	for _, part := range path {
		switch at := v.(type) {
		case map[string]any:
			name, _ := part.(string)
			next, ok := at[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, ok := part.(int64)
			if !ok || i < 0 || int(i) >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// document is a node as our language sees it.
func (n *Node) document() *query.Document {
	return &query.Document{Identity: n.Certname, Facts: n.Facts, Classes: n.Classes}
}
