package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// printMongo writes the filter of q as JSON that MongoDB would take too.
func printMongo(q *Query) (string, error) {
	if err := filterOnly(q); err != nil {
		return "", fmt.Errorf("mongo cannot say this: %w", err)
	}
	e, err := toMongo(q.Filter)
	if err != nil {
		return "", fmt.Errorf("mongo cannot say this: %w", err)
	}
	m := &mongoPrinter{}
	text := m.document(e)
	if m.err == nil {
		m.err = readable(text, dialectMongo)
	}
	if m.err != nil {
		return "", fmt.Errorf("mongo cannot say this: %w", m.err)
	}
	return text, nil
}

func filterOnly(q *Query) error {
	if q.Entity != "" || q.Limit != nil || len(q.Select)+len(q.GroupBy)+len(q.OrderBy)+q.Offset+q.Sample > 0 {
		return errors.New("a filter shows, orders and limits nothing")
	}
	return nil
}

// mongoPrinter writes trees in the mongo view; err is what it could not say.
type mongoPrinter struct{ err error }

func (m *mongoPrinter) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// entry is one key of a document with its value.
type entry struct{ key, value string }

func (e entry) String() string { return jsonString(e.key) + ": " + e.value }

// document writes e as a whole document.
func (m *mongoPrinter) document(e Expr) string {
	parts, isAnd := e.(And)
	if _, all := e.(All); all || isAnd && len(parts) == 0 {
		return "{}"
	}
	if !isAnd {
		return "{" + m.entry(e).String() + "}"
	}
	entries := m.entries(parts)
	keys := map[string]bool{}
	for _, en := range entries {
		if keys[en.key] {
			return "{" + m.list("$and", parts).String() + "}"
		}
		keys[en.key] = true
	}
	texts := make([]string, len(entries))
	for i, en := range entries {
		texts[i] = en.String()
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// entries writes parts in order; neighbours on one field share its document.
func (m *mongoPrinter) entries(parts []Expr) []entry {
	var entries []entry
	for i := 0; i < len(parts); {
		n := m.sharing(parts[i:])
		if n < 2 {
			entries = append(entries, m.entry(parts[i]))
			i++
			continue
		}
		var ops []string
		for _, part := range parts[i : i+n] {
			_, op := m.operator(part)
			ops = append(ops, op)
		}
		key, _ := m.operator(parts[i])
		entries = append(entries, entry{key, "{" + strings.Join(ops, ", ") + "}"})
		i += n
	}
	return entries
}

// sharing is how many of parts are on the same field by different operators.
func (m *mongoPrinter) sharing(parts []Expr) int {
	field := ""
	var names []string
	for i, part := range parts {
		key, op := m.operator(part)
		name, _, _ := strings.Cut(op, ":")
		if op == "" || i > 0 && key != field || slices.Contains(names, name) {
			return i
		}
		field, names = key, append(names, name)
	}
	return len(parts)
}

// entry writes one condition.
func (m *mongoPrinter) entry(e Expr) entry {
	switch e := e.(type) {
	case Or:
		return m.list("$or", e)
	case And:
		return m.list("$and", e)
	case All:
		return m.list("$and", []Expr{e})
	case Not:
		if or, ok := e.Expr.(Or); ok {
			return m.list("$nor", or)
		}
		if key, op := m.operator(e); op != "" {
			return entry{key, "{" + op + "}"}
		}
		return m.list("$nor", []Expr{e.Expr})
	case *Compare:
		key := m.field(e.Path)
		if e.Op == "=" && e.Value.Kind != "regex" {
			return entry{key, m.value(&e.Value)}
		}
		_, op := m.operator(e)
		return entry{key, "{" + op + "}"}
	case *Has:
		key, op := m.operator(e)
		return entry{key, "{" + op + "}"}
	case *Subquery, *Changed:
	}
	m.fail("it has no words for a query in a query")
	return entry{}
}

func (m *mongoPrinter) list(op string, parts []Expr) entry {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = m.document(part)
	}
	return entry{op, "[" + strings.Join(texts, ", ") + "]"}
}

// operator writes a condition on one field as an operator; op is empty if it
// is not one.
func (m *mongoPrinter) operator(e Expr) (key, op string) {
	switch e := e.(type) {
	case Not:
		key, op := m.operator(e.Expr)
		if _, isNot := e.Expr.(Not); op == "" || isNot {
			return "", ""
		}
		if c, ok := e.Expr.(*Compare); ok && c.Op == "exists" {
			return key, `"$exists": false`
		}
		return key, `"$not": {` + op + "}"
	case *Compare:
		return m.field(e.Path), m.compare(e)
	case *Has:
		return m.field(e.Path), `"$elemMatch": ` + m.element(e.Expr)
	case And, Or, All, *Subquery, *Changed:
	}
	return "", ""
}

// element writes what $elemMatch asks: of the element itself, or of its fields.
func (m *mongoPrinter) element(e Expr) string {
	if !asksElement(e) {
		return m.document(e)
	}
	parts, ok := e.(And)
	if !ok {
		parts = And{e}
	}
	var ops []string
	for len(parts) > 0 {
		n := equalities(parts)
		text := ""
		if n > 1 {
			text = m.all(parts[:n])
		} else {
			n = 1
			_, text = m.operator(parts[0])
		}
		parts = parts[n:]
		name, _, _ := strings.Cut(text, ":")
		switch {
		case slices.Contains(ops, text):
			// Said already.
		case text == "", slices.ContainsFunc(ops, func(op string) bool { return strings.HasPrefix(op, name+":") }):
			m.fail("one document cannot hold these operators on one element")
		default:
			ops = append(ops, text)
		}
	}
	return "{" + strings.Join(ops, ", ") + "}"
}

// equalities is how many of parts, from the first on, are members of one $all.
func equalities(parts []Expr) int {
	for i, part := range parts {
		c, ok := part.(*Compare)
		if !ok || c.Op != "=" && c.Op != "=~" || c.Op == "=" && c.Value.Kind == "regex" {
			return i
		}
	}
	return len(parts)
}

func (m *mongoPrinter) all(parts []Expr) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		c := *part.(*Compare)
		texts[i] = m.value(&c.Value)
	}
	return `"$all": [` + strings.Join(texts, ", ") + "]"
}

// field is the dotted name of a path.
func (m *mongoPrinter) field(p Path) string {
	names := []string{}
	if p.Field != "element" {
		names = append(names, map[string]string{"seen": "lastseen"}[p.Field])
		if names[0] == "" {
			names[0] = p.Field
		}
	}
	for _, s := range p.Steps {
		names = append(names, s.Key)
	}
	return strings.Join(names, ".")
}

func (m *mongoPrinter) compare(c *Compare) string {
	v := &c.Value
	switch c.Op {
	case "exists":
		return `"$exists": true`
	case "=~":
		text := `"$regex": ` + m.text(v.Text)
		if v.Flags != "" {
			text += `, "$options": ` + jsonString(v.Flags)
		}
		return text
	case "type":
		if len(v.List) == 1 {
			return `"$type": ` + m.value(&v.List[0])
		}
	case "!~":
		out := *c
		out.Op = "=~"
		return `"$not": {` + m.compare(&out) + "}"
	}
	for name, op := range mongoOperators {
		if op == c.Op && op != "" {
			return jsonString(name) + ": " + m.value(v)
		}
	}
	m.fail("it has no operator %s", c.Op)
	return ""
}

func (m *mongoPrinter) text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		m.fail("a query cannot hold a NUL character")
	}
	return jsonString(s)
}

func (m *mongoPrinter) value(v *Value) string {
	switch v.Kind {
	case "text":
		return m.text(v.Text)
	case "number":
		return m.number(v)
	case "bool":
		return v.Text
	case "null":
		return "null"
	case "time":
		return `{"$date": ` + jsonString(v.Time.Format(time.RFC3339Nano)) + "}"
	case "regex":
		return `{"$regularExpression": {"pattern": ` + m.text(v.Text) + `, "options": ` + jsonString(v.Flags) + "}}"
	case "list":
		texts := make([]string, len(v.List))
		for i := range v.List {
			texts[i] = m.value(&v.List[i])
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case "object":
		var texts []string
		for _, key := range sortedKeys(v.Object) {
			field := v.Object[key]
			texts = append(texts, m.text(key)+": "+m.value(&field))
			if strings.HasPrefix(key, "$") {
				m.fail("the name %s would be read as an operator", key)
			}
		}
		return "{" + strings.Join(texts, ", ") + "}"
	}
	m.fail("it has no words for such a value")
	return ""
}

// number writes a number so that it is read as the same one.
func (m *mongoPrinter) number(v *Value) string {
	text, err := plainNumber(v)
	if err != nil {
		m.fail("%w", err)
	}
	return text
}

// plainNumber writes a number as JSON has it.
func plainNumber(v *Value) (string, error) {
	if n, ok := relaxedNumeral(v.Text); ok {
		text := numeral(n)
		if read := parseDecimal(text); read.ok && read.compare(&v.number) == 0 {
			return text, nil
		}
	}
	return "", fmt.Errorf("it cannot hold the number %s exactly", v.Text)
}

// jsonString writes text as JSON does, without care for HTML.
func jsonString(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return quote(s) // text that is not UTF-8 never gets here
	}
	return strings.TrimSuffix(b.String(), "\n")
}
