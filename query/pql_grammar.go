package query

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of PQL. Every level of precedence is a loop: PuppetDB's own
// parser went back at each "or" and took half a minute for twenty of them.
//
// Keywords are words, told apart by where they stand and in any case.
type pqlQuery struct {
	Entity     lexer.Token    `parser:"@Word"`
	Projection *pqlProjection `parser:"@@?"`
	Body       *pqlBody       `parser:"@@"`
}

type pqlProjection struct {
	Open   lexer.Token  `parser:"@'[':Punct"`
	Fields []*pqlColumn `parser:"( @@ ( ',':Punct @@ )* )?"`
	Close  lexer.Token  `parser:"@']':Punct"`
}

// pqlColumn is a field, or a function of one.
type pqlColumn struct {
	Name lexer.Token  `parser:"@Word"`
	Call *pqlCallArgs `parser:"@@?"`
}

type pqlCallArgs struct {
	Open  lexer.Token `parser:"@'(':Punct"`
	Args  []*pqlName  `parser:"( @@ ( ',':Punct @@ )* )?"`
	Close lexer.Token `parser:"@')':Punct"`
}

type pqlName struct {
	Token lexer.Token `parser:"@Word"`
}

type pqlBody struct {
	Open    lexer.Token  `parser:"@'{':Punct"`
	Filter  *pqlOr       `parser:"( (?! ( 'order':Word | 'group':Word ) 'by':Word | ( 'limit':Word | 'offset':Word ) Number ) @@ )?"`
	Clauses []*pqlClause `parser:"@@*"`
	Close   lexer.Token  `parser:"@'}':Punct"`
}

type pqlClause struct {
	Order  []*pqlOrder  `parser:"  'order':Word 'by':Word @@ ( ',':Punct @@ )*"`
	Group  []*pqlColumn `parser:"| 'group':Word 'by':Word @@ ( ',':Punct @@ )*"`
	Limit  lexer.Token  `parser:"| 'limit':Word @Number"`
	Offset lexer.Token  `parser:"| 'offset':Word @Number"`
}

type pqlOrder struct {
	Column    *pqlColumn  `parser:"@@"`
	Direction lexer.Token `parser:"@( 'asc':Word | 'desc':Word )?"`
}

type pqlOr struct {
	Terms []*pqlAnd `parser:"@@ ( 'or':Word @@ )*"`
}

type pqlAnd struct {
	Terms []*pqlNot `parser:"@@ ( 'and':Word @@ )*"`
}

type pqlNot struct {
	Bangs []string  `parser:"@( '!':Punct | 'not':Word )*"`
	Group *pqlOr    `parser:"(  '(':Punct @@ ')':Punct"`
	Tuple *pqlTuple `parser:"| @@"`
	Leaf  *pqlLeaf  `parser:"| @@ )"`
}

// pqlTuple is several fields at once in a subquery or a list.
type pqlTuple struct {
	Open   lexer.Token `parser:"@'[':Punct"`
	Fields []*pqlName  `parser:"@@ ( ',':Punct @@ )* ']':Punct"`
	Source *pqlSource  `parser:"'in':Word @@"`
}

// pqlLeaf begins with a name: an entity before a brace, else a field.
type pqlLeaf struct {
	Name lexer.Token `parser:"(?! 'and':Word | 'or':Word ) @Word"`
	Body *pqlBody    `parser:"(  @@"`
	Test *pqlTest    `parser:"| @@ )"`
}

type pqlTest struct {
	Op     lexer.Token `parser:"(  @Op"`
	Value  *pqlValue   `parser:"   @@"`
	Is     lexer.Token `parser:"|  @'is':Word"`
	IsNot  bool        `parser:"   @'not':Word? 'null':Word"`
	Neg    bool        `parser:"|  @'not':Word?"`
	In     lexer.Token `parser:"   @'in':Word"`
	Source *pqlSource  `parser:"   @@ )"`
}

type pqlSource struct {
	List  *pqlList    `parser:"  @@"`
	Param lexer.Token `parser:"| @Param"`
	Query *pqlQuery   `parser:"| @@"`
}

type pqlValue struct {
	Scalar lexer.Token `parser:"  @( String | Number | Word | Regex | Param )"`
	List   *pqlList    `parser:"| @@"`
}

type pqlList struct {
	Open  lexer.Token `parser:"@( '[':Punct | '(':Punct )"`
	Items []*pqlValue `parser:"( @@ ( ',':Punct @@ )* )?"`
	Close lexer.Token `parser:"@( ']':Punct | ')':Punct )"`
}

// pqlParser is built at its first use and never changes. Without lookahead the
// first mistake is reported where it stands.
var pqlParser = sync.OnceValue(func() *participle.Parser[pqlQuery] {
	return participle.MustBuild[pqlQuery](participle.Lexer(pqlNames), participle.CaseInsensitive("Word"), participle.UseLookahead(0))
})
