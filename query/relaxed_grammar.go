package query

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of relaxed documents.
type relaxedText struct {
	Value relaxedNode `parser:"@@"`
}

type relaxedNode struct {
	Scalar lexer.Token  `parser:"(  @( String | Word | Regex | Symbol )"`
	Doc    *relaxedDoc  `parser:" | @@"`
	List   *relaxedList `parser:" | @@"`
	Call   *relaxedCall `parser:" | @@ )"`
	Comma  string       `parser:"@Comma?"` // behind it
}

// Commas are optional in the grammar and demanded when it is read, where the
// mistake can be named.
type relaxedDoc struct {
	Open  lexer.Token   `parser:"@DocOpen"`
	Pairs []relaxedPair `parser:"@@*"`
	Close lexer.Token   `parser:"@DocClose"`
}

type relaxedPair struct {
	Key   lexer.Token `parser:"@( String | Key | Symbol ) Separator"`
	Value relaxedNode `parser:"@@"`
}

type relaxedList struct {
	Open  lexer.Token   `parser:"@ListOpen"`
	Items []relaxedNode `parser:"@@*"`
	Close lexer.Token   `parser:"@ListClose"`
}

type relaxedCall struct {
	Name  lexer.Token   `parser:"@Call"`
	Args  []relaxedNode `parser:"@@*"`
	Close lexer.Token   `parser:"@CallClose"`
}

// relaxedParser is built at its first use and never changes.
var relaxedParser = sync.OnceValue(func() *participle.Parser[relaxedText] {
	return participle.MustBuild[relaxedText](participle.Lexer(relaxedNames), participle.UseLookahead(0))
})
