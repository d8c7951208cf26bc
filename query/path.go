package query

import (
	"strconv"
	"strings"
)

// Path says where in a document to look.
//
// Field is "facts", "trusted", "live" (Document.Extra), "fact" (the names of the
// top-level facts), "classes", "agents", "collectives", "identity", "state",
// "auth" or "seen"; and inside [Has] "element" and "key". Has itself also takes
// "classes", and "contents" for every leaf of the facts, of which "path" is the
// list of names and positions that lead to it.
type Path struct {
	Field string
	Steps []Step

	// Flat is the whole path as one top-level name, which is tried before the
	// steps; empty where the dialect, quotes or indexes rule that out.
	Flat string
}

// Step is one part of a path, below a map or a list.
type Step struct {
	Key string // name in a map
	Pos int    // position in a list; -1 if Key is no number

	// Kind is "name" (Key in a map; in a list, Pos if it is a number), "index"
	// (Pos in a list only), "any" (every value of a map or list), "keys" (every
	// key of a map) or "deep" (every value at any depth).
	Kind string
}

// nameStep is a step by name; digits are also a position.
func nameStep(name string) Step {
	return Step{Kind: "name", Key: name, Pos: position(name)}
}

func position(name string) int {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && strconv.Itoa(n) == name {
		return n
	}
	return -1
}

// factPath is the path to a fact by its parts, without a flat name.
func factPath(parts ...string) Path {
	p := Path{Field: "facts"}
	for _, part := range parts {
		p.Steps = append(p.Steps, nameStep(part))
	}
	return p
}

// String is the path as native writes it. A path that tries a flat name first
// is written without quotes, any other with at least one.
func (p Path) String() string {
	var b strings.Builder
	switch {
	case p.Field == "facts" && len(p.Steps) > 0 && !reservedName(p.first()) && (p.Flat == "" || plainStart(p.first())):
		// The usual case needs no prefix.
	case p.Field == "facts", p.Field == "trusted":
		b.WriteString(p.Field)
	case p.Field == "element" && len(p.Steps) > 0 && !reservedName(p.first()):
	case p.Field == "live":
		return liveCall(p.Steps)
	default:
		b.WriteString(singular(p.Field))
	}
	strict := p.Flat == "" && p.plain() && len(p.Steps) > 1 && p.Field == "facts"
	for i, s := range p.Steps {
		if s.Kind == "index" {
			b.WriteString("[" + strconv.Itoa(s.Pos) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		switch s.Kind {
		case "any":
			b.WriteByte('*')
		case "deep":
			b.WriteString("**")
		case "keys":
			b.WriteString("keys()")
		default:
			if strict && i == len(p.Steps)-1 || !plainName(s.Key) || b.Len() == 0 && !plainStart(s.Key) {
				b.WriteString(quote(s.Key))
			} else {
				b.WriteString(s.Key)
			}
		}
	}
	return b.String()
}

func (p Path) first() string {
	if len(p.Steps) == 0 {
		return ""
	}
	return p.Steps[0].Key
}

// plain reports whether every step is a name that needs no quotes.
func (p Path) plain() bool {
	for _, s := range p.Steps {
		if s.Kind != "name" || !plainName(s.Key) {
			return false
		}
	}
	return true
}

// liveCall writes the path of a live answer as the function that is asked.
func liveCall(steps []Step) string {
	if len(steps) != 3 {
		return "live"
	}
	return steps[0].Key + "(" + quote(steps[1].Key) + ")." + steps[2].Key
}

// singular is the name of a field as a query writes it.
func singular(field string) string {
	switch field {
	case "classes":
		return "class"
	case "agents":
		return "agent"
	case "collectives":
		return "collective"
	}
	return field
}

// reservedName reports whether a fact of this name must be written with the
// prefix "facts.".
func reservedName(name string) bool {
	switch strings.ToLower(name) {
	case "facts", "trusted", "fact", "class", "agent", "identity", "collective", "seen", "state", "auth",
		"and", "or", "not", "in", "any", "all", "none", "exists", "missing", "changed", "element", "key", "live":
		return true
	}
	return false
}

// plainName reports whether a part of a path needs no quotes.
func plainName(name string) bool {
	if name == "" || name == "*" || name == "**" {
		return false
	}
	for _, r := range name {
		if !nameRune(r) {
			return false
		}
	}
	return true
}

// plainStart reports whether a plain name can begin a path, or a query, and be
// taken for nothing else.
func plainStart(name string) bool {
	return name != "" && strings.IndexByte("/@-+%:", name[0]) < 0 && strings.IndexByte(name, ':') < 0
}

// nameRune reports whether a part of a path may hold r without quotes.
func nameRune(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	case r >= 0x80:
		return r != 0xa0 && r != 0x2028 && r != 0x2029 && r != 0xfeff
	}
	return strings.ContainsRune("_-:@/+%", r)
}

// quote writes s in double quotes as native reads them.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
