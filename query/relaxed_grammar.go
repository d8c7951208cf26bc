package query

import (
	"slices"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of relaxed documents. Whether a colon separates or belongs to a
// word depends on where it stands, so keys and values are lexed in states of
// their own: Doc reads keys, Value reads one value and leaves.
type relaxedText struct {
	Value relaxedNode `parser:"@@"`
}

type relaxedNode struct {
	Scalar lexer.Token  `parser:"  @( String | Word | Regex | Symbol )"`
	Doc    *relaxedDoc  `parser:"| @@"`
	List   *relaxedList `parser:"| @@"`
	Call   *relaxedCall `parser:"| @@"`
}

// Commas are optional in the grammar and demanded when it is read, where the
// mistake can be named.
type relaxedDoc struct {
	Open  lexer.Token    `parser:"@DocOpen"`
	Pairs []*relaxedPair `parser:"@@*"`
	Close lexer.Token    `parser:"@DocClose"`
}

type relaxedPair struct {
	Key   lexer.Token `parser:"@( String | Key | Symbol ) Separator"`
	Value relaxedNode `parser:"@@"`
	Comma string      `parser:"@Comma?"`
}

type relaxedList struct {
	Open  lexer.Token    `parser:"@ListOpen"`
	Items []*relaxedItem `parser:"@@*"`
	Close lexer.Token    `parser:"@ListClose"`
}

type relaxedItem struct {
	Value relaxedNode `parser:"@@"`
	Comma string      `parser:"@Comma?"`
}

type relaxedCall struct {
	Name  lexer.Token    `parser:"@Call"`
	Args  []*relaxedItem `parser:"@@*"`
	Close lexer.Token    `parser:"@CallClose"`
}

const (
	quotedToken  = `"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|` + "`(?:\\\\[\\s\\S]|[^`\\\\])*`"
	symbolToken  = `:(?:[A-Za-z_][^\s,{}\[\]()'"=]*|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')`
	regexToken   = `/(?:\\[^\n]|\[(?:\\[^\n]|[^\]\\\n])*\]|[^/\\\n\[])+/[A-Za-z]*`
	keyToken     = "[^\\s,{}\\[\\]()'\":=`/][^\\s,{}\\[\\]()'\":=`]*"
	wordToken    = "(?:::|[^\\s,{}\\[\\]()'\":`/])[^\\s,{}\\[\\]()'\"`]*"
	callToken    = `(?:new\s+)?[A-Za-z_][\w.:]*\(`
	unclosedText = "[\"'`][\\s\\S]*"
)

// relaxedLexer never fails: what it cannot read becomes a Bad token, so that
// the grammar reports the first mistake and not the last.
var relaxedLexer = lexer.MustStateful(lexer.Rules{
	"Root": slices.Concat(relaxedValue(nil), []lexer.Rule{{Name: "BadChar", Pattern: `[\s\S]`}}),
	"Doc": {
		{Name: "space", Pattern: `\s+`},
		{Name: "DocClose", Pattern: `\}`, Action: lexer.Pop()},
		{Name: "Comma", Pattern: `,`},
		{Name: "String", Pattern: quotedToken, Action: lexer.Push("Separator")},
		{Name: "Symbol", Pattern: symbolToken, Action: lexer.Push("Separator")},
		{Name: "Key", Pattern: keyToken, Action: lexer.Push("Separator")},
		{Name: "BadString", Pattern: unclosedText},
		{Name: "BadChar", Pattern: `[\s\S]`},
	},
	"Separator": {
		{Name: "space", Pattern: `\s+`},
		{Name: "Separator", Pattern: `=>|:`, Action: lexer.Push("Value")},
		lexer.Return(),
	},
	"Value": slices.Concat(relaxedValue(lexer.Pop()), []lexer.Rule{lexer.Return()}),
	"List": slices.Concat([]lexer.Rule{
		{Name: "ListClose", Pattern: `\]`, Action: lexer.Pop()},
		{Name: "Comma", Pattern: `,`},
	}, relaxedValue(nil), []lexer.Rule{{Name: "BadChar", Pattern: `[\s\S]`}}),
	"Args": slices.Concat([]lexer.Rule{
		{Name: "CallClose", Pattern: `\)`, Action: lexer.Pop()},
		{Name: "Comma", Pattern: `,`},
	}, relaxedValue(nil), []lexer.Rule{{Name: "BadChar", Pattern: `[\s\S]`}}),
})

// relaxedValue is the rules of one value; after says what follows a scalar.
func relaxedValue(after lexer.Action) []lexer.Rule {
	return []lexer.Rule{
		{Name: "space", Pattern: `\s+`},
		{Name: "DocOpen", Pattern: `\{`, Action: lexer.Push("Doc")},
		{Name: "ListOpen", Pattern: `\[`, Action: lexer.Push("List")},
		{Name: "String", Pattern: quotedToken, Action: after},
		{Name: "Call", Pattern: callToken, Action: lexer.Push("Args")},
		{Name: "Word", Pattern: wordToken, Action: after},
		{Name: "Symbol", Pattern: symbolToken, Action: after},
		{Name: "Regex", Pattern: regexToken, Action: after},
		{Name: "BadString", Pattern: unclosedText, Action: after},
		{Name: "BadRegex", Pattern: `/[\s\S]*`, Action: after},
	}
}

var relaxedParser = participle.MustBuild[relaxedText](
	participle.Lexer(relaxedLexer), participle.UseLookahead(1))
