package query

type Dialect string

const (
	Mongo Dialect = "mongo"
	PQL   Dialect = "pql"
	AST   Dialect = "ast"
)

type SyntaxError struct {
	Dialect                         Dialect
	Text                            string
	Offset, End                     int
	Problem, Want, Hint, Suggestion string
}

func (e *SyntaxError) Error() string { return e.Problem + "; want " + e.Want }
