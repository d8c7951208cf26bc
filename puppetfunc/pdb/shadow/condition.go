package shadow

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// condition is one of a question's, as a tree.
type condition struct {
	op    string       // "and", "or" or "not" over parts; else a comparison: = != < <= > >= ~ !~ in, null, notnull
	parts []*condition // of and, or, not

	about string // "fact", "class", "certname", "row" (of facts) or "leaf" (of fact_contents)
	path  []any  // of fact, row and leaf: names, and positions (int64)
	value any    // a scalar, or []any

	// apart is a condition that is asked as a subquery, which is true or false
	// where a comparison in place can be neither.
	apart bool
}

func (c *condition) isTree() bool { return c.op == "and" || c.op == "or" || c.op == "not" }

// pql writes the condition for the entity nodes or inventory.
func (c *condition) pql() string {
	switch c.op {
	case "not":
		return "!(" + c.parts[0].pql() + ")"
	case "and", "or":
		texts := make([]string, len(c.parts))
		for i, part := range c.parts {
			texts[i] = "(" + part.pql() + ")"
		}
		return strings.Join(texts, " "+c.op+" ")
	}
	switch c.about {
	case "certname":
		return c.test("certname")
	case "class":
		return `resources { type = "Class" and ` + c.test("title") + " }"
	case "row":
		return fmt.Sprintf("facts { name = %s and %s }", literal(c.path[0]), c.test("value"))
	case "leaf":
		return fmt.Sprintf("fact_contents { path = %s and %s }", literal(c.path), c.test("value"))
	}
	text := c.test(c.field())
	if c.apart {
		return "inventory { " + text + " }"
	}
	return text
}

// test writes the comparison of a field.
func (c *condition) test(field string) string {
	switch c.op {
	case "null":
		return field + " is null"
	case "notnull":
		return field + " is not null"
	}
	return field + " " + c.op + " " + literal(c.value)
}

var plainPart = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// field is the name of a fact as both languages write it.
func (c *condition) field() string {
	var b strings.Builder
	b.WriteString("facts")
	for _, part := range c.path {
		switch part := part.(type) {
		case int64:
			fmt.Fprintf(&b, "[%d]", part)
		case string:
			if !plainPart.MatchString(part) {
				part = `"` + part + `"`
			}
			b.WriteString("." + part)
		}
	}
	return b.String()
}

// literal writes a value; both languages have JSON's.
func literal(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "null" // values come from JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ast is the condition as PuppetDB's other language has it.
func (c *condition) ast() []any {
	if c.isTree() {
		out := []any{c.op}
		for _, part := range c.parts {
			out = append(out, part.ast())
		}
		return out
	}
	switch c.about {
	case "certname":
		return c.astTest("certname")
	case "class":
		return []any{"subquery", "resources", []any{"and", []any{"=", "type", "Class"}, c.astTest("title")}}
	case "row":
		return []any{"subquery", "facts", []any{"and", []any{"=", "name", c.path[0]}, c.astTest("value")}}
	case "leaf":
		return []any{"subquery", "fact_contents", []any{"and", []any{"=", "path", c.path}, c.astTest("value")}}
	}
	if c.apart {
		return []any{"subquery", "inventory", c.astTest(c.field())}
	}
	return c.astTest(c.field())
}

func (c *condition) astTest(field string) []any {
	switch c.op {
	case "null", "notnull":
		return []any{"null?", field, c.op == "null"}
	case "!=", "!~":
		return []any{"not", []any{c.op[1:], field, c.value}}
	case "in":
		return []any{"in", field, []any{"array", c.value}}
	}
	return []any{c.op, field, c.value}
}

// leaves are the comparisons of a tree.
func (c *condition) leaves() []*condition {
	if !c.isTree() {
		return []*condition{c}
	}
	var all []*condition
	for _, part := range c.parts {
		all = append(all, part.leaves()...)
	}
	return all
}
