package query

import (
	"fmt"
	"strings"
)

// Words says in words what e asks for, one clause a line, and for each what is
// easily taken for something else: what an absent fact means, how a list
// decides, how values are read.
func Words(e Expr) string {
	var b strings.Builder
	inWords(&b, e, "", false)
	return strings.TrimSuffix(b.String(), "\n")
}

func inWords(b *strings.Builder, e Expr, indent string, negated bool) {
	line := func(format string, args ...any) {
		b.WriteString(indent)
		if negated {
			b.WriteString("not: ")
		}
		fmt.Fprintf(b, format+"\n", args...)
	}
	switch e := e.(type) {
	case All:
		line("every node")
	case And:
		line("all of:")
		for _, part := range e {
			inWords(b, part, indent+"  ", false)
		}
	case Or:
		line("at least one of:")
		for _, part := range e {
			inWords(b, part, indent+"  ", false)
		}
	case Not:
		inWords(b, e.Expr, indent, !negated)
	case *Compare:
		line("%s", e.words())
	case *Has:
		line("%s of the elements of %s satisfies, by itself:", map[string]string{"any": "at least one", "all": "every one", "none": "none"}[e.Quant], subject(e.Path))
		inWords(b, e.Expr, indent+"  ", false)
	case *Subquery:
		line("%s is among what this other query answers:", subject(e.Path))
		inWords(b, e.Query.Filter, indent+"  ", false)
	case *Changed:
		line("%s changed in the last %s", subject(e.Path), formatAge(e.Within))
	}
}

// subject names what a path leads to.
func subject(p Path) string {
	switch p.Field {
	case "facts":
		if len(p.Steps) == 0 {
			return "the facts"
		}
		return "fact " + strings.TrimPrefix(p.String(), "facts.")
	case "trusted":
		return "trusted fact " + strings.TrimPrefix(p.String(), "trusted.")
	case "fact":
		return "the name of a fact"
	case "seen":
		return "the last report"
	case "live":
		return "the node's answer to " + p.String()
	case "element":
		if len(p.Steps) == 0 {
			return "the element"
		}
		return "its " + p.String()
	case "key":
		return "its name"
	case "classes", "agents", "collectives":
		return "a " + singular(p.Field)
	}
	return "the " + p.Field
}

func (c *Compare) words() string {
	text := subject(c.Path)
	if c.Count {
		text = "the number of values of " + text
	}
	text += " " + c.verb() + c.object()
	if notes := c.notes(); len(notes) > 0 {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

func (c *Compare) verb() string {
	if c.Path.Field == "seen" && c.Value.Kind == "age" {
		return map[string]string{">": "is older than ", ">=": "is at least as old as ", "<": "is younger than ", "<=": "is at most as old as "}[c.Op]
	}
	switch {
	case c.Op == "exists":
		return "is there"
	case c.Op == "between":
		return "is from "
	case c.Op == "in":
		return "is one of "
	case c.Op == "not in":
		return "is none of "
	case c.Op == "=" && c.Value.Kind == "glob":
		return "is like "
	case signOf(c.Op).words != "":
		return signOf(c.Op).words + " "
	}
	return c.Op + " "
}

func (c *Compare) object() string {
	switch {
	case c.Op == "between":
		return c.Value.List[0].words() + " to " + c.Value.List[1].words()
	case c.Value.Kind == "":
		return ""
	}
	return c.Value.words()
}

func (v *Value) words() string {
	switch v.Kind {
	case "list":
		var parts []string
		for i := range v.List {
			if i == 20 {
				parts = append(parts, fmt.Sprintf("and %d more", len(v.List)-i))
				break
			}
			parts = append(parts, v.List[i].words())
		}
		return strings.Join(parts, ", ")
	case "network":
		return "the addresses of " + v.Text
	}
	text := v.tree()
	return strings.TrimPrefix(text, "glob:")
}

// notes say what of the comparison's policy a reader might not expect.
func (c *Compare) notes() []string {
	var notes []string
	note := func(is bool, text string) {
		if is {
			notes = append(notes, text)
		}
	}
	fact := c.Path.Field == "facts" || c.Path.Field == "trusted"
	value := &c.Value
	if c.Op == "between" {
		value = &c.Value.List[0]
	}
	ordering := strings.ContainsAny(c.Op[:1], "<>") || c.Op == "between"
	note(fact && c.Absent, "also where the fact is absent")
	note(fact && !c.Absent && negative(c.Op), "false where the fact is absent")
	note(fact && c.Quant == "any" && negative(c.Op), "of a list, one element that differs is enough")
	note(fact && c.Quant == "all" && negative(c.Op), "of a list, no element may")
	note(fact && c.Quant == "all" && !negative(c.Op), "every element of a list, also of an empty one")
	note(fact && c.Quant == "none", "no element of a list does")
	note(c.Quant == "self" && value.Kind == "list", "the whole list")
	note(c.View == "text" && fact, "read as text, a map as its keys")
	note(c.View == "typed", "numbers only with numbers, text only with text")
	note(c.View == "mongo", "by MongoDB's rules")
	note(c.View == "version" || c.View == "native" && ordering && dotted(value.Text), "in the order of versions")
	note(c.View == "native" && fact && ordering && value.Kind == "text" && !dotted(value.Text), "in the order of text")
	note(c.View == "native" && fact && value.number.ok && !c.Count, "compared as numbers")
	note(c.View == "class" && value.Kind == "text", "spelled in any way")
	note(c.View == "class" && value.Kind == "regex", "as spelled, or in lower case")
	note(c.Fold || c.View == "host" && value.Kind != "regex", "in any case of letters")
	note(c.Path.Field == "seen" && (c.Op == ">" || c.Op == ">="), "or never seen")
	return notes
}
