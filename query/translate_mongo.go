package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// toMongo says e in the mongo view.
func toMongo(e Expr) (Expr, error) {
	return translate(e, mongoCompare, func(h *Has) (Expr, error) {
		if h.View != "mongo" {
			return nil, errors.New("$elemMatch looks into lists only, any { } also into maps")
		}
		return h, mongoPath(h.Path)
	}, func(*Subquery) error { return errors.New("it has no subqueries") })
}

// mongoPath refuses paths that a dotted name cannot say.
func mongoPath(p Path) error {
	names := make([]string, 0, len(p.Steps))
	for i, s := range p.Steps {
		operator := i == 0 && p.Field == "element" && strings.HasPrefix(s.Key, "$")
		if s.Kind != "name" || s.Key == "" || strings.ContainsAny(s.Key, ".\x00") || operator {
			return fmt.Errorf("a dotted name cannot say the path %s", p)
		}
		names = append(names, s.Key)
	}
	if p.Field == "facts" && len(names) > 1 && p.Flat != strings.Join(names, ".") {
		return fmt.Errorf("a dotted name cannot say which dots of %s are part of a name", p)
	}
	if slices.Contains([]string{"key", "path", "fact", "live", "contents"}, p.Field) {
		return fmt.Errorf("it has no field for %s", p.Field)
	}
	return nil
}

func mongoCompare(c *Compare) (Expr, error) {
	if err := mongoPath(c.Path); err != nil {
		return nil, err
	}
	if c.View == "mongo" {
		return c, nil
	}
	if slices.ContainsFunc(c.Path.Steps, func(s Step) bool { return s.Pos >= 0 }) {
		return nil, errors.New("it takes digits in a path for positions and for names both")
	}
	switch c.View {
	case "class", "title", "host":
		return mongoName(c)
	case "agent":
		if c.Value.Kind != "text" || c.Value.Text == "mcollective" {
			return nil, errors.New("it does not know the agent that is everywhere")
		}
	}
	if c.Path.Field == "seen" {
		return mongoSeen(c)
	}
	e, err := nativeOrTyped(c)
	if err != nil {
		return nil, err
	}
	return translate(e, mongoTyped, nil, nil)
}

// nativeOrTyped brings a comparison into the typed view.
func nativeOrTyped(c *Compare) (Expr, error) {
	if c.View == "typed" {
		return typedUsual(c)
	}
	return typedOf(c)
}

// typedUsual brings a comparison that is in the typed view already to the
// quantifiers that its dialects have.
func typedUsual(c *Compare) (Expr, error) {
	out := *c
	switch {
	case c.Count || c.Fold || c.Op == "between":
		return nil, fmt.Errorf("it has no words for %s", wordsOf(c))
	case c.Op == "exists" || c.Quant == "self":
		return c, nil
	case c.Value.Kind == "null":
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	case c.Quant == "none" && !negative(c.Op):
		out.Quant, out.Absent = "any", false
		return and(present(c), not(&out)), nil
	case negative(c.Op) != (c.Quant == "all") || c.Quant == "none":
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	case negative(c.Op) && !c.Absent:
		out.Absent = true
		return and(present(c), &out), nil
	case !negative(c.Op) && c.Absent:
		out.Absent = false
		return or(not(present(c)), &out), nil
	}
	return c, nil
}

// mongoTyped says a comparison in the typed view.
func mongoTyped(c *Compare) (Expr, error) {
	out := *c
	out.View = "mongo"
	ordering := strings.ContainsAny(c.Op[:1], "<>")
	switch kind := c.Value.Kind; {
	case kind == "null" && c.Quant == "self" && len(c.Path.Steps) == 1:
		return mongoNull(c), nil
	case kind == "null", c.Quant == "self":
		return nil, errors.New("it opens every list on the way, and so cannot compare a whole value")
	case kind == "regex":
		return &out, textOnly(&c.Value)
	case ordering && kind != "text" && kind != "number":
		return nil, fmt.Errorf("it has no words for %s", c.Op)
	case kind == "list" && slices.ContainsFunc(c.Value.List, func(m Value) bool { return m.Kind == "regex" && textOnly(&m) != nil }):
		return nil, errors.New("a pattern among the members could match numbers, which dialects treat differently")
	}
	return &out, nil
}

// mongoNull says that a fact is there and null, or not null.
func mongoNull(c *Compare) Expr {
	is := func(op, value string) *Compare {
		out := &Compare{Path: c.Path, Op: op, Quant: "any", View: "mongo", Start: c.Start, End: c.End}
		if value != "" {
			out.Value = listValue([]Value{textValue(value)})
		}
		return out
	}
	null := and(is("type", "null"), not(is("type", "array")))
	if c.Op == "=" {
		return null
	}
	return and(is("exists", ""), not(null))
}

// mongoSeen turns the order of times around where never counts as long ago.
func mongoSeen(c *Compare) (Expr, error) {
	if c.Value.Kind != "time" {
		return nil, errors.New("it has no ages, only dates")
	}
	out := *c
	out.View = "mongo"
	switch c.Op {
	case "<":
		out.Op = ">="
		return not(&out), nil
	case "<=":
		out.Op = ">"
		return not(&out), nil
	}
	return &out, nil
}

// mongoName compares names in any case, which takes a pattern.
func mongoName(c *Compare) (Expr, error) {
	negated := c.Op == "!=" || c.Op == "not in" || c.Op == "!~"
	var parts []Expr
	members := []Value{c.Value}
	if c.Value.Kind == "list" {
		members = c.Value.List
	}
	for _, m := range members {
		v, err := mongoNamePattern(c, m)
		if err != nil {
			return nil, err
		}
		parts = append(parts, &Compare{Path: c.Path, Op: "=~", Value: v, Quant: "any", View: "mongo", Start: c.Start, End: c.End})
	}
	switch {
	case c.Op == "exists":
		return nil, fmt.Errorf("%s is always there", c.Path)
	case len(parts) == 0 || negated != (c.Quant == "all") || !negated && c.Quant != "any":
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	case negated:
		return not(or(parts...)), nil
	}
	return or(parts...), nil
}

func mongoNamePattern(c *Compare, v Value) (Value, error) {
	prefix := "^"
	if c.View != "host" {
		prefix = "^(?:::)?"
	}
	switch {
	case v.Kind == "regex" && c.View == "host":
		return v, nil
	case v.Kind == "glob" && c.View == "host":
		return globRegex(v.Text, "i")
	case v.Kind != "text", c.View == "title" && v.Text != title(v.Text):
		return v, errors.New("it does not know the other spellings of a class")
	}
	quoted, err := globRegex(strings.NewReplacer("*", "\x00", "?", "\x01").Replace(v.Text), "i")
	if quoted.Kind == "" {
		return v, err
	}
	body := strings.NewReplacer("\x00", `\*`, "\x01", `\?`).Replace(strings.TrimPrefix(quoted.Text, "^"))
	pattern, err := (&reader{}).regex(prefix+body, "i", 0)
	if err != nil {
		return v, fmt.Errorf("the name %q is too long for a pattern", v.Text)
	}
	return pattern, nil
}
