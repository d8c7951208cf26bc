package registry

import (
	"time"

	"muster/query"
)

// Discovery names the nodes that are wanted.
type Discovery struct {
	Query       *query.Query // nil: all nodes
	Collectives []string     // nodes in one of these; empty: all
	States      []State      // nodes in one of these states; empty: active and stale
	Sort        string       // a path such as "facts.os.name" to sort by; empty: the identity
	Limit       int          // at most so many nodes; 0: all
}

// Answer is a discovery list.
type Answer struct {
	Nodes    []Node    // sorted; by identity unless asked otherwise
	Count    int       // how many nodes the query names; more than len(Nodes) where a limit cut
	Complete bool      // false: the limit cut
	Oldest   time.Time // the earliest LastSeen among Nodes; zero: no nodes, or one never seen
	Warnings []string  // for the asker, about the question or the answer
}
