package query

import (
	"fmt"
	"regexp/syntax"
)

// constants finds clauses that are true of every node or of none.
func constants(e Expr) []string {
	var found []string
	note := func(format, twin string) {
		if twin != "" {
			found = append(found, fmt.Sprintf(format, twin))
		}
	}
	Map(e, func(e Expr) Expr {
		switch e := e.(type) {
		case And:
			note("%s and its opposite can not both hold: this is always false", contradiction(e))
		case Or:
			note("%s or its opposite always holds: this is always true", contradiction(e))
		case *Compare:
			found = append(found, e.constant()...)
		case All, Not, *Has, *Subquery, *Changed:
			// Nothing that can be seen from here.
		}
		return e
	})
	return found
}

// contradiction is a part of which the opposite is a part too.
func contradiction(parts []Expr) string {
	plain := map[string]bool{}
	for _, part := range parts {
		if _, negated := part.(Not); !negated {
			plain[Tree(part)] = true
		}
	}
	for _, part := range parts {
		if n, ok := part.(Not); ok && plain[Tree(n.Expr)] {
			return clause(n.Expr, true)
		}
	}
	return ""
}

func (c *Compare) constant() []string {
	values := []Value{c.Value}
	if c.Value.Kind == "list" && (c.Op == "in" || c.Op == "not in") {
		values = c.Value.List
		switch {
		case len(values) > 0:
		case c.Op == "in":
			return []string{fmt.Sprintf("the list after %s in is empty: this is always false", c.Path)}
		default:
			return []string{fmt.Sprintf("the list after %s not in is empty: this rejects no value", c.Path)}
		}
	}
	for i := range values {
		if values[i].Kind != "regex" {
			continue
		}
		parsed, err := syntax.Parse(values[i].Regexp.String(), syntax.Perl)
		if err == nil && neverMatches(parsed.Simplify()) {
			return []string{fmt.Sprintf("/%s/ matches no text", values[i].Text)}
		}
	}
	return nil
}

// neverMatches reports whether a pattern can match nothing: it has no text to
// match, or wants the beginning of the text after some of it, or some of it
// after the end.
func neverMatches(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch:
		return true
	case syntax.OpCharClass:
		return len(re.Rune) == 0
	case syntax.OpCapture, syntax.OpPlus:
		return neverMatches(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !neverMatches(sub) {
				return false
			}
		}
		return true
	case syntax.OpConcat:
		consumed, ended := false, false
		for _, sub := range re.Sub {
			takes := leastLength(sub) > 0
			if neverMatches(sub) || consumed && sub.Op == syntax.OpBeginText || ended && takes {
				return true
			}
			consumed = consumed || takes
			ended = ended || sub.Op == syntax.OpEndText
		}
	default:
	}
	return false
}

// leastLength is how many characters a match takes at least, 0 if unsure.
func leastLength(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return leastLength(re.Sub[0])
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n += leastLength(sub)
		}
		return n
	case syntax.OpAlternate:
		n := leastLength(re.Sub[0])
		for _, sub := range re.Sub {
			n = min(n, leastLength(sub))
		}
		return n
	default:
		return 0
	}
}
