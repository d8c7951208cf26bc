package query

import (
	"regexp"
	"slices"
	"strings"
)

// The mongo view follows the server's rules. A path opens every list on its
// way, one level each; digits are a key and a position both. A list at the end
// of a path stands for each of its elements and then for itself, except where
// a position named it. An absent value is asked too, and equals null.

func (c *Compare) matchesMongo(s *scope) bool {
	t := mongoTest{op: c.Op, want: &c.Value}
	switch c.Op {
	case "!=":
		t.op = "="
	case "not in":
		t.op = "in"
	case "!~":
		t.op = "=~"
	default:
		return t.document(c.Path, s)
	}
	return !t.document(c.Path, s)
}

// matchesMongo is $elemMatch: one element of a list satisfies everything.
func (h *Has) matchesMongo(s *scope) bool {
	t := mongoTest{op: "elemMatch", has: h, scope: s}
	return t.document(h.Path, s)
}

// mongoTest is one operator asked of every value that a path leads to.
type mongoTest struct {
	op    string
	want  *Value
	has   *Has // of elemMatch
	scope *scope
}

// document reports whether any value that the path leads to satisfies t.
func (t *mongoTest) document(p Path, s *scope) bool {
	steps := p.Steps
	switch p.Field {
	case "facts":
		if p.Flat != "" {
			if v, ok := s.doc.Facts[p.Flat]; ok {
				return t.walk(v, nil)
			}
		}
		return t.below(s.doc.Facts, steps)
	case "trusted":
		if s.doc.Trusted == nil {
			return t.absent()
		}
		return t.below(s.doc.Trusted, steps)
	case "classes":
		return t.names(s.doc.Classes, steps)
	case "agents":
		return t.names(s.doc.Agents, steps)
	case "collectives":
		return t.names(s.doc.Collectives, steps)
	case "element":
		return t.element(s.element, steps)
	case "seen":
		if s.doc.Seen.IsZero() || len(steps) > 0 {
			return t.absent()
		}
		return t.holds(s.doc.Seen)
	}
	if len(steps) > 0 {
		return t.absent()
	}
	return t.holds(oneWord(p.Field, s.doc))
}

// oneWord is a field of the document that holds one word.
func oneWord(field string, doc *Document) string {
	switch field {
	case "identity":
		return doc.Identity
	case "state":
		return doc.State
	case "auth":
		return doc.Auth
	}
	return ""
}

func (t *mongoTest) below(m map[string]any, steps []Step) bool {
	if len(steps) == 0 {
		return t.holds(m)
	}
	v, ok := m[steps[0].Key]
	if !ok {
		return t.absent()
	}
	return t.walk(v, steps[1:])
}

// mongoNames treats a list of names as the list it is stored as.
func (t *mongoTest) names(names []string, steps []Step) bool {
	switch {
	case len(steps) > 1:
		return false
	case len(steps) == 1:
		at := steps[0].Pos
		return at >= 0 && at < len(names) && t.holds(names[at])
	}
	if t.opensLists() {
		for _, name := range names {
			if t.holds(name) {
				return true
			}
		}
	}
	if t.opensLists() && t.op != "type" && t.want.Kind != "list" {
		return false // one word is never equal to a list
	}
	return t.holds(anyNames(names))
}

func anyNames(names []string) []any {
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return list
}

// mongoElement looks at an element of $elemMatch: as it is, or as a document,
// which a list is by its positions.
func (t *mongoTest) element(el any, steps []Step) bool {
	if len(steps) == 0 {
		return t.holds(el)
	}
	if list, ok := el.([]any); ok {
		if at := steps[0].Pos; at >= 0 && at < len(list) {
			return t.walk(list[at], steps[1:])
		}
		return t.absent()
	}
	return t.walk(el, steps)
}

func (t *mongoTest) walk(v any, steps []Step) bool {
	list, isList := v.([]any)
	switch {
	case isList && len(steps) > 0:
		return t.list(list, steps)
	case isList:
		if t.opensLists() && slices.ContainsFunc(list, func(el any) bool { return t.holds(el) }) {
			return true
		}
		return t.holds(v)
	case len(steps) == 0:
		return t.holds(v)
	}
	if m, ok := v.(map[string]any); ok {
		return t.below(m, steps)
	}
	return t.absent()
}

// mongoList follows a path through a list: into its documents, and to the
// element whose position the next step names.
func (t *mongoTest) list(list []any, steps []Step) bool {
	for i, el := range list {
		m, isMap := el.(map[string]any)
		if isMap && t.below(m, steps) {
			return true
		}
		if steps[0].Pos != i {
			continue
		}
		_, isList := el.([]any)
		switch {
		case len(steps) == 1:
			if t.holds(el) {
				return true
			}
		case isMap || isList:
			if t.walk(el, steps[1:]) {
				return true
			}
		}
	}
	return false
}

// opensLists reports whether op looks at the elements of a list at the end of
// the path too.
func (t *mongoTest) opensLists() bool {
	return t.op != "exists" && t.op != "size" && t.op != "elemMatch"
}

// mongoAbsent is the answer where there is no value.
func (t *mongoTest) absent() bool {
	switch t.op {
	case "=", "<=", ">=":
		return t.want.Kind == "null"
	case "in":
		return slices.ContainsFunc(t.want.List, func(m Value) bool { return m.Kind == "null" })
	}
	return false
}

// mongoHolds asks one value.
func (t *mongoTest) holds(v any) bool {
	want := t.want
	switch t.op {
	case "exists":
		return true
	case "=":
		return mongoEqual(v, want)
	case "in":
		return mongoIn(v, want)
	case "=~":
		return mongoMatches(v, want.Regexp)
	case "type":
		return slices.ContainsFunc(want.List, func(t Value) bool { return mongoIsType(v, t.Text) })
	case "size":
		list, ok := v.([]any)
		return ok && float64(len(list)) == want.number.float
	case "elemMatch":
		return t.elements(v)
	case "mod":
		return mongoMod(v, want.List[0].number.float, want.List[1].number.float)
	}
	if mongoRank(v) != want.mongoRank() {
		return false // only values of one type have an order
	}
	order := mongoOrder(v, want)
	switch t.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// elements reports whether one element of a list satisfies the whole of
// $elemMatch. Conditions on fields need an element that is a document, which a
// list counts as.
func (t *mongoTest) elements(v any) bool {
	list, _ := v.([]any)
	inner := *t.scope
	whole := asksElement(t.has.Expr)
	for _, el := range list {
		_, isMap := el.(map[string]any)
		_, isList := el.([]any)
		if !whole && !isMap && !isList {
			continue
		}
		inner.element = el
		if matches(t.has.Expr, &inner) {
			return true
		}
	}
	return false
}

// asksElement reports whether the conditions of $elemMatch are about the
// element itself and not about its fields; they never mix.
func asksElement(e Expr) bool {
	switch e := e.(type) {
	case And:
		return len(e) > 0 && asksElement(e[0])
	case Or:
		return len(e) > 0 && asksElement(e[0])
	case Not:
		return asksElement(e.Expr)
	case *Compare:
		return len(e.Path.Steps) == 0
	case *Has:
		return len(e.Path.Steps) == 0
	case All, *Subquery, *Changed:
	}
	return false
}

func mongoIn(v any, want *Value) bool {
	if text, ok := v.(string); ok && want.set != nil {
		if _, near := want.set[strings.ToLower(text)]; !near {
			return false
		}
	}
	for i := range want.List {
		if m := &want.List[i]; m.Kind == "regex" && mongoMatches(v, m.Regexp) || mongoEqual(v, m) {
			return true
		}
	}
	return false
}

func mongoMatches(v any, re *regexp.Regexp) bool {
	text, ok := v.(string)
	return ok && re.MatchString(text[:min(len(text), maxValue)])
}
