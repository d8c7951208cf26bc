package query

import "fmt"

// The limits of one query. A text beyond one of them is refused with the
// position where it is passed, before the grammar sees it.
const (
	maxBytes    = 16 << 10 // length of the text
	maxDepth    = 100      // nesting of brackets, and of subqueries and saved queries
	maxClauses  = 1000     // comparisons and bare names
	maxList     = 1000     // members of one written list; a bound parameter may be longer
	maxPattern  = 1 << 10  // bytes of one regular expression
	maxPatterns = 16       // regular expressions in one query
	maxProgram  = 2000     // instructions of one compiled expression
	maxValue    = 4 << 10  // bytes of a fact's text that an expression looks at
)

// tooLong refuses text beyond maxBytes at the first byte too many.
func tooLong(d Dialect, text string) error {
	if len(text) <= maxBytes {
		return nil
	}
	if d == "" {
		d = dialectAuto
	}
	return &SyntaxError{
		Dialect: d, Text: text, Offset: maxBytes, End: len(text),
		Problem: fmt.Sprintf("the query is longer than %d bytes", maxBytes),
		Want:    "a shorter query, or a parameter for a long list",
	}
}
