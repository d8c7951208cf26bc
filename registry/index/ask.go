package index

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/query"
)

// test is a comparison asked of single values. What is not told quickly,
// [query.Matches] tells, of a document that holds nothing but the value.
type test struct {
	ask  query.Compare // about the fact "v", or what is below it
	expr query.Expr    // not nil: what is asked instead of ask

	// Of a text that stands alone, and of each text in a list.
	words   []string // not nil: it holds if it is one of them
	pattern *pattern // not nil: it holds if this matches
	negated bool     // it holds if it does not

	inside []string // not nil: a list that holds none of these, as texts, fails
	marks  []uint64 // those of inside, or of words if a list without them fails

	numbers *steps // not nil: tells of numbers
	long    bool   // a text of which only the beginning is kept is told like that
	other   bool   // tell says the opposite
}

func (t *test) mark(words []string) {
	for _, word := range words {
		t.marks = append(t.marks, mark([]byte(word)))
	}
}

// invert makes t tell the opposite.
func (t *test) invert() { t.other = true }

// oneText reports whether what satisfies t are words and nothing else.
func (t *test) oneText() bool {
	return t.words != nil && !t.negated && !t.other && (t.ask.Quant != "none" || t.ask.View == "mongo")
}

// verdict is what is known of a value.
type verdict uint8

const (
	never verdict = iota
	always
	unsure // the node's document is needed
)

func verdictOf(holds bool) verdict {
	if holds {
		return always
	}
	return never
}

// newTest compiles c for what is at its path, or at a value on the way from
// where rest of the steps are to be walked.
func newTest(c *query.Compare, rest []query.Step, now time.Time) *test {
	t := &test{ask: *c, negated: c.Op == "!=" || c.Op == "!~" || c.Op == "not in"}
	t.ask.Path = query.Path{Field: "facts", Steps: append([]query.Step{{Kind: "name", Key: "v", Pos: -1}}, rest...)}
	t.long = c.View != "version" && longest(&c.Value) < maxText
	if c.Count {
		return t
	}
	if len(rest) > 0 {
		keys := c.View == "text" || slices.ContainsFunc(rest, func(s query.Step) bool { return s.Kind == "keys" })
		if plainView(c) && !keys && !t.negated && !c.Absent && (c.Quant == "any" || c.View == "mongo") {
			t.inside = plainWords(c)
			t.mark(t.inside)
		}
		return t
	}
	if plainView(c) {
		t.words = plainWords(c)
		if !t.negated && (c.Quant == "any" || c.View == "mongo") {
			t.mark(t.words)
		}
	}
	if plainView(c) || c.View == "host" {
		if c.Value.Kind == "regex" && c.Value.Regexp != nil && slices.Contains([]string{"=", "!=", "=~", "!~"}, c.Op) {
			t.pattern = newPattern(c.Value.Regexp)
		}
	}
	if c.View == "mongo" && t.pattern != nil && c.Op != "=~" && c.Op != "!~" {
		t.pattern = nil
	}
	t.numbers = numberSteps(&t.ask, now)
	return t
}

// plainView reports whether c reads texts as they are.
func plainView(c *query.Compare) bool {
	return !c.Fold && slices.Contains([]string{"native", "text", "typed", "mongo"}, c.View)
}

// longest is the length of the longest text in a value.
func longest(v *query.Value) int {
	n := len(v.Text)
	for i := range v.List {
		n = max(n, longest(&v.List[i]))
	}
	for key, field := range v.Object {
		n = max(n, len(key), longest(&field))
	}
	return n
}

// plainWords returns the texts that are all that satisfies an equality, before
// a negation: they are not what a number, a boolean, a date or null reads as.
func plainWords(c *query.Compare) []string {
	members := []query.Value{c.Value}
	switch c.Op {
	case "=", "!=":
	case "in", "not in":
		if c.Value.Kind != "list" {
			return nil
		}
		members = c.Value.List
	default:
		return nil
	}
	words := make([]string, 0, len(members))
	for _, m := range members {
		if m.Kind != "text" || !plainWord(m.Text) {
			return nil
		}
		words = append(words, m.Text)
	}
	if len(words) == 0 || len(words) > 16 {
		return nil
	}
	return words
}

func plainWord(s string) bool {
	if s == "" || s == "true" || s == "false" || len(s) >= maxText {
		return false
	}
	if strings.IndexByte("+-.0123456789IiNn", s[0]) < 0 {
		return true
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil || strings.ContainsAny(s, "eE") && json.Valid([]byte(s)) {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err != nil
}

// single is the verdict on a value that stands alone, by whether it holds.
func (t *test) single(holds bool) verdict {
	return verdictOf(holds != (t.ask.Quant == "none" && t.ask.View != "mongo"))
}

// text tells of a text; ok is false if Matches has to be asked.
func (t *test) text(s string) (holds, ok bool) {
	switch {
	case t.words != nil:
		return slices.Contains(t.words, s) != t.negated, true
	case t.pattern != nil:
		return t.pattern.matches(s) != t.negated, true
	}
	return false, false
}

func (t *test) question() query.Expr {
	if t.expr != nil {
		return t.expr
	}
	return &t.ask
}

// asker asks Matches about values. It is for one goroutine.
type asker struct {
	facts map[string]any // nil until it is needed
	doc   query.Document
	now   time.Time
}

func newAsker(now time.Time) *asker { return &asker{now: now} }

func (a *asker) holds(t *test, v any) bool {
	if a.facts == nil {
		a.facts = map[string]any{}
		a.doc.Facts = a.facts
	}
	a.facts["v"] = v
	return query.Matches(t.question(), &a.doc, a.now)
}

// absent asks about a node that has nothing at the path.
func (a *asker) absent(t *test) bool {
	delete(a.facts, "v")
	return query.Matches(t.question(), &a.doc, a.now)
}

// tell judges one cell.
func (t *test) tell(f *forest, at cell, a *asker) verdict {
	is := t.judge(f, at, a)
	if t.other && is != unsure {
		return always - is
	}
	return is
}

func (t *test) judge(f *forest, at cell, a *asker) verdict {
	switch at.code.kind() {
	case text:
		if holds, ok := t.text(f.pool.text(at.code)); ok {
			return t.single(holds)
		}
	case cut:
		s := f.pool.text(at.code)
		if holds, ok := t.text(s); ok {
			return t.single(holds)
		}
		// Text that can be a number or a date reads differently when cut.
		if !t.long || strings.IndexByte("+-.0123456789v", s[0]) >= 0 {
			return unsure
		}
	case scalar:
		if t.numbers != nil {
			if n, ok := numberOf(f.pool, at.code); ok {
				if v, ok := t.numbers.tell(n); ok {
					return v
				}
			}
		}
	case list:
		b := f.pool.bytes(at.code)
		if t.inside != nil && !slices.ContainsFunc(t.inside, func(word string) bool { return bytes.Contains(b, []byte(word)) }) {
			return never
		}
		if v, ok := t.list(b); ok {
			return v
		}
	case fixed:
		switch at.code {
		case tooBig:
			return unsure
		case intHere, floatHere:
			if t.numbers != nil {
				if v, ok := t.numbers.tell(at); ok {
					return v
				}
			}
		default: // null and booleans are asked for
		}
	case object, moment, members:
	}
	return verdictOf(a.holds(t, f.value(at)))
}

// list tells of a list that holds nothing but texts.
func (t *test) list(b []byte) (verdict, bool) {
	if t.words == nil && t.pattern == nil || t.ask.Quant == "self" && t.ask.View != "mongo" {
		return 0, false
	}
	r := reader{b: b[1:]}
	some, failed := false, false
	for range r.uvarint() {
		if r.b[0] != 's' {
			return 0, false
		}
		r.b = r.b[1:]
		holds, _ := t.text(r.text())
		some, failed = some || holds, failed || !holds
	}
	switch {
	case t.ask.View == "mongo" && t.negated:
		return verdictOf(!failed), true // text holds unless it is the word
	case t.ask.View == "mongo", t.ask.Quant == "any":
		return verdictOf(some), true
	case t.ask.Quant == "all":
		return verdictOf(!failed), true
	case t.ask.Quant == "none":
		return verdictOf(!some), true
	}
	return 0, false
}
