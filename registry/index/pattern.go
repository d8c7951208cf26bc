package index

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern matches as a regular expression does, faster for the usual ones:
// texts of known length with .* between them.
type pattern struct {
	re *regexp.Regexp

	parts   []stretch // not nil: these follow each other, which is all that re says
	atStart bool      // the first is a prefix
	atEnd   bool      // the last is a suffix
	oneLine bool      // nothing between them may hold a line feed
	must    string    // a literal that stands in every match
}

func newPattern(re *regexp.Regexp) *pattern {
	p := &pattern{re: re}
	parsed, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return p
	}
	parsed = parsed.Simplify()
	p.must = longestLiteral(parsed)
	p.split(parsed)
	return p
}

// longestLiteral is the longest literal that stands in every match.
func longestLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return longestLiteral(re.Sub[0])
	case syntax.OpConcat:
		best := ""
		for _, sub := range re.Sub {
			if s := longestLiteral(sub); len(s) > len(best) {
				best = s
			}
		}
		return best
	default: // it may match without any literal
	}
	return ""
}

// split finds the parts, if there is nothing but parts.
func (p *pattern) split(re *syntax.Regexp) {
	subs := flat(re)
	atStart, atEnd := subs[0].Op == syntax.OpBeginText, subs[len(subs)-1].Op == syntax.OpEndText
	if atStart {
		subs = subs[1:]
	}
	if atEnd && len(subs) > 0 {
		subs = subs[:len(subs)-1]
	}
	var parts []stretch
	var part stretch
	for i, sub := range subs {
		if sub.Op == syntax.OpStar && (sub.Sub[0].Op == syntax.OpAnyChar || sub.Sub[0].Op == syntax.OpAnyCharNotNL) {
			p.oneLine = p.oneLine || sub.Sub[0].Op == syntax.OpAnyCharNotNL
			atStart = atStart && i > 0
			atEnd = atEnd && i < len(subs)-1
			if part.length > 0 {
				parts, part = append(parts, part), stretch{}
			}
		} else if !part.add(sub) {
			return
		}
	}
	if part.length > 0 {
		parts = append(parts, part)
	}
	if len(parts) > 0 && !slices.ContainsFunc(parts, func(part stretch) bool { return part.literal == "" }) {
		p.parts, p.atStart, p.atEnd = parts, atStart, atEnd
	}
}

// flat is what follows each other in an expression.
func flat(re *syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpConcat, syntax.OpCapture:
		var subs []*syntax.Regexp
		for _, sub := range re.Sub {
			subs = append(subs, flat(sub)...)
		}
		return subs
	default:
		return []*syntax.Regexp{re}
	}
}

func (p *pattern) matches(s string) bool {
	if p.parts == nil || p.oneLine && strings.IndexByte(s, '\n') >= 0 {
		return (p.must == "" || strings.Contains(s, p.must)) && p.re.MatchString(s)
	}
	parts := p.parts
	if p.atStart {
		if !parts[0].starts(s) {
			return false
		}
		s, parts = s[parts[0].length:], parts[1:]
		if p.atEnd && len(parts) == 0 { // ^x$
			return s == ""
		}
	}
	var last *stretch
	if p.atEnd {
		last, parts = &parts[len(parts)-1], parts[:len(parts)-1]
	}
	for i := range parts {
		at := parts[i].index(s)
		if at < 0 {
			return false
		}
		s = s[at+parts[i].length:]
	}
	return last == nil || len(s) >= last.length && last.starts(s[len(s)-last.length:])
}

// stretch is texts of one length: a literal, and classes of ASCII and other
// literals around it. Its zero value is the empty text.
type stretch struct {
	length  int
	literal string // the longest
	at      int    // where that stands
	others  []class
}

// class is what may stand at a place.
type class struct {
	at     int
	ranges []rune // from, to, from, to
}

// add appends what an expression matches; it is false if that is not of one
// length.
func (t *stretch) add(re *syntax.Regexp) bool {
	switch {
	case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0:
		text := string(re.Rune)
		if len(text) > len(t.literal) {
			t.stand(t.literal, t.at)
			t.literal, t.at = text, t.length
		} else {
			t.stand(text, t.length)
		}
		t.length += len(text)
	case re.Op == syntax.OpCharClass && len(re.Rune) > 0 && re.Rune[len(re.Rune)-1] < utf8.RuneSelf:
		t.others = append(t.others, class{t.length, re.Rune})
		t.length++
	default:
		return false
	}
	return true
}

// stand has a literal that is not the longest stand at a place.
func (t *stretch) stand(literal string, at int) {
	for i := range len(literal) {
		b := rune(literal[i])
		t.others = append(t.others, class{at + i, []rune{b, b}})
	}
}

// index returns where the first text of the stretch begins in s, or -1.
func (t *stretch) index(s string) int {
	for from := 0; from+t.length <= len(s); {
		at := strings.Index(s[from+t.at:], t.literal)
		if at < 0 {
			return -1
		}
		from += at
		if t.fits(s[from:]) {
			return from
		}
		from++
	}
	return -1
}

// starts reports whether s begins with a text of the stretch.
func (t *stretch) starts(s string) bool {
	return len(s) >= t.length && s[t.at:t.at+len(t.literal)] == t.literal && t.fits(s)
}

// fits reports whether s, in which the literal stands, begins with a text of the
// stretch.
func (t *stretch) fits(s string) bool {
	if len(s) < t.length {
		return false
	}
	for i := range t.others {
		if o := &t.others[i]; !o.holds(rune(s[o.at])) {
			return false
		}
	}
	return true
}

func (c *class) holds(b rune) bool {
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= b && b <= c.ranges[i+1] {
			return true
		}
	}
	return false
}
