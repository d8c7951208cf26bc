package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// toPDB says e in the typed view of PuppetDB.
func toPDB(e Expr) (Expr, error) { return translate(e, pdbCompare, pdbHas, pdbAmong) }

func pdbHas(h *Has) (Expr, error) {
	switch {
	case h.Quant != "any" || len(h.Path.Steps) > 0 || h.Path.Field == "element":
	case h.View == "native" && slices.Contains([]string{"facts", "contents", "classes"}, h.Path.Field):
		return h, nil
	}
	return nil, errors.New("it cannot look into the elements of a list")
}

// pdbAmong refuses subqueries whose values would be compared by other rules.
func pdbAmong(s *Subquery) error {
	if s.View != "typed" && (s.View != "host" || s.Path.Field != "identity") {
		return errors.New("it keeps text and numbers apart in subqueries")
	}
	return pdbPath(s.Path)
}

// pdbPath refuses steps that PuppetDB has no words for.
func pdbPath(p Path) error {
	for _, s := range p.Steps {
		if s.Kind != "name" && s.Kind != "index" {
			return fmt.Errorf("it has no wildcards, as in %s", p)
		}
	}
	if p.Field == "live" || p.Field == "fact" || len(p.Steps) > 0 && p.Field != "facts" && p.Field != "trusted" {
		return fmt.Errorf("it has no field for %s", p)
	}
	return nil
}

func pdbCompare(c *Compare) (Expr, error) {
	if err := pdbPath(c.Path); err != nil {
		return nil, err
	}
	if c.View == "mongo" {
		return pdbMongo(c)
	}
	switch c.Path.Field {
	case "seen":
		if c.Value.Kind != "time" {
			return nil, errors.New("it has no ages, only dates")
		}
		out := *c
		out.View = "typed"
		return &out, nil
	case "classes", "identity", "agents":
		return pdbNames(c)
	case "element", "key", "path":
		return c, nil
	}
	return nativeOrTyped(c)
}

// pdbNames keeps comparisons of names, which mean the same there.
func pdbNames(c *Compare) (Expr, error) {
	negated := c.Op == "!=" || c.Op == "not in" || c.Op == "!~"
	switch {
	case c.View != viewOf(c.Path, false) && c.View != "title":
		return nil, fmt.Errorf("it compares %s by their names, not as %s", c.Path.Field, c.View)
	case c.Count || c.Fold || c.Op == "exists":
		return nil, fmt.Errorf("it has no words for %s of %s", wordsOf(c), c.Path)
	case negated != (c.Quant == "all") || !negated && c.Quant != "any":
		return nil, fmt.Errorf("it cannot say that %s of the values must", c.Quant)
	}
	out := *c
	out.Absent = negated // names are always there
	if c.Value.Kind == "glob" && c.View == "host" {
		v, err := globRegex(c.Value.Text, "i")
		if v.Kind != "regex" {
			return nil, err
		}
		out.Value, out.Op = v, "=~"
		if negated {
			out.Op = "!~"
		}
		return &out, nil
	}
	members := []Value{c.Value}
	if c.Value.Kind == "list" {
		members = c.Value.List
	}
	for _, m := range members {
		if m.Kind != "text" && m.Kind != "regex" {
			return nil, errors.New("it has no globs")
		}
		if c.View == "agent" && m.number.ok {
			return nil, errors.New("it keeps numbers and text apart")
		}
	}
	return &out, nil
}

// pdbMongo says what the server's rules say, where the rules agree.
func pdbMongo(c *Compare) (Expr, error) {
	if slices.ContainsFunc(c.Path.Steps, func(s Step) bool { return s.Pos >= 0 }) {
		return nil, errors.New("mongo takes digits in a path for positions and for names both")
	}
	switch c.Path.Field {
	case "classes", "identity", "agents":
		return nil, errors.New("mongo compares names as they are spelled, the others in any case")
	case "seen":
		if c.Value.Kind != "time" || c.Op != ">" && c.Op != ">=" {
			return nil, errors.New("mongo leaves out nodes that were never seen")
		}
	}
	out := *c
	out.View = "typed"
	if c.Op == "exists" {
		return &out, nil
	}
	if c.Op == "type" || c.Op == "size" || c.Op == "mod" {
		return nil, fmt.Errorf("it has no $%s", c.Op)
	}
	members := []Value{c.Value}
	if c.Value.Kind == "list" && (c.Op == "in" || c.Op == "not in") {
		members = c.Value.List
	}
	for _, m := range members {
		switch m.Kind {
		case "text", "number", "time":
		case "bool":
			if strings.ContainsAny(c.Op[:1], "<>") {
				return nil, errors.New("it does not order true and false")
			}
		case "regex":
			if err := textOnly(&m); err != nil || c.Op == "=" {
				return nil, errors.New("mongo searches text only, the others numbers too")
			}
		default:
			return nil, errors.New("it compares lists, documents and null by other rules")
		}
		if m.Kind == "time" && c.Path.Field != "seen" {
			return nil, errors.New("it compares dates with the last report only")
		}
	}
	return &out, nil
}
