package registry

import (
	"compress/gzip"
	"context"
	"io"
)

// Wanted is what a registry asks a neighbour for, having seen its heads.
type Wanted struct {
	Nodes []string `json:"nodes,omitempty"` // the identities of nodes; one that is not there is left out

	// Events between two IDs are wanted, the second one included. Zero: none are.
	After uint64 `json:"after,omitempty"`
	Until uint64 `json:"until,omitempty"`
}

// Heads writes, for a neighbour that wants to know what it missed, of each node
// what tells one version from another: sections without what they say. The
// form is that of a backup.
func (r *Registry) Heads(ctx context.Context, w io.Writer) error {
	if err := r.usable(); err != nil {
		return err
	}
	last := r.events.position()
	return r.writeLines(ctx, w, lines{kind: kindHeads, level: gzip.BestSpeed, last: last, nodes: r.table.all(), write: (*Node).head})
}

// Pass writes what a neighbour wants, in the form of a backup. The error is
// [ErrNoHistory] if it wants events, and there are none.
func (r *Registry) Pass(ctx context.Context, w io.Writer, want Wanted) error {
	if err := r.usable(); err != nil {
		return err
	}
	l := lines{kind: kindBackup, level: gzip.BestSpeed, write: func(n *Node) *Node { return n }}
	if want.Until > 0 {
		if _, ok := r.store.(Journal); !ok {
			return ErrNoHistory
		}
		l.events = EventRange{After: want.After, Until: want.Until}
	}
	for _, name := range want.Nodes {
		if n := r.table.get(Identity(name).Key()); n != nil {
			l.nodes = append(l.nodes, n)
		}
	}
	return r.writeLines(ctx, w, l)
}

// head is a node without what its sections say. The registry's own marks say
// little, and stay.
func (n *Node) head() *Node {
	bare := &Node{Identity: n.Identity, FirstSeen: n.FirstSeen, Sections: make(map[Source]*Section, len(n.Sections))}
	for source, s := range n.Sections {
		if !source.speaks() && source != Trusted {
			bare.Sections[source] = s
			continue
		}
		bare.Sections[source] = &Section{Auth: s.Auth, Sequence: s.Sequence, Sent: s.Sent, Received: s.Received, Changed: s.Changed, Hash: s.Hash}
	}
	return bare
}
