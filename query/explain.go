package query

import "time"

// Words says in words what e asks for.
func Words(e Expr) string { return Tree(e) }

// Reason is one clause that rejects a node.
type Reason struct {
	Clause string // as native writes it
	Seen   string // what the node has there; empty if nothing
}

// Why returns the clauses for which doc does not satisfy e; none if it does.
func Why(e Expr, doc *Document, now time.Time) []Reason { return nil }
