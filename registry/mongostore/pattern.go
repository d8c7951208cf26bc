package mongostore

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// widened writes a regular expression anew for the server, which has other ones:
// from the syntax tree, with nothing in it that the two read differently. It
// matches wherever re does, and without what lies at its end more: re is held
// against the beginning of a long text only.
func widened(re *regexp.Regexp) string {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return "" // which matches everything
	}
	var b strings.Builder
	write(&b, tree)
	if b.Len() > maxPattern {
		return ""
	}
	return b.String()
}

// maxPattern is how long a pattern may be for the server, with room to spare.
const maxPattern = 16 << 10

// anyRune is one character, whatever it is.
const anyRune = `[\x{0}-\x{10ffff}]`

func write(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpNoMatch:
		b.WriteString(`[^\x{0}-\x{10ffff}]`)
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 {
				writeClass(b, foldsOf(r))
			} else {
				writeClass(b, []rune{r, r})
			}
		}
	case syntax.OpCharClass:
		writeClass(b, re.Rune)
	case syntax.OpAnyCharNotNL:
		b.WriteString(`[\x{0}-\x{9}\x{b}-\x{10ffff}]`)
	case syntax.OpAnyChar:
		b.WriteString(anyRune)
	case syntax.OpBeginText:
		b.WriteString(`\A`)
	case syntax.OpCapture:
		writeGroup(b, re.Sub[0])
	case syntax.OpStar:
		writeGroup(b, re.Sub[0])
		b.WriteString("*")
	case syntax.OpPlus:
		writeGroup(b, re.Sub[0])
		b.WriteString("+")
	case syntax.OpQuest:
		writeGroup(b, re.Sub[0])
		b.WriteString("?")
	case syntax.OpRepeat:
		writeGroup(b, re.Sub[0])
		if re.Max < 0 {
			fmt.Fprintf(b, "{%d,}", re.Min)
		} else {
			fmt.Fprintf(b, "{%d,%d}", re.Min, re.Max)
		}
	case syntax.OpConcat:
		for _, part := range re.Sub {
			if part.Op == syntax.OpAlternate {
				writeGroup(b, part)
			} else {
				write(b, part)
			}
		}
	case syntax.OpAlternate:
		for i, part := range re.Sub {
			if i > 0 {
				b.WriteString("|")
			}
			write(b, part)
		}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		// Where a text is cut, or what a letter is, the server sees otherwise.
	}
}

func writeGroup(b *strings.Builder, re *syntax.Regexp) {
	if slices.Contains([]syntax.Op{syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpBeginText}, re.Op) {
		write(b, re)
		return
	}
	b.WriteString("(?:")
	write(b, re)
	b.WriteString(")")
}

// writeClass writes ranges of characters as one.
func writeClass(b *strings.Builder, ranges []rune) {
	if len(ranges) == 2 && ranges[0] == ranges[1] {
		writeRune(b, ranges[0])
		return
	}
	b.WriteString("[")
	for i := 0; i+1 < len(ranges); i += 2 {
		writeRune(b, ranges[i])
		if ranges[i+1] > ranges[i] {
			b.WriteString("-")
			writeRune(b, ranges[i+1])
		}
	}
	b.WriteString("]")
}

// writeRune writes a character so that it stands for nothing else.
func writeRune(b *strings.Builder, r rune) {
	if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
		b.WriteRune(r)
	} else {
		fmt.Fprintf(b, `\x{%x}`, r)
	}
}

// foldsOf are all characters that are one but for case, as ranges.
func foldsOf(r rune) []rune {
	ranges := []rune{r, r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		ranges = append(ranges, f, f)
	}
	return ranges
}

// anyCase is a pattern for an ASCII name spelled in any case; not ok: it is not
// ASCII.
func anyCase(name string) (pattern string, ok bool) {
	if !isASCII(name) {
		return "", false
	}
	var b strings.Builder
	for _, r := range name {
		writeClass(&b, foldsOf(r))
	}
	return b.String(), true
}

// globbed is a pattern for what is like a glob of ASCII characters.
func globbed(glob string) string {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, r := range glob {
		switch r {
		case '*':
			b.WriteString(anyRune + "*")
		case '?':
			b.WriteString(anyRune)
		default:
			writeClass(&b, []rune{r, r})
		}
	}
	b.WriteString(`\z`)
	return b.String()
}
