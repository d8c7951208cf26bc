package query

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// A query is said in another dialect only where it then selects the same nodes,
// whatever their facts. Translation makes a tree in the other dialect's own
// views of one in any; where that cannot be, it says why.

// translate rebuilds e with each comparison put in other words by say.
func translate(e Expr, say func(*Compare) (Expr, error), has func(*Has) (Expr, error), among func(*Subquery) error) (Expr, error) {
	var failed error
	keep := func(e Expr, err error) Expr {
		if err != nil && failed == nil {
			failed = err
		}
		return e
	}
	out := Map(e, func(e Expr) Expr {
		switch e := e.(type) {
		case *Compare:
			return keep(say(e))
		case *Has:
			return keep(has(e))
		case Not:
			return not(e.Expr)
		case And:
			return and(e...)
		case Or:
			return or(e...)
		case *Subquery:
			return keep(e, among(e))
		case *Changed:
			return keep(e, errors.New("it knows no history"))
		case All:
		}
		return e
	})
	return out, failed
}

// typedOf says a comparison of native on a fact in the typed view.
func typedOf(c *Compare) (Expr, error) {
	if c.Count || c.Fold || c.Value.Kind == "age" || c.Op == "between" {
		return nil, fmt.Errorf("it has no words for %s", wordsOf(c))
	}
	out := *c
	out.View = "typed"
	switch {
	case c.View == "version":
		return nil, errors.New("it has no version order")
	case c.Op == "exists":
		return &out, nil
	case c.Value.Kind == "null" && c.Quant != "self":
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	case c.Quant == "none" && (c.Op == "=" || c.Op == "in" || c.Op == "=~"):
		out.Quant, out.Absent = "any", false
		inner, err := typedOf(&Compare{Path: c.Path, Op: c.Op, Value: c.Value, Quant: "any", View: c.View, Start: c.Start, End: c.End})
		if err != nil {
			return nil, err
		}
		return and(present(c), not(inner)), nil
	case c.Value.Kind == "null" && c.Quant == "self" && !c.Absent:
		return &out, nil
	}
	if c.Quant == "self" {
		return nil, errors.New("it cannot compare a list as a whole")
	}
	negated := c.Op == "!=" || c.Op == "not in" || c.Op == "!~"
	if negated && c.Quant != "all" || !negated && (c.Quant != "any" || c.Absent) {
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	}
	if c.View == "text" && viewOf(c.Path, true) == "text" && viewOf(c.Path, false) == "native" {
		return nil, errors.New("it does not take a map for its keys, as select does")
	}
	value, err := typedValue(c)
	if err != nil {
		return nil, err
	}
	out.Value = value
	switch op := c.Op; {
	case value.Kind == "list" && op == "=":
		out.Op = "in"
	case value.Kind == "list" && op == "!=":
		out.Op = "not in"
	case value.Kind == "regex" && op == "=":
		out.Op = "=~"
	case value.Kind == "regex" && op == "!=":
		out.Op = "!~"
	}
	if negated && !c.Absent {
		out.Absent = true
		return and(present(c), &out), nil
	}
	return &out, nil
}

// present says that the path of c leads somewhere.
func present(c *Compare) Expr {
	return &Compare{Path: c.Path, Op: "exists", Quant: "any", View: "typed", Start: c.Start, End: c.End}
}

// typedValue is the values that c's value stands for, when types are kept apart.
func typedValue(c *Compare) (Value, error) {
	v := c.Value
	if strings.ContainsAny(c.Op[:1], "<>") {
		return v, errors.New("it orders text and numbers apart, native does not")
	}
	if v.Kind != "list" {
		return typedScalar(v)
	}
	members := make([]Value, 0, len(v.List))
	for _, m := range v.List {
		t, err := typedScalar(m)
		if err != nil {
			return v, err
		}
		if t.Kind == "list" {
			members = append(members, t.List...)
			continue
		}
		members = append(members, t)
	}
	return listValue(members), nil
}

func typedScalar(v Value) (Value, error) {
	switch v.Kind {
	case "text":
		if _, isDate := parseTime(v.Text); v.number.ok || isDate {
			return v, fmt.Errorf("it keeps the text %q and the number or date apart, which native takes for one", v.Text)
		}
		if v.Text == "true" || v.Text == "false" {
			return listValue([]Value{boolValue(v.Text == "true"), v}), nil
		}
		return v, nil
	case "bool":
		return listValue([]Value{v, textValue(v.Text)}), nil
	case "number":
		return v, fmt.Errorf("it keeps the number %s and such text apart, which native takes for one", v.Text)
	case "regex":
		return v, textOnly(&v)
	case "glob":
		return globRegex(v.Text, "")
	}
	return v, errors.New("it has no words for such a value")
}

// textOnly refuses a pattern that could match the text of a number, a truth
// value or a date: dialects differ on whether it is looked at.
func textOnly(v *Value) error {
	source := v.Text
	if strings.Contains(v.Flags, "x") {
		source = unspaced(source)
	}
	flags := syntax.Perl
	if strings.Contains(v.Flags, "i") {
		flags |= syntax.FoldCase
	}
	parsed, err := syntax.Parse(source, flags)
	if err != nil || !needsLetter(parsed) {
		return fmt.Errorf("the pattern %q could match numbers, which dialects treat differently", v.Text)
	}
	return nil
}

// needsLetter reports whether everything that re matches holds a character
// that no number, truth value or date has.
func needsLetter(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if !strings.ContainsRune("0123456789+-.:ntrufalseNTRUFALSEZz", r) {
				return true
			}
		}
	case syntax.OpConcat:
		if slices.ContainsFunc(re.Sub, needsLetter) {
			return true
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !needsLetter(sub) {
				return false
			}
		}
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return needsLetter(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && needsLetter(re.Sub[0])
	default:
	}
	return false
}

// globRegex is a glob as a regular expression.
func globRegex(glob, flags string) (Value, error) {
	var b strings.Builder
	b.WriteByte('^')
	for _, r := range glob {
		switch {
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteByte('.')
		case strings.ContainsRune(`\.+()|[]{}^$`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('$')
	v, err := (&reader{}).regex(b.String(), flags+"s", 0)
	if err != nil {
		return v, fmt.Errorf("the glob %q is too large for a regular expression", glob)
	}
	return v, textOnly(&v)
}

// wordsOf names what a comparison does, for a reason.
func wordsOf(c *Compare) string {
	switch {
	case c.Count:
		return "count()"
	case c.Fold:
		return "comparing without case"
	case c.Value.Kind == "age":
		return "an age"
	}
	return c.Op
}
