package query

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Reason is one clause that rejects a node.
type Reason struct {
	Clause string // as native writes it, or as a tree where native has no words
	Seen   string // what the node has there, as JSON; "nothing" if the path leads nowhere
	Start  int    // where the clause stands in the query, in bytes
	End    int    // Start if that is not known
}

// Why returns the clauses because of which doc does not satisfy e: of an and
// those that fail, of an or all. None are returned if doc satisfies e.
func Why(e Expr, doc *Document, now time.Time) []Reason {
	return why(e, &scope{doc: doc, now: now}, true)
}

// why collects what keeps e from being wanted.
func why(e Expr, s *scope, wanted bool) []Reason {
	if matches(e, s) == wanted {
		return nil
	}
	var reasons []Reason
	switch e := e.(type) {
	case And:
		for _, part := range e {
			reasons = append(reasons, why(part, s, wanted)...)
		}
		return reasons
	case Or:
		for _, part := range e {
			reasons = append(reasons, why(part, s, wanted)...)
		}
		return reasons
	case Not:
		return why(e.Expr, s, !wanted)
	case All:
		return []Reason{{Clause: clause(e, wanted), Seen: "every node"}}
	case *Compare:
		return []Reason{{clause(e, wanted), seen(e.Path, s), e.Start, e.End}}
	case *Has:
		return []Reason{{clause(e, wanted), seen(e.Path, s), e.Start, e.End}}
	case *Subquery:
		return []Reason{{clause(e, wanted), seen(e.Path, s), e.Start, e.End}}
	case *Changed:
		return []Reason{{clause(e, wanted), seen(e.Path, s), e.Start, e.End}}
	}
	return reasons
}

func clause(e Expr, wanted bool) string {
	if !wanted {
		e = not(e)
	}
	text, err := printNative(&Query{Filter: e})
	if err != nil {
		return Tree(e)
	}
	return text
}

// seen shows the values that a path leads to.
func seen(p Path, s *scope) string {
	values := p.Values(s.doc)
	if len(values) == 0 {
		return "nothing"
	}
	var parts []string
	for i, v := range values {
		if i == 20 {
			parts = append(parts, fmt.Sprintf("… (%d in all)", len(values)))
			break
		}
		if t, ok := v.(time.Time); ok && p.Field == "seen" {
			parts = append(parts, t.Format(time.RFC3339)+", "+formatAge(s.now.Sub(t))+" ago")
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			text = fmt.Append(nil, v)
		}
		parts = append(parts, clip(string(text)))
	}
	return strings.Join(parts, ", ")
}
