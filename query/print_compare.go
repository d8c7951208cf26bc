package query

import (
	"strings"
)

// compare writes a comparison. Where an absent fact counts as true, that is
// said in front.
func (p *printer) compare(c *Compare, level int) {
	usual := negative(c.Op) && c.Value.Kind != "null" && (c.View == "typed" || c.View == "mongo") && (c.Quant == "all" || c.Quant == "self")
	if c.View == "mongo" || c.Absent == usual || c.Count || usual && c.Quant == "all" {
		p.bare(c)
		return
	}
	exists := p.operand(c.Path, c.View, false, false)
	word, join := "missing ", " or "
	if usual {
		word, join = "exists ", " and "
	}
	brackets := level > levelOr
	if brackets {
		p.b.WriteByte('(')
	}
	p.b.WriteString(word + exists + join)
	p.bare(c)
	if brackets {
		p.b.WriteByte(')')
	}
}

func (p *printer) bare(c *Compare) {
	if c.Op == "exists" {
		p.b.WriteString("exists " + p.operand(c.Path, c.View, false, false))
		return
	}
	if short := p.class(c); short != "" {
		p.b.WriteString(short)
		return
	}
	path, keys := c.Path, false
	if n := len(path.Steps); n > 0 && path.Steps[n-1].Kind == "keys" {
		path.Steps, keys = path.Steps[:n-1], true
	}
	view, usual := c.View, viewOf(path, p.strict)
	if c.Value.Kind == "regex" && p.strict && path.Field == "classes" {
		usual = "text" // select searches a class as it is spelled
	}
	if c.Value.Kind == "null" && view == "native" {
		view = usual
	}
	left := p.wrapped(path, view, usual, c.Fold, c.Count)
	if q := p.quantifier(c); q != "" {
		p.b.WriteString(q + " ")
	}
	p.b.WriteString(left + " ")
	if keys {
		p.b.WriteString("has key " + p.value(c, &c.Value, "="))
		if c.Op != "=" && c.Op != "=~" {
			p.fail("%s has no words for these keys", p.dialect)
		}
		return
	}
	p.b.WriteString(p.operator(c))
}

// class is the short form of a class: its bare name or pattern.
func (p *printer) class(c *Compare) string {
	if c.Path.Field != "classes" || c.Quant != "any" || c.Fold || c.Count || p.inElement {
		return ""
	}
	view := viewOf(c.Path, p.strict)
	switch {
	case c.Op == "=" && c.Value.Kind == "text" && c.View == view && plainClass(c.Value.Text):
		return c.Value.Text
	case c.Op == "=~" && (c.View == view && !p.strict || c.View == "text" && p.strict) && slashable(&c.Value):
		return "/" + c.Value.Text + "/" + c.Value.Flags
	}
	return ""
}

// plainClass reports whether a class can stand alone and be taken for nothing
// else.
func plainClass(name string) bool {
	for part := range strings.SplitSeq(name, "::") {
		if part == "" || strings.IndexFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) >= 0 || part[0] == '-' {
			return false
		}
	}
	return !reservedName(name)
}

// quantifier is the word in front, empty where it is the usual one.
func (p *printer) quantifier(c *Compare) string {
	usual := "any"
	if c.View == "mongo" && (c.Value.Kind == "null" || negative(c.Op) && c.Absent) {
		return "" // the server's rules have no quantifiers
	}
	switch {
	case c.Value.Kind == "list" && (c.Op == "=" || c.Op == "!="), c.Value.Kind == "null":
		usual = "self"
	case negative(c.Op):
		usual = "all"
	}
	if c.Quant == usual {
		if usual == "all" && !c.Absent && (c.View == "typed" || c.View == "mongo") {
			return "all" // without the word, an absent fact would do
		}
		return ""
	}
	if c.Quant == "self" {
		if c.Path.Field == "identity" || c.Path.Field == "state" {
			return ""
		}
		p.fail("%s compares the elements of a list, not the whole", p.dialect)
	}
	return c.Quant
}

// operator writes the operator and the right side.
func (p *printer) operator(c *Compare) string {
	v := &c.Value
	switch {
	case v.Kind == "null" && c.Op != "=" && c.Op != "!=", v.Kind == "list" && strings.ContainsAny(c.Op[:1], "<>"):
		p.fail("%s has no words for the server's order of null and of lists", p.dialect)
	case v.Kind == "null":
		return map[string]string{"=": "is null", "!=": "is not null"}[c.Op]
	case c.Op == "between":
		return "between " + p.value(c, &v.List[0], "<") + " and " + p.value(c, &v.List[1], "<")
	case c.Op == "in" || c.Op == "not in":
		return c.Op + " " + p.value(c, v, "in")
	case c.Path.Field != "seen" && (v.Kind == "age" || v.Kind == "time"):
		return p.moment(c)
	case v.Kind == "regex" && c.Op != "=~" && c.Op != "!~":
		p.fail("%s has no words for %s before a pattern", p.dialect, c.Op)
	case c.Op == "type" || c.Op == "size" || c.Op == "mod":
		p.fail("%s has no words for $%s", p.dialect, c.Op)
	}
	op := c.Op
	if p.strict && v.Kind == "text" && strings.HasPrefix(v.Text, "/") {
		// With one "=" less, select would take the text for a pattern.
		switch op {
		case "=":
			op = "=="
		case "!=":
			op = "!=="
		default:
			p.fail("select takes text that begins with a slash for a pattern")
		}
	}
	return op + " " + p.value(c, v, c.Op)
}

// moment writes a fact that is a date: before and after a date, or older and
// younger than an age.
func (p *printer) moment(c *Compare) string {
	older := map[string]string{"<": "before ", ">": "after "}
	if c.Value.Kind == "age" {
		older = map[string]string{">": "before ", "<": "after "}
	}
	if older[c.Op] == "" || c.View == "mongo" || c.View == "typed" {
		p.fail("%s compares a date with before and after only", p.dialect)
	}
	return older[c.Op] + c.Value.Text
}

// value writes a right side so that it is read as what it is after op.
func (p *printer) value(c *Compare, v *Value, op string) string {
	switch v.Kind {
	case "number", "bool":
		return v.Text
	case "age", "time":
		if c.Path.Field != "seen" {
			p.fail("%s has no words for a date here", p.dialect)
		}
		return v.Text
	case "network":
		if op != "in" {
			p.fail("%s has no words for a network here", p.dialect)
		}
		return v.Text
	case "regex":
		return p.pattern(v, op)
	case "glob":
		if !p.globbable(v.Text, op == "in" || c.Value.Kind == "list") {
			p.fail("%s has no words for the pattern %s", p.dialect, quote(v.Text))
		}
		return v.Text
	case "list":
		return p.members(c, v, op)
	case "text":
		if plainValue(v.Text) {
			return v.Text
		}
		return quote(v.Text)
	}
	p.fail("%s has no words for %s as a value", p.dialect, map[bool]string{true: "null", false: "a document"}[v.Kind == "null"])
	return ""
}

// globbable reports whether a pattern with * or ? is read whole where it stands.
func (p *printer) globbable(text string, member bool) bool {
	stops, starts := blanks+"()", `"'/`
	if member {
		stops += ",]"
	}
	if p.inBraces {
		stops += "}"
	}
	if !p.strict || member {
		starts += "[]}|"
	}
	return text != "" && text != "?" && !strings.ContainsAny(text, stops) && strings.IndexByte(starts, text[0]) < 0
}

func (p *printer) members(c *Compare, v *Value, op string) string {
	open, end := "(", ")"
	if op != "in" {
		open, end = "[", "]"
	}
	if op == "in" && len(v.List) == 0 || p.strict && op != "in" {
		p.fail("%s has no words for this list", p.dialect)
	}
	parts := make([]string, len(v.List))
	for i := range v.List {
		m := &v.List[i]
		if m.Kind == "list" && op == "in" {
			p.fail("%s has no words for a list in a list", p.dialect)
		}
		parts[i] = p.value(c, m, op)
	}
	return open + strings.Join(parts, ", ") + end
}

// pattern writes a regular expression between slashes, or in quotes if it
// holds one.
func (p *printer) pattern(v *Value, op string) string {
	if slashable(v) {
		return "/" + v.Text + "/" + v.Flags
	}
	if v.Flags != "" || op != "=~" && op != "!~" {
		p.fail("%s has no words for this pattern", p.dialect)
	}
	text := v.Text
	if p.strict || len(text) > 2 && text[0] == '/' && text[len(text)-1] == '/' {
		text = "/" + text + "/"
	}
	return quote(text)
}

// slashable reports whether a pattern can stand between slashes.
func slashable(v *Value) bool {
	whole := "/" + v.Text + "/"
	return v.Text != "" && patternLength(whole) == len(whole)
}

// plainValue reports whether text needs no quotes as a value of any kind of
// comparison.
func plainValue(text string) bool {
	if parseDecimal(text).ok {
		return false
	}
	for i, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case i > 0 && strings.ContainsRune("_-.:", r):
		default:
			return false
		}
	}
	switch strings.ToLower(text) {
	case "", "true", "false", "null", "nil", "epoch", "not", "key", "all", "any":
		return false
	}
	return true
}
