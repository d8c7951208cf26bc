package query

import (
	"fmt"
	"slices"
	"strings"
)

// Vocabulary is what a fleet has names for. With it mistakes are found that
// grammar can not see, and texts are completed. The zero value knows nothing.
type Vocabulary struct {
	// Names lists the names of a kind with the number of nodes that have each.
	// Kinds are "fact" (dotted paths, those of maps too), "class", "agent",
	// "collective" and "identity". nil: nothing is known.
	Names func(kind string) map[string]int

	// Values lists the values of a fact, as text, with the number of nodes that
	// have each. nil: nothing is known.
	Values func(path string) map[string]int
}

func (v Vocabulary) names(kind string) map[string]int {
	if v.Names == nil {
		return nil
	}
	return v.Names(kind)
}

func (v Vocabulary) values(path string) map[string]int {
	if v.Values == nil {
		return nil
	}
	return v.Values(path)
}

// Check refuses a query that names a fact which no node has. What acts on
// nodes asks for it: a misspelt name under not would select all of them. The
// error is a *[SyntaxError].
func (v Vocabulary) Check(q *Query) error {
	known := v.names("fact")
	if known == nil {
		return nil
	}
	var fault error
	eachPath(q, func(p Path, start, end int) {
		name, ok := v.unknownFact(p, known)
		if ok || fault != nil {
			return
		}
		near := nearestKnown(name, known)
		e := &SyntaxError{Dialect: q.Dialect, Text: q.Text, Offset: start, End: end, Problem: "no node has the fact " + name}
		if start > len(q.Text) || end > len(q.Text) || start > end {
			e.Offset, e.End = 0, len(q.Text)
		}
		if near != "" {
			e.Want = fmt.Sprintf("%s (%s)", near, countNodes(known[near]))
			if fixed := strings.Replace(q.Text, name, near, 1); parses(fixed, q.Dialect) {
				e.Suggestion = fixed
			}
		}
		fault = e
	})
	return fault
}

func parses(text string, d Dialect) bool {
	_, err := (&reader{Options: Options{Dialect: d}, trying: true}).parse(text)
	return err == nil
}

// Warnings says what in a query deserves a second look: names that no node
// has, text compared with a number, clauses that are always true or false.
func (v Vocabulary) Warnings(q *Query) []string {
	warnings := slices.Clone(q.Warnings)
	warn := func(text string) {
		if text != "" && !slices.Contains(warnings, text) {
			warnings = append(warnings, text)
		}
	}
	for _, text := range constants(q.Filter) {
		warn(text)
	}
	known := v.names("fact")
	eachPath(q, func(p Path, _, _ int) {
		if name, ok := v.unknownFact(p, known); !ok {
			warn(unknownName("fact", name, known))
		}
	})
	eachCompare(q, func(c *Compare) {
		warn(v.unknownMember(c))
		warn(v.mismatch(c))
		warn(bothNames(c, known))
	})
	return warnings
}

// eachCompare visits the comparisons of a query and of its subqueries.
func eachCompare(q *Query, f func(*Compare)) {
	Map(q.Filter, func(e Expr) Expr {
		switch e := e.(type) {
		case *Compare:
			f(e)
		case *Subquery:
			eachCompare(e.Query, f)
		case All, And, Or, Not, *Has, *Changed:
			// No comparison of its own.
		}
		return e
	})
}

// eachPath visits every path of a query with the place of its clause.
func eachPath(q *Query, f func(p Path, start, end int)) {
	Map(q.Filter, func(e Expr) Expr {
		switch e := e.(type) {
		case *Compare:
			f(e.Path, e.Start, e.End)
		case *Has:
			f(e.Path, e.Start, e.End)
		case *Changed:
			f(e.Path, e.Start, e.End)
		case *Subquery:
			f(e.Path, e.Start, e.End)
			eachPath(e.Query, f)
		case All, And, Or, Not:
			// No path of its own.
		}
		return e
	})
	for _, columns := range [][]Column{q.Select, q.OrderBy} {
		for _, c := range columns {
			f(c.Path, 0, len(q.Text))
		}
	}
	for _, p := range q.GroupBy {
		f(p, 0, len(q.Text))
	}
}

// unknownFact is the name of the fact that a path needs; ok if some node has
// it, or if that can not be told.
func (v Vocabulary) unknownFact(p Path, known map[string]int) (name string, ok bool) {
	if p.Field != "facts" || len(p.Steps) == 0 || known == nil {
		return "", true
	}
	name, _ = p.factName()
	if _, ok := known[name]; ok || name == "" {
		return name, true
	}
	for other := range known {
		if strings.HasPrefix(other, name+".") {
			return name, true
		}
	}
	// Below a list the names are not listed; what is above must be known.
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if _, ok := known[name[:i]]; ok {
			return name, !hasBelow(known, name[:i])
		}
	}
	return name, false
}

func hasBelow(known map[string]int, name string) bool {
	for other := range known {
		if strings.HasPrefix(other, name+".") {
			return true
		}
	}
	return false
}

// unknownMember warns of a class, agent, collective or identity that no node has.
func (v Vocabulary) unknownMember(c *Compare) string {
	kind := singular(c.Path.Field)
	switch kind {
	case "class", "agent", "collective", "identity":
	default:
		return ""
	}
	values := c.Value.List
	if c.Op == "=" || c.Op == "!=" {
		values = []Value{c.Value}
	}
	known := v.names(kind)
	for i := range values {
		if text := values[i].Text; values[i].Kind == "text" && known != nil && (kind != "agent" || text != "mcollective") && !knownName(kind, text, known) {
			return unknownName(kind, text, known)
		}
	}
	return ""
}

func knownName(kind, text string, known map[string]int) bool {
	if _, ok := known[text]; ok || kind == "agent" || kind == "collective" {
		return ok
	}
	for name := range known {
		if classKey(name) == classKey(text) {
			return true
		}
	}
	return false
}

func unknownName(kind, name string, known map[string]int) string {
	text := fmt.Sprintf("no node has the %s %s", kind, clip(name))
	if kind == "identity" {
		text = "no node is called " + clip(name)
	}
	if near := nearestKnown(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %s (%s)?", near, countNodes(known[near]))
	}
	return text
}

func nearestKnown(name string, known map[string]int) string {
	return nearest(name, sortedKeys(known))
}

func countNodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// mismatch warns of text compared with numbers.
func (v Vocabulary) mismatch(c *Compare) string {
	if c.Path.Field != "facts" || c.View != "native" && c.View != "text" || c.Count || !strings.ContainsAny(c.Op[:1], "<>") || c.Value.Kind != "text" && c.Value.Kind != "number" {
		return ""
	}
	name, whole := c.Path.factName()
	values := v.values(name)
	if !whole || len(values) == 0 {
		return ""
	}
	numbers, nodes := 0, 0
	for text, count := range values {
		nodes += count
		if parseDecimal(text).ok {
			numbers += count
		}
	}
	switch {
	case c.View == "text" && c.Value.number.ok != (numbers > 0):
		return fmt.Sprintf("the fact %s and %s are not both numbers everywhere, and are compared as text there", name, quote(c.Value.Text))
	case c.View == "text":
		return ""
	case c.Value.number.ok && numbers == 0:
		return fmt.Sprintf("the fact %s is text on %s, and text is neither above nor below the number %s", name, countNodes(nodes), c.Value.Text)
	case !c.Value.number.ok && numbers > 0:
		return fmt.Sprintf("the fact %s is a number on %s, and a number is neither above nor below the text %s", name, countNodes(numbers), quote(c.Value.Text))
	}
	return ""
}

// bothNames warns where a flat name hides a path or the other way around.
func bothNames(c *Compare, known map[string]int) string {
	if c.Path.Flat == "" || known == nil {
		return ""
	}
	if _, flat := known[`"`+c.Path.Flat+`"`]; !flat {
		return ""
	}
	if _, path := known[c.Path.Flat]; !path {
		return ""
	}
	return fmt.Sprintf("%s is both one name and a path; the one name comes first, and %s is the path", c.Path.Flat, factPath(strings.Split(c.Path.Flat, ".")...))
}
