package query

import (
	"fmt"
	"strings"
)

// Query is a parsed query: which nodes, and what of them.
type Query struct {
	Filter  Expr    // never nil; [All] for every node
	Dialect Dialect // the dialect the text was read as, never auto
	Text    string  // the text as given

	// Entity is what one row of the answer is: "" a node, else PuppetDB's
	// "facts", "fact_contents" or "resources", of which a node has many.
	Entity string

	// Kind is the entity that PQL and AST ask for, such as "inventory" or "facts";
	// empty in other dialects. AnyState says that their text says itself which
	// states of nodes it wants, instead of those that are alive.
	Kind     string
	AnyState bool

	// Where is which rows of Entity to keep: a condition on "key", "path" and
	// "element" as well as on the node. Filter then says which nodes have such a
	// row. It is nil where a row is a node.
	Where Expr

	Select  []Column // what to show of each row; none: the identity
	GroupBy []Path
	OrderBy []Column
	Limit   *int // rows at most; nil: no limit
	Offset  int  // rows left out first

	// Sample keeps this many nodes, chosen by a hash of their identity so that
	// the choice stays the same, for each value of Per; 0 keeps all.
	Sample int
	Per    *Path // nil: one sample of the whole answer

	Warnings []string // what was read but deserves a second look
}

// Column is one thing to show or to order by.
type Column struct {
	Path Path   // unused by count()
	Func string // "", "count", "sum", "avg", "min" or "max", over the rows of a group
	Desc bool   // only in OrderBy: the greatest first
	Name string // as the query wrote it; empty: the path or the function
}

// Options say how to read a text. The zero value reads any dialect, without
// parameters or saved queries.
type Options struct {
	Dialect Dialect // "" means auto

	// Named and Positional are the values of $name and ?. They are never parsed:
	// text stays text, whatever it looks like.
	Named      map[string]any
	Positional []any

	// Entity is what a condition in AST is about, OrderBy what PQL and AST are
	// ordered by after what they say themselves; only Name and Desc count. They
	// are for the clients of PuppetDB, which say so beside the query.
	Entity  string // empty: inventory
	OrderBy []Column

	// Whole refuses PQL and AST about resources that are not said to be classes:
	// who acts on the answer must not take a part for the whole.
	Whole bool

	Saved map[string]string // texts of @name, in any dialect
	Live  bool              // functions over a live node may be used
}

// Parse reads a query. An error is a *[SyntaxError].
func Parse(text string, o Options) (*Query, error) {
	return (&reader{Options: o, trying: o.Whole}).parse(text)
}

// reader is one call of Parse. Nested saved queries share it, and with it the
// limits of the whole.
type reader struct {
	Options
	positional int      // how many of Positional are used up
	patterns   int      // regular expressions so far
	clauses    int      // comparisons so far
	saved      []string // saved queries being read, outermost first
	depth      int      // of brackets around the saved query being read
	trying     bool     // no advice is wanted
	anyState   bool     // the query says itself which states it wants
}

// parse tells the dialect and hands over to its front end.
func (r *reader) parse(text string) (*Query, error) {
	if err := tooLong(r.Dialect, text); err != nil {
		return nil, err
	}
	d, body, err := r.dialect(text)
	if err != nil {
		return nil, err
	}
	if err := cleanText(d, text); err != nil {
		return nil, err
	}
	q, err := r.front(d, blank(text, body))
	if err != nil {
		return nil, r.advise(finish(err, text), text, d)
	}
	q.Dialect, q.Text = d, text
	return q, nil
}

// front reads text in one dialect. A front end returns *SyntaxError with
// offsets into its text; Dialect and Text are set here.
func (r *reader) front(d Dialect, text string) (*Query, error) {
	var q *Query
	var err error
	switch d {
	case dialectSelect:
		q, err = r.parseSelect(text)
	case dialectWith:
		q, err = r.parseWith(text)
	case dialectMongo:
		q, err = r.parseMongo(text)
	case dialectPQL:
		q, err = r.parsePQL(text)
	case dialectAST:
		q, err = r.parseAST(text)
	default:
		q, err = r.parseNative(text)
	}
	if err != nil {
		return nil, tag(err, d)
	}
	return q, nil
}

// Format writes q in a dialect, so that parsing the text gives q again. It
// fails, saying why, where the dialect has no words for it.
func Format(q *Query, d Dialect) (string, error) {
	switch d {
	case dialectNative, dialectAuto, "":
		return printNative(q)
	case dialectSelect:
		return printSelect(q)
	case dialectWith:
		return printWith(q)
	case dialectMongo:
		return printMongo(q)
	case dialectPQL:
		return printPQL(q)
	case dialectAST:
		return printAST(q)
	}
	return "", fmt.Errorf("there is no dialect %q; known are %s", d, joinDialects())
}

// blank replaces the marker before body ("mongo:") by blanks, so that offsets
// stay those of the text.
func blank(text, body string) string {
	return strings.Repeat(" ", len(text)-len(body)) + body
}
