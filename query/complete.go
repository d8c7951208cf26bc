package query

import (
	"cmp"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// maxCandidates is how many ways to go on Complete offers.
const maxCandidates = 100

// Complete says how the text can go on at offset: every candidate can take the
// place of text[start:offset]. Names and values come first, those of most
// nodes before others; then operators and reserved words.
func (v Vocabulary) Complete(text string, offset int, d Dialect) (start int, candidates []string) {
	offset = min(max(offset, 0), len(text))
	text = text[:offset]
	if len(text) > maxBytes {
		return offset, nil
	}
	if d == "" || d == dialectAuto {
		d = guess(text)
	}
	c := completer{vocabulary: v, dialect: d}
	switch d {
	case dialectNative, dialectSelect:
		start = c.native(text)
	case dialectWith:
		start = c.with(text)
	default:
		start = c.other(text)
	}
	return start, c.found(text[start:])
}

// completer collects candidates with the number of nodes behind each.
type completer struct {
	vocabulary Vocabulary
	dialect    Dialect
	names      map[string]int
	words      []string
}

func (c *completer) add(names map[string]int, dress func(string) string) {
	if c.names == nil {
		c.names = map[string]int{}
	}
	for name, count := range names {
		c.names[dress(name)] = count
	}
}

// found is what begins with prefix, names before words. Quotes around a
// candidate count as part of it only if prefix has them.
func (c *completer) found(prefix string) []string {
	bare := strings.TrimLeft(prefix, `"'`)
	fits := func(name string) bool {
		return strings.HasPrefix(name, prefix) || strings.HasPrefix(strings.TrimLeft(name, `"'`), bare)
	}
	var names []string
	for name := range c.names {
		if name != prefix && fits(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(c.names[b]-c.names[a], strings.Compare(a, b))
	})
	for _, word := range c.words {
		if word != prefix && strings.HasPrefix(word, prefix) && !slices.Contains(names, word) {
			names = append(names, word)
		}
	}
	return names[:min(len(names), maxCandidates)]
}

// native completes by what may follow the token before the last word.
func (c *completer) native(text string) (start int) {
	toks := (&reader{}).tokens(text, c.dialect == dialectSelect)
	toks = toks[:len(toks)-1]
	start = len(text)
	if n := len(toks); n > 0 && touches(toks[n-1], text) {
		start = toks[n-1].Pos.Offset
		toks = toks[:n-1]
	}
	switch n := len(toks); {
	case n == 0:
		c.operands()
	case clausesAt(toks):
		c.clauses(toks)
	default:
		c.after(toks)
	}
	return start
}

// touches reports whether the last token is the word that is being typed.
func touches(tok lexer.Token, text string) bool {
	switch tok.Type {
	case tokWord, tokKey, tokString, tokValue, tokParam, tokSaved, tokBad:
		return strings.IndexByte(blanks, text[len(text)-1]) < 0 || tok.Type == tokBad || tok.Type == tokString && tok.Pos.Offset+len(tok.Value) > len(text)
	default:
		return false
	}
}

func clausesAt(toks []lexer.Token) bool {
	for _, tok := range slices.Backward(toks) {
		if tok.Type == tokPunct && (tok.Value == "|" || tok.Value == "{" || tok.Value == "}") {
			return tok.Value == "|"
		}
	}
	return false
}

func (c *completer) after(toks []lexer.Token) {
	last := toks[len(toks)-1]
	switch last.Type {
	case tokOp:
		c.values(toks)
	case tokValue, tokParam, tokRegex, tokSaved:
		c.words = append(c.words, "and", "or", "|")
	case tokString:
		if len(toks) > 1 && toks[len(toks)-2].Type == tokOp {
			c.words = append(c.words, "and", "or", "|")
		} else {
			c.operators()
		}
	case tokWord:
		c.operators()
	case tokCall:
		c.paths()
	case tokPunct:
		switch {
		case last.Value == ")" || last.Value == "]" || last.Value == "}":
			c.words = append(c.words, "and", "or", "|", "=", "!=", ">", "<")
		case last.Value == "(" && inList(toks), last.Value == "," && inList(toks):
			c.values(toks)
		default:
			c.operands()
		}
	case tokKey:
		c.afterKey(last.Value, toks)
	default:
	}
}

func (c *completer) afterKey(word string, toks []lexer.Token) {
	switch word {
	case "exists", "missing", "any", "all", "none", "changed":
		c.paths()
	case "in":
		c.words = append(c.words, "(", "{")
	case "between", "before", "after", "within", "has", "key":
		c.values(toks)
	case "is":
		c.words = append(c.words, "null", "not null")
	case "null":
		c.words = append(c.words, "and", "or", "|")
	default:
		c.operands()
	}
}

func inList(toks []lexer.Token) bool {
	for _, tok := range slices.Backward(toks) {
		switch {
		case tok.Type == tokKey && tok.Value == "in":
			return true
		case tok.Type == tokKey || tok.Type == tokOp || tok.Type == tokPunct && tok.Value == ")":
			return false
		}
	}
	return false
}

func (c *completer) operands() {
	c.paths()
	c.add(c.vocabulary.names("class"), classKey)
	c.words = append(c.words, "not", "(", "any", "all", "none", "exists", "missing", "class", "agent", "identity", "collective", "seen")
	if c.dialect == dialectNative {
		c.words = append(c.words, "state")
	}
}

// paths offers the names of facts, dressed as paths.
func (c *completer) paths() {
	c.add(c.vocabulary.names("fact"), func(name string) string { return dressed(name).String() })
}

// dressed is the path of a name as a vocabulary lists it: with dots between
// its parts, or in quotes if it is one name.
func dressed(name string) Path {
	if strings.HasPrefix(name, `"`) && quotedLength(name) == len(name) {
		if flat, err := unquote(name, 0); err == nil {
			return factPath(flat)
		}
	}
	p := factPath(strings.Split(name, ".")...)
	if len(p.Steps) > 1 {
		p.Flat = name
	}
	return p
}

func (c *completer) operators() {
	c.words = append(c.words, "=", "!=", "=~", ">", "<", ">=", "<=", ">~", "<~", "and", "or", "in", "not in", "is null", "is not null", "between", "before", "after", "has", "|")
}

// values offers what the left side of the comparison is on the fleet.
func (c *completer) values(toks []lexer.Token) {
	for i, tok := range slices.Backward(toks) {
		if tok.Type != tokWord && tok.Type != tokString || i+1 == len(toks) || toks[i+1].Type != tokOp && toks[i+1].Type != tokKey {
			continue
		}
		c.valuesOf(tok.Value)
		return
	}
}

// valuesOf offers the values of a path as it is written.
func (c *completer) valuesOf(left string) {
	l := &lowerer{reader: &reader{}, strict: c.dialect == dialectSelect}
	p, err := l.path(left, 0)
	if err != nil {
		return
	}
	dress := func(text string) string {
		if plainValue(text) || c.dialect == dialectNative && parseDecimal(text).ok || text == "true" || text == "false" {
			return text
		}
		return quote(text)
	}
	switch kind := singular(p.Field); kind {
	case "class", "agent", "collective", "identity":
		c.add(c.vocabulary.names(kind), dress)
	case "state":
		c.words = append(c.words, "active", "stale", "expired", "deactivated")
	case "seen":
		c.words = append(c.words, "15m", "1h", "1d", "7d")
	case "facts":
		name, _ := p.factName()
		c.add(c.vocabulary.values(name), dress)
	}
}

func (c *completer) clauses(toks []lexer.Token) {
	last := toks[len(toks)-1]
	switch {
	case last.Value == "|":
		c.words = append(c.words, "select", "group by", "order by", "limit", "offset", "sample")
	case last.Type == tokKey && (last.Value == "group" || last.Value == "order"):
		c.words = append(c.words, "by")
	case last.Type == tokKey || last.Type == tokPunct || last.Type == tokCall:
		c.add(c.vocabulary.names("fact"), func(name string) string {
			return (&printer{}).columnPath(dressed(name))
		})
		c.words = append(c.words, "identity", "class", "agent", "collective", "seen", "state", "count()", "sum(", "avg(", "min(", "max(")
	default:
		c.words = append(c.words, "|", "asc", "desc", "per")
	}
}

// with completes the piece that is being typed.
func (c *completer) with(text string) (start int) {
	start = strings.LastIndexAny(text, blanks) + 1
	for start < len(text) && text[start] == '!' {
		start++
	}
	piece := text[start:]
	if i := strings.IndexAny(piece, "=<>!"); i > 0 {
		op := operatorAt(piece[i:])
		c.valuesOf(piece[:i])
		return start + i + len(op)
	}
	c.paths()
	c.add(c.vocabulary.names("class"), classKey)
	return start
}

// other completes names in the dialects whose paths begin with a field.
func (c *completer) other(text string) (start int) {
	start = len(text)
	for start > 0 && (text[start-1] == '$' || text[start-1] == '.' || text[start-1] >= 0x80 || nameRune(rune(text[start-1]))) {
		start--
	}
	c.add(c.vocabulary.names("fact"), func(name string) string { return "facts." + name })
	c.words = append(c.words, "classes", "agents", "collectives", "identity", "lastseen")
	switch {
	case c.dialect == dialectMongo:
		for op := range mongoOperators {
			c.words = append(c.words, op)
		}
		c.words = append(c.words, "$and", "$or", "$nor")
		slices.Sort(c.words)
	case strings.TrimSpace(text[:start]) == "":
		c.names = nil
		for entity := range pdbEntities {
			c.words = append(c.words, entity)
		}
		slices.Sort(c.words)
	default:
		c.words = append(c.words, "certname", "and", "or", "not", "in", "is null", "order by", "limit", "offset", "group by")
	}
	return start
}
