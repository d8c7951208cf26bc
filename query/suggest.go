package query

import (
	"errors"
	"fmt"
	"strings"
)

// maxAdvised is the longest text that is read again and again to find what was
// meant. Longer ones were written by programs.
const maxAdvised = 2 << 10

// advise adds to a mistake what helps its author: a corrected query, and the
// dialect as which the text would be read.
func (r *reader) advise(err error, text string, d Dialect) error {
	syn, ok := errors.AsType[*SyntaxError](err)
	if !ok || r.trying || syn.Text != text || len(text) > maxAdvised {
		return err
	}
	try := func(text string, d Dialect) bool {
		o := r.Options
		o.Dialect = d
		_, err := (&reader{Options: o, trying: true}).parse(text)
		return err == nil
	}
	if syn.Suggestion == "" {
		for _, fixed := range corrections(syn, d) {
			if fixed != text && try(fixed, d) {
				syn.Suggestion = fixed
				break
			}
		}
	}
	if syn.Suggestion == "" && d != dialectMongo && d != dialectAST {
		syn.Suggestion = joined(text, syn, d, r.Options)
	}
	if syn.Hint != "" {
		return err
	}
	if strings.TrimSpace(text) != "" {
		for _, other := range Dialects()[1:] {
			if other == d || other == dialectSelect && d == dialectNative || other == dialectWith && !strings.Contains(syn.Problem, "can not stand here") {
				continue // these take nearly any text, so that it says little
			}
			if try(text, other) {
				syn.Hint = fmt.Sprintf("this reads as %s, which --dialect %s forces", other, other)
				return err
			}
		}
	}
	if (r.Dialect == "" || r.Dialect == dialectAuto) && strings.ContainsAny(text, "{}[]:$") {
		switch d {
		case dialectNative, dialectWith:
			syn.Hint = fmt.Sprintf("read as %s, since it does not begin with {, [ or an entity; pql begins with one, as in inventory { … }", d)
		default:
			syn.Hint = fmt.Sprintf("read as %s because of how it begins; --dialect forces another", d)
		}
	}
	return err
}

// joined puts an and between all that stands side by side; empty if that does
// not help.
func joined(text string, e *SyntaxError, d Dialect, o Options) string {
	o.Dialect = d
	for range 10 {
		if !strings.HasSuffix(e.Problem, "can not stand here") || e.Offset == 0 || e.Offset >= len(text) {
			return ""
		}
		last := e.Offset
		text = text[:last] + "and " + text[last:]
		_, err := (&reader{Options: o, trying: true}).parse(text)
		if err == nil {
			return text
		}
		var ok bool
		if e, ok = errors.AsType[*SyntaxError](err); !ok || e.Offset <= last {
			return ""
		}
	}
	return ""
}

// corrections are texts that the author may have meant, the likeliest first.
func corrections(e *SyntaxError, d Dialect) []string {
	text := e.Text
	var fixed []string
	replace := func(from, to int, with string) { fixed = append(fixed, text[:from]+with+text[to:]) }
	word := text[e.Offset:e.End]
	if d == dialectMongo || d == dialectPQL || d == dialectAST {
		fixed = serverCorrections(e)
	}
	if !e.inPattern && (d == dialectNative || d == dialectSelect) {
		if with, ok := synonyms[strings.ToLower(word)]; ok {
			replace(e.Offset, e.End, with)
		}
		fixed = append(fixed, respelled(text))
	}
	if strings.HasPrefix(e.Problem, `"`) && strings.HasSuffix(e.Problem, "is never closed") {
		if i := strings.IndexByte("([{", text[e.Offset]); i >= 0 {
			fixed = append(fixed, text+")]}"[i:i+1])
		}
	}
	if strings.HasSuffix(e.Problem, "closes nothing") {
		replace(e.Offset, e.Offset+1, "")
	}
	if strings.Contains(e.Problem, "quote is never closed") {
		fixed = append(fixed, text+text[e.Offset:e.Offset+1])
	}
	if strings.Contains(e.Problem, "regular expression is never closed") {
		n := wordLength(text[e.Offset:], plainWord)
		replace(e.Offset, e.Offset+n, quote(text[e.Offset:e.Offset+n]))
		replace(len(text), len(text), "/")
	}
	for bad, good := range map[string]string{`\Z`: `\z`, "{,": "{0,"} {
		if strings.HasPrefix(text[e.Offset:], bad) {
			replace(e.Offset, e.Offset+len(bad), good)
		}
	}
	if e.Offset == len(text) {
		trimmed := strings.TrimRight(text, blanks)
		for _, ending := range []string{" and", " or", " not", "!", " &&", " ||"} {
			if cut, ok := strings.CutSuffix(trimmed, ending); ok {
				fixed = append(fixed, strings.TrimRight(cut, blanks))
			}
		}
	}
	if name, _, ok := strings.Cut(e.Want, "()"); ok && strings.HasPrefix(e.Problem, "there is no function") && plainName(name) {
		replace(e.Offset, e.Offset+strings.IndexByte(text[e.Offset:]+"(", '('), name)
	}
	if e.Offset > 0 && e.Offset < len(text) && !e.inPattern && d != dialectMongo && d != dialectAST && d != dialectWith {
		replace(e.Offset, e.Offset, "and ")
		replace(e.Offset, e.Offset, " and ")
	}
	return fixed
}

// synonyms are words and signs of other languages with ours.
var synonyms = map[string]string{
	"&&": "and", "&": "and", "||": "or", "|": "or", "and": "and", "or": "or", "not": "not",
	"eq": "=", "ne": "!=", "gt": ">", "lt": "<", "ge": ">=", "le": "<=", "like": "=~", "matches": "=~", "<>": "!=",
}

// respelled writes all words and signs of other languages that stand alone in
// a text as ours.
func respelled(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if with, ok := synonyms[strings.ToLower(word)]; ok {
			words[i] = with
		}
	}
	joined := strings.Join(words, " ")
	for _, pair := range [][2]string{{"&&", " and "}, {"||", " or "}, {"<>", "!="}, {"===", "="}} {
		joined = strings.ReplaceAll(joined, pair[0], pair[1])
	}
	return joined
}
