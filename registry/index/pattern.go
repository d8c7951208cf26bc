package index

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// pattern matches as a regular expression does, faster for the usual ones:
// literal texts with .* between them.
type pattern struct {
	re *regexp.Regexp

	parts   []string // not nil: literals that follow each other, all that re says
	atStart bool     // the first is a prefix
	atEnd   bool     // the last is a suffix
	oneLine bool     // nothing between them may hold a line feed
	must    string   // a literal that stands in every match
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
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
	}
	atStart, atEnd := subs[0].Op == syntax.OpBeginText, subs[len(subs)-1].Op == syntax.OpEndText
	if atStart {
		subs = subs[1:]
	}
	if atEnd && len(subs) > 0 {
		subs = subs[:len(subs)-1]
	}
	var parts []string
	for i, sub := range subs {
		switch {
		case sub.Op == syntax.OpLiteral && sub.Flags&syntax.FoldCase == 0:
			if i > 0 && subs[i-1].Op == syntax.OpLiteral {
				return
			}
			parts = append(parts, string(sub.Rune))
		case sub.Op == syntax.OpStar && (sub.Sub[0].Op == syntax.OpAnyChar || sub.Sub[0].Op == syntax.OpAnyCharNotNL):
			p.oneLine = p.oneLine || sub.Sub[0].Op == syntax.OpAnyCharNotNL
			atStart = atStart && i > 0
			atEnd = atEnd && i < len(subs)-1
		default:
			return
		}
	}
	if len(parts) > 0 {
		p.parts, p.atStart, p.atEnd = parts, atStart, atEnd
	}
}

func (p *pattern) matches(s string) bool {
	if len(p.must) > 0 && !strings.Contains(s, p.must) {
		return false
	}
	if p.parts == nil || p.oneLine && strings.IndexByte(s, '\n') >= 0 {
		return p.re.MatchString(s)
	}
	parts := p.parts
	if p.atStart {
		if !strings.HasPrefix(s, parts[0]) {
			return false
		}
		s, parts = s[len(parts[0]):], parts[1:]
	}
	last := ""
	if p.atEnd {
		if len(parts) == 0 { // ^x$
			return s == ""
		}
		last, parts = parts[len(parts)-1], parts[:len(parts)-1]
	}
	for _, part := range parts {
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return strings.HasSuffix(s, last)
}
