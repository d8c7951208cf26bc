package query

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of native and select, one struct a level of precedence, loops
// instead of recursion. Keywords have a token type of their own (tokens.word),
// so that no name is ever taken for one.

type queryNode struct {
	Filter *orNode       `parser:"@@?"`
	Pipes  []*clauseNode `parser:"( '|':Punct @@ )*"`
}

type orNode struct {
	Terms []*andNode `parser:"@@ ( 'or':Key @@ )*"`
}

type andNode struct {
	Terms []*notNode `parser:"@@ ( 'and':Key @@ )*"`
}

// notNode is one operand with what negates it. The usual comparison, a name,
// an operator and a value, has no node of its own: nodes are what takes time.
type notNode struct {
	Pos    lexer.Position
	Nots   []string    `parser:"@( 'not':Key | '!':Punct )*"`
	Word   string      `parser:"( ( @Word"`
	String string      `parser:"  | @String"`
	Call   *callNode   `parser:"  | @@ )"`
	Test   *opNode     `parser:"  @@?"`
	Group  *orNode     `parser:"| '(':Punct @@ ')':Punct"`
	Regex  string      `parser:"| @Regex"`
	Saved  string      `parser:"| @Saved"`
	Exists *existsNode `parser:"| @@"`
	Change *changeNode `parser:"| 'changed':Key @@"`
	Quant  *quantNode  `parser:"| @@ )"`
}

type existsNode struct {
	Word string       `parser:"@( 'exists':Key | 'missing':Key )"`
	Of   *operandNode `parser:"@@"`
}

type changeNode struct {
	Of  *operandNode `parser:"@@"`
	Pos lexer.Position
	Age string `parser:"'within':Key @Value"`
}

type quantNode struct {
	Quant  string       `parser:"@( 'any':Key | 'all':Key | 'none':Key )"`
	Of     *operandNode `parser:"@@"`
	Inside *orNode      `parser:"( '{':Punct @@ '}':Punct"`
	Test   *opNode      `parser:"| @@ )"`
}

type operandNode struct {
	Pos    lexer.Position
	Word   string    `parser:"  @Word"`
	String string    `parser:"| @String"`
	Call   *callNode `parser:"| @@"`
}

type callNode struct {
	Name   string   `parser:"@Call"`
	Args   []string `parser:"( @( String | Word ) ( ',':Punct @( String | Word ) )* )?"`
	Output string   `parser:"')':Punct @Word?"`
}

// opNode is everything that can follow an operand.
type opNode struct {
	Pos     lexer.Position
	Op      string       `parser:"  ( @Op"`
	Text    string       `parser:"    ( @Value"`
	Value   *valueNode   `parser:"    | @@ ) )"`
	Is      []string     `parser:"| 'is':Key @'not':Key? @'null':Key"`
	Between *betweenNode `parser:"| 'between':Key @@"`
	Date    *dateNode    `parser:"| @@"`
	Has     *hasNode     `parser:"| 'has':Key @@"`
	In      *inNode      `parser:"| @@"`
}

type betweenNode struct {
	Low  *valueNode `parser:"@@ 'and':Key"`
	High *valueNode `parser:"@@"`
}

type dateNode struct {
	Word  string     `parser:"@( 'before':Key | 'after':Key )"`
	Value *valueNode `parser:"@@"`
}

type hasNode struct {
	What  string     `parser:"@( 'key':Key | 'all':Key | 'any':Key )?"`
	Value *valueNode `parser:"@@"`
}

type inNode struct {
	Not   bool       `parser:"@'not':Key? 'in':Key"`
	Query *queryNode `parser:"( '{':Punct @@ '}':Punct"`
	Value *valueNode `parser:"| @@ )"`
}

type valueNode struct {
	Pos    lexer.Position
	Text   string    `parser:"  @Value"`
	String string    `parser:"| @String"`
	Regex  string    `parser:"| @Regex"`
	Param  string    `parser:"| @Param"`
	Open   string    `parser:"| @'(':Punct"`
	List   *listNode `parser:"  @@? ')':Punct"`
	Square string    `parser:"| @'[':Punct"`
	Items  *listNode `parser:"  @@? ']':Punct"`
}

type listNode struct {
	Members []*valueNode `parser:"@@ ( ',':Punct @@ )*"`
}

// clauseNode is what follows a pipe; several clauses may share one.
type clauseNode struct {
	Clauses []*pipeNode `parser:"@@+"`
}

type pipeNode struct {
	Pos    lexer.Position
	Select []*columnNode `parser:"  'select':Key @@ ( ',':Punct @@ )*"`
	Group  []*columnNode `parser:"| 'group':Key 'by':Key @@ ( ( ',':Punct )? @@ )*"`
	Order  []*orderNode  `parser:"| 'order':Key 'by':Key @@ ( ',':Punct @@ )*"`
	Limit  string        `parser:"| 'limit':Key @Word"`
	Offset string        `parser:"| 'offset':Key @Word"`
	Sample *sampleNode   `parser:"| 'sample':Key @@"`
}

type columnNode struct {
	Pos  lexer.Position
	Word string    `parser:"  @Word"`
	Call *callNode `parser:"| @@"`
}

type orderNode struct {
	Minus bool        `parser:"@'-':Punct?"`
	Of    *columnNode `parser:"@@"`
	Way   string      `parser:"@( 'desc':Key | 'asc':Key )?"`
}

type sampleNode struct {
	Count string      `parser:"@Word"`
	Per   *columnNode `parser:"( 'per':Key @@ )?"`
}

// nativeParser is built on first use.
var nativeParser = sync.OnceValue(func() *participle.Parser[queryNode] {
	return participle.MustBuild[queryNode](participle.Lexer(nativeTokens{}), participle.UseLookahead(2))
})
