package query

import (
	"slices"
	"strings"
)

// Values returns what p leads to in doc, in a fixed order: one value for a
// plain path, several behind a wildcard or below a list, none if it leads
// nowhere. A list is one value. It serves to show columns and to say why; what
// a comparison looks at is for [Matches] to say.
func (p Path) Values(doc *Document) []any {
	switch p.Field {
	case "facts":
		if v, ok := doc.Facts[p.Flat]; ok && p.Flat != "" {
			return []any{v}
		}
		return below(doc.Facts, p.Steps)
	case "trusted":
		return below(doc.Trusted, p.Steps)
	case "live":
		return below(doc.Extra, p.Steps)
	case "fact":
		return names(sortedKeys(doc.Facts))
	case "classes":
		return names(doc.Classes)
	case "agents":
		return names(doc.Agents)
	case "collectives":
		return names(doc.Collectives)
	case "identity":
		return names([]string{doc.Identity})
	case "state":
		return oneName(doc.State)
	case "auth":
		return oneName(doc.Auth)
	case "seen":
		if !doc.Seen.IsZero() {
			return []any{doc.Seen}
		}
	}
	return nil
}

func oneName(s string) []any {
	if s == "" {
		return nil
	}
	return []any{s}
}

func names(list []string) []any {
	values := make([]any, len(list))
	for i, name := range list {
		values[i] = name
	}
	return values
}

func below(v any, steps []Step) []any {
	if len(steps) == 0 {
		return []any{v}
	}
	var found []any
	step, rest := steps[0], steps[1:]
	switch v := v.(type) {
	case map[string]any:
		switch step.Kind {
		case "name":
			if el, ok := v[step.Key]; ok {
				return below(el, rest)
			}
		case "any", "deep":
			for _, key := range sortedKeys(v) {
				found = append(found, below(v[key], rest)...)
			}
		case "keys":
			return names(sortedKeys(v))
		}
	case []any:
		switch {
		case step.Kind == "any" || step.Kind == "deep":
			for _, el := range v {
				found = append(found, below(el, rest)...)
			}
		case step.Pos >= 0 && step.Pos < len(v):
			return below(v[step.Pos], rest)
		case step.Kind == "name" && step.Pos < 0:
			for _, el := range v {
				if m, ok := el.(map[string]any); ok {
					found = append(found, below(m, steps)...)
				}
			}
		}
	}
	return found
}

// factName is the dotted name of a fact as a vocabulary lists it: positions
// and wildcards end it. whole is false if they do.
func (p Path) factName() (name string, whole bool) {
	if p.Flat != "" {
		return p.Flat, true
	}
	var parts []string
	for _, s := range p.Steps {
		if s.Kind != "name" || s.Pos >= 0 && len(parts) > 0 {
			return strings.Join(parts, "."), false
		}
		parts = append(parts, s.Key)
	}
	return strings.Join(slices.Clip(parts), "."), true
}
