package query

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// cleanText refuses what no dialect can hold: NUL and text that is not UTF-8.
// Every front end may rely on it.
func cleanText(d Dialect, text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &SyntaxError{Dialect: d, Text: text, Offset: i, End: i + 1, Problem: "a query can not hold a NUL character"}
	}
	if utf8.ValidString(text) {
		return nil
	}
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
			return &SyntaxError{Dialect: d, Text: text, Offset: i, End: i + 1, Problem: "this is not UTF-8 text"}
		}
	}
	return nil
}

// tag names the dialect of an error that does not name one yet.
func tag(err error, d Dialect) error {
	if syn, ok := errors.AsType[*SyntaxError](err); ok && syn.Dialect == "" {
		syn.Dialect = d
	}
	return err
}

// finish gives an error the text it is about.
func finish(err error, text string) error {
	syn, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		return &SyntaxError{Text: text, End: len(text), Problem: err.Error()}
	}
	syn.Text = text
	syn.Offset = min(max(syn.Offset, 0), len(syn.Text))
	syn.End = min(max(syn.End, syn.Offset), len(syn.Text))
	return syn
}
