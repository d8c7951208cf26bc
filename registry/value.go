package registry

import (
	"strconv"
	"strings"

	"muster/query"
)

// Value is what a path leads to in a node: "identity", "lastseen", "state",
// "auth", "classes", "agents", "collectives", "facts", "trusted", or below the
// last two "facts.os.name", "trusted.role"; any other path is a fact's without
// "facts.". A fact whose whole name has dots is found before a path; a part of
// a path in double quotes may hold dots, and a number is a position in a list.
// Times are returned as [time.Time]. The second result is false where the path
// leads nowhere.
func (n *Node) Value(path string) (any, bool) {
	switch path {
	case "facts":
		return n.Facts, n.Facts != nil
	case "trusted":
		return n.Trusted, n.Trusted != nil
	case "classes":
		return anys(n.Classes), true
	case "agents":
		return anys(n.Agents), true
	case "collectives":
		return anys(n.Collectives), true
	}
	values := ParsePath(path).Values(n.Document())
	if len(values) == 0 {
		return nil, false
	}
	return values[0], true
}

// ParsePath reads a path as [Node.Value] does. Every text is a path.
func ParsePath(path string) query.Path {
	switch path {
	case "identity", "state", "auth", "classes", "agents", "collectives":
		return query.Path{Field: path}
	case "lastseen", "seen":
		return query.Path{Field: "seen"}
	}
	p := query.Path{Field: "facts"}
	if rest, ok := strings.CutPrefix(path, "trusted."); ok {
		p.Field, path = "trusted", rest
	} else if rest, ok := strings.CutPrefix(path, "facts."); ok {
		path = rest
	}
	p.Flat = path
	for _, part := range splitPath(path) {
		pos, err := strconv.Atoi(part)
		if err != nil || pos < 0 {
			pos = -1
		}
		p.Steps = append(p.Steps, query.Step{Kind: "name", Key: part, Pos: pos})
	}
	return p
}

// splitPath splits at dots outside of double quotes, and takes the quotes off.
func splitPath(path string) []string {
	var parts []string
	var part strings.Builder
	quotes := false
	for _, r := range path {
		switch {
		case r == '"':
			quotes = !quotes
		case r == '.' && !quotes:
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(parts, part.String())
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
