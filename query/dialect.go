package query

import (
	"fmt"
	"slices"
	"strings"
)

// Dialect names a way of writing queries; empty means auto.
type Dialect string

const (
	dialectAuto   Dialect = "auto"
	dialectNative Dialect = "native"
	dialectSelect Dialect = "select"
	dialectWith   Dialect = "with"
	dialectMongo  Dialect = "mongo"
	dialectPQL    Dialect = "pql"
	dialectAST    Dialect = "ast"
)

// Dialects returns every dialect, auto first, in the order in which help shows them.
func Dialects() []Dialect {
	return []Dialect{dialectAuto, dialectNative, dialectSelect, dialectWith, dialectMongo, dialectPQL, dialectAST}
}

// ParseDialect reads the name of a dialect; empty is auto.
func ParseDialect(name string) (Dialect, error) {
	d := Dialect(strings.ToLower(name))
	if d == "" {
		return dialectAuto, nil
	}
	if !slices.Contains(Dialects(), d) {
		return "", fmt.Errorf("there is no dialect %q; known are %s", name, joinDialects())
	}
	return d, nil
}

func joinDialects() string {
	var names []string
	for _, d := range Dialects() {
		names = append(names, string(d))
	}
	return strings.Join(names, ", ")
}

// entities are PuppetDB's; a query that begins with one, followed by "[" or
// "{", is PQL even if we do not hold that entity.
var entities = [...]string{
	"facts", "reports", "catalogs", "packages", "package_inventory", "resources", "nodes",
	"environments", "factsets", "fact_paths", "fact_contents", "inventory", "edges", "events",
}

// dialect tells the dialect of a text by its marker, by what the caller said
// or by its first token, in this order. body is the text without the marker.
func (r *reader) dialect(text string) (d Dialect, body string, err error) {
	d, err = ParseDialect(string(r.Dialect))
	if err != nil {
		return d, text, &SyntaxError{Dialect: dialectAuto, Text: text, Problem: err.Error()}
	}
	if marked, body, ok := marker(text); ok && (d == dialectAuto || d == marked) {
		return marked, body, nil
	}
	if d != dialectAuto {
		return d, text, nil
	}
	return guess(text), text, nil
}

// marker reads a dialect's name and a colon before a query. "pql:" and "nq:"
// mark any text; the others only what can be one of theirs, since mongo::server
// is a class.
func marker(text string) (d Dialect, body string, ok bool) {
	name, body, ok := strings.Cut(strings.TrimLeft(text, blanks), ":")
	if !ok || strings.HasPrefix(body, ":") {
		return "", "", false
	}
	switch name {
	case "mongo":
		return dialectMongo, body, strings.HasPrefix(strings.TrimLeft(body, blanks), "{")
	case "ast":
		return dialectAST, body, strings.HasPrefix(strings.TrimLeft(body, blanks), "[")
	case "pql":
		return dialectPQL, body, true
	case "nq", "native":
		return dialectNative, body, true
	case "select":
		return dialectSelect, body, true
	case "with":
		return dialectWith, body, true
	}
	return "", "", false
}

const blanks = " \t\r\n"

// guess tells the dialect of text that nobody named, by its tokens and never
// by trying parsers in turn.
func guess(text string) Dialect {
	text = strings.TrimLeft(text, blanks)
	switch {
	case strings.HasPrefix(text, "{"):
		return dialectMongo
	case strings.HasPrefix(text, "["):
		return dialectAST
	}
	for _, entity := range entities {
		if rest, ok := strings.CutPrefix(text, entity); ok {
			rest = strings.TrimLeft(rest, blanks)
			if strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "{") {
				return dialectPQL
			}
		}
	}
	if sideBySide(text) {
		return dialectWith
	}
	return dialectNative
}
