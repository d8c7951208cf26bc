package query

import "time"

// Matches reports whether doc satisfies e, ages being counted to now. It is
// the language: indexes and databases may answer faster, never differently.
func Matches(e Expr, doc *Document, now time.Time) bool {
	return matches(e, &scope{doc: doc, now: now})
}

// scope is what a comparison can look at: a node and, inside Has, one element.
type scope struct {
	doc     *Document
	element any
	key     string // the element's name, if it stands in a map
	path    []any  // of a leaf among "contents", from the top
	now     time.Time
}

func matches(e Expr, s *scope) bool {
	switch e := e.(type) {
	case All:
		return true
	case And:
		for _, part := range e {
			if !matches(part, s) {
				return false
			}
		}
		return true
	case Or:
		for _, part := range e {
			if matches(part, s) {
				return true
			}
		}
		return false
	case Not:
		return !matches(e.Expr, s)
	case *Compare:
		return e.matches(s)
	case *Has:
		return e.matches(s)
	case *Subquery, *Changed:
		return false // the caller resolves both before asking
	}
	return false
}

// tally is what was seen of the values that a path leads to.
type tally struct {
	present bool // the path leads somewhere
	some    bool // a value satisfied the comparison
	failed  bool // a value did not
	count   int
}

// answer is what the tally means under a quantifier.
func (t *tally) answer(quant string, absent bool) bool {
	switch {
	case !t.present:
		return absent
	case quant == "all":
		return !t.failed
	case quant == "none":
		return !t.some
	}
	return t.some
}

func (c *Compare) matches(s *scope) bool {
	if c.View == "mongo" {
		return c.matchesMongo(s)
	}
	var t tally
	switch c.Path.Field {
	case "facts":
		c.below(s.doc.Facts, s, &t)
	case "trusted":
		c.below(s.doc.Trusted, s, &t)
	case "live":
		c.below(s.doc.Extra, s, &t)
	case "element":
		c.reach(s.element, c.Path.Steps, s, &t)
	case "key":
		c.leaf(s.key, s, &t)
	case "identity":
		c.leaf(s.doc.Identity, s, &t)
	case "state":
		c.leaf(s.doc.State, s, &t)
	case "auth":
		c.leaf(s.doc.Auth, s, &t)
	case "seen":
		if c.Op != "exists" || !s.doc.Seen.IsZero() {
			c.leaf(s.doc.Seen, s, &t)
		}
	case "classes":
		c.names(s.doc.Classes, s, &t)
	case "agents":
		if c.View == "agent" {
			c.each("mcollective", s, &t)
		}
		c.names(s.doc.Agents, s, &t)
	case "collectives":
		c.names(s.doc.Collectives, s, &t)
	case "path":
		c.leaf(s.path, s, &t)
	case "fact":
		t.present = true
		for name := range s.doc.Facts {
			c.each(name, s, &t)
		}
	}
	switch {
	case c.Count:
		return c.counted(&t, s)
	case c.Op == "exists":
		return t.present
	}
	return t.answer(c.Quant, c.Absent)
}

// below looks under the top-level names of a document. A map without steps is
// present itself.
func (c *Compare) below(top map[string]any, s *scope, t *tally) {
	if c.Path.Flat != "" {
		if v, ok := top[c.Path.Flat]; ok {
			c.leaf(v, s, t)
			return
		}
	}
	c.reachMap(top, c.Path.Steps, s, t)
}

// names compares a list of names. It is there even if it is empty, so that a
// node without classes is one that has not a class.
func (c *Compare) names(names []string, s *scope, t *tally) {
	t.present = c.Op != "exists" || len(names) > 0
	for _, name := range names {
		c.each(name, s, t)
	}
}

// reach follows steps from v and gives what it finds to leaf.
func (c *Compare) reach(v any, steps []Step, s *scope, t *tally) {
	if len(steps) == 0 {
		c.leaf(v, s, t)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		c.reachMap(v, steps, s, t)
	case []any:
		step, rest := steps[0], steps[1:]
		switch {
		case step.Kind == "any":
			for _, el := range v {
				c.reach(el, rest, s, t)
			}
		case step.Kind == "deep":
			c.reach(v, rest, s, t)
			for _, el := range v {
				c.reach(el, steps, s, t)
			}
		case step.Kind == "keys":
			// A list has no keys.
		case step.Pos >= 0:
			if step.Pos < len(v) {
				c.reach(v[step.Pos], rest, s, t)
			}
		default:
			for _, el := range v { // a name below a list is looked up in each of its maps
				if m, ok := el.(map[string]any); ok {
					c.reachMap(m, steps, s, t)
				}
			}
		}
	default:
		if steps[0].Kind == "deep" {
			c.reach(v, steps[1:], s, t)
		}
	}
}

func (c *Compare) reachMap(m map[string]any, steps []Step, s *scope, t *tally) {
	if len(steps) == 0 {
		c.leaf(m, s, t)
		return
	}
	switch step, rest := steps[0], steps[1:]; step.Kind {
	case "name":
		if v, ok := m[step.Key]; ok {
			c.reach(v, rest, s, t)
		}
	case "any":
		for _, v := range m {
			c.reach(v, rest, s, t)
		}
	case "keys":
		t.present = true
		for key := range m {
			c.each(key, s, t)
		}
	case "deep":
		c.reachMap(m, rest, s, t)
		for _, v := range m {
			c.reach(v, steps, s, t)
		}
	}
}

// leaf compares what a path led to: a list by its elements, unless it is meant
// whole; a map by its keys, where the ancestor did.
func (c *Compare) leaf(v any, s *scope, t *tally) {
	t.present = true
	if c.Quant == "self" {
		c.each(v, s, t)
		return
	}
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			c.each(el, s, t)
		}
		return
	case map[string]any:
		if c.View == "text" || c.Count {
			for key := range v {
				c.each(key, s, t)
			}
			return
		}
	}
	c.each(v, s, t)
}

// each notes whether one value satisfies the comparison.
func (c *Compare) each(v any, s *scope, t *tally) {
	t.count++
	if c.Count {
		return
	}
	if c.holds(v, s) {
		t.some = true
	} else {
		t.failed = true
	}
}

// counted compares the number of values; an absent path has none.
func (c *Compare) counted(t *tally, s *scope) bool {
	return c.holds(int64(t.count), s)
}

func (h *Has) matches(s *scope) bool {
	if h.View == "mongo" {
		return h.matchesMongo(s)
	}
	var t tally
	switch h.Path.Field {
	case "facts":
		if v, ok := s.doc.Facts[h.Path.Flat]; ok && h.Path.Flat != "" {
			h.leaf(v, s, &t)
		} else {
			h.reach(s.doc.Facts, h.Path.Steps, s, &t)
		}
	case "trusted":
		h.reach(s.doc.Trusted, h.Path.Steps, s, &t)
	case "element":
		h.reach(s.element, h.Path.Steps, s, &t)
	case "classes", "contents":
		h.rows(s, &t)
	}
	return t.answer(h.Quant, false)
}

// reach follows steps as Compare's does; what they lead to is a collection.
func (h *Has) reach(v any, steps []Step, s *scope, t *tally) {
	if len(steps) == 0 {
		h.leaf(v, s, t)
		return
	}
	step, rest := steps[0], steps[1:]
	switch v := v.(type) {
	case map[string]any:
		if step.Kind == "any" {
			for _, el := range v {
				h.reach(el, rest, s, t)
			}
		} else if el, ok := v[step.Key]; ok && step.Kind == "name" {
			h.reach(el, rest, s, t)
		}
	case []any:
		switch {
		case step.Kind == "any":
			for _, el := range v {
				h.reach(el, rest, s, t)
			}
		case step.Pos >= 0 && step.Pos < len(v):
			h.reach(v[step.Pos], rest, s, t)
		}
	}
}

func (h *Has) leaf(v any, s *scope, t *tally) {
	t.present = true
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			h.each(el, "", s, t)
		}
	case map[string]any:
		for key, el := range v {
			h.each(el, key, s, t)
		}
	}
}

func (h *Has) each(el any, key string, s *scope, t *tally) {
	if matches(h.Expr, &scope{doc: s.doc, element: el, key: key, now: s.now}) {
		t.some = true
	} else {
		t.failed = true
	}
}
