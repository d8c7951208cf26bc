package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError reports text that is not a query in its dialect.
//
// Offset and End count bytes of Text from zero and enclose what is wrong; an
// error at the end of the text has Offset == End == len(Text).
type SyntaxError struct {
	Dialect Dialect // the dialect the text was read as
	Text    string  // the query as given
	Offset  int
	End     int
	Problem string // what is wrong there, without punctuation
	Want    string // what would be right there; empty if nothing helps
	Hint    string // a way out: the dialect it reads as, a rule that explains it; empty if there is none

	// Suggestion is a corrected query that parses; empty if there is none.
	Suggestion string

	inPattern bool // the mistake is within a regular expression
}

// Error is one line: dialect, column, problem, what is wanted and the way out.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s query: column %d: %s", e.Dialect, e.Column(), e.Problem)
	if e.Want != "" {
		fmt.Fprintf(&b, "; want %s", e.Want)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	if e.Suggestion != "" {
		fmt.Fprintf(&b, "; did you mean: %s", e.Suggestion)
	}
	return printable(strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == '\n' || r == '\r' }), " "))
}

// Column is where the mistake begins in its line, in characters from 1.
func (e *SyntaxError) Column() int {
	return utf8.RuneCountInString(e.Text[e.lineStart():e.Offset]) + 1
}

func (e *SyntaxError) lineStart() int {
	return strings.LastIndexByte(e.Text[:e.Offset], '\n') + 1
}

// Snippet is two lines: the line with the mistake, and a caret under it. A
// long line is cut around the caret.
func (e *SyntaxError) Snippet() string {
	start := e.lineStart()
	line, _, _ := strings.Cut(e.Text[start:], "\n")
	before := []rune(e.Text[start:e.Offset])
	after := []rune(line[e.Offset-start:])
	const side = 60
	lead, tail := "", ""
	if len(before) > side {
		before, lead = before[len(before)-side:], "…"
	}
	if len(after) > side {
		after, tail = after[:side], "…"
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, lead+string(before))
	marks := max(1, min(len(after), utf8.RuneCountInString(e.Text[e.Offset:max(e.Offset, min(e.End, start+len(line)))])))
	return printable(lead+string(before)+string(after)+tail) + "\n" + pad + strings.Repeat("^", marks)
}

// printable replaces what would move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r == 0x7f) {
			return '·'
		}
		return r
	}, s)
}
