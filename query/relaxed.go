package query

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2/lexer"
)

// relaxed is one value of a relaxed document, with the bytes it stands in.
// Fields stay in order, since position and order are lost in a map.
type relaxed struct {
	kind     relaxedKind
	pos, end int
	bare     bool   // a word without quotes
	text     string // the text of a string, the pattern of a regex
	flags    string // the flags of a regex
	value    any    // what a scalar stands for: nil, bool, int64, float64, json.Number, string or time.Time
	fields   []relaxedField
	items    []relaxed
}

type relaxedField struct {
	key      string
	pos, end int
	value    relaxed
}

type relaxedKind string

const (
	relaxedNull    relaxedKind = "null"
	relaxedBool    relaxedKind = "a boolean"
	relaxedNumber  relaxedKind = "a number"
	relaxedString  relaxedKind = "text"
	relaxedDate    relaxedKind = "a date"
	relaxedPattern relaxedKind = "a regex"
	relaxedObject  relaxedKind = "a document"
	relaxedArray   relaxedKind = "a list"
)

// readRelaxed reads JSON, a JavaScript literal or a Ruby hash.
func readRelaxed(text string) (relaxed, error) {
	tokens := cutRelaxed(text)
	if err := relaxedDepth(tokens); err != nil {
		return relaxed{}, err
	}
	peek, err := lexer.Upgrade(&tokenReader{tokens})
	if err != nil {
		return relaxed{}, err
	}
	parsed, err := relaxedParser().ParseFromLexer(peek)
	if err != nil {
		return relaxed{}, relaxedMistake(text, tokens)
	}
	r := relaxedReader{text: text, tokens: tokens}
	if parsed.Value.Comma != "" {
		return relaxed{}, relaxedMistake(text, tokens)
	}
	value := r.node(&parsed.Value)
	if r.err != nil {
		return relaxed{}, r.err
	}
	return value, nil
}

// relaxedReader turns the grammar's tree into values; err is the first mistake.
type relaxedReader struct {
	text   string
	tokens []lexer.Token
	err    *SyntaxError
}

func (r *relaxedReader) fail(pos, end int, problem, want, hint string) {
	if r.err == nil {
		r.err = &SyntaxError{Offset: pos, End: end, Problem: problem, Want: want, Hint: hint}
	}
}

func (r *relaxedReader) node(n *relaxedNode) relaxed {
	switch {
	case n.Doc != nil:
		return r.doc(n.Doc)
	case n.List != nil:
		items := r.items(n.List.Items)
		return relaxed{kind: relaxedArray, pos: n.List.Open.Pos.Offset, end: tokenEnd(n.List.Close), items: items}
	case n.Call != nil:
		return r.call(n.Call)
	}
	return r.scalar(n.Scalar)
}

func tokenEnd(t lexer.Token) int { return t.Pos.Offset + len(t.Value) }

func (r *relaxedReader) doc(d *relaxedDoc) relaxed {
	out := relaxed{kind: relaxedObject, pos: d.Open.Pos.Offset, end: tokenEnd(d.Close), fields: make([]relaxedField, 0, len(d.Pairs))}
	var seen map[string]bool
	if len(d.Pairs) > 8 {
		seen = make(map[string]bool, len(d.Pairs))
	}
	for i, p := range d.Pairs {
		f := relaxedField{key: r.word(p.Key), pos: p.Key.Pos.Offset, end: tokenEnd(p.Key)}
		same := func(g relaxedField) bool { return g.key == f.key }
		if seen[f.key] || seen == nil && slices.ContainsFunc(out.fields, same) {
			r.fail(f.pos, f.end, "the key "+quote(f.key)+" stands here twice", "each key once",
				"join both conditions in one document, or write $and: [{…}, {…}]")
		}
		if seen != nil {
			seen[f.key] = true
		}
		f.value = r.node(&p.Value)
		out.fields = append(out.fields, f)
		r.comma(p.Value.Comma, i, len(d.Pairs))
	}
	return out
}

func (r *relaxedReader) items(items []relaxedNode) []relaxed {
	out := make([]relaxed, 0, len(items))
	for i := range items {
		out = append(out, r.node(&items[i]))
		r.comma(items[i].Comma, i, len(items))
	}
	return out
}

// comma demands a comma after all but the last of n.
func (r *relaxedReader) comma(comma string, i, n int) {
	if comma == "" && i < n-1 && r.err == nil {
		r.err = relaxedMistake(r.text, r.tokens)
	}
}

// word is the text of a key or a scalar token.
func (r *relaxedReader) word(t lexer.Token) string {
	text, pos := t.Value, t.Pos.Offset
	if text[0] == ':' && !strings.HasPrefix(text, "::") {
		text, pos = text[1:], pos+1
	}
	if strings.IndexByte("\"'`", text[0]) < 0 {
		return text
	}
	s, bad := unescape(text[1 : len(text)-1])
	if bad != nil {
		r.fail(pos+1+bad.at, pos+1+bad.end, bad.problem, bad.want, bad.hint)
	}
	return s
}

func (r *relaxedReader) scalar(t lexer.Token) relaxed {
	out := relaxed{pos: t.Pos.Offset, end: tokenEnd(t)}
	switch first := t.Value[0]; {
	case first == '/':
		return r.regexLiteral(t)
	case strings.IndexByte("\"'`", first) >= 0, first == ':' && !strings.HasPrefix(t.Value, "::"):
		out.kind, out.text = relaxedString, r.word(t)
	default:
		return r.bareWord(t.Value, out)
	}
	out.value = out.text
	return out
}

// bareWord decides what a word without quotes is: a constant, a number or text.
func (r *relaxedReader) bareWord(word string, out relaxed) relaxed {
	switch word {
	case "null", "nil":
		out.kind = relaxedNull
		return out
	case "true", "false":
		out.kind, out.value = relaxedBool, word == "true"
		return out
	case "undefined", "NaN", "Infinity", "-Infinity":
		r.fail(out.pos, out.end, word+" is no value of a fact", "a value", "quote it if it is text; a missing fact is {$exists: false}")
	}
	if n, ok := relaxedNumeral(word); ok {
		out.kind, out.value = relaxedNumber, n
		return out
	}
	out.kind, out.bare, out.text, out.value = relaxedString, true, word, word
	return out
}

// relaxedNumeral reads a decimal or hexadecimal number. Versions (2.6.32),
// addresses and numbers with leading zeros are text.
func relaxedNumeral(word string) (any, bool) {
	digits := strings.TrimLeft(word, "+-")
	if len(word)-len(digits) > 1 || digits == "" {
		return nil, false
	}
	if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") {
		n, err := strconv.ParseInt(word[:len(word)-len(digits)]+digits[2:], 16, 64)
		return n, err == nil
	}
	plain := strings.Trim(digits, "0123456789.eE+-") == ""
	if !plain || digits[0] == 'e' || digits[0] == 'E' {
		return nil, false
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return nil, false
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(word, 64)
	switch {
	case err != nil || math.IsInf(f, 0):
		return nil, false
	case strings.ContainsAny(word, ".eE"):
		return f, true
	}
	return json.Number(strings.TrimPrefix(word, "+")), true // an integer beyond 64 bits
}

// regexLiteral reads /pattern/flags; only the delimiter's escape is taken off.
func (r *relaxedReader) regexLiteral(t lexer.Token) relaxed {
	last := strings.LastIndexByte(t.Value, '/')
	return relaxed{
		kind: relaxedPattern, pos: t.Pos.Offset, end: tokenEnd(t),
		text:  strings.ReplaceAll(t.Value[1:last], `\/`, `/`),
		flags: t.Value[last+1:],
	}
}

// relaxedCalls are the constructors that make a value of a fact.
var relaxedCalls = []string{"ISODate", "Date", "RegExp", "NumberInt", "NumberLong"}

func (r *relaxedReader) call(c *relaxedCall) relaxed {
	name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSuffix(c.Name.Value, "("), "new"))
	out := relaxed{pos: c.Name.Pos.Offset, end: tokenEnd(c.Close)}
	args := r.items(c.Args)
	if r.err != nil {
		return out
	}
	if !slices.Contains(relaxedCalls, name) {
		hint := ""
		if name == "ObjectId" {
			hint = "nodes are named by identity, not by ObjectId"
		}
		r.fail(out.pos, out.pos+len(c.Name.Value)-1, "unknown function "+name, "one of "+strings.Join(relaxedCalls, ", ")+", or a plain value", hint)
		return out
	}
	limit := 1
	if name == "RegExp" {
		limit = 2
	}
	if len(args) == 0 || len(args) > limit {
		r.fail(out.pos, out.end, name+" takes one value", name+`("…")`, "")
		return out
	}
	switch name {
	case "RegExp":
		r.regexCall(args, &out)
	case "NumberInt", "NumberLong":
		r.numberCall(name, args[0], &out)
	default:
		r.dateCall(name, args[0], &out)
	}
	return out
}

func (r *relaxedReader) regexCall(args []relaxed, out *relaxed) {
	for _, a := range args {
		if a.kind != relaxedString {
			r.fail(a.pos, a.end, "RegExp takes text", `RegExp("pattern", "flags")`, "")
		}
	}
	out.kind, out.text = relaxedPattern, args[0].text
	if len(args) == 2 {
		out.flags = args[1].text
	}
}

func (r *relaxedReader) numberCall(name string, arg relaxed, out *relaxed) {
	value := arg.value
	if arg.kind == relaxedString {
		value, _ = relaxedNumeral(arg.text)
	}
	n, whole := value.(int64)
	if f, ok := value.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n, whole = int64(f), true
	}
	if !whole || name == "NumberInt" && n != int64(int32(n)) {
		r.fail(arg.pos, arg.end, name+" cannot hold this", "a whole number in its range", "")
	}
	out.kind, out.value = relaxedNumber, n
}

func (r *relaxedReader) dateCall(name string, arg relaxed, out *relaxed) {
	out.kind = relaxedDate
	if ms, ok := arg.value.(int64); ok && name == "Date" {
		out.value = time.UnixMilli(ms).UTC()
		return
	}
	when, ok := parseTime(arg.text)
	if arg.kind != relaxedString || !ok {
		r.fail(arg.pos, arg.end, "this is not a date", `a date such as "2026-11-01" or "2026-11-01T04:26:40Z"`, "")
	}
	out.value = when
}
